import { expect, test } from "vitest";
import { poolBench } from "../../support/pool.ts";
import { leaseOf, poolErrorOf, queue, take, takeOne, watch } from "./steps.ts";

test("a bulkhead uses no more than maxInUse, however much is idle", async () => {
  const bench = poolBench({ maxOpenConns: 4 });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 2 });
  const seen = [1, 2, 3].map(() => watch(reports.acquire()));
  await bench.advance(0);
  expect(seen.map(({ state }) => state)).toEqual(["resolved", "resolved", "pending"]);
  expect(reports.stats()).toMatchObject({ inUse: 2, waiting: 1, waitCount: 1, acquireCount: 2 });
  expect(bench.pool.stats().pool).toMatchObject({ leased: 2, dialing: 0 });
  const others = await take(bench, 2);
  expect(others).toHaveLength(2);
  leaseOf(seen[0] ?? watch(reports.acquire())).release();
  await bench.advance(0);
  expect(seen[2]?.state).toBe("resolved");
});

test("a bulkhead's own limit is a wait at the limit, a dial is none", async () => {
  const bench = poolBench({ maxOpenConns: 4 });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1 });
  watch(reports.acquire());
  expect(reports.stats().waitCount).toBe(0);
  watch(reports.acquire());
  expect(reports.stats().waitCount).toBe(1);
  await bench.advance(0);
});

test("what a bulkhead reserves is left to it by all others", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  const checkout = bench.pool.bulkhead("checkout", { reserved: 2 });
  const seen = [1, 2].map(() => watch(bench.pool.acquire()));
  await bench.advance(0);
  expect(seen.map(({ state }) => state)).toEqual(["resolved", "pending"]);
  const own = [1, 2].map(() => watch(checkout.acquire()));
  await bench.advance(0);
  expect(own.map(({ state }) => state)).toEqual(["resolved", "resolved"]);
  for (const each of own) leaseOf(each).release();
  await bench.advance(0);
  expect(seen[1]?.state).toBe("pending");
});

test("nothing is dialed that nobody may have", async () => {
  const bench = poolBench({ maxOpenConns: 3, maxIdleConns: 0 });
  bench.pool.bulkhead("checkout", { reserved: 2 });
  for (let count = 0; count < 5; count++) watch(bench.pool.acquire());
  await bench.advance(1000);
  expect(bench.connector.dialCount).toBe(1);
});

test("whoever waits with a higher priority is served first", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const served: string[] = [];
  const urgent = bench.pool.bulkhead("urgent", { priority: 5 });
  const late = bench.pool.bulkhead("late", { priority: -1 });
  const note = (name: string, acquire: Promise<{ release(): void }>) =>
    acquire.then((lease) => {
      served.push(name);
      lease.release();
    });
  const all = [
    note("late", late.acquire()),
    note("plain 1", bench.pool.acquire()),
    note("urgent 1", urgent.acquire()),
    note("plain 2", bench.pool.acquire()),
    note("urgent 2", urgent.acquire()),
  ];
  holder.release();
  await bench.advance(0);
  await Promise.all(all);
  expect(served).toEqual(["urgent 1", "urgent 2", "plain 1", "plain 2", "late"]);
});

test("among equals, who came first is served first, whatever the bulkhead", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const served: string[] = [];
  const other = bench.pool.bulkhead("other");
  queue(bench, served, "first");
  void other.acquire().then((lease) => {
    served.push("second");
    lease.release();
  });
  holder.release();
  await bench.advance(0);
  expect(served).toEqual(["first"]);
});

test("maxWaiting turns away the next, with the name of the bulkhead", async () => {
  const bench = poolBench({ maxOpenConns: 5 });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1, maxWaiting: 1 });
  watch(reports.acquire());
  watch(reports.acquire());
  const refused = await poolErrorOf(reports.acquire());
  expect(refused).toMatchObject({ code: "POOL_QUEUE_FULL", bulkhead: "reports" });
  expect(refused.message).toContain("test, reports: too many are waiting");
  expect(refused.message).toContain("raise maxWaiting");
  expect(reports.stats().queueFullCount).toBe(1);
  expect(bench.pool.stats().pool.queueFullCount).toBe(1);
  await bench.advance(0);
});

test("the same name is the same bulkhead, with its limits changed at once", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1, priority: 2 });
  const seen = [1, 2, 3].map(() => watch(reports.acquire()));
  await bench.advance(0);
  expect(seen.map(({ state }) => state)).toEqual(["resolved", "pending", "pending"]);
  expect(bench.pool.bulkhead("reports", { maxInUse: 2 })).toBe(reports);
  await bench.advance(0);
  expect(seen.map(({ state }) => state)).toEqual(["resolved", "resolved", "pending"]);
  reports.configure({ maxInUse: Infinity });
  await bench.advance(0);
  expect(seen[2]?.state).toBe("resolved");
  expect(reports.stats()).toMatchObject({ priority: 2, maxInUse: Infinity, reserved: 0 });
  expect(reports.name).toBe("reports");
});

test("tryAcquire of a bulkhead keeps to its limit", async () => {
  const bench = poolBench({ maxOpenConns: 2 });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1 });
  for (const lease of await take(bench, 2)) lease.release();
  const lease = reports.tryAcquire();
  expect(lease).toBeDefined();
  expect(reports.tryAcquire()).toBeUndefined();
  expect(bench.pool.tryAcquire()).toBeDefined();
  const used = watch(reports.use(async (conn) => conn.id));
  expect(used.state).toBe("pending");
  lease?.release();
  await bench.advance(0);
  expect(used.value).toBe(2);
});

test.each([
  [{ maxInUse: 0 }, "maxInUse must be a whole number from 1, or Infinity for what the pool has"],
  [{ reserved: -1 }, "reserved must be a whole number from 0"],
  [{ reserved: Infinity }, "reserved must be a whole number from 0"],
  [{ reserved: 3, maxInUse: 2 }, "reserved 3 can never be used with maxInUse 2"],
  [{ reserved: 10 }, "the bulkheads reserve 10 of 10 connections, which leaves none to all else"],
  [{ maxWaiting: 0.5 }, "maxWaiting must be a whole number from 0"],
  [{ priority: 1.5 }, "priority must be a whole number"],
  [{ size: 1 }, "no bulkhead limit is called size. Known: maxInUse, reserved, maxWaiting"],
])("a bulkhead with %o is refused", (limits: object, message) => {
  const { pool } = poolBench();
  expect(() => pool.bulkhead("reports", limits)).toThrow(message);
  expect(() => pool.bulkhead("", {})).toThrow("a bulkhead's name must be a string, not empty");
});

test("maxOpenConns cannot be lowered to what is reserved", () => {
  const { pool } = poolBench();
  pool.bulkhead("checkout", { reserved: 4 });
  expect(() => pool.setMaxOpenConns(4)).toThrow("the bulkheads reserve 4 of 4 connections");
  pool.setMaxOpenConns(5);
  expect(() => pool.bulkhead("other", { reserved: 1 })).toThrow("reserve 5 of 5 connections");
});

test("a reserve is served from free room, though others use too much", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  const others = await take(bench, 2);
  const checkout = bench.pool.bulkhead("checkout", { reserved: 2 });
  const seen = [1, 2].map(() => watch(checkout.acquire()));
  await bench.advance(0);
  expect(seen.map(({ state }) => state)).toEqual(["resolved", "pending"]);
  others[0]?.release();
  await bench.advance(0);
  expect(seen[1]?.state).toBe("resolved");
});

test("maxWaiters counts those who may not have what is reserved for others", async () => {
  const bench = poolBench({ maxOpenConns: 3, maxWaiters: 0 });
  bench.pool.bulkhead("checkout", { reserved: 2 });
  const [first] = await take(bench, 1);
  expect(await poolErrorOf(bench.pool.acquire())).toMatchObject({ code: "POOL_QUEUE_FULL" });
  first?.release();
  const seen = watch(bench.pool.bulkhead("checkout").acquire());
  await bench.advance(0);
  expect(seen.state).toBe("resolved");
});

test("maxWaiting counts those who may not have what is reserved for others", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  bench.pool.bulkhead("checkout", { reserved: 2 });
  const reports = bench.pool.bulkhead("reports", { maxWaiting: 0 });
  watch(reports.acquire());
  await bench.advance(0);
  expect(await poolErrorOf(reports.acquire())).toMatchObject({ code: "POOL_QUEUE_FULL" });
  bench.pool.suspend();
  expect(await poolErrorOf(reports.acquire())).toMatchObject({ code: "POOL_QUEUE_FULL" });
});

test("what was used by force counts no more against a bulkhead", async () => {
  const bench = poolBench({ maxOpenConns: 2 });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1 });
  const lease = watch(reports.acquire());
  await bench.advance(0);
  const closed = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  await bench.advance(0);
  expect(closed.state).toBe("resolved");
  expect(reports.stats().inUse).toBe(0);
  leaseOf(lease).release();
  expect(reports.stats().inUse).toBe(0);
});
