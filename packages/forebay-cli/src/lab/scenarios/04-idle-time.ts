// Scenario 4: how long a connection may be idle, and what idle ones take at the server. Runs the
// arms in order; what they show is put together in 04-findings.ts.

import { needConnections } from "../budget.ts";
import type { ProcessMemory } from "../backend-memory.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import {
  type IdleTimeArm,
  type IdleTimePlan,
  type IdleTimeTurn,
  prepareTables,
  readFresh,
  runIdleTime,
} from "./04-arms.ts";
import { describeIdleTime } from "./04-findings.ts";

/** An arm with what it gave. */
export interface IdleTimeRun {
  readonly arm: IdleTimeArm;
  readonly turn: IdleTimeTurn;
}

/** All that scenario 4 measured. */
export interface IdleTimeMeasured {
  readonly plan: IdleTimePlan;
  readonly fresh: ProcessMemory | undefined;
  readonly none: IdleTimeRun;
  readonly lifo: IdleTimeRun;
  readonly fifo: IdleTimeRun;
  /**
   * First in, first out, with less traffic than it takes to use every connection in time; not in a
   * quick run.
   */
  readonly fifoSlow: IdleTimeRun | undefined;
  readonly kept: IdleTimeRun;
  readonly pruned: IdleTimeRun;
}

const PEAK = 30;
const LEAST_PEAK = 20;
const RATE_PER_S = 60;
const KEPT = 5;

function planOf({ facts, isQuick }: ScenarioContext): IdleTimePlan {
  const peak = Math.min(PEAK, facts.budget);
  return isQuick
    ? { peak, idleTimeMs: 1000, quietMs: 2000 }
    : { peak, idleTimeMs: 2000, quietMs: 5000 };
}

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, LEAST_PEAK);
  const plan = planOf(context);
  await prepareTables(context);
  const fresh = await readFresh(context);
  const one = async (change: Partial<IdleTimeArm> & Pick<IdleTimeArm, "name" | "role">) => {
    const arm: IdleTimeArm = {
      idleOrder: "lifo",
      idleTimeMs: plan.idleTimeMs,
      minIdleConns: 0,
      prunesByMedian: false,
      ratePerS: RATE_PER_S,
      ...change,
    };
    context.step(arm.name, plan.quietMs + 800);
    return { arm, turn: await runIdleTime(context, plan, arm) };
  };
  const slowPerS = Math.round(plan.peak / 2 / (plan.idleTimeMs / 1000));
  const measured: IdleTimeMeasured = {
    plan,
    fresh,
    none: await one({ name: "no idle time", role: "baseline", idleTimeMs: Infinity }),
    lifo: await one({ name: "idle time, last in first out", role: "change" }),
    fifo: await one({
      name: "idle time, first in first out",
      role: "negative control",
      idleOrder: "fifo",
    }),
    fifoSlow: context.isQuick
      ? undefined
      : await one({
          name: `idle time, first in first out, ${slowPerS} requests/s`,
          role: "variant",
          idleOrder: "fifo",
          ratePerS: slowPerS,
        }),
    kept: await one({
      name: `idle time, ${KEPT} always idle`,
      role: "variant",
      minIdleConns: KEPT,
    }),
    pruned: await one({
      name: "pruned by the median of idle ones",
      role: "variant",
      idleTimeMs: Infinity,
      prunesByMedian: true,
    }),
  };
  return describeIdleTime(context, measured, await context.judge());
}

/** Scenario 4 of the guide. */
export const idleTime: Scenario = {
  id: 4,
  title: "Idle time, and the memory of idle connections",
  needs: `${LEAST_PEAK + 1} free connections; on a server of yours twice that`,
  expectedMs: 38_000,
  expectedQuickMs: 15_000,
  run,
};
