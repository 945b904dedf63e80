import { expect, test } from "vitest";
import { lowerQuartile } from "../../../packages/forebay-cli/src/lab/chunks.ts";

test("the lower quartile is not moved by what is slow", () => {
  expect(lowerQuartile([4, 1, 3, 2])).toBe(1);
  expect(lowerQuartile([8, 7, 1000, 1, 2, 900, 3, 4])).toBe(2);
  expect(lowerQuartile([5])).toBe(5);
  expect(lowerQuartile([])).toBeNaN();
});
