// Scenario 8.

import type { Explanation } from "./explanation.ts";

/** One row, and the connection back. */
export const queryRow: Explanation = {
  id: 8,
  title: "One row: queryRow instead of open rows",
  guide: [
    "For a query of one row, Query with a deferred Close costs about 50 ns more than QueryRow " +
      "and Scan, which closes by itself and cannot leak.",
  ],
  why: [
    "The 50 ns are history: since Go 1.14 a defer costs 1 to 2 ns, and QueryRow is Query " +
      "underneath, so the server does the same work. QueryRow can leak as well: rows are closed " +
      "by Scan, and whoever never calls it keeps the connection. The guide's own code before " +
      "the change does not look at the error, and dereferences nil when there is one.",
    "The gain is correctness. The way to lose a connection is an open result on a path that " +
      "nobody thought of: an early return, an exception, a forgotten loop. A pool of ten is " +
      "empty after ten of those, and every caller waits until the timeout.",
    "Here queryRow, query, exec and transaction give the connection back before they resolve or " +
      "reject, and a for await over rows does so on every way out of the loop, break and throw " +
      "included. What is left to forget is a Conn, a Tx, or an iterator that is taken by hand.",
  ],
  formula: [
    "connections left after k forgotten results = maxOpenConns - k",
    "time until nobody is served = maxOpenConns / (rate x share of forgotten results)",
  ],
  settings: `const user = await db.queryRow(sql, [id]); // rejects with NO_ROWS if none
for await (const row of db.rows(sql)) if (found(row)) break; // is back
openDB(connector, {
  leakAfterMs: 30_000, // longer than the longest transaction
  onWarning: ({ message, stack }) => log(message, stack),
});`,
  names: {
    go:
      "QueryRow(...).Scan; go vet and the linters rowserrcheck and sqlclosecheck. No leak " +
      "detection.",
    pg:
      "pool.query gives back by itself; pool.connect needs release in a finally. No leak " +
      "detection.",
    hikari: "try-with-resources; leakDetectionThreshold, off by default.",
  },
  caveats: [
    "queryRow takes the first row and reads on to the end, so that an error in a later row is " +
      "not lost. For a query that may give millions, add LIMIT 1.",
    "Leak detection takes a stack at each acquire, some microseconds: turn it on in tests, or " +
      "where you look for a leak.",
  ],
};
