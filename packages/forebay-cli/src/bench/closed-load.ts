// Callers of whom each asks again as soon as it is served. Unlike the lab's, it gives what it has
// measured also when it is stopped, and the time for which its callers were at it.

import type { LabClock } from "../lab/clock.ts";

/** What is run. */
export interface ClosedBenchLoad {
  readonly clock: LabClock;
  readonly signal: AbortSignal;
  readonly callers: number;
  /** No request begins after this long. */
  readonly durationMs: number;
  operate(): Promise<unknown>;
  /** Told of each request that was answered. */
  onAnswer(responseMs: number): void;
}

/** What a run gave, besides the answers. */
export interface ClosedBenchResult {
  readonly ops: number;
  /** The sum, over the callers, of the time from its first request to its last answer. */
  readonly activeMs: number;
  readonly responseMs: number;
  readonly durationMs: number;
}

/**
 * Runs the load, every caller at least once. Resolves when it has ended or was stopped; rejects
 * with the first failure.
 */
export async function runClosedBench(load: ClosedBenchLoad): Promise<ClosedBenchResult> {
  const { clock, signal } = load;
  const startedAtMs = clock.nowMs();
  let ops = 0;
  let activeMs = 0;
  let responseMs = 0;
  let hasFailed = false;
  const caller = async (): Promise<void> => {
    let atMs = clock.nowMs();
    const beganAtMs = atMs;
    let endedAtMs = atMs;
    try {
      do {
        await load.operate();
        endedAtMs = clock.nowMs();
        ops += 1;
        responseMs += endedAtMs - atMs;
        load.onAnswer(endedAtMs - atMs);
        atMs = clock.nowMs();
      } while (atMs - startedAtMs < load.durationMs && !signal.aborted && !hasFailed);
    } catch (error) {
      // Cut off by the signal, it is no answer and no failure.
      if (!signal.aborted) {
        hasFailed = true;
        throw error;
      }
    } finally {
      activeMs += endedAtMs - beganAtMs;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: load.callers }, caller));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return { ops, activeMs, responseMs, durationMs: clock.nowMs() - startedAtMs };
}

/**
 * The interactive response-time law, R = N/X - Z with no think time Z: how far the measured mean
 * response R is from N callers by the throughput X, as a share of R. What it finds is time that the
 * harness lost between requests. J. P. Buzen (1976); Lazowska et al., Quantitative System
 * Performance (1984), ch. 3.
 */
export function lawError({
  ops,
  activeMs,
  responseMs,
}: Pick<ClosedBenchResult, "ops" | "activeMs" | "responseMs">): number {
  if (ops === 0 || responseMs === 0) return 0;
  return Math.abs(responseMs - activeMs) / responseMs;
}
