import { describe, expect, test } from "vitest";
import {
  type BesideTurn,
  besideOf,
  p99Ratio,
} from "../../../packages/forebay-cli/src/lab/beside.ts";
import { histogramOf } from "../../../packages/forebay-cli/src/lab/histogram.ts";
import { seededLabRandom } from "../../../packages/forebay-cli/src/lab/random.ts";

/** A turn of requests of so many milliseconds each, of which so many waited. */
function turnOf(responseMs: readonly number[], waited = 0): BesideTurn {
  const { length } = responseMs;
  const response = histogramOf(responseMs);
  return {
    waited,
    result: { offered: length, done: length, cut: 0, failed: 0, failures: {}, response },
  };
}

/** 1, 2, … up to `count` milliseconds, times a factor. */
const upTo = (count: number, factor = 1): number[] =>
  Array.from({ length: count }, (_, index) => (index + 1) * factor);

describe("p99 over all turns", () => {
  test("is that of all requests together, not of the turns' own", () => {
    const { p99, response } = besideOf(
      [turnOf(upTo(100)), turnOf(upTo(100, 10))],
      [turnOf(upTo(100)), turnOf(upTo(100))],
      seededLabRandom(1),
    );
    expect(p99.value / response.percentileMs(99)).toBeCloseTo(1, 2);
    expect(p99.value).toBeGreaterThan(900);
  });

  test("finds it where all slow requests are in one turn of many", () => {
    const turns = Array.from({ length: 19 }, () => turnOf(upTo(50, 0.01)));
    const stalled = turnOf([...upTo(30, 0.01), ...Array.from({ length: 20 }, () => 40)]);
    const { p99 } = besideOf([...turns, stalled], [...turns, stalled], seededLabRandom(1));
    expect(p99.value).toBeCloseTo(40, 0);
  });

  test("is compared over the same rounds, with an interval that holds the truth", () => {
    const random = seededLabRandom(3);
    const rounds = Array.from({ length: 8 }, () => upTo(200, 0.5 + random.next()));
    const before = rounds.map((response) => turnOf(response));
    const after = rounds.map((response) => turnOf(response.map((ms) => 3 * ms)));
    const ratio = p99Ratio(before, after, random);
    expect(ratio.value).toBeCloseTo(3, 1);
    expect(ratio.low).toBeGreaterThan(2.9);
    expect(ratio.high).toBeLessThan(3.1);
  });

  test("of one turn is told without an interval, and unequal rounds are refused", () => {
    const one = p99Ratio([turnOf(upTo(100))], [turnOf(upTo(100, 2))], seededLabRandom(1));
    expect(one).toEqual({ value: one.value, low: one.value, high: one.value });
    expect(one.value).toBeCloseTo(2, 1);
    expect(() => p99Ratio([], [turnOf(upTo(10))], seededLabRandom(1))).toThrow(/unequal/);
  });
});
