import { describe, expect, test } from "vitest";
import {
  bootstrap,
  median,
  medianRatio,
  normalCdf,
  takeTurns,
  takeTurnsByName,
} from "../../../packages/forebay-cli/src/lab/compare.ts";
import {
  type LabRandom,
  lognormal,
  normal,
  seededLabRandom,
} from "../../../packages/forebay-cli/src/lab/random.ts";

describe("turns", () => {
  test("arms run forward and backward, A B C C B A, and each turn knows its round", async () => {
    const order: string[] = [];
    const turn = (arm: string) => (round: number) => {
      order.push(`${arm}${round}`);
      return Promise.resolve(`${arm}${round}`);
    };
    const given = await takeTurns({
      rounds: 3,
      signal: new AbortController().signal,
      arms: [turn("A"), turn("B"), turn("C")],
    });
    expect(order).toEqual(["A0", "B0", "C0", "C1", "B1", "A1", "A2", "B2", "C2"]);
    expect(given).toEqual([
      ["A0", "A1", "A2"],
      ["B0", "B1", "B2"],
      ["C0", "C1", "C2"],
    ]);
  });

  test("arms with names take the same turns, and give theirs by name", async () => {
    const order: string[] = [];
    const given = await takeTurnsByName({
      rounds: 2,
      signal: new AbortController().signal,
      names: ["one", "two"],
      take: (name, round, note) => {
        order.push(`${name}${round}`);
        return Promise.resolve(note);
      },
    });
    expect(order).toEqual(["one0", "two0", "two1", "one1"]);
    expect(given).toEqual({
      one: ["round 1 of 2", "round 2 of 2"],
      two: ["round 1 of 2", "round 2 of 2"],
    });
  });

  test("an abort ends the turns with the signal's reason", async () => {
    const abort = new AbortController();
    const turn = (round: number) => {
      if (round === 1) abort.abort(new Error("enough"));
      return Promise.resolve(round);
    };
    await expect(
      takeTurns({ rounds: 4, signal: abort.signal, arms: [turn, turn] }),
    ).rejects.toThrow("enough");
  });
});

/**
 * A machine whose speed drifts: both turns of a pair are slowed alike, each with noise of its own.
 */
function pairsOf(random: LabRandom, pairs: number, ratio: number, noise: number) {
  const before: number[] = [];
  const after: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const drift = lognormal(random, 10, 0.3);
    before.push(lognormal(random, drift, noise));
    after.push(lognormal(random, drift * ratio, noise));
  }
  return { before, after };
}

describe("the interval of a ratio", () => {
  test.each([7, 8, 12])(
    "with %i pairs it covers the true ratio in 94 % of runs or more",
    (pairs) => {
      const random = seededLabRandom(pairs);
      let covered = 0;
      const runs = 250;
      for (let run = 0; run < runs; run++) {
        const { before, after } = pairsOf(random, pairs, 1.3, 0.1);
        const { low, high } = medianRatio(before, after, random);
        if (low <= 1.3 && 1.3 <= high) covered++;
      }
      expect(covered / runs).toBeGreaterThan(0.94);
    },
  );

  test("a drift of the machine that hits both turns of a pair does not widen it", () => {
    const { before, after } = pairsOf(seededLabRandom(4), 8, 2, 0);
    const estimate = medianRatio(before, after, seededLabRandom(5));
    expect(estimate.low).toBeCloseTo(2, 9);
    expect(estimate.high).toBeCloseTo(2, 9);
  });

  test("the same seed gives the same interval", () => {
    const samples = Array.from({ length: 8 }, (_, i) => normal(seededLabRandom(i)));
    expect(bootstrap(samples, median, seededLabRandom(1))).toEqual(
      bootstrap(samples, median, seededLabRandom(1)),
    );
  });

  test("arms with unequal numbers of turns are refused", () => {
    expect(() => medianRatio([1], [1, 2], seededLabRandom(1))).toThrow(RangeError);
  });
});

test("the median of an even number of values is the mean of the two in the middle", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([3, 1, 2])).toBe(2);
});

test("the normal distribution function is right to six places", () => {
  expect(normalCdf(0)).toBeCloseTo(0.5, 6);
  expect(normalCdf(-1.959964)).toBeCloseTo(0.025, 6);
});
