// Scenario 19.

import type { Explanation } from "./explanation.ts";

/** Many callers, and a dial that takes long. */
export const spikeAndSlowDial: Explanation = {
  id: 19,
  title: "A spike, and a dial that takes long",
  why: [
    "50 requests of 2 ms each arrive at once; a dial takes 150 ms. A pool in which each " +
      "caller dials for himself opens 45 connections, and each is used once. HikariCP's authors " +
      "measured this: other pools of Java ended with 40 to 45 connections, theirs with 5 or 6.",
    "The trick is that nobody dials for himself. Dials belong to the pool, and a caller takes " +
      "whatever comes first, a new connection or one that comes back. As soon as the first few " +
      "are there, each of them serves a request every 2 ms, and the queue is empty long before " +
      "another 45 dials would have ended. Dials that nobody needs any more are never begun.",
    "So the spike costs the server a handful of new processes instead of fifty, at the moment " +
      "at which it is busiest.",
  ],
  formula: [
    "each for himself: n dials, all served after dial + work",
    "k dials at a time: all served after about dial + n x work / k   (150 + 50 x 2 / 4 = 175 " +
      "ms with 4)",
  ],
  settings: `openDB(connector, {
  maxOpenConns: 50,
  maxDialing: 4, // the default: so many dials at once
  minIdleConns: 4, // where the spike must not wait for a dial at all
});
await db.warmUp(4); // before the service says that it is ready`,
  names: {
    go:
      "the caller dials, with its own context; a dial is thrown away when its caller gives up. " +
      "pgxpool dials for each caller, but keeps the connection.",
    pg:
      "each request that finds none idle dials for itself, and may not take one that comes back " +
      "meanwhile.",
    hikari: "as here: a thread of the pool dials, one at a time, as long as somebody waits.",
  },
  caveats: [
    "Where each request holds a connection for longer than a dial takes, few dials at a time " +
      "are slower than all at once: raise maxDialing.",
    "While the server refuses, one dial is made at a time, with a growing pause.",
  ],
};
