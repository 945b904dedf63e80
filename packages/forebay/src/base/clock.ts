// Time. The only file that reads a clock or starts a timer: everything else is handed a Clock, so
// that tests and simulations run the same code on a virtual one.

/** Milliseconds on a monotonic clock. Only differences mean anything. */
export type MonotonicMs = number & { readonly __unit: "MonotonicMs" };

/** A timer that has been started. It fires at most once. */
export interface Timer {
  /** Stops the timer. No effect once it has fired or been cancelled. */
  cancel(): void;
  /** Says whether a pending timer keeps the process alive. A new timer does. */
  keepAlive(on: boolean): void;
}

/** A source of time and timers. `systemClock` is the real one. */
export interface Clock {
  /** The present, on a clock that never goes back. */
  nowMs(): MonotonicMs;
  /**
   * Calls `fire` once, `delayMs` milliseconds from now, never before `setTimer` has returned.
   * Values below 0 count as 0; fractions are allowed. At most 2^31 - 1, about 24.8 days: the caller
   * re-arms beyond that.
   */
  setTimer(delayMs: number, fire: () => void): Timer;
  /** Calls `run` once, after the input and output that is already waiting has been handled. */
  afterIo(run: () => void): void;
}

/** The longest delay that a timer takes, in milliseconds. */
export const TIMER_DELAY_MAX_MS: number = 2 ** 31 - 1;

class SystemTimer implements Timer {
  readonly #handle: NodeJS.Timeout;

  constructor(handle: NodeJS.Timeout) {
    this.#handle = handle;
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  keepAlive(on: boolean): void {
    if (on) this.#handle.ref();
    else this.#handle.unref();
  }
}

// The global is a getter, which costs as much as a third of reading the clock.
const stopwatch = globalThis.performance;

/** The process's own monotonic clock and timers. */
export const systemClock: Clock = {
  nowMs: () => stopwatch.now() as MonotonicMs,
  setTimer: (delayMs, fire) =>
    new SystemTimer(setTimeout(fire, Math.min(Math.max(delayMs, 0), TIMER_DELAY_MAX_MS))),
  afterIo: (run) => {
    setImmediate(run);
  },
};
