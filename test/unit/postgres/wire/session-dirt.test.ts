// What the texts of statements say about the session: which kinds of change are seen, and which
// statements put them back.

import { describe, expect, test } from "vitest";
import {
  SessionDirt,
  type SessionReset,
} from "../../../../packages/forebay/src/postgres/wire/session-dirt.ts";

class Watched {
  txStatus: "I" | "T" | "E" = "I";
  readonly parameters = new Map([
    ["client_encoding", "UTF8"],
    ["TimeZone", "UTC"],
  ]);
  parameterChanges = 0;

  report(name: string, value: string): void {
    this.parameters.set(name, value);
    this.parameterChanges += 1;
  }
}

function begin(mode: SessionReset = "auto") {
  const session = new Watched();
  return { session, dirt: new SessionDirt(mode, session) };
}

/** A session that a pool has set up, with nothing. */
function ready(mode?: SessionReset) {
  const scene = begin(mode);
  scene.dirt.remember();
  return scene;
}

function remedyOf(...texts: string[]): string | undefined {
  const { dirt } = ready();
  for (const text of texts) dirt.note(text, []);
  return dirt.remedy();
}

describe("a statement that changes the session is put back by the smallest remedy", () => {
  test.each([
    ["SET search_path = a", "RESET ALL"],
    ["set\ntime zone 'UTC'", "RESET ALL"],
    ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "RESET ALL"],
    ["/* a */ -- b\n (SET x.y = 1", "RESET ALL"],
    ["SET ROLE app", "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"],
    ["SET SESSION AUTHORIZATION app", "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"],
    ["SELECT set_config($1, $2, $3)", "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"],
    ["WITH s AS (SELECT Set_Config ('a.b', 'true)', false)) TABLE s", "RESET ALL"],
    ["LISTEN jobs", "UNLISTEN *"],
    ["DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE ALL"],
    ["CREATE TEMP TABLE t (a int)", "DISCARD TEMP"],
    ["CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1", "DISCARD TEMP"],
    ["create local temporary table t as select 1", "DISCARD TEMP"],
    ["SELECT 1 INTO TEMP t", "DISCARD TEMP"],
    ["CREATE TABLE pg_temp.t (a int)", "DISCARD TEMP"],
    ["SELECT pg_advisory_lock(1)", "pg_advisory_unlock_all"],
    ["SELECT pg_try_advisory_lock_shared(1, 2)", "pg_advisory_unlock_all"],
    ["PREPARE p AS SELECT 1", "DEALLOCATE"],
    ["SELECT 1; SELECT ';'; SET x.y = 1", "RESET ALL"],
    ["SELECT 1; -- a\n SET x.y = 1", "RESET ALL"],
    ["SELECT 1; SELECT pg_advisory_lock(1)", "pg_advisory_unlock_all"],
    ["DO $$BEGIN PERFORM 1; END$$", "UNLISTEN *"],
    [`SELECT 1; ${" ".repeat(70_000)} SELECT 2`, "UNLISTEN *"],
  ])("%.60s", (sql, remedy) => {
    expect(remedyOf(sql)).toContain(remedy);
  });
});

test.each([
  "SELECT 1",
  "UPDATE t SET search_path = 1",
  "INSERT INTO t VALUES ('SET x = 1')",
  "SELECT 'a; SET x = 1' FROM t; SELECT 2",
  "SET LOCAL search_path = a",
  "SET TRANSACTION READ ONLY",
  "SET CONSTRAINTS ALL DEFERRED",
  "SELECT set_config('app.tenant', $1, true)",
  "SELECT pg_advisory_xact_lock(1), pg_advisory_unlock(2)",
  "PREPARE TRANSACTION 'x'",
  "DECLARE c CURSOR FOR SELECT 1",
  "CREATE TABLE temperature (temp int)",
  "RESET search_path",
  "UNLISTEN *",
  "BEGIN",
  "COMMIT",
  "ROLLBACK TO SAVEPOINT s",
  "SELECT 1;",
  "",
  ";;",
  "-- nothing",
])("nothing is put back after: %s", (sql) => {
  const { dirt } = ready();
  dirt.note(sql, []);
  dirt.note(sql, []);
  expect([dirt.isDirty, dirt.isBeyond, dirt.remedy()]).toEqual([false, false, undefined]);
});

test("several changes are put back together, the role before the settings", () => {
  expect(remedyOf("SET x.y = 1", "LISTEN a", "SET ROLE app", "SELECT pg_advisory_lock(1)")).toBe(
    "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; UNLISTEN *; " +
      "SELECT pg_catalog.pg_advisory_unlock_all()",
  );
});

describe("a transaction", () => {
  test("that is rolled back takes its changes with it, but for locks and statements", () => {
    const { session, dirt } = ready();
    session.txStatus = "T";
    dirt.note("SET x.y = 1", []);
    dirt.note("CREATE TEMP TABLE t (a int)", []);
    dirt.note("ROLLBACK", []);
    session.txStatus = "I";
    expect(dirt.isDirty).toBe(false);
    session.txStatus = "T";
    dirt.note("SELECT pg_advisory_lock(1)", []);
    dirt.note("SET x.y = 1", []);
    dirt.note("rollback work;", []);
    session.txStatus = "I";
    expect(dirt.remedy()).toBe("SELECT pg_catalog.pg_advisory_unlock_all()");
  });

  test.each(["COMMIT", "END", "SELECT 1"])("that ended with %s has made its changes", (end) => {
    const { session, dirt } = ready();
    session.txStatus = "T";
    dirt.note("SET x.y = 1", []);
    expect(dirt.isDirty).toBe(false);
    dirt.note(end, []);
    session.txStatus = "I";
    dirt.note("BEGIN", []);
    session.txStatus = "T";
    dirt.note("ROLLBACK", []);
    session.txStatus = "I";
    expect(dirt.remedy()).toBe("RESET ALL");
  });

  test("that is committed and chained keeps its changes, though the next is rolled back", () => {
    const { session, dirt } = ready();
    session.txStatus = "T";
    dirt.note("SET x.y = 1", []);
    dirt.note("COMMIT AND CHAIN", []);
    dirt.note("ROLLBACK", []);
    session.txStatus = "I";
    expect(dirt.isDirty).toBe(true);
  });

  test("that is rolled back to a savepoint counts as changed", () => {
    const { session, dirt } = ready();
    session.txStatus = "T";
    dirt.note("SET x.y = 1", []);
    dirt.note("ROLLBACK TO s", []);
    dirt.note("COMMIT", []);
    session.txStatus = "I";
    expect(dirt.isDirty).toBe(true);
  });
});

test("a parameter that the server reports anew is a change, and none once it is back", () => {
  const { session, dirt } = ready();
  session.report("TimeZone", "Asia/Tokyo");
  expect(dirt.isDirty).toBe(true);
  session.report("TimeZone", "UTC");
  expect(dirt.isDirty).toBe(false);
  session.report("TimeZone", "Asia/Tokyo");
  expect(dirt.remedy()).toContain("RESET ALL");
  dirt.cleaned();
  expect(dirt.isDirty).toBe(false);
});

test("a parameter of the first message that the remedy does not bring back is named", () => {
  const { session, dirt } = ready();
  session.report("client_encoding", "SQL_ASCII");
  expect(dirt.lostParameters()).toEqual([["client_encoding", "UTF8"]]);
});

test("what set the session up is run again after a reset, and what undoes it is a change", () => {
  const { dirt } = begin();
  dirt.note("SET x.y = 1", []);
  dirt.note("SELECT 1", []);
  dirt.note("SELECT set_config($1, $2, false)", ["a.b", "c"]);
  dirt.remember();
  expect(dirt.isDirty).toBe(false);
  dirt.note("RESET x.y", []);
  expect(dirt.remedy()).toBe("RESET ALL");
  expect(dirt.setup).toEqual([
    { sql: "SET x.y = 1", args: [] },
    { sql: "SELECT set_config($1, $2, false)", args: ["a.b", "c"] },
  ]);
});

test("without a word about its setting-up, all that was set is put back", () => {
  const { dirt } = begin();
  dirt.note("SET x.y = 1", []);
  expect([dirt.remedy(), dirt.setup]).toEqual(["RESET ALL", []]);
});

test("a prepared statement that changes the session may do so in each use", () => {
  const { dirt } = ready();
  dirt.notePrepared("SELECT pg_advisory_lock($1)");
  dirt.cleaned();
  expect(dirt.remedy()).toContain("unlock_all");
});

test.each(["LOAD 'auto_explain'", "DEALLOCATE ALL", "deallocate prepare all", "DISCARD ALL"])(
  "nothing puts back what %s does",
  (sql) => {
    const { dirt } = ready();
    dirt.note(sql, []);
    expect(dirt.isBeyond).toBe(true);
  },
);

test("by the rule discard every changed session is beyond repair, and no other", () => {
  const { session, dirt } = ready("discard");
  expect(dirt.isBeyond).toBe(false);
  dirt.note("SELECT 1", []);
  session.report("TimeZone", "UTC");
  expect(dirt.isBeyond).toBe(false);
  dirt.note("SET x.y = 1", []);
  expect(dirt.isBeyond).toBe(true);
});

test("by the rule off nothing is seen", () => {
  const { session, dirt } = ready("off");
  dirt.note("SET x.y = 1", []);
  dirt.notePrepared("LISTEN a");
  dirt.note("DISCARD ALL", []);
  session.report("TimeZone", "Asia/Tokyo");
  expect([dirt.isDirty, dirt.isBeyond, dirt.remedy()]).toEqual([false, false, undefined]);
});

test("so many texts that they are not all remembered are judged alike", () => {
  for (let i = 0; i < 2000; i++) {
    expect(remedyOf(`SET x.y${i} = 1`)).toBe("RESET ALL");
    expect(remedyOf(`SELECT ${i}`)).toBeUndefined();
  }
});
