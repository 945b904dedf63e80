// Closes what a scenario has opened, on every way out of it.

import type { LabClock } from "./clock.ts";

/**
 * How long all of it may take together. What does not close in time must not keep the report from
 * being written; it goes with the process.
 */
export const CLOSE_MS: number = 10_000;

/** Closes all, the last first. One that fails does not keep the others open. Never rejects. */
export async function closeAll(
  clock: LabClock,
  closers: readonly (() => Promise<unknown>)[],
): Promise<void> {
  const close = async (): Promise<void> => {
    for (const closeOne of closers.toReversed()) {
      try {
        await closeOne();
      } catch {
        // What it was for is over.
      }
    }
  };
  await new Promise<void>((resolve) => {
    const timer = clock.setTimer(CLOSE_MS, resolve);
    void close().then(() => {
      timer.cancel();
      resolve();
    });
  });
}
