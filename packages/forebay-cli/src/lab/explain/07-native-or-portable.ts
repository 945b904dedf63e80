// Scenario 7.

import type { Explanation } from "./explanation.ts";

/** The layer between a program and its driver. */
export const nativeOrPortable: Explanation = {
  id: 7,
  title: "The native interface or the portable one",
  guide: [
    "At 10,000 queries/s the layer of database/sql can be measured; pgx's own pool skips it " +
      "and is 10 to 30 % faster on hot paths. If the layer is below 5 % of a request's time, do " +
      "not bother.",
  ],
  why: [
    "The rule of 5 % is good. The 10 to 30 % are an upper end: for small results over a " +
      "network, the round trip and the server outweigh the layer by far. Published figures for " +
      "pgx put the layer at 4 to 13 us a query on a local socket, and 5 % of the time over TCP.",
    "What the native interface is really for is what the portable one cannot say. Several " +
      "statements in one round trip, results as columns, COPY: there it is not a question of " +
      "per cent.",
    "In Node one thread does all the work of the client, and most of it is system calls. So " +
      "the large gain is not a thinner layer but fewer calls: statements of many callers sent " +
      "together (pipelining).",
  ],
  formula: [
    "gain <= layer time / whole time per query",
    "10 statements one by one = 10 round trips; as a batch = 1",
  ],
  settings: `const db = openPostgres(url, { maxOpenConns: 10 }); // all of a DB, and:
await db.batch([{ sql: first }, { sql: second }]); // one round trip
await db.queryColumns(sql); // columns instead of rows
// many small statements of many callers, on few connections:
openPostgres(url, { maxOpenConns: 4, pipelining: { depth: 64 } });`,
  names: {
    go: "pgxpool.Pool beside sql.DB; SendBatch, CopyFrom; stdlib.OpenDBFromPool joins the two.",
    pg: "there is one interface; new Client({ pipeline: true }), not through Pool.query.",
    hikari: "none: JDBC alone, with addBatch and, in pgJDBC, CopyManager.",
  },
  caveats: [
    "Batches and pipelines need no more connections, but one slow statement holds up those " +
      "behind it on the same connection.",
    "Measure your own statements: a benchmark of SELECT 1 measures nothing but the layer.",
  ],
};
