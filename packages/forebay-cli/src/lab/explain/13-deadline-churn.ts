// Scenario 13.

import type { Explanation } from "./explanation.ts";

/** A deadline for each query. */
export const deadlineChurn: Explanation = {
  id: 13,
  title: "A deadline for every query: timers and listeners",
  guide: [
    "With a context on every query the package starts a goroutine for each, to watch it: " +
      "50,000 a second at 50,000 queries/s. Drivers with QueryerContext (pgx, mysql from 1.7) " +
      "avoid this.",
  ],
  why: [
    "Half of it is out of date: drivers have had QueryerContext since long before mysql 1.7, " +
      "and database/sql still starts a goroutine for the rows of each query whose context can " +
      "be cancelled, and for each transaction, whatever the driver does.",
    "Node has no goroutines. Its counterpart is what one writes for a deadline: a timer, an " +
      "AbortSignal.timeout, an AbortSignal.any of the request's signal and the deadline, a " +
      "listener on each. Each is some objects for the garbage collector and work for the timer " +
      "list; listeners on a signal that lives as long as the server add up if nobody takes them " +
      "away, and AbortSignal.any kept its results alive for as long as such a source in Node 20.",
    "So deadlines are best kept in one place: a time limit that is a number, one timer for " +
      "all of them, and one listener per call that is removed when the call settles.",
  ],
  formula: [
    "timers alive = rate x deadline, where each call has its own (10,000/s x 5 s = 50,000)",
    "timers alive = 1, where one looks after all, up to 20 ms late",
  ],
  settings: `await db.query(sql, args, { timeoutMs: 5_000 }); // shares one timer
openPostgres(url, { connection: { statementTimeoutMs: 10_000 } });
await db.query(sql, args, { signal }); // one listener, while it runs`,
  names: {
    go: "context.WithTimeout for each call; pgx watches by context.AfterFunc.",
    pg:
      "query_timeout (a timer for each query, and nothing that stops the server), " +
      "statement_timeout; no signals.",
    hikari: "none: Statement.setQueryTimeout of JDBC.",
  },
  caveats: [
    "A limit of the statement does not count the wait for a connection; that has " +
      "acquireTimeoutMs. A signal counts both.",
    "At a thousand queries a second none of this can be measured. At tens of thousands it can.",
  ],
};
