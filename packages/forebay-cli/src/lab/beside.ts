// How one kind of request fared while another was there: for scenarios in which the one must not
// hold up the other.

import { bootstrap, type Estimate, exact, median, medianRatio } from "./compare.ts";
import type { LatencyHistogram } from "./histogram.ts";
import type { LabRandom } from "./random.ts";
import { type RouteResult, totalOf } from "./routes.ts";
import { figure } from "./words.ts";

/** One turn of those who might be held up. */
export interface BesideTurn {
  readonly result: RouteResult;
  /** Of them, how many waited for a connection, by the pool's count. */
  readonly waited: number;
}

/** What several turns come to. */
export interface Beside {
  /** Over all turns. */
  readonly response: LatencyHistogram;
  /** The median of the turns' p99s. One turn in which the machine stalls does not move it. */
  readonly p99: Estimate;
  /** The same over those of the turns in which they were alone. */
  readonly overAlone: Estimate;
  /** Share of the requests that waited for a connection: the median of the turns' shares. */
  readonly waitedRatio: number;
}

/** Puts turns together; `alone` are the turns of the same rounds without the other kind. */
export function besideOf(
  turns: readonly BesideTurn[],
  alone: readonly BesideTurn[],
  random: LabRandom,
): Beside {
  const total = totalOf(turns.map((turn) => turn.result));
  const p99 = p99sOf(turns);
  const p99Alone = p99sOf(alone).slice(0, turns.length);
  const isOne = turns.length < 2;
  return {
    response: total.response,
    p99: isOne ? exact(median(p99)) : bootstrap(p99, median, random),
    overAlone: isOne ? exact(median(p99) / median(p99Alone)) : medianRatio(p99Alone, p99, random),
    waitedRatio: median(turns.map((turn) => turn.waited / turn.result.offered)),
  };
}

/** p99 of each turn, in milliseconds. */
export function p99sOf(turns: readonly Pick<BesideTurn, "result">[]): number[] {
  return turns.map((turn) => turn.result.response.percentileMs(99));
}

/**
 * How many waited with a remedy over how many did without, turn by turn of the same rounds. An
 * estimate, though waits are counted: a stall of the machine makes some wait in any pool.
 */
export function waitedOver(
  turns: readonly BesideTurn[],
  without: readonly BesideTurn[],
  random: LabRandom,
): Estimate {
  const shares = (of: readonly BesideTurn[]): number[] =>
    of.slice(0, turns.length).map((turn) => turn.waited / turn.result.offered);
  if (Math.min(turns.length, without.length) < 2) return exact(Number.NaN);
  return medianRatio(shares(without), shares(turns), random);
}

/**
 * How many may wait with a remedy, over how many do without. None should; but after a stall of a
 * busy machine all that are due come at once, and a few wait in any pool.
 */
export const WAITED_LIMIT_RATIO = 0.25;

/** Up to this factor a p99 counts as unchanged: two turns of the same arm differ by that. */
export const SAME_P99_FACTOR = 2;

/**
 * A p99 of a request of 1 ms, with nothing else under way, above which the machine itself stalls.
 */
const STALLING_P99_MS = 20;

/**
 * Why more waits than there should be say nothing of the pool, if they do not: those who were alone
 * were held up as well. Gives undefined where few enough waited, whatever the machine did.
 */
export function stalledBy(waited: Estimate, alone: Estimate): string | undefined {
  if (waited.high <= WAITED_LIMIT_RATIO || alone.value <= STALLING_P99_MS) return undefined;
  return `p99 was ${figure(alone.value)} ms with nothing else under way.`;
}
