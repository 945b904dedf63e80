// Scenario 22.

import type { Explanation } from "./explanation.ts";

/** All instances together. */
export const fleetBudget: Explanation = {
  id: 22,
  title: "A budget for the fleet, with a rolling deployment",
  why: [
    "max_connections is the server's, and every instance of every service has a pool. The " +
      "division is written down once, in a runbook, and then broken: by a rolling deployment, " +
      "which has old and new instances alive at the same time; by autoscaling to more instances " +
      "than were thought of; by the second pool for reports; by migrations, cron jobs and " +
      "dashboards.",
    "What is over the limit is refused with 53300, and not the newcomer alone suffers: a pool " +
      "of the old instances that shrinks and grows may lose its places to the new ones in the " +
      "middle of the deployment.",
    "A non-superuser cannot have all: 3 connections are reserved for superusers, and from " +
      "PostgreSQL 16 on reserved_connections more for those with that role. At max_connections " +
      "= 20, the 18th is refused.",
  ],
  formula: [
    "usable = max_connections - superuser_reserved_connections - reserved_connections - " +
      "others - admin (3 to 5)",
    "per instance = floor(usable x 0.9 / most instances at once, surge included)",
    "200 - 3 - 0 - 20 - 5 = 172; 10 instances and a surge of 25 % are 13: 172 x 0.9 / 13 = 11 " +
      "each, not 17",
  ],
  settings: `openDB(connector, {
  maxOpenConns: 11,
  connMaxIdleTimeMs: 60_000, // gives places back to the others
});
// and in the deployment: maxSurge small, or maxUnavailable instead
// ALTER ROLE app CONNECTION LIMIT 150;  -- a bound for each service`,
  names: {
    go: "SetMaxOpenConns for each instance.",
    pg: "max for each instance; the default of 10 counts for every process of a cluster.",
    hikari:
      "maximumPoolSize; it fills to minimumIdle, by default to the maximum, so that every " +
      "instance takes its whole share at once.",
  },
  caveats: [
    "Where the share of an instance falls below what it needs (scenario 1), a pooler in front " +
      "of the server is the answer, not a higher max_connections.",
    "A pool that meets 53300 here keeps serving with what it has, and dials again after a " +
      "growing pause; its callers wait until their deadline.",
    "Forebay does not share out a budget among instances by itself.",
  ],
};
