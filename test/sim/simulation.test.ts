import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { simulate } from "./simulate.ts";

const FRESH_SEEDS = Number(process.env["SIM_SEEDS"] ?? 3000);

/** Seeds that failed once are lived again for ever. */
function knownSeeds(): number[] {
  const text = readFileSync(new URL("seeds.txt", import.meta.url), "utf8");
  return text
    .split("\n")
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
}

async function firstViolation(seeds: Iterable<number>): Promise<string | undefined> {
  for (const seed of seeds) {
    const { violation } = await simulate(seed);
    if (violation !== undefined) {
      return `seed ${seed}: ${String(violation)}\nreplay: npm run sim -- --seed ${seed}`;
    }
  }
  return undefined;
}

describe("the pool keeps its invariants in random lives", () => {
  test("in those that found a fault before", async () => {
    expect(await firstViolation(knownSeeds())).toBeUndefined();
  });

  test(`in ${FRESH_SEEDS} fresh ones`, async () => {
    const start = Math.floor(Math.random() * 1e9);
    const seeds = Array.from({ length: FRESH_SEEDS }, (_, index) => start + index);
    expect(await firstViolation(seeds)).toBeUndefined();
  });

  test("and the same seed gives the same life", async () => {
    const [first, second] = [await simulate(7), await simulate(7)];
    expect(second.trace).toEqual(first.trace);
    expect(first.trace.length).toBeGreaterThan(10);
  });
});
