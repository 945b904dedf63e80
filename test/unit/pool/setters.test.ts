import { expect, test } from "vitest";
import type { Pool } from "../../../packages/forebay/src/pool/pool.ts";
import { coreOf } from "../../../packages/forebay/src/pool/pool.ts";
import type { FakeConn } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, fill, poolErrorOf, queue, script, take, takeOne, watch } from "./steps.ts";

type Setter = (pool: Pool<FakeConn>, value: unknown) => void;

const SETTERS: readonly (readonly [string, unknown, Setter])[] = [
  ["maxOpenConns", 0, (pool, value) => pool.setMaxOpenConns(value as number)],
  ["maxIdleConns", -1, (pool, value) => pool.setMaxIdleConns(value as number)],
  ["minIdleConns", Infinity, (pool, value) => pool.setMinIdleConns(value as number)],
  ["connMaxLifetimeMs", 0, (pool, value) => pool.setConnMaxLifetimeMs(value as number)],
  ["connMaxIdleTimeMs", "1", (pool, value) => pool.setConnMaxIdleTimeMs(value as number)],
  ["acquireTimeoutMs", NaN, (pool, value) => pool.setAcquireTimeoutMs(value as number)],
  ["maxWaiters", 0.5, (pool, value) => pool.setMaxWaiters(value as number)],
  ["maxDialing", 0, (pool, value) => pool.setMaxDialing(value as number)],
  ["idleOrder", "random", (pool, value) => pool.setIdleOrder(value as "lifo")],
  ["waiterOrder", undefined, (pool, value) => pool.setWaiterOrder(value as "fifo")],
];

test.each(SETTERS)("the setter of %s throws on %s, and changes nothing", (option, bad, set) => {
  const { pool } = poolBench();
  const before = coreOf(pool).limits;
  const invalid = { code: "OPTION_INVALID", message: expect.stringContaining(`${option} must be`) };
  expect(() => set(pool, bad)).toThrow(expect.objectContaining(invalid));
  expect(coreOf(pool).limits).toEqual(before);
});

test("a raised maxOpenConns serves who waits without any other event", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  await takeOne(bench);
  const waiters = Array.from({ length: 4 }, () => watch(bench.pool.acquire()));
  await bench.advance(1000);
  bench.pool.setMaxOpenConns(4);
  expect(bench.connector.dialing).toBe(3);
  await bench.advance(0);
  expect(waiters.map(({ state }) => state)).toEqual([
    "resolved",
    "resolved",
    "resolved",
    "pending",
  ]);
  bench.pool.setMaxOpenConns(Infinity);
  await bench.advance(0);
  expect(waiters[3]?.state).toBe("resolved");
});

test("a newcomer does not pass who waits for a raised limit's dial", async () => {
  const bench = poolBench({ maxOpenConns: 1 }, script({ connect: () => ({ afterMs: 10 }) }));
  const holder = bench.pool.acquire();
  await bench.advance(10);
  const served: string[] = [];
  queue(bench, served, "waiter");
  bench.pool.setMaxOpenConns(2);
  queue(bench, served, "newcomer");
  await bench.advance(10);
  expect(served).toEqual(["waiter"]);
  (await holder).release();
  await bench.advance(0);
  expect(served).toEqual(["waiter", "newcomer"]);
});

test("a lowered maxOpenConns closes now what is idle beyond it, the oldest first", async () => {
  const bench = poolBench();
  const conns = await fill(bench, 4);
  bench.pool.setMaxOpenConns(2);
  expect(conns.map((conn) => conn.isClosing)).toEqual([true, true, false, false]);
  expect(bench.pool.stats()).toMatchObject({ maxOpenConnections: 2, idle: 2, maxIdleClosed: 2 });
});

test("a lowered maxOpenConns counts what is in use, and closes idle ones for it", async () => {
  const bench = poolBench();
  const leases = await take(bench, 4);
  leases[0]?.release();
  leases[1]?.release();
  bench.pool.setMaxOpenConns(3);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, openConnections: 3, maxIdleClosed: 0 });
  expect(closedBy(bench)).toEqual({ "open-limit": 1 });
});

test("a lowered maxOpenConns closes what is in use only when it comes back", async () => {
  const bench = poolBench();
  const leases = await take(bench, 4);
  bench.pool.setMaxOpenConns(2);
  await bench.advance(1000);
  expect(leases.map((lease) => lease.conn.isClosing)).toEqual([false, false, false, false]);
  expect(bench.pool.stats()).toMatchObject({ maxOpenConnections: 2, openConnections: 4 });
  for (const lease of leases) lease.release();
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 2, openConnections: 2 });
  expect(closedBy(bench)).toEqual({ "open-limit": 2 });
});

test("surplus is closed when it comes back, and who waits gets the next", async () => {
  const bench = poolBench({ maxOpenConns: 2 });
  const [first, second] = await take(bench, 2);
  const waiter = watch(bench.pool.acquire());
  bench.pool.setMaxOpenConns(1);
  first?.release();
  await bench.advance(0);
  expect(waiter.state).toBe("pending");
  second?.release();
  await bench.advance(0);
  expect(waiter.value?.conn.id).toBe(2);
  expect(bench.pool.stats().openConnections).toBe(1);
});

test("a lowered maxOpenConns lets dials under way end, and closes those beyond it", async () => {
  const bench = poolBench({ maxOpenConns: 3 }, script({ connect: () => ({ afterMs: 10 }) }));
  const waiters = Array.from({ length: 3 }, () => watch(bench.pool.acquire()));
  bench.pool.setMaxOpenConns(1);
  await bench.advance(10);
  expect(waiters.map(({ state }) => state)).toEqual(["resolved", "pending", "pending"]);
  expect(bench.pool.stats().openConnections).toBe(1);
  expect(closedBy(bench)).toEqual({ "open-limit": 2 });
});

test("a limit that is raised again keeps what has not been closed", async () => {
  const bench = poolBench();
  await fill(bench, 4);
  bench.pool.setMaxOpenConns(2);
  bench.pool.setMaxOpenConns(10);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 2, openConnections: 2 });
  await fill(bench, 4);
  expect(bench.pool.stats().idle).toBe(4);
});

test("a lowered maxIdleConns closes those idle longest, now", async () => {
  const bench = poolBench();
  const conns = await fill(bench, 4);
  bench.pool.setMaxIdleConns(1);
  expect(conns.map((conn) => conn.isClosing)).toEqual([true, true, true, false]);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, maxIdleClosed: 3 });
  bench.pool.setMaxIdleConns(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxIdleClosed: 4 });
});

test("a raised maxIdleConns keeps more from then on", async () => {
  const bench = poolBench({ maxIdleConns: 1 });
  const leases = await take(bench, 3);
  bench.pool.setMaxIdleConns(2);
  for (const lease of leases) lease.release();
  expect(bench.pool.stats()).toMatchObject({ idle: 2, maxIdleClosed: 1 });
});

test("a raised minIdleConns is opened in the background, if the limits let it", async () => {
  const bench = poolBench({ maxOpenConns: 3, maxIdleConns: 2 });
  bench.pool.setMinIdleConns(100);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 2, openConnections: 2 });
  bench.pool.setMaxIdleConns(Infinity);
  await bench.advance(0);
  expect(bench.pool.stats().idle).toBe(3);
});

test("a lowered minIdleConns lets the idle time take what it had spared", async () => {
  const bench = poolBench({ minIdleConns: 2, connMaxIdleTimeMs: 100 });
  await bench.advance(1000);
  expect(bench.pool.stats().idle).toBe(2);
  bench.pool.setMinIdleConns(0);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxIdleTimeClosed: 2 });
});

test("a shorter lifetime counts for connections that are idle already", async () => {
  const bench = poolBench({ random: { next: () => 0 } });
  await fill(bench, 2);
  await bench.advance(500);
  bench.pool.setConnMaxLifetimeMs(600);
  await bench.advance(99);
  expect(bench.pool.stats().idle).toBe(2);
  await bench.advance(1);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxLifetimeClosed: 2 });
});

test("a lifetime that has passed already closes at once", async () => {
  const bench = poolBench();
  await fill(bench, 2);
  const holder = await takeOne(bench);
  await bench.advance(500);
  bench.pool.setConnMaxLifetimeMs(100);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxLifetimeClosed: 1 });
  holder.release();
  expect(bench.pool.stats().maxLifetimeClosed).toBe(2);
});

test("a longer lifetime counts for connections that are idle already", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 600 });
  await fill(bench, 1);
  bench.pool.setConnMaxLifetimeMs(Infinity);
  await bench.advance(10_000);
  expect(bench.pool.stats().idle).toBe(1);
});

test("a changed idle time counts for connections that are idle already", async () => {
  const bench = poolBench({ connMaxIdleTimeMs: 1000 });
  await fill(bench, 1);
  bench.pool.setConnMaxIdleTimeMs(Infinity);
  await bench.advance(5000);
  expect(bench.pool.stats().idle).toBe(1);
  bench.pool.setConnMaxIdleTimeMs(6000);
  await bench.advance(999);
  expect(bench.pool.stats().idle).toBe(1);
  await bench.advance(1);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxIdleTimeClosed: 1 });
});

test("a changed acquire timeout counts for acquires that begin after it", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  await takeOne(bench);
  const before = watch(bench.pool.acquire());
  bench.pool.setAcquireTimeoutMs(10);
  const after = watch(bench.pool.acquire());
  await bench.advance(10);
  expect([before.state, after.state]).toEqual(["pending", "rejected"]);
  await bench.advance(90);
  expect(before.state).toBe("rejected");
});

test("a lowered maxWaiters turns nobody away, and a raised one lets more wait", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const waiters = [watch(bench.pool.acquire()), watch(bench.pool.acquire())];
  bench.pool.setMaxWaiters(1);
  expect((await poolErrorOf(bench.pool.acquire())).code).toBe("POOL_QUEUE_FULL");
  expect(waiters.map(({ state }) => state)).toEqual(["pending", "pending"]);
  bench.pool.setMaxWaiters(3);
  watch(bench.pool.acquire());
  expect(bench.pool.stats().pool.waiting).toBe(3);
  holder.release();
});

test("a raised maxDialing dials at once for who waits", async () => {
  const bench = poolBench({ maxDialing: 1 }, script({ connect: () => ({ afterMs: 10 }) }));
  for (let count = 0; count < 5; count++) watch(bench.pool.acquire());
  expect(bench.connector.dialing).toBe(1);
  bench.pool.setMaxDialing(3);
  expect(bench.connector.dialing).toBe(3);
});

test("a lowered maxDialing lets dials under way end, and begins fewer", async () => {
  const bench = poolBench({ maxDialing: 4 }, script({ connect: () => ({ afterMs: 10 }) }));
  for (let count = 0; count < 6; count++) watch(bench.pool.acquire());
  bench.pool.setMaxDialing(1);
  expect(bench.connector.dialing).toBe(4);
  await bench.advance(10);
  expect(bench.connector.dialing).toBe(1);
});

test("a changed idle order counts for the next acquire", async () => {
  const bench = poolBench({ idleOrder: "lifo" });
  await fill(bench, 3);
  bench.pool.setIdleOrder("fifo");
  expect((await takeOne(bench)).conn.id).toBe(1);
  bench.pool.setIdleOrder("lifo");
  expect((await takeOne(bench)).conn.id).toBe(3);
});

test("setters of a closed pool check their value, and open nothing", async () => {
  const bench = poolBench();
  await bench.pool.close();
  bench.pool.setMinIdleConns(5);
  bench.pool.setMaxOpenConns(50);
  bench.pool.setWaiterOrder("random");
  await bench.advance(1000);
  expect(bench.connector.dialCount).toBe(0);
  expect(() => bench.pool.setMaxOpenConns(0)).toThrow("maxOpenConns must be");
});
