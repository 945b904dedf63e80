// Scenario 1.

import type { Explanation } from "./explanation.ts";

/** How many connections. */
export const littlesLaw: Explanation = {
  id: 1,
  title: "Sizing the pool by Little's law",
  guide: [
    "2,000 queries/s at p50 = 2 ms and p99 = 30 ms: 4 connections at p50, 60 at p99, twice " +
      "that for bursts, so 120. Without a limit a spike opens 5,000 connections where the " +
      "server takes 200, and half of them fail.",
  ],
  why: [
    "A pool of n connections serves at most n divided by the mean time that one is held. A " +
      "smaller pool makes callers wait; a larger one adds nothing but load on the server, for " +
      "which each connection is a process.",
    "Little's law needs the mean, and neither p50 nor p99. A lognormal time with p50 = 2 ms " +
      "and p99 = 30 ms has a mean of 3.94 ms, so 7.9 connections are busy on average, not 4. " +
      "The law says nothing about waiting: that is Erlang's C formula, which gives 0.8 % of the " +
      "callers waiting with 16 connections. The guide's 120 are 7.5 times as many.",
    "What counts is how long a connection is held, not how long the statement takes: a " +
      "transaction holds it while the program thinks, the network carries, and the event loop " +
      "is busy elsewhere.",
    "Without a limit more than half fail. Of 5,000 dials at max_connections = 200, of which 3 " +
      "are reserved for superusers, 4,800 are refused.",
  ],
  formula: [
    "L = rate x mean hold time   (2,000/s x 3.94 ms = 7.9 in use on average)",
    "P(wait) = Erlang C(n, L)    n = 9: 62 %, 10: 38 %, 12: 13 %, 15: 1.7 %, 16: 0.8 %, 18: 0.14 %",
    "n = L + b x sqrt(L)         b = 1.42, 1.74, 2.37, 2.78 for P(wait) = 10, 5, 1, 0.3 %",
    "never more than the server's share for this instance (scenario 22), nor so many busy at " +
      "once that its processors queue",
  ],
  settings: `openDB(connector, {
  maxOpenConns: 16,
  acquireTimeoutMs: 5_000, // a wait that ends
  maxWaiters: 200, // and a queue that does
});`,
  names: {
    go:
      "SetMaxOpenConns, no limit by default; pgxpool MaxConns, 4 or the number of CPUs. The " +
      "wait is bounded by the context alone.",
    pg: "max, 10 by default; connectionTimeoutMillis, by default for ever.",
    hikari: "maximumPoolSize, 10 by default; connectionTimeout, 30 s.",
  },
  caveats: [
    "The formula holds for arrivals at random. Where they come in bursts or depend on each " +
      "other, measure how many are in use and waiting, and take a high percentile of that.",
    "Work that keeps the server's processors busy cannot be made faster by more connections: " +
      "beyond a few per core they only queue there instead of here, where they can be seen and " +
      "bounded.",
    "WaitCount below 1 % of the acquires is the same as P(wait) below 1 %. Zero means that " +
      "the pool is larger than it needs to be.",
  ],
};
