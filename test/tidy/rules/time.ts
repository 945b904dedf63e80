// T3: time and randomness come from one place, so that the same code runs on a virtual clock with a
// seed.

import ts from "typescript";
import type { Rule, Violation } from "../rule.ts";
import { importsOf, lineOf, walk } from "../syntax.ts";
import type { Tree } from "../tree.ts";

interface Owners {
  readonly sources: string;
  readonly time: readonly string[];
  readonly random: readonly string[];
  readonly fix: string;
}

/**
 * For each package: who may read a clock or start a timer, who may draw a random number, and what
 * others use.
 */
const OWNERS: readonly Owners[] = [
  {
    sources: "packages/forebay/src",
    time: ["packages/forebay/src/base/clock.ts"],
    random: ["packages/forebay/src/base/random.ts"],
    fix: "Take a Clock or a Random (base/clock.ts, base/random.ts) as an argument",
  },
  {
    // Beside the lab's clock: what deals with processes and people, which no virtual clock runs.
    sources: "packages/forebay-cli/src",
    time: [
      "packages/forebay-cli/src/lab/clock.ts",
      "packages/forebay-cli/src/server/certificates.ts",
      "packages/forebay-cli/src/server/custodian.ts",
      "packages/forebay-cli/src/server/embedded.ts",
      "packages/forebay-cli/src/terminal/interrupt.ts",
      "packages/forebay-cli/src/terminal/progress.ts",
    ],
    random: [],
    fix: "Take a LabClock (lab/clock.ts) or a seeded LabRandom (lab/random.ts) as an argument",
  },
];

const TIMERS = ["setTimeout", "setInterval", "setImmediate"];
const TIME_MODULES = /^(node:)?timers(\/promises)?$/;

/** T3. */
export const time: Rule = {
  id: "T3",
  title: "clocks, timers and random numbers are used in their own files only",
  check: (tree) =>
    OWNERS.flatMap(({ sources, time: timeFiles, random, fix }) =>
      tree.sources(sources).flatMap((file) => {
        const allowed = { time: timeFiles.includes(file), random: random.includes(file) };
        return usesIn(tree, file)
          .filter((use) => !allowed[use.kind])
          .map(({ line, what }): Violation => ({ path: file, line, what, fix }));
      }),
    ),
};

interface Use {
  readonly kind: "time" | "random";
  readonly line: number;
  readonly what: string;
}

function usesIn(tree: Tree, file: string): Use[] {
  const source = tree.source(file);
  const uses: Use[] = importsOf(source)
    .filter(({ specifier, typeOnly }) => TIME_MODULES.test(specifier) && !typeOnly)
    .map(({ specifier, line }) => ({ kind: "time", line, what: `import of ${specifier}` }));
  walk(source, (node) => {
    const use = useOf(node);
    if (use !== undefined) uses.push({ ...use, line: lineOf(source, node) });
  });
  return uses;
}

function useOf(node: ts.Node): Omit<Use, "line"> | undefined {
  if (ts.isPropertyAccessExpression(node)) {
    const owner = ts.isIdentifier(node.expression) ? node.expression.text : "";
    const name = node.name.text;
    if (owner === "Math" && name === "random") return { kind: "random", what: "Math.random" };
    const clock =
      TIMERS.includes(name) ||
      (owner === "Date" && name === "now") ||
      (owner === "performance" && (name === "now" || name === "timeOrigin")) ||
      (owner === "process" && (name === "hrtime" || name === "uptime")) ||
      (owner === "AbortSignal" && name === "timeout");
    return clock ? { kind: "time", what: `${owner}.${name}` } : undefined;
  }
  if (ts.isIdentifier(node) && TIMERS.includes(node.text) && isValue(node)) {
    return { kind: "time", what: node.text };
  }
  const date = ts.isNewExpression(node) || ts.isCallExpression(node) ? node : undefined;
  if (date === undefined || !ts.isIdentifier(date.expression)) return undefined;
  if (date.expression.text !== "Date") return undefined;
  if (ts.isCallExpression(date)) return { kind: "time", what: "Date()" };
  return (date.arguments?.length ?? 0) === 0 ? { kind: "time", what: "new Date()" } : undefined;
}

/** False for the name of a property or a method that is only called the same. */
function isValue(name: ts.Identifier): boolean {
  const { parent } = name;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === name;
  if (ts.isTypeQueryNode(parent)) return false;
  return !(
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent)) &&
    parent.name === name
  );
}
