// Theory held against the simulated pool: how far apart they may be.

import type { Expectation } from "./answer.ts";
import type { Measured, Simulation } from "./simulation.ts";

/**
 * How far theory may be off: a quarter, beyond the interval of the simulation itself. The formulas
 * are approximations for service that is not exponential; for holds whose squared variation is up
 * to ten they are within it.
 */
export const TOLERANCE_RATIO = 0.25;

/** One figure, predicted and simulated. */
export interface Comparison {
  readonly what: "requests that wait" | "mean wait" | "in use on average";
  readonly unit: "ratio" | "ms" | "connections";
  readonly predicted: number;
  readonly simulated: Measured;
  readonly agrees: boolean;
}

/** Compares what theory expects of a pool with what the real one did. */
export function compareWithTheory(
  expected: Expectation,
  load: number,
  simulation: Simulation,
): readonly Comparison[] {
  const inUse = exactly(simulation.meanInUse);
  const row = (
    what: Comparison["what"],
    unit: Comparison["unit"],
    predicted: number,
    simulated: Measured,
  ): Comparison => ({ what, unit, predicted, simulated, agrees: agrees(predicted, simulated) });
  return [
    row("requests that wait", "ratio", expected.waitedRatio, simulation.waited),
    row("mean wait", "ms", expected.meanWaitMs, simulation.meanWaitMs),
    row("in use on average", "connections", Math.min(load, expected.connections), inUse),
  ];
}

/** True where the interval and the prediction with its tolerance have a point in common. */
export function agrees(predicted: number, simulated: Measured): boolean {
  return (
    simulated.low <= predicted * (1 + TOLERANCE_RATIO) &&
    simulated.high >= predicted * (1 - TOLERANCE_RATIO)
  );
}

function exactly(value: number): Measured {
  return { value, low: value, high: value };
}
