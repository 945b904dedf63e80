// Scenario 25.

import type { Explanation } from "./explanation.ts";

/** A pooler between client and server. */
export const behindPgbouncer: Explanation = {
  id: 25,
  title: "Behind PgBouncer",
  why: [
    "In transaction mode a client has a session of the server for one transaction at a time; " +
      "between two of them it is somebody else's. Whatever belongs to a session does not last: " +
      "prepared statements, SET, LISTEN, advisory locks, temporary tables. Worse than an error " +
      "is what works by chance: a SET that lands in a session which another client gets next.",
    "Prepared statements of the protocol are followed by PgBouncer from 1.21 on, by default " +
      "since 1.24 (max_prepared_statements = 200). Those of SQL's PREPARE are not. An older one " +
      "answers 26000, the statement does not exist, as soon as the session is another one. A " +
      "client has to fall back by itself: send the text each time, with the types it has " +
      "learnt, which is still one round trip.",
    "A client can find out: the server tells each session its process number, and behind a " +
      "pooler statements run in a process of another number.",
  ],
  formula: [
    "sessions at the server = default_pool_size for each pair of database and user",
    "clients that wait at the pooler are seen in SHOW POOLS there (cl_waiting), and nowhere " +
      "in the pool",
  ],
  settings: `openPostgres(url, {
  maxOpenConns: 20,
  // falls back by itself; from the start for PgBouncer before 1.21:
  connection: { statementMode: "cache-describe" },
  connMaxIdleTimeMs: 60_000, // below client_idle_timeout
});
await tx.query("SELECT set_config('statement_timeout', $1, true)", ["5s"]);`,
  names: {
    go: "pgx QueryExecModeCacheDescribe or Exec; lib/pq binary_parameters=yes.",
    pg: "leave name out of queries; then nothing is prepared by name.",
    hikari: "pgJDBC prepareThreshold=0.",
  },
  caveats: [
    "Refused here behind such a pooler, rather than left to chance: listen, and locks of a " +
      "session (POOLER_UNSUPPORTED). Take withAdvisoryLock with transaction: true.",
    "Options at the start of a session (-c ...) are refused or ignored by PgBouncer unless it " +
      "is told otherwise.",
    "Two pools in a row are no mistake: this one keeps order and deadlines within the " +
      "process, the pooler keeps the server's limit.",
  ],
};
