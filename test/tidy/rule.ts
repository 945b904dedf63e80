// What a rule is, and how what it finds is printed.

import type { Tree } from "./tree.ts";

/** A place that breaks a rule, and what to do about it. */
export interface Violation {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly what: string;
  readonly fix: string;
}

/** One house rule. */
export interface Rule {
  readonly id: string;
  /** The rule in one sentence: what holds of a tidy tree. */
  readonly title: string;
  readonly check: (tree: Tree) => Violation[];
}

/** `path:line  T4  what is wrong. The fix.` */
export function print(rule: Rule, violation: Violation): string {
  const { path, line, what, fix } = violation;
  return `${path}:${line}  ${rule.id}  ${what}. ${fix}.`;
}
