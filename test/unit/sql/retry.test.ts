import { expect, test } from "vitest";
import { BadConnError } from "../../../packages/forebay/src/driver/errors.ts";
import {
  type DriverCall,
  type FakeDatabase,
  outcome,
  rejection,
  type SqlBench,
  sqlBench,
} from "../../support/fake-database.ts";

const gone = () => new BadConnError("the server closed the connection");

/** Opens so many idle connections. */
async function open(bench: SqlBench, count: number): Promise<void> {
  const conns = await Promise.all(Array.from({ length: count }, () => bench.db.conn()));
  await Promise.all(conns.map((conn) => conn.close()));
  bench.database.log.length = 0;
}

function failBad(database: FakeDatabase, call: DriverCall, times: number): void {
  for (let n = 0; n < times; n++) database.failNext(call, gone(), "dead");
}

const RETRIED: Readonly<Record<string, [DriverCall, (bench: SqlBench) => Promise<unknown>]>> = {
  query: ["query", ({ db }) => db.query("a")],
  queryRow: ["query", ({ db }) => db.queryRow("a")],
  exec: ["query", ({ db }) => db.exec("a")],
  "the first read of rows": [
    "stream",
    async ({ db }) => {
      const rows = db.rows("a");
      await rows.next();
      await rows.close();
    },
  ],
  prepare: ["prepare", ({ db }) => db.prepare("a")],
  begin: ["begin", async ({ db }) => (await db.begin()).rollback()],
  transaction: ["begin", ({ db }) => db.transaction(async () => undefined)],
  ping: ["ping", ({ db }) => db.ping()],
};

for (const [name, [call, make]] of Object.entries(RETRIED)) {
  test(`${name} is tried on two pooled connections, then, those closed, on a new one`, async () => {
    const bench = sqlBench({ maxOpenConns: 5 });
    const { database, done } = bench;
    await open(bench, 4);
    failBad(database, call, 2);
    await make(bench);
    const tried = database.log.filter((line) => line.split(" ")[1] === call);
    expect(tried.map((line) => line.split(" ")[0])).toEqual(["4", "3", "5"]);
    expect(database.openCount).toBe(1);
    await done();
  });

  test(`${name} gives up after the third bad connection, with the driver's error`, async () => {
    const bench = sqlBench({ maxOpenConns: 5 });
    const { database, leased, done } = bench;
    failBad(database, call, 3);
    const error = await rejection(make(bench));
    expect(error).toBeInstanceOf(BadConnError);
    expect(leased()).toBe(0);
    expect(database.log).toHaveLength(3);
    await done();
  });

  test(`${name} is not tried again after any other error`, async () => {
    const bench = sqlBench();
    const { database, done } = bench;
    const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
    database.failNext(call, reset, "dead");
    expect(await rejection(make(bench))).toBe(reset);
    expect(database.log).toHaveLength(1);
    await done();
  });
}

test("a statement of the pool is tried again, and prepared where it is not known", async () => {
  const bench = sqlBench({ maxOpenConns: 3 });
  const { db, database, done } = bench;
  await open(bench, 2);
  const stmt = await db.prepare("p");
  database.log.length = 0;
  failBad(database, "stmt.query", 1);
  expect((await stmt.query()).rows).toHaveLength(1);
  expect(database.log).toEqual(["2 stmt.query p", "1 prepare p", "1 stmt.query p"]);
  await done();
});

test("a bad connection that is the cause of another error is recognised", async () => {
  const { db, database, done } = sqlBench();
  database.failNext("query", new Error("wrapped", { cause: gone() }), "dead");
  await db.query("a");
  expect(database.log).toEqual(["1 query a", "2 query a"]);
  await done();
});

test("the second of three tries may meet another error, which ends them", async () => {
  const { db, database, done } = sqlBench();
  const syntax = new Error("syntax error");
  failBad(database, "query", 1);
  database.failNext("query", syntax);
  expect(await rejection(db.query("a"))).toBe(syntax);
  expect(database.log).toHaveLength(2);
  await done();
});

test("a signal aborted at a try ends the tries with its reason", async () => {
  const { db, database, abortable, done } = sqlBench();
  const controller = abortable();
  await db.withConn(async () => undefined);
  const driver = database.conns[0];
  if (driver !== undefined) {
    driver.query = async () => {
      await driver.perform("ping", "", undefined, () => undefined);
      controller.abort("enough");
      driver.isDead = true;
      throw gone();
    };
  }
  const tried = outcome(db.query("a", [], { signal: controller.signal }));
  expect(await tried).toEqual({ error: "enough" });
  expect(database.calls).toEqual(["ping"]);
  await done();
});

test("all tries share the deadline of the first", async () => {
  const { db, database, clock, done } = sqlBench({ maxOpenConns: 1, acquireTimeoutMs: 1000 });
  const first = await db.conn();
  const second = outcome(db.query("a"));
  const dial = database.hangNext("connect");
  failBad(database, "query", 1);
  await clock.advance(600);
  await first.close();
  await clock.advance(399);
  expect(db.stats().pool.waiting).toBe(1);
  await clock.advance(1);
  expect(await second).toMatchObject({ error: { code: "POOL_TIMEOUT" } });
  dial.release();
  await done();
});

test("without an acquire timeout the tries have no deadline either", async () => {
  const { db, database, done } = sqlBench({ acquireTimeoutMs: Infinity });
  failBad(database, "query", 2);
  await db.query("a");
  expect(database.log).toHaveLength(3);
  await done();
});

test("nothing is tried again on a Conn", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  failBad(database, "query", 1);
  expect(await rejection(conn.query("a"))).toBeInstanceOf(BadConnError);
  failBad(database, "begin", 1);
  expect(await rejection(conn.begin())).toBeInstanceOf(BadConnError);
  expect(database.log).toEqual(["1 query a", "1 begin"]);
  await conn.close();
  expect(database.openCount).toBe(0);
  await done();
});

test("nothing is tried again in a transaction", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  failBad(database, "query", 1);
  failBad(database, "commit", 1);
  expect(await rejection(tx.query("a"))).toBeInstanceOf(BadConnError);
  expect(await rejection(tx.commit())).toBeInstanceOf(BadConnError);
  expect(database.log.slice(0, 3)).toEqual(["1 begin", "1 query a", "1 commit"]);
  await done();
});

test("nothing is tried again once rows were read", async () => {
  const { db, database, done } = sqlBench();
  const rows = db.rows("a");
  await rows.next();
  await rows.next();
  failBad(database, "next", 1);
  expect(await rejection(rows.next())).toBeInstanceOf(BadConnError);
  expect(database.log).toEqual(["1 stream a", "1 next", "1 next"]);
  await done();
});
