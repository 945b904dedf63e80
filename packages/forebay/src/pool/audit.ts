// The invariants of the pool, by their numbers in ARCHITECTURE.md. Tests check them after every
// step; production never does.

import { BugError } from "../base/assert.ts";
import type { MonotonicMs } from "../base/clock.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { PoolCore } from "./core.ts";
import { expiresAtMs } from "./expiry.ts";
import { RETIRE_REASONS, type SlotKind } from "./state.ts";

const KINDS: readonly Exclude<SlotKind, "closed">[] = [
  "connecting",
  "idle",
  "leased",
  "checking",
  "closing",
];

/** Floating-point sums may differ by this much from what they stand for. */
const ROUNDING_MS = 1e-6;

/** Checks one core over its life. */
export class Audit<C extends PooledConn, L> {
  readonly #core: PoolCore<C, L>;
  #openBefore: number;
  #dialingBefore: number;
  #countersBefore: readonly number[] = [];

  constructor(core: PoolCore<C, L>) {
    this.#core = core;
    this.#openBefore = core.slots.open;
    this.#dialingBefore = core.slots.connecting.size;
  }

  /**
   * Throws `BugError`, naming the invariant, when the state breaks one. O(connections + waiters).
   */
  check(nowMs: MonotonicMs): void {
    this.#checkSlots();
    this.#checkWaiters();
    this.#checkLiveness(nowMs);
    this.#checkPhase();
    this.#checkCounters();
  }

  #checkSlots(): void {
    const { slots, limits, maxIdle } = this.#core;
    const seen = new Set<number>();
    for (const kind of KINDS) {
      let count = 0;
      for (const slot of slots[kind]) {
        count += 1;
        hold("I2", slot.kind === kind && !seen.has(slot.id), `slot ${slot.id} has one state`);
        hold(
          "I2",
          (slot.conn === undefined) === (kind === "connecting"),
          "a slot has its connection",
        );
        seen.add(slot.id);
      }
      hold("I3", count === slots[kind].size, `as many are ${kind} as are counted`);
    }
    hold("I3", slots.open === seen.size, "as many are open as are counted");
    const bound = Math.max(limits.maxOpenConns, this.#openBefore);
    hold("I1", slots.open <= bound, "no more are open than may be, or than were before");
    this.#openBefore = slots.open;
    const dialBound = Math.max(limits.maxDialing, this.#dialingBefore);
    hold("I11", slots.connecting.size <= dialBound, "no more are dialed at once than may be");
    this.#dialingBefore = slots.connecting.size;
    for (const slot of [...slots.idle, ...slots.leased, ...slots.checking]) {
      const isItsOwn = slot.expiresAtMs === expiresAtMs(slot, limits);
      hold("I12", isItsOwn, "a connection's age limit follows from the limits and its own jitter");
    }
    for (const slot of slots.idle) hold("I4", slot.lost === undefined, "no lost one is idle");
    hold("I4", slots.idle.size <= maxIdle, "no more are idle than may be");
  }

  #checkWaiters(): void {
    const { waiters, slots, wakeAtMs } = this.#core;
    let count = 0;
    let enqueuedAtMs = -Infinity;
    for (const waiter of waiters) {
      count += 1;
      hold("I5", waiter.kind === "queued", "whoever is settled has left the queue");
      hold("I6", waiter.enqueuedAtMs >= enqueuedAtMs, "the queue is in order of arrival");
      enqueuedAtMs = waiter.enqueuedAtMs;
      hold("I8", wakeAtMs <= waiter.deadlineAtMs + ROUNDING_MS, "the pool wakes by each deadline");
    }
    hold("I3", count === waiters.size, "as many wait as are counted");
    hold("I7", count === 0 || slots.idle.size === 0, "nobody waits while a connection is idle");
  }

  #checkLiveness(nowMs: MonotonicMs): void {
    const { slots, waiters, limits, backoff, wakeAtMs, phase } = this.#core;
    if (waiters.size === 0 || phase !== "open") return;
    const comingBack = slots.leased.size + slots.checking.size + slots.closing.size > 0;
    const full = slots.open >= limits.maxOpenConns && comingBack;
    const pausing = nowMs < backoff.untilMs && wakeAtMs <= backoff.untilMs;
    const served = slots.connecting.size > 0 || full || pausing || wakeAtMs <= nowMs;
    hold("I8", served, "somebody waits, and nothing that happens will serve them");
  }

  #checkPhase(): void {
    const { slots, waiters, phase } = this.#core;
    if (phase === "open") return;
    hold("I9", waiters.size === 0 && slots.idle.size === 0, "a pool that closes keeps nobody");
    hold("I9", (phase === "closed") === (slots.open === 0), "a pool is closed when all is gone");
  }

  #checkCounters(): void {
    const { counters, slots } = this.#core;
    const { retired, ...counts } = counters;
    const now = [...Object.values(counts), ...Object.values(retired)];
    const grown = now.every((count, at) => count >= (this.#countersBefore[at] ?? 0));
    hold("I10", grown, "counters only grow");
    this.#countersBefore = now;
    const ended = RETIRE_REASONS.reduce((sum, reason) => sum + retired[reason], 0);
    const kept = slots.idle.size + slots.leased.size + slots.checking.size;
    hold("I10", counters.dialCount === ended + kept, "what was opened is kept or was retired");
  }
}

function hold(invariant: string, condition: boolean, what: string): void {
  if (!condition) throw new BugError(`${invariant} is broken: ${what}`);
}
