// A bound on how long a promise may take.

import { type Clock, TIMER_DELAY_MAX_MS } from "../base/clock.ts";
import { ForebayError } from "../base/errors.ts";

/**
 * Settles as `work` does, or rejects with `DRIVER_TIMEOUT` after `limitMs`; never where that is
 * more than a timer takes. The work itself goes on; its outcome is then of no account. `what` names
 * it for the message. The timer keeps the process alive.
 */
export function withinMs<T>(
  clock: Clock,
  limitMs: number,
  work: Promise<T>,
  what: string,
): Promise<T> {
  if (limitMs > TIMER_DELAY_MAX_MS) return work;
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(limitMs, () => {
      const message = `${what} did not end within ${limitMs}ms. The connection is given up`;
      reject(new ForebayError("operating", "DRIVER_TIMEOUT", message, { retryable: false }));
    });
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
