// The pool's decisions, and the only writer of its state. Synchronous: between two calls every
// invariant in audit.ts holds. Events arrive as method calls; what is to be done leaves as effects.

import { assert } from "../base/assert.ts";
import type { MonotonicMs } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { PooledConn } from "../driver/driver.ts";
import { DialBackoff } from "./backoff.ts";
import { Codel, type SheddingOptions } from "./codel.ts";
import type { RejectReason } from "./effects.ts";
import { expiresAtMs, idleDueAtMs } from "./expiry.ts";
import { PoolFacts } from "./facts.ts";
import type { BulkheadLimits, Lane } from "./lanes.ts";
import type { PoolLimits } from "./options.ts";
import { type RetireReason, type ReturnCondition, Slot, type Waiter } from "./state.ts";

/**
 * The pool's state machine. `L` is what the shell hands to a waiter; the core never looks at it.
 */
export class PoolCore<C extends PooledConn, L> extends PoolFacts<C, L> {
  readonly #random: Random;
  readonly #codel: Codel | undefined;
  readonly #isGuarded: boolean;
  #slotIdLast = 0;

  /** `isGuarded`: whether a connection that was leased may yet be refused, as of no use. */
  constructor(limits: PoolLimits, random: Random, shedding?: SheddingOptions, isGuarded = false) {
    super(limits, new DialBackoff(random));
    this.#random = random;
    this.#isGuarded = isGuarded;
    this.#codel = shedding && new Codel(shedding);
  }

  // ---- Events from callers ----

  /** Start-up: fills to minIdleConns. */
  start(nowMs: MonotonicMs): void {
    this.#dialAsNeeded(nowMs);
  }

  /**
   * Leases an idle connection at once; `undefined` where there is none, or none that this queue may
   * have, or it must be pinged first. Overtakes nobody: while somebody waits who may have one, none
   * is idle that need not be pinged (I7). The pool must be open.
   */
  acquireIdle(lane: Lane<L>, nowMs: MonotonicMs): Slot<C> | undefined {
    assert(this.phase === "open", "core: acquire on an open pool");
    if (!this.lanes.admits(lane)) return undefined;
    const slot = this.#readyIdle(nowMs);
    if (slot === undefined) return undefined;
    this.#codel?.isDue(0, nowMs);
    this.#lease(slot, lane, nowMs);
    if (this.isWanting) this.#dialAsNeeded(nowMs);
    return slot;
  }

  /**
   * The guard has let a leased connection through: it is of use, and dialing may go on without a
   * pause.
   */
  admitted(slot: Slot<C>, nowMs: MonotonicMs): void {
    this.backoff.noteUse(slot.openedAtMs);
    this.#dialAsNeeded(nowMs);
  }

  /** Counts an acquire that is turned away because there is no room. */
  refuse(lane: Lane<L>): void {
    assert(!this.hasRoomToWait(lane), "core: who may queue is not refused");
    lane.counters.queueFullCount += 1;
  }

  /** Queues an acquire that `acquireIdle` could not serve. There must be room. */
  enqueue(waiter: Waiter<L>, nowMs: MonotonicMs): void {
    assert(this.phase === "open", "core: enqueue on an open pool");
    assert(this.hasRoomToWait(waiter.lane), "core: the queue has room");
    const { lanes, slots } = this;
    const isWanted = lanes.enqueue(waiter);
    const isFull = slots.leased.size >= this.limits.maxOpenConns;
    waiter.atLimit = isFull || !isWanted || lanes.demand > this.supply;
    if (waiter.atLimit) waiter.lane.counters.waitCount += 1;
    this.wakeBy(waiter.deadlineAtMs);
    this.#follow(nowMs);
  }

  /** The waiter's signal was aborted. False, and no effect, when the waiter was settled already. */
  abort(waiter: Waiter<L>, nowMs: MonotonicMs): boolean {
    if (waiter.kind !== "queued") return false;
    this.lanes.remove(waiter);
    waiter.kind = "aborted";
    waiter.lane.counters.abortCount += 1;
    this.#endWait(waiter, nowMs);
    return true;
  }

  /**
   * A leased connection comes back. No effect when the pool took it back by force meanwhile.
   * `generation` is the lease's; a wrong one is a bug of the shell.
   */
  release(slot: Slot<C>, generation: number, condition: ReturnCondition, nowMs: MonotonicMs): void {
    assert(slot.generation === generation, "core: a lease ends before the slot's next grant");
    if (slot.kind !== "leased") return;
    this.#endUse(slot);
    this.holdTimes.record(nowMs - slot.leasedAtMs);
    if (condition === "check") this.slots.move(slot, "checking");
    else if (condition !== "fit") this.#takeBack(slot, condition, nowMs);
    else {
      this.#offer(slot, nowMs);
      // By a return one more at most may be served, and he has been.
      if (slot.lane !== undefined) return;
    }
    this.#follow(nowMs);
  }

  // ---- Events from the driver ----

  /**
   * A dial has given a connection. Whoever has been waiting longest gets it, whoever caused the
   * dial.
   */
  dialed(slot: Slot<C>, conn: C, nowMs: MonotonicMs): void {
    assert(slot.kind === "connecting", "core: a dial ends once");
    slot.conn = conn;
    slot.openedAtMs = nowMs;
    slot.expiresAtMs = expiresAtMs(slot, this.limits);
    this.counters.dialCount += 1;
    this.dialTimes.record(nowMs - slot.dialedAtMs);
    // A server that accepts a connection only to end it is no better than one that refuses.
    if (slot.lost !== undefined) this.#noteDialFailure(slot, slot.lost.reason, nowMs);
    this.#offer(slot, nowMs);
    this.#dialAsNeeded(nowMs);
  }

  /**
   * A dial has failed. Where a later one may succeed, those who wait go on waiting, and dialing
   * goes on after a pause. Where not, they are told, unless a connection that is in use or being
   * opened can yet serve them.
   */
  dialFailed(slot: Slot<C>, error: unknown, mayRetry: boolean, nowMs: MonotonicMs): void {
    assert(slot.kind === "connecting", "core: a dial ends once");
    this.slots.move(slot, "closed");
    if (this.phase === "open") this.#noteDialFailure(slot, error, nowMs);
    const mayYetServe = this.slots.open > this.slots.closing.size;
    if (!mayRetry && !mayYetServe) this.#rejectAll("connect-failed", error, nowMs);
    this.#dialAsNeeded(nowMs);
    this.#finishDraining();
  }

  /** The session of a returned connection has been made fit; or why it must be closed instead. */
  checked(slot: Slot<C>, outcome: "fit" | "reset-failed" | "refused", nowMs: MonotonicMs): void {
    // It may have been closed by force while it was being checked.
    if (slot.kind !== "checking") return;
    if (outcome === "fit") this.#offer(slot, nowMs);
    else this.#retire(slot, slot.lost === undefined ? outcome : "lost");
    this.#follow(nowMs);
  }

  /** A connection has answered a ping, or not; if not, the others are under suspicion. */
  pinged(slot: Slot<C>, isAlive: boolean, nowMs: MonotonicMs): void {
    // It may have been lost or closed meanwhile.
    if (slot.kind !== "pinging") return;
    if (isAlive) this.#offer(slot, nowMs);
    else {
      this.#retire(slot, "ping-failed");
      this.suspect(nowMs);
    }
    this.wakeBy(this.idleDueAtMs);
    this.#follow(nowMs);
  }

  /** The connection was lost, at any time. One in use shows that others may be dead too. */
  lost(slot: Slot<C>, reason: unknown, nowMs: MonotonicMs): void {
    slot.lost = { reason };
    if (slot.kind === "leased") this.suspect(nowMs);
    if (slot.kind === "idle" || slot.kind === "pinging") {
      // Lost before its first use, it is one more sign of a server that only seems to accept.
      if (slot.generation === 0) this.#noteDialFailure(slot, reason, nowMs);
      this.#retire(slot, "lost");
      // While one is pinged, no other is due to be.
      this.wakeBy(this.idleDueAtMs);
    }
    this.#follow(nowMs);
  }

  /** The connection is gone, and its place is free. */
  closed(slot: Slot<C>, nowMs: MonotonicMs): void {
    assert(slot.kind === "closing", "core: a connection is gone once");
    this.slots.move(slot, "closed");
    slot.conn = undefined;
    this.#dialAsNeeded(nowMs);
    this.#finishDraining();
  }

  // ---- Events from the clock and the operator ----

  /**
   * Does what is due: gives up waiters, retires and pings idle connections, dials after a pause.
   * Early calls do no harm.
   */
  tick(nowMs: MonotonicMs): void {
    for (const waiter of this.lanes.takeExpired(nowMs)) {
      waiter.lane.counters.timeoutCount += 1;
      this.#reject(waiter, "timed-out", undefined, nowMs);
    }
    for (const slot of this.slots.idle) {
      const reason = this.reasonDueIdle(slot, nowMs);
      if (reason !== undefined) this.#retire(slot, reason);
    }
    const quietest = this.quietestIdle();
    if (quietest !== undefined && nowMs >= this.keepaliveDueAtMs(quietest)) this.#ping(quietest);
    this.wakeAtMs = Infinity;
    this.wakeBy(this.lanes.nextDeadlineAtMs(nowMs));
    for (const slot of this.slots.idle) this.wakeBy(slot.expiresAtMs);
    this.wakeBy(this.idleDueAtMs);
    this.#follow(nowMs);
  }

  /**
   * Changes limits, at once: what is now too much and idle goes, what is now allowed is opened for
   * who waits.
   */
  configure(change: Partial<PoolLimits>, nowMs: MonotonicMs): void {
    this.limits = { ...this.limits, ...change };
    this.deriveLimits();
    this.lanes.setOrder(this.limits.waiterOrder);
    const { idle, pinging, closing } = this.slots;
    while (idle.size > 0 && idle.size + pinging.size > this.maxIdle) {
      this.#retireOldestIdle("idle-limit");
    }
    const surplus = () => this.slots.open - closing.size - this.limits.maxOpenConns;
    while (surplus() > 0 && idle.size > 0) this.#retireOldestIdle("open-limit");
    this.tick(nowMs);
  }

  /** Adds a bulkhead, or changes its limits. */
  setBulkhead(name: string, limits: BulkheadLimits, nowMs: MonotonicMs): Lane<L> {
    const lane = this.lanes.find(name) ?? this.lanes.add(name, limits);
    lane.limits = limits;
    this.#follow(nowMs);
    return lane;
  }

  /** Serves nobody until `resume`; who comes meanwhile waits. No effect on what is out. */
  suspend(): void {
    this.isSuspended = true;
    this.deriveLimits();
  }

  /** Serves again, first of all those who wait. */
  resume(nowMs: MonotonicMs): void {
    this.isSuspended = false;
    this.deriveLimits();
    this.#follow(nowMs);
  }

  /** Opens connections until there are as many, whoever needs them; 0 to stop that. */
  warmTo(count: number, nowMs: MonotonicMs): void {
    this.warmTarget = count;
    this.#dialAsNeeded(nowMs);
  }

  /**
   * Every connection that was opened or dialed before is not used again: closed now where it is
   * idle, else when it comes back or its dial ends.
   */
  reset(nowMs: MonotonicMs): void {
    this.epoch += 1;
    this.#retireAllIdle("reset");
    this.#dialAsNeeded(nowMs);
  }

  /** Closes every idle connection: others have proved dead, and these are suspect. */
  closeIdle(nowMs: MonotonicMs): void {
    this.#retireAllIdle("suspect");
    this.#dialAsNeeded(nowMs);
  }

  /**
   * Others have proved dead, or time has passed unseen: pings every idle connection that has not
   * shown since then that it lives.
   */
  suspect(nowMs: MonotonicMs): void {
    this.suspicions += 1;
    for (const slot of this.slots.idle) if (this.needsPing(slot, nowMs)) this.#ping(slot);
  }

  /**
   * Ends the pool's service: turns away who waits, closes what is idle, lets what is out come back.
   */
  drain(nowMs: MonotonicMs): void {
    assert(this.phase === "open", "core: a pool is closed once");
    this.phase = "draining";
    this.#rejectAll("closed", undefined, nowMs);
    this.#retireAllIdle("draining");
    for (const slot of this.slots.connecting) this.ask({ kind: "abort-dial", slot });
    this.wakeAtMs = Infinity;
    this.#finishDraining();
  }

  /** Closes also what is still out. The leases that are open end without effect. */
  closeByForce(): void {
    assert(this.phase !== "open", "core: force comes after draining");
    for (const slot of this.slots.leased) this.#endUse(slot);
    for (const slot of this.slots.leased) this.#retire(slot, "draining");
    for (const slot of this.slots.checking) this.#retire(slot, "draining");
  }

  // ---- The one place of each transition ----

  /** A connection is free: to be retired, else for the waiter whose turn it is, else idle. */
  #offer(slot: Slot<C>, nowMs: MonotonicMs): void {
    slot.aliveAtMs = nowMs;
    slot.outlived = this.suspicions;
    const reason = this.reasonToRetire(slot, nowMs);
    if (reason !== undefined) {
      this.#retire(slot, reason);
      return;
    }
    if (this.lanes.size > 0 && this.#grantNext(slot, nowMs)) return;
    this.#park(slot, nowMs);
  }

  /** Nobody wants the connection: it becomes idle, or goes if there are enough of those. */
  #park(slot: Slot<C>, nowMs: MonotonicMs): void {
    const wasPinged = slot.kind === "pinging";
    const idle = this.slots.idle.size + this.slots.pinging.size - (wasPinged ? 1 : 0);
    if (idle >= this.maxIdle) {
      this.#retire(slot, "idle-limit");
      return;
    }
    if (!wasPinged) slot.idleSinceMs = nowMs;
    this.slots.move(slot, "idle");
    // Those idle for longer have seen to it that the pool wakes for them.
    this.wakeBy(slot.expiresAtMs);
    const isPlain = this.minIdle === 0 && this.limits.keepaliveMs === Infinity;
    this.wakeBy(isPlain ? idleDueAtMs(slot, this.limits) : this.idleDueAtMs);
  }

  /** Leases the connection to the waiter whose turn it is; false where there is none. */
  #grantNext(slot: Slot<C>, nowMs: MonotonicMs): boolean {
    const waiter = this.#nextWaiter(nowMs);
    if (waiter === undefined) return false;
    waiter.kind = "granted";
    this.#lease(slot, waiter.lane, nowMs);
    this.#endWait(waiter, nowMs);
    this.waitTimes.record(nowMs - waiter.enqueuedAtMs);
    this.ask({ kind: "grant", waiter, slot });
    return true;
  }

  /** Takes out the waiter whose turn it is, and turns away those before him who are to be shed. */
  #nextWaiter(nowMs: MonotonicMs): Waiter<L> | undefined {
    for (;;) {
      const waiter = this.lanes.takeNext(this.#random);
      if (waiter === undefined || this.#codel === undefined) return waiter;
      const isDue = this.#codel.isDue(nowMs - waiter.enqueuedAtMs, nowMs);
      // The last one that may have a connection may as well be served.
      if (!isDue || this.lanes.demand === 0) return waiter;
      waiter.lane.counters.shedCount += 1;
      this.#reject(waiter, "shed", undefined, nowMs);
    }
  }

  /** Who calls this looks then for what is to be dialed, when all that is idle has been given. */
  #lease(slot: Slot<C>, lane: Lane<L>, nowMs: MonotonicMs): void {
    this.slots.move(slot, "leased");
    slot.generation += 1;
    slot.leasedAtMs = nowMs;
    slot.lane = lane;
    lane.inUse += 1;
    lane.counters.acquireCount += 1;
    if (!this.#isGuarded) this.backoff.noteUse(slot.openedAtMs);
  }

  #endUse(slot: Slot<C>): void {
    assert(slot.lane !== undefined, "core: a use has a queue that it counts against");
    slot.lane.inUse -= 1;
    slot.lane = undefined;
  }

  #ping(slot: Slot<C>): void {
    assert(slot.conn !== undefined, "core: what is pinged is open");
    this.slots.move(slot, "pinging");
    this.counters.pingCount += 1;
    this.ask({ kind: "ping", slot, conn: slot.conn });
  }

  /** A leased connection is given up. */
  #takeBack(slot: Slot<C>, reason: RetireReason, nowMs: MonotonicMs): void {
    this.#retire(slot, slot.lost === undefined ? reason : "lost");
    const isFirstUse = slot.generation === 1;
    if (reason === "refused" && isFirstUse) this.backoff.noteRefusal(slot.dialedAtMs, nowMs);
  }

  #retire(slot: Slot<C>, reason: RetireReason): void {
    this.slots.move(slot, "closing");
    this.counters.retired[reason] += 1;
    assert(slot.conn !== undefined, "core: what is closed was open");
    this.ask({ kind: "close", slot, conn: slot.conn });
  }

  #retireOldestIdle(reason: RetireReason): void {
    const { head } = this.slots.idle;
    assert(head !== undefined, "core: an idle connection is there to retire");
    this.#retire(head, reason);
  }

  #retireAllIdle(reason: RetireReason): void {
    for (const slot of this.slots.idle) this.#retire(slot, reason);
    for (const slot of this.slots.pinging) this.#retire(slot, reason);
  }

  #reject(waiter: Waiter<L>, why: RejectReason, dialError: unknown, nowMs: MonotonicMs): void {
    waiter.kind = why === "timed-out" || why === "shed" ? why : "rejected";
    this.#endWait(waiter, nowMs);
    this.ask({ kind: "reject", waiter, why, dialError });
  }

  #rejectAll(why: RejectReason, dialError: unknown, nowMs: MonotonicMs): void {
    for (const lane of this.lanes.all) {
      for (const waiter of lane.waiters) {
        this.lanes.remove(waiter);
        this.#reject(waiter, why, dialError, nowMs);
      }
    }
  }

  #endWait(waiter: Waiter<L>, nowMs: MonotonicMs): void {
    if (waiter.atLimit) waiter.lane.counters.waitDurationMs += nowMs - waiter.enqueuedAtMs;
  }

  /** Where dial errors are told, each failed dial ends the acquire whose turn it is. */
  #noteDialFailure(slot: Slot<C>, error: unknown, nowMs: MonotonicMs): void {
    this.counters.dialErrorCount += 1;
    this.backoff.noteFailure(slot.dialedAtMs, error, nowMs);
    if (this.limits.dialErrors === "wait") return;
    const waiter = this.lanes.takeNext(this.#random);
    if (waiter !== undefined) this.#reject(waiter, "connect-failed", error, nowMs);
  }

  #finishDraining(): void {
    if (this.phase !== "draining" || this.slots.open > 0) return;
    this.phase = "closed";
    this.ask({ kind: "drained" });
  }

  /** After any event by which somebody who waits may come to be served. */
  #follow(nowMs: MonotonicMs): void {
    if (!this.isWanting) return;
    if (this.slots.idle.size > 0) this.#serve(nowMs);
    if (this.slots.open < this.limits.maxOpenConns) this.#dialAsNeeded(nowMs);
  }

  /**
   * Idle connections go to those who wait and may have one. One that must show first that it lives
   * is pinged, and counts as good as served.
   */
  #serve(nowMs: MonotonicMs): void {
    while (this.lanes.demand > 0) {
      const ready = this.#readyIdle(nowMs);
      const quiet = this.nextIdle;
      if (ready !== undefined) this.#grantNext(ready, nowMs);
      else if (quiet !== undefined && this.lanes.demand > this.pingSupply) this.#ping(quiet);
      else return;
    }
  }

  /**
   * Dials what is wanted and allowed; while dialing pauses, wakes at the end of that. What makes
   * room calls this again.
   */
  #dialAsNeeded(nowMs: MonotonicMs): void {
    if (!this.mayDial) return;
    const count = this.dialsWanted(nowMs);
    if (count < 0) this.wakeBy(this.backoff.untilMs);
    for (let i = 0; i < count; i++) {
      this.#slotIdLast += 1;
      const slot = new Slot<C>(this.#slotIdLast, nowMs, this.#random.next(), this.epoch);
      this.slots.add(slot);
      this.ask({ kind: "dial", slot });
    }
  }

  /**
   * The idle connection to hand out next, of those that need not be pinged first. What must not be
   * handed out is retired on the way.
   */
  #readyIdle(nowMs: MonotonicMs): Slot<C> | undefined {
    const isLifo = this.limits.idleOrder === "lifo";
    let slot = this.nextIdle;
    while (slot !== undefined) {
      const next = isLifo ? slot.previous : slot.next;
      const reason = this.reasonToRetire(slot, nowMs);
      if (reason !== undefined) this.#retire(slot, reason);
      else if (!this.needsPing(slot, nowMs)) return slot;
      slot = next;
    }
    return undefined;
  }
}
