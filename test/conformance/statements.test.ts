import { expect, test } from "vitest";
import { atOnce, connOf, killAll, openIdle, outcome, rejection, sqlBench } from "./support.ts";

const STMT_CLOSED = { code: "STMT_CLOSED" };
const TX_DONE = { code: "TX_DONE" };

function countOf(calls: readonly string[], call: string): number {
  return calls.filter((each) => each === call).length;
}

test("TestStatementErrorAfterClose: a closed statement refuses every call", async () => {
  const { db, database, done } = sqlBench();
  const stmt = await db.prepare("p");
  await stmt.close();
  database.log.length = 0;
  const calls = [
    () => stmt.query(),
    () => stmt.queryRow(),
    () => stmt.exec(),
    () => stmt.rows().next(),
  ];
  for (const call of calls) expect(await rejection(call())).toMatchObject(STMT_CLOSED);
  expect(database.log).toEqual([]);
  await done();
});

test("TestStatementClose: close resolves; the next prepare frees the driver's part", async () => {
  const { db, database, done } = sqlBench();
  const stmt = await db.prepare("p");
  const held = database.hangNext("stmt.close");
  await stmt.close();
  expect([...connOf(database, 1).prepared]).toEqual(["p"]);
  const next = db.prepare("q");
  await held.reached;
  held.release();
  await next;
  expect([...connOf(database, 1).prepared]).toEqual(["q"]);
  await done();
});

test("TestStmtCloseOrder: a failed statement is never closed after its connection", async () => {
  const { db, database, clock, done } = sqlBench({ maxIdleConns: 0 });
  database.failNext("prepare", new Error("no such table"));
  await rejection(db.prepare("p"));
  const stmt = await db.prepare("p");
  database.failNext("prepare", new Error("no such table"));
  await rejection(stmt.query());
  await stmt.close();
  await clock.settle();
  expect(database.conns.every((conn) => conn.isClosed)).toBe(true);
  expect(database.violations).toEqual([]);
  await done();
});

test("TestStatementQueryRow: a statement gives the row of each of its arguments", async () => {
  const { db, database, done } = sqlBench();
  database.answer = (_sql, args) => ({ rows: [{ age: args[0] === "Alice" ? 1 : 2 }] });
  const stmt = await db.prepare("SELECT age FROM people WHERE name = $1");
  expect(await stmt.queryRow(["Alice"])).toEqual({ age: 1 });
  expect(await stmt.queryRow(["Bob"])).toEqual({ age: 2 });
  await done();
});

test("TestStatementQueryRowConcurrent: one statement serves many at once", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 4 });
  database.answer = (_sql, args) => ({ rows: [{ arg: args[0] }] });
  const stmt = await db.prepare("p");
  const rows = await atOnce(10, (n) => stmt.queryRow([n]));
  expect(rows).toEqual(Array.from({ length: 10 }, (_, n) => ({ arg: n })));
  expect(countOf(database.calls, "prepare p")).toBe(4);
  await done();
});

test("TestStmtCloseDeps: after a load a closed statement holds nothing", async () => {
  const bench = sqlBench({ maxOpenConns: 20, maxIdleConns: 5 });
  const { db, database, clock, done } = bench;
  const stmt = await db.prepare("p");
  for (let round = 0; round < 5; round++) await atOnce(50, () => stmt.query());
  await stmt.close();
  await clock.settle();
  expect(db.stats()).toMatchObject({ openConnections: 5, inUse: 0 });
  for (const conn of database.conns) expect(conn.prepared.size).toBeLessThanOrEqual(1);
  const conns = await atOnce(5, () => db.conn());
  for (const conn of conns) await (await conn.prepare("q")).close();
  for (const conn of conns) await conn.close();
  const left = database.conns.filter((conn) => !conn.isClosed);
  expect(left.map((conn) => [...conn.prepared])).toEqual(Array.from({ length: 5 }, () => ["q"]));
  await done();
});

test("TestIssue6081: of dead connections nothing is kept to use or to close", async () => {
  const bench = sqlBench({ maxOpenConns: 10 });
  const { db, database, done } = bench;
  await openIdle(bench, 10);
  const stmt = await db.prepare("p");
  await atOnce(10, () => stmt.query());
  killAll(database);
  database.log.length = 0;
  await stmt.query();
  await stmt.query();
  await stmt.close();
  await (await db.prepare("q")).close();
  expect(database.log).toEqual([
    "11 prepare p",
    "11 stmt.query p",
    "11 stmt.query p",
    "11 stmt.close p",
    "11 prepare q",
  ]);
  expect(db.stats().openConnections).toBe(1);
  await done();
});

test("TestBogusPreboundParameters: an error of prepare is told by prepare", async () => {
  const { db, database, leased, done } = sqlBench();
  const bogus = new Error("bogus conversion in the statement");
  for (const prepare of [
    () => db.prepare("p"),
    () => db.withConn((conn) => conn.prepare("p")),
    () => db.transaction((tx) => tx.prepare("p")),
  ]) {
    database.failNext("prepare", bogus);
    expect(await rejection(prepare())).toBe(bogus);
    expect(leased()).toBe(0);
  }
  await done();
});

test("TestTxPrepare: a statement of a transaction ends with its commit", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const stmt = await tx.prepare("p");
  expect(await stmt.queryRow()).toEqual({ n: 1 });
  await tx.commit();
  expect(await rejection(stmt.query())).toMatchObject(TX_DONE);
  await db.prepare("q");
  expect([...connOf(database, 1).prepared]).toEqual(["q"]);
  await done();
});

test("TestTxStmt: a statement of the DB runs in a transaction until its commit", async () => {
  const { db, database, done } = sqlBench();
  const stmt = await db.prepare("p");
  const tx = await db.begin();
  const inTx = tx.stmt(stmt);
  await inTx.exec();
  expect(database.log.at(-1)).toBe("1 stmt.query p");
  expect(connOf(database, 1).isInTx).toBe(true);
  await tx.commit();
  expect(await rejection(inTx.exec())).toMatchObject(TX_DONE);
  await stmt.exec();
  await done();
});

test("TestTxStmtPreparedOnce: what the connection knows is not prepared again", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  for (let n = 0; n < 3; n++) await db.transaction((tx) => tx.stmt(stmt).exec());
  await stmt.exec();
  expect(countOf(database.calls, "prepare p")).toBe(1);
  await done();
});

test("TestTxStmtClosedRePrepares: a closed statement is prepared afresh", async () => {
  const { db, database, leased, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  await stmt.close();
  database.log.length = 0;
  const tx = await db.begin();
  const bound = tx.stmt(stmt);
  await bound.exec();
  await bound.exec();
  await tx.commit();
  expect(database.calls).toEqual([
    "begin",
    "stmt.close p",
    "prepare p",
    "stmt.query p",
    "stmt.query p",
    "commit",
  ]);
  expect(await rejection(stmt.exec())).toMatchObject(STMT_CLOSED);
  expect(leased()).toBe(0);
  await done();
});

test("TestTxStmtFromTxStmtRePrepares: another's is prepared afresh", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const first = await db.begin();
  const stmt = await first.prepare("p");
  await first.stmt(stmt).exec();
  expect(countOf(database.calls, "prepare p")).toBe(1);
  await first.commit();
  const second = await db.begin();
  await second.stmt(stmt).exec();
  expect(countOf(database.calls, "prepare p")).toBe(2);
  expect(connOf(database, 1).isInTx).toBe(true);
  await second.commit();
  expect(await rejection(stmt.exec())).toMatchObject(TX_DONE);
  await done();
});

test("TestParentStmtOutlivesTxStmt: the end of a bound statement is its own", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  const tx = await db.begin();
  const bound = tx.stmt(stmt);
  await bound.exec();
  await bound.close();
  expect(await rejection(bound.exec())).toMatchObject(STMT_CLOSED);
  await tx.commit();
  await stmt.exec();
  expect(countOf(database.calls, "prepare p")).toBe(1);
  expect([...connOf(database, 1).prepared]).toEqual(["p"]);
  await done();
});

test("TestTxQuery: a query in a transaction runs on its connection", async () => {
  const { db, database, leased, done } = sqlBench();
  const tx = await db.begin();
  const seen: unknown[] = [];
  for await (const row of tx.rows("a")) seen.push(row);
  expect(seen).toHaveLength(3);
  await tx.exec("b");
  expect(leased()).toBe(1);
  await tx.commit();
  expect(new Set(database.log.map((line) => line.split(" ")[0]))).toEqual(new Set(["1"]));
  await done();
});

test("TestTxQueryInvalid: a query that fails leaves the transaction to its user", async () => {
  const { db, database, leased, done } = sqlBench();
  const tx = await db.begin();
  const missing = new Error("no such table");
  for (const call of ["query", "stream", "prepare"] as const) {
    database.failNext(call, missing);
    const make = {
      query: () => tx.query("a"),
      stream: () => tx.rows("a").next(),
      prepare: () => tx.prepare("a"),
    };
    expect(await rejection(make[call]())).toBe(missing);
  }
  await tx.exec("b");
  await tx.rollback();
  expect(leased()).toBe(0);
  await done();
});

test("TestTxRollbackCommitErr: what has ended says so, however it ended", async () => {
  const { db, database, done } = sqlBench();
  for (const end of ["commit", "rollback"] as const) {
    const tx = await db.begin();
    await tx[end]();
    database.log.length = 0;
    expect(await rejection(tx.commit())).toMatchObject(TX_DONE);
    expect(await rejection(tx.rollback())).toMatchObject(TX_DONE);
    expect(database.log).toEqual([]);
  }
  await done();
});

test("TestTxCannotCommitAfterRollback: after an abort nothing runs any more", async () => {
  const { db, database, clock, abortable, done } = sqlBench({ maxOpenConns: 1 });
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  await tx.exec("a");
  const hang = database.hangNext("rollback");
  controller.abort("enough");
  await hang.reached;
  const commit = outcome(tx.commit());
  const late = outcome(tx.exec("DELETE FROM users"));
  hang.release();
  expect(await commit).toEqual({ error: "enough" });
  expect(await late).toEqual({ error: "enough" });
  await clock.settle();
  expect(await rejection(tx.exec("DELETE FROM users"))).toBe("enough");
  expect(database.calls).toEqual(["begin", "query a", "rollback"]);
  await done();
});

test("TestTxStmtDeadlock: an abort at any moment of a prepare and its use ends both", async () => {
  for (const at of ["prepare", "stmt.query"] as const) {
    const { db, database, leased, clock, abortable, done } = sqlBench({ maxOpenConns: 1 });
    const controller = abortable();
    const tx = await db.begin({ signal: controller.signal });
    const hang = database.hangNext(at);
    const work = outcome(tx.prepare("p").then((stmt) => stmt.query()));
    const ended = outcome(hang.reached.then(() => controller.abort("enough")));
    expect(await work).toEqual({ error: "enough" });
    await ended;
    await outcome(tx.commit());
    await clock.settle();
    expect(leased()).toBe(0);
    await db.exec("next");
    await done();
  }
});

test("TestConnQuery: a session runs on one connection, until it is closed", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  await db.exec("elsewhere");
  database.log.length = 0;
  expect(await conn.queryRow("a")).toEqual({ n: 1 });
  await conn.exec("b");
  await conn.ping();
  expect(database.log).toEqual(["1 query a", "1 query b", "1 ping"]);
  await conn.close();
  expect(await rejection(conn.query("c"))).toMatchObject({ code: "CONN_DONE" });
  await done();
});

test("TestConnTx: a transaction on a session commits there, and the session goes on", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const tx = await conn.begin();
  await tx.exec("a");
  await tx.commit();
  await conn.exec("b");
  await conn.close();
  expect(database.log).toEqual(["1 begin", "1 query a", "1 commit", "1 query b"]);
  await done();
});

test("TestConnRaw: a throw passes through, and the driver judges the connection", async () => {
  const { db, database, leased, done } = sqlBench({ maxOpenConns: 1 });
  const thrown = new Error("thrown in raw");
  for (const isDead of [false, true]) {
    const conn = await db.conn();
    const raw = conn.raw((driver) => {
      driver.isDead = isDead;
      throw thrown;
    });
    expect(await rejection(raw)).toBe(thrown);
    await conn.close();
    expect([leased(), database.openCount]).toEqual([0, isDead ? 0 : 1]);
  }
  expect(await db.withConn((conn) => conn.raw((driver) => driver.id))).toBe(2);
  await done();
});

test("TestIssue20647: a statement of a session stays on that connection", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 3 });
  const conn = await db.conn();
  const stmt = await conn.prepare("p");
  await atOnce(10, (n) => (n % 2 === 0 ? stmt.query([n]) : db.exec("elsewhere")));
  const used = database.log.filter((line) => line.includes("stmt.query"));
  expect(used).toEqual(Array.from({ length: 5 }, () => "1 stmt.query p"));
  expect(countOf(database.calls, "prepare p")).toBe(1);
  await conn.close();
  expect(await rejection(stmt.query())).toMatchObject({ code: "CONN_DONE" });
  await done();
});
