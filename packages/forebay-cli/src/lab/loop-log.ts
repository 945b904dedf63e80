// How this process fared over the arms of a scenario: a client that is busy itself measures itself.

import type { LoopWatch } from "./machine.ts";

/** What one arm took of this process. */
export interface ArmLap {
  readonly utilisationRatio: number;
  readonly delayP99Ms: number;
  /** CPU time of this process, in milliseconds. */
  readonly clientCpuMs: number;
}

/** Above this, the client is the bottleneck, and close comparisons say nothing. */
export const LOOP_BUSY_RATIO: number = 0.9;

/** Gathers the laps of a scenario. */
export class LoopLog {
  readonly #watch: LoopWatch;
  #utilisationRatio: number | undefined;
  #delayP99Ms: number | undefined;

  constructor(watch: LoopWatch) {
    this.#watch = watch;
  }

  /** Begins an arm: what went before belongs to none. */
  begin(): void {
    this.#watch.lap();
  }

  /**
   * Ends an arm. `effect` leaves it out of the conditions: for arms in which a busy event loop is
   * what is to be shown, or that are closed loops meant to drive it to the limit.
   */
  end(counts: "counts" | "effect" = "counts"): ArmLap {
    const lap = this.#watch.lap();
    if (counts === "counts") {
      this.#utilisationRatio = Math.max(this.#utilisationRatio ?? 0, lap.utilisationRatio);
      this.#delayP99Ms = Math.max(this.#delayP99Ms ?? 0, lap.delayP99Ms);
    }
    return lap;
  }

  /** Of the busiest arm that counts; undefined when none did. */
  get utilisationRatio(): number | undefined {
    return this.#utilisationRatio;
  }

  /**
   * The worst 99th percentile of the event loop's lateness over the arms that count; undefined when
   * none did.
   */
  get delayP99Ms(): number | undefined {
    return this.#delayP99Ms;
  }
}
