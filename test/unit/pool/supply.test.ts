// Who waits for somebody to give a connection back, and who only for one that is there already, is
// being opened or may be: the former count as waits at the limit, and against maxWaiters.

import { expect, test } from "vitest";
import { conn, coreOf, dial, kindsOf, lease, now, pingable, wait } from "./core-steps.ts";

test("one that is pinged in the background will serve who comes: no wait at the limit", () => {
  const core = coreOf({ maxOpenConns: 1, maxWaiters: 0, keepaliveMs: 50 });
  const slot = lease(core, 0, pingable);
  core.release(slot, 1, "fit", now(0));
  core.tick(now(50));
  expect(kindsOf(core)).toEqual(["ping"]);
  expect(core.hasRoomToWait(core.lanes.main)).toBe(true);
  expect(wait(core, 50).atLimit).toBe(false);
  expect(core.hasRoomToWait(core.lanes.main)).toBe(false);
});

test.each(["in use", "being made fit"])(
  "after maxOpenConns was lowered to as many as are %s, dials under way are no supply",
  (how) => {
    const core = coreOf({ maxOpenConns: 4, maxDialing: 4 });
    const taken = [lease(core), lease(core)];
    const slots = [dial(core), dial(core)];
    for (const waiter of core.lanes.main.waiters) core.abort(waiter, now(1));
    if (how !== "in use") for (const slot of taken) core.release(slot, 1, "check", now(1));
    core.configure({ maxOpenConns: 2, maxWaiters: 0 }, now(2));
    expect(core.hasRoomToWait(core.lanes.main)).toBe(false);
    core.configure({ maxWaiters: 1 }, now(2));
    const late = wait(core, 2);
    for (const slot of slots) core.dialed(slot, conn, now(3));
    expect([late.kind, late.atLimit]).toEqual(["queued", true]);
    expect(core.counters.retired["open-limit"]).toBe(2);
  },
);

test("one that showed life before a suspicion is suspect, were it in the same moment", () => {
  const core = coreOf({ maxOpenConns: 3, pingAfterIdleMs: 90 });
  const [lost, fit] = [lease(core, 0, pingable), lease(core, 0, pingable)];
  core.release(fit, 1, "fit", now(10));
  core.lost(lost, "ended", now(10));
  expect([fit.kind, kindsOf(core)]).toEqual(["pinging", ["ping"]]);
});

test("one that was quiet before a suspicion is pinged, and dialed beside", () => {
  const core = coreOf({ maxOpenConns: 3, pingAfterIdleMs: 90 });
  const [lost, fit] = [lease(core, 0, pingable), lease(core, 0, pingable)];
  core.release(fit, 1, "fit", now(10));
  core.lost(lost, "ended", now(11));
  expect([fit.kind, kindsOf(core)]).toEqual(["pinging", ["ping"]]);
  wait(core, 100);
  expect(kindsOf(core)).toEqual(["dial"]);
});
