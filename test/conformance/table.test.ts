import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { PAGE_PATH, pageOf, testsIn, testsOnDisk } from "./page.ts";
import { GROUPS } from "./rows.ts";

const rows = GROUPS.flatMap((group) => group.rows);

function repeated(names: readonly string[]): string[] {
  return names.filter((name, at) => names.indexOf(name) !== at);
}

test("every row has a test, and every test a row", () => {
  const wanted = rows.flatMap((row) => ("test" in row ? [row.test] : []));
  const found = testsOnDisk().map(({ name }) => name);
  expect(wanted.filter((name) => !found.includes(name))).toEqual([]);
  expect(found.filter((name) => !wanted.includes(name))).toEqual([]);
});

test("the name of a row's test begins with the row's id", () => {
  const wrong = rows.filter((row) => "test" in row && !row.test.startsWith(`${row.id}: `));
  expect(wrong).toEqual([]);
});

test("no two rows have the same id, and no two tests the same name", () => {
  expect(repeated(rows.map(({ id }) => id))).toEqual([]);
  expect(repeated(testsOnDisk().map(({ name }) => name))).toEqual([]);
});

test("a row without a test says why, and so does one that differs", () => {
  for (const row of rows) {
    const why = "test" in row ? (row.differs ?? "as Go") : "open" in row ? row.open : row.reason;
    expect(why.trim()).not.toBe("");
  }
});

test("the page is what `npm run conformance` writes when all tests pass", () => {
  const page = readFileSync(path.join(import.meta.dirname, "../..", PAGE_PATH), "utf8");
  expect(page).toBe(pageOf(testsOnDisk(), () => "passed"));
});

test("a test that is skipped or left to do counts for none", () => {
  for (const mark of ["skip", "todo", "only", "skipIf(true)"]) {
    expect(() => testsIn("a.test.ts", `test.${mark}("P1: a", () => {})`)).toThrow("a.test.ts");
  }
  expect(() => testsIn("a.test.ts", "test(`${id}: a`, () => {})")).toThrow("written out");
  const found = [
    {
      name: "P1: a",
      file: "a.test.ts",
    },
  ];
  expect(testsIn("a.test.ts", 'test("P1: a", () => {})')).toEqual(found);
});
