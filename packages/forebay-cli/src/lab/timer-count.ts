// How many timers a piece of work has the process make, whoever makes them: also those within
// AbortSignal.timeout, which no wrapper around setTimeout would see.

import { createHook } from "node:async_hooks";

/** Runs `run`, and counts the timers that were made meanwhile. It slows down everything. */
export async function countTimers(run: () => Promise<unknown>): Promise<number> {
  let timers = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === "Timeout") timers++;
    },
  });
  hook.enable();
  try {
    await run();
  } finally {
    hook.disable();
  }
  return timers;
}
