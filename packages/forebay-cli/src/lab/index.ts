// The lab: the scenarios that there are, and the way to run them. What the command sees.

import { checkQueryText } from "./query.ts";
import { type LabReport, runScenarios } from "./run.ts";
import type { LabProgress, LabServer, Scenario, ScenarioReport } from "./scenario.ts";
import { littlesLaw } from "./scenarios/01-littles-law.ts";
import { idleEqualsOpen } from "./scenarios/02-idle-equals-open.ts";
import { tcpLoadBalancer } from "./scenarios/03-tcp-load-balancer.ts";
import { idleTime } from "./scenarios/04-idle-time.ts";
import { bulkhead } from "./scenarios/05-bulkhead.ts";
import { prepared } from "./scenarios/06-prepared-hot-query.ts";
import { nativeOrPortable } from "./scenarios/07-native-or-portable.ts";
import { queryRow } from "./scenarios/08-query-row.ts";
import { batchInsert } from "./scenarios/09-batch-insert.ts";
import { reportStarvation } from "./scenarios/10-report-starvation.ts";
import { failover } from "./scenarios/11-failover.ts";
import { statements } from "./scenarios/12-statements.ts";
import { watcherChurn } from "./scenarios/13-watcher-churn.ts";
import { connVsTx } from "./scenarios/14-conn-vs-tx.ts";
import { statsOnHotPath } from "./scenarios/15-stats-on-hot-path.ts";
import { benchmarkTemplate } from "./scenarios/16-benchmark-template.ts";
import { errorChurn } from "./scenarios/17-error-churn.ts";
import { waiterOrder } from "./scenarios/18-waiter-order.ts";
import { slowDials } from "./scenarios/19-slow-dials.ts";
import { lifetimeHerd } from "./scenarios/20-lifetime-herd.ts";
import { nestedAcquire } from "./scenarios/21-nested-acquire.ts";
import { fleetBudget } from "./scenarios/22-fleet-budget.ts";
import { overload } from "./scenarios/23-overload.ts";
import { eventLoopStall } from "./scenarios/24-event-loop-stall.ts";
import { behindPgBouncer } from "./scenarios/25-behind-pgbouncer.ts";
import { gracefulShutdown } from "./scenarios/26-graceful-shutdown.ts";

export { type Outcome, outcomeOf, type Tally, tallyText } from "./outcome.ts";
export { checkQueryText, QueryRefused } from "./query.ts";
export { type LabReport, type ReportedServer, RunFailed } from "./run.ts";
export type {
  Check,
  CheckVerdict,
  ClaimVerdict,
  LabProgress,
  LabServer,
  ScenarioReport,
  Unjudged,
} from "./scenario.ts";

const SCENARIOS: readonly Scenario[] = [
  littlesLaw,
  idleEqualsOpen,
  tcpLoadBalancer,
  idleTime,
  bulkhead,
  prepared,
  nativeOrPortable,
  queryRow,
  batchInsert,
  reportStarvation,
  failover,
  statements,
  watcherChurn,
  connVsTx,
  statsOnHotPath,
  benchmarkTemplate,
  errorChurn,
  waiterOrder,
  slowDials,
  lifetimeHerd,
  nestedAcquire,
  fleetBudget,
  overload,
  eventLoopStall,
  behindPgBouncer,
  gracefulShutdown,
];

/**
 * Settings of a server that is started for the lab. A fifth of the guide's 200 connections, as the
 * load of scenario 1 is a fifth of the guide's rate; and nothing that works on its own accord while
 * something is timed.
 */
export const labServerSettings: Readonly<Record<string, string | number>> = {
  max_connections: 40,
  autovacuum: "off",
  checkpoint_timeout: "1h",
  max_wal_size: "4GB",
};

/** A scenario as a list shows it. */
export interface ListedScenario {
  readonly id: number;
  readonly title: string;
  /** What it needs of the server. */
  readonly needs: string;
  /** How long it takes, on a machine of two cores. */
  readonly minutes: number;
  /** True where a user's own statement can take the place of the scenario's. */
  readonly takesQuery: boolean;
}

/** All scenarios, by number. */
export function listScenarios(): readonly ListedScenario[] {
  return SCENARIOS.map(({ id, title, needs, expectedMs, takesQuery }) => ({
    id,
    title,
    needs,
    minutes: Math.round(expectedMs / 6000) / 10,
    takesQuery: takesQuery === true,
  }));
}

/** What a run is told. */
export interface LabOptions {
  /**
   * Numbers of the scenarios, in any order; all when absent or empty, with a query all that take
   * one. One that does not exist throws, and so does one that takes no query where there is one.
   */
  readonly ids?: readonly number[] | undefined;
  /** Shorter turns and wider intervals. */
  readonly quick: boolean;
  readonly server: LabServer;
  /** A statement of the user's own, for the scenarios that take one: see `checkQueryText`. */
  readonly query?: string | undefined;
  readonly onProgress?: ((progress: LabProgress) => void) | undefined;
  /** Told of each scenario that has ended, whatever came of it. */
  readonly onScenario?: ((scenario: ScenarioReport) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs scenarios on a server, in a schema of the lab's own that is dropped on every way out.
 *
 * When `signal` is aborted the run stops promptly and resolves with a report marked `partial`.
 * A scenario that cannot be run here, for want of connections or of a program, is reported as
 * skipped. Rejects with a `RangeError` for a number that is no scenario's, with `QueryRefused` for
 * a statement that is not taken, and with the server's or the driver's error when the server cannot
 * be used; in the midst with a `RunFailed`, which has the report of the scenarios that had ended.
 * Never run two at once: they would measure each other.
 */
export async function runLab(options: LabOptions): Promise<LabReport> {
  return runScenarios({
    scenarios: chosenOf(options),
    quick: options.quick,
    server: options.server,
    query: options.query === undefined ? undefined : checkQueryText(options.query),
    signal: options.signal ?? new AbortController().signal,
    onProgress: options.onProgress ?? (() => undefined),
    onScenario: options.onScenario ?? (() => undefined),
  });
}

function chosenOf({ ids = [], query }: LabOptions): readonly Scenario[] {
  const unknown = ids.find((id) => !SCENARIOS.some((scenario) => scenario.id === id));
  if (unknown !== undefined) throw new RangeError(`there is no scenario ${unknown}`);
  const takers = SCENARIOS.filter(({ takesQuery }) => query === undefined || takesQuery === true);
  if (ids.length === 0) return takers;
  const refused = ids.find((id) => !takers.some((scenario) => scenario.id === id));
  if (refused !== undefined) throw new RangeError(`scenario ${refused} takes no query`);
  return takers.filter(({ id }) => ids.includes(id));
}
