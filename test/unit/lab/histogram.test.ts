import { expect, test } from "vitest";
import { histogramOf, LatencyHistogram } from "../../../packages/forebay-cli/src/lab/histogram.ts";

test("percentiles are right to three figures, the mean and the longest exactly", () => {
  const histogram = histogramOf(Array.from({ length: 1000 }, (_, i) => (i + 1) / 10));
  expect(histogram.percentileMs(50) / 50).toBeCloseTo(1, 2);
  expect(histogram.percentileMs(99) / 99).toBeCloseTo(1, 2);
  expect(histogram.meanMs).toBeCloseTo(50.05, 9);
  expect(histogram.maxMs / 100).toBeCloseTo(1, 2);
});

test("two histograms add up to the one of all their durations", () => {
  const low = histogramOf([1, 2, 3]);
  low.add(histogramOf([10, 20, 30]));
  expect(low.count).toBe(6);
  expect(low.meanMs).toBeCloseTo(11, 9);
  expect(low.percentileMs(100) / 30).toBeCloseTo(1, 2);
});

test("an empty histogram gives zeros, and NaN is refused", () => {
  const empty = new LatencyHistogram();
  expect(empty.measures()).toEqual({
    meanMs: 0,
    p50Ms: 0,
    p90Ms: 0,
    p99Ms: 0,
    p999Ms: 0,
    maxMs: 0,
  });
  expect(() => empty.recordMs(Number.NaN)).toThrow(RangeError);
});

test("the percentile curve rises, and ends where too few durations are left", () => {
  const curve = histogramOf(Array.from({ length: 1000 }, (_, i) => i + 1)).curve();
  expect(curve.every(([, ms], i) => ms >= (curve[i - 1]?.[1] ?? 0))).toBe(true);
  expect(curve.at(-1)?.[0]).toBeCloseTo(99.9, 1);
});
