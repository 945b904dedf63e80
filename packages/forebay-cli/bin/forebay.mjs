#!/usr/bin/env node
// The command. It stands beside the compiled sources so that npm can link it before there are any.

await import("../dist/cli.js");
