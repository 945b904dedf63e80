// The real pool under a simulated load: Forebay's own Pool, on a virtual clock, with connections
// that do nothing. Minutes of load take a second, and every run of a seed is the same.

import { Pool, PoolError } from "forebay/pool";
import { type FakeConn, FakeConnector, VirtualClock } from "forebay/testing";
import { exponential, type LabRandom, lognormal, seededLabRandom } from "../lab/random.ts";
import { Timeline, type TimelineBin } from "./timeline.ts";
import type { HoldTimes, Workload } from "./workload.ts";

/** What is simulated. */
export interface SimulationPlan {
  readonly connections: number;
  /** Of the one pool. */
  readonly ratePerS: number;
  readonly hold: HoldTimes;
  readonly acquireTimeoutMs: number;
  readonly maxWaiters: number;
  /** Virtual time that counts. */
  readonly durationMs: number;
  /** Virtual time before that, in which the pool gets busy. */
  readonly leadMs: number;
  readonly seed: number;
}

/** A figure with the ends of its 95 % interval. */
export interface Measured {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What became of the requests that came in the time that counts. */
export interface Simulation {
  readonly plan: SimulationPlan;
  readonly requests: number;
  /** The share that waited, as the pool itself counts it (`waitCount`). */
  readonly waited: Measured;
  /** Over all requests. */
  readonly meanWaitMs: Measured;
  readonly waitP99Ms: number;
  readonly longestWaitMs: number;
  /** Requests turned away: POOL_TIMEOUT and POOL_QUEUE_FULL. */
  readonly timedOut: number;
  readonly queueFull: number;
  /** Connections in use on average, by the integral over time. */
  readonly meanInUse: number;
  readonly meanHoldMs: number;
  readonly bins: readonly TimelineBin[];
}

/** What a run is watched with. */
export interface SimulationWatch {
  readonly signal: AbortSignal;
  /** Told how far the run is, 0 to 1. */
  readonly onProgress: (fraction: number) => void;
}

/** How many bins the time is cut into for pictures. */
export const BIN_COUNT = 240;

/** A plan for the workload on a pool of this size, for so much virtual time. */
export function planSimulation(
  workload: Workload,
  pool: Pick<SimulationPlan, "connections" | "acquireTimeoutMs" | "maxWaiters">,
  run: { readonly durationMs: number; readonly seed: number },
): SimulationPlan {
  const ratePerS = workload.ratePerS / workload.instances;
  // The longest requests are in the pool by then, and nothing is left of its being empty at first.
  const leadMs = Math.max(0.05 * run.durationMs, 5 * workload.hold.meanMs);
  return { ...pool, ratePerS, hold: workload.hold, leadMs, ...run };
}

/**
 * The cost of a virtual request grows with the number of timers, one for each connection in use.
 */
const COST = { requests: 5_000_000, each: 50 } as const;
const REQUESTS = { least: 10_000, most: 100_000 } as const;

/** So much virtual time that the check of a size takes a second or two. */
export function checkDurationMs(workload: Workload): number {
  const ratePerMs = workload.ratePerS / 1000 / workload.instances;
  const load = ratePerMs * workload.hold.meanMs;
  const affordable = COST.requests / (COST.each + load);
  return Math.min(Math.max(affordable, REQUESTS.least), REQUESTS.most) / ratePerMs;
}

/** Virtual steps between two looks at the signal. */
const STEP_COUNT = 200;
/** For the interval: so many stretches of time, each of them one observation. */
const BATCHES = 20;
/** Student's t for 19 degrees of freedom, 95 % in the middle. */
const T_19 = 2.093;

/** Runs the simulation. Rejects with `signal.reason` on abort. */
export async function simulatePool(
  plan: SimulationPlan,
  { signal, onProgress }: SimulationWatch,
): Promise<Simulation> {
  const clock = new VirtualClock();
  const pool = new Pool(new FakeConnector(clock), {
    clock,
    maxOpenConns: plan.connections,
    acquireTimeoutMs: plan.acquireTimeoutMs,
    maxWaiters: plan.maxWaiters,
    connMaxLifetimeMs: Infinity,
    connMaxIdleTimeMs: Infinity,
    pingAfterIdleMs: Infinity,
  });
  await pool.warmUp(plan.connections);
  const run = new Run(plan, clock, pool);
  run.begin();
  const stepMs = (plan.leadMs + plan.durationMs) / STEP_COUNT;
  for (let step = 1; step <= STEP_COUNT; step++) {
    await clock.advance(stepMs);
    signal.throwIfAborted();
    onProgress(step / STEP_COUNT);
  }
  // No more come: by then, who still waits has been served or turned away.
  await clock.advance(plan.acquireTimeoutMs + 1);
  const result = run.result();
  await closeNow(pool, clock);
  return result;
}

/** What is still held is nobody's: it belongs to requests of a time that will not come. */
async function closeNow(pool: Pool<FakeConn>, clock: VirtualClock): Promise<void> {
  const closed = pool.close({ drainTimeoutMs: 0 });
  await clock.advance(1);
  await closed;
}

interface Batch {
  requests: number;
  waitedMs: number;
  waited: number;
}

/** One run: the arrivals, the requests, and what is counted of them. */
class Run {
  readonly #plan: SimulationPlan;
  readonly #clock: VirtualClock;
  readonly #pool: Pool<FakeConn>;
  readonly #arrivals: LabRandom;
  readonly #holds: LabRandom;
  readonly #timeline: Timeline;
  readonly #batches: readonly Batch[];
  readonly #waitsMs: number[] = [];
  #waitCount = 0;
  #inUse = 0;
  #waiting = 0;
  #timedOut = 0;
  #queueFull = 0;
  #heldCount = 0;
  #heldMs = 0;

  constructor(plan: SimulationPlan, clock: VirtualClock, pool: Pool<FakeConn>) {
    this.#plan = plan;
    this.#clock = clock;
    this.#pool = pool;
    // Two sources, so that every size of pool meets the same requests at the same moments.
    this.#arrivals = seededLabRandom(plan.seed);
    this.#holds = seededLabRandom(plan.seed + 0x5eed);
    this.#timeline = new Timeline(plan.leadMs, plan.durationMs, BIN_COUNT);
    this.#batches = Array.from({ length: BATCHES }, () => ({
      requests: 0,
      waitedMs: 0,
      waited: 0,
    }));
  }

  /** Sets the first request off; each sets off the next. */
  begin(): void {
    const gapMs = exponential(this.#arrivals, 1000 / this.#plan.ratePerS);
    this.#clock.setTimer(gapMs, () => {
      if (this.#clock.nowMs() >= this.#plan.leadMs + this.#plan.durationMs) return;
      this.begin();
      this.#arrive();
    });
  }

  result(): Simulation {
    this.#timeline.note(this.#clock.nowMs(), this.#inUse, this.#waiting);
    const waits = Float64Array.from(this.#waitsMs).sort();
    const p99 = waits[Math.min(waits.length - 1, Math.floor(0.99 * waits.length))];
    return {
      plan: this.#plan,
      requests: this.#batches.reduce((sum, batch) => sum + batch.requests, 0),
      waited: ratioOf(this.#batches, (batch) => batch.waited),
      meanWaitMs: ratioOf(this.#batches, (batch) => batch.waitedMs),
      waitP99Ms: p99 ?? 0,
      longestWaitMs: waits.at(-1) ?? 0,
      timedOut: this.#timedOut,
      queueFull: this.#queueFull,
      meanInUse: this.#timeline.meanInUse,
      meanHoldMs: this.#heldCount === 0 ? 0 : this.#heldMs / this.#heldCount,
      bins: this.#timeline.bins,
    };
  }

  #arrive(): void {
    const arrivedAtMs = this.#clock.nowMs();
    const batch = this.#batchAt(arrivedAtMs);
    const holdMs = lognormal(this.#holds, this.#plan.hold.medianMs, this.#plan.hold.sigma);
    const acquired = this.#pool.acquire();
    const { waitCount } = this.#pool.stats();
    if (batch !== undefined) {
      batch.requests += 1;
      batch.waited += waitCount - this.#waitCount;
      this.#heldCount += 1;
      this.#heldMs += holdMs;
    }
    this.#waitCount = waitCount;
    this.#change(0, 1);
    acquired.then(
      (lease) => {
        this.#served(batch, arrivedAtMs);
        this.#change(1, -1);
        this.#clock.setTimer(holdMs, () => {
          this.#change(-1, 0);
          lease.release();
        });
      },
      (error: unknown) => {
        this.#change(0, -1);
        this.#refused(batch, arrivedAtMs, error);
      },
    );
  }

  #served(batch: Batch | undefined, arrivedAtMs: number): void {
    if (batch === undefined) return;
    const waitedMs = this.#clock.nowMs() - arrivedAtMs;
    batch.waitedMs += waitedMs;
    this.#waitsMs.push(waitedMs);
  }

  #refused(batch: Batch | undefined, arrivedAtMs: number, error: unknown): void {
    const code = error instanceof PoolError ? error.code : undefined;
    if (code !== "POOL_TIMEOUT" && code !== "POOL_QUEUE_FULL") throw error;
    this.#served(batch, arrivedAtMs);
    if (batch === undefined) return;
    if (code === "POOL_TIMEOUT") this.#timedOut += 1;
    else this.#queueFull += 1;
  }

  /** The batch of this moment; undefined while the pool is still getting busy. */
  #batchAt(nowMs: number): Batch | undefined {
    const sinceMs = nowMs - this.#plan.leadMs;
    if (sinceMs < 0) return undefined;
    const index = Math.min(BATCHES - 1, Math.floor((BATCHES * sinceMs) / this.#plan.durationMs));
    return this.#batches[index];
  }

  #change(inUse: number, waiting: number): void {
    this.#timeline.note(this.#clock.nowMs(), this.#inUse, this.#waiting);
    this.#inUse += inUse;
    this.#waiting += waiting;
  }
}

/** The mean for each request, with its interval by the method of batch means. */
function ratioOf(batches: readonly Batch[], amountOf: (batch: Batch) => number): Measured {
  const total = batches.reduce((sum, batch) => sum + batch.requests, 0);
  if (total === 0) return { value: 0, low: 0, high: 0 };
  const value = batches.reduce((sum, batch) => sum + amountOf(batch), 0) / total;
  const each = total / batches.length;
  const squares = batches.reduce(
    (sum, batch) => sum + ((amountOf(batch) - value * batch.requests) / each) ** 2,
    0,
  );
  const half = T_19 * Math.sqrt(squares / (batches.length - 1) / batches.length);
  return { value, low: Math.max(0, value - half), high: value + half };
}
