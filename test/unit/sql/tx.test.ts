import { expect, test } from "vitest";
import { ForebayError } from "../../../packages/forebay/src/base/errors.ts";
import type { Querier } from "../../../packages/forebay/src/sql/types.ts";
import { outcome, rejection, sqlBench } from "../../support/fake-database.ts";

const TX_DONE = { code: "TX_DONE", family: "operating", retryable: false };

test("commit ends a transaction, and gives the connection back", async () => {
  const { db, database, leased, done } = sqlBench();
  const tx = await db.begin({ isolation: "serializable", readOnly: true });
  expect(await tx.query("a")).toMatchObject({ rows: [{ n: 1 }] });
  expect(await tx.queryRow("b")).toEqual({ n: 1 });
  expect(await tx.exec("c")).toEqual({ rowsAffected: 1, command: "SELECT" });
  expect(leased()).toBe(1);
  await tx.commit();
  expect(leased()).toBe(0);
  expect(database.log).toEqual([
    "1 begin serializable read only",
    "1 query a",
    "1 query b",
    "1 query c",
    "1 commit",
  ]);
  await done();
});

test("rollback ends a transaction, and gives the connection back", async () => {
  const { db, database, leased, done } = sqlBench();
  const tx = await db.begin();
  await tx.rollback();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["begin", "rollback"]);
  expect(database.openCount).toBe(1);
  await done();
});

for (const end of ["commit", "rollback"] as const) {
  test(`after ${end} every call rejects with TX_DONE, before the driver`, async () => {
    const { db, database, done } = sqlBench();
    const tx = await db.begin();
    const unread = tx.rows("r");
    const stmt = await tx.prepare("p");
    await tx[end]();
    database.log.length = 0;
    const calls = [
      () => tx.query("a"),
      () => tx.queryRow("a"),
      () => tx.exec("a"),
      () => tx.rows("a").next(),
      () => unread.next(),
      () => tx.prepare("a"),
      () => tx.stmt(stmt).query(),
      () => tx.transaction(async () => undefined),
      () => tx.raw(() => undefined),
      () => tx.commit(),
      () => tx.rollback(),
    ];
    for (const call of calls) expect(await rejection(call())).toMatchObject(TX_DONE);
    await tx[Symbol.asyncDispose]();
    expect(database.log).toEqual([]);
    await done();
  });
}

test("a begin that fails gives the connection back, and its error", async () => {
  const { db, database, leased, done } = sqlBench();
  const refused = new Error("no such isolation");
  database.failNext("begin", refused);
  expect(await rejection(db.begin())).toBe(refused);
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(1);
  await done();
});

test("calls made at the same time go out one by one, in order, and the commit last", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const hang = database.hangNext("query");
  const work = [tx.query("a"), tx.exec("b"), tx.query("c"), tx.commit()];
  expect(await rejection(tx.query("too late"))).toMatchObject(TX_DONE);
  await hang.reached;
  expect(database.calls).toEqual(["begin", "query a"]);
  hang.release();
  await Promise.all(work);
  expect(database.calls).toEqual(["begin", "query a", "query b", "query c", "commit"]);
  await done();
});

test("rollback waits for the call in flight, and those behind it are not made", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const hang = database.hangNext("query");
  const first = tx.query("a");
  const second = outcome(tx.query("b"));
  await hang.reached;
  const rolledBack = tx.rollback();
  hang.release();
  await Promise.all([first, rolledBack]);
  expect(await second).toMatchObject({ error: TX_DONE });
  expect(database.calls).toEqual(["begin", "query a", "rollback"]);
  await done();
});

test("a failed statement leaves the transaction to its caller", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const violation = new Error("duplicate key");
  database.failNext("query", violation);
  expect(await rejection(tx.exec("a"))).toBe(violation);
  await tx.exec("b");
  await tx.commit();
  expect(database.calls).toEqual(["begin", "query a", "query b", "commit"]);
  await done();
});

test("a statement's own signal aborts that statement, and not the transaction", async () => {
  const { db, database, abortable, done } = sqlBench();
  const [whole, own] = [abortable(), abortable()];
  const tx = await db.begin({ signal: whole.signal });
  const hang = database.hangNext("query");
  const running = outcome(tx.query("a", [], { signal: own.signal }));
  const queued = outcome(tx.query("b", [], { signal: own.signal }));
  const other = tx.query("c");
  await hang.reached;
  own.abort("enough");
  expect(await running).toEqual({ error: "enough" });
  expect(await queued).toEqual({ error: "enough" });
  expect(await rejection(tx.query("d", [], { signal: own.signal }))).toBe("enough");
  await other;
  await tx.commit();
  expect(database.calls).toEqual(["begin", "query a", "query c", "commit"]);
  hang.release();
  await done();
});

test("the transaction's signal reaches a statement that has its own too", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  const [whole, own] = [abortable(), abortable()];
  const tx = await db.begin({ signal: whole.signal });
  await tx.query("a", [], { signal: own.signal });
  const hang = database.hangNext("query");
  const running = outcome(tx.query("b", [], { signal: own.signal }));
  await hang.reached;
  whole.abort("enough");
  expect(await running).toEqual({ error: "enough" });
  await clock.settle();
  expect(database.calls).toEqual(["begin", "query a", "query b", "rollback"]);
  hang.release();
  await done();
});

test("an abort stops the statement in flight, drops those queued, and rolls back", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  const hang = database.hangNext("query");
  const running = outcome(tx.query("a"));
  const queued = outcome(tx.query("b"));
  await hang.reached;
  const reason = new Error("enough");
  controller.abort(reason);
  expect((await running).error).toBe(reason);
  expect((await queued).error).toBe(reason);
  await clock.settle();
  expect(database.calls).toEqual(["begin", "query a", "rollback"]);
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(1);
  hang.release();
  await done();
});

test("after an abort calls reject with its reason, and rollback waits for its end", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  const hang = database.hangNext("rollback");
  controller.abort("enough");
  expect(await rejection(tx.query("a"))).toBe("enough");
  expect(await rejection(tx.rows("a").next())).toBe("enough");
  expect(await rejection(tx.commit())).toBe("enough");
  const ended: string[] = [];
  const rolledBack = tx.rollback().then(() => ended.push("rollback"));
  const disposed = tx[Symbol.asyncDispose]().then(() => ended.push("disposal"));
  await hang.reached;
  await clock.settle();
  expect(ended).toEqual([]);
  hang.release();
  await Promise.all([rolledBack, disposed]);
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["begin", "rollback"]);
  await done();
});

test("an abort in the middle of begin rolls back what may have begun", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  const hang = database.hangNext("begin");
  const beginning = outcome(db.begin({ signal: controller.signal }));
  await hang.reached;
  controller.abort("enough");
  expect(await beginning).toEqual({ error: "enough" });
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["begin", "rollback"]);
  hang.release();
  await done();
});

test("an abort that comes as begin succeeds rejects with the reason, and rolls back", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  await db.ping();
  const conn = database.conns[0];
  if (conn !== undefined) {
    const begin = conn.begin.bind(conn);
    conn.begin = async (how) => {
      await begin(how);
      controller.abort("enough");
    };
  }
  expect(await rejection(db.begin({ signal: controller.signal }))).toBe("enough");
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["ping", "begin", "rollback"]);
  await done();
});

test("an abort after the end changes nothing", async () => {
  const { db, database, abortable, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  await tx.commit();
  controller.abort("late");
  expect(await rejection(tx.query("a"))).toMatchObject(TX_DONE);
  expect(database.calls).toEqual(["begin", "commit"]);
  await done();
});

test("an abort during the commit is left to the driver, whose error tells", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  await db.ping();
  const hang = database.hangNext("commit");
  const stuck = database.hangNext("rollback");
  const committing = outcome(tx.commit());
  await hang.reached;
  expect(await rejection(tx.rollback())).toMatchObject(TX_DONE);
  controller.abort("enough");
  expect(await committing).toMatchObject({ error: { code: "OUTCOME_UNKNOWN", cause: "enough" } });
  stuck.release();
  await clock.settle();
  expect(database.log).toEqual(["1 begin", "2 ping", "1 commit", "1 rollback"]);
  expect(await rejection(tx.query("a"))).toMatchObject(TX_DONE);
  hang.release();
  await done();
});

test("a commit that the server answered by rolling back keeps the connection", async () => {
  const { db, database, leased, done } = sqlBench();
  database.canReset = true;
  const tx = await db.begin();
  const rolledBack = new ForebayError("operating", "COMMIT_ROLLED_BACK", "rolled back", {
    retryable: false,
  });
  const conn = database.conns[0];
  if (conn !== undefined) {
    conn.commit = async () => {
      conn.isInTx = false;
      throw rolledBack;
    };
  }
  expect(await rejection(tx.commit())).toBe(rolledBack);
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["begin"]);
  expect(await rejection(tx.query("a"))).toMatchObject(TX_DONE);
  await done();
});

test("a commit that fails is followed by a rollback before its error is given", async () => {
  const { db, database, leased, done } = sqlBench();
  database.canReset = false;
  const tx = await db.begin();
  const busy = new Error("database is locked");
  database.failNext("commit", busy);
  expect(await rejection(tx.commit())).toBe(busy);
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["begin", "commit", "rollback"]);
  expect(database.openCount).toBe(1);
  expect(await rejection(tx.rollback())).toMatchObject({ ...TX_DONE, cause: busy });
  await done();
});

test("a rollback that fails costs the connection, and its error is given", async () => {
  const { db, database, leased, done } = sqlBench();
  const tx = await db.begin();
  const lost = new Error("connection lost");
  database.failNext("rollback", lost);
  expect(await rejection(tx.rollback())).toBe(lost);
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(0);
  await done();
});

test("a rollback after an abort that does not end in time costs the connection", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench({ resetTimeoutMs: 1000 });
  const controller = abortable();
  await db.begin({ signal: controller.signal });
  const hang = database.hangNext("rollback");
  controller.abort("enough");
  await hang.reached;
  await clock.advance(999);
  expect(leased()).toBe(1);
  await clock.advance(1);
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(0);
  await done();
});

test("calls made by others who listen to the same signal reject with its reason too", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  const controller = abortable();
  const calls: Promise<unknown>[] = [];
  controller.signal.addEventListener("abort", () => calls.push(rejection(tx.query("a"))), {
    once: true,
  });
  const tx = await db.begin({ signal: controller.signal });
  controller.abort("enough");
  expect(await Promise.all(calls)).toEqual(["enough"]);
  await clock.settle();
  expect(database.calls).toEqual(["begin", "rollback"]);
  await done();
});

test("a failing rollback after an abort costs the connection; calls keep the reason", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  database.failNext("rollback", new Error("connection lost"));
  controller.abort("enough");
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(0);
  expect(await rejection(tx.query("a"))).toBe("enough");
  await done();
});

test("disposal rolls back what is open, and does nothing after the end", async () => {
  const { db, database, leased, done } = sqlBench();
  const tx = await db.begin();
  await tx[Symbol.asyncDispose]();
  await tx[Symbol.asyncDispose]();
  expect(database.calls).toEqual(["begin", "rollback"]);
  expect(leased()).toBe(0);
  await done();
});

test("raw gives the driver's connection; a throw in it passes through", async () => {
  const { db, database, leased, done } = sqlBench();
  const tx = await db.begin();
  const query = tx.query("a");
  expect(await tx.raw((conn) => conn.id)).toBe(1);
  await query;
  const mistake = new Error("in raw");
  const failing = outcome(
    tx.raw(() => {
      throw mistake;
    }),
  );
  const queued = tx.query("b");
  expect((await failing).error).toBe(mistake);
  await queued;
  await tx.commit();
  expect(database.calls).toEqual(["begin", "query a", "query b", "commit"]);
  expect(leased()).toBe(0);
  await done();
});

test("one function serves a DB, a Conn and a Tx", async () => {
  const { db, database, done } = sqlBench();
  const insert = (on: Querier) => on.transaction(async (tx) => tx.exec("a"));
  await insert(db);
  await db.withConn(insert);
  await db.transaction(insert);
  expect(database.calls.filter((call) => call === "query a")).toHaveLength(3);
  await done();
});
