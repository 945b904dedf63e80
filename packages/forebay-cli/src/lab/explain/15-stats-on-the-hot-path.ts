// Scenario 15.

import type { Explanation } from "./explanation.ts";

/** Statistics at every request. */
export const statsOnHotPath: Explanation = {
  id: 15,
  title: "stats() at every request",
  guide: [
    "A handler that calls db.Stats() for every request takes the pool's mutex each time, against " +
      "everyone who acquires and releases. Sample it every 100 ms and read an atomic instead.",
  ],
  why: [
    "True in Go, though it takes many cores for it to matter: uncontended, the call takes " +
      "tens of nanoseconds.",
    "In Node there is no mutex and nobody to contend with. What can hurt is a snapshot that " +
      "counts its connections one by one, or builds histograms and percentiles, or a metrics " +
      "collector that does so for many pools in one turn of the event loop. Then every request " +
      "pays, and the loop stands still meanwhile.",
    "Here stats() is in constant time: its gauges are sizes of lists that are kept anyway. " +
      "histograms() copies buckets, and belongs into a collector that runs every some seconds.",
  ],
  formula: [
    "cost per request = time of the call / time of the request   (0.5 us of 1 ms: 0.05 %)",
    "age of a sampled value <= interval + the event loop's delay",
  ],
  settings: `let saturation = 0;
setInterval(() => {
  const { pool, maxOpenConnections } = db.stats();
  saturation = pool.leased / maxOpenConnections;
}, 100).unref();
// To turn callers away there is no need to look: maxWaiters, shedding`,
  names: {
    go: "DB.Stats under the mutex; pgxpool.Stat under puddle's.",
    pg: "totalCount, idleCount, waitingCount: plain numbers.",
    hikari: "HikariPoolMXBean, which counts the list of connections at each call.",
  },
  caveats: [
    "Deciding by a sample that is 100 ms old lets 100 ms of traffic through. A bounded queue " +
      "decides exactly, and at once.",
    "A worker thread cannot call stats(), as the pool lives in another thread. What is sampled " +
      "into a SharedArrayBuffer it reads in nanoseconds; a message to the pool's thread and back " +
      "takes as long as that is busy, and gives the value of the moment.",
    "Counters only grow: look at their difference between two samples.",
  ],
};
