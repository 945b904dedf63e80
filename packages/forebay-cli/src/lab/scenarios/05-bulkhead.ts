// Scenario 5: a share of the connections for each route. Runs the arms in turns; what they show is
// put together in 05-findings.ts.

import { takeTurnsByName } from "../compare.ts";
import { seededLabRandom } from "../random.ts";
import type { Findings, Scenario, ScenarioContext } from "../scenario.ts";
import {
  ARMS,
  type BulkheadArm,
  type BulkheadPlan,
  BulkheadPools,
  type BulkheadTurn,
  CPU_ARMS,
  type CpuArm,
  planBulkhead,
  SLOW_MS,
} from "./05-arms.ts";
import { describeBulkhead } from "./05-findings.ts";

/** All that scenario 5 measured. */
export interface BulkheadMeasured {
  readonly plan: BulkheadPlan;
  readonly arms: Readonly<Record<BulkheadArm, readonly BulkheadTurn[]>>;
  /** Absent on a server whose processors are not the lab's to keep busy. */
  readonly cpu: Readonly<Record<CpuArm, readonly BulkheadTurn[]>> | undefined;
}

async function run(context: ScenarioContext): Promise<Findings> {
  const plan = planBulkhead(context, context.facts.cores);
  const pools = await BulkheadPools.open(context, plan);
  // Whatever a first turn meets cold is not an arm's.
  await pools.turn("alone", seededLabRandom(49));
  const arms = await takeTurnsByName({
    rounds: plan.rounds,
    signal: context.signal,
    steal: context.steal,
    names: ARMS,
    take: (arm, round, note) => {
      context.step(arm, expectedTurnMs(plan, arm), note);
      return pools.turn(arm, seededLabRandom(50 + round));
    },
  });
  const measured: BulkheadMeasured = {
    plan,
    arms,
    cpu: context.server.kind === "embedded" ? await runCpu(context, plan, pools) : undefined,
  };
  await pools.close();
  return describeBulkhead(context, measured, await context.judge());
}

function runCpu(
  context: ScenarioContext,
  plan: BulkheadPlan,
  pools: BulkheadPools,
): Promise<Record<CpuArm, readonly BulkheadTurn[]>> {
  return takeTurnsByName({
    rounds: plan.cpuRounds,
    signal: context.signal,
    steal: context.steal,
    names: CPU_ARMS,
    take: (arm, round, note) => {
      context.step(`queries that compute, ${arm}`, plan.turnMs + 200, note);
      return pools.cpuTurn(arm, seededLabRandom(90 + round));
    },
  });
}

function expectedTurnMs(plan: BulkheadPlan, arm: BulkheadArm): number {
  const isCapped = ["semaphore", "bulkhead", "ownPool"].includes(arm);
  return plan.turnMs + (isCapped ? 2 * SLOW_MS : SLOW_MS);
}

/** Scenario 5 of the guide. */
export const bulkhead: Scenario = {
  id: 5,
  title: "A share of the pool for each route",
  needs: "31 free connections; on a server of yours twice that, or a smaller load",
  expectedMs: 155_000,
  expectedQuickMs: 60_000,
  run,
};
