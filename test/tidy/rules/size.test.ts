import { expect, test } from "vitest";
import { foundIn } from "./examples.ts";
import { size } from "./size.ts";

const FILE = "packages/forebay/src/pool/a.ts";

/** A function of so many lines. */
function functionOf(lines: number): string {
  return ["function a() {", ...Array.from({ length: lines - 2 }, () => "  b();"), "}"].join("\n");
}

test("a file may have 500 lines, not 501", () => {
  expect(foundIn(size, FILE, "a();\n".repeat(500))).toEqual([]);
  expect(foundIn(size, FILE, "a();\n".repeat(501))).toEqual([
    "1 the file has 501 lines, at most 500 are allowed",
  ]);
});

test("a function may have 70 lines, not 71, of whatever kind it is", () => {
  expect(foundIn(size, FILE, functionOf(70))).toEqual([]);
  const what = "1 the function has 71 lines, at most 70 are allowed";
  expect(foundIn(size, FILE, functionOf(71))).toEqual([what]);
  expect(foundIn(size, FILE, functionOf(71).replace("function a()", "const a = () =>"))).toEqual([
    what,
  ]);
  const method = `class A {\n${functionOf(71).replace("function a()", "a()")}\n}`;
  expect(foundIn(size, FILE, method)).toEqual([what.replace("1", "2")]);
});

test("tests held together by describe are no function, each test is one", () => {
  const group = functionOf(71).replace("function a()", 'describe("a", () =>');
  expect(foundIn(size, "test/unit/a.test.ts", `${group});`)).toEqual([]);
  expect(
    foundIn(size, "test/unit/a.test.ts", `${group.replace("describe", "test")});`),
  ).toHaveLength(1);
});

test("a line may have 100 columns, not 101, unless it is an address", () => {
  expect(foundIn(size, FILE, `// ${"a".repeat(97)}`)).toEqual([]);
  expect(foundIn(size, FILE, `a();\n// ${"a".repeat(98)}`)).toEqual([
    "2 the line has 101 columns, at most 100 are allowed",
  ]);
  expect(foundIn(size, FILE, `// https://example.org/${"a".repeat(100)}`)).toEqual([]);
  expect(foundIn(size, FILE, `// ${"é".repeat(97)}`)).toEqual([]);
});
