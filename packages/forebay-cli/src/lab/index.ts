// Stands in until the lab is here.

import { setTimeout as delay } from "node:timers/promises";
import type { LabProgress, LabServer, ScenarioReport } from "./scenario.ts";

/** What a run found. */
export interface LabReport {
  readonly scenarios: readonly ScenarioReport[];
}

/** Settings of an embedded server for the lab. */
export const labServerSettings: Readonly<Record<string, string | number>> = { max_connections: 40 };

/** The scenarios. */
export function listScenarios(): readonly {
  id: number;
  title: string;
  needs: string;
  minutes: number;
}[] {
  return [{ id: 1, title: "Placeholder", needs: "nothing", minutes: 1 }];
}

/** Runs scenarios. */
export async function runLab(options: {
  readonly ids: readonly number[];
  readonly quick: boolean;
  readonly server: LabServer;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LabProgress) => void;
}): Promise<LabReport> {
  options.onProgress({ scenario: 1, arm: "waiting", fraction: 0, note: "" });
  await delay(options.quick ? 10 : 60_000, undefined, { signal: options.signal }).catch(() => {});
  return { scenarios: [] };
}
