// Scenario 2, how its arms run: bursts, the guide's steady traffic, and one caller after the other.

import { type ArmPool, warmUp } from "../pools.ts";
import { timeQuery } from "../query.ts";
import { poissonArrivals, type LabRandom } from "../random.ts";
import { type ScenarioContext, ScenarioNotPossible } from "../scenario.ts";
import { closedTurn, mustNotFail, openTurn, type Turn } from "../turn.ts";
import { duration } from "../words.ts";

/** How many requests a burst has, and how far apart bursts are. */
export const BURST = { requests: 10, everyMs: 100 } as const;

/** What the guide calls steady traffic. */
export const GUIDE_RATE_PER_S = 500;

/** Which rules a pool follows. */
export type Rules = "database/sql" | "Forebay";

/** One way of setting a pool up. */
export interface IdleArm {
  readonly rules: Rules;
  readonly maxIdleConns: number;
}

/** What one turn gave. */
export interface IdleTurn extends Turn {
  readonly bursts: number;
  /** Mean time from when a request was begun until it ended: without the lateness of timers. */
  readonly serviceMeanMs: number;
  readonly dials: number;
  readonly maxIdleClosed: number;
  readonly waitCount: number;
}

const POINT_SELECT = "SELECT b FROM %.idle_items WHERE a = $1";
const ITEMS = 1000;

/** What a request does: the scenario's own single-row read, or the user's statement. */
export interface IdleWork {
  readonly sql: string;
  /** True for the user's statement, about whose length nothing was known beforehand. */
  readonly isGiven: boolean;
  argsOf(index: number): readonly unknown[];
  /** How long it takes one caller. */
  readonly queryMs: number;
  /** The rate of the steady traffic: the guide's, or what the user's statement leaves room for. */
  readonly ratePerS: number;
}

/** A burst of ten that takes longer than this share of the time between bursts meets the next. */
const BURST_SHARE_RATIO = 0.5;
/** The share of one processor that steady traffic may take. */
const STEADY_SHARE_RATIO = 0.3;

/** Makes what the arms read, and sees how long that takes. */
export async function prepareWork(context: ScenarioContext): Promise<IdleWork> {
  const { calibration, query } = context;
  if (query === undefined) {
    await prepareItems(context);
    return {
      sql: POINT_SELECT.replace("%", context.schema),
      isGiven: false,
      argsOf: (index) => [(index % ITEMS) + 1],
      queryMs: calibration.queryP50Ms,
      ratePerS: GUIDE_RATE_PER_S,
    };
  }
  const queryMs = await timeQuery(context, query);
  const mostMs = (BURST_SHARE_RATIO * BURST.everyMs) / BURST.requests;
  if (queryMs > mostMs) {
    throw new ScenarioNotPossible(
      `Your statement takes ${duration(queryMs)}. Ten of them at once, every ${BURST.everyMs} ` +
        `ms, leave no time between bursts; it may take ${duration(mostMs)} at most.`,
    );
  }
  const ratePerS = Math.min(GUIDE_RATE_PER_S, Math.floor((1000 * STEADY_SHARE_RATIO) / queryMs));
  return { sql: query, isGiven: true, argsOf: () => [], queryMs, ratePerS };
}

async function prepareItems(context: ScenarioContext): Promise<void> {
  const { pools, schema } = context;
  await pools.watcher.exec(`CREATE TABLE ${schema}.idle_items (a int PRIMARY KEY, b int NOT NULL)`);
  await pools.watcher.exec(
    `INSERT INTO ${schema}.idle_items SELECT n, n FROM generate_series(1, ${ITEMS}) n`,
  );
  await pools.watcher.exec(`ANALYZE ${schema}.idle_items`);
}

/** Opens an arm's pool, whose limit no arm reaches but by its burst, and warms it. */
export async function openIdleArm(
  context: ScenarioContext,
  work: IdleWork,
  arm: IdleArm,
  connections: number,
): Promise<ArmPool> {
  const limits = { maxOpenConns: BURST.requests, maxIdleConns: arm.maxIdleConns };
  const { pools } = context;
  const pool = arm.rules === "Forebay" ? pools.openForebay(limits) : pools.openGoRules(limits);
  await warmUp(pool, connections, work.sql, work.argsOf(0), context.signal);
  return pool;
}

/** Bursts of ten requests at once, ten times a second. */
export function runBursts(
  context: ScenarioContext,
  work: IdleWork,
  pool: ArmPool,
  bursts: number,
): Promise<IdleTurn> {
  const arrivalsMs = Array.from(
    { length: bursts * BURST.requests },
    (_, index) => (Math.floor(index / BURST.requests) + 1) * BURST.everyMs,
  );
  return runOpen(context, work, pool, { arrivalsMs, wake: "spin", bursts });
}

/** The guide's traffic: requests that come at random at a steady rate. */
export function runSteadyTraffic(
  context: ScenarioContext,
  work: IdleWork,
  pool: ArmPool,
  durationMs: number,
  random: LabRandom,
): Promise<IdleTurn> {
  const arrivalsMs = poissonArrivals(random, work.ratePerS, durationMs);
  return runOpen(context, work, pool, { arrivalsMs, wake: "timer", bursts: 0 });
}

/** One caller, one request after the other: the guide's own verification. */
export async function runSequential(
  context: ScenarioContext,
  work: IdleWork,
  pool: ArmPool,
  requests: number,
): Promise<IdleTurn> {
  const { signal } = context;
  return counted(pool, 0, async () => {
    const turn = await closedTurn(context, {
      callers: 1,
      requests,
      counts: "effect",
      operate: async (index) => {
        await pool.use((conn) => conn.query(work.sql, work.argsOf(index), { signal }), signal);
      },
    });
    return { ...turn, serviceMeanMs: turn.response.meanMs };
  });
}

interface OpenArrivals {
  readonly arrivalsMs: readonly number[];
  readonly wake: "timer" | "spin";
  readonly bursts: number;
}

async function runOpen(
  context: ScenarioContext,
  work: IdleWork,
  pool: ArmPool,
  { arrivalsMs, wake, bursts }: OpenArrivals,
): Promise<IdleTurn> {
  // A client that dials eight times in a burst is busy with that: the load on it is the effect.
  const counts = pool.maxIdleConns >= BURST.requests ? "counts" : "effect";
  const { signal } = context;
  return counted(pool, bursts, async () => {
    let serviceMs = 0;
    const { clock } = context;
    const turn = await openTurn(context, {
      arrivalsMs,
      wake,
      counts,
      operate: async (index) => {
        const begunAtMs = clock.nowMs();
        await pool.use((conn) => conn.query(work.sql, work.argsOf(index), { signal }), signal);
        serviceMs += clock.nowMs() - begunAtMs;
      },
    });
    mustNotFail([turn]);
    return { ...turn, serviceMeanMs: serviceMs / turn.requests };
  });
}

/** Adds what the pool counted meanwhile. */
async function counted(
  pool: ArmPool,
  bursts: number,
  run: () => Promise<Turn & { readonly serviceMeanMs: number }>,
): Promise<IdleTurn> {
  const before = pool.stats();
  const turn = await run();
  const after = pool.stats();
  return {
    ...turn,
    bursts,
    dials: after.dialCount - before.dialCount,
    maxIdleClosed: after.maxIdleClosed - before.maxIdleClosed,
    waitCount: after.waitCount - before.waitCount,
  };
}
