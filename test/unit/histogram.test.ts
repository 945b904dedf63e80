import { expect, test } from "vitest";
import { DurationHistogram } from "../../packages/forebay/src/base/histogram.ts";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";

test("an empty histogram has no durations", () => {
  const empty = new DurationHistogram().snapshot();
  expect(empty).toMatchObject({ count: 0, sumMs: 0, maxMs: 0, buckets: [] });
  expect(empty.quantileMs(0.5)).toBe(0);
});

test("count, sum and the longest are exact; a snapshot stays as it was", () => {
  const histogram = new DurationHistogram();
  for (const ms of [0, -5, 0.25, 3, 1000]) histogram.record(ms);
  const snapshot = histogram.snapshot();
  histogram.record(7);
  expect(snapshot).toMatchObject({ count: 5, sumMs: 1003.25, maxMs: 1000 });
  expect(snapshot.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(5);
  expect(snapshot.quantileMs(1)).toBe(1000);
});

test("every duration is in a bucket that ends at most 12.5 % above it", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 5000; round++) {
    const ms = Math.min(4_294_967, 0.001 * 2 ** (32 * random.next()));
    const histogram = new DurationHistogram();
    histogram.record(ms);
    const [bucket] = histogram.snapshot().buckets;
    const micros = Math.ceil(ms * 1000);
    expect(bucket?.upToMs).toBeGreaterThanOrEqual(micros / 1000);
    expect(bucket?.upToMs).toBeLessThanOrEqual((micros * 1.125) / 1000);
  }
});

test("quantiles are those of the durations, to the precision of the buckets", () => {
  const histogram = new DurationHistogram();
  for (let ms = 1; ms <= 1000; ms++) histogram.record(ms);
  const snapshot = histogram.snapshot();
  for (const ratio of [0.01, 0.5, 0.9, 0.99]) {
    expect(snapshot.quantileMs(ratio)).toBeGreaterThanOrEqual(ratio * 1000);
    expect(snapshot.quantileMs(ratio)).toBeLessThanOrEqual(ratio * 1000 * 1.125);
  }
  expect(snapshot.quantileMs(2)).toBe(1000);
});

test("what is longer than 71 minutes goes into the last bucket", () => {
  const histogram = new DurationHistogram();
  histogram.record(Infinity);
  histogram.record(1e12);
  expect(histogram.snapshot()).toMatchObject({
    maxMs: Infinity,
    buckets: [{ count: 2, upToMs: 2 ** 32 / 1000 }],
  });
});
