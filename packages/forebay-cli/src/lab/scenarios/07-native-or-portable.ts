// Scenario 7: the native layer or the portable one. Runs the arms in turns; what they show is put
// together in 07-findings.ts.

import { takeTurns } from "../compare.ts";
import {
  type Findings,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
} from "../scenario.ts";
import type { Turn } from "../turn.ts";
import {
  ARMS,
  BATCH,
  CONNECTIONS,
  type LayersArm,
  type LayersPlan,
  openLayers,
  planLayers,
  runLayersTurn,
} from "./07-arms.ts";
import { describeLayers } from "./07-findings.ts";

/** All that scenario 7 measured. */
export interface LayersMeasured {
  readonly plan: LayersPlan;
  readonly arms: Readonly<Record<LayersArm, readonly Turn[]>>;
}

/** One each for three arms, many callers for two, three for large results, and the two networks. */
const LEAST_BUDGET = 3 + 2 * CONNECTIONS + 3 + 2 + (BATCH + 1);

async function run(context: ScenarioContext): Promise<Findings> {
  if (context.facts.budget < LEAST_BUDGET) {
    throw new ScenarioNotPossible(
      `It needs ${LEAST_BUDGET} connections, and may use ${context.facts.budget}. ` +
        context.facts.budgetNote,
    );
  }
  const plan = planLayers(context);
  context.step("opening", 1500);
  const ready = await openLayers(context, plan);
  const turns = await takeTurns({
    rounds: plan.rounds + 1,
    signal: context.signal,
    arms: ARMS.map((arm) => (round: number) => {
      const note = round === 0 ? "warming up" : `round ${round} of ${plan.rounds}`;
      context.step(arm, expectedTurnMs(plan, arm), note);
      return runLayersTurn(context, ready[arm]);
    }),
  });
  // The first round meets cold code.
  const arms = Object.fromEntries(ARMS.map((arm, at) => [arm, turns[at]?.slice(1) ?? []]));
  const measured: LayersMeasured = { plan, arms: arms as Record<LayersArm, Turn[]> };
  return describeLayers(context, measured, await context.judge());
}

function expectedTurnMs(plan: LayersPlan, arm: LayersArm): number {
  if (arm.startsWith("large")) return plan.largeRequests * 4;
  if (arm.startsWith("far")) return plan.batches * (arm === "farOneByOne" ? 32 : 5);
  if (arm.startsWith("near")) return plan.batches * 4;
  return arm.endsWith("Many") ? plan.manyCallersRequests * 0.1 : plan.oneRowRequests * 0.2;
}

/** Scenario 7 of the guide. */
export const nativeOrPortable: Scenario = {
  id: 7,
  title: "The native layer or the portable one",
  needs: `${LEAST_BUDGET + 1} free connections; on a server of yours twice that; TCP`,
  expectedMs: 45_000,
  expectedQuickMs: 15_000,
  run,
};
