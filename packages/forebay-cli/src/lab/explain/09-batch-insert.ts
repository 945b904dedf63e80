// Scenario 9.

import type { Explanation } from "./explanation.ts";

/** Many rows. */
export const batchInsert: Explanation = {
  id: 9,
  title: "Batched inserts instead of one at a time",
  guide: [
    "100,000 rows: one INSERT each takes 50 s, lists of VALUES with 1,000 rows about 1 s, " +
      "COPY 100 ms.",
  ],
  why: [
    "The order is right. The slow way pays twice for each row: a round trip, and a commit " +
      "that waits for the disk. One transaction around the loop takes away the second alone, " +
      "which is often the larger part.",
    "A list of VALUES has a limit: 65,535 parameters per statement, so at most that divided " +
      "by the columns. It is a new statement text for each length. unnest over one array per " +
      "column has neither problem: one text, as many parameters as columns, and about twice as " +
      "fast at 1,000 rows.",
    "COPY is the fastest and the least flexible: no ON CONFLICT, no RETURNING. For those, " +
      "COPY into a temporary table and INSERT ... SELECT from it.",
    "The guide's loop ignores the error of Exec and is not atomic: after a failure half of " +
      "the rows are there.",
  ],
  formula: [
    "one by one: rows x (round trip + commit)",
    "one transaction: rows x round trip + commit",
    "in chunks: (rows / chunk) x round trip + rows x work + commit;   chunk <= 65,535 / " +
      "columns for VALUES",
  ],
  settings: `import { copyFrom, insertMany } from "forebay/postgres";

// by unnest, in chunks, with ON CONFLICT and RETURNING where wanted
await insertMany(db, { table: "t", columns: ["a", "b"] }, rows);
// by COPY; rows may be a stream
await db.withConn((c) => c.raw((pg) => copyFrom(pg, { table: "t" }, rows)));`,
  names: {
    go: "pgx CopyFrom and SendBatch; unnest($1::int[], $2::int[]) with any driver.",
    pg: "pg-copy-streams; unnest with arrays as values.",
    hikari: "addBatch with pgJDBC's reWriteBatchedInserts; CopyManager.",
  },
  caveats: [
    "One statement is one transaction: a bad row undoes its whole chunk. Where rows may be " +
      "bad, load into a staging table and move over what is good.",
    "Binary COPY is not always faster than text: it depends on the types.",
    "Triggers and foreign keys are checked for each row, whichever way it came.",
  ],
};
