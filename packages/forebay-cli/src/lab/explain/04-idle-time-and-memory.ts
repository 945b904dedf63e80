// Scenario 4.

import type { Explanation } from "./explanation.ts";

/** What idle connections cost the server. */
export const idleTimeAndMemory: Explanation = {
  id: 4,
  title: "Idle time against memory pressure",
  guide: [
    "A batch processor needs 200 connections at its peak and 5 for most of the day. 200 idle " +
      "ones cost about 10 MB of the server's memory each; ConnMaxIdleTime of 5 minutes shrinks " +
      "the pool to about 5 in quiet times.",
  ],
  why: [
    "Right, with two conditions. The first is the order in which idle connections are used. " +
      "Last in, first out leaves the rest alone, and they grow old. First in, first out touches " +
      "every connection in turn, and none is ever idle for long enough: the pool stays at its " +
      "peak for ever.",
    "The second is what is counted. The resident size of a server process includes the shared " +
      "buffers that it has touched, which are there once however many look at them. Its own " +
      "memory is a megabyte or two at birth. It grows with what the session has seen, by caches " +
      "of relations, prepared statements and plans, to tens of megabytes. So what matters is " +
      "how long a connection has lived with how much variety, and the sum of private memory " +
      "(Private_Dirty in smaps_rollup).",
  ],
  formula: [
    "first in, first out uses each of n connections every n / rate seconds: with 60 " +
      "connections and 40 queries/s every 1.5 s, so that no idle time above that ever closes one",
    "last in, first out keeps about as many as are busy at once: rate x mean hold time, and a few",
  ],
  settings: `openDB(connector, {
  maxOpenConns: 200,
  connMaxIdleTimeMs: 5 * 60_000,
  idleOrder: "lifo", // the default
  minIdleConns: 5, // where the first of a new burst must not dial
});`,
  names: {
    go:
      "SetConnMaxIdleTime. Reuse is last in, first out since Go 1.18 and was first in, first " +
      "out before. pgxpool: MaxConnIdleTime, last in, first out.",
    pg: "idleTimeoutMillis, 10 s by default, and min; last in, first out.",
    hikari: "idleTimeout, which works only where minimumIdle is below maximumPoolSize.",
  },
  caveats: [
    "The next spike pays for what was closed, by dials. Where spikes come every few minutes, " +
      "an idle time longer than the pause between them costs less.",
    "A lifetime bounds how much memory a session can gather, and an idle time does not: a " +
      "busy connection is never idle.",
  ],
};
