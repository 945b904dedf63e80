import { expect, test } from "vitest";
import { escapes } from "./escapes.ts";
import { foundIn } from "./examples.ts";

const FILE = "test/unit/a.test.ts";

test.each([
  ["let a: any;", "`any`"],
  ["const a = b as unknown as any[];", "`any`"],
  ["a!.b();", "`!` after an expression"],
  ["let a!: string;", "`!` after a name"],
  ["class A { a!: string; }", "`!` after a name"],
  ["// @ts-ignore", "`@ts-ignore`"],
  ["/* @ts-expect-error */", "`@ts-expect-error`"],
  ["// @ts-nocheck", "`@ts-nocheck`"],
  ["export default 1;", "default export"],
  ["export default function a() {}", "default export"],
  ["export { a as default }; const a = 1;", "default export"],
])("%s is found", (text, what) => {
  expect(foundIn(escapes, FILE, text)).toEqual([`1 ${what}`]);
});

test.each([
  "if (!a) b();",
  "const any = 1;",
  'const a = "// @ts-ignore";',
  "// Anyone may say any, and mention @ts-ignore.",
  "switch (a) { default: b(); }",
  'import a from "a";',
])("%s is well", (text) => {
  expect(foundIn(escapes, FILE, text)).toEqual([]);
});

test("files that tools load by path export a default, and tests of types expect errors", () => {
  expect(foundIn(escapes, "vitest.config.ts", "export default 1;")).toEqual([]);
  expect(foundIn(escapes, "test/types/a.ts", "// @ts-expect-error")).toEqual([]);
  expect(foundIn(escapes, "test/types/a.ts", "// @ts-ignore")).toHaveLength(1);
});
