// The pool's decisions, and the only writer of its state. Synchronous on purpose: between two calls
// every invariant in audit.ts holds, and within a call nothing else can run. Events arrive as
// method calls, each with the time; what is to be done leaves as effects, for the shell to carry
// out after the call has returned. Callers: pool.ts and tests.

import { assert } from "../base/assert.ts";
import { Queue } from "../base/queue.ts";
import type { MonotonicMs } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { PooledConn } from "../driver/driver.ts";
import { DialBackoff } from "./backoff.ts";
import type { Effect, RejectReason } from "./effects.ts";
import { expiresAtMs, idleDueAtMs } from "./expiry.ts";
import type { PoolLimits } from "./options.ts";
import { type PoolPhase, type RetireReason, Slot, SlotLists, type Waiter } from "./state.ts";
import { PoolCounters, type PoolStats } from "./stats.ts";
import { Waiters } from "./waiters.ts";

/**
 * How a connection came back: ready for the next user, of no use, or with a session still to be
 * made fit.
 */
export type ReturnCondition = "fit" | "bad" | "discarded" | "check";

/**
 * The pool's state machine. `L` is what the shell hands to a waiter; the core never looks at it.
 */
export class PoolCore<C extends PooledConn, L> {
  readonly slots: SlotLists<C> = new SlotLists();
  readonly waiters: Waiters<L>;
  readonly counters: PoolCounters = new PoolCounters();
  readonly backoff: DialBackoff;
  readonly #random: Random;
  #limits: PoolLimits;
  #phase: PoolPhase = "open";
  readonly #effects: Queue<Effect<C, L>> = new Queue();
  #wakeAtMs = Infinity;
  #slotIdLast = 0;
  #maxIdle = 0;
  #minIdle = 0;

  constructor(limits: PoolLimits, random: Random) {
    this.#limits = limits;
    this.#deriveLimits();
    this.#random = random;
    this.waiters = new Waiters(limits.waiterOrder);
    this.backoff = new DialBackoff(random);
  }

  get limits(): PoolLimits {
    return this.#limits;
  }

  get phase(): PoolPhase {
    return this.#phase;
  }

  /** When `tick` must be called, at the latest; `Infinity` for never. */
  get wakeAtMs(): number {
    return this.#wakeAtMs;
  }

  get hasEffects(): boolean {
    return this.#effects.size > 0;
  }

  /** The next thing to do, in the order they were asked for; `undefined` when that was all. */
  takeEffect(): Effect<C, L> | undefined {
    return this.#effects.shift();
  }

  /** maxIdleConns as far as maxOpenConns lets it. */
  get maxIdle(): number {
    return this.#maxIdle;
  }

  /** minIdleConns as far as the other limits let it. */
  get minIdle(): number {
    return this.#minIdle;
  }

  /**
   * How many waiters can have a connection opened for them: those being opened, and those that may
   * be. A waiter beyond that waits for one to come back.
   */
  get dialable(): number {
    return this.slots.connecting.size + Math.max(0, this.#limits.maxOpenConns - this.slots.open);
  }

  /** A snapshot, in constant time whatever the number of connections and waiters. */
  stats(name: string): PoolStats {
    const { slots, counters } = this;
    const openConnections = slots.open;
    return {
      maxOpenConnections: this.#limits.maxOpenConns,
      openConnections,
      inUse: openConnections - slots.idle.size,
      idle: slots.idle.size,
      waitCount: counters.waitCount,
      waitDurationMs: counters.waitDurationMs,
      maxIdleClosed: counters.retired["idle-limit"],
      maxIdleTimeClosed: counters.retired["idle-time"],
      maxLifetimeClosed: counters.retired.lifetime,
      pool: {
        name,
        waiting: this.waiters.size,
        leased: slots.leased.size,
        dialing: slots.connecting.size,
        checking: slots.checking.size,
        closing: slots.closing.size,
        acquireCount: counters.acquireCount,
        dialCount: counters.dialCount,
        dialErrorCount: counters.dialErrorCount,
        timeoutCount: counters.timeoutCount,
        abortCount: counters.abortCount,
        queueFullCount: counters.queueFullCount,
        closedBy: { ...counters.retired },
      },
    };
  }

  // ---- Events from callers ----

  /** Start-up: fills to minIdleConns. */
  start(nowMs: MonotonicMs): void {
    this.#dialAsNeeded(nowMs);
  }

  /** Leases an idle connection at once; `undefined` when there is none. The pool must be open. */
  acquireIdle(nowMs: MonotonicMs): Slot<C> | undefined {
    assert(this.#phase === "open", "core: acquire on an open pool");
    for (;;) {
      const idle = this.slots.idle;
      const slot = this.#limits.idleOrder === "lifo" ? idle.tail : idle.head;
      if (slot === undefined) return undefined;
      const reason = this.#reasonToRetire(slot, nowMs);
      if (reason !== undefined) {
        this.#retire(slot, reason);
        continue;
      }
      this.#lease(slot, nowMs);
      if (this.minIdle > 0) this.#dialAsNeeded(nowMs);
      return slot;
    }
  }

  /** Whether one more waiter may queue. */
  get hasRoomToWait(): boolean {
    return this.waiters.size - this.dialable < this.#limits.maxWaiters;
  }

  /** Counts an acquire that is turned away because there is no room. */
  refuse(): void {
    assert(!this.hasRoomToWait, "core: who may queue is not refused");
    this.counters.queueFullCount += 1;
  }

  /** Queues an acquire that `acquireIdle` could not serve. There must be room. */
  enqueue(waiter: Waiter<L>, nowMs: MonotonicMs): void {
    assert(this.#phase === "open", "core: enqueue on an open pool");
    assert(this.slots.idle.size === 0, "core: nobody waits while a connection is idle");
    const { dialable } = this;
    const waiting = this.waiters.size;
    assert(waiting - dialable < this.#limits.maxWaiters, "core: the queue has room");
    waiter.atLimit = waiting >= dialable;
    if (waiter.atLimit) this.counters.waitCount += 1;
    this.waiters.add(waiter);
    this.#wakeBy(waiter.deadlineAtMs);
    this.#dialAsNeeded(nowMs);
  }

  /** The waiter's signal was aborted. False, and no effect, when the waiter was settled already. */
  abort(waiter: Waiter<L>, nowMs: MonotonicMs): boolean {
    if (waiter.kind !== "queued") return false;
    this.waiters.remove(waiter);
    waiter.kind = "aborted";
    this.counters.abortCount += 1;
    this.#endWait(waiter, nowMs);
    return true;
  }

  /**
   * A leased connection comes back. No effect when the pool took it back by force meanwhile.
   * `generation` is the lease's; a wrong one is a bug of the shell.
   */
  release(slot: Slot<C>, generation: number, condition: ReturnCondition, nowMs: MonotonicMs): void {
    assert(
      slot.generation === generation,
      "core: a lease is released before the slot's next grant",
    );
    if (slot.kind !== "leased") return;
    switch (condition) {
      case "fit":
        this.#offer(slot, nowMs);
        return;
      case "bad":
        this.#retire(slot, slot.lost !== undefined ? "lost" : "bad");
        return;
      case "discarded":
        this.#retire(slot, slot.lost !== undefined ? "lost" : "discarded");
        return;
      case "check":
        this.slots.move(slot, "checking");
        return;
      default:
        condition satisfies never;
    }
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
    slot.expiresAtMs = expiresAtMs(slot, this.#limits);
    this.counters.dialCount += 1;
    // A server that accepts a connection only to end it is no better than one that refuses.
    if (slot.lost !== undefined) this.#noteDialFailure(slot, slot.lost.reason, nowMs);
    else this.backoff.reset();
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
    if (this.#phase === "open") this.#noteDialFailure(slot, error, nowMs);
    const { connecting, leased, checking } = this.slots;
    const mayYetServe = connecting.size + leased.size + checking.size > 0;
    if (!mayRetry && !mayYetServe) this.#rejectAll("connect-failed", nowMs);
    this.#dialAsNeeded(nowMs);
    this.#finishDraining();
  }

  /** The session of a returned connection has been made fit, or could not be. */
  checked(slot: Slot<C>, fit: boolean, nowMs: MonotonicMs): void {
    // It may have been closed by force while it was being checked.
    if (slot.kind !== "checking") return;
    if (fit) this.#offer(slot, nowMs);
    else this.#retire(slot, slot.lost !== undefined ? "lost" : "reset-failed");
  }

  /** The connection was lost, at any time in its life. */
  lost(slot: Slot<C>, reason: unknown, nowMs: MonotonicMs): void {
    slot.lost = { reason };
    if (slot.kind !== "idle") return;
    // Lost before its first use, it is one more sign of a server that only seems to accept.
    if (slot.generation === 0) this.#noteDialFailure(slot, reason, nowMs);
    this.#retire(slot, "lost");
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
   * Does what is due: gives up waiters, retires idle connections, dials after a pause. Early calls
   * do no harm.
   */
  tick(nowMs: MonotonicMs): void {
    for (const waiter of this.waiters.takeExpired(nowMs)) {
      this.counters.timeoutCount += 1;
      this.#reject(waiter, "timed-out", nowMs);
    }
    this.#retireDueIdle(nowMs);
    this.#wakeAtMs = Infinity;
    this.#wakeBy(this.waiters.nextDeadlineAtMs(nowMs));
    for (const slot of this.slots.idle) this.#wakeBy(slot.expiresAtMs);
    this.#wakeForIdleTime();
    this.#dialAsNeeded(nowMs);
  }

  /**
   * Changes limits, at once: what is now too much and idle goes, what is now allowed is opened for
   * who waits.
   */
  configure(change: Partial<PoolLimits>, nowMs: MonotonicMs): void {
    this.#limits = { ...this.#limits, ...change };
    this.#deriveLimits();
    this.waiters.setOrder(this.#limits.waiterOrder);
    if (this.#phase !== "open") return;
    while (this.slots.idle.size > this.maxIdle) this.#retireOldestIdle("idle-limit");
    const surplus = () => this.slots.open - this.slots.closing.size - this.#limits.maxOpenConns;
    while (surplus() > 0 && this.slots.idle.size > 0) this.#retireOldestIdle("open-limit");
    this.tick(nowMs);
  }

  /** Closes every idle connection: others have proved dead, and these are suspect. */
  closeIdle(): void {
    while (this.slots.idle.size > 0) this.#retireOldestIdle("suspect");
  }

  /**
   * Ends the pool's service: turns away who waits, closes what is idle, lets what is out come back.
   */
  drain(nowMs: MonotonicMs): void {
    assert(this.#phase === "open", "core: a pool is closed once");
    this.#phase = "draining";
    this.#rejectAll("closed", nowMs);
    while (this.slots.idle.size > 0) this.#retireOldestIdle("draining");
    for (const slot of this.slots.connecting) this.#effects.push({ kind: "abort-dial", slot });
    this.#wakeAtMs = Infinity;
    this.#finishDraining();
  }

  /** Closes also what is still out. The leases that are open end without effect. */
  closeByForce(): void {
    assert(this.#phase !== "open", "core: force comes after draining");
    for (const slot of this.slots.leased) this.#retire(slot, "draining");
    for (const slot of this.slots.checking) this.#retire(slot, "draining");
  }

  // ---- The one place of each transition ----

  /** A connection is free: to be retired, else for the waiter whose turn it is, else idle. */
  #offer(slot: Slot<C>, nowMs: MonotonicMs): void {
    const reason = this.#reasonToRetire(slot, nowMs);
    if (reason !== undefined) {
      this.#retire(slot, reason);
      return;
    }
    const waiter = this.waiters.takeNext(this.#random);
    if (waiter !== undefined) {
      waiter.kind = "granted";
      this.#lease(slot, nowMs);
      this.#endWait(waiter, nowMs);
      this.#effects.push({ kind: "grant", waiter, slot });
      return;
    }
    if (this.slots.idle.size >= this.maxIdle) {
      this.#retire(slot, "idle-limit");
      return;
    }
    this.slots.move(slot, "idle");
    slot.idleSinceMs = nowMs;
    this.#wakeBy(slot.expiresAtMs);
    this.#wakeForIdleTime();
  }

  #lease(slot: Slot<C>, nowMs: MonotonicMs): void {
    this.slots.move(slot, "leased");
    slot.generation += 1;
    slot.leasedAtMs = nowMs;
    this.counters.acquireCount += 1;
  }

  #retire(slot: Slot<C>, reason: RetireReason): void {
    this.slots.move(slot, "closing");
    this.counters.retired[reason] += 1;
    assert(slot.conn !== undefined, "core: what is closed was open");
    this.#effects.push({ kind: "close", slot, conn: slot.conn });
  }

  #retireOldestIdle(reason: RetireReason): void {
    const slot = this.slots.idle.head;
    assert(slot !== undefined, "core: an idle connection is there to retire");
    this.#retire(slot, reason);
  }

  #reject(waiter: Waiter<L>, why: RejectReason, nowMs: MonotonicMs): void {
    waiter.kind = why === "timed-out" ? "timed-out" : "rejected";
    this.#endWait(waiter, nowMs);
    this.#effects.push({ kind: "reject", waiter, why });
  }

  #rejectAll(why: RejectReason, nowMs: MonotonicMs): void {
    for (const waiter of this.waiters) {
      this.waiters.remove(waiter);
      this.#reject(waiter, why, nowMs);
    }
  }

  #endWait(waiter: Waiter<L>, nowMs: MonotonicMs): void {
    if (waiter.atLimit) this.counters.waitDurationMs += nowMs - waiter.enqueuedAtMs;
  }

  #noteDialFailure(slot: Slot<C>, error: unknown, nowMs: MonotonicMs): void {
    this.counters.dialErrorCount += 1;
    this.backoff.noteFailure(slot.dialedAtMs, error, nowMs);
  }

  #finishDraining(): void {
    if (this.#phase !== "draining" || this.slots.open > 0) return;
    this.#phase = "closed";
    this.#effects.push({ kind: "drained" });
  }

  /**
   * Dials what is wanted and allowed: one for each waiter, and up to minIdleConns more. A dial
   * under way counts for whoever will then be waiting.
   */
  #dialAsNeeded(nowMs: MonotonicMs): void {
    const { slots } = this;
    // The usual case where many wait, so it comes first. What makes room calls this again.
    if (this.#phase !== "open" || slots.open >= this.#limits.maxOpenConns) return;
    const wanted = this.waiters.size + Math.max(0, this.minIdle - slots.idle.size);
    if (wanted <= slots.connecting.size) return;
    if (nowMs < this.backoff.untilMs) {
      this.#wakeBy(this.backoff.untilMs);
      return;
    }
    const dialing = this.backoff.isFailing ? 1 : this.#limits.maxDialing;
    const count = Math.min(
      wanted - slots.connecting.size,
      dialing - slots.connecting.size,
      this.#limits.maxOpenConns - slots.open,
    );
    for (let i = 0; i < count; i++) {
      this.#slotIdLast += 1;
      const slot = new Slot<C>(this.#slotIdLast, nowMs, this.#random.next());
      slots.add(slot);
      this.#effects.push({ kind: "dial", slot });
    }
  }

  /** What follows from the limits, and is needed at each acquire and release. */
  #deriveLimits(): void {
    const { maxOpenConns, maxIdleConns, minIdleConns } = this.#limits;
    this.#maxIdle = Math.min(maxIdleConns, maxOpenConns);
    this.#minIdle = Math.min(minIdleConns, this.#maxIdle);
    const { idle, leased, checking } = this.slots;
    for (const list of [idle, leased, checking]) {
      for (const slot of list) slot.expiresAtMs = expiresAtMs(slot, this.#limits);
    }
  }

  // ---- What is due ----

  /**
   * Why the connection must not be handed out or kept; `undefined` when it may be. Changes nothing.
   */
  #reasonToRetire(slot: Slot<C>, nowMs: MonotonicMs): RetireReason | undefined {
    if (slot.lost !== undefined) return "lost";
    if (this.#phase !== "open") return "draining";
    if (nowMs >= slot.expiresAtMs) return "lifetime";
    const kept = this.slots.open - this.slots.closing.size;
    return kept > this.#limits.maxOpenConns ? "open-limit" : undefined;
  }

  #retireDueIdle(nowMs: MonotonicMs): void {
    for (const slot of this.slots.idle) {
      if (nowMs >= slot.expiresAtMs) this.#retire(slot, "lifetime");
      else if (nowMs >= idleDueAtMs(slot, this.#limits) && this.slots.idle.size > this.minIdle) {
        this.#retire(slot, "idle-time");
      }
    }
  }

  /**
   * The one idle longest is the first whose idle time runs out; those that minIdleConns needs stay.
   */
  #wakeForIdleTime(): void {
    const longest = this.slots.idle.head;
    if (longest === undefined || this.slots.idle.size <= this.minIdle) return;
    this.#wakeBy(idleDueAtMs(longest, this.#limits));
  }

  #wakeBy(atMs: number): void {
    if (atMs < this.#wakeAtMs) this.#wakeAtMs = atMs;
  }
}
