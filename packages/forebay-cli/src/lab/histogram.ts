// Latency histograms. A thin face on node:perf_hooks' own: it is HdrHistogram in C, records in tens
// of nanoseconds, keeps three figures over the whole range, merges, and adds no package.

import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

const NS_PER_MS = 1e6;
const HOUR_NS = 3600e9;

/** Percentiles that every report shows, as numbers and as the names of measures. */
const SHOWN: readonly (readonly [name: string, percentile: number])[] = [
  ["p50Ms", 50],
  ["p90Ms", 90],
  ["p99Ms", 99],
  ["p999Ms", 99.9],
];

/** A distribution of durations. Durations below 1 ns count as 1 ns, above an hour as an hour. */
export class LatencyHistogram {
  readonly #histogram: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: HOUR_NS,
    figures: 3,
  });
  #sumMs = 0;

  /** Number of durations recorded. */
  get count(): number {
    return this.#histogram.count;
  }

  /** The mean, exact, in milliseconds; 0 when nothing was recorded. */
  get meanMs(): number {
    return this.count === 0 ? 0 : this.#sumMs / this.count;
  }

  /** The longest, in milliseconds; 0 when nothing was recorded. */
  get maxMs(): number {
    return this.count === 0 ? 0 : this.#histogram.max / NS_PER_MS;
  }

  /** Takes one duration into account. NaN is an error of the caller and throws. */
  recordMs(durationMs: number): void {
    if (Number.isNaN(durationMs)) throw new RangeError("a duration is NaN");
    this.#sumMs += durationMs;
    this.#histogram.record(Math.min(Math.max(Math.round(durationMs * NS_PER_MS), 1), HOUR_NS));
  }

  /**
   * The duration that `percentile` per cent do not exceed, 0 < percentile <= 100; 0 when nothing
   * was recorded.
   */
  percentileMs(percentile: number): number {
    return this.count === 0 ? 0 : this.#histogram.percentile(percentile) / NS_PER_MS;
  }

  /** Takes another histogram's durations into account as well. */
  add(other: LatencyHistogram): void {
    this.#histogram.add(other.#histogram);
    this.#sumMs += other.#sumMs;
  }

  /** The measures that a report shows: mean, p50, p90, p99, p99.9 and the longest. */
  measures(): Record<string, number> {
    const measures: Record<string, number> = { meanMs: this.meanMs };
    for (const [name, percentile] of SHOWN) measures[name] = this.percentileMs(percentile);
    measures["maxMs"] = this.maxMs;
    return measures;
  }

  /**
   * Points of the percentile curve, as [percentile, milliseconds], spaced evenly on the axis of 1 /
   * (1 - p) on which tails show. Stops where fewer than one duration lies beyond.
   */
  curve(): [number, number][] {
    const points: [number, number][] = [];
    for (let step = 0; step <= 60; step++) {
      const beyond = 10 ** (-step / 15);
      if (step > 0 && beyond * this.count < 1) break;
      const percentile = step === 0 ? 1 : 100 * (1 - beyond);
      points.push([percentile, this.percentileMs(percentile)]);
    }
    return points;
  }
}

/** A histogram of these durations. */
export function histogramOf(durationsMs: Iterable<number>): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const durationMs of durationsMs) histogram.recordMs(durationMs);
  return histogram;
}
