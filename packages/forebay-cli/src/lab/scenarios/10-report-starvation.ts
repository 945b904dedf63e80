// Scenario 10: reports that must not take the application's connections. Runs the arms in turns;
// what they show is put together in 10-findings.ts.

import { takeTurns } from "../compare.ts";
import { seededLabRandom } from "../random.ts";
import type { Findings, Scenario, ScenarioContext } from "../scenario.ts";
import {
  planReports,
  READING,
  ReportPools,
  type ReportsArm,
  type ReportsPlan,
  type ReportsTurn,
  type SingleReports,
  SLEEPING,
} from "./10-arms.ts";
import { describeReports } from "./10-findings.ts";

/** All that scenario 10 measured. */
export interface ReportsMeasured {
  readonly plan: ReportsPlan;
  /** The arms with reports that read are absent on a server that is not the lab's to keep busy. */
  readonly arms: ReadonlyMap<ReportsArm, readonly ReportsTurn[]>;
  readonly single: SingleReports;
}

async function run(context: ScenarioContext): Promise<Findings> {
  const plan = planReports(context);
  context.step("tables", 1000);
  const pools = await ReportPools.open(context, plan);
  const single = await pools.singleReports();
  await pools.turn("alone", seededLabRandom(99));
  const take = async (
    arms: readonly ReportsArm[],
    rounds: number,
  ): Promise<[ReportsArm, ReportsTurn[]][]> => {
    const turns = await takeTurns({
      rounds,
      signal: context.signal,
      steal: context.steal,
      arms: arms.map((arm) => (round: number) => {
        context.step(arm, expectedTurnMs(plan, arm), `round ${round + 1} of ${rounds}`);
        return pools.turn(arm, seededLabRandom(100 + round));
      }),
    });
    return arms.map((arm, at) => [arm, turns[at] ?? []]);
  };
  const sleeping = await take(SLEEPING, plan.rounds);
  const reading = context.server.kind === "embedded" ? await take(READING, plan.scanRounds) : [];
  await pools.close();
  const measured: ReportsMeasured = { plan, arms: new Map([...sleeping, ...reading]), single };
  return describeReports(context, measured, await context.judge());
}

function expectedTurnMs(plan: ReportsPlan, arm: ReportsArm): number {
  return plan.turnMs + (arm === "scanShared" ? 700 : 50);
}

/** Scenario 10 of the guide. */
export const reportStarvation: Scenario = {
  id: 10,
  title: "Reports that do not take all connections",
  needs: "23 free connections; on a server of yours twice that, or a smaller load",
  expectedMs: 55_000,
  expectedQuickMs: 15_000,
  run,
};
