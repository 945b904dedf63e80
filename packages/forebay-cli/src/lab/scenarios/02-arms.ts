// Scenario 2, how its arms run: bursts, the guide's steady traffic, and one caller after the other.

import { type ArmPool, warmUp } from "../pools.ts";
import { poissonArrivals, type LabRandom } from "../random.ts";
import type { ScenarioContext } from "../scenario.ts";
import { closedTurn, mustNotFail, openTurn, type Turn } from "../turn.ts";

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

/** Makes the table that the arms read. */
export async function prepareItems(context: ScenarioContext): Promise<void> {
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
  arm: IdleArm,
  connections: number,
): Promise<ArmPool> {
  const limits = { maxOpenConns: BURST.requests, maxIdleConns: arm.maxIdleConns };
  const { pools } = context;
  const pool = arm.rules === "Forebay" ? pools.openForebay(limits) : pools.openGoRules(limits);
  await warmUp(pool, connections, selectOf(context), [1], context.signal);
  return pool;
}

/** Bursts of ten requests at once, ten times a second. */
export function runBursts(
  context: ScenarioContext,
  pool: ArmPool,
  bursts: number,
): Promise<IdleTurn> {
  const arrivalsMs = Array.from(
    { length: bursts * BURST.requests },
    (_, index) => (Math.floor(index / BURST.requests) + 1) * BURST.everyMs,
  );
  return runOpen(context, pool, arrivalsMs, { wake: "spin", bursts });
}

/** The guide's traffic: requests that come at random at a steady rate. */
export function runSteadyTraffic(
  context: ScenarioContext,
  pool: ArmPool,
  durationMs: number,
  random: LabRandom,
): Promise<IdleTurn> {
  const arrivalsMs = poissonArrivals(random, GUIDE_RATE_PER_S, durationMs);
  return runOpen(context, pool, arrivalsMs, { wake: "timer", bursts: 0 });
}

/** One caller, one request after the other: the guide's own verification. */
export async function runSequential(
  context: ScenarioContext,
  pool: ArmPool,
  requests: number,
): Promise<IdleTurn> {
  const { signal } = context;
  const sql = selectOf(context);
  return counted(pool, 0, async () => {
    const turn = await closedTurn(context, {
      callers: 1,
      requests,
      counts: "effect",
      operate: async (index) => {
        await pool.use((conn) => conn.query(sql, [keyOf(index)], { signal }), signal);
      },
    });
    return { ...turn, serviceMeanMs: turn.response.meanMs };
  });
}

async function runOpen(
  context: ScenarioContext,
  pool: ArmPool,
  arrivalsMs: readonly number[],
  how: { readonly wake: "timer" | "spin"; readonly bursts: number },
): Promise<IdleTurn> {
  const { wake, bursts } = how;
  // A client that dials eight times in a burst is busy with that: the load on it is the effect.
  const counts = pool.maxIdleConns >= BURST.requests ? "counts" : "effect";
  const { signal } = context;
  const sql = selectOf(context);
  return counted(pool, bursts, async () => {
    let serviceMs = 0;
    const { clock } = context;
    const turn = await openTurn(context, {
      arrivalsMs,
      wake,
      counts,
      operate: async (index) => {
        const begunAtMs = clock.nowMs();
        await pool.use((conn) => conn.query(sql, [keyOf(index)], { signal }), signal);
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

function selectOf(context: ScenarioContext): string {
  return POINT_SELECT.replace("%", context.schema);
}

function keyOf(index: number): number {
  return (index % ITEMS) + 1;
}
