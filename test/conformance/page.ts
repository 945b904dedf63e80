// What the table of conformance looks like as a page, and which tests its files hold. It reads the
// tests' sources, and runs nothing.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { walk } from "../tidy/syntax.ts";
import { type ConformanceRow, GROUPS } from "./rows.ts";

/** The page, from the root of the repository. */
export const PAGE_PATH = "docs/reference/conformance.md";

/** How a test ended; `missing` when it did not run. */
export type TestState = "passed" | "failed" | "missing";

/** A test in a file of this folder. */
export interface FoundTest {
  readonly name: string;
  readonly file: string;
}

/** The file that tests the table itself: its tests have no rows. */
const TABLE_TEST = "table.test.ts";

/**
 * The tests of the rows, by their sources. Throws on one whose name is not written out, and on
 * `test.skip` and the like: such a test could pass for one that ran.
 */
export function testsOnDisk(): FoundTest[] {
  const folder = import.meta.dirname;
  return readdirSync(folder)
    .filter((file) => file.endsWith(".test.ts") && file !== TABLE_TEST)
    .toSorted()
    .flatMap((file) => testsIn(file, readFileSync(path.join(folder, file), "utf8")));
}

/** The tests in the text of one file; see `testsOnDisk`. */
export function testsIn(file: string, text: string): FoundTest[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
  const found: FoundTest[] = [];
  walk(source, (node) => {
    if (!ts.isCallExpression(node)) return;
    const called = node.expression.getText(source);
    if (/^(test|it)\./.test(called)) throw new Error(`${file}: ${called} is not for this folder`);
    if (called !== "test" && called !== "it") return;
    const name = node.arguments[0];
    if (name === undefined || !ts.isStringLiteral(name)) {
      throw new Error(`${file}: the name of a test is to be written out, as a string`);
    }
    found.push({ name: name.text, file });
  });
  return found;
}

/** The page's text. `stateOf` says how the test of a row ended. */
export function pageOf(tests: readonly FoundTest[], stateOf: (name: string) => TestState): string {
  const fileOf = new Map(tests.map(({ name, file }) => [name, file]));
  const lines = [...HEAD, ...summary(), ""];
  for (const { title, source, rows } of GROUPS) {
    const withGo = rows.some((row) => row.go !== undefined);
    const table = [["row", "what it pins", ...(withGo ? ["Go"] : []), "here", "result"]];
    for (const row of rows) {
      const go = withGo ? [row.go ?? ""] : [];
      table.push([`\`${row.id}\``, row.pins, ...go, ...hereAndResult(row, fileOf, stateOf)]);
    }
    lines.push(`## ${title}`, "", source, "", ...tableOf(table), "");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

const HEAD: readonly string[] = [
  "# Conformance with database/sql",
  "",
  "Forebay has the meaning of Go's `database/sql`. This page goes through all that Go's own",
  "tests pin, what they leave open, the properties that hold whatever happens, and what was",
  "measured on Go. Each row has a test of its own in `test/conformance`, on the real pool and",
  "SQL layer, a fake database and a virtual clock; or it says why TypeScript has nothing to",
  "test there. Where Forebay behaves otherwise on purpose, the row says why, and its test pins",
  "what Forebay does.",
  "",
  "Numbers such as #34775 are issues of Go.",
  "",
  "The page is written by `npm run conformance`, which runs the tests. `npm run check` fails when",
  "the table, the tests and the page do not agree.",
  "",
];

function summary(): string[] {
  const rows = GROUPS.flatMap((group) => group.rows);
  const count = (has: (row: ConformanceRow) => boolean) => String(rows.filter(has).length);
  return tableOf([
    ["", "rows"],
    ["in all", String(rows.length)],
    ["with a test", count((row) => "test" in row)],
    ["of these, different on purpose", count((row) => "differs" in row)],
    ["without a counterpart in TypeScript", count((row) => "reason" in row)],
    ["open", count((row) => "open" in row)],
  ]);
}

function hereAndResult(
  row: ConformanceRow,
  fileOf: ReadonlyMap<string, string>,
  stateOf: (name: string) => TestState,
): readonly [string, string] {
  if ("reason" in row) return ["", `no counterpart: ${row.reason}`];
  if ("open" in row) return ["", `open: ${row.open}`];
  const file = fileOf.get(row.test);
  const says = row.test.replace(`${row.id}: `, "");
  const here = file === undefined ? says : `[${says}](../../test/conformance/${file})`;
  const state = stateOf(row.test);
  return [here, row.differs === undefined ? state : `${state}; differs: ${row.differs}`];
}

/** A table, its columns as wide as the formatter makes them. The first row is the head. */
function tableOf(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = cells.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 3)),
    [],
  );
  const line = (row: readonly string[], fill: string) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  return [
    line(head, " "),
    line(
      head.map(() => ""),
      "-",
    ),
    ...body.map((row) => line(row, " ")),
  ];
}
