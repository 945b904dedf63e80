// Scenario 16: the guide's benchmark, and one that can tell what it is asked. Runs the arms in
// order; what they show is put together in 16-findings.ts.

import {
  type Findings,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
} from "../scenario.ts";
import { counted } from "../words.ts";
import {
  type BenchArm,
  BenchPools,
  type BenchRun,
  type OpenRun,
  runArms,
  runOpen,
  SELECT_1,
  SLEEP,
  SLEEP_MS,
  SLOWED_RATIO,
  totalsOf,
} from "./16-arms.ts";
import { describeBench } from "./16-findings.ts";

/** All that scenario 16 measured. */
export interface BenchMeasured {
  readonly rounds: number;
  /** Connections of the pool, and of one half as large. */
  readonly size: number;
  readonly half: number;
  /** The guide's template: as many callers as processors, fewer than connections. */
  readonly template: readonly BenchRun[];
  /** As many callers as connections, and four times as many. */
  readonly equal: BenchRun;
  readonly crowded: BenchRun;
  /** More callers than connections on the half pool and the whole one: SELECT 1, and a slow one. */
  readonly fastHalf: BenchRun;
  readonly fastWhole: BenchRun;
  readonly slowHalf: BenchRun;
  readonly slowWhole: BenchRun;
  /** The slow statement with a connection for each caller. */
  readonly slowRoomy: BenchRun;
  /** Two arms that are the same, and one that was made slower. */
  readonly same: BenchRun;
  readonly twin: BenchRun;
  readonly slowed: BenchRun;
  readonly open: readonly OpenRun[];
}

/** The guide's pool has 50 connections; the lab's server has 40 in all. */
const SIZE_MAX = 20;
const LEAST_SIZE = 4;
/** The values of -cpu that the guide uses. */
const TEMPLATE_CALLERS = [1, 4, 16];
const CROWD = 4;

interface BenchPlan {
  readonly size: number;
  readonly rounds: number;
  /** Of a turn: with SELECT 1, and with the slow statement. */
  readonly requests: number;
  readonly slowRequests: number;
}

async function run(context: ScenarioContext): Promise<Findings> {
  const { budget, budgetNote } = context.facts;
  // The whole pool and the half one are open at once.
  const size = Math.min(SIZE_MAX, 2 * Math.floor(budget / 3));
  if (size < LEAST_SIZE) {
    throw new ScenarioNotPossible(`It needs ${(LEAST_SIZE * 3) / 2} connections. ${budgetNote}`);
  }
  const half = size / 2;
  const { isQuick } = context;
  const plan: BenchPlan = isQuick
    ? { size, rounds: 6, requests: 1600, slowRequests: 240 }
    : { size, rounds: 8, requests: 4000, slowRequests: 720 };
  const pools = new BenchPools(context);
  const { rounds } = plan;
  const [equal, crowded, ...template] = await runArms(context, pools, closedArms(plan), rounds);
  const doubled = await runArms(context, pools, doubledArms(plan), rounds);
  const [fastHalf, fastWhole, slowHalf, slowWhole, slowRoomy] = doubled;
  const [same, twin, slowed] = await runArms(context, pools, twinArms(plan), rounds);
  const peak = { size, perS: totalsOf(required(equal)).perS };
  const open = await runOpen(context, pools, peak, {
    ratios: [0.5, 0.8, 0.95],
    turnMs: isQuick ? 500 : 2500,
  });
  const measured: BenchMeasured = {
    rounds,
    size,
    half,
    template,
    equal: required(equal),
    crowded: required(crowded),
    fastHalf: required(fastHalf),
    fastWhole: required(fastWhole),
    slowHalf: required(slowHalf),
    slowWhole: required(slowWhole),
    slowRoomy: required(slowRoomy),
    same: required(same),
    twin: required(twin),
    slowed: required(slowed),
    open,
  };
  return describeBench(context, measured, await context.judge());
}

function required(run: BenchRun | undefined): BenchRun {
  if (run === undefined) throw new RangeError("an arm has not run");
  return run;
}

function closedArms({ size, requests }: BenchPlan): BenchArm[] {
  const arm = (callers: number, role: BenchArm["role"], what: string): BenchArm => ({
    name: `${what}, ${counted(callers, "caller")}`,
    role,
    callers,
    size,
    sql: SELECT_1,
    // One caller alone takes long over many.
    requests: callers === 1 ? requests / 4 : requests,
    slowedRatio: 0,
  });
  return [
    arm(size, "variant", "as many as connections"),
    arm(size * CROWD, "change", "four times as many"),
    ...TEMPLATE_CALLERS.filter((callers) => callers <= size).map((callers) =>
      arm(callers, "baseline", "the template"),
    ),
  ];
}

function doubledArms({ size, requests, slowRequests }: BenchPlan): BenchArm[] {
  const half = size / 2;
  const callers = size * CROWD;
  const arm = (connections: number, sql: string): BenchArm => ({
    name: `${sql === SLEEP ? `${SLEEP_MS} ms` : "SELECT 1"}, ${connections} connections`,
    role: "variant",
    callers,
    size: connections,
    sql,
    requests: sql === SLEEP ? slowRequests : requests,
    slowedRatio: 0,
  });
  const roomy: BenchArm = {
    ...arm(half, SLEEP),
    name: `${SLEEP_MS} ms, a connection for each caller`,
    callers: half,
    requests: slowRequests / 3,
  };
  return [arm(half, SELECT_1), arm(size, SELECT_1), arm(half, SLEEP), arm(size, SLEEP), roomy];
}

function twinArms({ size, requests }: BenchPlan): BenchArm[] {
  const arm = (name: string, role: BenchArm["role"], slowedRatio: number): BenchArm => ({
    name,
    role,
    callers: size,
    size,
    sql: SELECT_1,
    requests,
    slowedRatio,
  });
  return [
    arm("the same", "negative control", 0),
    arm("the same once more", "negative control", 0),
    arm(`slower by ${SLOWED_RATIO * 100} %`, "variant", SLOWED_RATIO),
  ];
}

/** Scenario 16 of the guide. */
export const benchmarkTemplate: Scenario = {
  id: 16,
  title: "A benchmark that can tell the pool from the query",
  needs: "31 free connections, or fewer callers",
  expectedMs: 45_000,
  expectedQuickMs: 13_000,
  run,
};
