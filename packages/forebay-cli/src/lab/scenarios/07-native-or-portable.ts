// Scenario 7: the native layer or the portable one. Runs the arms in turns; what they show is put
// together in 07-findings.ts.

import { needConnections } from "../budget.ts";
import { type ChunkedTurn, chunkedTurn } from "../chunks.ts";
import { byName, roundNote, takeTurns, takeTurnsByName } from "../compare.ts";
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
    steal: context.steal,
    arms: groups.map((group) => (round: number) => {
      step(context, group.arms.join(", "), round, plan.rounds);
      const operates = group.arms.map((arm) => ({ operate: ready[arm] }));
      return chunkedTurn(context, operates, plan[group.plan]);
    }),
  });
  const arms = new Map<LayersArm, readonly ChunkedTurn[]>();
  for (const [group, armsOfGroup] of groups.map((one) => one.arms).entries()) {
    for (const [at, arm] of armsOfGroup.entries()) {
      // The first round meets cold code.
      const ofArm = (turns[group] ?? []).slice(1).map((round) => round[at]);
      arms.set(
        arm,
        ofArm.filter((turn) => turn !== undefined),
      );
    }
  }
  const many = await takeTurnsByName({
    rounds: plan.manyRounds + 1,
    signal: context.signal,
    steal: context.steal,
    names: MANY,
    take: (arm, round) => {
      step(context, arm, round, plan.manyRounds);
      return runMany(context, ready[arm], plan.manyRequests);
    },
  });
  for (const arm of MANY) arms.set(arm, many[arm].slice(1));
  const measured: LayersMeasured = {
    plan,
    arms: byName(ARMS, (arm) => arms.get(arm) ?? []),
  };
  return describeLayers(context, measured, await context.judge());
}

/** Most of the time goes to the groups, a tenth to many callers. */
function step(context: ScenarioContext, name: string, round: number, rounds: number): void {
  const { length } = groupsOf(context.server);
  const isMany = MANY.some((arm) => arm === name);
  const expectedMs = nativeOrPortable[context.isQuick ? "expectedQuickMs" : "expectedMs"];
  const partMs = expectedMs * (isMany ? 0.1 / MANY.length : 0.9 / length);
  context.step(name, partMs / (rounds + 1), roundNote(round, rounds));
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
