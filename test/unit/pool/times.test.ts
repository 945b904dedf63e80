// How long waits, uses and dials took, as the core notes it.

import { expect, test } from "vitest";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { PoolCore } from "../../../packages/forebay/src/pool/core.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";
import { Waiter } from "../../../packages/forebay/src/pool/state.ts";

const at = (ms: number) => ms as MonotonicMs;
const ignore = () => undefined;

test("a dial, a wait and a use take the time from their beginning to their end", () => {
  const { limits } = resolveOptions({ maxOpenConns: 1 }, "core");
  const core = new PoolCore<PooledConn, string>(limits, { next: () => 0 });
  core.enqueue(new Waiter(core.lanes.main, at(1000), Infinity, ignore, ignore), at(1000));
  const effect = core.takeEffect();
  if (effect?.kind !== "dial") throw new Error("nothing was dialed");
  core.dialed(effect.slot, { close: ignore }, at(1040));
  core.enqueue(new Waiter(core.lanes.main, at(1050), Infinity, ignore, ignore), at(1050));
  core.release(effect.slot, 1, "fit", at(1055));
  core.release(effect.slot, 2, "bad", at(1062));
  const { dialTimes, waitTimes, holdTimes } = core;
  expect([dialTimes, waitTimes, holdTimes].map((times) => times.snapshot().count)).toEqual([
    1, 2, 2,
  ]);
  expect(dialTimes.snapshot().maxMs).toBe(40);
  expect(waitTimes.snapshot().maxMs).toBe(40);
  expect(holdTimes.snapshot().maxMs).toBe(15);
  expect([waitTimes, holdTimes].map((times) => times.snapshot().sumMs)).toEqual([45, 22]);
});
