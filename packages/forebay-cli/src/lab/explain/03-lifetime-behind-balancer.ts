// Scenario 3.

import type { Explanation } from "./explanation.ts";

/** Connections that something in between cuts. */
export const lifetimeBehindBalancer: Explanation = {
  id: 3,
  title: "Connection lifetime behind a TCP load balancer",
  guide: [
    "HAProxy expires connections every 30 minutes. Without ConnMaxLifetime the client notices " +
      "at the next query, which fails with EOF and is retried; with a lifetime below 30 " +
      "minutes, connections are replaced before that.",
  ],
  why: [
    "HAProxy's timeout client and timeout server are limits of silence, not of age: a " +
      "connection in use is never cut by them. Against a cut for silence help an idle time " +
      "below the balancer's (close it first), or a keepalive (never be silent). A lifetime " +
      "helps against limits of age, and it is what spreads connections over servers anew, picks " +
      "up new addresses and credentials, and frees memory that sessions have gathered.",
    "In Node an idle socket is always being read: a cut that is told (FIN or RST) is noticed " +
      "at once, and the connection is gone before anyone is given it. What remains is the " +
      "silent cut, by a firewall that forgets the line and tells nobody. Only a ping before " +
      "use, or a keepalive, finds that.",
    "No lifetime closes a connection in the middle of a statement: it is looked at when a " +
      "connection comes back, or is idle.",
  ],
  formula: [
    "idle time < the balancer's limit of silence, or keepalive < half of it",
    "lifetime < the limit of age, minus the longest statement",
    "with jitter j, n connections of lifetime T are replaced over j x T instead of all at " +
      "once (scenario 20)",
  ],
  settings: `// The balancer cuts after 5 minutes of silence.
openDB(connector, {
  connMaxIdleTimeMs: 4 * 60_000, // or, to keep them: keepaliveMs: 2 * 60_000
  pingAfterIdleMs: 30_000, // the default: against cuts that nobody tells
  connMaxLifetimeMs: 30 * 60_000, // the default, up to 10 % earlier for each
});`,
  names: {
    go:
      "SetConnMaxIdleTime, SetConnMaxLifetime, both without limit by default and without " +
      "jitter; pgxpool MaxConnIdleTime, MaxConnLifetime, MaxConnLifetimeJitter (0), ShouldPing " +
      "(idle for 1 s).",
    pg: "idleTimeoutMillis, maxLifetimeSeconds (off, no jitter), keepAlive; no ping before use.",
    hikari: "idleTimeout, maxLifetime (30 min, up to 2.5 % earlier), keepaliveTime.",
  },
  caveats: [
    "TCP keepalive of the operating system keeps a line through a firewall alive, but a proxy " +
      "that ends TCP itself answers it, and the server's side may still be gone.",
    "An error in the middle of a statement is not retried by anyone who cares for your data: " +
      "whether it was done is not known. Idempotent work can be retried by the caller.",
    "A lifetime of seconds is a reconnect storm in small coin. Take minutes.",
  ],
};
