// The pool's own time: the clock's, less the time in which the event loop stood still.
//
// After a stall, or a process that was frozen and thawed, everything would be due at once: waiters
// would be turned away whose connections are just coming back, and every idle connection would be
// closed. So where a timer is late by more than a second, the time since it was due, or since the
// clock was last looked at, is taken to have not passed.

import type { Clock, MonotonicMs } from "../base/clock.ts";

/** A timer that is late by no more than this is late for the usual reasons. */
export const STALL_MS: number = 1000;

/** A clock that skips stalls. */
export class SteadyClock {
  readonly #clock: Clock;
  readonly #onStall: (stalledMs: number) => void;
  /** Time that counts as not passed. */
  #skippedMs = 0;
  /** When the loop must have run, on the clock itself; `Infinity` where nothing says so. */
  #dueAtMs = Infinity;
  /** When the clock was last looked at: the pool's time never goes back to before that. */
  #seenAtMs = -Infinity;

  /** `onStall` is called at the first look after a stall, before that look returns. */
  constructor(clock: Clock, onStall: (stalledMs: number) => void) {
    this.#clock = clock;
    this.#onStall = onStall;
  }

  /** The pool's time. */
  nowMs(): MonotonicMs {
    const nowMs = this.#clock.nowMs();
    if (nowMs > this.#dueAtMs + STALL_MS) this.#skip(nowMs);
    this.#seenAtMs = nowMs;
    return (nowMs - this.#skippedMs) as MonotonicMs;
  }

  /** A timer has been set for this moment, in the pool's time; `Infinity` for none. */
  expectBy(atMs: number): void {
    this.#dueAtMs = atMs + this.#skippedMs;
  }

  #skip(nowMs: number): void {
    const stalledMs = nowMs - Math.max(this.#dueAtMs, this.#seenAtMs);
    this.#dueAtMs = Infinity;
    this.#seenAtMs = nowMs;
    this.#skippedMs += stalledMs;
    this.#onStall(stalledMs);
  }
}
