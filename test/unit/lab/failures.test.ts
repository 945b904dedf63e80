import { expect, test } from "vitest";
import {
  countFailure,
  failureMeasures,
  failuresOf,
} from "../../../packages/forebay-cli/src/lab/failures.ts";

test("the failures of turns add up by kind", () => {
  const first: Record<string, number> = {};
  for (const kind of ["23505", "ETIMEDOUT", "23505"]) countFailure(first, kind);
  const turns = [{ failures: first }, { failures: {} }, { failures: { "23505": 3 } }];
  expect(failuresOf(turns)).toEqual({ "23505": 5, ETIMEDOUT: 1 });
  expect(failureMeasures(turns)).toEqual({ "failed 23505": 5, "failed ETIMEDOUT": 1 });
});
