// Scenario 12.

import type { Explanation } from "./explanation.ts";

/** Statements times connections. */
export const statementFanOut: Explanation = {
  id: 12,
  title: "Prepared statements times connections",
  guide: [
    "20 statements on 100 connections are up to 2,000 prepared statements at the server; some " +
      "configurations allow 1,024 a session. Have fewer connections, let the driver cache by " +
      "text, or use named statements.",
  ],
  why: [
    "The product is right, the limit is not: PostgreSQL has none for a session but memory. " +
      "MySQL has max_prepared_stmt_count, for the whole server: 16,382. PgBouncer keeps 200 for " +
      "each connection of its own.",
    "What it costs is memory, some kilobytes for each statement and plan on each connection, " +
      "and a Parse for each first use of a statement on a connection. With last in, first out " +
      "and low traffic few connections are used, and each soon knows all; first in, first out " +
      "spreads the first uses over all. A short lifetime makes every connection learn again.",
    "Naming statements does not bring a call to the connection that knows them.",
  ],
  formula: [
    "statements at the server <= texts x connections, bounded by cache size x connections",
    "hit rate = 1 - Parse / Execute",
    "parses/s from turnover = texts x connections / lifetime",
  ],
  settings: `openPostgres(url, {
  maxOpenConns: 16, // fewer connections, fewer copies
  maxStmtsPerConn: 256, // of Stmts, from prepare()
  connection: { statementCacheMax: 256 }, // of texts, from query()
});`,
  names: {
    go:
      "a Stmt is prepared on every connection that it meets, without a limit; pgx " +
      "StatementCacheCapacity, 512.",
    pg: "named queries are kept for the life of the connection, without a limit.",
    hikari: "none: pgJDBC's preparedStatementCacheQueries, 256, and preparedStatementCacheSizeMiB.",
  },
  caveats: [
    "A cache that is smaller than the set of hot texts evicts at each call what it needs at the " +
      "next: then it costs more than none. Look at Parse against Execute before you shrink it.",
    "Look at pg_prepared_statements through the connection in question: it shows the " +
      "statements of its own session only.",
  ],
};
