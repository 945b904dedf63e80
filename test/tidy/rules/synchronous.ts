// T2: the decisions are synchronous. This takes the place of a mutex: what cannot suspend cannot be
// interleaved.

import ts from "typescript";
import type { Rule } from "../rule.ts";
import { importsOf, lineOf, resolveRelative, tokensOf } from "../syntax.ts";
import type { Tree } from "../tree.ts";

const POOL = ["core", "state", "line", "waiters", "idle", "deadlines", "expiry", "effects"];
const POOL_MORE = ["audit", "demand", "stats", "backoff"];
const SYNCHRONOUS = new RegExp(
  "^packages/forebay/src/(" +
    `pool/(${[...POOL, ...POOL_MORE].join("|")})` +
    "|postgres/wire/session[^/]*" +
    "|postgres/wire/proto/.+" +
    ")\\.ts$",
);
const FORBIDDEN = new Set([
  "async",
  "await",
  "Promise",
  "PromiseLike",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "nextTick",
]);

/** T2. */
export const synchronous: Rule = {
  id: "T2",
  title: "the pool's core and the wire's session and protocol never suspend and start no timer",
  check: (tree) =>
    synchronousFiles(tree).flatMap((file) => {
      const source = tree.source(file);
      return tokensOf(source)
        .filter((token) => isWord(token) && FORBIDDEN.has(token.getText(source)))
        .map((token) => ({
          path: file,
          line: lineOf(source, token),
          what: `\`${token.getText(source)}\` in a synchronous file`,
          fix: "Return an effect, and let the shell around it wait",
        }));
    }),
};

/**
 * The files named above, and what they run of their own layers: moving code out of them is no way
 * round the rule.
 */
function synchronousFiles(tree: Tree): string[] {
  const files = new Set(tree.paths().filter((file) => SYNCHRONOUS.test(file)));
  for (const file of files) {
    for (const { specifier, typeOnly } of importsOf(tree.source(file))) {
      const target = resolveRelative(file, specifier);
      if (typeOnly || target === undefined || !tree.has(target)) continue;
      if (/\/(pool|postgres\/wire)\//.test(target)) files.add(target);
    }
  }
  return [...files];
}

function isWord(token: ts.Node): boolean {
  const { FirstKeyword, LastKeyword } = ts.SyntaxKind;
  return ts.isIdentifier(token) || (token.kind >= FirstKeyword && token.kind <= LastKeyword);
}
