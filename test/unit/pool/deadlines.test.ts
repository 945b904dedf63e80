import { expect, test } from "vitest";
import { poolBench } from "../../support/pool.ts";
import { poolErrorOf, queue, script, takeOne, watch } from "./steps.ts";

test("an acquire is given up exactly acquireTimeoutMs after it began", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  await bench.advance(99);
  expect(waiter.state).toBe("pending");
  await bench.advance(1);
  expect(waiter.reason).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 100 });
  expect(bench.pool.stats().pool).toMatchObject({ waiting: 0, timeoutCount: 1 });
});

test("the deadline is absolute: failed dials and pauses do not put it off", async () => {
  const bench = poolBench(
    { acquireTimeoutMs: 300 },
    script({ connect: () => ({ fail: new Error("refused"), afterMs: 40 }) }),
  );
  const waiter = watch(bench.pool.acquire());
  await bench.advance(299);
  expect(waiter.state).toBe("pending");
  expect(bench.connector.dialCount).toBeGreaterThan(1);
  await bench.advance(1);
  expect(waiter.reason).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 300 });
});

test("an explicit deadline on the pool's clock replaces the timeout", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  await takeOne(bench);
  await bench.advance(1000);
  expect(bench.pool.acquireDeadlineAtMs()).toBe(1100);
  const sooner = watch(bench.pool.acquire({ deadlineAtMs: 1030 }));
  const later = watch(bench.pool.acquire({ deadlineAtMs: 1500 }));
  const never = watch(bench.pool.acquire({ deadlineAtMs: Infinity }));
  const usual = watch(bench.pool.acquire({ deadlineAtMs: undefined }));
  const states = () => [sooner, later, never, usual].map(({ state }) => state);
  await bench.advance(29);
  expect(states()).toEqual(["pending", "pending", "pending", "pending"]);
  await bench.advance(1);
  expect(states()).toEqual(["rejected", "pending", "pending", "pending"]);
  await bench.advance(70);
  expect(states()).toEqual(["rejected", "pending", "pending", "rejected"]);
  await bench.advance(399);
  expect(later.state).toBe("pending");
  await bench.advance(1);
  expect(states()).toEqual(["rejected", "rejected", "pending", "rejected"]);
});

test("one deadline can span several acquires", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  const deadlineAtMs = bench.pool.acquireDeadlineAtMs();
  const lease = await takeOne(bench);
  await bench.advance(60);
  const second = watch(bench.pool.acquire({ deadlineAtMs }));
  await bench.advance(40);
  expect(second.reason).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 40 });
  lease.release();
});

test("a deadline that has passed lets a caller have what is idle, or nothing", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const lease = await takeOne(bench);
  await bench.advance(1000);
  const error = poolErrorOf(bench.pool.acquire({ deadlineAtMs: 10 }));
  await bench.advance(0);
  expect(await error).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 0 });
  lease.release();
  expect((await bench.pool.acquire({ deadlineAtMs: 10 })).conn.id).toBe(1);
});

test("without a timeout an acquire waits for ever, and without a timer", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: Infinity });
  const holder = await takeOne(bench);
  expect(bench.pool.acquireDeadlineAtMs()).toBe(Infinity);
  const waiter = watch(bench.pool.acquire());
  expect(bench.clock.pendingTimerCount).toBe(0);
  await bench.advance(1e9);
  expect(waiter.state).toBe("pending");
  holder.release();
  await bench.advance(0);
  expect(waiter.state).toBe("resolved");
});

test("a fraction of a millisecond is a timeout too", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 0.5 });
  const holder = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  await bench.advance(0.4);
  expect(waiter.state).toBe("pending");
  await bench.advance(0.1);
  expect(waiter.reason).toMatchObject({ code: "POOL_TIMEOUT" });
  holder.release();
});

test("only those are given up whose time has come, and the others are served", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  const holder = await takeOne(bench);
  const served: string[] = [];
  queue(bench, served, "a");
  await bench.advance(50);
  queue(bench, served, "b");
  await bench.advance(50);
  expect(served).toEqual(["a rejected"]);
  holder.release();
  await bench.advance(0);
  expect(served).toEqual(["a rejected", "b"]);
});

test("a waiter that is behind, and has less time, is given up first", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  await takeOne(bench);
  const served: string[] = [];
  queue(bench, served, "patient", { deadlineAtMs: 500 });
  queue(bench, served, "hasty", { deadlineAtMs: 5 });
  queue(bench, served, "middling", { deadlineAtMs: 50 });
  await bench.advance(50);
  expect(served).toEqual(["hasty rejected", "middling rejected"]);
  await bench.advance(450);
  expect(served).toEqual(["hasty rejected", "middling rejected", "patient rejected"]);
});

test("time spent on a dial counts, and the dial goes on without the caller", async () => {
  const bench = poolBench({ acquireTimeoutMs: 100 }, script({ connect: () => ({ afterMs: 150 }) }));
  const waiter = watch(bench.pool.acquire());
  await bench.advance(100);
  expect(waiter.reason).toMatchObject({ code: "POOL_TIMEOUT", phase: "connect" });
  await bench.advance(50);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { dialCount: 1 } });
});

test("an answer that arrived in time comes before a deadline of the same stall", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  const holder = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  // The timer fires; what was read from sockets meanwhile is handled before the pool looks at
  // deadlines.
  const afterIo = bench.clock.afterIo.bind(bench.clock);
  bench.clock.afterIo = (run) => {
    holder.release();
    afterIo(run);
  };
  await bench.advance(100);
  expect(waiter.state).toBe("resolved");
});

test("a waiter that is served leaves a timer that does nothing", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  const holder = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  holder.release();
  await bench.advance(200);
  expect(waiter.state).toBe("resolved");
  expect(bench.clock.pendingTimerCount).toBe(0);
  expect(bench.pool.stats().pool.timeoutCount).toBe(0);
});
