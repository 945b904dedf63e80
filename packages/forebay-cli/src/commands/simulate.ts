// `forebay simulate`: its options and their meaning. The simulation itself is in ../size.

import { writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { answerSize, expectationOf, loadOf, settingsFor } from "../size/answer.ts";
import { compareWithTheory } from "../size/check.ts";
import { numberOf, numberOr } from "../size/options.ts";
import { renderSimulationPage } from "../size/page.ts";
import { printSimulation } from "../size/print-simulation.ts";
import { planSimulation, type SimulationPlan } from "../size/simulation.ts";
import { type Workload, workloadOf, type WorkloadTexts } from "../size/workload.ts";
import { outputJson, prepareJson } from "./json-output.ts";
import { checkReportFiles, type ReportFile, writeReportFiles } from "./report-files.ts";
import { addWorkloadOptions, simulateWithProgress } from "./workload-options.ts";

interface SimulateOptions extends WorkloadTexts {
  readonly pool?: string;
  readonly seconds?: string;
  readonly seed?: string;
  readonly html?: string;
  readonly json?: string | true;
}

const EXAMPLES = `
Examples:
  $ forebay simulate --qps 2000 --p50-ms 2 --p99-ms 30
  $ forebay simulate --qps 2000 --p50-ms 2 --p99-ms 30 --pool 10
  $ forebay simulate --qps 2000 --p50-ms 2 --p99-ms 30 --pool 7 --seconds 5
  $ forebay simulate --qps 2000 --p50-ms 2 --p99-ms 30 --html run.html

Forebay's own pool runs the load on a virtual clock: a minute takes seconds, and
the same seed gives the same run.
`;

const SECONDS_DEFAULT = 30;
const SEED_DEFAULT = 1;
const POOL_MOST = 10_000;
/** More than that take minutes, and show no more. */
const REQUESTS_MOST = 5_000_000;

/** Adds `simulate` to the program. */
export function addSimulateCommand(program: Command): void {
  addWorkloadOptions(
    program.command("simulate").description("a load on the real pool, in virtual time"),
  )
    .option("--pool <n>", "connections (default: what `forebay size` says)")
    .option("--seconds <n>", `virtual time (default: ${SECONDS_DEFAULT})`)
    .option("--seed <n>", `of the random numbers (default: ${SEED_DEFAULT})`)
    .option("--html <file>", "as a web page, too")
    .option("--json [file]", "as JSON, to standard output or a file")
    .addHelpText("after", EXAMPLES)
    .action(simulate);
}

async function simulate(options: SimulateOptions): Promise<void> {
  const workload = workloadOf(options);
  const plan = planOf(workload, options);
  checkFiles(options);
  const json = prepareJson(options.json);
  const pages: readonly ReportFile[] =
    options.html === undefined ? [] : [{ file: options.html, option: "--html" }];
  const removeEmptyPages = checkReportFiles(pages);
  try {
    const simulation = await simulateWithProgress(plan);
    const load = loadOf(workload);
    const expected = expectationOf(workload, plan.connections);
    // Where there is no steady state, theory has nothing to say.
    const comparisons =
      load < plan.connections ? compareWithTheory(expected, load, simulation) : [];
    const findings = { workload, simulation, comparisons, load };
    if (json?.target !== "stdout") process.stdout.write(printSimulation(findings));
    await writeReportFiles(pages, (file) => writeFile(file, renderSimulationPage(findings)));
    await outputJson(json, { workload, load, expected, comparisons, simulation });
  } finally {
    removeEmptyPages();
    json?.removeEmpty();
  }
}

function planOf(workload: Workload, options: SimulateOptions): SimulationPlan {
  const whole = { atLeast: 1, kind: "whole" } as const;
  const connections =
    options.pool === undefined
      ? answerSize(workload).connections
      : numberOf("--pool", options.pool, { ...whole, atMost: POOL_MOST });
  const seconds = numberOr("--seconds", options.seconds, { above: 0 }, SECONDS_DEFAULT);
  const seedRange = { atLeast: 0, atMost: 2 ** 31, kind: "whole" } as const;
  const seed = numberOr("--seed", options.seed, seedRange, SEED_DEFAULT);
  checkLength((seconds * workload.ratePerS) / workload.instances);
  const { acquireTimeoutMs, maxWaiters } = settingsFor(workload, connections);
  const pool = { connections, acquireTimeoutMs, maxWaiters };
  return planSimulation(workload, pool, { durationMs: seconds * 1000, seed });
}

function checkLength(requests: number): void {
  if (requests <= REQUESTS_MOST) return;
  throw new CliError(
    "NUMBER_INVALID",
    `that makes ${Math.round(requests).toLocaleString("en-US")} requests`,
    `Make --seconds shorter: at most ${REQUESTS_MOST.toLocaleString("en-US")} are simulated.`,
  );
}

function checkFiles({ json, html }: SimulateOptions): void {
  if (html === undefined || json !== html) return;
  throw new CliError(
    "USAGE",
    "--json and --html name the same file",
    "Give each a file of its own.",
  );
}
