// When drivers, hooks, options or the clock misbehave.

import { expect, test, vi } from "vitest";
import {
  type Clock,
  type MonotonicMs,
  TIMER_DELAY_MAX_MS,
} from "../../../packages/forebay/src/base/clock.ts";
import { DialBackoff } from "../../../packages/forebay/src/pool/backoff.ts";
import type { Lease } from "../../../packages/forebay/src/pool/lease.ts";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { Pool } from "../../../packages/forebay/src/pool/pool.ts";
import { FakeConnector } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, poolErrorOf, poolOf, reports, script, takeOne, watch } from "./steps.ts";

const at = (ms: number) => ms as MonotonicMs;

test("close leaves no timer behind when it ends a reset that hangs", async () => {
  const { list, onBackgroundError } = reports();
  const bench = poolBench({ onBackgroundError }, script({ resetSession: () => "never" }));
  const lease = await takeOne(bench);
  lease.release();
  const closing = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  await bench.advance(1);
  expect(closing.state).toBe("resolved");
  expect(bench.clock.pendingTimerCount).toBe(0);
  await bench.advance(10_000);
  expect(list).toEqual([]);
});

test("close ends although the connector's own close hangs", async () => {
  const { list, onBackgroundError } = reports();
  const { pool, clock } = poolOf(
    () => Promise.reject(new Error("not dialed")),
    { onBackgroundError },
    { close: () => new Promise(() => undefined) },
  );
  const closing = watch(pool.close());
  await clock.advance(60_000);
  expect(closing.state).toBe("resolved");
  expect(list).toMatchObject([{ task: "close", error: { code: "DRIVER_TIMEOUT" } }]);
});

test("a deadline that is not a number is refused", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  await takeOne(bench);
  const ask = async () => bench.pool.acquire({ deadlineAtMs: Number.NaN });
  const nonsense = watch(ask());
  await bench.clock.advance(60_000);
  expect(nonsense).toMatchObject({ state: "rejected", reason: { family: "usage" } });
});

test("an acquire whose clean-up lets another connection come back gets that one", async () => {
  const held: Lease<{ close: () => void }>[] = [];
  const { pool, clock } = poolOf(() => Promise.resolve({ close: () => held.pop()?.release() }), {
    maxOpenConns: 2,
    connMaxLifetimeMs: 1000,
  });
  const older = pool.acquire();
  await clock.advance(500);
  const younger = pool.acquire();
  await clock.advance(0);
  held.push(await younger);
  (await older).release();
  const stalled = watch(stall(clock, 600, () => pool.acquire()));
  await clock.advance(0);
  expect(stalled).toMatchObject({ state: "resolved", reason: undefined });
});

test("an acquire whose clean-up aborts its own signal is rejected with the reason", async () => {
  const controller = new AbortController();
  const { pool, clock } = poolOf(() => Promise.resolve({ close: () => controller.abort("gone") }), {
    maxOpenConns: 1,
    connMaxLifetimeMs: 1000,
  });
  const first = pool.acquire();
  await clock.advance(0);
  (await first).release();
  const { signal } = controller;
  const stalled = watch(stall(clock, 1000, () => pool.acquire({ signal })));
  await clock.advance(0);
  expect(stalled).toMatchObject({ state: "rejected", reason: "gone" });
});

test("dials under way at the same time that fail at once count as one round", async () => {
  const bench = poolBench(
    { maxOpenConns: 4, maxDialing: 4, random: { next: () => 0 } },
    script({ connect: () => ({ fail: new Error("refused") }) }),
  );
  const waiters = Array.from({ length: 4 }, () => watch(bench.pool.acquire()));
  await bench.advance(0);
  expect(bench.connector.dialCount).toBe(4);
  await bench.advance(25);
  expect(bench.connector.dialCount).toBe(5);
  expect(waiters.every(({ state }) => state === "pending")).toBe(true);
});

test("after a success, an old dial that fails is not remembered without a pause", () => {
  const backoff = new DialBackoff({ next: () => 0 });
  backoff.noteFailure(at(0), new Error("first"), at(3));
  backoff.reset();
  backoff.noteFailure(at(0), new Error("late"), at(6));
  expect(backoff.isFailing).toBe(backoff.lastError !== undefined);
});

test("a session whose reset throws at once is counted as reset-failed", async () => {
  const bench = poolBench(
    {},
    script({
      resetSession: () => {
        throw new Error("no reset");
      },
    }),
  );
  (await takeOne(bench)).release();
  await bench.advance(0);
  expect(closedBy(bench)).toEqual({ "reset-failed": 1 });
});

test("a lease comes back although onBackgroundError throws, which is a warning", async () => {
  const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
  const bench = poolBench(
    {
      maxOpenConns: 1,
      onBackgroundError: () => {
        throw new Error("the logger is broken");
      },
    },
    script({
      isValid: () => {
        throw new Error("the driver is broken");
      },
    }),
  );
  const lease = await takeOne(bench);
  lease.release();
  expect(warn.mock.calls).toMatchObject([[{ message: "the logger is broken" }]]);
  await bench.advance(0);
  expect(bench.pool.stats().pool.leased).toBe(0);
});

test("an option that is not a function, a clock or a name where one is wanted is refused", () => {
  const connector = new FakeConnector(new VirtualClock());
  for (const options of [
    { onBackgroundError: "log" },
    { clock: {} },
    { random: Math.random },
    { name: 7 },
  ]) {
    const make = () => new Pool(connector, options as unknown as PoolOptions);
    const [option = ""] = Object.keys(options);
    expect(make).toThrow(option);
  }
});

test("no timer is asked for that is longer than a clock takes", async () => {
  const asked: number[] = [];
  const clock = recordingClock(asked);
  const bench = poolBench({
    maxOpenConns: 1,
    clock,
    dialTimeoutMs: Infinity,
    connMaxLifetimeMs: 40 * 86_400_000,
    acquireTimeoutMs: 40 * 86_400_000,
  });
  const acquire = bench.pool.acquire();
  await clock.settle();
  (await acquire).release();
  expect(asked.filter((delayMs) => delayMs > TIMER_DELAY_MAX_MS)).toEqual([]);
});

test("a dial without a limit of time is not given up after the longest timer", async () => {
  const clock = new ClampingClock();
  const connector = new FakeConnector(clock, script({ connect: () => "never" }));
  const pool = new Pool(connector, { clock, dialTimeoutMs: Infinity, acquireTimeoutMs: Infinity });
  let aborted = false;
  connector.onDialAborted = () => {
    aborted = true;
  };
  const waiter = watch(pool.acquire());
  await clock.advance(30 * 86_400_000);
  expect({ aborted, state: waiter.state }).toEqual({ aborted: false, state: "pending" });
});

test("where a place is being checked or closed, the advice blames no holder", async () => {
  const bench = poolBench(
    { maxOpenConns: 1, acquireTimeoutMs: 50 },
    script({ resetSession: () => "never", close: () => "never" }),
  );
  (await takeOne(bench)).release();
  const checking = poolErrorOf(bench.pool.acquire());
  await bench.advance(50);
  expect((await checking).message).not.toContain("All connections are in use");
  expect((await checking).message).toContain("1 checking");
});

test("the advice of POOL_QUEUE_FULL is two sentences", async () => {
  const bench = poolBench({ maxOpenConns: 1, maxWaiters: 0 });
  await takeOne(bench);
  const { message } = await poolErrorOf(bench.pool.acquire());
  expect(message).toContain("before raising maxOpenConns. Shed load, or raise maxWaiters");
});

/**
 * Asks for something at a moment `byMs` later than the clock's timers know of, as after a stall of
 * the event loop.
 */
async function stall<T>(clock: VirtualClock, byMs: number, ask: () => Promise<T>): Promise<T> {
  const now = clock.nowMs.bind(clock);
  clock.nowMs = () => at(now() + byMs);
  try {
    return await ask();
  } finally {
    clock.nowMs = now;
  }
}

/** A virtual clock that notes how long its timers were asked to take. */
function recordingClock(asked: number[]): VirtualClock {
  const clock = new VirtualClock();
  const setTimer = clock.setTimer.bind(clock);
  clock.setTimer = (delayMs, fire) => {
    asked.push(delayMs);
    return setTimer(delayMs, fire);
  };
  return clock;
}

/** A virtual clock whose timers take no more than those of the process do. */
class ClampingClock extends VirtualClock {
  override setTimer(delayMs: number, fire: () => void): ReturnType<Clock["setTimer"]> {
    return super.setTimer(Math.min(delayMs, TIMER_DELAY_MAX_MS), fire);
  }
}
