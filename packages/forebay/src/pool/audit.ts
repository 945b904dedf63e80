// The invariants of the pool, I1 to I9 of ARCHITECTURE.md, as far as they can be seen in its state. Tests call this
// after every step; production does not.

import { BugError } from "../base/assert.ts";
import type { MonotonicMs } from "../base/clock.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { PoolCore } from "./core.ts";
import { RETIRE_REASONS, type SlotKind } from "./state.ts";

/** Throws `BugError`, naming the invariant, when the core's state breaks one. O(connections + waiters). */
export function audit<C extends PooledConn, L>(core: PoolCore<C, L>, nowMs: MonotonicMs): void {
  const { slots, waiters, limits } = core;
  const kinds: readonly Exclude<SlotKind, "closed">[] = [
    "connecting",
    "idle",
    "leased",
    "checking",
    "closing",
  ];
  const seen = new Set<number>();
  for (const kind of kinds) {
    let count = 0;
    for (const slot of slots[kind]) {
      count += 1;
      hold("I2", slot.kind === kind && !seen.has(slot.id), `slot ${slot.id} is in one state only`);
      hold("I2", (slot.conn === undefined) === (kind === "connecting"), "a slot has what it says");
      seen.add(slot.id);
    }
    hold("I3", count === slots[kind].size, `the count of ${kind} slots is their number`);
  }
  hold("I3", slots.open === seen.size, "the open slots are those in the lists");

  for (const slot of slots.idle) hold("I4", slot.lost === undefined, "no lost connection is idle");
  hold("I4", slots.idle.size <= core.maxIdle, "no more are idle than may be");

  let waiting = 0;
  let enqueuedAtMs = -Infinity;
  for (const waiter of waiters) {
    waiting += 1;
    hold("I5", waiter.kind === "queued", "who is in the queue is queued");
    hold("I6", waiter.enqueuedAtMs >= enqueuedAtMs, "the queue is in order of arrival");
    enqueuedAtMs = waiter.enqueuedAtMs;
    hold("I8", core.wakeAtMs <= waiter.deadlineAtMs, "the pool wakes by every deadline");
  }
  hold("I3", waiting === waiters.size, "the count of waiters is their number");
  hold("I7", waiting === 0 || slots.idle.size === 0, "nobody waits while a connection is idle");
  hold("I8", noneStranded(core, nowMs), "somebody waits, and nothing will serve them");

  if (core.phase !== "open") {
    hold("I9", waiting === 0 && slots.idle.size === 0, "a closed pool keeps nobody and nothing");
  }
  hold("I9", core.phase !== "closed" || slots.open === 0, "a pool is closed when all is gone");
  const retired = RETIRE_REASONS.reduce((sum, reason) => sum + core.counters.retired[reason], 0);
  const held = slots.idle.size + slots.leased.size + slots.checking.size;
  hold("I3", core.counters.dialCount === retired + held, "every connection is held or was retired");
  hold("I1", limits.maxOpenConns > 0, "the limit is at least one");
}

/** Whoever waits is served by a dial, or after a pause by one, or by something that comes back, or is closed. */
function noneStranded<C extends PooledConn, L>(core: PoolCore<C, L>, nowMs: MonotonicMs): boolean {
  const { slots, waiters, limits, backoff } = core;
  if (waiters.size === 0 || core.phase !== "open") return true;
  if (slots.open >= limits.maxOpenConns) {
    return slots.leased.size + slots.checking.size + slots.closing.size + slots.connecting.size > 0;
  }
  const pausing = nowMs < backoff.untilMs && core.wakeAtMs <= backoff.untilMs;
  return slots.connecting.size > 0 || pausing || core.wakeAtMs <= nowMs;
}

function hold(invariant: string, condition: boolean, what: string): void {
  if (!condition) throw new BugError(`${invariant} is broken: ${what}`);
}
