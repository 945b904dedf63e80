// Scenario 16: the guide's benchmark, and one that can tell what it is asked. Runs the arms in
// order; what they show is put together in 16-findings.ts.

import { allocatedBytes } from "../op-cost.ts";
import type { AskedStatement } from "../query.ts";
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
  BUSY_MS,
  type BenchRun,
  chooseStatement,
  type OpenRun,
  runArms,
  runOpen,
  runTwins,
  SLEEP,
  SLEEP_MS,
  totalsOf,
  type Twins,
} from "./16-arms.ts";
import { describeBench } from "./16-findings.ts";
import { type ProcessesMeasured, runProcesses } from "./16-processes.ts";

/** All that scenario 16 measured. */
export interface BenchMeasured {
  readonly rounds: number;
  readonly statement: AskedStatement;
  /** Connections of the pool, and of one half as large. */
  readonly size: number;
  readonly half: number;
  /** The guide's template: as many callers as processors, fewer than connections. */
  readonly template: readonly BenchRun[];
  /** As many callers as connections, and four times as many. */
  readonly equal: BenchRun;
  readonly crowded: BenchRun;
  /** More callers than connections, half the pool and all: the statement, and a slow one. */
  readonly fastHalf: BenchRun;
  readonly fastWhole: BenchRun;
  readonly slowHalf: BenchRun;
  readonly slowWhole: BenchRun;
  /** The slow statement with a connection for each caller. */
  readonly slowRoomy: BenchRun;
  /** Many callers whose requests keep this process busy. */
  readonly busy: BenchRun;
  /** Two arms that are the same, and one that was made slower. */
  readonly twins: Twins;
  readonly open: readonly OpenRun[];
  readonly processes: ProcessesMeasured;
  /** What one query allocates in this process, on the heap. */
  readonly allocatedBytes: number;
}

/** The guide's pool has 50 connections; the lab's server has 40 in all. */
const SIZE_MAX = 20;
const LEAST_SIZE = 4;
/** The values of -cpu that the guide uses. */
const TEMPLATE_CALLERS = [1, 4, 16];
const CROWD = 4;
/** What differs by a fifth is told apart by more rounds than what differs by a factor. */
const TWIN_ROUNDS = 2;
/** So many requests each caller has in a turn, at least. */
const LEAST_EACH = 4;

interface BenchPlan {
  readonly size: number;
  readonly rounds: number;
  readonly statement: AskedStatement;
  /** Of a turn: with the statement, and with the slow one. */
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
  const statement = await chooseStatement(context);
  // A turn of a slower statement takes about as long, but not with too few requests to look at.
  const least = LEAST_EACH * size * CROWD;
  const slower = Math.max(1, statement.aloneMs / context.calibration.queryP50Ms);
  const requests = Math.max(least, Math.round((isQuick ? 1600 : 4000) / slower));
  const plan: BenchPlan = isQuick
    ? { size, rounds: 6, statement, requests, slowRequests: 240 }
    : { size, rounds: 8, statement, requests, slowRequests: 720 };
  const pools = new BenchPools(context);
  const { rounds } = plan;
  const [equal, crowded, ...template] = await runArms(context, pools, closedArms(plan), rounds);
  const doubled = await runArms(context, pools, doubledArms(plan), rounds);
  const [fastHalf, fastWhole, slowHalf, slowWhole, slowRoomy, busy] = doubled;
  const db = await pools.open(size);
  const twins = await runTwins(context, db, statement, TWIN_ROUNDS * rounds);
  const peak = { size, perS: totalsOf(required(equal)).perS, sql: statement.sql };
  const open = await runOpen(context, pools, peak, {
    ratios: [0.5, 0.8, 0.95],
    turnMs: isQuick ? 500 : 2500,
  });
  const allocated = await allocatedBytes(() => db.query(statement.sql));
  await pools.close();
  const processes = await runProcesses(context, {
    callers: 2 * Math.floor(half / 2),
    sql: statement.sql,
    rounds,
    turnMs: isQuick ? 250 : 600,
  });
  const measured: BenchMeasured = {
    rounds,
    statement,
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
    busy: required(busy),
    twins,
    open,
    processes,
    allocatedBytes: allocated,
  };
  return describeBench(context, measured, await context.judge());
}

function required(run: BenchRun | undefined): BenchRun {
  if (run === undefined) throw new RangeError("an arm has not run");
  return run;
}

/** How long so many requests take where callers keep the server and this process busy. */
function expectedMsOf(statement: AskedStatement, requests: number): number {
  return requests * Math.max(0.07, statement.aloneMs / 2);
}

function closedArms({ size, statement, requests }: BenchPlan): BenchArm[] {
  const arm = (callers: number, role: BenchArm["role"], what: string): BenchArm => {
    // One caller alone takes long over many.
    const own = callers === 1 ? Math.ceil(requests / 4) : requests;
    return {
      name: `${what}, ${counted(callers, "caller")}`,
      role,
      callers,
      size,
      sql: statement.sql,
      busyMs: 0,
      requests: own,
      expectedMs: expectedMsOf(statement, own),
    };
  };
  return [
    arm(size, "variant", "as many as connections"),
    arm(size * CROWD, "change", "four times as many"),
    ...TEMPLATE_CALLERS.filter((callers) => callers <= size).map((callers) =>
      arm(callers, "baseline", "the template"),
    ),
  ];
}

function doubledArms({ size, statement, requests, slowRequests }: BenchPlan): BenchArm[] {
  const half = size / 2;
  const common = { role: "variant", callers: size * CROWD, busyMs: 0 } as const;
  const fast = (connections: number): BenchArm => ({
    ...common,
    name: `${statement.name}, ${connections} connections`,
    size: connections,
    sql: statement.sql,
    requests,
    expectedMs: expectedMsOf(statement, requests),
  });
  const slow = (connections: number): BenchArm => ({
    ...common,
    name: `${SLEEP_MS} ms, ${connections} connections`,
    size: connections,
    sql: SLEEP,
    requests: slowRequests,
    expectedMs: (slowRequests * SLEEP_MS) / connections,
  });
  const roomy: BenchArm = {
    ...slow(half),
    name: `${SLEEP_MS} ms, a connection for each caller`,
    callers: half,
    requests: slowRequests / 3,
  };
  const busyRequests = Math.max(LEAST_EACH * size * CROWD, Math.ceil(requests / 4));
  const busy: BenchArm = {
    ...fast(size),
    name: `${statement.name} and ${BUSY_MS} ms of this process`,
    busyMs: BUSY_MS,
    requests: busyRequests,
    expectedMs: busyRequests * BUSY_MS,
  };
  return [fast(half), fast(size), slow(half), slow(size), roomy, busy];
}

/** Scenario 16 of the guide. */
export const benchmarkTemplate: Scenario = {
  id: 16,
  title: "A benchmark that can tell the pool from the query",
  needs: "31 free connections, or fewer callers",
  expectedMs: 70_000,
  expectedQuickMs: 22_000,
  takesQuery: true,
  run,
};
