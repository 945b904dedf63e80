// How far a run is, and how long the rest will take: from what its parts were expected to take, and
// from how much longer they took than that so far.

import type { LabClock } from "./clock.ts";

/** Before so much of the work is done, its pace is not known. */
const KNOWN_FROM_MS = 3000;
const SLOWEST = 4;
const FASTEST = 0.5;

/** A point of a run. */
export interface Distance {
  /** Of the whole run, 0 to 1. */
  readonly fraction: number;
  readonly remainingMs: number;
}

/** The pace of a run. */
export class Pace {
  readonly #clock: LabClock;
  readonly #totalMs: number;
  readonly #beganAtMs: number;

  /** Begins now. `totalMs` is how long the whole is expected to take. */
  constructor(clock: LabClock, totalMs: number) {
    this.#clock = clock;
    this.#totalMs = totalMs;
    this.#beganAtMs = clock.nowMs();
  }

  /** Where the run is when so much of what was expected is done. */
  at(doneMs: number): Distance {
    const elapsedMs = this.#clock.nowMs() - this.#beganAtMs;
    const pace = doneMs < KNOWN_FROM_MS ? 1 : elapsedMs / doneMs;
    const leftMs = Math.max(0, this.#totalMs - doneMs);
    return {
      fraction: this.#totalMs === 0 ? 1 : Math.min(1, doneMs / this.#totalMs),
      remainingMs: leftMs * Math.min(SLOWEST, Math.max(FASTEST, pace)),
    };
  }
}
