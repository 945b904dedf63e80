import { expect, test } from "vitest";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import type { Random } from "../../../packages/forebay/src/base/random.ts";
import { expiresAtMs, idleDueAtMs } from "../../../packages/forebay/src/pool/expiry.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";
import { Slot } from "../../../packages/forebay/src/pool/state.ts";
import { poolBench } from "../../support/pool.ts";
import { coreOf, kindsOf, lease, now } from "./core-steps.ts";
import { closedBy, fill, take, takeOne, watch } from "./steps.ts";

/** Random numbers one after the other; then 0. */
function sequence(...numbers: number[]): Random {
  return { next: () => numbers.shift() ?? 0 };
}

test("an idle connection is closed when its lifetime ends, and not before", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 1000, random: sequence(0) });
  await fill(bench, 1);
  await bench.advance(999);
  expect(bench.pool.stats().idle).toBe(1);
  await bench.advance(1);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, maxLifetimeClosed: 1 });
  expect(closedBy(bench)).toEqual({ lifetime: 1 });
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("each connection expires up to a tenth earlier, by a share of its own", async () => {
  const random = sequence(0, 0.5, 0.999);
  const bench = poolBench({ connMaxLifetimeMs: 1000, random });
  const conns = await fill(bench, 3);
  const gone = () => conns.map((conn) => conn.isClosing);
  await bench.advance(900);
  expect(gone()).toEqual([false, false, false]);
  await bench.advance(1);
  expect(gone()).toEqual([false, false, true]);
  await bench.advance(48);
  expect(gone()).toEqual([false, false, true]);
  await bench.advance(1);
  expect(gone()).toEqual([false, true, true]);
  await bench.advance(50);
  expect(gone()).toEqual([true, true, true]);
});

test("the share is not drawn anew by looking, by use or by a change of the limit", async () => {
  let draws = 0;
  const random: Random = {
    next: () => {
      draws += 1;
      return draws === 1 ? 0.2 : 0.99;
    },
  };
  const bench = poolBench({ connMaxLifetimeMs: 1000, random });
  await fill(bench, 1);
  for (let round = 0; round < 97; round++) {
    await bench.advance(10);
    (await takeOne(bench)).release();
    bench.pool.setConnMaxLifetimeMs(1000);
  }
  // At 970 of 980.
  expect(bench.pool.stats()).toMatchObject({ idle: 1, maxLifetimeClosed: 0 });
  await bench.advance(10);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxLifetimeClosed: 1 });
  expect(draws).toBe(1);
});

test("a connection in use is never closed for its age, but when it comes back", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 1000 });
  const lease = await takeOne(bench);
  await bench.advance(5000);
  expect(lease.conn.isClosing).toBe(false);
  lease.release();
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxLifetimeClosed: 1 });
});

test("a connection that comes back at the very end of its lifetime is too old", async () => {
  for (const [usedMs, maxLifetimeClosed] of [
    [999, 0],
    [1000, 1],
  ] as const) {
    const bench = poolBench({ connMaxLifetimeMs: 1000, random: sequence(0) });
    const lease = await takeOne(bench);
    await bench.advance(usedMs);
    lease.release();
    expect(bench.pool.stats()).toMatchObject({ maxLifetimeClosed });
  }
});

test("a connection that comes back too old is not given to who waits; a new one is", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 1000, maxOpenConns: 1 });
  const lease = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  await bench.advance(1000);
  lease.release();
  await bench.advance(0);
  expect(waiter.value?.conn.id).toBe(2);
  expect(closedBy(bench)).toEqual({ lifetime: 1 });
});

test("an idle connection whose time came during a stall is not handed out", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 1000 });
  const conns = await fill(bench, 2);
  const now = bench.clock.nowMs.bind(bench.clock);
  bench.clock.nowMs = () => (now() + 1000) as MonotonicMs;
  const late = watch(bench.pool.acquire());
  expect(bench.pool.tryAcquire()).toBeUndefined();
  bench.clock.nowMs = now;
  await bench.advance(0);
  expect(late.value?.conn.id).toBe(3);
  expect(conns.every((conn) => conn.isClosing)).toBe(true);
  expect(closedBy(bench)).toEqual({ lifetime: 2 });
});

test("a lifetime that ends before the idle time counts as lifetime, and the reverse", async () => {
  const random = sequence(0, 0, 0, 0);
  const byAge = poolBench({ connMaxLifetimeMs: 100, connMaxIdleTimeMs: 101, random });
  await fill(byAge, 1);
  await byAge.advance(200);
  expect(closedBy(byAge)).toEqual({ lifetime: 1 });
  const byIdleness = poolBench({ connMaxLifetimeMs: 101, connMaxIdleTimeMs: 100, random });
  await fill(byIdleness, 1);
  await byIdleness.advance(200);
  expect(closedBy(byIdleness)).toEqual({ "idle-time": 1 });
});

test("age counts from the end of the dial", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 1000, random: sequence(0) }, (call) =>
    call === "connect" ? { afterMs: 500 } : "ok",
  );
  const acquire = bench.pool.acquire();
  await bench.advance(500);
  (await acquire).release();
  await bench.advance(999);
  expect(bench.pool.stats().idle).toBe(1);
  await bench.advance(1);
  expect(bench.pool.stats().idle).toBe(0);
});

test("without a lifetime a connection never expires", async () => {
  const bench = poolBench({ connMaxLifetimeMs: Infinity });
  await fill(bench, 1);
  await bench.advance(1e12);
  expect((await take(bench, 1))[0]?.conn.id).toBe(1);
});

test("expiry is reckoned from the slot and the limits alone", () => {
  const slot = new Slot(1, 50 as MonotonicMs, 0.5, 0);
  slot.openedAtMs = 100 as MonotonicMs;
  slot.idleSinceMs = 400 as MonotonicMs;
  const { limits } = resolveOptions({ connMaxLifetimeMs: 1000, connMaxIdleTimeMs: 30 }, "fake");
  expect(expiresAtMs(slot, limits)).toBe(1050);
  expect(idleDueAtMs(slot, limits)).toBe(430);
  const unlimited = { ...limits, connMaxLifetimeMs: Infinity, connMaxIdleTimeMs: Infinity };
  expect(expiresAtMs(slot, unlimited)).toBe(Infinity);
  expect(idleDueAtMs(slot, unlimited)).toBe(Infinity);
});

test("without jitter, what was opened together is too old together", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 100, lifetimeJitterRatio: 0 });
  await fill(bench, 3);
  await bench.advance(99);
  expect(bench.pool.stats().idle).toBe(3);
  await bench.advance(1);
  expect(bench.pool.stats().idle).toBe(0);
});

test("where the one used last is too old, the one used before it is handed out", () => {
  const core = coreOf({ connMaxLifetimeMs: 100, lifetimeJitterRatio: 0, idleOrder: "lifo" });
  const old = lease(core, 0);
  const young = lease(core, 50);
  core.release(young, 1, "fit", now(60));
  core.release(old, 1, "fit", now(70));
  expect(core.acquireIdle(core.lanes.main, now(120))).toBe(young);
  expect([old.kind, kindsOf(core)]).toEqual(["closing", ["close"]]);
});
