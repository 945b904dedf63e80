import { expect, test } from "vitest";
import { poolBench } from "../../support/pool.ts";
import { coreOf, kindsOf, lease, now } from "./core-steps.ts";
import { poolErrorOf, script, take, takeOne, watch } from "./steps.ts";

const slowDial = script({ connect: () => ({ afterMs: 10 }) });

test("warmUp resolves when so many are open, in use or idle", async () => {
  const bench = poolBench({ maxOpenConns: 5, maxDialing: 2 }, slowDial);
  const warm = watch(bench.pool.warmUp(3));
  await bench.advance(10);
  expect(warm.state).toBe("pending");
  const lease = bench.pool.tryAcquire();
  await bench.advance(10);
  expect(warm.state).toBe("resolved");
  expect(bench.connector.dialCount).toBe(3);
  lease?.release();
  await bench.advance(100);
  expect(bench.pool.stats().idle).toBe(3);
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("warmUp resolves at once where enough are open, or none is wanted", async () => {
  const bench = poolBench({ maxOpenConns: 5 });
  await bench.pool.warmUp(0);
  await take(bench, 2);
  await bench.pool.warmUp(2);
  expect(bench.connector.dialCount).toBe(2);
});

test("several warm-ups at once each end with their own count", async () => {
  const bench = poolBench({ maxOpenConns: 5, maxDialing: 1 }, slowDial);
  const ended: number[] = [];
  for (const count of [3, 1, 2]) void bench.pool.warmUp(count).then(() => ended.push(count));
  await bench.advance(100);
  expect(ended).toEqual([1, 2, 3]);
  expect(bench.connector.dialCount).toBe(3);
});

test("warmUp gives up after acquireTimeoutMs, and nothing more is opened for it", async () => {
  const bench = poolBench(
    { acquireTimeoutMs: 30, maxDialing: 1 },
    script({ connect: (_, id) => (id === 1 ? "ok" : { fail: new Error("refused") }) }),
  );
  const error = poolErrorOf(bench.pool.warmUp(2));
  await bench.advance(30);
  expect(await error).toMatchObject({ code: "POOL_TIMEOUT", waitedMs: 30 });
  const { dialCount } = bench.connector;
  await bench.advance(10_000);
  expect(bench.connector.dialCount).toBe(dialCount);
});

test("warmUp ends with its signal's reason, and leaves no listener", async () => {
  const bench = poolBench({}, slowDial);
  const controller = new AbortController();
  const warm = watch(bench.pool.warmUp(3, { signal: controller.signal }));
  await bench.advance(1);
  controller.abort("enough");
  await bench.advance(0);
  expect(warm.reason).toBe("enough");
  const late = watch(bench.pool.warmUp(1, { signal: controller.signal }));
  await bench.advance(0);
  expect(late.reason).toBe("enough");
});

test("warmUp is told when the pool closes, and of a closed pool", async () => {
  const bench = poolBench({}, slowDial);
  const warm = watch(bench.pool.warmUp(3));
  const closed = watch(bench.pool.close());
  await bench.advance(0);
  expect(warm.reason).toMatchObject({ code: "POOL_CLOSED" });
  expect(closed.state).toBe("resolved");
  await bench.advance(10);
  expect(bench.clock.pendingTimerCount).toBe(0);
  expect((await poolErrorOf(bench.pool.warmUp(1))).code).toBe("POOL_CLOSED");
});

test("warmUp is told at once where trying again cannot help", async () => {
  const bench = poolBench({}, script({ connect: () => ({ fail: new Error("wrong password") }) }));
  bench.connector.mayRetry = false;
  const error = await poolErrorOf(bench.pool.warmUp(1));
  expect(error).toMatchObject({ code: "CONNECT_FAILED" });
  expect(error.message).toContain("wrong password");
});

test.each([-1, 1.5, 4, Number.NaN])("a warmUp to %d is refused", (count) => {
  const { pool } = poolBench({ maxOpenConns: 5, maxIdleConns: 3 });
  expect(() => pool.warmUp(count)).toThrow(
    "the count of warmUp must be a whole number from 0 to 3",
  );
});

test("a suspended pool serves nobody, whatever is idle, and all of them when resumed", async () => {
  const bench = poolBench({ maxOpenConns: 2 });
  const lease = await takeOne(bench);
  bench.pool.suspend();
  bench.pool.suspend();
  lease.release();
  expect(bench.pool.tryAcquire()).toBeUndefined();
  const seen = [1, 2].map(() => watch(bench.pool.acquire({ deadlineAtMs: 50 })));
  const late = watch(bench.pool.acquire({ deadlineAtMs: 10 }));
  await bench.advance(10);
  expect(late.reason).toMatchObject({ code: "POOL_TIMEOUT" });
  expect((late.reason as Error).message).toContain("suspended until resume() is called");
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { waiting: 2, isSuspended: true } });
  bench.pool.resume();
  bench.pool.resume();
  await bench.advance(0);
  expect(seen.map(({ state }) => state)).toEqual(["resolved", "resolved"]);
  expect(bench.pool.stats().pool.isSuspended).toBe(false);
});

test("who waits for resume is not told of a hopeless dial while one is idle", async () => {
  const bench = poolBench({ minIdleConns: 1 });
  await bench.advance(0);
  bench.connector.script = script({ connect: () => ({ fail: new Error("wrong password") }) });
  bench.connector.mayRetry = false;
  bench.pool.suspend();
  const acquire = watch(bench.pool.acquire());
  bench.pool.setMinIdleConns(2);
  await bench.advance(1);
  expect(bench.pool.stats().pool).toMatchObject({ dialErrorCount: 1, waiting: 1 });
  bench.pool.resume();
  await bench.advance(0);
  expect(acquire.state).toBe("resolved");
});

test("reset replaces what is idle at once, what is in use or being opened afterwards", async () => {
  const bench = poolBench({ maxOpenConns: 3 }, slowDial);
  const acquires = [1, 2].map(() => bench.pool.acquire());
  await bench.advance(10);
  const [held, idle] = await Promise.all(acquires);
  idle?.release();
  const dialing = watch(bench.pool.acquire());
  const waiting = watch(bench.pool.acquire());
  expect(dialing.state).toBe("pending");
  await bench.advance(5);
  bench.pool.reset();
  await bench.advance(5);
  expect(waiting.state).toBe("pending");
  await bench.advance(10);
  expect(waiting.value?.conn.id).toBeGreaterThan(3);
  held?.release();
  await bench.advance(0);
  expect(bench.pool.stats().pool.closedBy.reset).toBeGreaterThanOrEqual(2);
  const closed = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  bench.pool.reset();
  await bench.advance(10);
  expect(closed.state).toBe("resolved");
});

test("for what is closed at its return another is opened at once, not when it is gone", () => {
  const core = coreOf({ maxOpenConns: 3, connMaxLifetimeMs: 100, lifetimeJitterRatio: 0 });
  const slot = lease(core);
  core.warmTo(2, now(99));
  expect(kindsOf(core)).toEqual(["dial"]);
  core.release(slot, 1, "fit", now(100));
  expect(kindsOf(core)).toEqual(["close", "dial"]);
});
