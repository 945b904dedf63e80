import { describe, expect, test } from "vitest";
import { labClock, pause } from "../../../packages/forebay-cli/src/lab/clock.ts";
import { takeTurns } from "../../../packages/forebay-cli/src/lab/compare.ts";
import { StealWatch } from "../../../packages/forebay-cli/src/lab/steal.ts";

const never = new AbortController().signal;
const HALF = { spareRatio: 0.5, restMs: 0 };

/** A host that takes so many of a hundred ticks in each round, and nothing in between. */
function hostTaking(...ofEachRound: number[]) {
  const ticks = { total: 0, busy: 0, steal: 0 };
  let reading = 0;
  return async () => {
    if (reading % 2 === 1) {
      ticks.total += 100;
      ticks.steal += ofEachRound[(reading - 1) / 2] ?? 0;
    }
    reading++;
    return { ...ticks };
  };
}

describe("rounds that the host spoils", () => {
  test("are taken again, the same way round, and do not count", async () => {
    const steal = new StealWatch(HALF, hostTaking(0, 30, 1, 2, 0));
    const order: string[] = [];
    let turn = 0;
    const arm = (name: string) => async (round: number) => {
      order.push(`${name}${round}`);
      return ++turn;
    };
    const given = await takeTurns({ rounds: 3, signal: never, steal, arms: [arm("A"), arm("B")] });
    expect(order).toEqual(["A0", "B0", "B1", "A1", "B1", "A1", "A2", "B2", "A2", "B2"]);
    expect(given).toEqual([
      [1, 6, 9],
      [2, 5, 10],
    ]);
    expect(steal.roundsTakenAgain).toBe(2);
    const end = { total: 500, busy: 0, steal: 33 };
    expect(steal.ratioBetween({ total: 0, busy: 0, steal: 0 }, end)).toBeCloseTo(1 / 300, 10);
  });

  test("are taken again half as many times as there are rounds, and then stand", async () => {
    const steal = new StealWatch(HALF, hostTaking(50, 50, 50, 50, 50, 50, 50, 50));
    let turns = 0;
    const given = await takeTurns({
      rounds: 4,
      signal: never,
      steal,
      arms: [async () => ++turns],
    });
    expect(turns).toBe(6);
    expect(given).toEqual([[3, 4, 5, 6]]);
    const end = { total: 600, busy: 0, steal: 300 };
    expect(steal.ratioBetween({ total: 0, busy: 0, steal: 0 }, end)).toBe(0.5);
  });

  test("come after a rest, longer each time, until the plan has none left", async () => {
    const rests: number[] = [];
    const ticks = { total: 0, busy: 0, steal: 0 };
    const taken = [50, 50, 0, 50, 50, 50, 0];
    const steal = new StealWatch(
      { spareRatio: 3, restMs: 3200 },
      async () => ({ ...ticks }),
      async (ms) => {
        rests.push(ms);
        ticks.total += ms / 10;
      },
    );
    await takeTurns({
      rounds: 2,
      signal: never,
      steal,
      arms: [
        async () => {
          ticks.total += 100;
          ticks.steal += taken.shift() ?? 0;
        },
      ],
    });
    expect(rests).toEqual([500, 1000, 500, 1000, 200]);
    expect(taken).toEqual([]);
    // Rests do not count: of 200 ticks in rounds that stand none was taken.
    expect(steal.ratioBetween({ total: 0, busy: 0, steal: 0 }, ticks)).toBe(0);
    expect(ticks.total).toBe(700 + 320);
  });

  test("end with the signal's reason when the run is aborted in a rest", async () => {
    const abort = new AbortController();
    const plan = { spareRatio: 1, restMs: 60_000 };
    const steal = new StealWatch(plan, hostTaking(90, 90, 90), (ms, signal) => {
      const paused = pause(labClock, ms, signal);
      abort.abort(new Error("enough"));
      return paused;
    });
    const arms = [async () => 0];
    const taking = takeTurns({ rounds: 2, signal: abort.signal, steal, arms });
    await expect(taking).rejects.toThrow("enough");
  });

  test("stand where the system does not tell", async () => {
    const steal = new StealWatch(HALF, async () => undefined);
    const given = await takeTurns({
      rounds: 2,
      signal: never,
      steal,
      arms: [async (round) => round],
    });
    expect(given).toEqual([[0, 1]]);
    expect(steal.ratioBetween(undefined, undefined)).toBeUndefined();
  });
});
