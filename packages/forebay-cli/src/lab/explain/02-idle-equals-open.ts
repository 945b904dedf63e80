// Scenario 2.

import type { Explanation } from "./explanation.ts";

/** How many idle ones to keep. */
export const idleEqualsOpen: Explanation = {
  id: 2,
  title: "As many idle connections as open ones",
  guide: [
    "At a steady 500 queries/s the default of two idle connections closes most of them right " +
      "after use. With as many idle as open, p99 falls by the cost of a handshake, and 10,000 " +
      "queries one after the other go from 3.5 ms to 0.5 ms each.",
  ],
  why: [
    "A connection that comes back when enough are idle already is closed, and the next burst " +
      "has to dial again: TCP, TLS, authentication and a new process at the server, which takes " +
      "as long as some dozens of small queries.",
    "The setting is right; the guide's workload and its test cannot show it. One caller " +
      "always finds the connection that he has just given back. And 500 random queries a second " +
      "of 0.5 ms each are hardly ever three at a time: in 0.2 % of the cases. At 5 ms each it " +
      "is 46 %. It takes bursts: ten at once with two idle dial eight times, every time.",
    "A dial is not a wait: database/sql's WaitCount and WaitDuration do not show this. " +
      "MaxIdleClosed does.",
  ],
  formula: [
    "dials per burst = callers at once - idle connections",
    "P(more than k busy) = 1 - sum(i = 0 .. k) of e^-L x L^i / i!   with L = rate x mean hold time",
  ],
  settings: `openDB(connector, {
  maxOpenConns: 10,
  maxIdleConns: 10, // the default: as many as may be open
  connMaxIdleTimeMs: 5 * 60_000, // gives them back when traffic is gone
});`,
  names: {
    go:
      "SetMaxIdleConns, 2 by default, with SetConnMaxIdleTime; pgxpool has no such limit and " +
      "keeps all for MaxConnIdleTime, 30 min.",
    pg: "no such limit; idleTimeoutMillis, 10 s by default, closes what is idle longer.",
    hikari: "minimumIdle, by default as many as maximumPoolSize.",
  },
  caveats: [
    "Idle connections cost the server memory each (scenario 4). Where many instances share a " +
      "server with few connections and each is busy for moments only, a short idle time or a " +
      "pooler costs less.",
    "It makes no difference to a program with one caller at a time.",
  ],
};
