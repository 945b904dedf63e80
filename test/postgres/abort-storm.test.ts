import { expect, inject, test } from "vitest";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import { storm } from "./abort-storm.ts";

/** `FOREBAY_STORM_CALLS=200000 npx vitest run --project postgres abort-storm` for a long one. */
const CALLS = Number(process.env["FOREBAY_STORM_CALLS"] ?? 4000);

test(
  "in a storm of aborts everybody gets his own rows, his own reason, or a typed error",
  async () => {
    const seed = Number(process.env["FOREBAY_STORM_SEED"] ?? 1);
    const outcome = await storm(inject("postgresUrl"), CALLS, 48, seededRandom(seed));
    console.log(
      `${outcome.answered} answered, ${outcome.aborted} aborted,`,
      `other errors: ${JSON.stringify(Object.fromEntries(outcome.errors))}`,
    );
    expect(outcome.violations).toEqual([]);
    expect(outcome.aborted).toBeGreaterThan(CALLS / 20);
    expect(outcome.answered).toBeGreaterThan(CALLS / 4);
    // Who gives up while his COMMIT is under way cannot know, and is told so.
    expect([...outcome.errors.keys()].filter((code) => code !== "OUTCOME_UNKNOWN")).toEqual([]);
  },
  Math.max(60_000, CALLS * 10),
);
