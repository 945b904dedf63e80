// Scenario 15 from another thread: a worker that reads the gauge in shared memory, and one that
// asks the pool's thread by message, while that serves requests of the real server.

import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ScenarioContext } from "../scenario.ts";
import { CALLERS, sampleInUse, sharedGauge } from "./15-arms.ts";

const PROGRAM = fileURLToPath(new URL("../../../libexec/gauge-reader.mjs", import.meta.url));

/** What a worker thread saw of the pool. */
export interface WorkerMeasured {
  /** What one read of the shared gauge takes, in nanoseconds. */
  readonly readNs: number;
  /** How old the gauge was at each of many looks. */
  readonly ageMs: readonly number[];
  /** How long each question to the pool's thread took. */
  readonly askMs: readonly number[];
}

const READS = 1_000_000;

/** Has a worker look `looks` times in each way. Rejects on abort, and when the worker fails. */
export async function lookFromWorker(
  context: ScenarioContext,
  looks: number,
): Promise<WorkerMeasured> {
  const { pools, signal } = context;
  context.step("a worker thread", looks * 6);
  const db = pools.openDb({ maxOpenConns: CALLERS, maxIdleConns: CALLERS });
  await db.warmUp(CALLERS);
  const shared = sharedGauge();
  const gauge = sampleInUse(context, db, shared);
  const reader = new GaugeReader(shared.buffer, () => db.stats().inUse);
  context.defer(() => reader.end());
  let isOver = false;
  const caller = async (): Promise<void> => {
    while (!isOver && !signal.aborted) await db.queryRow("SELECT $1::int AS v", [1]);
  };
  const load = Promise.all(Array.from({ length: CALLERS }, caller));
  // It is waited for at the end, which must not be the first to hear of a failure.
  load.catch(() => undefined);
  try {
    const { ns } = await reader.order({ read: READS }, signal);
    const { agesMs } = await reader.order({ watch: looks }, signal);
    const { tookMs } = await reader.order({ ask: looks }, signal);
    return { readNs: ns ?? Number.NaN, ageMs: agesMs ?? [], askMs: tookMs ?? [] };
  } finally {
    isOver = true;
    gauge.stop();
    await load;
    await db.close();
  }
}

/** What the worker is told to do, how many times. */
type Order = { readonly read: number } | { readonly watch: number } | { readonly ask: number };

/** What came of it: one of them. */
interface Done {
  readonly ns?: number;
  readonly agesMs?: readonly number[];
  readonly tookMs?: readonly number[];
}

/** This thread's side of the worker. One order at a time. */
class GaugeReader {
  readonly #worker: Worker;
  #failure: Error | undefined;
  #settle: { readonly done: (done: Done) => void; readonly failed: (error: Error) => void } = {
    done: () => undefined,
    failed: () => undefined,
  };

  /** `answer` is what is said to the worker when it asks. */
  constructor(shared: ArrayBufferLike, answer: () => number) {
    this.#worker = new Worker(PROGRAM, { workerData: { shared } });
    this.#worker.on("message", ({ done }: { readonly done?: Done }) => {
      if (done === undefined) this.#worker.postMessage({ inUse: answer() });
      else this.#settle.done(done);
    });
    this.#worker.on("error", (error: Error) => {
      this.#failure = error;
      this.#settle.failed(error);
    });
  }

  async order(order: Order, signal: AbortSignal): Promise<Done> {
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    let onAbort = (): void => undefined;
    try {
      return await new Promise((done, failed) => {
        this.#settle = { done, failed };
        onAbort = () => failed(signal.reason as Error);
        signal.addEventListener("abort", onAbort);
        this.#worker.postMessage(order);
      });
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
