// Aborts through a DB of one connection, on a real server: the caller is told at once, the server
// stops, and the next user of the connection notices nothing.

import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, inject, test } from "vitest";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import { type PgConnection, postgres } from "../../packages/forebay/src/postgres/index.ts";
import { type DB, openDB } from "../../packages/forebay/src/sql/db.ts";
import { connect, errorOf, untilBusy } from "./wire-session.ts";

const SLEEP = "SELECT pg_sleep(3600)";
const REASON = new Error("enough");

const open: DB<PgConnection>[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});

function single(): DB<PgConnection> {
  const db = openDB(postgres(inject("postgresUrl"), { env: {} }), { maxOpenConns: 1 });
  open.push(db);
  return db;
}

function pidOf(db: DB<PgConnection>): Promise<number> {
  return db.withConn((conn) => conn.raw((pg) => pg.processId));
}

type Call = (db: DB<PgConnection>, signal: AbortSignal) => Promise<unknown>;

/** Calls that are in the middle of a statement when they are aborted. */
const RUNNING: readonly (readonly [string, Call])[] = [
  ["DB.query", (db, signal) => db.query(SLEEP, [], { signal })],
  ["DB.query with arguments", (db, signal) => db.query("SELECT pg_sleep($1)", [3600], { signal })],
  ["DB.exec", (db, signal) => db.exec(SLEEP, [], { signal })],
  ["DB.rows", (db, signal) => db.rows(SLEEP, [], { signal }).next()],
  ["DB.rows, a later result", (db, signal) => laterResult(db, signal)],
  ["Conn.query", (db, signal) => db.withConn((conn) => conn.query(SLEEP, [], { signal }))],
  ["Conn.rows", (db, signal) => db.withConn((conn) => conn.rows(SLEEP, [], { signal }).next())],
  [
    "Stmt.query",
    async (db, signal) => {
      const stmt = await db.prepare(SLEEP);
      return stmt.query([], { signal });
    },
  ],
  [
    "Stmt.rows",
    async (db, signal) => {
      const stmt = await db.prepare(SLEEP);
      return stmt.rows([], { signal }).next();
    },
  ],
  ["Tx.query", (db, signal) => db.transaction((tx) => tx.query(SLEEP, [], { signal }))],
  ["a transaction", (db, signal) => db.transaction((tx) => tx.query(SLEEP), { signal })],
  [
    "a savepoint",
    (db, signal) =>
      db.transaction((tx) => tx.transaction((inner) => inner.rows(SLEEP).next()), { signal }),
  ],
];

async function laterResult(db: DB<PgConnection>, signal: AbortSignal): Promise<unknown> {
  const rows = db.rows(`SELECT 1; ${SLEEP}`, [], { signal });
  await rows.nextResultSet();
  return rows.next();
}

test.each(RUNNING)("%s is stopped on the server, and keeps the connection", async (_name, call) => {
  const db = single();
  const [observer, pid] = await Promise.all([connect(), pidOf(db)]);
  const controller = new AbortController();
  const running = errorOf(call(db, controller.signal));
  await untilBusy(observer, pid);
  controller.abort(REASON);
  expect(await running).toBe(REASON);
  const after = await db.queryRow(
    "SELECT pg_backend_pid() AS pid, pg_current_xact_id_if_assigned() IS NULL AS clean",
  );
  expect(after).toEqual({ pid, clean: true });
  await db.transaction((tx) => tx.query("SELECT 1"));
});

/** Calls that take a moment only: aborted after so many turns of the event loop. */
const BRIEF: readonly (readonly [string, Call])[] = [
  ["DB.prepare", (db, signal) => db.prepare("SELECT 1", { signal })],
  ["DB.begin", (db, signal) => db.begin({ signal })],
  ["DB.conn", async (db, signal) => (await db.conn({ signal })).close()],
  ["DB.ping", (db, signal) => db.ping({ signal })],
  ["DB.transaction", (db, signal) => db.transaction((tx) => tx.query("SELECT 1"), { signal })],
];

test.each(BRIEF)("%s, aborted at any moment, leaves nothing behind", async (_name, call) => {
  const db = single();
  for (let turns = 0; turns < 12; turns++) {
    const controller = new AbortController();
    const outcome = call(db, controller.signal).catch((error: unknown) => error);
    for (let i = 0; i < turns; i++) await turn();
    controller.abort(REASON);
    await outcome;
    const status = await db.withConn((conn) =>
      conn.raw(async (pg) => (await pg.ping(), pg.txStatus)),
    );
    expect(status).toBe("I");
  }
  expect(db.stats().pool.leased).toBe(0);
});

test("rows between two reads are ended, and what was sent of them is no one's", async () => {
  const db = single();
  for (const sql of [
    "SELECT n FROM generate_series(1, 100000) n",
    "SELECT 1; SELECT 2; SELECT 3",
  ]) {
    const controller = new AbortController();
    const rows = db.rows(sql, [], { signal: controller.signal });
    await rows.next();
    controller.abort(REASON);
    expect(await db.queryRow("SELECT 7 AS seven")).toEqual({ seven: 7 });
    expect(await errorOf(rows.next())).toBe(REASON);
  }
});

test("an abort during commit is OUTCOME_UNKNOWN, and the connection is fit again", async () => {
  const db = single();
  const pid = await pidOf(db);
  const controller = new AbortController();
  const tx = await db.begin();
  const commit = errorOf(tx.commit({ signal: controller.signal }));
  await Promise.resolve();
  controller.abort(REASON);
  expect(await commit).toMatchObject({ code: "OUTCOME_UNKNOWN", cause: REASON });
  expect(await db.queryRow("SELECT pg_backend_pid() AS pid")).toEqual({ pid });
});

test("no late cancel reaches the next query, hundreds of times", async () => {
  const db = single();
  const random = seededRandom(11);
  let aborted = 0;
  for (let round = 0; round < 400; round++) {
    const controller = new AbortController();
    const seconds = (random.next() * 0.003).toFixed(5);
    const call = db
      .query(`SELECT pg_sleep(${seconds})`, [], { signal: controller.signal })
      .catch((error: unknown) => error);
    if (random.next() < 0.3) await delay(random.next() * 4);
    else for (let i = Math.floor(random.next() * 10); i > 0; i--) await turn();
    controller.abort(REASON);
    if ((await call) === REASON) aborted += 1;
    expect(await db.queryRow("SELECT 1 AS one FROM pg_sleep(0.001)")).toEqual({ one: 1 });
  }
  expect(aborted).toBeGreaterThan(100);
  expect(db.stats().pool.leased).toBe(0);
});
