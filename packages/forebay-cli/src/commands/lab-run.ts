// `forebay lab run`, from the checked input to the reports and the status.

import { CliError } from "../errors.ts";
import { labClock, pause } from "../lab/clock.ts";
import {
  labServerSettings,
  outcomeOf,
  QueryRefused,
  RunFailed,
  runLab,
  type LabReport,
} from "../lab/index.ts";
import { printTable, writeHtml, writeJson, writeJunit } from "../report/index.ts";
import { howToInstall } from "../report/verdicts.ts";
import { explainServerFailure } from "../server/failure.ts";
import { findServer, type Server } from "../server/index.ts";
import { withInterrupts } from "../terminal/interrupt.ts";
import { createProgress, type Progress } from "../terminal/progress.ts";
import { endOf, stateOf } from "./lab-display.ts";
import { chosenFiles, chosenScenarios, queryRefused, type RunInput } from "./lab-input.ts";
import { checkReportFiles, writeReportFiles, type ReportFile } from "./report-files.ts";

/** The options of `lab run`. */
export interface RunOptions extends RunInput {
  readonly dsn?: string;
  readonly quick?: true;
  /** False where the system is to decide what runs on which processor. */
  readonly pin?: boolean;
}

/** How long to wait for a server's own word on why a connection to it failed. */
const LAST_WORDS_MS = 2000;

/**
 * Runs scenarios and reports. Everything that can be wrong with the input is found before a server
 * is looked for. Gives 1 when Forebay falls short; rejects with a `CliError` or an `Interrupted`.
 */
export async function labRun(given: readonly string[], options: RunOptions): Promise<0 | 1> {
  const ids = chosenScenarios(given, options);
  const isJsonToStdout = options.json === "-";
  const files = chosenFiles(options);
  const removeEmptyFiles = checkReportFiles(files);
  const progress = createProgress({ mode: isJsonToStdout ? "quiet" : "shown" });
  try {
    return await withInterrupts(
      (signal) => measureAndReport(ids, options, { files, progress, signal }),
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
  const { report, failure } = await measure(ids, options, run);
  run.progress.end();
  // First what cannot fail for want of space: then an hour's work is not lost to a full disk.
  if (options.json === "-") process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else process.stdout.write(`${printTable(report).trimEnd()}\n`);
  const writers = { "--json": writeJson, "--html": writeHtml, "--junit": writeJunit };
  await writeReportFiles(run.files, (file, option) => writers[option](report, file));
  if (failure !== undefined) throw failure;
  run.signal.throwIfAborted();
  refuseIfAllSkipped(report);
  return report.scenarios.some((scenario) => scenario.forebay.verdict === "fail") ? 1 : 0;
}

/** A run in which nothing was run must not look like one in which all went well. */
function refuseIfAllSkipped({ scenarios }: LabReport): void {
  const [first] = scenarios;
  if (first === undefined || scenarios.some((one) => outcomeOf(one) !== "skipped")) return;
  const what =
    scenarios.length === 1 ? `scenario ${first.id} was skipped` : "every scenario was skipped";
  const install = howToInstall(scenarios.find(({ missing }) => missing !== undefined) ?? first);
  throw new CliError("ALL_SKIPPED", what, install === "" ? first.headline : `${install}.`);
}

/** What a run gave, also if it then failed. */
interface Measured {
  readonly report: LabReport;
  readonly failure?: Error;
}

/** Rejects when there is nothing to report. */
async function measure(
  ids: readonly number[],
  { dsn, pin, quick, query }: RunOptions,
  { progress, signal }: Run,
): Promise<Measured> {
  const server = await findServer({
    dsn,
    settings: labServerSettings,
    pinned: pin !== false,
    signal,
    onProgress: (step) => progress.update({ text: step }),
  });
  try {
    const either = AbortSignal.any([signal, server.lost]);
    const report = await runLab({
      ids,
      quick: quick === true,
      query,
      server,
      signal: either,
      onProgress: (at) => {
        if (!signal.aborted) progress.update(stateOf(at));
      },
      onScenario: (scenario) => progress.line(endOf(scenario)),
    });
    if (!server.lost.aborted) return { report };
    const failure = server.lost.reason as Error;
    if (report.scenarios.every(({ partial }) => partial)) throw failure;
    return { report, failure };
  } catch (error) {
    if (error instanceof QueryRefused) throw queryRefused(error);
    if (!(error instanceof RunFailed)) throw await explained(error, server, signal);
    return { report: error.report, failure: await explained(error.cause, server, signal) };
  } finally {
    await server.stop();
  }
}

/** What the user is told of a failure. */
async function explained(failure: unknown, server: Server, signal: AbortSignal): Promise<Error> {
  const known = explainServerFailure(failure, server.description);
  // A server of ours that has ended says best why, and may say it a moment later.
  const sooner = AbortSignal.any([signal, server.lost]);
  if (known !== undefined && server.kind === "embedded") {
    await pause(labClock, LAST_WORDS_MS, sooner).catch(() => undefined);
  }
  return (sooner.aborted ? sooner.reason : (known ?? failure)) as Error;
}
