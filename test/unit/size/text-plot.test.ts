import { expect, test } from "vitest";
import { drawTextPlot, grouped } from "../../../packages/forebay-cli/src/size/text-plot.ts";
import { wrapText } from "../../../packages/forebay-cli/src/terminal/wrap.ts";

test("a plot fills the average in eighths, and hatches what rises above it", () => {
  const lines = drawTextPlot({
    title: "In use",
    columns: [
      { mean: 0, most: 0 },
      { mean: 1, most: 1 },
      { mean: 2.5, most: 4 },
      { mean: 4, most: 4 },
    ],
    top: 4,
    rows: 4,
    ends: ["0", "4"],
    label: String,
  });
  expect(lines).toEqual([
    "In use",
    "     4 ┤  ░█",
    "       ┤  ▄█",
    "     2 ┤  ██",
    "       ┤ ███",
    "     0 └────",
    "        0  4",
  ]);
});

test("stretches are put together into at most as many columns as there are", () => {
  expect(grouped([1, 2, 3, 4, 5], 3)).toEqual([[1, 2], [3, 4], [5]]);
  expect(grouped([1, 2], 3)).toEqual([[1], [2]]);
});

test("a number stays with its unit when text is broken into lines", () => {
  const text = `${"x".repeat(74)} 12 ms and more`;
  expect(wrapText(text, " ").split("\n")).toEqual([` ${"x".repeat(74)}`, " 12 ms and more"]);
  expect(wrapText("one two", "  ")).toBe("  one two");
});
