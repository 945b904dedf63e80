// Breaks comment lines longer than 100 columns, in place: `npx tsx scripts/tidy-wrap.ts <file>…`.
// The formatter leaves comments alone. What does not fit moves to the next line of the same
// paragraph; lists, tables, code blocks and tags keep their lines, and comments behind code are
// left to a person. Only the files that are named are touched.

import { readFileSync, writeFileSync } from "node:fs";
import { wrapComments } from "../test/tidy/wrap.ts";

const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: npx tsx scripts/tidy-wrap.ts <file>…");
  process.exitCode = 2;
}
for (const file of files) {
  const before = readFileSync(file, "utf8");
  const after = wrapComments(before);
  if (after === before) continue;
  writeFileSync(file, after);
  console.log(file);
}
