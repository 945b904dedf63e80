import { expect, test } from "vitest";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import type { PoolWarning } from "../../../packages/forebay/src/pool/warnings.ts";
import { SteadyClock } from "../../../packages/forebay/src/pool/steady-clock.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { type PoolBench, poolBench } from "../../support/pool.ts";
import { closedBy, fill, script, take, takeOne, watch } from "./steps.ts";

function stalling(options: PoolOptions): PoolBench & { readonly warnings: PoolWarning[] } {
  const warnings: PoolWarning[] = [];
  const onWarning = (warning: PoolWarning) => {
    warnings.push(warning);
  };
  return { ...poolBench({ onWarning, ...options }), warnings };
}

test("after a stall, only those are turned away whose time was up when it began", async () => {
  const bench = stalling({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  const lease = await takeOne(bench);
  const first = watch(bench.pool.acquire());
  await bench.advance(50);
  const others = [1, 2, 3].map(() => watch(bench.pool.acquire()));
  bench.clock.stall(60_000);
  await bench.clock.advance(0);
  expect(first.reason).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 100 });
  expect(others.map(({ state }) => state)).toEqual(["pending", "pending", "pending"]);
  expect(bench.warnings).toMatchObject([{ kind: "stall", durationMs: 59_950 }]);
  expect(bench.warnings[0]?.message).toContain("the event loop stood still for 59950ms");
  lease.release();
  await bench.clock.advance(0);
  expect(others[0]?.state).toBe("resolved");
  await bench.clock.advance(50);
  expect(others[1]?.reason).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 100 });
});

test("little of a stall counts as waiting, however far off the deadline is", async () => {
  const bench = stalling({ maxOpenConns: 1, acquireTimeoutMs: 10_000 });
  await takeOne(bench);
  // A timer that is there already must not hide the stall.
  bench.pool.setConnMaxIdleTimeMs(8000);
  await bench.advance(100);
  const acquire = watch(bench.pool.acquire());
  await bench.advance(1000);
  bench.clock.stall(60_000);
  await bench.clock.advance(0);
  await bench.clock.advance(10_000 - 1000 - 250 - 1);
  expect(acquire.state).toBe("pending");
  await bench.clock.advance(251);
  expect(acquire.reason).toMatchObject({ code: "POOL_TIMEOUT" });
});

test("a pool in which nobody waits sets no timer for a look at the clock", async () => {
  const bench = stalling({ connMaxLifetimeMs: 60_000, lifetimeJitterRatio: 0 });
  await fill(bench, 1);
  expect(bench.clock.nextTimerAtMs).toBe(60_000);
});

test("what came back during a stall serves who waits, before any deadline", async () => {
  const bench = stalling({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  const lease = await takeOne(bench);
  const acquire = watch(bench.pool.acquire());
  bench.clock.setTimer(500, () => lease.release());
  bench.clock.stall(800);
  await bench.clock.advance(0);
  expect(acquire.state).toBe("resolved");
});

test("after a stall, not all that is idle expires, but all of it is pinged", async () => {
  const bench = stalling({ connMaxLifetimeMs: 1000 });
  await fill(bench, 3);
  await bench.advance(400);
  bench.connector.script = script({ ping: (_, id) => (id === 2 ? { fail: "dead" } : "ok") });
  bench.clock.stall(3_600_000);
  await bench.clock.advance(0);
  expect(bench.pool.stats().pool.pingCount).toBe(3);
  expect(closedBy(bench)).toEqual({ lifetime: 1, "ping-failed": 1 });
  expect(bench.pool.stats().idle).toBe(1);
});

test("the pool's time never goes back, though a stall is found late", () => {
  const clock = new VirtualClock();
  const stalls: number[] = [];
  const steady = new SteadyClock(clock, (stalledMs) => stalls.push(stalledMs));
  steady.expectBy(100);
  clock.stall(1050);
  expect(steady.nowMs()).toBe(1050);
  clock.stall(1000);
  expect(steady.nowMs()).toBe(1050);
  expect(stalls).toEqual([1000]);
  clock.stall(5000);
  expect(steady.nowMs()).toBe(6050);
  steady.expectBy(6100);
  clock.stall(10_000);
  expect(steady.nowMs()).toBe(6100);
  expect(stalls).toEqual([1000, 9950]);
});

test("a closed pool finds no stall", async () => {
  const bench = stalling({ connMaxLifetimeMs: 1000 });
  const [lease] = await take(bench, 2);
  bench.pool.tryAcquire();
  await fill(bench, 1);
  const closed = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  await bench.advance(0);
  expect(closed.state).toBe("resolved");
  bench.clock.stall(60_000);
  lease?.discard();
  bench.pool.closeIdle();
  await bench.advance(0);
  expect(bench.warnings).toEqual([]);
});

test("whoever is told of a stall may close the pool", async () => {
  const bench: PoolBench = poolBench({
    maxOpenConns: 1,
    acquireTimeoutMs: 100,
    onWarning: () => void bench.pool.close(),
  });
  const lease = await takeOne(bench);
  const first = watch(bench.pool.acquire());
  bench.clock.stall(5000);
  const second = watch(bench.pool.acquire());
  await bench.clock.advance(0);
  expect(first.reason).toMatchObject({ code: "POOL_CLOSED" });
  expect(second.reason).toMatchObject({ code: "POOL_CLOSED" });
  lease.release();
  await bench.clock.advance(0);
  expect(bench.connector.closed).toBe(true);
});

test("a stall right after a stall turns nobody away either", async () => {
  const bench = stalling({ maxOpenConns: 1 });
  await takeOne(bench);
  const controller = new AbortController();
  const early = bench.pool.bulkhead("early");
  watch(early.acquire({ deadlineAtMs: 50, signal: controller.signal }));
  const [first, second] = [100, 200].map((deadlineAtMs) =>
    watch(bench.pool.acquire({ deadlineAtMs })),
  );
  controller.abort();
  // The pool need not wake before the next deadline now, but its timer still does.
  bench.pool.setMaxWaiters(10);
  bench.clock.stall(5000);
  await bench.clock.advance(0);
  bench.clock.stall(5000);
  await bench.clock.advance(0);
  expect(bench.warnings).toMatchObject([{ durationMs: 4950 }, { durationMs: 4950 }]);
  expect(first?.reason).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 100 });
  expect(second?.state).toBe("pending");
  await bench.clock.advance(100);
  expect(second?.reason).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 200 });
});
