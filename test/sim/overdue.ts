// Counts that hold but for a doubt of rounding: sums of times differ a little from what they stand
// for, and timers take a little time at least.

/** Sums of times may differ by this much from what they stand for. */
export const ROUNDING_MS = 0.01;

/** Counts what has lasted too long, but for a doubt of rounding. */
export class Overdue {
  least = 0;
  most = 0;

  note(lastedMs: number, limitMs: number): void {
    if (lastedMs >= limitMs + ROUNDING_MS) this.least += 1;
    if (lastedMs >= limitMs - ROUNDING_MS) this.most += 1;
  }

  mayBe(count: number): boolean {
    return count >= this.least && count <= this.most;
  }

  copy(): Overdue {
    return Object.assign(new Overdue(), this);
  }
}
