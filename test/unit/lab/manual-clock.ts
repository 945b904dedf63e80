// A clock for tests of the lab.

import type { LabClock } from "../../../packages/forebay-cli/src/lab/clock.ts";

/** Time that moves only when told to, and settles promises after each timer. */
export class ManualClock implements LabClock {
  #nowMs = 0;
  #order = 0;
  #timers: { atMs: number; order: number; fire: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  date(): Date {
    return new Date(0);
  }

  setTimer(delayMs: number, fire: () => void) {
    const timer = { atMs: this.#nowMs + Math.max(delayMs, 0), order: this.#order++, fire };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  afterIo(run: () => void): void {
    this.setTimer(0.1, run);
  }

  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(delayMs, resolve));
  }

  /** Lets time jump without firing anything on the way, as a stalled event loop does. */
  stall(byMs: number): void {
    this.#nowMs += byMs;
  }

  async runAll(): Promise<void> {
    await settle();
    while (this.#timers.length > 0) {
      this.#timers.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      const timer = this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, timer?.atMs ?? 0);
      timer?.fire();
      await settle();
    }
  }
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
