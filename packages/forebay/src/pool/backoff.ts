// The pause between dials while the server refuses them.

import type { MonotonicMs } from "../base/clock.ts";
import type { Random } from "../base/random.ts";

/** The first pause is about this long; each further one twice as long. */
export const BACKOFF_FIRST_MS: number = 50;

/** No pause is longer than this. */
export const BACKOFF_MAX_MS: number = 5000;

/**
 * Counts rounds of failed dials and says when the next may begin. Dials that were under way at the
 * same time fail as one round. The pause is drawn from the upper half of its range, so that
 * instances which lost the same server do not come back in step.
 */
export class DialBackoff {
  readonly #random: Random;
  #rounds = 0;
  #failedAtMs = -Infinity;
  #untilMs = -Infinity;
  #lastError: unknown;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether a dial has failed, and no connection that was opened since then has been of use. */
  get isFailing(): boolean {
    return this.#rounds > 0;
  }

  /** No dial may begin before this; in the past where none failed. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** Why the last dial failed; `undefined` where none is failing. */
  get lastError(): unknown {
    return this.#lastError;
  }

  /** A dial that began at `dialedAtMs` has failed. */
  noteFailure(dialedAtMs: MonotonicMs, error: unknown, nowMs: MonotonicMs): void {
    if (dialedAtMs <= this.#failedAtMs) {
      // One of a round that has been counted; or, after a use, of one that is forgotten.
      if (this.isFailing) this.#lastError = error;
      return;
    }
    this.#lastError = error;
    this.#rounds += 1;
    this.#failedAtMs = nowMs;
    const pauseMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (this.#rounds - 1));
    this.#untilMs = nowMs + pauseMs * (0.5 + 0.5 * this.#random.next());
  }

  /**
   * The connection of a dial that began at `dialedAtMs` was refused before anybody has used it:
   * that is no better than a failed dial.
   */
  noteRefusal(dialedAtMs: MonotonicMs, nowMs: MonotonicMs): void {
    this.noteFailure(dialedAtMs, new Error("the beforeAcquire hook refused the connection"), nowMs);
  }

  /**
   * A connection that was opened at `openedAtMs` is of use. If no dial has failed since then, what
   * failed before is forgotten. That a dial succeeds is not enough: a server
   * that accepts and then hangs up would be dialed all the time. Nor is the use of an older
   * connection: a server that is full serves those, and refuses all others.
   */
  noteUse(openedAtMs: MonotonicMs): void {
    if (this.isFailing && openedAtMs > this.#failedAtMs) this.reset();
  }

  /** Forgets what failed: the next failure is the first. */
  reset(): void {
    this.#rounds = 0;
    this.#untilMs = -Infinity;
    this.#lastError = undefined;
  }
}
