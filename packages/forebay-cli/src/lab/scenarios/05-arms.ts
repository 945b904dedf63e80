// Scenario 5, how its arms run: a fast route and a slow one on the same connections, with different
// things between them.

import { type LabDb, openWarmDb } from "../pools.ts";
import { type LabRandom, poissonArrivals } from "../random.ts";
import { type RoutesTurn, routesMustNotFail, routesTurn } from "../routes.ts";
import { type ScenarioContext, ScenarioNotPossible } from "../scenario.ts";
import { Semaphore } from "../semaphore.ts";

/** The guide's numbers. */
export const GUIDE = {
  connections: 100,
  cap: 20,
  fastPerS: 1000,
  fastMs: 1,
  slowPerS: 50,
  slowMs: 200,
  burst: 100,
  p99Ms: 5,
} as const;

/** A slow query of the lab takes half as long as the guide's, and they come twice as fast. */
export const SLOW_MS = 100;

/** The most connections of the pool: a quarter of the guide's. */
const CONNECTIONS_MAX = 25;
const CONNECTIONS_MIN = 10;

/** All numbers of a run. */
export interface BulkheadPlan {
  readonly connections: number;
  readonly cap: number;
  readonly fastPerS: number;
  readonly slowPerS: number;
  /** Slow requests that come at once. */
  readonly burst: number;
  /** The small burst, which leaves most connections free whatever is set. */
  readonly fewBurst: number;
  readonly maxWaiting: number;
  readonly rounds: number;
  readonly turnMs: number;
  readonly burstAtMs: number;
  readonly cpuRounds: number;
  readonly cpuBurst: number;
  readonly cpuSlowMs: number;
  /** So many slow queries leave one processor to the others; 1 at least. */
  readonly cpuCap: number;
}

/** Plans a run for the connections that there are: the guide's ratios at a smaller size. */
export function planBulkhead(
  context: Pick<ScenarioContext, "facts" | "isQuick">,
  cores: number,
): BulkheadPlan {
  const { facts, isQuick } = context;
  // The arm with a pool of its own for the slow route has that pool besides.
  const connections = Math.min(CONNECTIONS_MAX, Math.floor((facts.budget * 5) / 6));
  if (connections < CONNECTIONS_MIN) {
    const needed = Math.ceil((CONNECTIONS_MIN * 6) / 5);
    throw new ScenarioNotPossible(
      `It needs ${needed} connections, and may use ${facts.budget}. ${facts.budgetNote}`,
    );
  }
  const scale = connections / GUIDE.connections;
  return {
    connections,
    cap: Math.round(GUIDE.cap * scale),
    fastPerS: GUIDE.fastPerS * scale,
    slowPerS: GUIDE.slowPerS * scale * (GUIDE.slowMs / SLOW_MS),
    burst: connections,
    fewBurst: Math.round(GUIDE.cap * scale),
    maxWaiting: Math.round(GUIDE.cap * scale) * 2,
    rounds: isQuick ? 8 : 12,
    turnMs: isQuick ? 400 : 800,
    burstAtMs: 50,
    cpuRounds: isQuick ? 12 : 20,
    cpuBurst: Math.round(GUIDE.cap * scale) * 2,
    cpuSlowMs: 50,
    cpuCap: Math.max(1, cores - 1),
  };
}

/** The arms, by what stands between the two routes. */
export type BulkheadArm =
  | "alone"
  | "few"
  | "shared"
  | "semaphore"
  | "bulkhead"
  | "ownPool"
  | "priority"
  | "bounded";

/** The arms in the order in which they take turns. */
export const ARMS: readonly BulkheadArm[] = [
  "alone",
  "few",
  "shared",
  "semaphore",
  "bulkhead",
  "ownPool",
  "priority",
  "bounded",
];

/**
 * The arms in which both routes compute: the fast one alone, and beside slow queries that keep
 * processors busy, by the cap on them.
 */
export const CPU_ARMS = ["alone", "cap", "fewerThanCores"] as const;
/** The name of one of them. */
export type CpuArm = (typeof CPU_ARMS)[number];

/** What one turn gave. */
export interface BulkheadTurn extends RoutesTurn<"fast" | "slow"> {
  /** Fast requests that waited for a connection, by the pool's count. */
  readonly fastWaited: number;
  /** The most connections that the slow route was seen to have. */
  readonly slowInUseMost: number;
  /** When each slow request was due, for the theory. */
  readonly slowArrivalsMs: readonly number[];
}

interface Calls {
  query(
    sql: string,
    args: readonly unknown[],
    options: { readonly signal: AbortSignal },
  ): Promise<unknown>;
  stats(): { readonly waitCount: number; readonly inUse: number };
}

interface AskedQuery {
  readonly sql: string;
  readonly arg: number;
}

const SLEEP_SQL = "SELECT pg_sleep($1)";
const BURN_SQL = "SELECT count(*)::int AS n FROM generate_series(1, $1::int)";

/** The connections of a run, and the shares of them. They stay open over all turns. */
export class BulkheadPools {
  readonly #context: ScenarioContext;
  readonly #plan: BulkheadPlan;
  readonly #db: LabDb;
  readonly #slowDb: LabDb;
  /** How long a series keeps a processor busy for one millisecond. */
  #seriesPerMs = 0;

  static async open(context: ScenarioContext, plan: BulkheadPlan): Promise<BulkheadPools> {
    const warmBy = { sql: SLEEP_SQL, args: [0] };
    const { pools, signal } = context;
    const db = await openWarmDb(pools, plan.connections, warmBy, signal);
    const slowDb = await openWarmDb(pools, plan.cap, warmBy, signal);
    return new BulkheadPools(context, plan, { db, slowDb });
  }

  private constructor(
    context: ScenarioContext,
    plan: BulkheadPlan,
    open: { readonly db: LabDb; readonly slowDb: LabDb },
  ) {
    this.#context = context;
    this.#plan = plan;
    this.#db = open.db;
    this.#slowDb = open.slowDb;
  }

  /**
   * One turn of an arm, with the arrivals that `random` draws: the same for all arms of a round.
   */
  async turn(arm: BulkheadArm, random: LabRandom): Promise<BulkheadTurn> {
    const { plan, fast, slow, semaphore } = { plan: this.#plan, ...this.#sharesOf(arm) };
    const fastArrivalsMs = poissonArrivals(random, plan.fastPerS, plan.turnMs);
    const steadyMs = poissonArrivals(random, plan.slowPerS, plan.turnMs);
    const burst = { alone: 0, few: plan.fewBurst, bounded: 4 * plan.burst }[arm as string];
    const slowArrivalsMs =
      arm === "alone" ? [] : withBurst(steadyMs, plan.burstAtMs, burst ?? plan.burst);
    const turn = await this.#run({
      fast,
      slow,
      fastArrivalsMs,
      slowArrivalsMs,
      semaphore,
      fastQuery: { sql: SLEEP_SQL, arg: GUIDE.fastMs / 1000 },
      slowQuery: { sql: SLEEP_SQL, arg: SLOW_MS / 1000 },
    });
    if (arm !== "bounded") routesMustNotFail([turn.routes.slow]);
    return turn;
  }

  /** One turn in which fast queries compute, and the slow ones of a burst keep processors busy. */
  async cpuTurn(arm: CpuArm, random: LabRandom): Promise<BulkheadTurn> {
    const plan = this.#plan;
    if (this.#seriesPerMs === 0) await this.#calibrate();
    const limits = { maxInUse: arm === "fewerThanCores" ? plan.cpuCap : plan.cap };
    const burn = (ms: number): AskedQuery => ({
      sql: BURN_SQL,
      arg: Math.round(ms * this.#seriesPerMs),
    });
    const turn = await this.#run({
      fast: this.#db.bulkhead("fast"),
      slow: this.#db.bulkhead("slow, CPU", limits),
      fastArrivalsMs: poissonArrivals(random, plan.fastPerS, plan.turnMs),
      slowArrivalsMs: arm === "alone" ? [] : withBurst([], plan.burstAtMs, plan.cpuBurst),
      fastQuery: burn(GUIDE.fastMs),
      slowQuery: burn(plan.cpuSlowMs),
      semaphore: undefined,
    });
    routesMustNotFail([turn.routes.slow]);
    return turn;
  }

  async close(): Promise<void> {
    await Promise.all([this.#db.close(), this.#slowDb.close()]);
  }

  /** Bulkheads without limits have no effect but to count for one route. */
  #sharesOf(arm: BulkheadArm): {
    readonly fast: Calls;
    readonly slow: Calls;
    readonly semaphore: Semaphore | undefined;
  } {
    const db = this.#db;
    const { cap, maxWaiting } = this.#plan;
    const fast = arm === "priority" ? db.bulkhead("first", { priority: 1 }) : db.bulkhead("fast");
    const unlimited = db.bulkhead("slow, unlimited");
    const slow: Record<BulkheadArm, () => Calls> = {
      alone: () => unlimited,
      few: () => unlimited,
      shared: () => unlimited,
      semaphore: () => unlimited,
      bulkhead: () => db.bulkhead("slow", { maxInUse: cap }),
      ownPool: () => this.#slowDb,
      priority: () => unlimited,
      bounded: () => db.bulkhead("slow, bounded", { maxInUse: cap, maxWaiting }),
    };
    const semaphore = arm === "semaphore" ? new Semaphore(cap) : undefined;
    return { fast, slow: slow[arm](), semaphore };
  }

  async #run(load: {
    readonly fast: Calls;
    readonly slow: Calls;
    readonly fastArrivalsMs: readonly number[];
    readonly slowArrivalsMs: readonly number[];
    readonly semaphore: Semaphore | undefined;
    readonly fastQuery: AskedQuery;
    readonly slowQuery: AskedQuery;
  }): Promise<BulkheadTurn> {
    const { fast, slow, semaphore, fastQuery, slowQuery } = load;
    const waitedBefore = fast.stats().waitCount;
    let slowInUseMost = 0;
    const look = (): void => {
      slowInUseMost = Math.max(slowInUseMost, slow.stats().inUse);
    };
    const turn = await routesTurn(this.#context, [
      {
        name: "fast",
        arrivalsMs: load.fastArrivalsMs,
        operate: async (_, signal) => {
          look();
          await fast.query(fastQuery.sql, [fastQuery.arg], { signal });
        },
      },
      {
        name: "slow",
        arrivalsMs: load.slowArrivalsMs,
        operate: async (_, signal) => {
          const ask = async (): Promise<void> => {
            const answered = slow.query(slowQuery.sql, [slowQuery.arg], { signal });
            look();
            await answered;
          };
          await (semaphore === undefined ? ask() : semaphore.run(ask, signal));
        },
      },
    ]);
    routesMustNotFail([turn.routes.fast]);
    const fastWaited = fast.stats().waitCount - waitedBefore;
    return { ...turn, fastWaited, slowInUseMost, slowArrivalsMs: load.slowArrivalsMs };
  }

  /** Finds how long a series keeps a processor busy for a given time. */
  async #calibrate(): Promise<void> {
    const { clock, signal } = this.#context;
    const trial = 100_000;
    const timesMs: number[] = [];
    for (let run = 0; run < 3; run++) {
      const beganAtMs = clock.nowMs();
      await this.#db.query(BURN_SQL, [trial], { signal });
      timesMs.push(clock.nowMs() - beganAtMs);
    }
    this.#seriesPerMs = trial / Math.min(...timesMs);
  }
}

/** Arrivals with so many more at one moment, in order. */
export function withBurst(
  arrivalsMs: readonly number[],
  atMs: number,
  count: number,
): readonly number[] {
  return [...arrivalsMs, ...Array.from({ length: count }, () => atMs)].sort((a, b) => a - b);
}
