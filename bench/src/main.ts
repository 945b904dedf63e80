// npm run bench -- [ids] [--quick] [--json FILE]: runs benchmarks and shows what they found.

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { describeMachine } from "../../packages/forebay-cli/src/lab/machine.ts";
import { createProgress } from "../../packages/forebay-cli/src/terminal/progress.ts";
import { type Bench, findingOf } from "./bench.ts";
import { memoryBench } from "./p10-memory.ts";
import { pipelinedBench } from "./p1-pipelined.ts";
import { pointSelectBench } from "./p2-point-select.ts";
import { portableBench } from "./p3-portable.ts";
import { acquireBench } from "./p4-acquire.ts";
import { rowsBench } from "./p7-rows.ts";
import { copyInBench } from "./p5-copy-in.ts";
import { bulkInsertBench } from "./p6-bulk-insert.ts";
import { growthBench } from "./p8-growth.ts";
import { redialBench } from "./p9-redial.ts";
import { type BenchReport, reportOf, type RunReport } from "./report.ts";
import { tableOf } from "./table.ts";

const BENCHES: readonly Bench[] = [
  pipelinedBench,
  pointSelectBench,
  portableBench,
  acquireBench,
  copyInBench,
  bulkInsertBench,
  rowsBench,
  growthBench,
  redialBench,
  memoryBench,
];

const HELP = `Usage: npm run bench -- [ids] [options]

Runs the benchmarks with these ids, or all, each beside its peers in turn, and says which targets
are met. A missed target does not fail the run. See bench/README.md.

${BENCHES.map(({ id, title }) => `  ${id}  ${title}`).join("\n")}

Options:
  --json FILE  write the figures to FILE
  --quick      fewer and shorter rounds: to see that all works, not to quote
  --help       show this
`;

const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

interface Arguments {
  readonly benches: readonly Bench[];
  readonly isQuick: boolean;
  readonly jsonFile: string | undefined;
}

class UsageProblem extends Error {}

function readArguments(args: readonly string[]): Arguments | "help" {
  const { values, positionals } = parseArguments(args);
  if (values.help === true) return "help";
  const ids = positionals.map((id) => id.toUpperCase());
  const known = BENCHES.map(({ id }) => id);
  const unknown = ids.find((id) => !known.includes(id));
  if (unknown !== undefined) {
    throw new UsageProblem(`there is no benchmark ${unknown}. There are ${known.join(", ")}`);
  }
  const benches = BENCHES.filter(({ id }) => ids.length === 0 || ids.includes(id));
  return { benches, isQuick: values.quick === true, jsonFile: values.json };
}

function parseArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: "string" },
        quick: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageProblem(error instanceof Error ? error.message : String(error));
  }
}

async function runAll({ benches, isQuick, jsonFile }: Arguments, signal: AbortSignal) {
  const machine = describeMachine();
  const reports: BenchReport[] = [];
  const load = machine.loadAverage === undefined ? "" : `, load ${machine.loadAverage}`;
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.os}, node ${machine.node}${load}`);
  for (const [place, bench] of benches.entries()) {
    const isTerminal = process.stderr.isTTY;
    if (!isTerminal) console.error(`running ${bench.id}: ${bench.title}`);
    const progress = createProgress({ mode: isTerminal ? "shown" : "quiet" });
    try {
      const comparisons = await bench.run({
        effort: isQuick ? "quick" : "full",
        signal,
        onProgress: (text, fraction) =>
          progress.update({
            text: bench.id,
            detail: text,
            fraction: (place + fraction) / benches.length,
          }),
      });
      progress.end();
      const findings = comparisons.map(findingOf);
      console.log(`\n${bench.id}  ${bench.title}${isQuick ? "  (quick)" : ""}`);
      console.log(tableOf(findings));
      reports.push(reportOf(bench, findings));
    } finally {
      progress.end();
    }
  }
  if (jsonFile === undefined) return;
  const report: RunReport = { machine, effort: isQuick ? "quick" : "full", benches: reports };
  writeFileSync(jsonFile, `${JSON.stringify(report, null, 2)}\n`);
}

async function main(): Promise<number> {
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort(new Error("interrupted")));
  try {
    const parsed = readArguments(process.argv.slice(2));
    if (parsed === "help") console.log(HELP);
    else await runAll(parsed, interrupt.signal);
    return 0;
  } catch (error) {
    if (error instanceof UsageProblem) {
      console.error(`bench: ${error.message}. --help shows what there is.`);
      return EXIT_USAGE;
    }
    if (interrupt.signal.aborted) return EXIT_INTERRUPTED;
    console.error(error);
    return 1;
  }
}

process.exitCode = await main();
