// Scenario 17.

import type { Explanation } from "./explanation.ts";

/** What an error does to its connection. */
export const errorChurn: Explanation = {
  id: 17,
  title: "Errors that cost a connection each",
  why: [
    "A unique violation is no fault of the connection: the server has said no, and waits for " +
      "the next statement. Yet node-postgres' pool.query hands the error to release, and " +
      "release with an error closes the client. So does every pool that cannot tell the one " +
      "kind of error from the other.",
    "Where a tenth of the inserts are duplicates, as with idempotency keys, a tenth of the " +
      "statements then cost a new connection: TLS and SCRAM, some milliseconds of processor " +
      "time at both ends, for a statement of a tenth of one.",
    "The server's five characters decide: 23xxx (constraints), 22xxx (data), 42xxx (syntax, " +
      "names), 40001 and 40P01 (run the transaction again), 57014 (cancelled) leave the " +
      "connection sound. 08xxx, 57P01 and the like, and a broken protocol, do not.",
  ],
  formula: [
    "dials/s = rate x share of errors                 (1,000/s x 10 % = 100 dials/s)",
    "processors busy with dials = dials/s x time of a dial   (100/s x 8 ms = 0.8)",
  ],
  settings: `import { classify } from "forebay/postgres";

await db.exec(insert, args); // on an error the connection is kept
db.stats().pool.closedBy; // "bad" and "lost" are worth a look
// With any client: no error, no question
"INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING";`,
  names: {
    go:
      "database/sql and pgxpool keep the connection, unless the driver says ErrBadConn or it is " +
      "closed.",
    pg:
      "pool.query closes it on every error; connect, query and release() without an argument " +
      "keep it.",
    hikari: "keeps it, but for SQLSTATE 08xxx, 57P01 to 57P03, 0A000, 01002 and timeouts.",
  },
  caveats: [
    "In a transaction an error leaves the transaction failed: it has to be rolled back before " +
      "the connection is of use, which the pool does.",
    "ON CONFLICT also saves the failed statement's row version and log record.",
  ],
};
