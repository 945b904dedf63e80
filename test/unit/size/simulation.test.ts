import { describe, expect, test } from "vitest";
import { answerSize, expectationOf } from "../../../packages/forebay-cli/src/size/answer.ts";
import { agrees, compareWithTheory } from "../../../packages/forebay-cli/src/size/check.ts";
import {
  planSimulation,
  type Simulation,
  simulatePool,
} from "../../../packages/forebay-cli/src/size/simulation.ts";
import { Timeline } from "../../../packages/forebay-cli/src/size/timeline.ts";
import { workloadOf } from "../../../packages/forebay-cli/src/size/workload.ts";

const GUIDE = workloadOf({ qps: "2000", p50Ms: "2", p99Ms: "30" });
const watch = { signal: new AbortController().signal, onProgress: () => undefined };

function simulate(connections: number, durationMs: number, seed = 1): Promise<Simulation> {
  const pool = { connections, acquireTimeoutMs: 1000, maxWaiters: 500 };
  return simulatePool(planSimulation(GUIDE, pool, { durationMs, seed }), watch);
}

describe("the real pool in virtual time", () => {
  test("does what theory expects of it, where many wait and where few do", async () => {
    for (const connections of [10, 14]) {
      const simulation = await simulate(connections, 8000);
      const { load } = answerSize(GUIDE);
      const rows = compareWithTheory(expectationOf(GUIDE, connections), load, simulation);
      expect(rows.map((row) => [row.what, row.agrees])).toEqual([
        ["requests that wait", true],
        ["mean wait", true],
        ["in use on average", true],
      ]);
      expect(simulation.requests).toBeGreaterThan(15_000);
      expect(simulation.timedOut + simulation.queueFull).toBe(0);
    }
  });

  test("gives the same figures for the same seed, and others for another", async () => {
    const [one, again, other] = [
      await simulate(12, 500),
      await simulate(12, 500),
      await simulate(12, 500, 2),
    ];
    expect(again).toEqual(one);
    expect(other.requests).not.toBe(one.requests);
  });

  test("turns requests away where the pool is smaller than the load", async () => {
    const simulation = await simulate(4, 3000);
    expect(simulation.queueFull + simulation.timedOut).toBeGreaterThan(1000);
    expect(simulation.meanInUse).toBeCloseTo(4, 2);
    expect(simulation.longestWaitMs).toBeLessThanOrEqual(1000.001);
  });

  test("stops when it is told to", async () => {
    const abort = new AbortController();
    const plan = planSimulation(
      GUIDE,
      { connections: 16, acquireTimeoutMs: 1000, maxWaiters: 500 },
      { durationMs: 100_000, seed: 1 },
    );
    const run = simulatePool(plan, {
      signal: abort.signal,
      onProgress: () => abort.abort(new Error("enough")),
    });
    await expect(run).rejects.toThrow("enough");
  });
});

test("theory agrees where the interval comes within a quarter of it, and not beyond", () => {
  expect(agrees(1, { value: 1.4, low: 1.25, high: 1.6 })).toBe(true);
  expect(agrees(1, { value: 1.4, low: 1.26, high: 1.6 })).toBe(false);
  expect(agrees(1, { value: 0.7, low: 0.6, high: 0.75 })).toBe(true);
  expect(agrees(1, { value: 0.7, low: 0.6, high: 0.74 })).toBe(false);
});

test("a timeline keeps the exact integral, and the most of each stretch", () => {
  const timeline = new Timeline(10, 40, 4);
  timeline.note(20, 2, 0);
  timeline.note(35, 4, 1);
  timeline.note(100, 1, 0);
  expect(timeline.meanInUse).toBeCloseTo((2 * 10 + 4 * 15 + 1 * 15) / 40, 12);
  expect(timeline.bins.map((bin) => [bin.atMs, bin.meanInUse, bin.mostInUse])).toEqual([
    [0, 2, 2],
    [10, 4, 4],
    [20, 2.5, 4],
    [30, 1, 1],
  ]);
  expect(timeline.bins[2]).toMatchObject({ meanWaiting: 0.5, mostWaiting: 1 });
});
