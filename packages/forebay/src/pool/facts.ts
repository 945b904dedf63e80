// What is so: the state of a pool, what follows from it, and what the shell is still to do. Answers
// to questions, which change nothing; what happens, and the only writes, are in core.ts.

import type { MonotonicMs } from "../base/clock.ts";
import { DurationHistogram } from "../base/histogram.ts";
import { Queue } from "../base/queue.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { DialBackoff } from "./backoff.ts";
import type { Effect } from "./effects.ts";
import { expiresAtMs, idleDueAtMs } from "./expiry.ts";
import { type Lane, Lanes } from "./lanes.ts";
import type { PoolLimits } from "./options.ts";
import { type PoolPhase, type RetireReason, type Slot, SlotLists } from "./state.ts";
import { ConnCounters, LaneCounters } from "./stats.ts";

/** The state of a pool. The core alone writes it, by its own methods. */
export class PoolFacts<C extends PooledConn, L> {
  readonly slots: SlotLists<C> = new SlotLists();
  readonly lanes: Lanes<L>;
  readonly backoff: DialBackoff;
  readonly counters: ConnCounters = new ConnCounters();
  readonly waitTimes: DurationHistogram = new DurationHistogram();
  readonly holdTimes: DurationHistogram = new DurationHistogram();
  readonly dialTimes: DurationHistogram = new DurationHistogram();
  limits: PoolLimits;
  phase: PoolPhase = "open";
  /** Whether nobody is served until the pool is resumed. */
  isSuspended: boolean = false;
  /** How often the pool has been reset: connections of an earlier time are not used again. */
  epoch: number = 0;
  /**
   * How often all connections have come under suspicion. A number and no time: what has shown that
   * it lives right before a stall is as old as the moment after it, in the pool's time.
   */
  suspicions: number = 0;
  /** As many connections are to be opened ahead of any need; 0 for none. */
  warmTarget: number = 0;
  /** maxIdleConns as far as maxOpenConns lets it. */
  maxIdle: number = 0;
  /** minIdleConns as far as the other limits let it. */
  minIdle: number = 0;

  /** When `tick` must be called, at the latest; `Infinity` for never. */
  wakeAtMs: number = Infinity;
  readonly #effects: Queue<Effect<C, L>> = new Queue();

  constructor(limits: PoolLimits, backoff: DialBackoff) {
    this.limits = limits;
    this.backoff = backoff;
    this.lanes = new Lanes(limits.waiterOrder, limits.maxOpenConns);
    this.deriveLimits();
  }

  get hasEffects(): boolean {
    return this.#effects.size > 0;
  }

  /** The next thing to do, in the order they were asked for; `undefined` when that was all. */
  takeEffect(): Effect<C, L> | undefined {
    return this.#effects.shift();
  }

  /** Connections open and of use. */
  get kept(): number {
    return this.slots.open - this.slots.closing.size - this.slots.connecting.size;
  }

  /**
   * How many waiters can be served without anybody's giving a connection back: by those that are
   * idle or being pinged, those being opened, and those that may be.
   */
  get supply(): number {
    const { idle, pinging, connecting, leased, checking, open } = this.slots;
    const { maxOpenConns } = this.limits;
    const free = idle.size + pinging.size + connecting.size + Math.max(0, maxOpenConns - open);
    // After the limit was lowered, some of those will be closed.
    return Math.min(free, Math.max(0, maxOpenConns - leased.size - checking.size));
  }

  /**
   * Pings under way that will probably serve a waiter: not those of connections under suspicion.
   */
  get pingSupply(): number {
    let likely = 0;
    if (this.slots.pinging.size === 0) return likely;
    for (const slot of this.slots.pinging) if (slot.outlived === this.suspicions) likely += 1;
    return likely;
  }

  /** What has happened to acquires, in all queues. O(queues). */
  totals(): LaneCounters {
    return this.lanes.all.reduce((sum, lane) => sum.add(lane.counters), new LaneCounters());
  }

  /** Whether one more waiter may queue. */
  hasRoomToWait(lane: Lane<L>): boolean {
    const { maxWaiters } = this.limits;
    const { maxWaiting } = lane.limits;
    // The usual case, for which nothing has to be counted.
    if (maxWaiters === Infinity && maxWaiting === Infinity) return true;
    const { lanes, supply } = this;
    const served = Math.min(supply, lanes.demandWith(lane));
    const servedInLane = Math.min(supply, lanes.allowance(lane));
    return lanes.size + 1 - served <= maxWaiters && lane.waiters.size - servedInLane < maxWaiting;
  }

  /** Whether one more in this queue would wait for somebody to give a connection back. */
  wouldWait(lane: Lane<L>): boolean {
    const demand = this.lanes.demandWith(lane);
    return demand === this.lanes.demand || demand > this.supply;
  }

  /** Whether anything could want a connection. Cheap, for the usual no. */
  get isWanting(): boolean {
    return this.lanes.size > 0 || this.minIdle > 0 || this.warmTarget > 0;
  }

  /** Whether there is room for a dial, and anything that could want one. */
  get mayDial(): boolean {
    const hasRoom = this.slots.open < this.limits.maxOpenConns;
    return hasRoom && this.isWanting && this.phase === "open";
  }

  /**
   * How many dials are to begin now, of a pool that may dial: one for each waiter that may have a
   * connection, and up to minIdleConns or a warm-up more, within maxOpenConns and maxDialing. A
   * dial under way counts for whoever will then be waiting. Below 0 where dials are wanted, and
   * dialing pauses.
   */
  dialsWanted(nowMs: MonotonicMs): number {
    const { slots } = this;
    const { maxOpenConns, maxDialing, dialErrors } = this.limits;
    const served = Math.max(0, this.lanes.demand - this.pingSupply);
    const ahead = Math.max(0, this.minIdle - slots.idle.size - slots.pinging.size);
    const warmer = Math.min(this.warmTarget, this.maxIdle) - this.kept;
    const connecting = slots.connecting.size;
    const wanted = Math.max(served + ahead, warmer) - connecting;
    if (wanted <= 0) return 0;
    // Where dial errors are told, each dial for a waiter has somebody who bears its failure.
    const isTold = dialErrors === "reject" && served > 0;
    if (nowMs < this.backoff.untilMs && !isTold) return -1;
    const atOnce = this.backoff.isFailing && !isTold ? 1 : maxDialing;
    return Math.max(0, Math.min(wanted, atOnce - connecting, maxOpenConns - slots.open));
  }

  /**
   * Why the connection must not be handed out or kept; `undefined` when it may be. Changes nothing.
   */
  reasonToRetire(slot: Slot<C>, nowMs: MonotonicMs): RetireReason | undefined {
    if (slot.lost !== undefined) return "lost";
    if (this.phase !== "open") return "draining";
    if (slot.epoch !== this.epoch) return "reset";
    if (nowMs >= slot.expiresAtMs) return "lifetime";
    const kept = this.slots.open - this.slots.closing.size;
    return kept > this.limits.maxOpenConns ? "open-limit" : undefined;
  }

  /** Why an idle connection is to go, as time has passed; `undefined` when it may stay. */
  reasonDueIdle(slot: Slot<C>, nowMs: MonotonicMs): RetireReason | undefined {
    if (nowMs >= slot.expiresAtMs) return "lifetime";
    const isSpare = this.slots.idle.size > this.minIdle;
    return isSpare && nowMs >= idleDueAtMs(slot, this.limits) ? "idle-time" : undefined;
  }

  /** The first idle connection in the order in which they are handed out. */
  get nextIdle(): Slot<C> | undefined {
    return this.limits.idleOrder === "lifo" ? this.slots.idle.tail : this.slots.idle.head;
  }

  /** Whether the connection must show that it lives before it is handed out, and can. */
  needsPing(slot: Slot<C>, nowMs: MonotonicMs): boolean {
    const isQuiet = nowMs - slot.aliveAtMs >= this.limits.pingAfterIdleMs;
    return (isQuiet || slot.outlived !== this.suspicions) && slot.conn?.ping !== undefined;
  }

  /** The idle connection to be pinged next to keep it alive: one at a time, where it can be. */
  quietestIdle(): Slot<C> | undefined {
    if (this.limits.keepaliveMs === Infinity || this.slots.pinging.size > 0) return undefined;
    let quietest: Slot<C> | undefined;
    for (const slot of this.slots.idle) {
      if (slot.conn?.ping === undefined) continue;
      if (quietest === undefined || slot.aliveAtMs < quietest.aliveAtMs) quietest = slot;
    }
    return quietest;
  }

  /** When an idle connection is to be pinged in the background. */
  keepaliveDueAtMs(slot: Slot<C>): number {
    return slot.aliveAtMs + this.limits.keepaliveMs;
  }

  /**
   * When the next idle connection has been idle, or quiet, for too long; `Infinity` for never. The
   * one idle longest is the first whose idle time runs out; those that minIdleConns needs stay.
   */
  get idleDueAtMs(): number {
    const { idle } = this.slots;
    const longest = idle.head;
    if (longest === undefined) return Infinity;
    const spareAtMs = idle.size > this.minIdle ? idleDueAtMs(longest, this.limits) : Infinity;
    const quietest = this.quietestIdle();
    return quietest === undefined
      ? spareAtMs
      : Math.min(spareAtMs, this.keepaliveDueAtMs(quietest));
  }

  /** What follows from the limits, and is needed at each acquire and release. */
  protected deriveLimits(): void {
    const { maxOpenConns, maxIdleConns, minIdleConns } = this.limits;
    this.maxIdle = Math.min(maxIdleConns, maxOpenConns);
    this.minIdle = Math.min(minIdleConns, this.maxIdle);
    this.lanes.setCapacity(this.isSuspended ? 0 : maxOpenConns);
    const { idle, leased, checking, pinging } = this.slots;
    for (const list of [idle, leased, checking, pinging]) {
      for (const slot of list) slot.expiresAtMs = expiresAtMs(slot, this.limits);
    }
  }

  /** Has the shell do something, after all that it was asked for before. */
  protected ask(effect: Effect<C, L>): void {
    this.#effects.push(effect);
  }

  /** Has the shell call `tick` by then. */
  protected wakeBy(atMs: number): void {
    if (atMs < this.wakeAtMs) this.wakeAtMs = atMs;
  }
}
