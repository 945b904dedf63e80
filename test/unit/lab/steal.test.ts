import { describe, expect, test } from "vitest";
import { takeTurns } from "../../../packages/forebay-cli/src/lab/compare.ts";
import { StealWatch } from "../../../packages/forebay-cli/src/lab/steal.ts";

const never = new AbortController().signal;

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
    const steal = new StealWatch(hostTaking(0, 30, 1, 2, 0));
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
    const steal = new StealWatch(hostTaking(50, 50, 50, 50, 50, 50, 50, 50));
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

  test("stand where the system does not tell", async () => {
    const steal = new StealWatch(async () => undefined);
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
