// Scenario 15: stats() at each request. Runs the arms in order; what they show is put together in
// 15-findings.ts.

import { needConnections } from "../budget.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import type { Turn } from "../turn.ts";
import {
  BURST_SIZE,
  type Judgements,
  judgeBursts,
  LONG_BURST,
  LOOK_WAYS,
  type LookPrice,
  type LookWay,
  priceLooks,
  SHORT_BURST,
  timeReal,
  timeRequests,
} from "./15-arms.ts";
import { describeStats } from "./15-findings.ts";
import { lookFromWorker, type WorkerMeasured } from "./15-worker.ts";

/** A way of looking at the pool, with what a request took. */
export interface MeasuredLook {
  readonly way: LookWay;
  /** By round: CPU time of a request on a driver that answers at once. */
  readonly cpuNs: readonly number[];
  /** By round, on the real server. */
  readonly turns: readonly Turn[];
}

/** All that scenario 15 measured. */
export interface StatsMeasured {
  readonly rounds: number;
  readonly calls: number;
  readonly prices: readonly LookPrice[];
  readonly looks: readonly MeasuredLook[];
  /** In bursts shorter than the gauge's interval, and in longer ones. */
  readonly short: Judgements;
  readonly long: Judgements;
  readonly worker: WorkerMeasured;
}

/** Sizes of the pools that are looked at. */
const SIZES = [10, 100, 1000];

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, BURST_SIZE);
  const { isQuick } = context;
  const rounds = isQuick ? 6 : 8;
  // Without a server a turn takes some ten milliseconds, so that there can be many.
  const instantRounds = isQuick ? 16 : 24;
  const calls = isQuick ? 25_000 : 80_000;
  const prices = await priceLooks(context, SIZES, instantRounds, calls);
  const cpuNs = await timeRequests(context, instantRounds, isQuick ? 12_000 : 40_000);
  const turns = await timeReal(context, rounds, isQuick ? 600 : 3000);
  const short = await judgeBursts(context, SHORT_BURST, isQuick ? 10 : 40);
  const long = await judgeBursts(context, LONG_BURST, isQuick ? 2 : 6);
  const measured: StatsMeasured = {
    rounds,
    calls: instantRounds * calls,
    prices,
    looks: LOOK_WAYS.map((way, at) => ({ way, cpuNs: cpuNs[at] ?? [], turns: turns[at] ?? [] })),
    short,
    long,
    worker: await lookFromWorker(context, isQuick ? 300 : 1500),
  };
  return describeStats(context, measured, await context.judge());
}

/** Scenario 15 of the guide. */
export const statsOnHotPath: Scenario = {
  id: 15,
  title: "The pool's statistics at each request",
  needs: "9 free connections",
  expectedMs: 40_000,
  expectedQuickMs: 12_000,
  run,
};
