import { describe, expect, test } from "vitest";
import { LatencyHistogram } from "../../../packages/forebay-cli/src/lab/histogram.ts";
import type { ScenarioContext } from "../../../packages/forebay-cli/src/lab/scenario.ts";
import { planReports } from "../../../packages/forebay-cli/src/lab/scenarios/10-arms.ts";
import { claimOfReports } from "../../../packages/forebay-cli/src/lab/scenarios/10-claim.ts";
import type {
  ReportsArmFigures,
  ReportsFigures,
} from "../../../packages/forebay-cli/src/lab/scenarios/10-findings.ts";
import { type Estimate, exact } from "../../../packages/forebay-cli/src/lab/compare.ts";

const plan = planReports({
  facts: { budget: 38, budgetNote: "" },
  isQuick: false,
} as unknown as ScenarioContext);

function arm(waitedRatio: number, reportsInUseMost: number): ReportsArmFigures {
  return {
    requests: {
      response: new LatencyHistogram(),
      p99: exact(2),
      overAlone: exact(1),
      overAloneMs: exact(0),
      p90: exact(1),
      waitedRatio,
    },
    waitedOverShared: exact(waitedRatio / 0.6),
    reportsInUseMost,
    reportsDone: 1,
    reportsDonePerTurn: 1,
    meanTurnMs: 900,
  };
}

function claimWith(fewWaited: number, over: Estimate = exact(fewWaited / 0.6)) {
  const figures: ReportsFigures = {
    alone: arm(0, 0),
    few: { ...arm(fewWaited, plan.fewReports), waitedOverShared: over },
    shared: arm(0.6, plan.connections),
    split: arm(0, plan.reportConnections),
    bulkhead: arm(0, plan.reportConnections),
    reading: undefined,
    bulkheadOverShared: exact(0.01),
    splitOverShared: exact(0.01),
    indexRatio: exact(0.01),
    scanMs: 100,
    indexMs: 1,
  };
  return claimOfReports(plan, figures);
}

describe("what is said of the guide's reports", () => {
  test("its verification is refuted where nobody waits without the remedy either", () => {
    const claim = claimWith(0);
    expect(claim.verdict).toBe("refuted");
    const refuted = claim.parts.filter(({ verdict }) => verdict === "refuted");
    expect(refuted.map(({ text }) => text)).toEqual([
      "Verification: 10 reports at once show whether the remedy works.",
    ]);
    expect(refuted[0]?.measured).toContain("passes with the remedy and without");
  });

  test("nothing is said of its verification where the turns differ too much", () => {
    const claim = claimWith(0.1, { value: 0.17, low: 0, high: 0.8 });
    expect(claim.verdict).toBe("inconclusive");
    expect(claim.parts[3]?.measured).toContain("not clear in this run");
  });

  test("its verification holds where few reports starve the others", () => {
    const claim = claimWith(0.5);
    expect(claim.verdict).toBe("holds");
    expect(claim.parts[3]?.measured).toContain("tells the one from the other");
  });
});

test("the plan of the reports is the guide's at a smaller size, and fits", () => {
  expect(plan).toMatchObject({
    connections: 20,
    reportConnections: 2,
    fewReports: 4,
    manyReports: 24,
  });
  for (const budget of [11, 15, 22, 500]) {
    const small = planReports({ facts: { budget, budgetNote: "" }, isQuick: true } as never);
    expect(small.connections + small.reportConnections).toBeLessThanOrEqual(budget);
    expect(small.reportConnections).toBeGreaterThanOrEqual(1);
  }
});
