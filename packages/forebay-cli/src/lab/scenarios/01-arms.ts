// Scenario 1, how its arms run: steady load on a pool of a given size, a burst, and work that needs
// the server's processors.

import { setMaxListeners } from "node:events";
import { LatencyHistogram } from "../histogram.ts";
import { type OpenLoadResult, runClosedLoad, runOpenLoad } from "../load.ts";
import { type ArmPool, type ArmStats, warmUp } from "../pools.ts";
import { idealQueue } from "../queueing.ts";
import { lognormal, poissonArrivals, type LabRandom } from "../random.ts";
import type { ScenarioContext } from "../scenario.ts";
import { type BackendWatch, watchBackends } from "../watch.ts";
import { BURST_FACTOR, type LittlePlan } from "./01-plan.ts";

const SLEEP_SQL = "SELECT pg_sleep($1)";

/**
 * Requests to come: when, and how long the server will take over each. The same trace serves both
 * turns of a pair.
 */
export interface Trace {
  readonly arrivalsMs: readonly number[];
  readonly serviceMs: readonly number[];
}

/**
 * Draws a trace with the plan's rate and times. pg_sleep knows whole milliseconds only, so the
 * times are whole.
 */
export function drawTrace(
  plan: LittlePlan,
  random: LabRandom,
  phases: readonly { readonly ratePerS: number; readonly durationMs: number }[],
): Trace {
  const arrivalsMs: number[] = [];
  let fromMs = 0;
  for (const { ratePerS, durationMs } of phases) {
    for (const at of poissonArrivals(random, ratePerS, durationMs)) arrivalsMs.push(fromMs + at);
    fromMs += durationMs;
  }
  const serviceMs = arrivalsMs.map(() =>
    Math.max(1, Math.round(lognormal(random, plan.p50Ms, plan.shape.sigma))),
  );
  return { arrivalsMs, serviceMs };
}

/** What one turn of steady load gave. */
export interface SteadyTurn {
  readonly requests: number;
  readonly response: LatencyHistogram;
  /** How long each request had its connection, and waited for it. */
  readonly holdsMs: Float64Array;
  readonly waitsMs: Float64Array;
  /** Share of requests that the pool counted as having waited. */
  readonly waitedRatio: number;
  /** The same in an ideal queue, given these arrivals and these holds. */
  readonly idealWaitedRatio: number;
  readonly idealWaitMs: number;
  readonly durationMs: number;
  /** Mean number of connections in use, by the pool's own count. */
  readonly meanInUse: number;
  readonly peakBackends: number;
  readonly utilisationRatio: number;
}

/** Runs a trace against a warm pool of `size` connections. */
export async function runSteady(
  context: ScenarioContext,
  pool: ArmPool,
  size: number,
  trace: Trace,
): Promise<SteadyTurn> {
  const before = pool.stats();
  context.loop.begin();
  const { load, holdsMs, waitsMs, meanInUse, backends } = await runTrace(context, pool, trace);
  const { utilisationRatio } = context.loop.end();
  const requests = trace.arrivalsMs.length;
  const begunMs = trace.arrivalsMs.map((at, index) => at + (load.lateMs[index] ?? 0));
  const ideal = idealQueue(size, begunMs, holdsMs);
  const response = new LatencyHistogram();
  for (const ms of load.responseMs) response.recordMs(ms);
  return {
    requests,
    response,
    holdsMs,
    waitsMs,
    waitedRatio: (pool.stats().waitCount - before.waitCount) / requests,
    idealWaitedRatio: ideal.waitedRatio,
    idealWaitMs: total(ideal.waits),
    durationMs: load.durationMs,
    meanInUse,
    peakBackends: backends.peak,
    utilisationRatio,
  };
}

/** Opens Forebay's pool of `size`, and warms it. */
export async function openWarm(context: ScenarioContext, size: number): Promise<ArmPool> {
  const pool = context.pools.openForebay({ maxOpenConns: size, maxIdleConns: size });
  await warmUp(pool, size, SLEEP_SQL, [0], context.signal);
  return pool;
}

/** What a burst did to a pool. */
export interface BurstTurn {
  readonly requests: number;
  /** Requests of the burst itself, the lead left out. */
  readonly burstRequests: number;
  readonly failedBurst: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Response of the burst's requests, failed ones included. */
  readonly response: LatencyHistogram;
  /** The longest wait for a connection. */
  readonly longestWaitMs: number;
  /** From the end of the burst until the last request had ended. */
  readonly drainMs: number;
  readonly backends: BackendWatch;
  readonly stats: ArmStats;
  readonly utilisationRatio: number;
}

const GIVE_UP_MS = 15_000;

/**
 * Runs the lead and the burst of a trace on a pool as it is, and waits until every request has
 * ended.
 */
export async function runBurst(
  context: ScenarioContext,
  plan: LittlePlan,
  pool: ArmPool,
  trace: Trace,
): Promise<BurstTurn> {
  const deadline = new AbortController();
  const timer = context.clock.setTimer(GIVE_UP_MS, () => {
    deadline.abort(Object.assign(new Error("the lab gave up"), { code: "GAVE_UP_AFTER_15_S" }));
  });
  try {
    context.loop.begin();
    const { load, waitsMs, backends } = await runTrace(context, pool, trace, deadline.signal);
    // A client that must dial for each request is busy with that: its event loop is part of the
    // effect.
    const { utilisationRatio } = context.loop.end("effect");
    const response = new LatencyHistogram();
    let failedBurst = 0;
    for (const [index, dueMs] of trace.arrivalsMs.entries()) {
      if (dueMs < plan.leadMs) continue;
      response.recordMs(load.responseMs[index] ?? 0);
      failedBurst += load.failed[index] ?? 0;
    }
    return {
      requests: trace.arrivalsMs.length,
      burstRequests: response.count,
      failedBurst,
      failures: load.failures,
      response,
      longestWaitMs: Math.max(...waitsMs),
      drainMs: load.durationMs - plan.leadMs - plan.burstMs,
      backends,
      stats: pool.stats(),
      utilisationRatio,
    };
  } finally {
    timer.cancel();
  }
}

/** The trace of a burst turn: a lead at the steady rate, then the burst. */
export function drawBurst(plan: LittlePlan, random: LabRandom): Trace {
  return drawTrace(plan, random, [
    { ratePerS: plan.ratePerS, durationMs: plan.leadMs },
    { ratePerS: plan.ratePerS * BURST_FACTOR, durationMs: plan.burstMs },
  ]);
}

interface TraceRun {
  readonly load: OpenLoadResult;
  readonly holdsMs: Float64Array;
  readonly waitsMs: Float64Array;
  readonly meanInUse: number;
  readonly backends: BackendWatch;
}

const WATCH_MS = 50;

async function runTrace(
  context: ScenarioContext,
  pool: ArmPool,
  trace: Trace,
  deadline?: AbortSignal,
): Promise<TraceRun> {
  const { clock } = context;
  const signal =
    deadline === undefined ? context.signal : AbortSignal.any([context.signal, deadline]);
  setMaxListeners(0, signal);
  const holdsMs = new Float64Array(trace.arrivalsMs.length);
  const waitsMs = new Float64Array(trace.arrivalsMs.length);
  const gauge = new InUseGauge(context, pool);
  const running = runOpenLoad({
    clock,
    signal: context.signal,
    arrivalsMs: trace.arrivalsMs,
    wake: "timer",
    operate: async (index) => {
      const askedAtMs = clock.nowMs();
      const used = pool.use(async (conn) => {
        gauge.look();
        const gotAtMs = clock.nowMs();
        waitsMs[index] = gotAtMs - askedAtMs;
        await conn.query(SLEEP_SQL, [(trace.serviceMs[index] ?? 0) / 1000], { signal });
        holdsMs[index] = clock.nowMs() - gotAtMs;
      }, signal);
      gauge.look();
      await used;
      gauge.look();
    },
  });
  const watching = watchBackends(
    context.pools.watcher,
    clock,
    {
      applicationName: context.server.kind === "embedded" ? undefined : pool.applicationName,
      everyMs: WATCH_MS,
    },
    running,
  );
  const [load, backends] = await Promise.allSettled([
    running.then((result) => ({ ...result, inUse: gauge.mean() })),
    watching,
  ]);
  if (load.status === "rejected") throw load.reason;
  if (backends.status === "rejected") throw backends.reason;
  return {
    load: load.value,
    holdsMs,
    waitsMs,
    meanInUse: load.value.inUse,
    backends: backends.value,
  };
}

/**
 * The integral over time of the pool's own count of connections in use. It is looked at on every
 * change: looks by a timer fall into the same turns of the event loop as arrivals do, which made
 * them see two per cent too many.
 */
class InUseGauge {
  readonly #context: ScenarioContext;
  readonly #pool: ArmPool;
  readonly #startedAtMs: number;
  #lookedAtMs: number;
  #inUse: number;
  #area = 0;

  constructor(context: ScenarioContext, pool: ArmPool) {
    this.#context = context;
    this.#pool = pool;
    this.#startedAtMs = context.clock.nowMs();
    this.#lookedAtMs = this.#startedAtMs;
    this.#inUse = pool.stats().leased;
  }

  look(): void {
    const nowMs = this.#context.clock.nowMs();
    this.#area += this.#inUse * (nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    this.#inUse = this.#pool.stats().leased;
  }

  mean(): number {
    this.look();
    return this.#area / Math.max(this.#lookedAtMs - this.#startedAtMs, 1e-9);
  }
}

/** What work that needs the processor gave at one number of connections. */
export interface CpuPoint {
  readonly size: number;
  /** By round: requests per second, and the latency of that round. */
  readonly perS: number[];
  readonly response: LatencyHistogram;
  readonly p99Ms: number[];
}

const CPU_SQL = "SELECT count(*)::int FROM generate_series(1, $1::int)";
const CPU_QUERY_MS = 2;

/**
 * Work that keeps a processor of the server busy for about 2 ms a request, as a closed loop with as
 * many callers as connections, at each size. Sizes take turns, up and then down.
 */
export async function runCpuBound(
  context: ScenarioContext,
  plan: LittlePlan,
): Promise<{ points: CpuPoint[]; seriesLength: number }> {
  const { clock, signal } = context;
  const largest = Math.max(...plan.cpuSizes);
  const pool = context.pools.openForebay({ maxOpenConns: largest, maxIdleConns: largest });
  await warmUp(pool, largest, CPU_SQL, [1], signal);
  const closed = (callers: number, seriesLength: number, durationMs: number) =>
    runClosedLoad({
      clock,
      signal,
      callers,
      requests: Infinity,
      durationMs,
      operate: async () => {
        await pool.use((conn) => conn.query(CPU_SQL, [seriesLength], { signal }), signal);
      },
    });
  const trial = await closed(1, 10_000, 150);
  const seriesLength = Math.round((10_000 * CPU_QUERY_MS) / trial.response.percentileMs(50));
  const points: CpuPoint[] = plan.cpuSizes.map((size) => ({
    size,
    perS: [],
    response: new LatencyHistogram(),
    p99Ms: [],
  }));
  for (let round = 0; round < plan.cpuRounds; round++) {
    for (const point of round % 2 === 0 ? points : points.toReversed()) {
      const run = await closed(point.size, seriesLength, plan.cpuMs);
      point.perS.push((run.requests / run.durationMs) * 1000);
      point.p99Ms.push(run.response.percentileMs(99));
      point.response.add(run.response);
    }
  }
  await pool.close();
  return { points, seriesLength };
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** The response times of several turns as one histogram. */
export function responseOf(
  turns: readonly { readonly response: LatencyHistogram }[],
): LatencyHistogram {
  const all = new LatencyHistogram();
  for (const turn of turns) all.add(turn.response);
  return all;
}
