// T7: no way round the compiler, and one way to export.

import ts from "typescript";
import type { Rule, Violation } from "../rule.ts";
import { commentsOf, lineOf, walk } from "../syntax.ts";
import type { Tree } from "../tree.ts";

/** Tools that load these files by path ask for a default export. */
const DEFAULT_EXPORTS = /^(vitest\.config|scripts\/count-reporter)\.ts$/;
/** A test of types states that something must not compile. */
const TYPE_TESTS = /^test\/types\//;

/** T7. */
export const escapes: Rule = {
  id: "T7",
  title: "no default export, no `any`, no `!`, no silenced compiler",
  check: (tree) =>
    tree
      .sources("packages", "test", "bench", "scripts", ".")
      .flatMap((file) => [...checkComments(tree, file), ...checkSyntax(tree, file)]),
};

function checkComments(tree: Tree, file: string): Violation[] {
  return commentsOf(tree.source(file)).flatMap(({ text, line }) => {
    const name = /^\/[/*]+\s*(@ts-(?:ignore|expect-error|nocheck))\b/.exec(text)?.[1];
    if (name === undefined || (name === "@ts-expect-error" && TYPE_TESTS.test(file))) return [];
    return [{ path: file, line, what: `\`${name}\``, fix: "Mend the type" }];
  });
}

function checkSyntax(tree: Tree, file: string): Violation[] {
  const source = tree.source(file);
  const found: Violation[] = [];
  walk(source, (node) => {
    const finding = findingOf(node);
    if (finding === undefined) return;
    if (finding.what === DEFAULT_EXPORT && DEFAULT_EXPORTS.test(file)) return;
    found.push({ path: file, line: lineOf(source, node), ...finding });
  });
  return found;
}

const DEFAULT_EXPORT = "default export";

function findingOf(node: ts.Node): Pick<Violation, "what" | "fix"> | undefined {
  if (node.kind === ts.SyntaxKind.AnyKeyword) {
    return { what: "`any`", fix: "Use `unknown` and find out, or write the type" };
  }
  if (ts.isNonNullExpression(node)) {
    return { what: "`!` after an expression", fix: "Test it, or `assert` that it is there" };
  }
  if (
    (ts.isVariableDeclaration(node) || ts.isPropertyDeclaration(node)) &&
    node.exclamationToken !== undefined
  ) {
    return { what: "`!` after a name", fix: "Give it a value where it is declared" };
  }
  const exportsDefault =
    (ts.isExportAssignment(node) && node.isExportEquals !== true) ||
    (ts.isExportSpecifier(node) && node.name.text === "default") ||
    (node.kind === ts.SyntaxKind.DefaultKeyword && ts.isStatement(node.parent));
  return exportsDefault ? { what: DEFAULT_EXPORT, fix: "Export it by name" } : undefined;
}
