// Runs the conformance tests, and writes their table: `npm run conformance`. Ends with status 1
// when a test fails; with `--strict` also while a row is open.

import { writeFileSync } from "node:fs";
import path from "node:path";
import { startVitest, type TestModule } from "vitest/node";
import { PAGE_PATH, pageOf, type TestState, testsOnDisk } from "../test/conformance/page.ts";
import { GROUPS } from "../test/conformance/rows.ts";

const root = path.join(import.meta.dirname, "..");
const tests = testsOnDisk();
const states = new Map<string, TestState>();

function note(modules: readonly TestModule[]): void {
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      states.set(test.fullName, test.result().state === "passed" ? "passed" : "failed");
    }
  }
}

const files = [...new Set(tests.map(({ file }) => `test/conformance/${file}`))];
const vitest = await startVitest("test", files, {
  root,
  project: ["conformance"],
  run: true,
  watch: false,
  reporters: ["default", { onTestRunEnd: note }],
});
await vitest.close();

writeFileSync(
  path.join(root, PAGE_PATH),
  pageOf(tests, (name) => states.get(name) ?? "missing"),
);
const open = GROUPS.flatMap((group) => group.rows).filter((row) => "open" in row);
for (const row of open) console.log(`open: ${row.id}: ${row.open}`);
const failed = tests.filter(({ name }) => states.get(name) !== "passed");
for (const { name } of failed) console.log(`failed: ${name}`);
console.log(`${PAGE_PATH}: ${tests.length} tests, ${failed.length} failed, ${open.length} open`);
const isStrict = process.argv.includes("--strict");
process.exitCode = failed.length > 0 || (isStrict && open.length > 0) ? 1 : 0;
