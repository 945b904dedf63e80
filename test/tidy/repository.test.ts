// The house rules, applied to this repository. Each has its own test, with examples, in
// test/tidy/rules/.

import path from "node:path";
import { expect, test } from "vitest";
import { print } from "./rule.ts";
import { RULES } from "./rules.ts";
import { treeOnDisk } from "./tree.ts";

const tree = treeOnDisk(path.join(import.meta.dirname, "../.."));

test.each(RULES.map((rule) => [rule.id, rule.title, rule] as const))("%s: %s", (id, _, rule) => {
  const found = rule.check(tree).map((violation) => print(rule, violation));
  expect(found.join("\n"), `${id} is broken in ${found.length} place(s)`).toBe("");
});
