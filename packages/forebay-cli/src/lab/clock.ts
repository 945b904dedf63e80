// Time, as the lab needs it. The only file of the lab that reads a clock or starts a timer, so that
// the load generator can be tested on a virtual one: the interface is the library's own Clock, less
// what the lab does not use.

/** A timer that has been started. */
export interface LabTimer {
  cancel(): void;
}

/** A source of time and timers. */
export interface LabClock {
  /**
   * Milliseconds, with fractions, on a clock that never goes back. Only differences mean anything.
   */
  nowMs(): number;
  /** The present as people tell it. */
  date(): Date;
  /** Calls `fire` once, `delayMs` from now. */
  setTimer(delayMs: number, fire: () => void): LabTimer;
  /** Calls `run` once, after the input and output that is already waiting has been handled. */
  afterIo(run: () => void): void;
}

/** The process's own clock. */
export const labClock: LabClock = {
  nowMs: () => performance.now(),
  date: () => new Date(),
  setTimer: (delayMs, fire) => {
    const handle = setTimeout(fire, Math.max(delayMs, 0));
    return { cancel: () => clearTimeout(handle) };
  },
  afterIo: (run) => {
    setImmediate(run);
  },
};

/** Resolves after `delayMs`; rejects with `signal.reason` as soon as the signal is aborted. */
export function pause(clock: LabClock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Nanoseconds on a clock that all threads of this process share. Only differences mean anything.
 */
export function sharedNowNs(): bigint {
  return process.hrtime.bigint();
}

/** The system's own signal with a deadline, for arms that are about it. */
export function timeoutSignal(delayMs: number): AbortSignal {
  return AbortSignal.timeout(delayMs);
}
