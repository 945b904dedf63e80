// The program as a whole: its commands, and how whatever happens becomes one line and an exit
// status.

import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { addBenchCommand } from "./commands/bench.ts";
import { addLabCommands, type SetStatus } from "./commands/lab.ts";
import { addSimulateCommand } from "./commands/simulate.ts";
import { addSizeCommand } from "./commands/size.ts";
import { CliError, errorLine } from "./errors.ts";
import { Interrupted } from "./terminal/interrupt.ts";

const DESCRIPTION = "The tuning guide of database connection pools, as a program.";

const EXAMPLES = `
Examples:
  $ forebay size --qps 2000 --p50-ms 2 --p99-ms 30
                                           how many connections a load needs
  $ forebay bench --query 'SELECT 1'       what limits a query
  $ forebay lab list                       what there is to run
  $ forebay lab run --html lab.html        run it all, with a report

Environment:
  DATABASE_URL     the server to use when --dsn does not name one
  NO_COLOR         do not use colours
  FOREBAY_DEBUG=1  show where an error came from
`;

/**
 * Runs the command line `args`, without the program's name. Resolves with the exit status: 0; 1
 * when a result falls short; 2 for bad input or surroundings; 128 and more after a signal. Never
 * rejects.
 */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0;
  const program = createProgram((value) => (status = value));
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error);
    // Help and version are "errors" here, too.
    const isHelp = error.exitCode === 0 || error.code === "commander.help";
    return isHelp ? 0 : reportError(usageError(error, commandPath(program, args)));
  }
}

/** Writes an error to standard error, and gives the exit status for it. */
export function reportError(error: unknown): number {
  if (error instanceof Interrupted) return error.status;
  const known = error instanceof CliError ? error : unexpected(error);
  process.stderr.write(`${errorLine(known)}\n`);
  if (process.env["FOREBAY_DEBUG"] === "1") console.error(known);
  return 2;
}

function createProgram(setStatus: SetStatus): Command {
  const { version } = createRequire(import.meta.url)("../package.json") as {
    readonly version: string;
  };
  const program = new Command("forebay")
    .description(DESCRIPTION)
    .version(version)
    .exitOverride()
    .configureOutput({
      // Used for the help that a command without a subcommand shows; errors are written by
      // `reportError`.
      writeErr: (text) => process.stdout.write(text),
      outputError: () => undefined,
    })
    .addHelpText("after", EXAMPLES);
  addSizeCommand(program);
  addSimulateCommand(program);
  addBenchCommand(program);
  addLabCommands(program, setStatus);
  return program;
}

function usageError(error: CommanderError, path: string): CliError {
  const [what = "", hint = ""] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = hint.replace(/^\((.*)\)$/, "$1 ");
  const nextStep = `${suggestion}See \`${path} --help\`.`;
  return new CliError("USAGE", what.replace(/\.$/, ""), nextStep, { cause: error });
}

/** The deepest command that the arguments name, as the user would type it. */
function commandPath(program: Command, args: readonly string[]): string {
  let path = program.name();
  let at = program;
  for (const name of args) {
    const next = at.commands.find((command) => command.name() === name);
    if (next === undefined) break;
    path += ` ${name}`;
    at = next;
  }
  return path;
}

function unexpected(error: unknown): CliError {
  const what = error instanceof Error ? error.message : String(error);
  return new CliError(
    "UNEXPECTED",
    what,
    "This should not happen: please report it, with what FOREBAY_DEBUG=1 shows.",
    { cause: error },
  );
}
