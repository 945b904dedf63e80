// The lab: the scenarios that there are, and the way to run them. What the command sees.

import { type LabReport, runScenarios } from "./run.ts";
import type { LabProgress, LabServer, Scenario } from "./scenario.ts";
import { littlesLaw } from "./scenarios/01-littles-law.ts";
import { idleEqualsOpen } from "./scenarios/02-idle-equals-open.ts";
import { bulkhead } from "./scenarios/05-bulkhead.ts";
import { prepared } from "./scenarios/06-prepared-hot-query.ts";
import { nativeOrPortable } from "./scenarios/07-native-or-portable.ts";
import { batchInsert } from "./scenarios/09-batch-insert.ts";
import { reportStarvation } from "./scenarios/10-report-starvation.ts";

export type { LabReport, ReportedServer } from "./run.ts";
export type {
  Check,
  CheckVerdict,
  ClaimVerdict,
  LabProgress,
  LabServer,
  ScenarioReport,
} from "./scenario.ts";

const SCENARIOS: readonly Scenario[] = [
  littlesLaw,
  idleEqualsOpen,
  bulkhead,
  prepared,
  nativeOrPortable,
  batchInsert,
  reportStarvation,
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
}

/** All scenarios, by number. */
export function listScenarios(): readonly ListedScenario[] {
  return SCENARIOS.map(({ id, title, needs, expectedMs }) => ({
    id,
    title,
    needs,
    minutes: Math.round(expectedMs / 6000) / 10,
  }));
}

/** What a run is told. */
export interface LabOptions {
  /**
   * Numbers of the scenarios, in any order; all when absent or empty. One that does not exist
   * throws.
   */
  readonly ids?: readonly number[] | undefined;
  /** Shorter turns and wider intervals. */
  readonly quick: boolean;
  readonly server: LabServer;
  readonly onProgress?: ((progress: LabProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs scenarios on a server, in a schema of the lab's own that is dropped on every way out.
 *
 * When `signal` is aborted the run stops promptly and resolves with a report marked `partial`.
 * A scenario for which the server has too few free connections is reported as not judged. Rejects
 * with a `RangeError` for a number that is no scenario's, and with the server's or the driver's
 * error when the server cannot be used. Never run two at once: they would measure each other.
 */
export async function runLab(options: LabOptions): Promise<LabReport> {
  const ids = options.ids ?? [];
  const unknown = ids.find((id) => !SCENARIOS.some((scenario) => scenario.id === id));
  if (unknown !== undefined) throw new RangeError(`there is no scenario ${unknown}`);
  return runScenarios({
    scenarios: ids.length === 0 ? SCENARIOS : SCENARIOS.filter(({ id }) => ids.includes(id)),
    quick: options.quick,
    server: options.server,
    signal: options.signal ?? new AbortController().signal,
    onProgress: options.onProgress ?? (() => undefined),
  });
}
