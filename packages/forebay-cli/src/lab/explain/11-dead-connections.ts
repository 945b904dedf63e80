// Scenario 11.

import type { Explanation } from "./explanation.ts";

/** After a failover. */
export const deadConnections: Explanation = {
  id: 11,
  title: "Dead connections after a failover",
  guide: [
    "After a failover every old connection is dead, and the pool learns it one by one: 50 " +
      "requests fail with ErrBadConn and are retried, p99 goes from 5 ms to 3 s. A driver with " +
      "IsValid has the pool drop them silently; pgx has it, lib/pq has not.",
  ],
  why: [
    "The mechanism is another one. database/sql asks IsValid when a connection comes back, " +
      "not when it is handed out, and it does no I/O; and it is lib/pq that has it, and pgx's " +
      "stdlib that has not. What finds dead connections at checkout is ResetSession: pgx pings " +
      "there what was idle for more than a second.",
    "The 3 s are the dial, not the dead connections: a SYN that nobody answers is repeated " +
      "after 1 and 2 seconds more.",
    "A server that ends a session says so: with the error 57P01, FIN or RST. In Node an idle " +
      "socket is always being read, so the connection is gone within milliseconds, without a " +
      "ping and before anyone is given it. Nothing short of a ping or a deadline finds the line " +
      "that falls silent: a host that vanished, a firewall that forgot.",
    "When one has proved dead, the others are suspects: asked all together, twenty dead ones " +
      "cost one ping's timeout; asked one after the other, twenty.",
  ],
  formula: [
    "silent, pinged one by one: worst acquire = dead connections x ping timeout",
    "silent, all suspected at once: worst acquire = ping timeout + dial",
    "back after a restart: within one pause between dials of when the server is ready, 50 ms " +
      "growing to 5 s",
  ],
  settings: `openDB(connector, {
  pingAfterIdleMs: 5_000, // 30 s by default
  pingTimeoutMs: 500, // 2 s by default
  dialTimeoutMs: 5_000, // 15 s by default
});
// A server that has become a standby (25006): drop all, and dial anew.
if (classify(error) === "read-only") db.reset();`,
  names: {
    go:
      "pgxpool ShouldPing and PingTimeout (none by default), Reset; in database/sql whatever " +
      "ResetSession and IsValid of the driver do.",
    pg:
      "none: an idle client that dies is removed, with an 'error' event of the pool that must " +
      "be heard; no ping.",
    hikari: "validationTimeout, keepaliveTime, the alive bypass of 500 ms.",
  },
  caveats: [
    "A statement that was under way is not retried: whether the server did it is not known. A " +
      "commit whose answer is lost is OUTCOME_UNKNOWN.",
    "Where the new primary has another address, name both hosts and ask for " +
      "target_session_attrs=read-write.",
  ],
};
