// Scenario 2: as many idle connections as open ones. Runs the arms in order; what they show is put
// together in 02-findings.ts.

import { needConnections } from "../budget.ts";
import { takeTurns } from "../compare.ts";
import type { ArmPool } from "../pools.ts";
import { seededLabRandom } from "../random.ts";
import type { Findings, Scenario, ScenarioContext } from "../scenario.ts";
import { duration } from "../words.ts";
import {
  BURST,
  type IdleArm,
  type IdleTurn,
  type IdleWork,
  openIdleArm,
  prepareWork,
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
  readonly work: IdleWork;
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

function planOf(context: ScenarioContext, work: IdleWork): IdlePlan {
  const plan = context.isQuick
    ? { rounds: 6, burstsPerTurn: 4, requestsPerTurn: 300, dialsPerTurn: 8, steadyMs: 1000 }
    : { rounds: 8, burstsPerTurn: 10, requestsPerTurn: 1250, dialsPerTurn: 20, steadyMs: 4000 };
  // As many as take as long as the scenario's own reads would.
  const room = (plan.requestsPerTurn * QUERY_MS) / Math.max(work.queryMs, QUERY_MS);
  return { ...plan, requestsPerTurn: Math.max(LEAST_REQUESTS, Math.round(room)) };
}

/** What the scenario's own read takes at most on a machine of two cores. */
const QUERY_MS = 0.2;
/** A median of fewer says little. */
const LEAST_REQUESTS = 30;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, LEAST_BUDGET);
  const work = await prepareWork(context);
  const lab = { context, work, plan: planOf(context, work) };
  const measured: IdleMeasured = {
    work,
    rounds: lab.plan.rounds,
    bursts: await compareBursts(lab),
    sequential: await compareSequential(lab),
    steady: await compareSteady(lab),
    none: await runNone(lab),
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

/** What every part of the scenario works with. */
interface IdleLab {
  readonly context: ScenarioContext;
  readonly work: IdleWork;
  readonly plan: IdlePlan;
}

/**
 * Runs arms in turns. Their pools stay open over all turns, so that no turn pays for the warming of
 * another.
 */
async function takeArms(
  { context, work }: IdleLab,
  options: { readonly arms: readonly IdleArm[]; readonly rounds: number; readonly warm: number },
  turn: (pool: ArmPool, arm: IdleArm, round: number) => Promise<IdleTurn>,
): Promise<IdleTurn[][]> {
  const pools: ArmPool[] = [];
  for (const arm of options.arms) pools.push(await openIdleArm(context, work, arm, options.warm));
  const turns = await takeTurns({
    rounds: options.rounds,
    signal: context.signal,
    steal: context.steal,
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

async function compareBursts(lab: IdleLab): Promise<Record<Rules, IdlePairs>> {
  const { context, work, plan } = lab;
  const options = { arms: ARMS, rounds: plan.rounds, warm: BURST.requests };
  const slowest = new Map<number, number>();
  const turns = await takeArms(lab, options, async (pool, arm, round) => {
    const expectedMs = plan.burstsPerTurn * BURST.everyMs + 30;
    const note = `round ${round + 1} of ${plan.rounds}`;
    context.step(`bursts, ${nameOf(arm)}`, expectedMs, note, figureOf(slowest));
    const turn = await runBursts(context, work, pool, plan.burstsPerTurn);
    slowest.set(arm.maxIdleConns, turn.response.percentileMs(99));
    return turn;
  });
  return byRules(turns);
}

/** What the person who waits wants to see: the effect, as far as it is known. */
function figureOf(p99Ms: ReadonlyMap<number, number>): string {
  const two = p99Ms.get(TWO);
  const all = p99Ms.get(ALL);
  if (two === undefined || all === undefined) return "";
  return `p99 ${duration(two)} with two idle, ${duration(all)} with ten`;
}

/** Turns that are short, and many: what the machine does within one tells the arms apart. */
const SEQUENTIAL_SPLIT = 10;

async function compareSequential(lab: IdleLab): Promise<Record<Rules, IdlePairs>> {
  const { context, work, plan } = lab;
  const rounds = plan.rounds * SEQUENTIAL_SPLIT;
  const requests = Math.ceil(plan.requestsPerTurn / SEQUENTIAL_SPLIT);
  const options = { arms: ARMS, rounds, warm: TWO };
  const turns = await takeArms(lab, options, (pool, arm, round) => {
    const expectedMs = requests * Math.max(work.queryMs, QUERY_MS);
    context.step(`one caller, ${nameOf(arm)}`, expectedMs, `round ${round + 1} of ${rounds}`);
    return runSequential(context, work, pool, requests);
  });
  return byRules(turns);
}

async function compareSteady(lab: IdleLab): Promise<IdlePairs> {
  const { context, work, plan } = lab;
  const arms = ARMS.filter((arm) => arm.rules === "database/sql");
  const options = { arms, rounds: 2, warm: BURST.requests };
  const [two = [], all = []] = await takeArms(lab, options, (pool, arm, round) => {
    context.step(`steady traffic, ${nameOf(arm)}`, plan.steadyMs / 2);
    const random = seededLabRandom(5000 + round);
    return runSteadyTraffic(context, work, pool, plan.steadyMs / 2, random);
  });
  return { two, all };
}

function nameOf(arm: IdleArm): string {
  return `${arm.rules}, ${arm.maxIdleConns} idle`;
}

/** As many turns as those with idle connections have, for the pairs. */
async function runNone(lab: IdleLab): Promise<IdleTurn[]> {
  const { context, work, plan } = lab;
  const dials = Math.ceil(plan.dialsPerTurn / SEQUENTIAL_SPLIT);
  const options = {
    arms: [{ rules: "Forebay", maxIdleConns: 0 } as const],
    rounds: plan.rounds * SEQUENTIAL_SPLIT,
    warm: 1,
  };
  const [turns = []] = await takeArms(lab, options, (pool) => {
    context.step("one caller, none idle", dials * 10);
    return runSequential(context, work, pool, dials);
  });
  return turns;
}

/** Scenario 2 of the guide. */
export const idleEqualsOpen: Scenario = {
  id: 2,
  title: "As many idle connections as open ones",
  needs: "37 free connections; on a server of yours twice that",
  expectedMs: 55_000,
  expectedQuickMs: 17_000,
  takesQuery: true,
  run,
};
