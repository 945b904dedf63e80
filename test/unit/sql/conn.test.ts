import { expect, test } from "vitest";
import { outcome, rejection, sqlBench } from "../../support/fake-database.ts";

const CONN_DONE = { code: "CONN_DONE", family: "operating", retryable: false };
const CONN_BUSY = { code: "CONN_BUSY", family: "usage" };

test("a Conn is one session for all its calls", async () => {
  const { db, database, leased, done } = sqlBench();
  const conn = await db.conn();
  await db.query("elsewhere");
  await conn.query("a");
  await conn.queryRow("b");
  await conn.exec("c");
  await conn.ping();
  for await (const _row of conn.rows("d")) break;
  await conn.close();
  expect(leased()).toBe(0);
  const own = database.log.filter((line) => line.startsWith("1 "));
  expect(own).toEqual([
    "1 query a",
    "1 query b",
    "1 query c",
    "1 ping",
    "1 stream d",
    "1 next",
    "1 rows.close",
  ]);
  await done();
});

test("after close every call rejects with CONN_DONE; a second close has no effect", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const stmt = await conn.prepare("p");
  const unread = conn.rows("r");
  await conn.close();
  await conn.close();
  await conn[Symbol.asyncDispose]();
  database.log.length = 0;
  const calls = [
    () => conn.query("a"),
    () => conn.queryRow("a"),
    () => conn.exec("a"),
    () => conn.rows("a").next(),
    () => unread.next(),
    () => stmt.rows().next(),
    () => conn.prepare("a"),
    () => conn.begin(),
    () => conn.transaction(async () => undefined),
    () => conn.raw(() => undefined),
    () => conn.ping(),
  ];
  for (const call of calls) expect(await rejection(call())).toMatchObject(CONN_DONE);
  expect(database.log).toEqual([]);
  await done();
});

test("calls made at the same time go out one by one, and close waits for them", async () => {
  const { db, database, leased, done } = sqlBench();
  const conn = await db.conn();
  const hang = database.hangNext("query");
  const work = [conn.query("a"), conn.query("b")];
  const closing = conn.close();
  expect(await rejection(conn.query("too late"))).toMatchObject(CONN_DONE);
  await hang.reached;
  expect(leased()).toBe(1);
  hang.release();
  await Promise.all([...work, closing]);
  expect(database.calls).toEqual(["query a", "query b"]);
  expect(leased()).toBe(0);
  await done();
});

test("calls may queue again after a queue has been served", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  await Promise.all([conn.query("a"), conn.query("b")]);
  await Promise.all([conn.query("c"), conn.query("d")]);
  await conn.close();
  expect(database.calls).toEqual(["query a", "query b", "query c", "query d"]);
  await done();
});

test("close ends open rows", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const rows = conn.rows("r");
  await rows.next();
  expect(await rejection(conn.query("a"))).toMatchObject(CONN_BUSY);
  await conn.close();
  expect(await rejection(rows.next())).toMatchObject(CONN_DONE);
  expect(database.calls).toEqual(["stream r", "next", "rows.close"]);
  await done();
});

test("close rolls back an open transaction, and ends the rows in it", async () => {
  const { db, database, leased, done } = sqlBench();
  const conn = await db.conn();
  const tx = await conn.begin();
  const rows = tx.rows("r");
  await rows.next();
  await conn.close();
  expect(await rejection(rows.next())).toMatchObject(CONN_DONE);
  expect(await rejection(tx.query("a"))).toMatchObject(CONN_DONE);
  expect(database.calls).toEqual(["begin", "stream r", "next", "rows.close", "rollback"]);
  expect(leased()).toBe(0);
  await done();
});

test("close rolls back a transaction that is just being begun", async () => {
  const { db, database, leased, done } = sqlBench();
  const conn = await db.conn();
  const hang = database.hangNext("begin");
  const beginning = conn.begin();
  await hang.reached;
  const closing = conn.close();
  hang.release();
  const tx = await beginning;
  await closing;
  expect(await rejection(tx.commit())).toMatchObject(CONN_DONE);
  expect(database.calls).toEqual(["begin", "rollback"]);
  expect(leased()).toBe(0);
  await done();
});

test("close waits for a begin that fails", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const refused = new Error("no such isolation");
  const hang = database.hangNext("begin", refused);
  const beginning = outcome(conn.begin());
  await hang.reached;
  const closing = conn.close();
  hang.release();
  expect((await beginning).error).toBe(refused);
  await closing;
  expect(database.calls).toEqual(["begin"]);
  await done();
});

test("close waits for a commit under way", async () => {
  const { db, database, leased, done } = sqlBench();
  const conn = await db.conn();
  const tx = await conn.begin();
  const hang = database.hangNext("commit");
  const committing = tx.commit();
  await hang.reached;
  const closing = conn.close();
  await Promise.resolve();
  expect(leased()).toBe(1);
  hang.release();
  await Promise.all([committing, closing]);
  expect(database.calls).toEqual(["begin", "commit"]);
  await done();
});

test("a transaction on a Conn shuts out its other calls until it has ended", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const tx = await conn.begin({ isolation: "serializable" });
  expect(await rejection(conn.query("a"))).toMatchObject(CONN_BUSY);
  expect(await rejection(conn.begin())).toMatchObject(CONN_BUSY);
  await tx.commit();
  await conn.query("b");
  const value = await conn.transaction(async (inner) => (await inner.query("c")).rows.length);
  expect(value).toBe(1);
  await conn.query("d");
  await conn.close();
  expect(database.log).toEqual([
    "1 begin serializable",
    "1 commit",
    "1 query b",
    "1 begin",
    "1 query c",
    "1 commit",
    "1 query d",
  ]);
  await done();
});

test("a begin that fails gives the session back to the Conn", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  database.failNext("begin", new Error("no such isolation"));
  await rejection(conn.begin());
  await conn.query("a");
  await conn.close();
  expect(database.calls).toEqual(["begin", "query a"]);
  await done();
});

test("an abort in the middle of begin leaves no transaction for the Conn's next call", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  database.canReset = false;
  const controller = abortable();
  const conn = await db.conn();
  const hang = database.hangNext("begin");
  const beginning = outcome(conn.begin({ signal: controller.signal }));
  await hang.reached;
  controller.abort("enough");
  expect(await beginning).toEqual({ error: "enough" });
  await clock.settle();
  await conn.query("a");
  await conn.close();
  expect(database.calls).toEqual(["begin", "rollback", "query a"]);
  hang.release();
  await done();
});

test("an aborted transaction gives the session back to the Conn", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  const controller = abortable();
  const conn = await db.conn();
  await conn.begin({ signal: controller.signal });
  controller.abort("enough");
  await clock.settle();
  await conn.query("a");
  await conn.close();
  expect(database.calls).toEqual(["begin", "rollback", "query a"]);
  await done();
});

test("a rollback that fails ends the Conn with the connection", async () => {
  const { db, database, leased, done } = sqlBench();
  const conn = await db.conn();
  const lost = new Error("connection lost");
  const tx = await conn.begin();
  database.failNext("rollback", lost);
  expect(await rejection(tx.rollback())).toBe(lost);
  expect(leased()).toBe(0);
  expect(await rejection(conn.query("a"))).toMatchObject({ ...CONN_DONE, cause: lost });
  await conn.close();
  expect(database.openCount).toBe(0);
  await done();
});

test("the signal given to conn stops the wait for a connection, and nothing later", async () => {
  const { db, abortable, done } = sqlBench({ maxOpenConns: 1 });
  const controller = abortable();
  const conn = await db.conn({ signal: controller.signal });
  const waiting = outcome(db.conn({ signal: controller.signal }));
  controller.abort("enough");
  expect(await waiting).toEqual({ error: "enough" });
  await conn.query("a");
  await conn.close();
  await done();
});

test("withConn gives the connection back whether its function resolves or throws", async () => {
  const { db, database, leased, done } = sqlBench();
  const escaped = await db.withConn(async (conn) => {
    await conn.query("a");
    return conn;
  });
  expect(leased()).toBe(0);
  expect(await rejection(escaped.query("b"))).toMatchObject(CONN_DONE);
  const mistake = new Error("mine");
  const throwing = () => {
    throw mistake;
  };
  expect(await rejection(db.withConn(throwing))).toBe(mistake);
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(1);
  await done();
});

test("withConn finishes the calls that its function left running", async () => {
  const { db, database, done } = sqlBench();
  const hang = database.hangNext("query");
  const left: Promise<unknown>[] = [];
  const running = db.withConn(async (conn) => {
    left.push(conn.query("a"), conn.query("b"));
  });
  await hang.reached;
  hang.release();
  await Promise.all([running, ...left]);
  expect(database.calls).toEqual(["query a", "query b"]);
  await done();
});

test("raw gives the driver's connection, in turn", async () => {
  const { db, database, done } = sqlBench();
  await db.withConn(async (conn) => {
    const query = conn.query("a");
    expect(await conn.raw((driver) => driver === database.conns[0])).toBe(true);
    expect(await conn.raw(async (driver) => (await driver.query("b", [])).command)).toBe("SELECT");
    await query;
  });
  expect(database.calls).toEqual(["query a", "query b"]);
  await done();
});

test("a throw in raw passes through, and the Conn goes on", async () => {
  const { db, database, leased, done } = sqlBench();
  const conn = await db.conn();
  const mistake = new Error("in raw");
  const failing = outcome(conn.raw(() => Promise.reject(mistake)));
  const queued = conn.query("a");
  expect((await failing).error).toBe(mistake);
  await queued;
  await conn.close();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["query a"]);
  await done();
});

test("a connection that broke under a Conn is not used again after its close", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  database.failNext("query", new Error("terminated"), "dead");
  await rejection(conn.query("a"));
  await conn.close();
  expect(database.openCount).toBe(0);
  await done();
});

test("a signal aborted while a call waits for its turn takes it out of the queue", async () => {
  const { db, database, abortable, done } = sqlBench();
  const conn = await db.conn();
  const [one, two] = [abortable(), abortable()];
  const hang = database.hangNext("query");
  const first = conn.query("a");
  await hang.reached;
  const second = outcome(conn.query("b", [], { signal: one.signal }));
  const third = conn.query("c", [], { signal: two.signal });
  const fourth = outcome(conn.query("d", [], { signal: one.signal }));
  one.abort("enough");
  expect(await second).toEqual({ error: "enough" });
  expect(await fourth).toEqual({ error: "enough" });
  hang.release();
  await Promise.all([first, third]);
  await conn.query("e");
  await conn.close();
  expect(database.calls).toEqual(["query a", "query c", "query e"]);
  await done();
});
