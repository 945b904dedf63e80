// What aborted calls have left open on a connection: requests that the server still works on, and
// cancel requests that may still arrive. Until all of it is done nothing new may be sent.

import type { Clock, Timer } from "../../base/clock.ts";

/** Counts what is open; says when nothing is, or when it takes too long. */
export class Unsettled {
  readonly #clock: Clock;
  readonly #boundMs: number;
  readonly #onOverdue: () => void;
  #count = 0;
  #timer: Timer | undefined;
  #promise: Promise<void> | undefined;
  #resolve: () => void = () => {};

  /** `onOverdue` is called once something has been open for `boundMs`. */
  constructor(clock: Clock, boundMs: number, onOverdue: () => void) {
    this.#clock = clock;
    this.#boundMs = boundMs;
    this.#onOverdue = onOverdue;
  }

  /** Resolves, and never rejects, once nothing is open any more; `undefined` when nothing is. */
  get promise(): Promise<void> | undefined {
    return this.#promise;
  }

  /** One more thing is open. */
  hold(): void {
    this.#count++;
    if (this.#promise !== undefined) return;
    this.#promise = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#timer = this.#clock.setTimer(this.#boundMs, this.#onOverdue);
  }

  /** One of the things that were open is done. No effect after `clear`. */
  release(): void {
    if (this.#count === 0) return;
    this.#count--;
    if (this.#count === 0) this.#end();
  }

  /** Nothing is open any more, because the connection is gone. */
  clear(): void {
    this.#count = 0;
    this.#end();
  }

  #end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#promise = undefined;
    this.#resolve();
  }
}
