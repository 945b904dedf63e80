// A session comes back from its user as it was when it was set up, on a real server.

import { afterEach, describe, expect, inject, test } from "vitest";
import {
  type PgConnection,
  postgres,
  type PostgresOptions,
} from "../../packages/forebay/src/postgres/index.ts";
import type { PoolHooks } from "../../packages/forebay/src/pool/hooks.ts";
import { type DB, openDB } from "../../packages/forebay/src/sql/db.ts";

const open: DB<PgConnection>[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});

function single(
  options: PostgresOptions = {},
  hooks: PoolHooks<PgConnection> = {},
): DB<PgConnection> {
  const connector = postgres(inject("postgresUrl"), { env: {}, ...options });
  const db = openDB(connector, {
    maxOpenConns: 1,
    hooks,
    onBackgroundError: (error) => {
      throw error;
    },
  });
  open.push(db);
  return db;
}

async function pid(db: DB<PgConnection>): Promise<unknown> {
  return (await db.queryRow("SELECT pg_backend_pid() AS pid"))["pid"];
}

const LOCKS = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory'";
const CHANGES: readonly (readonly [what: string, change: string, look: string])[] = [
  ["a setting", "SET work_mem = '77kB'", "SHOW work_mem"],
  [
    "a setting of an application",
    "SET app.person = 'me'",
    "SELECT coalesce(current_setting('app.person', true), '')",
  ],
  ["a setting by function", "SELECT set_config('work_mem', '77kB', false)", "SHOW work_mem"],
  ["a setting in several statements", "SELECT 1; SET work_mem = '77kB'", "SHOW work_mem"],
  ["a role", "SET ROLE pg_monitor", "SELECT current_user"],
  ["a session's user", "SET SESSION AUTHORIZATION pg_monitor", "SELECT session_user"],
  ["a channel listened on", "LISTEN jobs", "SELECT * FROM pg_listening_channels()"],
  ["an advisory lock", "SELECT pg_advisory_lock(771)", `${LOCKS} AND pid = pg_backend_pid()`],
  ["a temporary table", "CREATE TEMP TABLE t AS SELECT 1", "SELECT to_regclass('t')::text"],
  [
    "a cursor",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "SELECT count(*) FROM pg_cursors WHERE is_holdable",
  ],
  [
    "a statement of SQL",
    'PREPARE "my p" AS SELECT 1',
    "SELECT count(*) FROM pg_prepared_statements WHERE from_sql",
  ],
  [
    "anything in a body of code",
    "DO $$BEGIN EXECUTE 'SET work_mem = 7777'; PERFORM pg_advisory_lock(1); END$$",
    `SELECT current_setting('work_mem'), (${LOCKS} AND pid = pg_backend_pid())`,
  ],
];

describe.each(CHANGES)("%s", (_what, change, look) => {
  test("is gone for the next user of the connection, who is told nothing", async () => {
    const db = single();
    const before = (await db.query(look)).rows;
    const process = await pid(db);
    await db.withConn(async (conn) => {
      await conn.exec(change);
      expect((await conn.query(look)).rows).not.toEqual(before);
    });
    expect((await db.query(look)).rows).toEqual(before);
    await db.exec(change);
    expect((await db.query(look)).rows).toEqual(before);
    expect(await pid(db)).toBe(process);
  });

  test("ends the connection by the rule discard", async () => {
    const db = single({ sessionReset: "discard" });
    const before = (await db.query(look)).rows;
    const process = await pid(db);
    await db.exec(change);
    expect((await db.query(look)).rows).toEqual(before);
    expect(await pid(db)).not.toBe(process);
  });

  test("stays by the rule off", async () => {
    const db = single({ sessionReset: "off" });
    const before = (await db.query(look)).rows;
    await db.exec(change);
    expect((await db.query(look)).rows).not.toEqual(before);
  });
});

test("statements that are prepared stay prepared", async () => {
  const db = single();
  const stmt = await db.prepare("SELECT $1::int AS n");
  const count =
    "SELECT count(*) AS n FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1%'";
  await stmt.query([1]);
  await db.exec("SET work_mem = '77kB'");
  await db.exec("PREPARE p AS SELECT 1");
  expect((await db.queryRow(count))["n"]).toBe(1);
  expect((await stmt.query([2])).rows).toEqual([{ n: 2 }]);
});

test("a prepared statement that changes the session is seen in each use", async () => {
  const db = single();
  const stmt = await db.prepare("SELECT set_config('work_mem', $1, false)");
  const before = await db.queryRow("SHOW work_mem");
  for (let round = 0; round < 2; round++) {
    await stmt.query(["77kB"]);
    expect(await db.queryRow("SHOW work_mem")).toEqual(before);
  }
});

test("nothing is sent for a session unchanged, or whose changes were rolled back", async () => {
  const db = single();
  const last = "SELECT query FROM pg_stat_activity WHERE pid = $1";
  const observer = single();
  const process = await pid(db);
  const lastOf = async () => (await observer.queryRow(last, [process]))["query"];
  await db.transaction((tx) => tx.exec("SET LOCAL work_mem = '77kB'"));
  expect(await lastOf()).toBe("COMMIT");
  const tx = await db.begin();
  await tx.exec("SET work_mem = '77kB'");
  await tx.rollback();
  expect(await lastOf()).toBe("ROLLBACK");
  await db.transaction((inner) => inner.exec("SELECT set_config('app.tenant', $1, true)", ["a"]));
  expect(await lastOf()).toBe("COMMIT");
  await db.transaction((inner) => inner.exec("SET work_mem = '77kB'"));
  await expect.poll(lastOf).toBe("RESET ALL");
});

test("what afterConnect set stays, whatever its users do", async () => {
  const db = single(
    {},
    {
      afterConnect: async (conn) => {
        await conn.query("SET statement_timeout = '50s'; SET application_name = 'set up'", []);
        await conn.query("SELECT set_config('app.tenant', $1, false)", ["all"]);
      },
    },
  );
  const look = () =>
    db.queryRow(
      `SELECT current_setting('statement_timeout') AS timeout,
         current_setting('app.tenant') AS tenant, current_setting('application_name') AS name,
         pg_backend_pid() AS pid`,
    );
  const before = await look();
  expect(before).toMatchObject({ timeout: "50s", tenant: "all", name: "set up" });
  await db.exec("SET statement_timeout = 0");
  expect(await look()).toEqual(before);
  await db.exec("RESET app.tenant");
  expect(await look()).toEqual(before);
});

test("a setting that a user's function changes is seen where the server reports it", async () => {
  const db = single();
  const before = await db.queryRow("SHOW timezone");
  await db.exec(
    `CREATE OR REPLACE FUNCTION change_zone() RETURNS void LANGUAGE sql AS
       'SET TIME ZONE ''Asia/Tokyo'''`,
  );
  await db.exec("SELECT change_zone()");
  expect(await db.queryRow("SHOW timezone")).toEqual(before);
  await db.exec("DROP FUNCTION change_zone()");
});

test("a session that has lost its prepared statements is closed, and none is missed", async () => {
  const db = single();
  const process = await pid(db);
  await db.withConn((conn) => conn.exec("DEALLOCATE ALL"));
  expect(await pid(db)).not.toBe(process);
});
