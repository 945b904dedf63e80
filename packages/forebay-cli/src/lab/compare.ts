// Comparing two arms: the order in which they run, and what their ratio is with how much doubt.

import type { LabRandom } from "./random.ts";
import type { StealWatch } from "./steal.ts";

/**
 * An estimated number with the interval in which the true one lies at `level`. Without doubt, low =
 * value = high.
 */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** Arms that are run in turns. */
export interface Turns<T> {
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Has a round taken again in which the host took processors away. Absent: none is. */
  readonly steal?: StealWatch;
  /**
   * One turn of each arm. `round` counts from 0: the turns of a round are the pairs that are
   * compared.
   */
  readonly arms: readonly ((round: number) => Promise<T>)[];
}

/**
 * Runs arms in turns, forward and then backward (A B B A A B B A), so that a machine that gets
 * slower or faster meanwhile treats all alike. A round that the host spoilt is taken again, the
 * same way round, as often as `steal` has it. Gives what each arm's turns gave, by arm and round.
 * Rejects with `signal.reason` on abort.
 */
export async function takeTurns<T>(turns: Turns<T>): Promise<T[][]> {
  const given: T[][] = turns.arms.map(() => []);
  const order = [...turns.arms.keys()];
  let spare = turns.steal?.spareOf(turns.rounds) ?? 0;
  for (let round = 0; round < turns.rounds; ) {
    const begun = await turns.steal?.beginRound();
    const taken: { readonly arm: number; readonly gave: T }[] = [];
    for (const arm of round % 2 === 0 ? order : order.toReversed()) {
      turns.signal.throwIfAborted();
      const turn = turns.arms[arm];
      if (turn !== undefined) taken.push({ arm, gave: await turn(round) });
    }
    if (spare > 0 && (await begun?.isSpoilt())) {
      spare--;
      await turns.steal?.rest(turns.signal);
      continue;
    }
    for (const { arm, gave } of taken) given[arm]?.push(gave);
    round++;
  }
  return given;
}

/** A value for each name. */
export function byName<N extends string, T>(names: readonly N[], of: (name: N) => T): Record<N, T> {
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<N, T>;
}

/** Which of `rounds` a round is, for a person, where round 0 is for warming up. */
export function roundNote(round: number, rounds: number): string {
  return round === 0 ? "warming up" : `round ${round} of ${rounds}`;
}

/** Arms that have names, and are run in turns. */
export interface NamedTurns<N extends string, T> {
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** As in `Turns`. */
  readonly steal?: StealWatch;
  readonly names: readonly N[];
  /** One turn of the named arm. `note` says which round it is, for a person. */
  take(name: N, round: number, note: string): Promise<T>;
}

/** As `takeTurns`; what each arm's turns gave, by name. */
export async function takeTurnsByName<N extends string, T>(
  turns: NamedTurns<N, T>,
): Promise<Record<N, readonly T[]>> {
  const { names, rounds, signal, steal } = turns;
  const noteOf = (round: number): string => `round ${round + 1} of ${rounds}`;
  const given = await takeTurns({
    rounds,
    signal,
    ...(steal === undefined ? {} : { steal }),
    arms: names.map((name) => (round: number) => turns.take(name, round, noteOf(round))),
  });
  return byName(names, (name) => given[names.indexOf(name)] ?? []);
}

/** The middle value, or the mean of the two in the middle. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The arithmetic mean. NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sum of the values. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const RESAMPLES = 2000;

/**
 * A 95 % interval for a statistic of the samples, by the bootstrap (Efron 1979): the statistic of
 * many samples drawn from these with replacement.
 *
 * The plain percentile interval is too narrow for the seven or eight pairs of a run, so its ends
 * are moved out to the percentiles at Phi(-t sqrt(n / (n - 1))), t being Student's 97.5 % point for
 * n - 1 degrees of freedom: the expanded percentile interval of T. Hesterberg, "What Teachers
 * Should Know about the Bootstrap", The American Statistician 69 (2015). At least two samples; with
 * fewer than six, no interval of a median reaches 95 %.
 */
export function bootstrap(
  samples: readonly number[],
  statistic: (samples: readonly number[]) => number,
  random: LabRandom,
): Estimate {
  const size = samples.length;
  if (size < 2) throw new RangeError("the bootstrap needs two samples or more");
  const draw: number[] = Array.from({ length: size }, () => 0);
  const statistics: number[] = [];
  for (let round = 0; round < RESAMPLES; round++) {
    for (let at = 0; at < size; at++) {
      draw[at] = samples[Math.floor(random.next() * size)] ?? Number.NaN;
    }
    statistics.push(statistic(draw));
  }
  statistics.sort((a, b) => a - b);
  const tail = normalCdf(-studentT975(size - 1) * Math.sqrt(size / (size - 1)));
  const rank = Math.floor(tail * RESAMPLES);
  return {
    value: statistic(samples),
    low: statistics[rank] ?? Number.NaN,
    high: statistics[RESAMPLES - 1 - rank] ?? Number.NaN,
  };
}

/** The median of the ratios `after[i] / before[i]` of the pairs, with its 95 % interval. */
export function medianRatio(
  before: readonly number[],
  after: readonly number[],
  random: LabRandom,
): Estimate {
  if (before.length !== after.length)
    throw new RangeError("the arms have unequal numbers of turns");
  const ratios = after.map((value, pair) => value / (before[pair] ?? Number.NaN));
  return bootstrap(ratios, median, random);
}

/** A number that was counted, not estimated. */
export function exact(value: number): Estimate {
  return { value, low: value, high: value };
}

/** The same estimate in other units, or moved. `convert` must not fall as its argument grows. */
export function mapEstimate(estimate: Estimate, convert: (value: number) => number): Estimate {
  return {
    value: convert(estimate.value),
    low: convert(estimate.low),
    high: convert(estimate.high),
  };
}

const STUDENT_T_975: readonly number[] = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086,
];

/**
 * Student's 97.5 % point: by table to 20 degrees of freedom, beyond by the first term of its
 * expansion, within 0.001.
 */
function studentT975(freedom: number): number {
  return STUDENT_T_975[freedom - 1] ?? 1.96 + 2.373 / freedom + 2.82 / freedom ** 2;
}

/**
 * The normal distribution function, by Abramowitz and Stegun 26.2.17; absolute error below 7.5e-8.
 */
export function normalCdf(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const poly =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * poly;
  return x < 0 ? tail : 1 - tail;
}
