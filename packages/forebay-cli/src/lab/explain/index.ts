// All explanations, by number. Also of scenarios that are not here to be run yet.

import { littlesLaw } from "./01-littles-law.ts";
import { idleEqualsOpen } from "./02-idle-equals-open.ts";
import { lifetimeBehindBalancer } from "./03-lifetime-behind-balancer.ts";
import { idleTimeAndMemory } from "./04-idle-time-and-memory.ts";
import { bulkhead } from "./05-bulkhead.ts";
import { preparedStatements } from "./06-prepared-statements.ts";
import { nativeOrPortable } from "./07-native-or-portable.ts";
import { queryRow } from "./08-query-row.ts";
import { batchInsert } from "./09-batch-insert.ts";
import { reportStarvation } from "./10-report-starvation.ts";
import { deadConnections } from "./11-dead-connections.ts";
import { statementFanOut } from "./12-statement-fan-out.ts";
import { deadlineChurn } from "./13-deadline-churn.ts";
import { connOrTx } from "./14-conn-or-tx.ts";
import { statsOnHotPath } from "./15-stats-on-the-hot-path.ts";
import { benchmark } from "./16-benchmark.ts";
import { errorChurn } from "./17-error-churn.ts";
import { waiterFairness } from "./18-waiter-fairness.ts";
import { spikeAndSlowDial } from "./19-spike-and-slow-dial.ts";
import { lifetimeHerd } from "./20-lifetime-herd.ts";
import { nestedAcquire } from "./21-nested-acquire.ts";
import { fleetBudget } from "./22-fleet-budget.ts";
import { overload } from "./23-overload.ts";
import { eventLoopStall } from "./24-event-loop-stall.ts";
import { behindPgbouncer } from "./25-behind-pgbouncer.ts";
import { gracefulShutdown } from "./26-graceful-shutdown.ts";
import type { Explanation } from "./explanation.ts";

/** All explanations, in order of their numbers: the guide's sixteen, and ten more. */
export const EXPLANATIONS: readonly Explanation[] = [
  littlesLaw,
  idleEqualsOpen,
  lifetimeBehindBalancer,
  idleTimeAndMemory,
  bulkhead,
  preparedStatements,
  nativeOrPortable,
  queryRow,
  batchInsert,
  reportStarvation,
  deadConnections,
  statementFanOut,
  deadlineChurn,
  connOrTx,
  statsOnHotPath,
  benchmark,
  errorChurn,
  waiterFairness,
  spikeAndSlowDial,
  lifetimeHerd,
  nestedAcquire,
  fleetBudget,
  overload,
  eventLoopStall,
  behindPgbouncer,
  gracefulShutdown,
];

/** The explanation of a scenario; undefined where there is no scenario of that number. */
export function explanationOf(id: number): Explanation | undefined {
  return EXPLANATIONS.find((explanation) => explanation.id === id);
}
