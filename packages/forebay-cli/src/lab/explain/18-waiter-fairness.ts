// Scenario 18.

import type { Explanation } from "./explanation.ts";

/** Who is served next. */
export const waiterFairness: Explanation = {
  id: 18,
  title: "In which order waiters are served",
  why: [
    "When a connection comes back and several wait, database/sql takes one of them at random. " +
      "The mean wait is the same in any order; the tail is not. In a queue of twenty, the " +
      "unlucky one is passed over again and again, while others come and go. Under load the " +
      "p99.9 is a multiple of what arrival order gives, and timeouts fall on requests that were " +
      "there first.",
    "It has been an open issue of Go since 2019 (golang/go#31708); a change to arrival order " +
      "was measured on one and the same load with a longest wait of 119 s instead of 449 s " +
      "(#50358), and was not merged.",
    "Arrival order needs no more than a queue. What it must not allow is barging: a caller " +
      "who comes just when a connection is free must not take it before those who wait.",
  ],
  formula: [
    "mean wait = the same in any order that does not look at how long the work is (Little)",
    "longest wait, arrival order = queue length / service rate",
    "at random the wait's variance is larger, the more the closer the pool is to its limit",
  ],
  settings: `openDB(connector, { waiterOrder: "fifo" }); // the default
// "random" is what database/sql does, and preset: "go"`,
  names: {
    go: "at random; pgxpool in order of arrival.",
    pg: "in order of arrival.",
    hikari:
      "near to it: a fair hand-off, but a thread that has used a connection looks at that first.",
  },
  caveats: [
    "Order of arrival makes waits alike, not short. Where callers give up, an overloaded " +
      "queue in order of arrival serves those first who are about to: scenario 23.",
    "Bulkheads with a priority leave the order on purpose.",
  ],
};
