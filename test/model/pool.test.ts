import { test } from "vitest";
import { assertCoreMatchesModel } from "./pool-property.ts";

test("the core does what the naive model does, and keeps its invariants, after every event", () => {
  assertCoreMatchesModel(Number(process.env["MODEL_RUNS"] ?? 3000));
});
