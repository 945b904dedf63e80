// Scenario 13: what watches over the deadline of each query. Runs the arms in order; what they show
// is put together in 13-findings.ts.

import { needConnections } from "../budget.ts";
import { pause, timeoutSignal } from "../clock.ts";
import { roundNote, takeTurns } from "../compare.ts";
import { collectGarbage, liveBytes } from "../memory.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import { countTimers } from "../timer-count.ts";
import { closedTurn, type Turn } from "../turn.ts";
import { describeChurn } from "./13-findings.ts";
import { type InstantMeasured, timeInstant } from "./13-instant.ts";
import { measureLateness, type Races, runRaces } from "./13-races.ts";
import {
  type BoundWay,
  CALLERS,
  DEADLINE_MS,
  listenersOf,
  parentSignal,
  type Program,
  WAYS,
} from "./13-ways.ts";

/** A way, with what it took. */
export interface ChurnArm {
  readonly way: BoundWay;
  /** By round. */
  readonly turns: readonly Turn[];
  /** In a turn of its own, with as many queries and seconds as are said here. */
  readonly timers: { readonly made: number; readonly queries: number; readonly tookMs: number };
  readonly listenersPeak: number;
  readonly listenersAtRest: number;
  /** Bytes alive after a garbage collection for each query: at once, and after all deadlines. */
  readonly keptBytes: number;
  readonly keptForGoodBytes: number;
}

/** All that scenario 13 measured. */
export interface ChurnMeasured {
  readonly rounds: number;
  readonly queriesPerRound: number;
  readonly keptQueries: number;
  readonly arms: readonly ChurnArm[];
  readonly instant: InstantMeasured;
  readonly wheelLateMs: readonly number[];
  readonly signalLateMs: readonly number[];
  readonly races: Races;
}

interface ChurnPlan {
  readonly rounds: number;
  readonly queries: number;
  readonly instantQueries: number;
  readonly keptQueries: number;
  readonly keptDeadlineMs: number;
  readonly lateQueries: number;
  readonly raceMs: number;
}

function planOf(context: ScenarioContext): ChurnPlan {
  const quick = { rounds: 16, queries: 600, keptQueries: 4000, keptDeadlineMs: 2000 };
  const full = { rounds: 24, queries: 1600, keptQueries: 8000, keptDeadlineMs: 4000 };
  return context.isQuick
    ? { ...quick, instantQueries: 3200, lateQueries: 24, raceMs: 1500 }
    : { ...full, instantQueries: 6400, lateQueries: 60, raceMs: 8000 };
}

/** Of whom each has another query stopped at every moment. */
const RACERS = 8;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, 2 * CALLERS);
  const plan = planOf(context);
  const { clock, pools } = context;
  const db = pools.openDb({ maxOpenConns: CALLERS, maxIdleConns: CALLERS });
  await db.warmUp(CALLERS);
  const program = { clock, db, parent: parentSignal(), deadlineMs: DEADLINE_MS };
  // First, since timers of other turns would be let go of meanwhile.
  const kept = await weighWays(context, plan, program);
  const turns = await timeWays(context, plan, program);
  const arms: ChurnArm[] = [];
  for (const [at, way] of WAYS.entries()) {
    const counted = await countWay(context, plan, program, way);
    const weighed = kept.get(way) ?? { keptBytes: Number.NaN, keptForGoodBytes: Number.NaN };
    arms.push({ way, turns: turns[at] ?? [], ...counted, ...weighed });
  }
  await db.close();
  const instant = await timeInstant(context, plan.rounds, plan.instantQueries);
  context.step("deadlines that are met", plan.lateQueries * 60);
  const { lateQueries } = plan;
  const measured: ChurnMeasured = {
    rounds: plan.rounds,
    queriesPerRound: plan.queries,
    keptQueries: plan.keptQueries,
    arms,
    instant,
    wheelLateMs: await measureLateness(context, lateQueries, (timeoutMs) => ({ timeoutMs })),
    signalLateMs: await measureLateness(context, lateQueries, (deadlineMs) => ({
      signal: timeoutSignal(deadlineMs),
    })),
    races: await race(context, plan),
  };
  return describeChurn(context, measured, await context.judge());
}

function race(context: ScenarioContext, plan: ChurnPlan): Promise<Races> {
  context.step("races of ends with deadlines and aborts", plan.raceMs);
  return runRaces(context, RACERS, plan.raceMs);
}

function runWay(
  context: ScenarioContext,
  program: Program,
  way: BoundWay,
  requests: number,
): Promise<Turn> {
  return closedTurn(context, {
    callers: CALLERS,
    requests,
    // As many queries as this process can make are what is wanted.
    counts: "effect",
    operate: async (index) => {
      await way.query(program, index);
    },
  });
}

async function timeWays(
  context: ScenarioContext,
  plan: ChurnPlan,
  program: Program,
): Promise<Turn[][]> {
  const turns = await takeTurns({
    rounds: plan.rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: WAYS.map((way) => (round: number) => {
      const note = roundNote(round, plan.rounds);
      context.step(way.name, plan.queries * 0.1, note);
      // What others left is not collected at this way's cost.
      collectGarbage();
      return runWay(context, { ...program, parent: parentSignal() }, way, plan.queries);
    }),
  });
  return turns.map((rounds) => rounds.slice(1));
}

/** Timers and listeners, in a turn that is not timed. */
async function countWay(
  context: ScenarioContext,
  plan: ChurnPlan,
  program: Program,
  way: BoundWay,
): Promise<Pick<ChurnArm, "timers" | "listenersPeak" | "listenersAtRest">> {
  context.step(`${way.name}, counted`, plan.queries * 0.2);
  const parent = parentSignal();
  let listenersPeak = 0;
  let tookMs = 0;
  const made = await countTimers(async () => {
    const { durationMs } = await closedTurn(context, {
      callers: CALLERS,
      requests: plan.queries,
      counts: "effect",
      operate: async (index) => {
        const query = way.query({ ...program, parent }, index);
        listenersPeak = Math.max(listenersPeak, listenersOf(parent));
        await query;
      },
    });
    tookMs = durationMs;
  });
  return {
    timers: { made, queries: plan.queries, tookMs },
    listenersPeak,
    listenersAtRest: listenersOf(parent),
  };
}

type Kept = Pick<ChurnArm, "keptBytes" | "keptForGoodBytes">;

/** What is alive for each query once it has been answered: at once, and after all deadlines. */
async function weighWays(
  context: ScenarioContext,
  plan: ChurnPlan,
  program: Program,
): Promise<Map<BoundWay, Kept>> {
  const bounded = { ...program, deadlineMs: plan.keptDeadlineMs };
  const rest = (): Promise<void> =>
    pause(context.clock, plan.keptDeadlineMs + REST_MS, context.signal);
  context.step("warming up", plan.keptDeadlineMs);
  for (const way of WAYS) {
    await runWay(context, { ...bounded, parent: parentSignal() }, way, WARM_QUERIES);
  }
  await rest();
  const kept = new Map<BoundWay, Kept>();
  for (const way of WAYS) {
    const takesMs = plan.keptQueries * 0.1;
    context.step(`${way.name}, weighed`, takesMs + (way.leavesTimers ? plan.keptDeadlineMs : 0));
    kept.set(way, await weighWay(context, bounded, way, plan.keptQueries, rest));
  }
  return kept;
}

const WARM_QUERIES = 500;
const REST_MS = 200;

async function weighWay(
  context: ScenarioContext,
  program: Program,
  way: BoundWay,
  queries: number,
  rest: () => Promise<void>,
): Promise<Kept> {
  // It lives until the end of this, as that of a program does.
  const parent = parentSignal();
  collectGarbage();
  const before = liveBytes();
  await runWay(context, { ...program, parent }, way, queries);
  collectGarbage();
  const atOnceBytes = liveBytes() - before;
  if (way.leavesTimers) await rest();
  collectGarbage();
  const forGoodBytes = liveBytes() - before;
  parent.throwIfAborted();
  return { keptBytes: atOnceBytes / queries, keptForGoodBytes: forGoodBytes / queries };
}

/** Scenario 13 of the guide. */
export const watcherChurn: Scenario = {
  id: 13,
  title: "What watches over each query's deadline",
  needs: "9 free connections",
  expectedMs: 55_000,
  expectedQuickMs: 17_000,
  run,
};
