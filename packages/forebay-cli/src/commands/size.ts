// `forebay size`: its options and their meaning. The arithmetic is in ../size.

import type { Command } from "commander";
import { answerSize } from "../size/answer.ts";
import { compareWithTheory } from "../size/check.ts";
import { printSize } from "../size/print.ts";
import { checkDurationMs, planSimulation } from "../size/simulation.ts";
import { workloadOf, type WorkloadTexts } from "../size/workload.ts";
import { outputJson, prepareJson } from "./json-output.ts";
import { addWorkloadOptions, simulateWithProgress } from "./workload-options.ts";

interface SizeOptions extends WorkloadTexts {
  readonly json?: string | true;
}

const EXAMPLES = `
Examples:
  $ forebay size --qps 2000 --p50-ms 2 --p99-ms 30
  $ forebay size --qps 2000 --p50-ms 2 --p99-ms 30 --mean-ms 4.5
  $ forebay size --qps 2000 --p50-ms 2 --p99-ms 30 \\
      --max-connections 200 --instances 10 --surge 0.25 --cores 8
  $ forebay size --qps 2000 --p50-ms 2 --p99-ms 30 --json

What counts is how long a connection is held, from acquire to release: where a
transaction holds it over several queries, that is more than a query takes.

The answer is checked: the real pool runs the same load in virtual time.
`;

const SEED = 1;

/** Adds `size` to the program. */
export function addSizeCommand(program: Command): void {
  addWorkloadOptions(
    program.command("size").description("how many connections a load needs, and the settings"),
  )
    .option("--json [file]", "as JSON, to standard output or a file")
    .addHelpText("after", EXAMPLES)
    .action(size);
}

async function size(options: SizeOptions): Promise<void> {
  const workload = workloadOf(options);
  const answer = answerSize(workload);
  const json = prepareJson(options.json);
  try {
    const durationMs = checkDurationMs(workload);
    const plan = planSimulation(workload, poolOf(answer), { durationMs, seed: SEED });
    const simulation = await simulateWithProgress(plan);
    const comparisons = compareWithTheory(answer.expected, answer.load, simulation);
    const findings = { workload, answer, comparisons, simulation };
    if (json?.target !== "stdout") process.stdout.write(printSize(findings));
    const { bins: _, ...figures } = simulation;
    await outputJson(json, { workload, answer, comparisons, simulation: figures });
  } finally {
    json?.removeEmpty();
  }
}

function poolOf({ connections, settings }: ReturnType<typeof answerSize>) {
  const { acquireTimeoutMs, maxWaiters } = settings;
  return { connections, acquireTimeoutMs, maxWaiters };
}
