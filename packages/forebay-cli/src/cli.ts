#!/usr/bin/env node
// The `forebay` command: what ties `main` to this process.

import { dieOf, main } from "./main.ts";

process.on("uncaughtException", dieOf);
process.on("unhandledRejection", dieOf);
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever was reading has seen enough, as in `forebay lab list | head -1`.
    if (error.code === "EPIPE") process.exit(0);
    dieOf(error);
  });
}

const status = await main(process.argv.slice(2));
// Written to a pipe, text may still be on its way; a handle that something has left open must not hold us.
process.stdout.write("", () => process.stderr.write("", () => process.exit(status)));
