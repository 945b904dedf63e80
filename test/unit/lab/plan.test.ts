import { describe, expect, test } from "vitest";
import { collectGarbage, liveBytes } from "../../../packages/forebay-cli/src/lab/memory.ts";
import { erlangC } from "../../../packages/forebay-cli/src/lab/queueing.ts";
import type { ScenarioContext } from "../../../packages/forebay-cli/src/lab/scenario.ts";
import { planLittle } from "../../../packages/forebay-cli/src/lab/scenarios/01-plan.ts";

function planFor(budget: number, kind: "embedded" | "given" = "embedded") {
  const context = { facts: { budget }, isQuick: false, server: { kind } };
  return planLittle(context as unknown as ScenarioContext);
}

describe("the plan of the first scenario", () => {
  test("is the guide's load, five times slower, where there are connections enough", () => {
    const plan = planFor(39);
    expect(plan).toMatchObject({ ratePerS: 400, chosen: 16, big: 32, tooFew: 4, probe: 12 });
    expect(plan.load).toBeCloseTo(7.88, 2);
    expect(plan.sweep).toEqual([10, 12, 14]);
    expect(plan.mayExhaust).toBe(true);
  });

  test.each([8, 12, 20, 31, 1000])(
    "fits into %i connections, and is still sized right",
    (budget) => {
      const plan = planFor(budget);
      expect(plan.big).toBeLessThanOrEqual(budget);
      expect(Math.max(...plan.cpuSizes)).toBeLessThanOrEqual(budget);
      expect(erlangC(plan.chosen, plan.load)).toBeLessThanOrEqual(0.01);
      expect(erlangC(plan.chosen - 1, plan.load)).toBeGreaterThan(0.01);
      expect(plan.tooFew).toBeGreaterThanOrEqual(1);
    },
  );

  test("never drives somebody else's server into its limit", () => {
    expect(planFor(39, "given").mayExhaust).toBe(false);
  });
});

test("live bytes show what is kept, and not what is garbage", () => {
  collectGarbage();
  const before = liveBytes();
  const kept = Array.from({ length: 100 }, (_, at) => Buffer.alloc(100_000, at));
  collectGarbage();
  expect(liveBytes() - before).toBeGreaterThan(9e6);
  expect(kept.length).toBe(100);
  kept.length = 0;
  collectGarbage();
  expect(liveBytes() - before).toBeLessThan(2e6);
});
