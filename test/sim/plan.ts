// What a simulated life is like: the pool's options, how often and in which way the driver and the
// hooks fail, how much happens.

import { type Random, randomBelow } from "../../packages/forebay/src/base/random.ts";
import type { PoolHooks } from "../../packages/forebay/src/pool/hooks.ts";
import type { BulkheadLimits } from "../../packages/forebay/src/pool/lanes.ts";
import type { PoolLimits, PoolOptions } from "../../packages/forebay/src/pool/options.ts";
import type { FakeOutcome, FakeScript } from "../../packages/forebay/src/testing/fake-connector.ts";

/** How often, from 0 to 1, each thing goes wrong. */
export interface Faults {
  readonly connectFails: number;
  readonly connectHangs: number;
  readonly invalid: number;
  readonly resetSlow: number;
  readonly resetFails: number;
  readonly resetHangs: number;
  readonly pingFails: number;
  readonly pingHangs: number;
  readonly closeFails: number;
  readonly closeHangs: number;
  readonly hookSlow: number;
  readonly hookRefuses: number;
  readonly hookFails: number;
  readonly hookHangs: number;
}

/** What is settled before a life begins, and what its judge must know. */
export interface Setting {
  /** Those that limit a time of the driver or of a hook must be given where they matter. */
  readonly options: PoolOptions;
  /** Which hooks there are. */
  readonly hooks: readonly (keyof PoolHooks)[];
  /** Whether the event loop stands still now and then. */
  readonly stalls: boolean;
  /** Whether the connector says that a failed dial may be tried again. */
  readonly mayRetry: boolean;
  /** Whether connections may be left at the server that the pool has given up closing. */
  readonly leavesRemains: boolean;
}

/** One random life. */
export interface Plan extends Setting {
  readonly faults: Faults;
  /** How many bulkheads there may be. */
  readonly bulkheadsMax: number;
  /** The longest that a call of the driver takes when it takes time. */
  readonly slowMsMax: number;
  readonly steps: number;
  readonly pauseMsMax: number;
  /** Whether the pool may be closed in the middle. */
  readonly mayClose: boolean;
}

/** Draws from a life's random numbers. */
export class Dice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** A whole number from 0, below `bound`. */
  below(bound: number): number {
    return randomBelow(this.#random, Math.max(1, bound));
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** True with this likelihood, from 0 to 1. */
  happens(rate: number): boolean {
    return rate > 0 && this.#random.next() < rate;
  }

  /** From 0 to `most`. */
  upTo(most: number): number {
    return this.#random.next() * most;
  }

  /** One of these; `undefined` where there is none. */
  anyOf<T>(from: readonly T[]): T | undefined {
    return from[this.below(from.length)];
  }

  /** One of these. */
  pick<T>(...from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }

  /** A rate of faults: none in a third of all lives, so that healthy stretches are seen too. */
  rate(most: number): number {
    return this.oneIn(3) ? 0 : this.upTo(most);
  }
}

const HOOKS = ["beforeConnect", "afterConnect", "beforeAcquire", "afterRelease", "beforeClose"];

/** Draws a life. */
export function drawPlan(dice: Dice): Plan {
  const leavesRemains = dice.oneIn(4);
  const hooks = dice.oneIn(3) ? HOOKS.filter(() => dice.oneIn(2)) : [];
  return {
    options: { ...drawLimits(dice), ...drawSettings(dice) },
    faults: drawFaults(dice, leavesRemains),
    hooks: hooks as (keyof PoolHooks)[],
    bulkheadsMax: dice.pick(0, 0, 1, 3),
    stalls: dice.oneIn(4),
    slowMsMax: dice.pick(1, 8, 30),
    steps: 20 + dice.below(60),
    pauseMsMax: dice.pick(2, 10, 40),
    mayRetry: !dice.oneIn(4),
    mayClose: dice.oneIn(3),
    leavesRemains,
  };
}

function drawLimits(dice: Dice): PoolOptions {
  const maxOpenConns = dice.pick(1, 1, 2, 3, 5, Infinity);
  // What the preset says for the rest: above all, random waiters, and dial errors that are told.
  if (dice.oneIn(12)) return { preset: "go", maxOpenConns };
  const maxIdleConns = dice.pick<number>(0, 1, 2, 5, Infinity, Infinity);
  return {
    maxOpenConns,
    maxIdleConns,
    minIdleConns: Math.min(dice.pick<number>(0, 0, 1, 2), maxOpenConns, maxIdleConns),
    connMaxLifetimeMs: dice.pick(Infinity, 20, 60, 200),
    lifetimeJitterRatio: dice.pick(0.1, 0, 1),
    connMaxIdleTimeMs: dice.pick(Infinity, 10, 50),
    acquireTimeoutMs: dice.pick(Infinity, 5, 20, 100),
    maxWaiters: dice.pick<number>(Infinity, Infinity, 0, 1, 4),
    maxDialing: dice.pick(1, 2, 4, Infinity),
    idleOrder: dice.pick("lifo", "fifo"),
    waiterOrder: dice.pick("fifo", "fifo", "random"),
    pingAfterIdleMs: dice.pick(Infinity, Infinity, 5, 30),
    keepaliveMs: dice.pick(Infinity, Infinity, 8, 40),
    dialErrors: dice.pick("wait", "wait", "wait", "reject"),
  };
}

function drawSettings(dice: Dice): PoolOptions {
  return {
    dialTimeoutMs: dice.pick(10, 50),
    resetTimeoutMs: 15,
    pingTimeoutMs: 12,
    hookTimeoutMs: 14,
    closeTimeoutMs: 40,
    shedding: dice.oneIn(4) ? { targetMs: 3, intervalMs: dice.pick(5, 20) } : undefined,
    leakAfterMs: dice.pick(Infinity, Infinity, 25),
    slowAcquireMs: dice.pick(Infinity, Infinity, 8),
    nestedAcquire: dice.pick("allow", "allow", "warn", "reject"),
  };
}

function drawFaults(dice: Dice, leavesRemains: boolean): Faults {
  return {
    connectFails: dice.rate(0.9),
    connectHangs: dice.rate(0.3),
    invalid: dice.rate(0.3),
    resetSlow: dice.rate(0.6),
    resetFails: dice.rate(0.3),
    resetHangs: dice.rate(0.2),
    pingFails: dice.rate(0.3),
    pingHangs: dice.rate(0.2),
    closeFails: dice.rate(0.3),
    closeHangs: leavesRemains ? dice.rate(0.3) : 0,
    hookSlow: dice.rate(0.8),
    hookRefuses: dice.rate(0.4),
    hookFails: dice.rate(0.3),
    hookHangs: dice.rate(0.5),
  };
}

/** Draws new values for some of the limits that may change during a life. */
export function drawChange(dice: Dice, reserved: number): Partial<PoolLimits> {
  const timeMs = () => (dice.oneIn(4) ? Infinity : 1 + dice.below(100));
  const draws: readonly (() => Partial<PoolLimits>)[] = [
    () => ({ maxOpenConns: reserved + 1 + dice.below(6) }),
    () => ({ maxIdleConns: dice.below(6) }),
    () => ({ minIdleConns: dice.below(3) }),
    () => ({ connMaxLifetimeMs: timeMs() }),
    () => ({ lifetimeJitterRatio: dice.upTo(1) }),
    () => ({ connMaxIdleTimeMs: timeMs() }),
    () => ({ acquireTimeoutMs: timeMs() }),
    () => ({ maxWaiters: dice.below(8) }),
    () => ({ maxDialing: 1 + dice.below(4) }),
    () => ({ idleOrder: dice.pick("lifo", "fifo") }),
    () => ({ waiterOrder: dice.pick("fifo", "fifo", "random") }),
    () => ({ pingAfterIdleMs: timeMs() }),
    () => ({ keepaliveMs: timeMs() }),
    () => ({ dialErrors: dice.pick("wait", "reject") }),
  ];
  let change: Partial<PoolLimits> = {};
  for (let count = dice.pick(1, 1, 3); count > 0; count--) {
    change = { ...change, ...dice.anyOf(draws)?.() };
  }
  return change;
}

/** Draws limits of a bulkhead, which may reserve so many at most. */
export function drawShare(dice: Dice, reservedMax: number): BulkheadLimits {
  const reserved = Math.min(dice.pick(0, 0, 1, 2, 4), Math.max(0, reservedMax));
  return {
    reserved,
    maxInUse: dice.pick(Infinity, Math.max(1, reserved) + dice.below(3)),
    maxWaiting: dice.pick<number>(Infinity, Infinity, 0, 2),
    priority: dice.below(3) - 1,
  };
}

/** A connector's script that fails as the plan says. */
export function faultScript({ faults, slowMsMax }: Plan, dice: Dice): FakeScript {
  const later = (): { readonly afterMs: number } => ({ afterMs: dice.upTo(slowMsMax) });
  const fails = (what: string): FakeOutcome => ({ fail: new Error(`${what} fails`), ...later() });
  return (call) => {
    switch (call) {
      case "connect":
        if (dice.happens(faults.connectHangs)) return "never";
        if (dice.happens(faults.connectFails)) return fails(call);
        return dice.oneIn(4) ? "ok" : later();
      case "isValid":
        return dice.happens(faults.invalid) ? { fail: call } : "ok";
      case "resetSession":
        if (!dice.happens(faults.resetSlow)) return "ok";
        if (dice.happens(faults.resetHangs)) return "never";
        return dice.happens(faults.resetFails) ? fails(call) : later();
      case "ping":
        if (dice.happens(faults.pingHangs)) return "never";
        return dice.happens(faults.pingFails) ? fails(call) : later();
      case "close":
        if (dice.happens(faults.closeHangs)) return "never";
        return dice.happens(faults.closeFails) ? fails(call) : later();
      default:
        return call satisfies never;
    }
  };
}

/** A connector's script where all is well. */
export const healthyScript: FakeScript = () => "ok";
