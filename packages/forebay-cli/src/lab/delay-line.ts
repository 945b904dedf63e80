// A line on which everything takes the same time: what is put in comes out later, in order. One
// direction of one connection of a proxy.

import type { LabClock, LabTimer } from "./clock.ts";

interface Item {
  readonly dueAtMs: number;
  readonly deliver: () => void;
}

/** Delivers what is put into it after a delay, in the order in which it was put. */
export class DelayLine {
  readonly #clock: Pick<LabClock, "nowMs" | "setTimer">;
  readonly #items: Item[] = [];
  #timer: LabTimer | undefined;

  constructor(clock: Pick<LabClock, "nowMs" | "setTimer">) {
    this.#clock = clock;
  }

  /** How many deliveries are on their way. */
  get length(): number {
    return this.#items.length;
  }

  /**
   * Calls `deliver` after `delayMs`, and never before what was put earlier. With no delay, and
   * nothing on its way, at once.
   */
  put(delayMs: number, deliver: () => void): void {
    if (delayMs <= 0 && this.#items.length === 0) {
      deliver();
      return;
    }
    this.#items.push({ dueAtMs: this.#clock.nowMs() + delayMs, deliver });
    this.#arm();
  }

  /** Drops all that is on its way. */
  clear(): void {
    this.#items.length = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const [first] = this.#items;
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = this.#clock.setTimer(Math.max(0, first.dueAtMs - this.#clock.nowMs()), () => {
      this.#timer = undefined;
      this.#flush();
    });
  }

  #flush(): void {
    const nowMs = this.#clock.nowMs();
    for (;;) {
      const [first] = this.#items;
      if (first === undefined || first.dueAtMs > nowMs) break;
      this.#items.shift();
      first.deliver();
    }
    this.#arm();
  }
}
