#!/usr/bin/env node
// The `forebay` command: what ties `main` to this process.

import { CliError } from "./errors.ts";
import { main, reportError } from "./main.ts";

const exitAfter = (error: unknown): never => process.exit(reportError(error));
process.on("uncaughtException", exitAfter);
process.on("unhandledRejection", exitAfter);

for (const stream of [process.stdout, process.stderr]) {
  // The work goes on whatever it is: there may be files to write. `leave` looks at it.
  stream.on("error", () => undefined);
}

const status = await main(process.argv.slice(2));
// Written to a pipe, text may still be on its way. Then it is time to go: a handle that something
// has left open must not hold us.
process.stdout.write("", leave);

function leave(): void {
  const error = outputError();
  if (error === undefined) {
    process.stderr.write("", () => process.exit(status));
    return;
  }
  const what = `cannot write the output: ${error.code ?? error.message}`;
  const nextStep = "Check that the file or device has space left.";
  exitAfter(new CliError("REPORT_NOT_WRITABLE", what, nextStep));
}

function outputError(): NodeJS.ErrnoException | undefined {
  const errors: (NodeJS.ErrnoException | null)[] = [process.stdout.errored, process.stderr.errored];
  // A closed pipe means that the reader has seen enough, as in `forebay lab list | head -1`.
  return errors.find((error) => error !== null && error.code !== "EPIPE") ?? undefined;
}
