import { describe, expect, test, vi } from "vitest";
import { PoolCore } from "../../packages/forebay/src/pool/core.ts";
import { explore } from "./explore.ts";
import { settings } from "./settings.ts";

/** Events in a life; `npm run explore` goes further. */
const DEPTH = Number(process.env["EXPLORE_DEPTH"] ?? 7);

describe("in every life of a few events a small pool keeps its rules, and comes to rest", () => {
  test.each(settings)("$name", (setting) => {
    const { counterexample, states } = explore(setting, { depth: DEPTH, statesMax: Infinity });
    expect(counterexample).toBeUndefined();
    expect(states).toBeGreaterThan(100);
  });
});

describe("a pool that is broken is found out, by a shortest life", () => {
  const [plain] = settings;
  const lifeOf = () => {
    if (plain === undefined) throw new Error("there is a setting");
    return explore(plain, { depth: 5, statesMax: Infinity }).counterexample?.life;
  };

  test("where a step goes wrong at once", () => {
    vi.spyOn(PoolCore.prototype, "abort").mockReturnValue(false);
    expect(lifeOf()).toEqual(["caller 1 acquires", "caller 1 gives up"]);
  });

  test("where a place that comes free is given to nobody", () => {
    vi.spyOn(PoolCore.prototype, "closed").mockImplementation((slot) => {
      slot.list?.remove(slot);
    });
    expect(lifeOf()?.slice(-1)).toEqual(["then connection 1 is gone"]);
  });
});
