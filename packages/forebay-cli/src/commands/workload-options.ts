// The options that `forebay size` and `forebay simulate` have in common, and what both do with
// them.

import type { Command } from "commander";
import { labClock } from "../lab/clock.ts";
import { type Simulation, type SimulationPlan, simulatePool } from "../size/simulation.ts";
import { withInterrupts } from "../terminal/interrupt.ts";
import { createProgress } from "../terminal/progress.ts";

/** Adds the options of the load. */
export function addWorkloadOptions(command: Command): Command {
  return command
    .option("--qps <n>", "requests a second, of all instances together")
    .option("--p50-ms <ms>", "how long a request holds a connection: median")
    .option("--p99-ms <ms>", "and 99th percentile")
    .option("--mean-ms <ms>", "and mean, if it is known: better than one by\nthe percentiles")
    .option(
      "--target-wait <share>",
      "share of requests that may wait for a\nconnection (default: 0.01)",
    )
    .option("--max-connections <n>", "max_connections of the server")
    .option("--reserved <n>", "of these, not for this service (default: 3,\nfor superusers)")
    .option("--instances <n>", "processes with a pool each (default: 1)")
    .option("--surge <share>", "more of them while deploying (default: 0)")
    .option("--cores <n>", "cores of the server");
}

/** A display comes only when there is something to wait for. */
const PATIENCE_MS = 1000;

/** Runs a simulation, with a progress bar if it takes long. Ctrl-C ends it. */
export async function simulateWithProgress(plan: SimulationPlan): Promise<Simulation> {
  const progress = createProgress();
  const startedAtMs = labClock.nowMs();
  const onProgress = (fraction: number): void => {
    if (labClock.nowMs() - startedAtMs < PATIENCE_MS) return;
    progress.update({ text: "simulating the pool", fraction });
  };
  try {
    return await withInterrupts(
      (signal) => simulatePool(plan, { signal, onProgress }),
      () => progress.clear(),
    );
  } finally {
    progress.end();
  }
}
