// What a simulated life is like: the pool's options, how often and in which way the driver fails,
// how much happens.

import { type Random, randomBelow } from "../../packages/forebay/src/base/random.ts";
import type { PoolOptions } from "../../packages/forebay/src/pool/options.ts";
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
}

/** One life. */
export interface Plan {
  readonly options: PoolOptions;
  readonly faults: Faults;
  /** The longest that a call of the driver takes when it takes time. */
  readonly slowMsMax: number;
  readonly steps: number;
  readonly pauseMsMax: number;
  /** Whether the connector says that a failed dial may be tried again. */
  readonly mayRetry: boolean;
  /** Whether the pool may be closed in the middle. */
  readonly mayClose: boolean;
  /** Whether connections may be left at the server that the pool has given up closing. */
  readonly leavesRemains: boolean;
}

/** Draws a life. About a third have no faults of a kind, so that healthy stretches are seen too. */
export function drawPlan(random: Random): Plan {
  const below = (bound: number) => randomBelow(random, bound);
  const pick = <T>(...from: readonly T[]): T => {
    const picked = from[below(from.length)];
    if (picked === undefined) throw new Error("nothing to pick from");
    return picked;
  };
  const rate = (most: number) => (below(3) === 0 ? 0 : random.next() * most);
  const maxOpenConns = pick(1, 1, 2, 3, 5, Infinity);
  const maxIdleConns = pick<number>(0, 1, 2, 5, Infinity, Infinity);
  const leavesRemains = below(4) === 0;
  return {
    options: {
      maxOpenConns,
      maxIdleConns,
      minIdleConns: Math.min(pick<number>(0, 0, 1, 2), maxOpenConns, maxIdleConns),
      connMaxLifetimeMs: pick(Infinity, 20, 60, 200),
      connMaxIdleTimeMs: pick(Infinity, 10, 50),
      acquireTimeoutMs: pick(Infinity, 5, 20, 100),
      maxWaiters: pick<number>(Infinity, Infinity, 0, 1, 4),
      maxDialing: pick(1, 2, 4, Infinity),
      idleOrder: pick("lifo", "fifo"),
      waiterOrder: pick("fifo", "fifo", "random"),
      dialTimeoutMs: pick(10, 50),
      resetTimeoutMs: 15,
      pingTimeoutMs: 12,
      pingAfterIdleMs: pick(Infinity, Infinity, 5, 30),
      keepaliveMs: pick(Infinity, Infinity, 8, 40),
      closeTimeoutMs: 40,
    },
    faults: {
      connectFails: rate(0.9),
      connectHangs: rate(0.3),
      invalid: rate(0.3),
      resetSlow: rate(0.6),
      resetFails: rate(0.3),
      resetHangs: rate(0.2),
      pingFails: rate(0.3),
      pingHangs: rate(0.2),
      closeFails: rate(0.3),
      closeHangs: leavesRemains ? rate(0.3) : 0,
    },
    slowMsMax: pick(1, 8, 30),
    steps: 20 + below(60),
    pauseMsMax: pick(2, 10, 40),
    mayRetry: below(4) !== 0,
    mayClose: below(3) === 0,
    leavesRemains,
  };
}

/** A connector's script that fails as the plan says. */
export function faultScript(plan: Plan, random: Random): FakeScript {
  const { faults, slowMsMax } = plan;
  const happens = (rate: number) => random.next() < rate;
  const later = (): { readonly afterMs: number } => ({ afterMs: random.next() * slowMsMax });
  const fails = (what: string): FakeOutcome => ({ fail: new Error(`${what} fails`), ...later() });
  return (call) => {
    switch (call) {
      case "connect":
        if (happens(faults.connectHangs)) return "never";
        return happens(faults.connectFails) ? fails(call) : later();
      case "isValid":
        return happens(faults.invalid) ? { fail: call } : "ok";
      case "resetSession":
        if (!happens(faults.resetSlow)) return "ok";
        if (happens(faults.resetHangs)) return "never";
        return happens(faults.resetFails) ? fails(call) : later();
      case "ping":
        if (happens(faults.pingHangs)) return "never";
        return happens(faults.pingFails) ? fails(call) : later();
      case "close":
        if (happens(faults.closeHangs)) return "never";
        return happens(faults.closeFails) ? fails(call) : later();
      default:
        return call satisfies never;
    }
  };
}

/** A connector's script where all is well. */
export const healthyScript: FakeScript = () => "ok";
