// Scenario 7: the native layer or the portable one. Runs the arms in turns; what they show is put
// together in 07-findings.ts.

import { needConnections } from "../budget.ts";
import { type ChunkedTurn, chunkedTurn } from "../chunks.ts";
import { byName, roundNote, takeTurns } from "../compare.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import {
  ARMS,
  BATCH,
  CONNECTIONS,
  groupsOf,
  type LayersArm,
  type LayersPlan,
  MANY,
  openLayers,
  planLayers,
  runMany,
} from "./07-arms.ts";
import { describeLayers } from "./07-findings.ts";

/** All that scenario 7 measured. */
export interface LayersMeasured {
  readonly plan: LayersPlan;
  /** None of those that cannot be run on this server. */
  readonly arms: Readonly<Record<LayersArm, readonly ChunkedTurn[]>>;
}

/** One each for five arms, many callers for two, three for large results, and the two networks. */
const LEAST_BUDGET = 5 + 2 * CONNECTIONS + 3 + 2 + (BATCH + 1);

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, LEAST_BUDGET);
  const plan = planLayers(context);
  context.step("opening", 1500);
  const ready = await openLayers(context);
  const groups = groupsOf(context.server);
  const turns = await takeTurns({
    rounds: plan.rounds + 1,
    signal: context.signal,
    arms: [
      ...groups.map((group) => (round: number) => {
        step(context, plan, group.arms.join(", "), round);
        const operates = group.arms.map((arm) => ({ operate: ready[arm] }));
        return chunkedTurn(context, operates, plan[group.plan]);
      }),
      ...MANY.map((arm) => async (round: number) => {
        step(context, plan, arm, round);
        return [await runMany(context, ready[arm], plan.manyCallersRequests)];
      }),
    ],
  });
  const names = [...groups.map((group) => group.arms), ...MANY.map((arm) => [arm])];
  const arms = new Map<LayersArm, ChunkedTurn[]>();
  for (const [group, armsOfGroup] of names.entries()) {
    for (const [at, arm] of armsOfGroup.entries()) {
      // The first round meets cold code.
      const ofArm = (turns[group] ?? []).slice(1).map((round) => round[at]);
      arms.set(
        arm,
        ofArm.filter((turn) => turn !== undefined),
      );
    }
  }
  const measured: LayersMeasured = {
    plan,
    arms: byName(ARMS, (arm) => arms.get(arm) ?? []),
  };
  return describeLayers(context, measured, await context.judge());
}

function step(context: ScenarioContext, plan: LayersPlan, name: string, round: number): void {
  const note = roundNote(round, plan.rounds);
  const steps = groupsOf(context.server).length + MANY.length;
  const expectedMs = nativeOrPortable[context.isQuick ? "expectedQuickMs" : "expectedMs"];
  context.step(name, expectedMs / ((plan.rounds + 1) * steps), note);
}

/** Scenario 7 of the guide. */
export const nativeOrPortable: Scenario = {
  id: 7,
  title: "The native layer or the portable one",
  needs: `${LEAST_BUDGET + 1} free connections; on a server of yours twice that; TCP`,
  expectedMs: 20_000,
  expectedQuickMs: 8000,
  run,
};
