// How long a statement may take.

import { afterEach, expect, inject, test } from "vitest";
import { openPostgres, type PostgresDB } from "../../packages/forebay/src/postgres/index.ts";
import { errorOf } from "./wire-session.ts";

const open: PostgresDB[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});

function opened(statementTimeoutMs?: number, pipelining = false): PostgresDB {
  const connection = { env: {}, statementTimeoutMs };
  const db = openPostgres(inject("postgresUrl"), { maxOpenConns: 1, pipelining, connection });
  open.push(db);
  return db;
}

const PID = "SELECT pg_backend_pid() AS pid";
const TIMED_OUT = { code: "STATEMENT_TIMEOUT", retryable: false };

test("a statement that takes too long is stopped, and its connection goes on", async () => {
  const db = opened();
  const before = await db.queryRow(PID);
  for (const call of [
    () => db.query("SELECT pg_sleep(30)", [], { timeoutMs: 50 }),
    () => db.exec("SELECT pg_sleep($1)", [30], { timeoutMs: 50 }),
    () => db.queryRow("SELECT pg_sleep($1)", [30], { timeoutMs: 50 }),
    () => db.exec("DO $$ BEGIN PERFORM pg_sleep(30); END $$", [], { timeoutMs: 50 }),
    () => db.batch([{ sql: "SELECT 1" }, { sql: "SELECT pg_sleep(30)" }], { timeoutMs: 50 }),
    () => db.transaction((tx) => tx.query("SELECT pg_sleep(30)", [], { timeoutMs: 50 })),
  ]) {
    expect(await errorOf(call())).toMatchObject(TIMED_OUT);
    expect(await db.queryRow(PID)).toEqual(before);
  }
});

test("statementTimeoutMs holds where the call says nothing else", async () => {
  const db = opened(50);
  expect(await errorOf(db.query("SELECT pg_sleep(30)"))).toMatchObject(TIMED_OUT);
  const stmt = await db.prepare("SELECT pg_sleep($1::float8)");
  expect(await errorOf(stmt.query([30]))).toMatchObject(TIMED_OUT);
  await db.query("SELECT pg_sleep(0.1)", [], { timeoutMs: Infinity });
});

test("a pipelined statement that takes too long ends for its caller alone", async () => {
  const db = opened(undefined, true);
  await db.query("SELECT 1");
  const slow = errorOf(db.query("SELECT pg_sleep(0.15)", [], { timeoutMs: 30 }));
  const behind = db.queryRow("SELECT 2 AS two");
  expect(await slow).toMatchObject(TIMED_OUT);
  expect(await behind).toEqual({ two: 2 });
});

test.each([0, -1, Number.NaN])("a timeout of %d is refused", async (timeoutMs) => {
  const db = opened();
  for (let run = 0; run < 2; run++) {
    const error = errorOf(db.query("SELECT 1", [], { timeoutMs }));
    expect(await error).toMatchObject({ code: "ARGUMENT_INVALID" });
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  }
});
