// What surrounds a call: the asynchronous context of the caller, and whether the process is kept
// alive.

import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import type { Timer } from "../../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { Pool } from "../../../packages/forebay/src/pool/pool.ts";
import {
  FakeConnector,
  type FakeScript,
} from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { type PoolBench, poolBench } from "../../support/pool.ts";
import { poolOf, script, takeOne, watch } from "./steps.ts";

/** A virtual clock that knows which of its timers keep the process alive. */
class LifeClock extends VirtualClock {
  readonly #keeping = new Set<Timer>();

  get keepsAlive(): boolean {
    return this.#keeping.size > 0;
  }

  override setTimer(delayMs: number, fire: () => void): Timer {
    const timer = super.setTimer(delayMs, () => {
      this.#keeping.delete(kept);
      fire();
    });
    const kept: Timer = {
      cancel: () => {
        this.#keeping.delete(kept);
        timer.cancel();
      },
      keepAlive: (on) => {
        if (on) this.#keeping.add(kept);
        else this.#keeping.delete(kept);
      },
    };
    this.#keeping.add(kept);
    return kept;
  }
}

/** A pool on a clock that knows what keeps the process alive. */
function lifeBench(
  options: PoolOptions,
  script?: FakeScript,
): { readonly life: LifeClock; readonly bench: PoolBench } {
  const life = new LifeClock();
  const connector = new FakeConnector(life, script);
  const pool = new Pool(connector, {
    connMaxLifetimeMs: Infinity,
    connMaxIdleTimeMs: Infinity,
    acquireTimeoutMs: Infinity,
    clock: life,
    ...options,
  });
  const bench = { clock: life, connector, pool, advance: (byMs: number) => life.advance(byMs) };
  return { life, bench };
}

test("after the await, the caller's context is its own, whoever released or dialed", async () => {
  const context = new AsyncLocalStorage<string>();
  const bench = poolBench({ maxOpenConns: 1 }, script({ connect: () => ({ afterMs: 10 }) }));
  const seen: (string | undefined)[] = [];
  const request = (name: string) =>
    context.run(name, async () => {
      const lease = await bench.pool.acquire();
      seen.push(context.getStore());
      lease.release();
    });
  const requests = ["a", "b", "c"].map(request);
  await bench.advance(10);
  await Promise.all(requests);
  expect(seen).toEqual(["a", "b", "c"]);
});

test("a rejected caller's context is its own too", async () => {
  const context = new AsyncLocalStorage<string>();
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 10 });
  await takeOne(bench);
  const seen: unknown[] = [];
  const request = context.run("late", async () => {
    try {
      await bench.pool.acquire();
    } catch {
      seen.push(context.getStore());
    }
  });
  await bench.advance(10);
  await request;
  expect(seen).toEqual(["late"]);
});

test("the connector does not run in the context of the caller who caused the dial", async () => {
  const context = new AsyncLocalStorage<string>();
  const seen: string[] = [];
  const note = (what: string) => seen.push(`${what}: ${context.getStore() ?? "none"}`);
  let dials = 0;
  const { pool, clock } = poolOf<PooledConn>(
    async () => {
      note("connect");
      dials += 1;
      await Promise.resolve();
      note("connect goes on");
      if (dials === 1) throw new Error("refused");
      return { close: () => void note("close") };
    },
    { maxOpenConns: 1, acquireTimeoutMs: 1000 },
  );
  const acquire = context.run("request", () => pool.acquire());
  await clock.advance(0);
  // The second dial is the timer's; its release and the third are another request's.
  await clock.advance(100);
  const lease = await acquire;
  context.run("waiter", () => watch(pool.acquire()));
  context.run("releaser", () => lease.discard());
  await clock.advance(0);
  expect(seen).toEqual([
    "connect: none",
    "connect goes on: none",
    "connect: none",
    "connect goes on: none",
    "close: none",
    "connect: none",
    "connect goes on: none",
  ]);
});

test("a dial that a setter causes does not run in the operator's context", async () => {
  const context = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const { pool } = poolOf<PooledConn>(() => {
    seen.push(context.getStore());
    return Promise.resolve({ close: () => undefined });
  });
  context.run("operator", () => pool.setMinIdleConns(1));
  expect(seen).toEqual([undefined]);
});

test("the pool's timer keeps the process alive only while somebody waits", async () => {
  const { life, bench } = lifeBench({
    maxOpenConns: 1,
    connMaxLifetimeMs: 60_000,
    connMaxIdleTimeMs: 30_000,
    acquireTimeoutMs: 100,
  });
  const holder = await takeOne(bench);
  expect(life.keepsAlive).toBe(false);
  const waiter = watch(bench.pool.acquire());
  expect(life.keepsAlive).toBe(true);
  holder.release();
  expect(life.keepsAlive).toBe(false);
  await bench.advance(0);
  waiter.value?.release();
  expect(bench.pool.stats().idle).toBe(1);
  expect(life.pendingTimerCount).toBe(1);
  expect(life.keepsAlive).toBe(false);
});

test("a pool with idle connections and limits of time lets the process end", async () => {
  const { life, bench } = lifeBench({ connMaxLifetimeMs: 60_000, connMaxIdleTimeMs: 30_000 });
  (await takeOne(bench)).release();
  expect(life.pendingTimerCount).toBe(1);
  expect(life.keepsAlive).toBe(false);
  await bench.advance(20_000);
  expect(life.keepsAlive).toBe(false);
});

test("a timer set while nobody waited keeps the process alive once somebody does", async () => {
  const { life, bench } = lifeBench({
    maxOpenConns: 2,
    minIdleConns: 1,
    connMaxLifetimeMs: 1000,
    random: { next: () => 0 },
  });
  await bench.advance(0);
  const [first] = [await takeOne(bench), await takeOne(bench)];
  expect(life.keepsAlive).toBe(false);
  const controller = new AbortController();
  watch(bench.pool.acquire({ signal: controller.signal }));
  expect(life.keepsAlive).toBe(true);
  controller.abort();
  expect(life.keepsAlive).toBe(false);
  first?.release();
});

test("waiters that go by timeout let the process end", async () => {
  const { life, bench } = lifeBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  await takeOne(bench);
  watch(bench.pool.acquire());
  await bench.advance(50);
  watch(bench.pool.acquire());
  await bench.advance(50);
  expect(life.keepsAlive).toBe(true);
  await bench.advance(50);
  expect(life.keepsAlive).toBe(false);
  expect(life.pendingTimerCount).toBe(0);
});

test("a dial for minIdleConns does not keep the process alive by a timer", async () => {
  const { life, bench } = lifeBench({ minIdleConns: 1 }, script({ connect: () => "never" }));
  await bench.advance(1);
  expect(life.pendingTimerCount).toBe(1);
  expect(life.keepsAlive).toBe(false);
});

test("a pause after a failed dial keeps the process alive only for who waits", async () => {
  const refused = script({ connect: () => ({ fail: new Error("refused") }) });
  const background = lifeBench({ minIdleConns: 1 }, refused);
  await background.bench.advance(1);
  expect(background.life.pendingTimerCount).toBe(1);
  expect(background.life.keepsAlive).toBe(false);
  const awaited = lifeBench({}, refused);
  watch(awaited.bench.pool.acquire());
  await awaited.bench.advance(1);
  expect(awaited.life.keepsAlive).toBe(true);
});
