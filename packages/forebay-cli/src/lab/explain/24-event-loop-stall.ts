// Scenario 24.

import type { Explanation } from "./explanation.ts";

/** When the process stands still. */
export const eventLoopStall: Explanation = {
  id: 24,
  title: "The event loop stands still",
  why: [
    "A long computation, a synchronous read of a large file, a stop-the-world collection, a " +
      "frozen container: for two seconds nothing runs. When the process goes on, every timer " +
      "that fell due in between fires before any answer that has long arrived is read. A pool " +
      "that goes by its timers alone turns everybody away whose deadline was within those two " +
      "seconds, and closes every connection that has been idle too long or is too old, all at " +
      "once. Then it dials them anew.",
    "Nobody was slow but the process itself, and what it needs in that moment is its connections.",
    "So time in which the event loop stood still is not time that passed: the pool has a " +
      "clock of its own, which leaves such gaps out. Answers that have arrived are read before " +
      "deadlines are looked at. And since nobody listened, whatever is idle is asked whether it " +
      "lives before it is used.",
  ],
  formula: [
    "the pool's time = the clock's - gaps (a timer of the pool more than 1 s late)",
    "turned away for a stall of s seconds: 0; else all who wait and have less than s left",
  ],
  settings: `openDB(connector, {
  acquireTimeoutMs: 1_000, // in time that passed for the pool
  onWarning: ({ kind, message }) => log(kind, message), // "stall"
});
// To find the cause: monitorEventLoopDelay of node:perf_hooks`,
  names: {
    go:
      "does not arise in this form: goroutines are preempted. A frozen process has the same " +
      "effect.",
    pg: "timers of the wait and of queries fire late and all together; nothing is done about it.",
    hikari:
      "the housekeeper notices a leap of the clock: it evicts all when the clock went back, and " +
      "warns when it went far ahead.",
  },
  caveats: [
    "It covers the pool. Your own timers, AbortSignal.timeout among them, fire all the same.",
    "Stalls below a second are not left out: they count against deadlines as always.",
    "The server has not stood still: idle_in_transaction_session_timeout and the pooler's " +
      "limits go on.",
  ],
};
