// Scenario 5.

import type { Explanation } from "./explanation.ts";

/** A share of the pool for each kind of work. */
export const bulkhead: Explanation = {
  id: 5,
  title: "A bulkhead for each route",
  guide: [
    "/fast has 1,000 queries/s of 1 ms, /slow 50/s of 200 ms, and 100 connections are shared. " +
      "A burst of 100 slow requests takes all of them. A semaphore of 20 for /slow leaves 80 to " +
      "/fast, whose p99 then stays below 5 ms.",
  ],
  why: [
    "Sound. Slow work takes a pool over not because there is much of it, but because it holds " +
      "what it has for long: 50/s of 200 ms hold 10 connections on average, ten times as many " +
      "as 1,000/s of 1 ms.",
    "A cap of 20 is twice what the slow route needs, and 0.4 % of its requests wait for it; " +
      "with 16 it would be 5.7 %.",
    "A semaphore before the pool must be taken before the connection, given back on every way " +
      "out, and share one deadline with the wait for the connection. In the pool itself it does " +
      "all that, its waiting shows in the statistics, and what one share does not use, another " +
      "may.",
  ],
  formula: [
    "needed = rate x mean hold time            (50/s x 200 ms = 10)",
    "P(wait for the cap) = Erlang C(cap, needed)   cap 20: 0.4 %, cap 16: 5.7 %",
    "left to the others = maxOpenConns - cap",
  ],
  settings: `const db = openDB(connector, { maxOpenConns: 100 });
const slow = db.bulkhead("slow", { maxInUse: 20, maxWaiting: 200 });
const fast = db.bulkhead("fast", { reserved: 20, priority: 1 });
await slow.query(report); // has all calls of a DB`,
  names: {
    go: "none: a channel or golang.org/x/sync/semaphore before the DB, or a second DB.",
    pg: "none: a second Pool, or a semaphore such as p-limit.",
    hikari: "none: a second pool, or a bulkhead of Resilience4j.",
  },
  caveats: [
    "It shares out connections, and nothing else: not the server's processors, disks or " +
      "locks. Where slow work burns processor time, the cap has to be below the number of cores " +
      "for the others to notice nothing.",
    "A higher priority is always served first. Where there is always somebody of a higher " +
      "one, a lower one gets only what is reserved for it.",
  ],
};
