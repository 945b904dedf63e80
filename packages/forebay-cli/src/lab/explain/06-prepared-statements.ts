// Scenario 6.

import type { Explanation } from "./explanation.ts";

/** Parsing and planning once. */
export const preparedStatements: Explanation = {
  id: 6,
  title: "Prepared statements for a hot query",
  guide: [
    "A query that makes up 80 % of the traffic is parsed and planned at each call, which " +
      "costs about 50 us. Prepared once and kept, the overhead per query is 1 to 2 us.",
  ],
  why: [
    "The saving is about right: 35 to 40 us of a query that takes 100 to 140 us on one " +
      "machine, more for statements over many partitions, where planning is most of the work. " +
      "What is left is not 1 to 2 us: the round trip, Bind and Execute remain. Only the " +
      "server's look into its cache of plans is that cheap.",
    "More is at stake over a network. A client that does not know a statement's types has to " +
      "ask first, and needs two round trips for each call with parameters; one that has " +
      "prepared it needs one.",
    "PostgreSQL plans a prepared statement anew for its first five runs, with the values given, " +
      "then uses a generic plan if that is not estimated to be costlier. Where the values are " +
      "skewed (a status that nearly all rows have), the generic plan can be the wrong one.",
  ],
  formula: [
    "saved per call = parse + plan + (round trips before - 1) x round-trip time",
    "statements on the server = texts x connections (scenario 12)",
  ],
  settings: `openPostgres(url, {
  connection: {
    statementMode: "cache-statement", // the default: kept by their text
    statementCacheMax: 256, // texts for each connection
  },
});
// Where a generic plan is the wrong one:
// postgres({ options: "-c plan_cache_mode=force_custom_plan" })`,
  names: {
    go:
      "DB.Prepare keeps a Stmt; pgx prepares by text and keeps 512 " +
      "(QueryExecModeCacheStatement); lib/pq only by Prepare.",
    pg: 'only where a query has a name: { name: "by-id", text, values }. Never evicted.',
    hikari:
      "none: the driver's; pgJDBC prepares at the server from the fifth use (prepareThreshold).",
  },
  caveats: [
    "Texts with values written into them are a new statement each: they fill the cache and " +
      "gain nothing. So do lists of VALUES or IN of every length; pass an array and use = " +
      "ANY($1) or unnest.",
    "Behind a pooler in transaction mode a statement may not be there at the next call: " +
      "scenario 25.",
  ],
};
