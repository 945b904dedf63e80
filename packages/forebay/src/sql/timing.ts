// What of time and chance the SQL layer needs, and the waits between the runs of a transaction.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";

/** Time and chance, as the pool has them. */
export interface Timing {
  readonly clock: Clock;
  readonly random: Random;
  /** How long a rollback that nobody waits for may take before the connection is closed instead. */
  readonly rollbackTimeoutMs: number;
}

/** The limit of the wait before the first repetition; it doubles with each. */
const BACKOFF_FIRST_MS = 10;
/** Where the limit stops growing. */
const BACKOFF_MAX_MS = 1000;

/**
 * How long to wait before the transaction is run again, after `failures` of 1 or more: drawn evenly
 * from 0 to a limit that doubles, so that transactions which have met do not meet again. ("Full
 * jitter": Marc Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015.)
 */
export function nextBackoffMs(failures: number, random: { next(): number }): number {
  return random.next() * Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (failures - 1));
}

/** Resolves after `delayMs`; rejects with `signal.reason` as soon as the signal is aborted. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      if (signal !== undefined) removeAbortListener(signal, onAbort);
      resolve();
    });
    if (signal !== undefined) addAbortListener(signal, onAbort);
  });
}
