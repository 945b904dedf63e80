// Reading what VACUUM (VERBOSE) says.

import { expect, test } from "vitest";
import { isAtLeast } from "../../../packages/forebay-cli/src/lab/pgbouncer.ts";
import { parseVacuum } from "../../../packages/forebay-cli/src/lab/scenarios/14-vacuum.ts";

test("removed and kept rows are read from the words of PostgreSQL 15 and later", () => {
  const said =
    'finished vacuuming "postgres.s.t": index scans: 0\n' +
    "pages: 0 removed, 178 remain, 178 scanned (100.00% of total)\n" +
    "tuples: 5000 removed, 10000 remain, 4999 are dead but not yet removable\n";
  expect(parseVacuum(["vacuuming", said])).toEqual({ removed: 5000, kept: 4999 });
});

test("they are read from the words of PostgreSQL 14 and earlier", () => {
  const said =
    '"t": found 20 removable, 30 nonremovable row versions in 2 out of 2 pages\n' +
    "7 dead row versions cannot be removed yet, oldest xmin: 745";
  expect(parseVacuum([said])).toEqual({ removed: 20, kept: 7 });
});

test("words in another language are not guessed at", () => {
  expect(parseVacuum(["Tupel: 5000 entfernt"])).toBeUndefined();
});

test("versions are compared by their numbers, not by their texts", () => {
  expect(isAtLeast("1.9", 1, 21)).toBe(false);
  expect(isAtLeast("1.21", 1, 21)).toBe(true);
  expect(isAtLeast("2.0", 1, 21)).toBe(true);
});
