import { expect, test } from "vitest";
import { sqlBench } from "../../support/fake-database.ts";

test("a bulkhead has the calls of the DB, on no more connections than its share", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 3 });
  const reports = db.bulkhead("reports", { maxInUse: 1 });
  const hang = database.hangNext("query");
  const first = reports.query("SELECT 1");
  await hang.reached;
  const second = reports.exec("DELETE");
  await db.exec("UPDATE");
  expect(database.calls).toEqual(["query SELECT 1", "query UPDATE"]);
  expect(reports.stats()).toMatchObject({ name: "reports", inUse: 1, waiting: 1, waitCount: 1 });
  hang.release();
  await Promise.all([first, second]);
  expect(database.calls.at(-1)).toBe("query DELETE");
  await done();
});

test("transactions, sessions, statements and rows count against its share", async () => {
  const { db, done } = sqlBench();
  const reports = db.bulkhead("reports");
  await reports.transaction(async () => {
    expect(reports.stats().inUse).toBe(1);
  });
  await reports.withConn(async () => {
    expect(reports.stats().inUse).toBe(1);
  });
  await using stmt = await reports.prepare("SELECT 1");
  await stmt.query();
  for await (const _row of reports.rows("SELECT 1")) expect(reports.stats().inUse).toBe(1);
  await reports.ping();
  expect(reports.stats()).toMatchObject({ inUse: 0, acquireCount: 6 });
  await done();
});

test("the same name is the same bulkhead; its limits can be changed", async () => {
  const { db, done } = sqlBench();
  const reports = db.bulkhead("reports", { maxInUse: 1 });
  expect(db.bulkhead("reports", { priority: 3 })).toBe(reports);
  reports.configure({ maxInUse: 2 });
  expect(reports.name).toBe("reports");
  expect(reports.stats()).toMatchObject({ maxInUse: 2, priority: 3 });
  expect(() => db.bulkhead("reports", { reserved: 5 })).toThrow("OPTION_INVALID");
  await done();
});

test("a DB is warmed up, reset, suspended, resumed and changed as its pool is", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 4 });
  await db.warmUp(3);
  expect(database.openCount).toBe(3);
  db.reset();
  await db.exec("UPDATE");
  expect(database.conns.length).toBe(4);
  db.suspend();
  const waiting = db.exec("DELETE");
  expect(db.stats().pool).toMatchObject({ isSuspended: true, waiting: 1 });
  db.resume();
  await waiting;
  db.configure({ maxOpenConns: 2, maxIdleConns: 1 });
  expect(db.stats().maxOpenConnections).toBe(2);
  expect(db.histograms().hold.count).toBe(2);
  await done();
});

test("a call on the DB within a transaction that took the last connection is refused", async () => {
  const { db, done } = sqlBench({ maxOpenConns: 1, nestedAcquire: "reject" });
  const nested = db.transaction(async () => db.exec("UPDATE"));
  await expect(nested).rejects.toMatchObject({ code: "POOL_NESTED_ACQUIRE" });
  const held = db.withConn(async () => db.exec("UPDATE"));
  await expect(held).rejects.toMatchObject({ code: "POOL_NESTED_ACQUIRE" });
  await db.transaction(async (tx) => tx.exec("UPDATE"));
  await done();
});

test("every call waits for a beforeAcquire hook, and gets another where it refuses", async () => {
  const refused: number[] = [];
  const { db, database, clock, done } = sqlBench({
    hooks: {
      beforeAcquire: (conn) => {
        const { id } = conn as unknown as { id: number };
        if (id > 1) return true;
        refused.push(id);
        return false;
      },
    },
  });
  const call = db.exec("UPDATE");
  // A new connection that is refused is no better than a failed dial: the next comes after a pause.
  await clock.advance(50);
  await call;
  expect(refused).toEqual([1]);
  expect(database.log).toEqual(["2 query UPDATE"]);
  await done();
});
