import { describe, expect, test } from "vitest";
import { findPeer } from "../../../packages/forebay-cli/src/bench/clients.ts";
import { benchPlanOf, type BenchTexts } from "../../../packages/forebay-cli/src/bench/plan.ts";

describe("the plan of a bench", () => {
  test("is by default one caller, as many as connections, and four times as many", () => {
    expect(benchPlanOf({})).toEqual({
      query: "SELECT 1",
      isDefaultQuery: true,
      maxOpenConns: 10,
      callers: [1, 10, 40],
      rates: [0.5, 0.8, 0.95].map((ratio) => ({ kind: "relative", ratio })),
      durationMs: 2000,
      peers: [],
    });
    expect(benchPlanOf({ maxOpen: "4" }).callers).toEqual([1, 4, 16]);
  });

  test("takes lists: callers in order and once each, rates a second and of the highest", () => {
    const plan = benchPlanOf({ concurrency: "16, 1,4,4", rate: "500,90%", duration: "0.5" });
    expect(plan.callers).toEqual([1, 4, 16]);
    expect(plan.rates).toEqual([
      { kind: "absolute", ratePerS: 500 },
      { kind: "relative", ratio: 0.9 },
    ]);
    expect(plan.durationMs).toBe(500);
    expect(benchPlanOf({ rate: "none" }).rates).toEqual([]);
    expect(benchPlanOf({ compare: "postgres,pg" }).peers).toEqual(["pg", "postgres"]);
  });

  const cases: (readonly [BenchTexts, string, string])[] = [
    [{ concurrency: "1,,4" }, "NUMBER_INVALID", "--concurrency"],
    [{ concurrency: "0" }, "NUMBER_INVALID", "--concurrency"],
    [{ rate: "-1" }, "NUMBER_INVALID", "--rate"],
    [{ rate: "0%" }, "NUMBER_INVALID", "--rate"],
    [{ duration: "0" }, "NUMBER_INVALID", "--duration"],
    [{ maxOpen: "2.5" }, "NUMBER_INVALID", "--max-open"],
    [{ compare: "pg,oracle" }, "USAGE", "oracle"],
    [{ query: " " }, "USAGE", "--query"],
  ];
  for (const [texts, code, words] of cases) {
    test(`is refused with ${words} of ${JSON.stringify(texts)}`, () => {
      expect(() => benchPlanOf(texts)).toThrow(expect.objectContaining({ code }));
      expect(() => benchPlanOf(texts)).toThrow(words);
    });
  }
});

test("a client that the project has not is an error that says how to install it", async () => {
  await expect(findPeer("pg", "/")).rejects.toMatchObject({
    code: "CLIENT_MISSING",
    nextStep: "Run `npm install pg` there.",
  });
});
