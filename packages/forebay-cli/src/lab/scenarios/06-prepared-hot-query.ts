// Scenario 6: one query that makes most of the traffic, prepared or not. Runs the arms in turns;
// what they show is put together in 06-findings.ts.

import { needConnections } from "../budget.ts";
import { type ChunkedTurn, chunkedTurn } from "../chunks.ts";
import { roundNote, takeTurns } from "../compare.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import {
  ARMS,
  chooseHot,
  GROUPS,
  type HotArm,
  type HotPlan,
  type HotQuery,
  type Kept,
  openHot,
  planHot,
} from "./06-arms.ts";
import { describeHot } from "./06-findings.ts";

/** All that scenario 6 measured. */
export interface HotMeasured {
  readonly plan: HotPlan;
  readonly query: HotQuery;
  readonly arms: Readonly<Record<HotArm, readonly ChunkedTurn[]>>;
  /** Of the default mode: what the server kept, and how often the query ran. */
  readonly cachedKept: Kept;
  readonly cachedRuns: number;
  readonly thrashKept: Kept;
  readonly trappedKept: Kept;
  readonly rareKept: Kept;
}

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, ARMS.length);
  const query = await chooseHot(context);
  const plan = planHot(context, query);
  context.step("opening", 2000);
  const hot = await openHot(context, query);
  const stepMs = prepared[context.isQuick ? "expectedQuickMs" : "expectedMs"] - 3000;
  const turns = await takeTurns({
    rounds: plan.rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: GROUPS.map((group) => (round: number) => {
      const note = roundNote(round, plan.rounds);
      context.step(group.plan, stepMs / ((plan.rounds + 1) * GROUPS.length), note);
      return chunkedTurn(
        context,
        group.arms.map((arm) => hot.arms[arm]),
        plan[group.plan],
      );
    }),
  });
  const arms = GROUPS.flatMap((group, at) =>
    group.arms.map((arm, place) => {
      // The first round meets cold code.
      const rounds = (turns[at] ?? []).slice(1).map((round) => round[place]);
      return [arm, rounds.filter((turn) => turn !== undefined)] as const;
    }),
  );
  const measured: HotMeasured = {
    plan,
    query,
    arms: Object.fromEntries(arms) as Record<HotArm, ChunkedTurn[]>,
    cachedKept: await hot.kept("cached"),
    cachedRuns: hot.cachedRuns(),
    thrashKept: await hot.kept("thrash"),
    trappedKept: await hot.kept("skewTrapped"),
    rareKept: await hot.kept("skewRare"),
  };
  return describeHot(context, measured, await context.judge());
}

/** Scenario 6 of the guide. */
export const prepared: Scenario = {
  id: 6,
  title: "A hot query, prepared",
  needs: `${ARMS.length + 1} free connections; on a server of yours twice that; TCP`,
  expectedMs: 45_000,
  expectedQuickMs: 14_000,
  takesQuery: true,
  run,
};
