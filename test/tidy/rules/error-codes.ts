// T9: every error code is documented and tested, and no other is documented.

import ts from "typescript";
import type { Rule, Violation } from "../rule.ts";
import { lineOf, walk } from "../syntax.ts";
import type { Tree } from "../tree.ts";

const PAGE = "docs/reference/errors.md";

/** T9. */
export const errorCodes: Rule = {
  id: "T9",
  title: `every error code is in ${PAGE} and in a test, and the page lists no other`,
  check: (tree) => {
    const codes = codesIn(tree);
    const rows = rowsOf(tree);
    const tests = testTexts(tree);
    const found: Violation[] = [];
    for (const [code, at] of codes) {
      if (!rows.has(code)) {
        const fix = `Add a row to ${PAGE}: | \`${code}\` | meaning | what to do |`;
        found.push({ ...at, what: `${code} is not documented`, fix });
      }
      if (!tests.some((text) => new RegExp(`\\b${code}\\b`).test(text))) {
        found.push({ ...at, what: `${code} is in no test`, fix: "Test that it is thrown" });
      }
    }
    for (const [code, row] of rows) {
      const at = { path: PAGE, line: row.line };
      if (!codes.has(code)) {
        found.push({ ...at, what: `${code} does not exist`, fix: "Remove the row" });
      } else if (row.meaning === "" || row.whatToDo === "") {
        found.push({ ...at, what: `the row of ${code} is not complete`, fix: "Fill its cells" });
      }
    }
    return found;
  },
};

/**
 * The codes in the sources, each with its place: the words of every type called `…ErrorCode`, and
 * of every `code` that a class begins with.
 */
function codesIn(tree: Tree): Map<string, Pick<Violation, "path" | "line">> {
  const codes = new Map<string, Pick<Violation, "path" | "line">>();
  for (const file of tree.sources("packages/forebay/src", "packages/forebay-cli/src")) {
    const source = tree.source(file);
    const add = (literal: ts.StringLiteral): void => {
      if (codes.has(literal.text)) return;
      codes.set(literal.text, { path: file, line: lineOf(source, literal) });
    };
    walk(source, (node) => {
      if (ts.isTypeAliasDeclaration(node) && node.name.text.endsWith("ErrorCode")) {
        walk(node.type, (part) => {
          if (ts.isStringLiteral(part)) add(part);
        });
      } else if (ts.isPropertyDeclaration(node) && node.name.getText(source) === "code") {
        if (node.initializer !== undefined && ts.isStringLiteral(node.initializer)) {
          add(node.initializer);
        }
      }
    });
  }
  return codes;
}

interface Row {
  readonly line: number;
  readonly meaning: string;
  readonly whatToDo: string;
}

/** The rows `| CODE | meaning | what to do |` of the page, the code in backticks. */
function rowsOf(tree: Tree): Map<string, Row> {
  const rows = new Map<string, Row>();
  if (!tree.has(PAGE)) return rows;
  for (const [index, line] of tree.text(PAGE).split("\n").entries()) {
    const code = /^\|\s*`([A-Z0-9_]+)`\s*\|/.exec(line)?.[1];
    if (code === undefined) continue;
    const [, , meaning = "", whatToDo = ""] = line.split("|").map((cell) => cell.trim());
    rows.set(code, { line: index + 1, meaning, whatToDo });
  }
  return rows;
}

/** The rules' own tests name codes as examples, and do not count. */
function testTexts(tree: Tree): string[] {
  return tree
    .sources("test")
    .filter((file) => !file.startsWith("test/tidy/"))
    .map((file) => tree.text(file));
}
