#!/usr/bin/env node
// The `forebay` command: what ties `main` to this process.

import { CliError } from "./errors.ts";
import { main, reportError } from "./main.ts";

const exitAfter = (error: unknown): never => process.exit(reportError(error));
process.on("uncaughtException", exitAfter);
process.on("unhandledRejection", exitAfter);

let outputError: NodeJS.ErrnoException | undefined;
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // A closed pipe means that whoever was reading has seen enough, as in `forebay lab list | head -1`. Whatever it is,
    // the work goes on: there may be files to write.
    if (error.code !== "EPIPE") outputError ??= error;
  });
}

const status = await main(process.argv.slice(2));
// Written to a pipe, text may still be on its way; an error of it is told a little later still. Then it is time to go:
// a handle that something has left open must not hold us.
process.stdout.write("", () => setImmediate(leave));

function leave(): void {
  if (outputError === undefined) {
    process.stderr.write("", () => process.exit(status));
    return;
  }
  const what = `cannot write the output: ${outputError.code ?? outputError.message}`;
  const nextStep = "Check that the file or device has space left.";
  exitAfter(new CliError("REPORT_NOT_WRITABLE", what, nextStep));
}
