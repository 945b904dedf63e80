// Bulkheads: the queues of a pool, and each one's share of its connections. A pool has one of its
// own, without limits; every bulkhead adds one. Who may have a connection, and whose turn it is, is
// decided here alone. Written by the core; the pool's totals are sums over its queues.

import { assert } from "../base/assert.ts";
import type { MonotonicMs } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { LaneUse, Waiter } from "./state.ts";
import { LaneCounters } from "./stats.ts";
import { type WaiterOrder, Waiters } from "./waiters.ts";

/** The share of one bulkhead. */
export interface BulkheadLimits {
  /**
   * At most this many connections are in use by it. At least 1; `Infinity` for what the pool has.
   * @defaultValue `Infinity`
   */
  readonly maxInUse: number;
  /**
   * This many of maxOpenConns can always be had by it, whatever the others want. They are not
   * opened ahead; see minIdleConns for that. At most maxInUse; of all bulkheads together, less than
   * maxOpenConns.
   * @defaultValue 0
   */
  readonly reserved: number;
  /**
   * At most this many of its acquires wait for a connection to come back; one more is refused at
   * once. Those for which one is being opened, or could be, do not count.
   * @defaultValue `Infinity`
   */
  readonly maxWaiting: number;
  /**
   * Whoever waits with a higher number is served first; among equals, who waits longest. While
   * there is always somebody of a higher one, nobody of a lower one is served but by a reserve. A
   * whole number, also below 0.
   * @defaultValue 0, as everything outside of bulkheads has
   */
  readonly priority: number;
}

/** The share of acquires that belong to no bulkhead. */
export const UNLIMITED: BulkheadLimits = {
  maxInUse: Infinity,
  reserved: 0,
  maxWaiting: Infinity,
  priority: 0,
};

/** One queue, with its share. Written by the core alone. */
export class Lane<L> implements LaneUse {
  readonly name: string;
  readonly waiters: Waiters<L>;
  readonly counters: LaneCounters = new LaneCounters();
  limits: BulkheadLimits;
  inUse = 0;

  constructor(name: string, limits: BulkheadLimits, order: WaiterOrder) {
    this.name = name;
    this.limits = limits;
    this.waiters = new Waiters(order);
  }

  /** How many more it may use. */
  get quota(): number {
    return Math.max(0, this.limits.maxInUse - this.inUse);
  }

  /** How many of its reserve it does not use. */
  get shortfall(): number {
    return Math.max(0, this.limits.reserved - this.inUse);
  }
}

/** All queues of one pool. */
export class Lanes<L> {
  /** That of the acquires that belong to no bulkhead. */
  readonly main: Lane<L>;
  readonly #all: Lane<L>[];
  /** Connections that may be leased at once, for all queues together; 0 while suspended. */
  #capacity: number;
  #order: WaiterOrder;
  #arrivals = 0;
  #size = 0;

  constructor(order: WaiterOrder, capacity: number) {
    this.#order = order;
    this.#capacity = capacity;
    this.main = new Lane("", UNLIMITED, order);
    this.#all = [this.main];
  }

  /** How many wait, in all queues. O(1). */
  get size(): number {
    return this.#size;
  }

  /** The queues, the pool's own first. */
  get all(): readonly Lane<L>[] {
    return this.#all;
  }

  /** Whether there are bulkheads: without any, all are in one queue that may have everything. */
  get hasShares(): boolean {
    return this.#all.length > 1;
  }

  /** The queue of a bulkhead; `undefined` when there is none of that name. */
  find(name: string): Lane<L> | undefined {
    return this.#all.find((lane) => lane !== this.main && lane.name === name);
  }

  /** Adds the queue of a bulkhead. The name must be new. */
  add(name: string, limits: BulkheadLimits): Lane<L> {
    assert(this.find(name) === undefined, "lanes: a bulkhead is added once");
    const lane: Lane<L> = new Lane(name, limits, this.#order);
    this.#all.push(lane);
    return lane;
  }

  /** Connections that all bulkheads but this one keep for themselves. */
  reservedBeside(name: string): number {
    return this.#all.reduce(
      (sum, lane) => (lane.name === name ? sum : sum + lane.limits.reserved),
      0,
    );
  }

  /** Changes the order in every queue, for those who wait already too. */
  setOrder(order: WaiterOrder): void {
    this.#order = order;
    for (const lane of this.#all) lane.waiters.setOrder(order);
  }

  /** How many connections may be leased at once, in all. 0 lets nobody have one. */
  setCapacity(capacity: number): void {
    this.#capacity = capacity;
  }

  /**
   * Whether a connection may go to this queue now: within its own limit, from its own reserve or
   * from what nobody has reserved. O(queues).
   */
  admits(lane: Lane<L>): boolean {
    if (this.#capacity === 0 || lane.inUse >= lane.limits.maxInUse) return false;
    if (!this.hasShares) return true;
    return lane.inUse < lane.limits.reserved || this.#common > 0;
  }

  /** How many more this queue may have of what is free. O(queues). */
  allowance(lane: Lane<L>): number {
    if (this.#capacity === 0) return 0;
    return Math.min(lane.quota, lane.shortfall + Math.max(0, this.#common));
  }

  /**
   * How many of those who wait could be served if there were connections enough: each queue within
   * its own limit, first from its reserve, then together from what nobody has reserved. O(queues).
   */
  get demand(): number {
    return this.demandWith(undefined);
  }

  /** What `demand` would be with one more in this queue; as it is for `undefined`. */
  demandWith(oneMore: Lane<L> | undefined): number {
    if (this.#capacity === 0) return 0;
    if (!this.hasShares) return oneMore === undefined ? this.#size : this.#size + 1;
    let fromReserves = 0;
    let others = 0;
    for (const lane of this.#all) {
      const waiting = lane === oneMore ? lane.waiters.size + 1 : lane.waiters.size;
      const wanted = Math.min(waiting, lane.quota);
      const own = Math.min(wanted, lane.shortfall);
      fromReserves += own;
      others += wanted - own;
    }
    // Below 0 after a limit was lowered or a reserve was raised, which takes nobody his reserve.
    return fromReserves + Math.min(others, Math.max(0, this.#common));
  }

  /** Queues a waiter, in its own queue. Whether there is more demand by it. */
  enqueue(waiter: Waiter<L>): boolean {
    const isAlone = !this.hasShares;
    const before = isAlone ? 0 : this.demand;
    this.#arrivals += 1;
    waiter.arrival = this.#arrivals;
    waiter.lane.waiters.add(waiter);
    this.#size += 1;
    return isAlone ? this.#capacity > 0 : this.demand > before;
  }

  /** Takes a queued waiter out. */
  remove(waiter: Waiter<L>): void {
    waiter.lane.waiters.remove(waiter);
    this.#size -= 1;
  }

  /** Takes out the waiter whose turn it is; `undefined` when nobody may have a connection. */
  takeNext(random: Random): Waiter<L> | undefined {
    if (this.#size === 0 || this.#capacity === 0) return undefined;
    const lane = !this.hasShares ? this.main : this.#next();
    const waiter = lane?.waiters.takeNext(random);
    if (waiter !== undefined) this.#size -= 1;
    return waiter;
  }

  /** Takes out the waiters whose deadline is not after `nowMs`. */
  takeExpired(nowMs: MonotonicMs): Waiter<L>[] {
    const expired = this.#all.flatMap((lane) => lane.waiters.takeExpired(nowMs));
    this.#size -= expired.length;
    return expired;
  }

  /** A moment before which no deadline passes; see `Waiters.nextDeadlineAtMs`. */
  nextDeadlineAtMs(nowMs: MonotonicMs): number {
    return Math.min(...this.#all.map((lane) => lane.waiters.nextDeadlineAtMs(nowMs)));
  }

  /** What nobody has reserved, and nobody uses. */
  get #common(): number {
    return this.#all.reduce((left, lane) => left - lane.inUse - lane.shortfall, this.#capacity);
  }

  /** The queue whose turn it is: of those that may, the highest priority, then who came first. */
  #next(): Lane<L> | undefined {
    let best: Lane<L> | undefined;
    for (const lane of this.#all) {
      if (lane.waiters.size === 0 || !this.admits(lane)) continue;
      if (best === undefined || goesBefore(lane, best)) best = lane;
    }
    return best;
  }
}

function goesBefore<L>(lane: Lane<L>, other: Lane<L>): boolean {
  const { priority } = lane.limits;
  if (priority !== other.limits.priority) return priority > other.limits.priority;
  return lane.waiters.firstArrival < other.waiters.firstArrival;
}
