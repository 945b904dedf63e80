// Limits of time, which may be longer than a timer takes.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import { type Clock, type Timer, TIMER_DELAY_MAX_MS } from "../base/clock.ts";
import { ForebayError } from "../base/errors.ts";

/**
 * Calls `fire` after `limitMs`; never, and `undefined`, where that is more than a timer takes.
 * After a stall of the event loop, what has arrived in time is handled before `fire` is called.
 */
export function setLimit(clock: Clock, limitMs: number, fire: () => void): Timer | undefined {
  if (limitMs > TIMER_DELAY_MAX_MS) return undefined;
  let isCancelled = false;
  const timer = clock.setTimer(limitMs, () =>
    clock.afterIo(() => {
      if (!isCancelled) fire();
    }),
  );
  return {
    cancel: () => {
      isCancelled = true;
      timer.cancel();
    },
    keepAlive: (on) => timer.keepAlive(on),
  };
}

/**
 * Settles as `work` does, or rejects with `DRIVER_TIMEOUT` after `limitMs`, as `setLimit` counts
 * it. The work itself goes on; its outcome is then of no account. `what` names it for the message.
 * The timer keeps the process alive. Where `cancel` is aborted, the timer is gone and the promise
 * settles only if the work does.
 */
export function withinMs<T>(
  clock: Clock,
  limitMs: number,
  work: Promise<T>,
  what: string,
  cancel?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setLimit(clock, limitMs, () => {
      const message = `${what} did not end within ${limitMs}ms, and is not waited for any longer`;
      reject(new ForebayError("operating", "DRIVER_TIMEOUT", message, { retryable: false }));
    });
    if (cancel !== undefined) addAbortListener(cancel, () => timer?.cancel());
    work.then(resolve, reject).finally(() => timer?.cancel());
  });
}

/** Settles as `work` does, or rejects with `signal.reason` as soon as the signal is aborted. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    addAbortListener(signal, onAbort);
    work.then(resolve, reject).finally(() => removeAbortListener(signal, onAbort));
  });
}
