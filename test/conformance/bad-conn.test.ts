import { expect, test } from "vitest";
import { BadConnError } from "../../packages/forebay/src/driver/errors.ts";
import type { Rows } from "../../packages/forebay/src/sql/rows.ts";
import { bad, connOf, killAll, openIdle, rejection, type SqlBench, sqlBench } from "./support.ts";

async function readOne(rows: Rows): Promise<void> {
  expect((await rows.next()).done).toBe(false);
  await rows.close();
}

/** Five idle connections, all of them dead; more than there are tries. */
async function withDeadConns(): Promise<SqlBench> {
  const bench = sqlBench({ maxOpenConns: 10 });
  await openIdle(bench, 5);
  killAll(bench.database);
  return bench;
}

test("TestManyErrBadConn: every call gets past more dead connections than it tries", async () => {
  const calls: Readonly<Record<string, (bench: SqlBench) => Promise<unknown>>> = {
    query: ({ db }) => db.query("a"),
    exec: ({ db }) => db.exec("a"),
    begin: async ({ db }) => (await db.begin()).rollback(),
    prepare: ({ db }) => db.prepare("a"),
    rows: ({ db }) => readOne(db.rows("a")),
    ping: ({ db }) => db.ping(),
  };
  for (const call of Object.values(calls)) {
    const bench = await withDeadConns();
    await call(bench);
    expect(bench.db.stats().openConnections).toBe(1);
    expect(bench.database.conns).toHaveLength(6);
    await bench.done();
  }
});

test("TestManyErrBadConn/Stmt: known to dead connections alone, it runs on a new one", async () => {
  const bench = sqlBench({ maxOpenConns: 10 });
  const { db, database, done } = bench;
  await openIdle(bench, 5);
  const stmt = await db.prepare("p");
  await Promise.all(Array.from({ length: 5 }, () => stmt.query()));
  killAll(database);
  database.log.length = 0;
  await stmt.exec();
  expect(database.log).toEqual(["6 prepare p", "6 stmt.query p"]);
  expect(db.stats().openConnections).toBe(1);
  await done();
});

test("TestManyErrBadConn/Conn: dead sessions are dropped as they come back", async () => {
  const bench = await withDeadConns();
  const { db, database, done } = bench;
  for (let left = 4; left >= 0; left--) {
    const conn = await db.conn();
    expect(await rejection(conn.ping())).toBeInstanceOf(BadConnError);
    expect(await rejection(conn.query("a"))).toBeInstanceOf(BadConnError);
    await conn.close();
    expect(db.stats().idle).toBe(left);
  }
  await db.withConn((conn) => conn.ping());
  expect(database.openCount).toBe(1);
  await done();
});

test("TestErrBadConnReconnect: a call is made again, and connections do not add up", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 10 });
  const rounds = [
    ["prepare", () => db.prepare("p")],
    ["query", () => db.exec("a")],
    ["query", () => db.query("a")],
    ["stream", () => readOne(db.rows("a"))],
  ] as const;
  for (const [call, make] of rounds) {
    await db.exec("warm up");
    database.failNext(call, bad(), "dead");
    await make();
    expect(db.stats().openConnections).toBe(1);
  }
  const stmt = await db.prepare("p");
  database.failNext("stmt.query", bad(), "dead");
  await stmt.exec();
  database.failNext("prepare", bad(), "dead");
  await db.withConn(() => stmt.exec());
  expect(db.stats()).toMatchObject({ inUse: 0, pool: { closedBy: { bad: 5 + 1 } } });
  expect(db.stats().openConnections).toBeLessThanOrEqual(2);
  await done();
});

test("TestTxErrBadConn: begin is tried again when the connection proves dead", async () => {
  const { db, database, done } = sqlBench();
  await db.exec("warm up");
  database.failNext("begin", bad(), "dead");
  database.log.length = 0;
  const tx = await db.begin();
  await tx.exec("a");
  await tx.commit();
  expect(database.log).toEqual(["1 begin", "2 begin", "2 query a", "2 commit"]);
  expect(db.stats().openConnections).toBe(1);
  await done();
});

test("TestTxEndBadConn: a bad connection at the end is told, and closed", async () => {
  const { db, database, leased, done } = sqlBench({ maxOpenConns: 1 });
  for (const end of ["commit", "rollback"] as const) {
    const tx = await db.begin();
    const error = bad();
    database.failNext(end, error, "dead");
    expect(await rejection(tx[end]())).toBe(error);
    expect([leased(), database.openCount]).toEqual([0, 0]);
    expect(connOf(database, database.conns.length).isClosed).toBe(true);
    await db.ping();
  }
  await done();
});
