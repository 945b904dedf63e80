import { describe, expect, test } from "vitest";
import { type Comparison, findingOf } from "../../../bench/src/bench.ts";
import { reportOf } from "../../../bench/src/report.ts";
import { tableOf } from "../../../bench/src/table.ts";

const BENCH = { id: "P1", title: "point selects" };

const throughput: Comparison = {
  what: "throughput",
  key: "floor",
  unit: "queries/s",
  ours: "forebay",
  oursSamples: [87, 90, 84],
  other: "wire floor",
  otherSamples: [100, 100, 100],
  target: { op: ">=", limit: 0.85 },
};

/** The same, with the other one missing. */
function without(comparison: Comparison, leftOut: string): Comparison {
  const { what, unit, ours, oursSamples } = comparison;
  const { key = "", other = "", target } = comparison;
  const aim = target === undefined ? {} : { target };
  return { what, key, unit, ours, oursSamples, other, leftOut, ...aim };
}

function report(...comparisons: Comparison[]) {
  return reportOf(BENCH, comparisons.map(findingOf));
}

describe("the report for programs", () => {
  test("has each ratio as a number and each target as a text, by the same key", () => {
    const slow = { ...throughput, key: "pg", other: "pg", otherSamples: [30, 30, 30] };
    const { id, ratios, targets, met } = report(throughput, {
      ...slow,
      target: { op: ">=", limit: 2 },
    });
    expect({ id, ratios, targets, met }).toEqual({
      id: "P1",
      ratios: { floor: 0.87, pg: 2.9 },
      targets: { floor: ">= 0.85", pg: ">= 2" },
      met: true,
    });
  });

  test("has a ratio that is the median of the rounds' ratios, not the ratio of two medians", () => {
    const { ratios } = report({
      ...throughput,
      oursSamples: [10, 40, 90],
      otherSamples: [5, 40, 10],
    });
    expect(ratios).toEqual({ floor: 2 });
  });

  test("is not met where a target is missed, and says which", () => {
    const { met, missed } = report({ ...throughput, target: { op: ">=", limit: 0.9 } });
    expect({ met, missed }).toEqual({ met: false, missed: ["floor"] });
  });

  test("is not met where one with a target was left out, and says why", () => {
    const found = report(throughput, {
      ...without(throughput, "Bun is not installed"),
      key: "bun",
      other: "Bun.SQL",
    });
    expect(found.met).toBe(false);
    expect(found.missed).toEqual([]);
    expect(found.leftOut).toEqual({ bun: "Bun is not installed" });
    expect(found.ratios).toEqual({ floor: 0.87 });
  });

  test("is met where one without a target was left out", () => {
    const { target: _, ...peer } = without(throughput, "Go is not installed");
    expect(report(throughput, { ...peer, key: "pgxpool" }).met).toBe(true);
  });

  test("has a figure that stands alone by its key, with its target", () => {
    const alone: Comparison = {
      what: "listeners",
      key: "listeners",
      unit: "count",
      ours: "forebay",
      oursSamples: [0, 0],
      target: { op: "<=", limit: 0 },
    };
    const { figures, targets, ratios, met } = report(alone);
    expect(figures["listeners"]).toEqual({ median: 0, low: 0, high: 0, rounds: 2, unit: "count" });
    expect({ targets, ratios, met }).toEqual({
      targets: { listeners: "<= 0" },
      ratios: {},
      met: true,
    });
  });

  test("names a ratio without a key by what is compared", () => {
    const { key: _, ...nameless } = throughput;
    expect(Object.keys(report(nameless).ratios)).toEqual(["throughput: forebay / wire floor"]);
  });

  test("is refused where two findings have the same key", () => {
    expect(() => report(throughput, throughput)).toThrow("P1 has two findings with the key floor");
  });
});

test("the table says why one was left out, and judges nothing of it", () => {
  const table = tableOf([findingOf(without(throughput, "Bun is not installed"))]);
  expect(table).toContain("left out: Bun is not installed");
  expect(table).not.toMatch(/met|MISSED/);
});
