// Arms compared in small pieces: for differences of microseconds on a machine on which other
// programs come and go. A few requests of one arm, a few of the next, forward and backward, many
// times over; of each arm the quick pieces count, since what made the others slow was not the arm.

import { readFileSync } from "node:fs";
import { sum } from "./compare.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { ScenarioContext } from "./scenario.ts";
import type { Turn } from "./turn.ts";

/** What one arm gave in a turn of pieces. */
export interface ChunkedTurn extends Turn {
  /** Time for each request, and CPU time of this process: the lower quartile of the pieces. */
  readonly timeMs: number;
  readonly cpuMs: number;
  /** CPU time of the arm's backend likewise; undefined where it cannot be seen. */
  readonly backendCpuMs: number | undefined;
}

/** One arm. */
export interface ChunkedArm {
  /** One request. */
  operate(): Promise<unknown>;
  /** The process that serves it, where it is on this machine and the lab's. */
  readonly backendPid?: number | undefined;
}

/** How a turn is cut. */
export interface ChunkPlan {
  readonly chunks: number;
  readonly requestsPerChunk: number;
}

interface Pieces {
  readonly response: LatencyHistogram;
  readonly timesMs: number[];
  readonly cpusMs: number[];
  readonly backendCpusMs: number[];
}

/**
 * Runs one turn of several arms, one caller each, one request after the other. Rejects with the
 * first failure, and on abort.
 */
export async function chunkedTurn(
  context: ScenarioContext,
  arms: readonly ChunkedArm[],
  plan: ChunkPlan,
): Promise<ChunkedTurn[]> {
  const { clock, signal } = context;
  const pieces = arms.map(
    (): Pieces => ({
      response: new LatencyHistogram(),
      timesMs: [],
      cpusMs: [],
      backendCpusMs: [],
    }),
  );
  const order = [...arms.keys()];
  const each = plan.requestsPerChunk;
  context.loop.begin();
  for (let chunk = 0; chunk < plan.chunks; chunk++) {
    for (const at of chunk % 2 === 0 ? order : order.toReversed()) {
      signal.throwIfAborted();
      const arm = arms[at];
      const piece = pieces[at];
      if (arm === undefined || piece === undefined) continue;
      const backendBefore = readProcessCpuMs(arm.backendPid);
      const cpuBefore = process.cpuUsage();
      const beganAtMs = clock.nowMs();
      let lastMs = beganAtMs;
      for (let request = 0; request < each; request++) {
        await arm.operate();
        const nowMs = clock.nowMs();
        piece.response.recordMs(nowMs - lastMs);
        lastMs = nowMs;
      }
      const { user, system } = process.cpuUsage(cpuBefore);
      piece.timesMs.push((lastMs - beganAtMs) / each);
      piece.cpusMs.push((user + system) / 1000 / each);
      const backendAfter = readProcessCpuMs(arm.backendPid);
      if (backendBefore !== undefined && backendAfter !== undefined) {
        piece.backendCpusMs.push((backendAfter - backendBefore) / each);
      }
    }
  }
  // A closed loop keeps the event loop as busy as it can be.
  const { utilisationRatio } = context.loop.end("effect");
  return pieces.map((piece) => turnOf(piece, each, utilisationRatio));
}

function turnOf(piece: Pieces, each: number, utilisationRatio: number): ChunkedTurn {
  return {
    requests: piece.response.count,
    response: piece.response,
    failed: 0,
    failures: {},
    durationMs: sum(piece.timesMs) * each,
    utilisationRatio,
    clientCpuMs: sum(piece.cpusMs) * each,
    serverCpuMs: undefined,
    timeMs: lowerQuartile(piece.timesMs),
    cpuMs: lowerQuartile(piece.cpusMs),
    backendCpuMs: piece.backendCpusMs.length === 0 ? undefined : lowerQuartile(piece.backendCpusMs),
  };
}

/**
 * CPU time of a process of one thread, to the nanosecond where Linux tells: the steps of 10 ms of
 * /proc/pid/stat are too coarse for a few queries.
 */
function readProcessCpuMs(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const [onCpuNs] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ");
    const ms = Number(onCpuNs) / 1e6;
    return ms > 0 ? ms : undefined;
  } catch {
    return undefined;
  }
}

/** The value that a quarter of the values do not exceed. NaN of nothing. */
export function lowerQuartile(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length / 4) - 1)] ?? Number.NaN;
}
