// What the tests of single rules share.

import type { Rule } from "../rule.ts";
import { treeOf } from "../tree.ts";

/** What the rule says of a tree, as `path:line what`. */
export function found(rule: Rule, files: Readonly<Record<string, string>>): string[] {
  return rule.check(treeOf(files)).map(({ path, line, what }) => `${path}:${line} ${what}`);
}

/** What the rule says of one file, as `line what`. */
export function foundIn(rule: Rule, file: string, text: string): string[] {
  return found(rule, { [file]: text }).map((place) => place.slice(file.length + 1));
}
