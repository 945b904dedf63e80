// Load shedding by controlled delay: turns away those who have waited too long, once everybody has
// been waiting for some time, so that a pool which cannot keep up serves some callers in time
// rather than all of them too late.
//
// The algorithm is CoDel (Nichols, Jacobson: Controlling Queue Delay, ACM Queue 2012) in the form
// for servers of requests: Maurer, Fail at Scale, ACM Queue 2015.

import type { MonotonicMs } from "../base/clock.ts";

/** When to shed load. */
export interface SheddingOptions {
  /** The shortest wait of an interval may be this long; above it the pool counts as overloaded. */
  readonly targetMs: number;
  /** How long the waits must stay above that. */
  readonly intervalMs: number;
}

/** While overloaded, who has waited for longer than this many targets is turned away. */
const PATIENCE_TARGETS = 2;

/** Judges the waits of one pool as they end. */
export class Codel {
  readonly #options: SheddingOptions;
  #intervalEndsAtMs = -Infinity;
  #waitMsMin = Infinity;
  #isOverloaded = false;

  constructor(options: SheddingOptions) {
    this.#options = options;
  }

  /** Notes that somebody would now be served after `waitedMs`; true when he is to be shed. */
  isDue(waitedMs: number, nowMs: MonotonicMs): boolean {
    const { targetMs, intervalMs } = this.#options;
    if (nowMs >= this.#intervalEndsAtMs) {
      // An interval in which nobody waited for long, or nobody at all, ends the overload.
      const isFresh = nowMs < this.#intervalEndsAtMs + intervalMs;
      this.#isOverloaded = isFresh && this.#waitMsMin > targetMs;
      this.#intervalEndsAtMs = nowMs + intervalMs;
      this.#waitMsMin = Infinity;
    }
    this.#waitMsMin = Math.min(this.#waitMsMin, waitedMs);
    return this.#isOverloaded && waitedMs > PATIENCE_TARGETS * targetMs;
  }
}
