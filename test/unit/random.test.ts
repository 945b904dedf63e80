import { expect, test } from "vitest";
import { randomBelow, seededRandom } from "../../packages/forebay/src/base/random.ts";

test("the same seed gives the same numbers, another seed does not", () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 8 }, () => random.next());
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});

test("randomBelow reaches every value below the bound, and never the bound", () => {
  const random = seededRandom(1);
  const seen = new Set(Array.from({ length: 500 }, () => randomBelow(random, 5)));
  expect([...seen].toSorted()).toEqual([0, 1, 2, 3, 4]);
});
