// Warm-ups: callers who wait until so many connections are open, and need none of them.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import { setLimit } from "./within.ts";

interface WarmUp {
  readonly count: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** What warm-ups need of their pool. */
export interface WarmUpPool {
  readonly clock: Clock;
  /** Connections open and of use. */
  kept(): number;
  /** Has so many opened; 0 for none ahead of need. */
  warmTo(count: number): void;
  /** What to reject with after so long. */
  timeoutError(waitedMs: number): unknown;
}

/** The warm-ups of one pool. */
export class WarmUps {
  readonly #pool: WarmUpPool;
  readonly #waiting = new Set<WarmUp>();

  constructor(pool: WarmUpPool) {
    this.#pool = pool;
  }

  /** Resolves when `count` connections are open; rejects after `timeoutMs`, or with the signal. */
  run(count: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const ended = (): void => {
        this.#waiting.delete(warmUp);
        timer?.cancel();
        if (signal !== undefined) removeAbortListener(signal, onAbort);
        this.#warm();
      };
      const warmUp: WarmUp = {
        count,
        resolve: () => {
          ended();
          resolve();
        },
        reject: (reason) => {
          ended();
          reject(reason);
        },
      };
      const onAbort = (): void => warmUp.reject(signal?.reason);
      const timer = setLimit(this.#pool.clock, timeoutMs, () =>
        warmUp.reject(this.#pool.timeoutError(timeoutMs)),
      );
      if (signal !== undefined) addAbortListener(signal, onAbort);
      this.#waiting.add(warmUp);
      this.#warm();
      this.look();
    });
  }

  /** To be called whenever connections may have been opened. */
  look(): void {
    if (this.#waiting.size === 0) return;
    const kept = this.#pool.kept();
    for (const { count, resolve } of this.#waiting) if (kept >= count) resolve();
  }

  /** Ends all of them. */
  rejectAll(reason: unknown): void {
    for (const { reject } of this.#waiting) reject(reason);
  }

  #warm(): void {
    this.#pool.warmTo(Math.max(0, ...[...this.#waiting].map(({ count }) => count)));
  }
}
