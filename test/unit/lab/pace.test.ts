import { expect, test } from "vitest";
import { Pace } from "../../../packages/forebay-cli/src/lab/pace.ts";
import { ManualClock } from "./manual-clock.ts";

test("before the pace is known, the rest takes as long as was expected", () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 100_000);
  expect(pace.at(0)).toEqual({ fraction: 0, remainingMs: 100_000 });
  clock.stall(2_000);
  expect(pace.at(1_000)).toEqual({ fraction: 0.01, remainingMs: 99_000 });
});

test("then it takes longer or shorter by as much as what is done did", () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 100_000);
  clock.stall(30_000);
  expect(pace.at(20_000)).toEqual({ fraction: 0.2, remainingMs: 120_000 });
  expect(pace.at(40_000).remainingMs).toBe(45_000);
});

test("one long stop does not make hours of minutes", () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 100_000);
  clock.stall(3_600_000);
  expect(pace.at(50_000).remainingMs).toBe(200_000);
});

test("work that was not expected neither ends the run early nor goes beyond it", () => {
  const pace = new Pace(new ManualClock(), 10_000);
  expect(pace.at(11_000)).toEqual({ fraction: 1, remainingMs: 0 });
});
