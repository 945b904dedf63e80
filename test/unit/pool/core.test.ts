// The core by itself: it refuses what only a bug of the shell could ask, and its effects are in
// order.

import { expect, test } from "vitest";
import { BugError } from "../../../packages/forebay/src/base/assert.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import type { Slot } from "../../../packages/forebay/src/pool/state.ts";
import {
  type Core,
  conn,
  coreOf,
  dial,
  effectsOf,
  kindsOf,
  lease,
  now,
  waiter,
} from "./core-steps.ts";

/** A core of one connection, and that is leased. */
function leased(options: PoolOptions = {}): { core: Core; slot: Slot<PooledConn> } {
  const core = coreOf({ maxOpenConns: 1, ...options });
  return { core, slot: lease(core) };
}

test("a start without minIdleConns does nothing; with it, it dials", () => {
  expect(coreOf().hasEffects).toBe(false);
  const core = coreOf({ minIdleConns: 2 });
  expect(core.hasEffects).toBe(true);
  expect(kindsOf(core)).toEqual(["dial", "dial"]);
  expect(core.hasEffects).toBe(false);
});

test("a dial that ends is a grant, and a release to who waits is another", () => {
  const core = coreOf({ maxOpenConns: 1 });
  const slot = dial(core);
  core.dialed(slot, conn, now(5));
  expect(kindsOf(core)).toEqual(["grant"]);
  const next = waiter(core, 6);
  core.enqueue(next, now(6));
  expect(kindsOf(core)).toEqual([]);
  core.release(slot, 1, "fit", now(7));
  expect([next.kind, slot.generation, slot.leasedAtMs]).toEqual(["granted", 2, 7]);
  expect(kindsOf(core)).toEqual(["grant"]);
});

test("an early tick does no harm", () => {
  const { core } = leased();
  const patient = waiter(core, 0, 100);
  core.enqueue(patient, now(0));
  core.tick(now(50));
  expect([patient.kind, core.wakeAtMs]).toEqual(["queued", 100]);
  core.tick(now(100));
  expect([patient.kind, core.wakeAtMs]).toEqual(["timed-out", Infinity]);
  expect(kindsOf(core)).toEqual(["reject"]);
});

test("an abort of a settled waiter has no effect", () => {
  const { core, slot } = leased();
  const late = waiter(core);
  core.enqueue(late, now(0));
  core.release(slot, 1, "fit", now(1));
  expect(core.abort(late, now(2))).toBe(false);
  expect(core.totals().abortCount).toBe(0);
  const early = waiter(core);
  core.enqueue(early, now(2));
  expect(core.abort(early, now(3))).toBe(true);
  expect(core.abort(early, now(3))).toBe(false);
  expect(core.totals().abortCount).toBe(1);
});

test("a release of a slot that was closed by force has no effect", () => {
  const { core, slot } = leased();
  core.drain(now(1));
  core.closeByForce();
  expect(kindsOf(core)).toEqual(["close"]);
  core.release(slot, 1, "fit", now(2));
  expect([slot.kind, core.hasEffects]).toEqual(["closing", false]);
  core.closed(slot, now(3));
  expect(kindsOf(core)).toEqual(["drained"]);
  core.release(slot, 1, "discarded", now(4));
  expect([slot.kind, core.phase]).toEqual(["closed", "closed"]);
});

test("a check that ends after the slot was closed by force has no effect", () => {
  const { core, slot } = leased();
  core.release(slot, 1, "check", now(1));
  core.drain(now(2));
  core.closeByForce();
  effectsOf(core);
  core.checked(slot, "fit", now(3));
  core.checked(slot, "reset-failed", now(3));
  expect([slot.kind, core.hasEffects]).toEqual(["closing", false]);
});

test("what only a bug of the shell could ask is refused", () => {
  const { core, slot } = leased();
  expect(() => core.release(slot, 2, "fit", now(1))).toThrow(BugError);
  expect(() => core.dialed(slot, conn, now(1))).toThrow("a dial ends once");
  expect(() => core.dialFailed(slot, new Error("no"), true, now(1))).toThrow("a dial ends once");
  expect(() => core.closed(slot, now(1))).toThrow("a connection is gone once");
  expect(() => core.closeByForce()).toThrow("force comes after draining");
  core.release(slot, 1, "fit", now(1));
  core.drain(now(2));
  expect(() => core.drain(now(2))).toThrow("a pool is closed once");
  expect(() => core.acquireIdle(core.lanes.main, now(2))).toThrow("acquire on an open pool");
  expect(() => core.enqueue(waiter(core), now(2))).toThrow("enqueue on an open pool");
});

test("a waiter beyond maxWaiters is refused, should the shell not have asked", () => {
  const { core } = leased({ maxWaiters: 1 });
  core.enqueue(waiter(core), now(0));
  expect(core.hasRoomToWait(core.lanes.main)).toBe(false);
  expect(() => core.enqueue(waiter(core), now(0))).toThrow("the queue has room");
});

test("while draining, a failed dial is neither counted nor paused for", () => {
  const core = coreOf();
  const slot = dial(core);
  core.drain(now(1));
  expect(kindsOf(core)).toEqual(["reject", "abort-dial"]);
  core.dialFailed(slot, new Error("aborted"), true, now(2));
  expect(kindsOf(core)).toEqual(["drained"]);
  expect(core.counters.dialErrorCount).toBe(0);
  expect(core.backoff.isFailing).toBe(false);
});
