// `forebay bench`: its options and their meaning. The bench itself is in ../bench.

import type { Command } from "commander";
import { findPeer } from "../bench/clients.ts";
import { benchPlanOf, type BenchPlan, type BenchTexts } from "../bench/plan.ts";
import { printBench } from "../bench/print.ts";
import { type BenchContext, runBench } from "../bench/run.ts";
import { CliError } from "../errors.ts";
import { labClock } from "../lab/clock.ts";
import { explainServerFailure } from "../server/failure.ts";
import { findServer } from "../server/index.ts";
import { withInterrupts } from "../terminal/interrupt.ts";
import { createProgress } from "../terminal/progress.ts";
import { type JsonTarget, outputJson, prepareJson } from "./json-output.ts";

interface BenchOptions extends BenchTexts {
  readonly dsn?: string;
  readonly json?: string | true;
}

const EXAMPLES = `
Examples:
  $ forebay bench                           SELECT 1, on a server started for it
  $ forebay bench --query 'SELECT pg_sleep(0.01)' --max-open 4
  $ forebay bench --concurrency 1,4,16 --rate 500,90% --duration 5
  $ forebay bench --compare pg,postgres     beside clients of your project
  $ DATABASE_URL=postgres://app@db/app forebay bench --query 'TABLE t LIMIT 9'

The query is run many times, as it stands: give one that may be repeated.
Ctrl-C ends the bench, and shows what was measured until then.
`;

/** Adds `bench` to the program. */
export function addBenchCommand(program: Command): void {
  program
    .command("bench")
    .description("measure a query on a server, and say what limits it")
    .option("--dsn <url>", "the server to use; wins over DATABASE_URL")
    .option("--query <sql>", "what to run (default: SELECT 1)")
    .option(
      "--concurrency <list>",
      "callers of closed loads (default: 1, the\nmost open, and 4 times that)",
    )
    .option(
      "--rate <list>",
      "open loads: requests a second, or % of the\nhighest measured, or none\n(default: " +
        "50%,80%,95%)",
    )
    .option("--duration <s>", "seconds for each load (default: 2)")
    .option("--max-open <n>", "connections (default: 10)")
    .option("--compare <list>", "pg, postgres: from the project in this\ndirectory")
    .option("--json [file]", "as JSON, to standard output or a file")
    .addHelpText("after", EXAMPLES)
    .action(bench);
}

/** Everything that can be wrong with the input is found before a server is looked for. */
async function bench(options: BenchOptions): Promise<void> {
  const plan = benchPlanOf(options);
  const peers = await Promise.all(plan.peers.map((name) => findPeer(name, process.cwd())));
  const json = prepareJson(options.json);
  const progress = createProgress({ mode: json?.target === "stdout" ? "quiet" : "shown" });
  const context = (signal: AbortSignal) => ({
    plan,
    peers,
    clock: labClock,
    signal,
    onProgress: (text: string, fraction?: number) => progress.update({ text, fraction }),
  });
  try {
    await withInterrupts(
      async (signal) => {
        await measureAndPrint(options.dsn, context(signal), json, () => progress.end());
        signal.throwIfAborted();
      },
      () => {
        progress.clear();
        process.stderr.write("forebay: stopping; press Ctrl-C again to leave at once\n");
      },
    );
  } finally {
    progress.end();
    json?.removeEmpty();
  }
}

/** Beside those of the clients, for whoever looks at the server meanwhile. */
const SPARE_CONNECTIONS = 20;

async function measureAndPrint(
  dsn: string | undefined,
  context: Omit<BenchContext, "server">,
  json: JsonTarget | undefined,
  endProgress: () => void,
): Promise<void> {
  const { plan, signal, onProgress } = context;
  const server = await findServer({
    dsn,
    maxConnections: connectionsOf(plan) + SPARE_CONNECTIONS,
    signal,
    onProgress: (step) => onProgress(step, 0),
  });
  try {
    const either = AbortSignal.any([signal, server.lost]);
    const report = await runBench({ ...context, server, signal: either });
    server.lost.throwIfAborted();
    endProgress();
    if (json?.target !== "stdout") process.stdout.write(printBench(report));
    await outputJson(json, report);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof CliError) throw error;
    throw explainServerFailure(error, server.description) ?? error;
  } finally {
    await server.stop();
  }
}

function connectionsOf(plan: BenchPlan): number {
  return plan.maxOpenConns * (1 + plan.peers.length);
}
