// Scenario 20.

import type { Explanation } from "./explanation.ts";

/** Connections that end together. */
export const lifetimeHerd: Explanation = {
  id: 20,
  title: "The herd: connections that end together",
  why: [
    "Connections that were opened together, at the start of a service or in a spike, reach " +
      "the same lifetime together. Then all are closed and dialed again within moments, for " +
      "each instance, and for all instances that were started by the same deployment at the " +
      "same time. For each hundred sessions, TLS and authentication take the better part of a " +
      "second of processor time, and it comes back every half hour.",
    "This has caused outages: PostHog counted a dozen incidents of saturated processors in " +
      "fifteen days, with unjittered lifetimes among the causes (posthog#49745).",
    "The mend is a lifetime of its own for each connection, drawn once, when it is opened. " +
      "Drawn anew at each look, it does nothing: the shortest draw wins, and all end early and " +
      "together, which pgx had for a while (#1437).",
  ],
  formula: [
    "without jitter: n x instances dials at once, every T",
    "with jitter j: the same dials over j x T   (100 connections, 30 min, 10 %: one every 1.8 " +
      "s for 3 min)",
    "each lifetime spreads them further apart",
  ],
  settings: `openDB(connector, {
  connMaxLifetimeMs: 30 * 60_000, // the default
  lifetimeJitterRatio: 0.1, // the default: each up to 10 % earlier
});`,
  names: {
    go:
      "none in database/sql: draw the lifetime of each instance at random. pgxpool " +
      "MaxConnLifetimeJitter, 0 by default.",
    pg: "maxLifetimeSeconds, without jitter.",
    hikari: "maxLifetime, up to 2.5 % earlier for each connection.",
  },
  caveats: [
    "Jitter helps within one pool. Instances that start together dial together once: warm up " +
      "a few connections, and let traffic open the rest.",
    "An idle time has the same herd after a spike, but it only closes; nothing has to be opened.",
  ],
};
