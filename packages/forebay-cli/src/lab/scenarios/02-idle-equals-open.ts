// Scenario 2: as many idle connections as open ones. Runs the arms in order; what they show is put
// together in 02-findings.ts.

import { needConnections } from "../budget.ts";
import { takeTurns } from "../compare.ts";
import type { ArmPool } from "../pools.ts";
import { seededLabRandom } from "../random.ts";
import type { Findings, Scenario, ScenarioContext } from "../scenario.ts";
import {
  BURST,
  type IdleArm,
  type IdleTurn,
  openIdleArm,
  prepareItems,
  type Rules,
  runBursts,
  runSequential,
  runSteadyTraffic,
} from "./02-arms.ts";
import { describeIdle } from "./02-findings.ts";

/** The turns of two settings, by round. */
export interface IdlePairs {
  /** Two idle connections at most: database/sql's default. */
  readonly two: readonly IdleTurn[];
  /** As many as may be open. */
  readonly all: readonly IdleTurn[];
}

/** All that scenario 2 measured. */
export interface IdleMeasured {
  readonly rounds: number;
  readonly bursts: Readonly<Record<Rules, IdlePairs>>;
  readonly sequential: Readonly<Record<Rules, IdlePairs>>;
  /** The guide's steady traffic, by database/sql's rules. */
  readonly steady: IdlePairs;
  /** No idle connection at all, one caller: a dial for each request. */
  readonly none: readonly IdleTurn[];
}

interface IdlePlan {
  readonly rounds: number;
  readonly burstsPerTurn: number;
  readonly requestsPerTurn: number;
  readonly dialsPerTurn: number;
  readonly steadyMs: number;
}

function planOf(context: ScenarioContext): IdlePlan {
  return context.isQuick
    ? { rounds: 6, burstsPerTurn: 4, requestsPerTurn: 300, dialsPerTurn: 8, steadyMs: 1000 }
    : { rounds: 8, burstsPerTurn: 10, requestsPerTurn: 1250, dialsPerTurn: 20, steadyMs: 4000 };
}

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, LEAST_BUDGET);
  const plan = planOf(context);
  await prepareItems(context);
  const measured: IdleMeasured = {
    rounds: plan.rounds,
    bursts: await compareBursts(context, plan),
    sequential: await compareSequential(context, plan),
    steady: await compareSteady(context, plan),
    none: await runNone(context, plan),
  };
  return describeIdle(context, measured, await context.judge());
}

const TWO = 2;
const ALL = BURST.requests;

/**
 * Two arms keep ten each; a third is in a burst, while a fourth may still be closing what its burst
 * left.
 */
const LEAST_BUDGET = 3 * ALL + 3 * TWO;

const ARMS: readonly IdleArm[] = [
  { rules: "database/sql", maxIdleConns: TWO },
  { rules: "Forebay", maxIdleConns: TWO },
  { rules: "database/sql", maxIdleConns: ALL },
  { rules: "Forebay", maxIdleConns: ALL },
];

/**
 * Runs arms in turns. Their pools stay open over all turns, so that no turn pays for the warming of
 * another.
 */
async function takeArms(
  context: ScenarioContext,
  options: { readonly arms: readonly IdleArm[]; readonly rounds: number; readonly warm: number },
  turn: (pool: ArmPool, arm: IdleArm, round: number) => Promise<IdleTurn>,
): Promise<IdleTurn[][]> {
  const pools: ArmPool[] = [];
  for (const arm of options.arms) pools.push(await openIdleArm(context, arm, options.warm));
  const turns = await takeTurns({
    rounds: options.rounds,
    signal: context.signal,
    arms: options.arms.map((arm, at) => (round: number) => {
      const pool = pools[at];
      if (pool === undefined) throw new RangeError("an arm has no pool");
      return turn(pool, arm, round);
    }),
  });
  await Promise.all(pools.map((pool) => pool.close()));
  return turns;
}

function byRules(turns: readonly IdleTurn[][]): Record<Rules, IdlePairs> {
  const [goTwo = [], ownTwo = [], goAll = [], ownAll = []] = turns;
  return { "database/sql": { two: goTwo, all: goAll }, Forebay: { two: ownTwo, all: ownAll } };
}

async function compareBursts(
  context: ScenarioContext,
  plan: IdlePlan,
): Promise<Record<Rules, IdlePairs>> {
  const options = { arms: ARMS, rounds: plan.rounds, warm: BURST.requests };
  const turns = await takeArms(context, options, (pool, arm, round) => {
    const expectedMs = plan.burstsPerTurn * BURST.everyMs + 30;
    context.step(`bursts, ${nameOf(arm)}`, expectedMs, `round ${round + 1} of ${plan.rounds}`);
    return runBursts(context, pool, plan.burstsPerTurn);
  });
  return byRules(turns);
}

async function compareSequential(
  context: ScenarioContext,
  plan: IdlePlan,
): Promise<Record<Rules, IdlePairs>> {
  const options = { arms: ARMS, rounds: plan.rounds, warm: TWO };
  const turns = await takeArms(context, options, (pool, arm, round) => {
    const expectedMs = plan.requestsPerTurn * 0.2;
    context.step(`one caller, ${nameOf(arm)}`, expectedMs, `round ${round + 1} of ${plan.rounds}`);
    return runSequential(context, pool, plan.requestsPerTurn);
  });
  return byRules(turns);
}

async function compareSteady(context: ScenarioContext, plan: IdlePlan): Promise<IdlePairs> {
  const arms = ARMS.filter((arm) => arm.rules === "database/sql");
  const options = { arms, rounds: 2, warm: BURST.requests };
  const [two = [], all = []] = await takeArms(context, options, (pool, arm, round) => {
    context.step(`steady traffic, ${nameOf(arm)}`, plan.steadyMs / 2);
    return runSteadyTraffic(context, pool, plan.steadyMs / 2, seededLabRandom(5000 + round));
  });
  return { two, all };
}

function nameOf(arm: IdleArm): string {
  return `${arm.rules}, ${arm.maxIdleConns} idle`;
}

async function runNone(context: ScenarioContext, plan: IdlePlan): Promise<IdleTurn[]> {
  const pool = await openIdleArm(context, { rules: "Forebay", maxIdleConns: 0 }, 1);
  const turns: IdleTurn[] = [];
  for (let turn = 0; turn < plan.rounds; turn++) {
    context.step("one caller, none idle", plan.dialsPerTurn * 10);
    turns.push(await runSequential(context, pool, plan.dialsPerTurn));
  }
  await pool.close();
  return turns;
}

/** Scenario 2 of the guide. */
export const idleEqualsOpen: Scenario = {
  id: 2,
  title: "As many idle connections as open ones",
  needs: "37 free connections; on a server of yours twice that",
  expectedMs: 55_000,
  expectedQuickMs: 17_000,
  run,
};
