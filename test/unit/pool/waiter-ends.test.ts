// How an acquire that waited has ended, as its record says.

import { expect, test } from "vitest";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import type { SheddingOptions } from "../../../packages/forebay/src/pool/codel.ts";
import { PoolCore } from "../../../packages/forebay/src/pool/core.ts";
import type { Effect } from "../../../packages/forebay/src/pool/effects.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";
import { type Slot, Waiter } from "../../../packages/forebay/src/pool/state.ts";

type Core = PoolCore<PooledConn, string>;

const at = (ms: number) => ms as MonotonicMs;
const ignore = () => undefined;

function coreOf(shedding?: SheddingOptions): Core {
  const { limits } = resolveOptions({ maxOpenConns: 1 }, "core");
  return new PoolCore(limits, { next: () => 0 }, shedding);
}

function wait(core: Core, nowMs: number, deadlineAtMs = Infinity): Waiter<string> {
  const waiter = new Waiter(core.lanes.main, at(nowMs), deadlineAtMs, ignore, ignore);
  core.enqueue(waiter, at(nowMs));
  return waiter;
}

function effectsOf(core: Core): Effect<PooledConn, string>[] {
  const effects: Effect<PooledConn, string>[] = [];
  while (core.hasEffects) {
    const effect = core.takeEffect();
    if (effect !== undefined) effects.push(effect);
  }
  return effects;
}

/** Takes the slot that was dialed for who waits. */
function dialedIn(core: Core): Slot<PooledConn> {
  for (const effect of effectsOf(core)) if (effect.kind === "dial") return effect.slot;
  throw new Error("nothing was dialed");
}

test("a waiter is granted, aborted, timed out, or rejected", () => {
  const core = coreOf();
  const first = wait(core, 0);
  const slot = dialedIn(core);
  core.dialed(slot, { close: ignore }, at(0));
  const [second, third, fourth] = [wait(core, 0), wait(core, 0, 10), wait(core, 0)];
  core.abort(second, at(5));
  core.tick(at(10));
  core.drain(at(11));
  const kinds = [first, second, third, fourth].map(({ kind }) => kind);
  expect(kinds).toEqual(["granted", "aborted", "timed-out", "rejected"]);
});

test("under overload, one that waited for too long is shed, and told so", () => {
  const core = coreOf({ targetMs: 5, intervalMs: 50 });
  const first = wait(core, 1000);
  const slot = dialedIn(core);
  core.dialed(slot, { close: ignore }, at(1000));
  const [slow, patient, late, last] = [
    wait(core, 1000),
    wait(core, 1000),
    wait(core, 1100),
    wait(core, 1100),
  ];
  core.release(slot, 1, "fit", at(1055));
  core.release(slot, 2, "fit", at(1108));
  const kinds = [first, slow, patient, late, last].map(({ kind }) => kind);
  expect(kinds).toEqual(["granted", "granted", "shed", "granted", "queued"]);
  expect(core.totals().shedCount).toBe(1);
  const rejects = effectsOf(core).filter(({ kind }) => kind === "reject");
  expect(rejects).toMatchObject([{ why: "shed", waiter: patient }]);
});
