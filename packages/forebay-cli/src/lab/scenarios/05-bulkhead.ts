// Scenario 5: a share of the connections for each route. Runs the arms in turns; what they show is
// put together in 05-findings.ts.

import { availableParallelism } from "node:os";
import { takeTurns } from "../compare.ts";
import { seededLabRandom } from "../random.ts";
import type { Findings, Scenario, ScenarioContext } from "../scenario.ts";
import {
  ARMS,
  type BulkheadArm,
  type BulkheadPlan,
  BulkheadPools,
  type BulkheadTurn,
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
  const plan = planBulkhead(context, availableParallelism());
  const pools = await BulkheadPools.open(context, plan);
  // Whatever a first turn meets cold is not an arm's.
  await pools.turn("alone", seededLabRandom(49));
  const turns = await takeTurns({
    rounds: plan.rounds,
    signal: context.signal,
    arms: ARMS.map((arm) => (round: number) => {
      context.step(arm, expectedTurnMs(plan, arm), `round ${round + 1} of ${plan.rounds}`);
      return pools.turn(arm, seededLabRandom(50 + round));
    }),
  });
  const arms = Object.fromEntries(ARMS.map((arm, at) => [arm, turns[at] ?? []]));
  const measured: BulkheadMeasured = {
    plan,
    arms: arms as Record<BulkheadArm, BulkheadTurn[]>,
    cpu: context.server.kind === "embedded" ? await runCpu(context, plan, pools) : undefined,
  };
  await pools.close();
  return describeBulkhead(context, measured, await context.judge());
}

async function runCpu(
  context: ScenarioContext,
  plan: BulkheadPlan,
  pools: BulkheadPools,
): Promise<Record<CpuArm, BulkheadTurn[]>> {
  const turn = (arm: CpuArm) => (round: number) => {
    context.step(`slow queries that compute, ${arm}`, plan.turnMs + 200, `round ${round + 1}`);
    return pools.cpuTurn(arm, seededLabRandom(90 + round));
  };
  const [cap = [], fewerThanCores = []] = await takeTurns({
    rounds: plan.cpuRounds,
    signal: context.signal,
    arms: [turn("cap"), turn("fewerThanCores")],
  });
  return { cap, fewerThanCores };
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
  expectedMs: 70_000,
  expectedQuickMs: 17_000,
  run,
};
