// One bench: warms up, measures a caller alone, then every arm. Stopped midway, it gives what there
// is.

import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { CliError } from "../errors.ts";
import type { LabClock } from "../lab/clock.ts";
import { LatencyHistogram } from "../lab/histogram.ts";
import { runOpenLoad } from "../lab/load.ts";
import { cpuLost, type CpuReading, LoopWatch, parentPid, readCpu } from "../lab/machine.ts";
import { poissonArrivals, seededLabRandom } from "../lab/random.ts";
import type { Server } from "../server/index.ts";
import { type BenchClient, type FoundPeer, openForebay, openPeer } from "./clients.ts";
import { type ClosedBenchResult, lawError, runClosedBench } from "./closed-load.ts";
import type { ArmFigures, BenchLoad } from "./figures.ts";
import type { BenchPlan, BenchRate } from "./plan.ts";
import { withServerFacts } from "./server-facts.ts";
import { judgeLoad } from "./verdict.ts";

/** What a bench is given. */
export interface BenchContext {
  readonly plan: BenchPlan;
  readonly server: Server;
  readonly peers: readonly FoundPeer[];
  readonly clock: LabClock;
  readonly signal: AbortSignal;
  readonly onProgress: (step: string, fraction: number) => void;
}

/** What a bench found. */
export interface BenchReport {
  readonly server: { readonly kind: Server["kind"]; readonly description: string };
  readonly serverVersion: string;
  readonly plan: BenchPlan;
  /** A query of Forebay's, one caller, nothing else under way. */
  readonly aloneMs: number;
  readonly arms: readonly ArmFigures[];
  /** True when it was stopped before its end. */
  readonly isPartial: boolean;
}

const WARM_UP_MS = 300;
const ALONE_MS = 500;
const SEED = 16;

/**
 * Runs a bench. When the signal is aborted it stops promptly and resolves with what was measured.
 * Rejects when the query fails or the server cannot be used; every connection is closed by then.
 */
export async function runBench(context: BenchContext): Promise<BenchReport> {
  const { plan, server, peers, signal } = context;
  const forebay = openForebay(server, plan.query, plan.maxOpenConns);
  const clients = [forebay];
  const watch = new LoopWatch();
  try {
    await tryQuery(forebay, signal);
    const { postmasterPid, isTls } = await lookAtServer(server, signal);
    for (const peer of peers) {
      const client = openPeer(peer, { server, isTls }, plan.query, plan.maxOpenConns);
      clients.push(client);
      await tryQuery(client, signal);
    }
    const bench = new Bench(context, watch, postmasterPid);
    return await bench.run(clients);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    watch.stop();
    await Promise.allSettled(clients.map((client) => client.close()));
  }
}

/** A query that cannot be run should be seen before anything is measured. */
async function tryQuery(client: BenchClient, signal: AbortSignal): Promise<void> {
  try {
    await client.query(signal);
  } catch (error) {
    if (signal.aborted) throw error;
    const { sqlstate, message } = error as { sqlstate?: unknown; message?: string };
    const said = String(message).replace(/\.$/, "");
    const options = { cause: error };
    if (client.name !== "forebay") {
      const what = `${client.name} cannot run the query on this server: ${said}`;
      const nextStep = `Mend what it says, or leave ${client.name} out of --compare.`;
      throw new CliError("QUERY_FAILED", what, nextStep, options);
    }
    if (typeof sqlstate !== "string") throw error;
    const what = `the server refuses the query: ${said} (${sqlstate})`;
    const nextStep = "Correct --query. It is run as it stands, without parameters.";
    throw new CliError("QUERY_FAILED", what, nextStep, options);
  }
}

interface ServerLook {
  /** The server's main process, where it can be seen from here. */
  readonly postmasterPid: number | undefined;
  readonly isTls: boolean;
}

function lookAtServer(server: Server, signal: AbortSignal): Promise<ServerLook> {
  return withServerFacts(server, signal, async ({ backendPid, isLocal, isTls }) => {
    if (!isLocal) return { postmasterPid: undefined, isTls };
    // Another machine's process, by chance of the same number here, is hardly one of PostgreSQL.
    const title = await readFile(`/proc/${backendPid}/cmdline`, "utf8").catch(() => "");
    const isOurs = title.includes("postgres");
    return { postmasterPid: isOurs ? await parentPid(backendPid) : undefined, isTls };
  });
}

interface Reading {
  readonly waits: ReturnType<BenchClient["waits"]>;
  readonly cpu: CpuReading;
}

/** What a load gave, whatever its kind. */
interface LoadResult {
  /** Requests that were answered. */
  readonly answered: number;
  readonly durationMs: number;
  readonly unfinished: number;
  readonly closed?: ClosedBenchResult;
  /** Of an open load: how late its requests were begun, in all. */
  readonly lateMs?: number;
}

class Bench {
  readonly #context: BenchContext;
  readonly #watch: LoopWatch;
  readonly #postmasterPid: number | undefined;
  readonly #arms: ArmFigures[] = [];
  readonly #armCount: number;
  #aloneMs = 0;

  constructor(context: BenchContext, watch: LoopWatch, pid: number | undefined) {
    const { plan, peers } = context;
    this.#context = context;
    this.#watch = watch;
    this.#postmasterPid = pid;
    this.#armCount = plan.callers.length * (1 + peers.length) + plan.rates.length;
  }

  async run(clients: readonly BenchClient[]): Promise<BenchReport> {
    const { plan, server, signal } = this.#context;
    await this.#warmUp(clients);
    for (const callers of plan.callers) {
      for (const client of clients) await this.#arm(client, { kind: "closed", callers });
    }
    for (const rate of plan.rates) {
      const ratePerS = this.#ratePerS(rate);
      const [forebay] = clients;
      if (forebay !== undefined && ratePerS > 0) {
        await this.#arm(forebay, { kind: "open", ratePerS });
      }
    }
    return {
      server: { kind: server.kind, description: server.description },
      serverVersion: server.version ?? "",
      plan,
      aloneMs: this.#aloneMs,
      arms: this.#arms,
      isPartial: signal.aborted,
    };
  }

  async #warmUp(clients: readonly BenchClient[]): Promise<void> {
    const { plan, clock, signal, onProgress } = this.#context;
    onProgress("warming up", 0);
    const run = (client: BenchClient, callers: number, durationMs: number) =>
      runClosedBench({
        clock,
        signal,
        callers,
        durationMs,
        operate: () => client.query(signal),
        onAnswer: () => undefined,
      });
    for (const client of clients) await run(client, plan.maxOpenConns, WARM_UP_MS);
    const [forebay] = clients;
    if (forebay === undefined || signal.aborted) return;
    const alone = await run(forebay, 1, Math.min(ALONE_MS, plan.durationMs));
    this.#aloneMs = alone.ops === 0 ? 0 : alone.responseMs / alone.ops;
  }

  async #arm(client: BenchClient, load: BenchLoad): Promise<void> {
    const { signal, onProgress } = this.#context;
    if (signal.aborted) return;
    const name = client.name === "forebay" ? "" : `${client.name}: `;
    onProgress(`${name}${loadName(load)}`, this.#arms.length / this.#armCount);
    const response = new LatencyHistogram();
    const before = await this.#read(client);
    this.#watch.lap();
    const result = await this.#load(client, load, response);
    const lap = this.#watch.lap();
    const after = await this.#read(client);
    if (response.count === 0) return;
    this.#arms.push(this.#figures({ client, load, response, result, lap, before, after }));
  }

  async #load(
    client: BenchClient,
    load: BenchLoad,
    response: LatencyHistogram,
  ): Promise<LoadResult> {
    const { plan, clock, signal } = this.#context;
    if (load.kind === "open") return this.#openLoad(client, load.ratePerS, response);
    const closed = await runClosedBench({
      clock,
      signal,
      callers: load.callers,
      durationMs: plan.durationMs,
      operate: () => client.query(signal),
      onAnswer: (ms) => response.recordMs(ms),
    });
    return { answered: closed.ops, durationMs: closed.durationMs, unfinished: 0, closed };
  }

  /** An open load that the server cannot carry would go on for long: it is cut off. */
  async #openLoad(
    client: BenchClient,
    ratePerS: number,
    response: LatencyHistogram,
  ): Promise<LoadResult> {
    const { plan, clock, signal } = this.#context;
    const cutOff = new AbortController();
    const timer = clock.setTimer(2 * plan.durationMs + CUT_OFF_MS, () => cutOff.abort());
    const either = AbortSignal.any([signal, cutOff.signal]);
    const arrivalsMs = poissonArrivals(seededLabRandom(SEED), ratePerS, plan.durationMs);
    const beganAtMs = clock.nowMs();
    let failure: unknown;
    let lateMs = 0;
    let answered = 0;
    const operate = async (_: number, dueAtMs: number): Promise<void> => {
      const begunAtMs = clock.nowMs();
      try {
        await client.query(either);
        answered += 1;
      } catch (error) {
        if (!either.aborted) {
          failure ??= error;
          cutOff.abort();
        }
        throw error;
      } finally {
        // Also without an answer: it has waited as long as that, and to leave it out would flatter.
        response.recordMs(clock.nowMs() - dueAtMs);
        lateMs += begunAtMs - dueAtMs;
      }
    };
    try {
      await runOpenLoad({ clock, signal: either, arrivalsMs, wake: "timer", operate });
    } catch (error) {
      if (!either.aborted) throw error;
    } finally {
      timer.cancel();
    }
    if (failure !== undefined && !signal.aborted) throw failure;
    const durationMs = clock.nowMs() - beganAtMs;
    return { answered, durationMs, unfinished: arrivalsMs.length - answered, lateMs };
  }

  async #read(client: BenchClient): Promise<Reading> {
    return { waits: client.waits(), cpu: await readCpu(this.#postmasterPid) };
  }

  #figures(arm: {
    readonly client: BenchClient;
    readonly load: BenchLoad;
    readonly response: LatencyHistogram;
    readonly result: LoadResult;
    readonly lap: ReturnType<LoopWatch["lap"]>;
    readonly before: Reading;
    readonly after: Reading;
  }): ArmFigures {
    const { client, load, response, result, lap, before, after } = arm;
    const begun = response.count;
    const { answered: ops, durationMs, closed } = result;
    // Of callers that have ended one by one, the time that they were at it is what counts.
    const opsPerS =
      closed === undefined || load.kind === "open"
        ? (ops / durationMs) * 1000
        : ((load.callers * ops) / closed.activeMs) * 1000;
    const serverMs = difference(after.cpu.serverMs, before.cpu.serverMs);
    const { othersRatio } = cpuLost(before.cpu, after.cpu);
    const waits = difference(after.waits?.waitCount, before.waits?.waitCount);
    const waitMs = difference(after.waits?.waitDurationMs, before.waits?.waitDurationMs);
    const figures = {
      client: client.name,
      load,
      ops,
      durationMs,
      opsPerS,
      meanMs: response.meanMs,
      p50Ms: response.percentileMs(50),
      p99Ms: response.percentileMs(99),
      p999Ms: response.percentileMs(99.9),
      ...(waits === undefined ? {} : { waitsPerOp: waits / begun }),
      ...(waitMs === undefined ? {} : { waitMsPerOp: waitMs / begun }),
      ...(result.lateMs === undefined ? {} : { lateMsPerOp: result.lateMs / begun }),
      loopUtilisationRatio: lap.utilisationRatio,
      clientCpuMsPerOp: lap.clientCpuMs / begun,
      ...(serverMs === undefined ? {} : { serverCpuMsPerOp: serverMs / begun }),
      ...(serverMs === undefined
        ? {}
        : { serverCpuRatio: serverMs / durationMs / availableParallelism() }),
      ...(othersRatio === undefined ? {} : { othersCpuRatio: othersRatio }),
      ...(closed === undefined ? {} : { lawErrorRatio: lawError(closed) }),
      unfinished: result.unfinished,
      isPartial: this.#context.signal.aborted,
    };
    if (client.name !== "forebay") return figures;
    const decisive = { waitMsPerOp: 0, lateMsPerOp: 0, serverCpuRatio: undefined, ...figures };
    return { ...figures, verdict: judgeLoad({ ...decisive, aloneMs: this.#aloneMs }) };
  }

  /** A relative rate is of the most that Forebay's closed arms reached. */
  #ratePerS(rate: BenchRate): number {
    if (rate.kind === "absolute") return rate.ratePerS;
    const reached = this.#arms.filter((arm) => arm.client === "forebay");
    return rate.ratio * Math.max(0, ...reached.map((arm) => arm.opsPerS));
  }
}

/** Beyond twice its time, an open load gets this much more to end. */
const CUT_OFF_MS = 1000;

function difference(after: number | undefined, before: number | undefined): number | undefined {
  return after === undefined || before === undefined ? undefined : after - before;
}

/** A load in words: `1 caller`, `5,120 a second`. */
export function loadName(load: BenchLoad): string {
  if (load.kind === "open") return `${Math.round(load.ratePerS).toLocaleString("en-US")} a second`;
  return `${load.callers.toLocaleString("en-US")} ${load.callers === 1 ? "caller" : "callers"}`;
}
