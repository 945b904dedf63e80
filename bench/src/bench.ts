// What a benchmark is, and what it reports. The runner and the table know no more of one than this.

import { ratiosOf, type Spread, spreadOf } from "./spread.ts";

/** What is measured in: a time is better when it is small, a rate when it is large. */
export type Unit = "ns" | "us" | "ms" | "queries/s" | "us/query" | "bytes" | "count";

/** What a ratio, or a figure, must be. */
export interface Target {
  readonly op: "<=" | ">=";
  readonly limit: number;
}

/** One line of the table: a figure of ours, alone or beside that of another. */
export interface Comparison {
  readonly what: string;
  /** What programs call the ratio, or the figure. @defaultValue `what: ours / other` */
  readonly key?: string;
  readonly unit: Unit;
  readonly ours: string;
  readonly oursSamples: readonly number[];
  /** Absent for a figure that stands alone: then the target is for the figure itself. */
  readonly other?: string;
  /** Measured in turn with ours, round by round. */
  readonly otherSamples?: readonly number[];
  readonly target?: Target;
  /** Why the other was not measured: something that it needs is missing here. */
  readonly leftOut?: string;
}

/** A comparison, summed up. */
export interface Finding {
  readonly what: string;
  /** See `Comparison`. */
  readonly key: string;
  readonly unit: Unit;
  readonly ours: string;
  readonly oursFigure: Spread;
  readonly other?: string;
  readonly otherFigure?: Spread;
  /** Ours through the other's. */
  readonly ratio?: Spread;
  readonly target?: Target;
  /** Absent where there is no target, and where the other was left out. */
  readonly isMet?: boolean;
  /** See `Comparison`. */
  readonly leftOut?: string;
}

/** What is told to a benchmark, and whom it tells how far it is. */
export interface BenchContext {
  /** `quick` runs fewer and shorter rounds: to see that all works, not to quote. */
  readonly effort: "full" | "quick";
  readonly signal: AbortSignal;
  /** `fraction` is of this benchmark, 0 to 1. */
  onProgress(text: string, fraction: number): void;
}

/** One benchmark. */
export interface Bench {
  readonly id: string;
  readonly title: string;
  run(context: BenchContext): Promise<Comparison[]>;
}

/**
 * Sums up a comparison. Where there are two series, the ratio is the median of the rounds' own
 * ratios.
 */
export function findingOf(comparison: Comparison): Finding {
  const { what, unit, ours, oursSamples, other, otherSamples, target, leftOut } = comparison;
  const oursFigure = spreadOf(oursSamples);
  const key = comparison.key ?? nameOf(comparison);
  const aim = target === undefined ? {} : { target };
  const base = { what, key, unit, ours, oursFigure, ...aim };
  if (other !== undefined && leftOut !== undefined) return { ...base, other, leftOut };
  const compared =
    other === undefined || otherSamples === undefined
      ? undefined
      : {
          other,
          otherFigure: spreadOf(otherSamples),
          ratio: spreadOf(ratiosOf(oursSamples, otherSamples)),
        };
  if (target === undefined) return { ...base, ...compared };
  const judged = (compared?.ratio ?? oursFigure).median;
  const isMet = target.op === "<=" ? judged <= target.limit : judged >= target.limit;
  return { ...base, ...compared, isMet };
}

function nameOf({ what, ours, other }: Comparison): string {
  return other === undefined ? `${what}: ${ours}` : `${what}: ${ours} / ${other}`;
}
