// Scenario 1, what is to be run: the load, the sizes, the lengths of the arms.

import { erlangC, lognormalFrom, type LognormalShape, serversFor } from "../queueing.ts";
import type { ScenarioContext } from "../scenario.ts";

/** The guide's workload, before it is stretched in time. */
export const GUIDE = { ratePerS: 2000, p50Ms: 2, p99Ms: 30, size: 120 } as const;

/**
 * The lab's requests take five times as long and come at a fifth of the rate: the load in erlangs
 * stays the same.
 */
export const STRETCH = 5;

/** The share of requests that may wait, which the guide and the sizing below aim at. */
export const TARGET_WAITED_RATIO = 0.01;

/** How much a burst exceeds the steady rate. */
export const BURST_FACTOR = 10;

/** All numbers of a run of scenario 1. */
export interface LittlePlan {
  readonly ratePerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly shape: LognormalShape;
  /** Connections in use on average: rate times mean time. */
  readonly load: number;
  /** What rate times median gives: the guide's first figure. */
  readonly tooFew: number;
  /** The fewest connections for which at most one per cent waits. */
  readonly chosen: number;
  /** Twice that: for seeing whether more would be any better. */
  readonly big: number;
  /**
   * Sizes below the chosen one at which waiting is measured, to test the theory where it says more.
   */
  readonly sweep: readonly number[];
  /**
   * The size in the sweep at which measurement and theory are compared: some thirteen per cent
   * wait.
   */
  readonly probe: number;
  readonly pairs: number;
  readonly turnMs: number;
  readonly sweepTurns: number;
  readonly sweepMs: number;
  readonly leadMs: number;
  readonly burstMs: number;
  readonly burstTurns: number;
  readonly cpuSizes: readonly number[];
  readonly cpuRounds: number;
  readonly cpuMs: number;
  /** Whether the server is the lab's to be driven into its limit. */
  readonly mayExhaust: boolean;
}

/** The fewest connections with which the scenario can show anything. */
export const LEAST_BUDGET = 8;

/**
 * Plans a run for `budget` connections. Where the server has too few for the guide's load, the rate
 * is lowered until twice the chosen size fits; the theory is the same at any load.
 */
export function planLittle(context: ScenarioContext): LittlePlan {
  const { budget } = context.facts;
  const p50Ms = GUIDE.p50Ms * STRETCH;
  const p99Ms = GUIDE.p99Ms * STRETCH;
  const shape = lognormalFrom(p50Ms, p99Ms);
  let ratePerS = GUIDE.ratePerS / STRETCH;
  const sizeAt = (rate: number): number =>
    serversFor((rate * shape.mean) / 1000, TARGET_WAITED_RATIO);
  while (2 * sizeAt(ratePerS) > budget && ratePerS > 10) ratePerS *= 0.95;
  const load = (ratePerS * shape.mean) / 1000;
  const chosen = sizeAt(ratePerS);
  const big = 2 * chosen;
  const sweep: number[] = [];
  for (let size = chosen - 2; size > load * 1.2; size -= 2) sweep.unshift(size);
  const probe = [...sweep].sort(
    (a, b) => Math.abs(erlangC(a, load) - 0.13) - Math.abs(erlangC(b, load) - 0.13),
  )[0];
  const quick = context.isQuick;
  return {
    ratePerS,
    p50Ms,
    p99Ms,
    shape,
    load,
    tooFew: Math.max(1, Math.round((ratePerS * p50Ms) / 1000)),
    chosen,
    big,
    sweep,
    probe: probe ?? chosen,
    pairs: quick ? 6 : 8,
    turnMs: quick ? 500 : 1600,
    sweepTurns: quick ? 2 : 4,
    sweepMs: quick ? 500 : 1000,
    leadMs: 500,
    burstMs: quick ? 200 : 500,
    burstTurns: quick ? 1 : 2,
    cpuSizes: [1, 2, 4, 8, 16, 32].filter((size) => size <= Math.max(big, 8) && size <= budget),
    cpuRounds: quick ? 2 : 4,
    cpuMs: quick ? 250 : 500,
    mayExhaust: context.server.kind === "embedded",
  };
}
