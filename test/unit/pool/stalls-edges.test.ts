// Where a stall begins: what is late for the usual reasons, and what is not.

import { expect, test } from "vitest";
import { SteadyClock } from "../../../packages/forebay/src/pool/steady-clock.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";

function late(byMs: number): { readonly nowMs: number; readonly stalls: number[] } {
  const clock = new VirtualClock();
  const stalls: number[] = [];
  const steady = new SteadyClock(clock, (stalledMs) => stalls.push(stalledMs));
  steady.expectBy(10);
  clock.stall(10 + byMs);
  return { nowMs: steady.nowMs(), stalls };
}

test("a timer that is a second late is no stall, one that is later is", () => {
  expect(late(1000)).toEqual({ nowMs: 1010, stalls: [] });
  expect(late(1001)).toEqual({ nowMs: 10, stalls: [1001] });
});
