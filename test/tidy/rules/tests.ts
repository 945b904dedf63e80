// T13 and T15: tests that depend on nothing but the code, and all of which run.

import ts from "typescript";
import type { Rule, Violation } from "../rule.ts";
import { importsOf, lineOf, walk } from "../syntax.ts";

const WAITS = new Set(["setTimeout", "setInterval", "sleep", "delay"]);
const POLLS = new Set(["waitFor", "waitUntil", "poll"]);

/** T13. */
export const sleeps: Rule = {
  id: "T13",
  title: "no test in unit, model, conformance or sim waits for real time",
  check: (tree) =>
    tree.sources("test/unit", "test/model", "test/conformance", "test/sim").flatMap((file) => {
      const source = tree.source(file);
      const fix = "Use the virtual clock of forebay/testing, or await the event itself";
      const found: Violation[] = importsOf(source)
        .filter(({ specifier }) => /^(node:)?timers\b/.test(specifier))
        .map(({ specifier, line }) => ({ path: file, line, what: specifier, fix }));
      walk(source, (node) => {
        if (!ts.isCallExpression(node)) return;
        const name = nameOf(node.expression);
        const owner = ownerOf(node.expression);
        const waits =
          (WAITS.has(name) && owner === "") ||
          (WAITS.has(name) && /^(globalThis|timers?)$/.test(owner)) ||
          (POLLS.has(name) && /^(vi|expect)$/.test(owner)) ||
          (name === "timeout" && owner === "AbortSignal");
        if (waits) found.push({ path: file, line: lineOf(source, node), what: `${name}()`, fix });
      });
      return found;
    }),
};

/** T15. */
export const narrowed: Rule = {
  id: "T15",
  title: "no test shuts out the others",
  check: (tree) =>
    tree.sources("test").flatMap((file) => {
      const source = tree.source(file);
      const found: Violation[] = [];
      walk(source, (node) => {
        if (!ts.isPropertyAccessExpression(node) || node.name.text !== "only") return;
        if (!/^(test|it|describe|suite|bench)\b/.test(node.getText(source))) return;
        const what = `\`${node.getText(source)}\` shuts out the other tests`;
        found.push({ path: file, line: lineOf(source, node), what, fix: "Remove `.only`" });
      });
      return found;
    }),
};

function nameOf(called: ts.Expression): string {
  if (ts.isIdentifier(called)) return called.text;
  return ts.isPropertyAccessExpression(called) ? called.name.text : "";
}

function ownerOf(called: ts.Expression): string {
  return ts.isPropertyAccessExpression(called) ? called.expression.getText() : "";
}
