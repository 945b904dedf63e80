import { expect, test } from "vitest";
import { LatencyHistogram } from "../../../packages/forebay-cli/src/lab/histogram.ts";
import { ScenarioNotPossible } from "../../../packages/forebay-cli/src/lab/scenario.ts";
import type {
  BalancerRun,
  SteadyRun,
} from "../../../packages/forebay-cli/src/lab/scenarios/03-arms.ts";
import { claimOfBalancer } from "../../../packages/forebay-cli/src/lab/scenarios/03-claim.ts";
import {
  peakWithin,
  planBalancer,
} from "../../../packages/forebay-cli/src/lab/scenarios/03-plan.ts";

test.each([
  [[], 0],
  [[5], 1],
  [[0, 99, 100, 199, 200], 2],
  [[0, 50, 99, 300, 301], 3],
])("the most of %j within 100 ms are %i", (times, peak) => {
  expect(peakWithin(times, 100)).toBe(peak);
});

test("the plan fits into the server's budget, or says that it does not", () => {
  for (const budget of [23, 30, 39, 500]) {
    const plan = planBalancer(false, budget);
    expect(6 * plan.connections).toBeLessThanOrEqual(budget - 4);
    expect(4 + 2.5 * plan.steadyConnections).toBeLessThanOrEqual(budget - 4);
  }
  expect(() => planBalancer(false, 22)).toThrow(ScenarioNotPossible);
});

test.each([true, false])("timers lie below the timeout, lulls above (quick: %s)", (isQuick) => {
  const plan = planBalancer(isQuick, 39);
  for (const timer of [plan.idleTimeMs, plan.lifetimeMs, plan.keepaliveMs, plan.pingAfterIdleMs]) {
    expect(timer).toBeLessThan(plan.inactivityMs);
  }
  expect(plan.periodMs * 0.87).toBeGreaterThan(1.1 * plan.inactivityMs);
});

function run(stale: number, closedBy: readonly number[]): BalancerRun {
  const response = new LatencyHistogram();
  return {
    arm: {
      name: "",
      role: "change",
      settings: {},
      request: () => Promise.resolve(),
      counts: () => run(0, []),
    },
    lulls: closedBy.length,
    requests: 100,
    served: 100,
    failures: {},
    response,
    first: response,
    stale,
    lifetimeClosedBy: closedBy,
    acquires: 100 + stale,
    dials: 0,
    lost: 0,
    lifetimeClosed: closedBy.at(-1) ?? 0,
    idleTimeClosed: 0,
    pings: 0,
    pingsFailed: 0,
  };
}

function steady(lost: number): SteadyRun {
  const counts = { requests: 100, failed: 0, lost, lifetimeClosed: 24, dialedAtMs: [] };
  return { name: "", role: "change", settings: {}, ...counts };
}

function claim(busyLost: number, closedBy: readonly number[]) {
  const plan = planBalancer(false, 39);
  return claimOfBalancer(plan, {
    tested: 10,
    go: run(10, [0, 0]),
    bare: run(0, [0, 0]),
    timed: [],
    keepalive: run(0, [0, 0]),
    aged: [run(0, closedBy), run(0, closedBy)],
    silentBare: run(0, [0]),
    silentTimed: [],
    busy: steady(busyLost),
    herd: steady(0),
    spread: steady(0),
    herdPeak: 12,
    spreadPeak: 4,
  });
}

test("the claim is refuted as long as HAProxy leaves busy connections alone", () => {
  expect(claim(0, [5, 10]).verdict).toBe("refuted");
  expect(claim(0, [5, 10]).parts.filter((part) => part.verdict === "refuted")).toHaveLength(1);
  expect(claim(4, [5, 10]).verdict).toBe("holds");
});

test("a lifetime that closes nothing in a lull does not grow steadily", () => {
  const [grows] = claim(4, [5, 5]).parts.filter(({ text }) => text.includes("grows"));
  expect(grows?.verdict).toBe("refuted");
});
