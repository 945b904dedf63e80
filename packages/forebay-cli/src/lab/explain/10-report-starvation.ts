// Scenario 10.

import type { Explanation } from "./explanation.ts";

/** Reports and requests. */
export const reportStarvation: Explanation = {
  id: 10,
  title: "Reports that starve everyone else",
  guide: [
    "A report of 30 s, without an index, takes all 50 connections for 30 s. Reports on a pool " +
      "of their own with 5 connections cannot; the lasting mend is the index.",
  ],
  why: [
    "Sound. As with the bulkhead of scenario 5, it is the time that a connection is held " +
      "which fills a pool: two reports a second of 30 s each want 60 connections, whatever else " +
      "there is to do.",
    "What a separate pool does not separate is the server: processors, disk, locks, and the " +
      "memory of sorts (work_mem for each). Five scans of a large table at once may slow the " +
      "rest as much as before. And its connections count in the server's budget.",
    "A bulkhead does the same within one pool, and lends out what it does not use. Take a " +
      "second DB where reports go to another server, such as a replica, or need other settings.",
  ],
  formula: [
    "in use by reports = reports/s x report time   (2/s x 30 s = 60)",
    "left to the rest = maxOpenConns - cap of the reports",
  ],
  settings: `const reports = db.bulkhead("reports", { maxInUse: 5, maxWaiting: 20 });
await reports.query(sql, [], { timeoutMs: 60_000 });
// or on a replica, with a limit for each statement:
openPostgres(replica, {
  maxOpenConns: 5,
  connection: { statementTimeoutMs: 60_000 },
});`,
  names: {
    go: "a second sql.DB with SetMaxOpenConns(5); ALTER ROLE report SET statement_timeout.",
    pg: "a second Pool with max: 5 and statement_timeout.",
    hikari: "a second pool with maximumPoolSize=5 and connectionInitSql, or a role of its own.",
  },
  caveats: [
    "ALTER ROLE report CONNECTION LIMIT 5 has the server itself hold to it, whoever connects.",
    "A timeout at the client without one at the server leaves the report running. timeoutMs " +
      "here also has the server stop.",
    "Ten reports that wait for five connections take twice as long. Let the queue be short, " +
      "and tell the users.",
  ],
};
