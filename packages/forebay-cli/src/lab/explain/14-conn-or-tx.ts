// Scenario 14.

import type { Explanation } from "./explanation.ts";

/** One session for several statements. */
export const connOrTx: Explanation = {
  id: 14,
  title: "A pinned connection or a transaction",
  guide: [
    "For several statements on one session (an advisory lock) a transaction holds a " +
      "connection for the whole time and blocks vacuum; db.Conn gives the same session without " +
      "an open transaction.",
  ],
  why: [
    "Both hold a connection for the whole time. Which of them holds up vacuum depends on the " +
      "transaction. An idle transaction at READ COMMITTED that has only read holds nothing up: " +
      "it has neither a transaction id nor a snapshot. One that has written does, through its " +
      "id, and one at REPEATABLE READ does, through its snapshot: rows that died since then " +
      "stay. In every case its locks on tables stay, so that ALTER TABLE waits, and " +
      "idle_in_transaction_session_timeout may end it.",
    "A session's advisory lock needs a pinned connection, and it is gone without a word when " +
      "that connection dies. It leaks when the connection goes back to the pool with the lock " +
      "in it. And it means nothing behind a pooler in transaction mode. pg_advisory_xact_lock " +
      "has none of these problems, where a transaction is short enough.",
  ],
  formula: [
    "held for the whole time: 1 connection, either way",
    "vacuum is held up by: backend_xid or backend_xmin of pg_stat_activity that is not null",
  ],
  settings: `import { withAdvisoryLock } from "forebay/postgres";

await withAdvisoryLock(db, "nightly-import", async ({ signal, on }) => {
  await on.query(sql); // signal is aborted when the lock is lost
});
await db.withConn(async (conn) => {}); // one session, no transaction
// sessionReset: "auto", the default: what is left is put back`,
  names: {
    go:
      "DB.Conn with a deferred Close; nothing releases a lock that was forgotten. " +
      "pgxpool.Acquire.",
    pg: "pool.connect and release in a finally; nothing is put back.",
    hikari: "getConnection; resets autocommit, isolation, read-only, catalog and schema, no locks.",
  },
  caveats: [
    "A session that waits for a lock holds a connection while it waits. Give locks a " +
      "bulkhead, or they starve the pool.",
    "Locks that must survive the loss of a connection need a lease in a table, with a time at " +
      "which it ends.",
  ],
};
