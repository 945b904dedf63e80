// Load: open-loop, where requests come when they come whatever the server does, and closed-loop,
// where each of a number of callers asks again as soon as it is served. Knows nothing of databases.

import type { LabClock } from "./clock.ts";
import { countFailure, failureKind } from "./failures.ts";
import { LatencyHistogram } from "./histogram.ts";

/** What an open load does. */
export interface OpenLoad {
  readonly clock: LabClock;
  /** Aborting stops new requests at once; the operations see it by themselves. */
  readonly signal: AbortSignal;
  /** When each request is due, in milliseconds from the start, in order. */
  readonly arrivalsMs: readonly number[];
  /**
   * How to meet the moment. `timer` is late by up to the 1 ms of a timer, which counts into the
   * latency. `spin` turns the event loop for the last 2 ms instead: for arrivals far apart, where
   * that is a small share of the time.
   */
  readonly wake: "timer" | "spin";
  /** One request. It may fail. `dueAtMs` is when it was due, on the load's clock. */
  operate(index: number, dueAtMs: number): Promise<void>;
}

/** What an open load gave. */
export interface OpenLoadResult {
  /** From when each request was due until it ended, well or not; NaN for those never begun. */
  readonly responseMs: Float64Array;
  /** From when each request was due until it was begun. */
  readonly lateMs: Float64Array;
  /** 1 for each request that failed. */
  readonly failed: Uint8Array;
  /** How often each kind of failure came, by its code or name. */
  readonly failures: Readonly<Record<string, number>>;
  /** From the start to the end of the last request. */
  readonly durationMs: number;
  /** Clock reading at the start. */
  readonly startedAtMs: number;
}

const SPIN_MS = 2;

/**
 * Runs an open load and resolves once every request that was begun has ended.
 *
 * Latency counts from the moment at which a request was due, not at which it was begun: when the
 * server or this process stalls, the requests that pile up meanwhile show it (no coordinated
 * omission). Rejects with `signal.reason` on abort.
 */
export async function runOpenLoad(load: OpenLoad): Promise<OpenLoadResult> {
  const { clock, signal, arrivalsMs } = load;
  const count = arrivalsMs.length;
  const responseMs = new Float64Array(count).fill(Number.NaN);
  const lateMs = new Float64Array(count).fill(Number.NaN);
  const failed = new Uint8Array(count);
  const failures: Record<string, number> = {};
  const pending = new Set<Promise<void>>();
  const startedAtMs = clock.nowMs();

  const begin = (index: number): void => {
    const dueAtMs = startedAtMs + (arrivalsMs[index] ?? 0);
    lateMs[index] = clock.nowMs() - dueAtMs;
    const ended = load.operate(index, dueAtMs).then(
      () => {
        responseMs[index] = clock.nowMs() - dueAtMs;
      },
      (error: unknown) => {
        responseMs[index] = clock.nowMs() - dueAtMs;
        failed[index] = 1;
        countFailure(failures, failureKind(error));
      },
    );
    pending.add(ended);
    void ended.then(() => pending.delete(ended));
  };

  await issueAll(load, startedAtMs, begin);
  while (pending.size > 0) await Promise.all(pending);
  signal.throwIfAborted();
  const durationMs = clock.nowMs() - startedAtMs;
  return { responseMs, lateMs, failed, failures, durationMs, startedAtMs };
}

function issueAll(
  load: OpenLoad,
  startedAtMs: number,
  begin: (index: number) => void,
): Promise<void> {
  const { clock, signal, arrivalsMs, wake } = load;
  return new Promise((resolve) => {
    let next = 0;
    let timer: { cancel(): void } | undefined;
    const finish = (): void => {
      timer?.cancel();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const pump = (): void => {
      if (signal.aborted) return;
      const elapsedMs = clock.nowMs() - startedAtMs;
      while (next < arrivalsMs.length && (arrivalsMs[next] ?? 0) <= elapsedMs) begin(next++);
      if (next === arrivalsMs.length) {
        finish();
        return;
      }
      const waitMs = (arrivalsMs[next] ?? 0) - elapsedMs;
      if (wake === "timer") timer = clock.setTimer(waitMs, pump);
      else if (waitMs > SPIN_MS) timer = clock.setTimer(waitMs - SPIN_MS, pump);
      else clock.afterIo(pump);
    };
    signal.addEventListener("abort", finish, { once: true });
    if (signal.aborted) finish();
    else pump();
  });
}

/** What a closed load does. */
export interface ClosedLoad {
  readonly clock: LabClock;
  readonly signal: AbortSignal;
  /** How many callers ask, each one request at a time. */
  readonly callers: number;
  /** How many requests in all; `Infinity` to go by time alone. */
  readonly requests: number;
  /** No request begins after this long; `Infinity` to go by number alone. */
  readonly durationMs: number;
  /** One request. A failure ends the load, which then rejects with it. */
  operate(index: number): Promise<void>;
}

/** What a closed load gave. */
export interface ClosedLoadResult {
  readonly response: LatencyHistogram;
  readonly requests: number;
  readonly durationMs: number;
}

/**
 * Runs a closed load: for claims that are about one caller, or about the most that a server gives.
 */
export async function runClosedLoad(load: ClosedLoad): Promise<ClosedLoadResult> {
  const { clock, signal } = load;
  const response = new LatencyHistogram();
  const startedAtMs = clock.nowMs();
  let begun = 0;
  let stopped = false;
  const caller = async (): Promise<void> => {
    while (!stopped && begun < load.requests) {
      signal.throwIfAborted();
      const atMs = clock.nowMs();
      if (atMs - startedAtMs >= load.durationMs) return;
      await load.operate(begun++);
      response.recordMs(clock.nowMs() - atMs);
    }
  };
  const callers = Array.from({ length: load.callers }, async () => {
    try {
      await caller();
    } catch (error) {
      stopped = true;
      throw error;
    }
  });
  const ends = await Promise.allSettled(callers);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return { response, requests: response.count, durationMs: clock.nowMs() - startedAtMs };
}
