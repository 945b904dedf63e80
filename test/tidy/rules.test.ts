import { expect, test } from "vitest";
import { print } from "./rule.ts";
import { RULES } from "./rules.ts";
import { treeOf } from "./tree.ts";
import { wrapComments } from "./wrap.ts";

test("every rule has an id of its own", () => {
  expect(new Set(RULES.map(({ id }) => id)).size).toBe(RULES.length);
});

test("a violation is printed with its place, its rule and the fix", () => {
  const [rule] = RULES;
  const violation = { path: "a.ts", line: 3, what: "It is bad", fix: "Mend it" };
  expect(rule === undefined ? "" : print(rule, violation)).toBe("a.ts:3  T1  It is bad. Mend it.");
});

test("a tree gives the sources of folders, and those of the root only when asked", () => {
  const tree = treeOf({ "a.ts": "", "b/c.ts": "", "b/d.d.ts": "", "b/e.md": "", "bb/f.ts": "" });
  expect(tree.sources("b")).toEqual(["b/c.ts"]);
  expect(tree.sources(".")).toEqual(["a.ts"]);
});

test("long comment lines are broken between words and flow on in their paragraph", () => {
  const words = "word ".repeat(19).trim();
  const text = `// ${words} one two\n// three\n//\n// - four\na();`;
  expect(wrapComments(text)).toBe(`// ${words}\n// one two three\n//\n// - four\na();`);
  expect(wrapComments(`  /** ${words} one two */\nlet a;`)).toBe(
    `  /**\n   * ${words}\n   * one two\n   */\nlet a;`,
  );
  expect(wrapComments(`// - ${words} one\n// - two`)).toBe(`// - ${words}\n//   one\n// - two`);
  const code = `a("// ${words} one two");`;
  expect(wrapComments(code)).toBe(code);
});
