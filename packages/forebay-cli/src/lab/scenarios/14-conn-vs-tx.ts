// Scenario 14: a Conn or a Tx for work that needs one session. Runs the arms in order; what they
// show is put together in 14-findings.ts.

import { needConnections } from "../budget.ts";
import { takeTurnsByName } from "../compare.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import { describeHolders } from "./14-findings.ts";
import {
  type LockFigures,
  type PoolerFigures,
  runBehindPooler,
  runLocks,
  whyNoPooler,
} from "./14-locks.ts";
import {
  HOLDER_KEYS,
  type HolderKey,
  HOLDERS,
  Keeper,
  prepareHeld,
  runHolder,
  type VacuumSize,
  type VacuumTurn,
} from "./14-vacuum.ts";

/** All that scenario 14 measured. */
export interface HolderMeasured {
  readonly rounds: number;
  readonly size: VacuumSize;
  readonly turns: Readonly<Record<HolderKey, readonly VacuumTurn[]>>;
  readonly locks: LockFigures;
  readonly pooler: PoolerFigures | undefined;
  readonly whyNoPooler: string | undefined;
}

interface HolderPlan extends VacuumSize {
  readonly rounds: number;
  readonly trials: number;
}

function planOf(context: ScenarioContext): HolderPlan {
  return context.isQuick
    ? { rounds: 1, rows: 10_000, rewrites: 5, trials: 8 }
    : { rounds: 3, rows: 20_000, rewrites: 8, trials: 20 };
}

/** The keeper, the holder, and three sessions that lock, one of them for a moment twice. */
const LEAST_BUDGET = 6;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, LEAST_BUDGET);
  const plan = planOf(context);
  await prepareHeld(context);
  const turns = await holdAll(context, plan);
  context.step("advisory locks", plan.trials * 40);
  const locks = await runLocks(context, plan.trials);
  const without = whyNoPooler(context);
  let pooler: PoolerFigures | undefined;
  if (without === undefined) {
    context.step("behind PgBouncer", 1500);
    pooler = await runBehindPooler(context, plan.trials);
  }
  const measured = { ...plan, size: plan, turns, locks, pooler, whyNoPooler: without };
  return describeHolders(context, measured, await context.judge());
}

function holdAll(
  context: ScenarioContext,
  plan: HolderPlan,
): Promise<Record<HolderKey, readonly VacuumTurn[]>> {
  const keeper = new Keeper(context);
  return takeTurnsByName({
    rounds: plan.rounds,
    signal: context.signal,
    steal: context.steal,
    names: HOLDER_KEYS,
    take: async (key, _round, note) => {
      context.step(HOLDERS[key].name, (plan.rows * plan.rewrites) / 160, note);
      context.loop.begin();
      const turn = await runHolder(context, keeper, HOLDERS[key], plan);
      context.loop.end();
      return turn;
    },
  });
}

/** Scenario 14 of the guide. */
export const connVsTx: Scenario = {
  id: 14,
  title: "A Conn or a Tx for work that needs one session",
  needs: "six free connections; PgBouncer for some of its arms",
  expectedMs: 25_000,
  expectedQuickMs: 8_000,
  run,
};
