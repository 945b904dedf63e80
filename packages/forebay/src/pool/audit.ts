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
  "pinging",
  "closing",
];

/** Floating-point sums may differ by this much from what they stand for. */
const ROUNDING_MS = 1e-6;

/** Checks one core over its life. */
export class Audit<C extends PooledConn, L> {
  readonly #core: PoolCore<C, L>;
  #openBefore: number;
  #dialingBefore: number;
  #spareBefore: number;
  #countersBefore: readonly number[] = [];
  readonly #inUseBefore = new Map<string, number>();
  #claimedBefore: number;
  #reservedBefore: number;
  #suspendedAtCount: number | undefined;

  constructor(core: PoolCore<C, L>) {
    this.#core = core;
    this.#openBefore = core.slots.open;
    this.#dialingBefore = core.slots.connecting.size;
    this.#spareBefore = core.slots.idle.size + core.slots.pinging.size;
    this.#claimedBefore = claimed(core);
    this.#reservedBefore = core.lanes.reservedBeside("");
  }

  /**
   * Throws `BugError`, naming the invariant, when the state breaks one. O(connections + waiters).
   */
  check(nowMs: MonotonicMs): void {
    this.#checkSlots();
    this.#checkWaiters(nowMs);
    this.#checkShares();
    this.#checkLiveness(nowMs);
    this.#checkWaking();
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
    const { idle, pinging } = slots;
    for (const slot of [...idle, ...slots.leased, ...slots.checking, ...pinging]) {
      const isItsOwn = slot.expiresAtMs === expiresAtMs(slot, limits);
      hold("I12", isItsOwn, "a connection's age limit follows from the limits and its own jitter");
    }
    let idleSinceMs = -Infinity;
    for (const slot of idle) {
      hold("I4", slot.lost === undefined, "no lost one is idle");
      hold("I4", slot.epoch === this.#core.epoch, "none from before a reset is idle");
      hold("I4", slot.idleSinceMs >= idleSinceMs, "the one idle longest is first");
      idleSinceMs = slot.idleSinceMs;
    }
    const spare = idle.size + pinging.size;
    const spareBound = Math.max(maxIdle, this.#spareBefore);
    hold("I4", spare <= spareBound, "no more are idle than may be, or than were before");
    this.#spareBefore = spare;
  }

  #checkWaiters(nowMs: MonotonicMs): void {
    const { lanes, slots, wakeAtMs, pingSupply } = this.#core;
    let count = 0;
    for (const lane of lanes.all) {
      let inLane = 0;
      let arrival = 0;
      for (const waiter of lane.waiters) {
        inLane += 1;
        hold("I5", waiter.kind === "queued", "whoever is settled has left the queue");
        hold("I6", waiter.lane === lane && waiter.arrival > arrival, "a queue is in order");
        arrival = waiter.arrival;
        const wakes = wakeAtMs <= waiter.deadlineAtMs + ROUNDING_MS;
        hold("I8", wakes, "the pool wakes by each deadline");
      }
      hold("I3", inLane === lane.waiters.size, "as many wait in a queue as are counted");
      count += inLane;
    }
    hold("I3", count === lanes.size, "as many wait as are counted");
    const isIdleNeeded = slots.idle.size > 0 && lanes.demand > pingSupply;
    hold("I7", !isIdleNeeded, "nobody waits while a connection is idle that he may have");
    const hasReady = [...slots.idle].some((slot) => !this.#core.needsPing(slot, nowMs));
    const isReadyNeeded = hasReady && lanes.demand > 0;
    hold("I7", !isReadyNeeded, "nobody waits while one is idle that need not be pinged first");
  }

  #checkShares(): void {
    const core = this.#core;
    const { lanes, slots, limits, isSuspended } = core;
    for (const lane of lanes.all) {
      const inUse = [...slots.leased].filter((slot) => slot.lane === lane).length;
      hold("I3", inUse === lane.inUse, "as many are in use by a bulkhead as are counted");
      const bound = Math.max(lane.limits.maxInUse, this.#inUseBefore.get(lane.name) ?? 0);
      hold("I13", inUse <= bound, "no bulkhead uses more than it may");
      this.#inUseBefore.set(lane.name, inUse);
    }
    const reserved = lanes.reservedBeside("");
    const isAsBefore = reserved === this.#reservedBefore;
    const bound = Math.max(limits.maxOpenConns, this.#claimedBefore);
    hold("I13", !isAsBefore || claimed(core) <= bound, "what is reserved is left to its bulkhead");
    this.#reservedBefore = reserved;
    this.#claimedBefore = claimed(core);
    const { acquireCount } = core.totals();
    const wasSuspended = this.#suspendedAtCount !== undefined && isSuspended;
    hold("I14", !wasSuspended || this.#suspendedAtCount === acquireCount, "suspended, none is had");
    this.#suspendedAtCount = isSuspended ? acquireCount : undefined;
  }

  #checkLiveness(nowMs: MonotonicMs): void {
    const { slots, lanes, limits, backoff, wakeAtMs, phase, isSuspended } = this.#core;
    if (lanes.size === 0 || phase !== "open" || isSuspended) return;
    const { leased, checking, closing, connecting, pinging } = slots;
    const comingBack = leased.size + checking.size + closing.size > 0;
    if (lanes.demand === 0) {
      hold(
        "I8",
        leased.size > 0,
        "who waits for his bulkhead's share waits for somebody who has it",
      );
      return;
    }
    const full = slots.open >= limits.maxOpenConns && comingBack;
    const pausing = nowMs < backoff.untilMs && wakeAtMs <= backoff.untilMs;
    const underway = connecting.size + pinging.size > 0;
    const served = underway || full || pausing || wakeAtMs <= nowMs;
    hold("I8", served, "somebody waits, and nothing that happens will serve them");
  }

  #checkWaking(): void {
    const core = this.#core;
    if (core.phase !== "open") return;
    const wakesBy = (atMs: number) => core.wakeAtMs <= atMs + ROUNDING_MS;
    for (const slot of core.slots.idle) {
      hold("I15", wakesBy(slot.expiresAtMs), "the pool wakes when an idle one is too old");
    }
    hold("I15", wakesBy(core.idleDueAtMs), "the pool wakes when one was idle or quiet too long");
  }

  #checkPhase(): void {
    const { slots, lanes, phase } = this.#core;
    if (phase === "open") return;
    const keeps = lanes.size + slots.idle.size + slots.pinging.size;
    hold("I9", keeps === 0, "a pool that closes keeps nobody");
    hold("I9", (phase === "closed") === (slots.open === 0), "a pool is closed when all is gone");
  }

  #checkCounters(): void {
    const { counters, slots } = this.#core;
    const { retired, dialCount, dialErrorCount, pingCount } = counters;
    const acquires = Object.values(this.#core.totals()).map(Number);
    const conns = [dialCount, dialErrorCount, pingCount, ...Object.values(retired)];
    const now = [...acquires, ...conns];
    const grown = now.every((count, at) => count >= (this.#countersBefore[at] ?? 0));
    hold("I10", grown, "counters only grow");
    this.#countersBefore = now;
    const ended = RETIRE_REASONS.reduce((sum, reason) => sum + retired[reason], 0);
    const { idle, leased, checking, pinging } = slots;
    const kept = idle.size + leased.size + checking.size + pinging.size;
    hold("I10", counters.dialCount === ended + kept, "what was opened is kept or was retired");
  }
}

function hold(invariant: string, condition: boolean, what: string): void {
  if (!condition) throw new BugError(`${invariant} is broken: ${what}`);
}

/** What is in use, and what is kept free for those who have reserved it. */
function claimed({ lanes }: PoolCore<PooledConn, unknown>): number {
  return lanes.all.reduce((sum, { inUse, limits }) => sum + Math.max(inUse, limits.reserved), 0);
}
