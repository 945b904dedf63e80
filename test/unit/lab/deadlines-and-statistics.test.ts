import { describe, expect, test } from "vitest";
import {
  type Judgements,
  LOOK_WAYS,
} from "../../../packages/forebay-cli/src/lab/scenarios/15-arms.ts";
import { describeStats } from "../../../packages/forebay-cli/src/lab/scenarios/15-findings.ts";
import { describeChurn } from "../../../packages/forebay-cli/src/lab/scenarios/13-findings.ts";
import { ANY, BARE, WAYS, WHEEL } from "../../../packages/forebay-cli/src/lab/scenarios/13-ways.ts";
import { eight, madeUpContext, madeUpTurn, plainJudge, saidBy } from "./made-up-turns.ts";

type StatsMeasured = Parameters<typeof describeStats>[1];

type ChurnMeasured = Parameters<typeof describeChurn>[1];

/** 100 queries a turn; those of AbortSignal.any take three times the CPU time of none. */
function churn(changed: {
  wheelCpuMs?: number;
  anyKept?: number;
  lateCancels?: number;
  ownWaitNs?: number;
}) {
  const { wheelCpuMs = 3, anyKept = 300, lateCancels = 0, ownWaitNs = 400 } = changed;
  const cpuMs = (name: string): number => (name === BARE ? 3 : name === WHEEL ? wheelCpuMs : 9);
  const measured: ChurnMeasured = {
    rounds: 8,
    queriesPerRound: 100,
    keptQueries: 100,
    arms: WAYS.map((way) => ({
      way,
      turns: eight(madeUpTurn(100, 0.1, cpuMs(way.name))),
      timers: { made: way.name === WHEEL ? 50 : 4000, queries: 4000, tookMs: 1000 },
      listenersPeak: 1,
      listenersAtRest: 0,
      keptBytes: way.name === ANY ? anyKept : 1,
      keptForGoodBytes: 0,
    })),
    instant: { none: eight(350), any: eight(4000), own: eight(ownWaitNs) },
    wheelLateMs: [5, 15],
    signalLateMs: [1, 1],
    races: { races: 100, stopped: 50, lateCancels, wrong: 0 },
  };
  return describeChurn(madeUpContext, measured, plainJudge);
}

describe("what scenario 13 says", () => {
  test("a deadline that adds nothing passes, and what concerns Go is not looked at", () => {
    const { claim, forebay } = churn({});
    expect(forebay.verdict).toBe("pass");
    expect(claim.verdict).toBe("holds");
    expect(claim.parts.map(({ verdict }) => verdict)).toEqual([
      "holds",
      "holds",
      "holds",
      "skipped",
    ]);
    expect(saidBy(churn({}))).not.toMatch(/NaN|unknown|undefined|null/);
  });

  test("a deadline that adds as much as the naive one fails, and refutes the cure", () => {
    const { claim, forebay } = churn({ wheelCpuMs: 9 });
    expect(forebay.verdict).toBe("fail");
    expect(claim.verdict).toBe("refuted");
  });

  test("a wait whose deadline costs as much as AbortSignal.any fails", () => {
    expect(churn({ ownWaitNs: 4000 }).forebay.verdict).toBe("fail");
  });

  test("a query that another's deadline stopped fails", () => {
    expect(churn({ lateCancels: 1 }).forebay.verdict).toBe("fail");
  });

  test("memory is not judged where the naive way keeps none", () => {
    const kept = churn({ anyKept: 0 }).forebay.checks.find(({ name }) => name.startsWith("Bytes"));
    expect(kept?.verdict).toBe("inconclusive");
  });
});

/** stats() takes `statsNs` of a request of 0.1 ms. */
function stats(statsNs: number, missed: number, workerAgeMs = 90) {
  const judgements: Judgements = {
    requests: 1000,
    full: 400,
    missed,
    falseAlarms: 0,
    ageMs: [10, 50, 90],
    turn: madeUpTurn(1000, 20, 100),
  };
  const price = {
    statsNs: eight(statsNs),
    statsBytes: 500,
    histogramsNs: eight(8000),
    histogramsMaxMs: 0.1,
    histogramsP99Ms: 0.1,
  };
  const measured: StatsMeasured = {
    rounds: 8,
    calls: 8000,
    prices: [10, 1000].map((size) => ({ ...price, size })),
    looks: LOOK_WAYS.map((way) => ({
      way,
      cpuNs: eight(400),
      turns: eight(madeUpTurn(100, 0.1, 5)),
    })),
    short: judgements,
    long: judgements,
    worker: { readNs: 5, ageMs: [10, workerAgeMs], askMs: [0.05, 0.3] },
  };
  return describeStats(madeUpContext, measured, plainJudge);
}

describe("what scenario 15 says", () => {
  test("a cheap stats() and a gauge that is wrong refute the guide", () => {
    const { claim, forebay } = stats(80, 300);
    expect(forebay.verdict).toBe("pass");
    expect(claim.verdict).toBe("refuted");
    expect(claim.parts[2]?.verdict).toBe("refuted");
    expect(claim.why).toContain("wrong at 300 of 1,000");
    expect(saidBy(stats(80, 300))).not.toMatch(/NaN|unknown|undefined|null/);
  });

  test("a dear stats() and a right gauge bear the guide out, but for the lock of Go", () => {
    const { claim, forebay } = stats(5000, 0);
    expect(forebay.verdict).toBe("fail");
    expect(claim.verdict).toBe("holds");
    expect(claim.parts.map(({ verdict }) => verdict)).toEqual([
      "skipped",
      "holds",
      "holds",
      "holds",
    ]);
  });

  test("a gauge that gets to a worker thread too old fails", () => {
    expect(stats(80, 300, 150).forebay.verdict).toBe("fail");
  });
});
