// A clock that stands still until it is told to move, for tests that are the same on every run.

import { assert } from "../base/assert.ts";
import { type Clock, type MonotonicMs, systemClock, type Timer } from "../base/clock.ts";

interface VirtualTimer extends Timer {
  readonly dueAtMs: number;
  readonly order: number;
  readonly fire: () => void;
  pending: boolean;
}

/** The shortest time that a timer takes which is to take any. */
const RESOLUTION_MS = 0.001;

/**
 * A virtual clock. Time passes only in `advance`; promises settle between any two timers; timers
 * due at the same moment fire in the order in which they were set.
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #timers = new Set<VirtualTimer>();
  #afterIo: (() => void)[] = [];

  /** The present. Starts at 0. */
  nowMs(): MonotonicMs {
    return this.#nowMs as MonotonicMs;
  }

  /** How many timers are pending; 0 after a test that left nothing behind. */
  get pendingTimerCount(): number {
    return this.#timers.size;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    this.#order += 1;
    const dueAtMs = this.#nowMs + Math.max(0, delayMs);
    // Some time must pass, also where it is too little for the sum to differ.
    const isTooShort = delayMs > 0 && dueAtMs === this.#nowMs;
    const timer: VirtualTimer = {
      dueAtMs: isTooShort ? this.#nowMs + RESOLUTION_MS : dueAtMs,
      order: this.#order,
      fire,
      pending: true,
      cancel: () => {
        timer.pending = false;
        this.#timers.delete(timer);
      },
      keepAlive: () => undefined,
    };
    this.#timers.add(timer);
    return timer;
  }

  afterIo(run: () => void): void {
    this.#afterIo.push(run);
  }

  /**
   * Lets promises settle, and what was put off until after input and output run. Time stands still.
   */
  async settle(): Promise<void> {
    do {
      const due = this.#afterIo;
      this.#afterIo = [];
      for (const run of due) run();
      await settlePromises();
    } while (this.#afterIo.length > 0);
  }

  /**
   * Moves time forward while nothing runs, as when the event loop is blocked or the process frozen.
   * What became due fires at the next `advance`, also `advance(0)`: first all such timers, as if
   * their input had arrived meanwhile, then what was put off until after input and output.
   */
  stall(forMs: number): void {
    this.#nowMs += forMs;
  }

  /** Moves time forward by `byMs`, firing what becomes due on the way, each at its own moment. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    let firedAtOnce = 0;
    await (this.nextTimerAtMs < this.#nowMs ? settlePromises() : this.settle());
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      firedAtOnce = timer.dueAtMs > this.#nowMs ? 0 : firedAtOnce + 1;
      assert(firedAtOnce < 5000, "virtual clock: timers fire without end, and no time passes");
      this.#nowMs = Math.max(this.#nowMs, timer.dueAtMs);
      timer.cancel();
      timer.fire();
      const isMoreOverdue = this.nextTimerAtMs < this.#nowMs;
      await (isMoreOverdue ? settlePromises() : this.settle());
    }
    this.#nowMs = untilMs;
    await this.settle();
  }

  /** When the earliest timer is due; `Infinity` for never. */
  get nextTimerAtMs(): number {
    return this.#next(Infinity)?.dueAtMs ?? Infinity;
  }

  #next(untilMs: number): VirtualTimer | undefined {
    let next: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAtMs > untilMs) continue;
      const earlier =
        next === undefined ||
        timer.dueAtMs < next.dueAtMs ||
        (timer.dueAtMs === next.dueAtMs && timer.order < next.order);
      if (earlier) next = timer;
    }
    return next;
  }
}

function settlePromises(): Promise<void> {
  return new Promise((resolve) => systemClock.afterIo(resolve));
}
