// T4: files, functions and lines that fit in a head.

import ts from "typescript";
import type { Rule, Violation } from "../rule.ts";
import { lineAt, lineOf, walk } from "../syntax.ts";
import type { Tree } from "../tree.ts";

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;

/** T4. */
export const size: Rule = {
  id: "T4",
  title:
    `a file has at most ${FILE_LINES_MAX} lines, a function ${FUNCTION_LINES_MAX}, ` +
    `a line ${LINE_COLUMNS_MAX} columns`,
  check: (tree) =>
    tree
      .sources("packages", "test", "bench", "scripts", ".")
      .flatMap((file) => [...checkLines(tree, file), ...checkFunctions(tree, file)]),
};

function checkLines(tree: Tree, file: string): Violation[] {
  const lines = tree.text(file).replace(/\n$/, "").split("\n");
  const found: Violation[] = [];
  if (lines.length > FILE_LINES_MAX) {
    const what = `the file has ${lines.length} lines, at most ${FILE_LINES_MAX} are allowed`;
    found.push({ path: file, line: 1, what, fix: "Split it by topic: one noun per file" });
  }
  for (const [index, line] of lines.entries()) {
    const columns = Array.from(line).length;
    // An address cannot be broken.
    if (columns <= LINE_COLUMNS_MAX || /^\W*https?:\/\/\S+$/.test(line)) continue;
    const what = `the line has ${columns} columns, at most ${LINE_COLUMNS_MAX} are allowed`;
    found.push({ path: file, line: index + 1, what, fix: "Break it" });
  }
  return found;
}

function checkFunctions(tree: Tree, file: string): Violation[] {
  const source = tree.source(file);
  const found: Violation[] = [];
  walk(source, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
    const first = lineOf(source, node);
    const count = lineAt(source, node.end) - first + 1;
    if (count <= FUNCTION_LINES_MAX || isGroupOfTests(node)) return;
    const what = `the function has ${count} lines, at most ${FUNCTION_LINES_MAX} are allowed`;
    found.push({ path: file, line: first, what, fix: "Split it into steps with names" });
  });
  return found;
}

/**
 * The function in `describe("…", () => {…})` only holds tests together, each a function of its own.
 */
function isGroupOfTests(node: ts.Node): boolean {
  const { parent } = node;
  return ts.isCallExpression(parent) && /^describe\b/.test(parent.expression.getText());
}
