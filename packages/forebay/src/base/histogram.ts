// Durations, counted in buckets whose width grows with what they hold: constant memory, a few
// nanoseconds to record, every quantile known to 12.5 %.
//
// The layout is that of HdrHistogram (Gil Tene) with three bits of precision: whole microseconds up
// to 16, then eight buckets for each power of two.

/** Bits of a value, after its highest, that its bucket tells. */
const PRECISION_BITS = 3;
const PER_POWER = 1 << PRECISION_BITS;
/** Below this every whole number has a bucket of its own. */
const EXACT_BELOW = 2 * PER_POWER;
const HIGHEST_POWER = 31;
const BUCKET_COUNT = EXACT_BELOW + (HIGHEST_POWER - PRECISION_BITS) * PER_POWER;
/** What is longer counts as this long: about 71 minutes. */
const MICROS_MAX = 2 ** 32 - 1;

/** So many durations are noted before they are sorted into buckets. */
const NOTES_MAX = 256;

/** What a histogram held at one moment. */
export interface DurationSnapshot {
  readonly count: number;
  /** The sum of all durations, exact. */
  readonly sumMs: number;
  /** The longest, exact; 0 when there was none. */
  readonly maxMs: number;
  /**
   * A duration that a share `ratio` of all does not exceed: the upper end of a bucket, so at most
   * 12.5 % too high; never above the longest. 0 when there was none. `ratio` from 0 to 1.
   */
  quantileMs(ratio: number): number;
  /**
   * The buckets that are not empty, shortest first: how many durations were below `upToMs`, and not
   * below the end of the bucket before.
   */
  readonly buckets: readonly { readonly upToMs: number; readonly count: number }[];
}

/** A histogram of durations. */
export class DurationHistogram {
  readonly #counts = new Float64Array(BUCKET_COUNT);
  readonly #notedMs = new Float64Array(NOTES_MAX);
  #noted = 0;
  #count = 0;
  #sumMs = 0;
  #maxMs = 0;

  /**
   * Counts one duration. Below 0 counts as 0; above 71 minutes goes into the last bucket. Only
   * notes it: what is noted is sorted into buckets many at a time, away from whoever is in a hurry.
   */
  record(durationMs: number): void {
    this.#notedMs[this.#noted] = durationMs;
    this.#noted += 1;
    if (this.#noted === NOTES_MAX) this.#sort();
  }

  /** What has been counted so far; later records do not change it. */
  snapshot(): DurationSnapshot {
    this.#sort();
    const count = this.#count;
    const maxMs = this.#maxMs;
    const buckets: { upToMs: number; count: number }[] = [];
    this.#counts.forEach((inBucket, bucket) => {
      if (inBucket > 0) buckets.push({ upToMs: upperEndMs(bucket), count: inBucket });
    });
    const quantileMs = (ratio: number): number => {
      const rank = ratio * count;
      let seen = 0;
      for (const bucket of buckets) {
        seen += bucket.count;
        if (seen >= rank) return Math.min(bucket.upToMs, maxMs);
      }
      return maxMs;
    };
    return { count, sumMs: this.#sumMs, maxMs, quantileMs, buckets };
  }

  #sort(): void {
    const counts = this.#counts;
    let sumMs = this.#sumMs;
    let maxMs = this.#maxMs;
    for (let i = 0; i < this.#noted; i++) {
      const ms = Math.max(0, this.#notedMs[i] ?? 0);
      const bucket = bucketOf(Math.min(ms * 1000, MICROS_MAX) >>> 0);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      sumMs += ms;
      if (ms > maxMs) maxMs = ms;
    }
    this.#sumMs = sumMs;
    this.#maxMs = maxMs;
    this.#count += this.#noted;
    this.#noted = 0;
  }
}

function bucketOf(micros: number): number {
  if (micros < EXACT_BELOW) return micros;
  const power = 31 - Math.clz32(micros);
  const within = (micros >>> (power - PRECISION_BITS)) & (PER_POWER - 1);
  return EXACT_BELOW + (power - PRECISION_BITS - 1) * PER_POWER + within;
}

/** Where a bucket ends: its durations are shorter. */
function upperEndMs(bucket: number): number {
  if (bucket < EXACT_BELOW) return (bucket + 1) / 1000;
  const power = Math.floor((bucket - EXACT_BELOW) / PER_POWER) + PRECISION_BITS + 1;
  const within = (bucket - EXACT_BELOW) % PER_POWER;
  return (2 ** (power - PRECISION_BITS) * (PER_POWER + within + 1)) / 1000;
}
