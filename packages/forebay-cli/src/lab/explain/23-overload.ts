// Scenario 23.

import type { Explanation } from "./explanation.ts";

/** More work than can be done. */
export const overload: Explanation = {
  id: 23,
  title: "Overload: shedding load against a long queue",
  why: [
    "At one and a half times the capacity a queue only grows. Served in order of arrival, " +
      "each request waits longer than the one before, until all wait for exactly as long as " +
      "their callers have patience. From then on the server works at full speed on answers that " +
      "nobody waits for any more: much is done, and nothing is of use. Retries make it worse.",
    "A timeout of the wait alone does not help, as it serves those who are just short of it. " +
      "CoDel looks at the shortest wait within an interval: while somebody is served promptly " +
      "the queue is only a burst, and does no harm; when everybody has waited for longer than " +
      "the target for a whole interval, it is a standing queue, and those who have waited for " +
      "more than twice the target are turned away. The others are served soon enough for it to " +
      "count.",
    "Those who are turned away learn it at once, and can try another instance, or tell the user.",
  ],
  formula: [
    "wait in the queue after t seconds at load r > 1: about t x (r - 1)   (0.2 s after 0.4 s " +
      "at 1.5)",
    "useful work, long queue: towards 0 once the wait exceeds the callers' patience",
    "useful work, shed: towards 1 / r of what is asked (67 % at 1.5)",
  ],
  settings: `openDB(connector, {
  shedding: { targetMs: 5, intervalMs: 100 }, // POOL_OVERLOADED
  acquireTimeoutMs: 200, // no longer than callers wait
  maxWaiters: 100,
});`,
  names: {
    go: "none: a limiter before the handler, and short contexts.",
    pg: "none; connectionTimeoutMillis bounds the wait.",
    hikari:
      "none; connectionTimeout, 250 ms at least. DBConnection of Elixir has CoDel, by default.",
  },
  caveats: [
    "Not for batch jobs, whose calls may wait: give them a DB of their own. All queues of a " +
      "pool share the judgement.",
    "It bounds the queue for connections. A queue in front of it, in the HTTP server or the " +
      "load balancer, needs a bound of its own.",
  ],
};
