// When the core has itself woken, and when it does not.

import { expect, test } from "vitest";
import { conn, coreOf, dial, effectsOf, lease, now } from "./core-steps.ts";

const REFUSED = new Error("refused");

test("a full pool is not woken at the end of a pause, as it cannot dial then either", () => {
  const core = coreOf({ maxOpenConns: 2 });
  lease(core);
  core.dialFailed(dial(core), REFUSED, true, now(1));
  expect(core.wakeAtMs).toBe(core.backoff.untilMs);
  core.configure({ maxOpenConns: 1 }, now(2));
  expect(core.wakeAtMs).toBe(Infinity);
  core.reset(now(3));
  expect(core.wakeAtMs).toBe(Infinity);
});

test("nobody is woken at the end of a pause for what minIdleConns has got meanwhile", () => {
  const core = coreOf({ maxOpenConns: 2, minIdleConns: 1 });
  const [first] = effectsOf(core);
  if (first?.kind !== "dial") throw new Error("minIdleConns are dialed");
  core.dialed(first.slot, conn, now(0));
  const slot = core.acquireIdle(core.lanes.main, now(1));
  const [second] = effectsOf(core);
  if (slot === undefined || second?.kind !== "dial") throw new Error("it is dialed anew");
  core.dialFailed(second.slot, REFUSED, true, now(2));
  expect(core.wakeAtMs).toBe(core.backoff.untilMs);
  core.release(slot, 1, "fit", now(3));
  core.tick(now(4));
  expect(core.wakeAtMs).toBe(Infinity);
});
