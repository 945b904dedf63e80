// T6: a number about time or size carries its unit in its name.
//
// Judged are declarations whose type is plainly a number: written so, or begun with a number. What
// only inference knows, or a word that is not listed here, is left to review.

import ts from "typescript";
import type { Rule, Violation } from "../rule.ts";
import { lineOf, walk } from "../syntax.ts";
import type { Tree } from "../tree.ts";

const TIME = new RegExp(
  "^(timeout|delay|interval|duration|elapsed|deadline|lifetime|latency|period|uptime|backoff" +
    "|ttl|rtt|patience)$",
);
const OTHER_TIME_UNIT =
  /^(millis|milliseconds|msec|secs?|seconds|mins|minutes|hours|micros|nanos)$/;
const SIZED = /^(bytes?|buffer|message|payload|frame|chunk|packet|heap|memory|body)$/;
const SIZE = /^(size|length|len|capacity)$/;
const OTHER_SIZE_UNIT = /^([kmg]i?b|kilobytes|megabytes|gigabytes)$/;
const RATIO = /^(utili[sz]ation|jitter)$/;
/** Words that may follow the noun: `waitMsMax`, `timeoutDefault`. */
const QUALIFIER =
  /^(max|min|mean|median|total|sum|limit|default|initial|left|first|last|base|cap|p\d+)$/;

/** Folders that must call things as another library, a protocol or a database type does. */
const FOREIGN = [
  "packages/forebay/src/compat/",
  "packages/forebay/src/adapters/",
  "packages/forebay/src/observe/",
  "packages/forebay/src/postgres/wire/types/",
];

/** T6. */
export const units: Rule = {
  id: "T6",
  title: "a number of time ends in Ms, of size in Bytes, from 0 to 1 in Ratio",
  check: (tree) =>
    tree
      .sources("packages/forebay/src", "packages/forebay-cli/src", "bench", "scripts")
      .filter((file) => !FOREIGN.some((folder) => file.startsWith(folder)))
      .flatMap((file) => check(tree, file)),
};

function check(tree: Tree, file: string): Violation[] {
  const source = tree.source(file);
  const found: Violation[] = [];
  walk(source, (node) => {
    const declared = numberOf(node);
    if (declared === undefined) return;
    const fix = wrongUnit(declared.name, declared.instant);
    if (fix === undefined) return;
    const what = `\`${declared.name}\` hides its unit`;
    found.push({ path: file, line: lineOf(source, declared.at), what, fix });
  });
  return found;
}

interface NumberName {
  readonly name: string;
  readonly at: ts.Node;
  /** True for a point in time. */
  readonly instant: boolean;
}

/** The name, when the node declares a number or a function that returns one. */
function numberOf(node: ts.Node): NumberName | undefined {
  const isValue =
    ts.isParameter(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isPropertySignature(node) ||
    ts.isVariableDeclaration(node);
  const isFunction =
    ts.isFunctionDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isMethodSignature(node) ||
    ts.isGetAccessorDeclaration(node);
  if (!isValue && !isFunction) return undefined;
  const { name, type } = node;
  if (name === undefined || !(ts.isIdentifier(name) || ts.isPrivateIdentifier(name)))
    return undefined;
  const initializer = isValue && !ts.isPropertySignature(node) ? node.initializer : undefined;
  const kind = type === undefined ? kindOfValue(initializer) : kindOfType(type);
  return kind === undefined
    ? undefined
    : { name: name.text, at: name, instant: kind === "instant" };
}

function kindOfType(type: ts.TypeNode): "number" | "instant" | undefined {
  if (type.kind === ts.SyntaxKind.NumberKeyword) return "number";
  if (ts.isTypeReferenceNode(type)) {
    return type.getText() === "MonotonicMs" ? "instant" : undefined;
  }
  if (!ts.isUnionTypeNode(type)) return undefined;
  const kinds = type.types
    .filter((part) => !/^(undefined|null)$/.test(part.getText()))
    .map((part) => kindOfType(part));
  return kinds.every((kind) => kind === kinds[0]) ? kinds[0] : undefined;
}

function kindOfValue(value: ts.Expression | undefined): "number" | undefined {
  if (value === undefined) return undefined;
  if (ts.isNumericLiteral(value)) return "number";
  if (ts.isPrefixUnaryExpression(value)) return kindOfValue(value.operand);
  if (ts.isBinaryExpression(value) && /^[-*/]|\*\*$/.test(value.operatorToken.getText())) {
    return kindOfValue(value.left) ?? kindOfValue(value.right);
  }
  return undefined;
}

/** What the name should be; `undefined` when it is well. */
function wrongUnit(name: string, instant: boolean): string | undefined {
  const constant = /^[A-Z][A-Z0-9_]*$/.test(name);
  // Other names with underscores quote a server's setting.
  if (!constant && name.includes("_")) return undefined;
  const words = wordsOf(name);
  while (words.length > 1 && QUALIFIER.test(words.at(-1) ?? "")) words.pop();
  const last = words.at(-1) ?? "";
  const before = words.at(-2) ?? "";
  if (instant && !/^(now|until|since|at)$/.test(before)) {
    return "A point in time is called …AtMs, or nowMs";
  }
  if (TIME.test(last)) return "Name it …Ms, and hold milliseconds";
  if (OTHER_TIME_UNIT.test(last) && before !== "" && before !== "per") {
    return "Hold milliseconds, and name it …Ms";
  }
  if (SIZE.test(last) && SIZED.test(before)) return "Name it …Bytes";
  if (/^bytes?$/.test(before) && last === "count") return "Name it …Bytes";
  if (OTHER_SIZE_UNIT.test(last) && before !== "") return "Hold bytes, and name it …Bytes";
  return RATIO.test(last) ? "Name it …Ratio, from 0 to 1" : undefined;
}

/** `connMaxLifetimeMs` and `CONN_MAX_LIFETIME_MS` are both conn, max, lifetime, ms. */
function wordsOf(name: string): string[] {
  return name
    .replace(/^[#_]+/, "")
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split("_")
    .filter((word) => word !== "");
}
