// `forebay lab`: its options and their meaning. The lab itself is in ../lab, what it prints in
// ../report.

import { type Command } from "commander";
import { CliError } from "../errors.ts";
import { labClock, pause } from "../lab/clock.ts";
import { labServerSettings, listScenarios, runLab, type LabReport } from "../lab/index.ts";
import type { LabProgress } from "../lab/scenario.ts";
import { printTable, writeHtml, writeJson } from "../report/index.ts";
import { explainServerFailure } from "../server/failure.ts";
import { findServer } from "../server/index.ts";
import { withInterrupts } from "../terminal/interrupt.ts";
import { createProgress, type Progress } from "../terminal/progress.ts";
import { checkReportFiles, writeReportFiles, type ReportFile } from "./report-files.ts";

/** Tells how the command went: 0, or 1 when a result falls short. Errors are thrown instead. */
export type SetStatus = (status: 0 | 1) => void;

interface RunOptions {
  readonly dsn?: string;
  readonly quick?: true;
  readonly json?: string;
  readonly html?: string;
}

const LIST_EXAMPLES = `
Example:
  $ forebay lab list
`;

const RUN_EXAMPLES = `
Examples:
  $ forebay lab run                     all, on a server started for the run
  $ forebay lab run 1 3 --quick         two, in less time, with less certainty
  $ forebay lab run --html lab.html     with a report to read
  $ forebay lab run --json -            the report on standard output, only
  $ DATABASE_URL=postgres://app@db/app forebay lab run
                                        on a server of your own

Without --dsn and DATABASE_URL a PostgreSQL server is started, and removed
afterwards. Prefer DATABASE_URL for a URL with a password: other users can see
the options of a command.

Ends with 0; with 1 when Forebay falls short of what it promises; with 2 when
the input or the surroundings do not allow a run.
`;

/** Adds `lab list` and `lab run` to the program. */
export function addLabCommands(program: Command, setStatus: SetStatus): void {
  const lab = program
    .command("lab")
    .description("run the scenarios of the pool tuning guide on a real server");
  lab
    .command("list")
    .description("list the scenarios")
    .addHelpText("after", LIST_EXAMPLES)
    .action(() => {
      process.stdout.write(scenarioList());
    });
  lab
    .command("run")
    .description("run scenarios, before and after, and say what held")
    .argument("[ids...]", "numbers of the scenarios (default: all)")
    .option("--dsn <url>", "the server to use; wins over DATABASE_URL")
    .option("--quick", "take less time, with less certainty")
    .option("--json <file>", "write the report as JSON; - for standard output")
    .option("--html <file>", "write the report as a web page")
    .addHelpText("after", RUN_EXAMPLES)
    .action(async (ids: readonly string[], options: RunOptions) => {
      setStatus(await labRun(ids, options));
    });
}

function scenarioList(): string {
  const rows = listScenarios();
  const width = Math.max(...rows.map((row) => row.title.length));
  return rows
    .map(({ id, title, minutes, needs }) => {
      const time = `${minutes < 1 ? "<1" : Math.round(minutes)} min`;
      return `${String(id).padStart(2)}  ${title.padEnd(width)}  ${time.padStart(6)}  ${needs}\n`;
    })
    .join("");
}

/** How long to wait for a server's own word on why a connection to it failed. */
const LAST_WORDS_MS = 2000;

/** Everything that can be wrong with the input is found before a server is looked for. */
async function labRun(ids: readonly string[], options: RunOptions): Promise<0 | 1> {
  const chosen = scenarioIds(ids);
  const isJsonToStdout = options.json === "-";
  const files = reportFiles(options);
  const removeEmptyFiles = checkReportFiles(files);
  const progress = createProgress({ mode: isJsonToStdout ? "quiet" : "shown" });
  try {
    return await withInterrupts(
      (signal) => measureAndReport(chosen, options, { files, progress, signal }),
      () => {
        progress.clear();
        process.stderr.write("forebay: stopping; press Ctrl-C again to leave at once\n");
      },
    );
  } finally {
    progress.end();
    removeEmptyFiles();
  }
}

/** What a run needs besides what the user chose. */
interface Run {
  readonly files: readonly ReportFile[];
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

async function measureAndReport(
  ids: readonly number[],
  options: RunOptions,
  run: Run,
): Promise<0 | 1> {
  const report = await measure(ids, options, run);
  run.progress.end();
  // First what cannot fail for want of space: then an hour's work is not lost to a full disk.
  if (options.json === "-") process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else process.stdout.write(`${printTable(report).trimEnd()}\n`);
  const writers = { "--json": writeJson, "--html": writeHtml };
  await writeReportFiles(run.files, (file, option) => writers[option](report, file));
  run.signal.throwIfAborted();
  return report.scenarios.some((scenario) => scenario.forebay.verdict === "fail") ? 1 : 0;
}

async function measure(
  ids: readonly number[],
  { dsn, quick }: RunOptions,
  { progress, signal }: Run,
): Promise<LabReport> {
  const server = await findServer({
    dsn,
    settings: labServerSettings,
    signal,
    onProgress: (step) => progress.update(step),
  });
  const onProgress = ({ arm, note, scenario, fraction }: LabProgress): void => {
    const where = scenario === 0 ? "calibration" : `scenario ${scenario}`;
    progress.update([where, arm, note].filter((part) => part !== "").join(": "), fraction);
  };
  try {
    const either = AbortSignal.any([signal, server.lost]);
    const report = await runLab({ ids, quick: quick === true, server, signal: either, onProgress });
    server.lost.throwIfAborted();
    return report;
  } catch (error) {
    const known = explainServerFailure(error, server.description);
    // A server of ours that has ended says best why, and may say it a moment later.
    const sooner = AbortSignal.any([signal, server.lost]);
    sooner.throwIfAborted();
    if (known !== undefined && server.kind === "embedded") {
      await pause(labClock, LAST_WORDS_MS, sooner);
    }
    throw known ?? error;
  } finally {
    await server.stop();
  }
}

function scenarioIds(given: readonly string[]): number[] {
  const known = listScenarios().map((scenario) => scenario.id);
  for (const text of given) {
    if (/^\d+$/.test(text) && known.includes(Number(text))) continue;
    throw new CliError(
      "SCENARIO_UNKNOWN",
      `there is no scenario ${text}`,
      "See `forebay lab list`.",
    );
  }
  return given.length === 0 ? known : [...new Set(given.map(Number))];
}

function reportFiles({ json, html }: RunOptions): ReportFile[] {
  const files: ReportFile[] = [];
  if (json !== undefined && json !== "-") files.push({ file: json, option: "--json" });
  if (html !== undefined) files.push({ file: html, option: "--html" });
  if (json !== undefined && json === html) {
    throw new CliError(
      "USAGE",
      "--json and --html name the same file",
      "Give each a file of its own.",
    );
  }
  return files;
}
