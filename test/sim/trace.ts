// What happens in a life, line by line, each with its time.

import type { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";

/** The trace of one life. */
export class Trace {
  readonly lines: string[] = [];
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  note(what: string): void {
    this.lines.push(`${this.#clock.nowMs().toFixed(1).padStart(9)}  ${what}`);
  }
}
