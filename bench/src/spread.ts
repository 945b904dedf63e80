// What becomes of repeated measurements: a median, and how far they lie apart. Pure.

/** The middle of several measurements, and the quarter of them that lies below and above. */
export interface Spread {
  readonly median: number;
  /** A quarter of the measurements are below this. */
  readonly low: number;
  /** A quarter of the measurements are above this. */
  readonly high: number;
  readonly rounds: number;
}

/** Sums up measurements. There must be at least one. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
    rounds: sorted.length,
  };
}

/** The ratios of two series round by round: what slows the machine for a while slows both. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((own, round) => own / (theirs[round] ?? Number.NaN));
}

function quantile(sorted: readonly number[], ratio: number): number {
  const at = (sorted.length - 1) * ratio;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
