// How one kind of request fared while another was there: for scenarios in which the one must not
// hold up the other.

import { bootstrap, type Estimate, exact, median, medianRatio, sum } from "./compare.ts";
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
  /** p99 over all turns. */
  readonly p99: Estimate;
  /** The same over that of the turns in which they were alone. */
  readonly overAlone: Estimate;
  /** What is on top of the p99 of those turns, in milliseconds. */
  readonly overAloneMs: Estimate;
  /** The median of the turns' p90s, which a machine that stalls now and then does not move. */
  readonly p90: Estimate;
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
  const tails = turns.map(tailOf);
  const tailsAlone = alone.slice(0, turns.length).map(tailOf);
  const p90s = turns.map((turn) => turn.result.response.percentileMs(90));
  const overRounds = (statistic: Statistic): Estimate => byRounds(turns.length, statistic, random);
  return {
    response: total.response,
    p99: overRounds((rounds) => p99Of(tails, rounds)),
    overAlone: p99Ratio(alone.slice(0, turns.length), turns, random),
    p90: overRounds((rounds) => median(rounds.map((round) => p90s[round] ?? Number.NaN))),
    overAloneMs: overRounds((rounds) => p99Of(tails, rounds) - p99Of(tailsAlone, rounds)),
    waitedRatio: median(turns.map((turn) => turn.waited / turn.result.offered)),
  };
}

/**
 * p99 over all turns of one arm, over that of another, in as many rounds. The rounds are what is
 * drawn for the interval: one turn has too few requests for a p99 of its own.
 */
export function p99Ratio(
  before: readonly BesideTurn[],
  after: readonly BesideTurn[],
  random: LabRandom,
): Estimate {
  if (before.length !== after.length) {
    throw new RangeError("the arms have unequal numbers of turns");
  }
  const [tailsBefore, tailsAfter] = [before.map(tailOf), after.map(tailOf)];
  const ratioOf: Statistic = (rounds) => p99Of(tailsAfter, rounds) / p99Of(tailsBefore, rounds);
  return byRounds(after.length, ratioOf, random);
}

/** What is estimated, from the numbers of the rounds that were drawn. */
type Statistic = (rounds: readonly number[]) => number;

/** Estimates what depends on which rounds there were; exact where there is one. */
function byRounds(count: number, statistic: Statistic, random: LabRandom): Estimate {
  const rounds = Array.from({ length: count }, (_, round) => round);
  return count < 2 ? exact(statistic(rounds)) : bootstrap(rounds, statistic, random);
}

/** The slowest requests of a turn. */
interface Tail {
  readonly requests: number;
  readonly slowestMs: readonly number[];
}

/** Of up to twenty turns, all that decide a p99 are among these, even if one turn has them all. */
const TAIL_SHARE_RATIO = 0.2;

function tailOf({ result }: BesideTurn): Tail {
  const { count } = result.response;
  const length = Math.min(count, Math.ceil(count * TAIL_SHARE_RATIO) + 1);
  const slowestMs = Array.from({ length }, (_, rank) =>
    result.response.percentileMs(100 * (1 - (rank + 0.5) / count)),
  );
  return { requests: count, slowestMs };
}

function p99Of(tails: readonly Tail[], rounds: readonly number[]): number {
  const drawn = rounds.map((round) => tails[round]).filter((tail) => tail !== undefined);
  const slowestMs = drawn.flatMap((tail) => tail.slowestMs).sort((a, b) => b - a);
  const beyond = Math.floor(sum(drawn.map((tail) => tail.requests)) / 100);
  return slowestMs[beyond] ?? 0;
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
  const rounds = Math.min(turns.length, without.length);
  const shares = (of: readonly BesideTurn[]): number[] =>
    of.slice(0, rounds).map((turn) => turn.waited / turn.result.offered);
  if (rounds < 2) return exact(Number.NaN);
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
