import { describe, expect, test } from "vitest";
import {
  type ScenarioContext,
  ScenarioNotPossible,
} from "../../../packages/forebay-cli/src/lab/scenario.ts";
import {
  planBulkhead,
  withBurst,
} from "../../../packages/forebay-cli/src/lab/scenarios/05-arms.ts";

function planFor(budget: number, cores = 2) {
  const context = { facts: { budget, budgetNote: "That is all." }, isQuick: false };
  return planBulkhead(context as unknown as ScenarioContext, cores);
}

describe("the plan of the bulkhead scenario", () => {
  test("is the guide's load at a quarter of its size where there are connections enough", () => {
    const plan = planFor(38);
    expect(plan).toMatchObject({ connections: 25, cap: 5, fastPerS: 250, slowPerS: 25, burst: 25 });
  });

  test.each([12, 18, 29, 1000])("fits into %i connections, and its cap keeps up", (budget) => {
    const plan = planFor(budget);
    expect(plan.connections + plan.cap).toBeLessThanOrEqual(budget);
    expect((plan.slowPerS * 0.1) / plan.cap).toBeLessThan(0.8);
  });

  test("is not made for fewer connections than it needs", () => {
    expect(() => planFor(11)).toThrow(ScenarioNotPossible);
  });

  test("never caps at no connection at all", () => {
    expect(planFor(38, 1).cpuCap).toBe(1);
    expect(planFor(38, 8).cpuCap).toBe(7);
  });
});

test("a burst is put between the arrivals that come one by one", () => {
  expect(withBurst([10, 60], 50, 2)).toEqual([10, 50, 50, 60]);
});
