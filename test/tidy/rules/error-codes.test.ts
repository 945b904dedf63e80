import { expect, test } from "vitest";
import { errorCodes } from "./error-codes.ts";
import { found } from "./examples.ts";

const PAGE = "docs/reference/errors.md";
const ERRORS = "packages/forebay/src/base/errors.ts";
const good = {
  [ERRORS]: 'type AErrorCode = "A_B" | Extract<X, "C">;\ntype Other = "D";',
  "packages/forebay-cli/src/a.ts": 'class A { readonly code = "E"; name = "F"; }',
  [PAGE]: [
    "| code | meaning | what to do |",
    "|---|---|---|",
    "| `A_B` | x | y |",
    "| `C` | x | y |",
    "| `E` | x | y |",
  ].join("\n"),
  "test/unit/a.test.ts": 'expect(error.code).toBe("A_B"); // C, E',
};

test("codes that are in the page and in a test are well", () => {
  expect(found(errorCodes, good)).toEqual([]);
});

test("a code that is not in the page is found, where it is declared", () => {
  expect(found(errorCodes, { ...good, [PAGE]: good[PAGE].replace(/\| `C`.*\n/, "") })).toEqual([
    `${ERRORS}:1 C is not documented`,
  ]);
  expect(found(errorCodes, { ...good, [PAGE]: "" })).toHaveLength(3);
});

test("a code that no test names is found; the tests of these rules do not count", () => {
  const { "test/unit/a.test.ts": test, ...rest } = good;
  const files = { ...rest, "test/tidy/a.test.ts": test, "test/unit/b.test.ts": '"A_BC", "C", "E"' };
  expect(found(errorCodes, files)).toEqual([`${ERRORS}:1 A_B is in no test`]);
});

test("a row for a code that does not exist, and one with an empty cell, are found", () => {
  const page = good[PAGE].replace("| `E` | x | y |", "| `E` | x | |\n| `GONE` | x | y |");
  expect(found(errorCodes, { ...good, [PAGE]: page })).toEqual([
    `${PAGE}:5 the row of E is not complete`,
    `${PAGE}:6 GONE does not exist`,
  ]);
});
