// The queue of acquires that wait: in order of arrival, or at random as database/sql does. Constant
// time for each operation in both orders.

import { assert } from "../base/assert.ts";
import type { MonotonicMs } from "../base/clock.ts";
import { LinkedList } from "../base/linked-list.ts";
import { type Random, randomBelow } from "../base/random.ts";
import type { Waiter } from "./state.ts";

/** Who is served first: the one that waits longest, or anyone. */
export type WaiterOrder = "fifo" | "random";

/** The waiters of one pool. */
export class Waiters<L> {
  readonly #byArrival: LinkedList<Waiter<L>> = new LinkedList();
  /** The same waiters where the order is random, to draw from; otherwise `undefined`. */
  #bag: Waiter<L>[] | undefined;
  /** No waiter now queued was given less time than this, from arrival to deadline. */
  #patienceMsMin = Infinity;

  constructor(order: WaiterOrder) {
    this.setOrder(order);
  }

  /** How many wait. O(1). */
  get size(): number {
    return this.#byArrival.size;
  }

  /** The number of the one that waits longest; `Infinity` when nobody does. O(1). */
  get firstArrival(): number {
    return this.#byArrival.head?.arrival ?? Infinity;
  }

  /** The waiters in order of arrival. The one just given may be removed. */
  [Symbol.iterator](): Iterator<Waiter<L>> {
    return this.#byArrival[Symbol.iterator]();
  }

  /** Changes the order, for those already queued too. O(n). */
  setOrder(order: WaiterOrder): void {
    if ((order === "random") === (this.#bag !== undefined)) return;
    this.#bag = order === "random" ? [] : undefined;
    for (const waiter of this.#byArrival) this.#putInBag(waiter);
  }

  /** Adds a waiter. It must not be queued yet. */
  add(waiter: Waiter<L>): void {
    const patienceMs = waiter.deadlineAtMs - waiter.enqueuedAtMs;
    this.#patienceMsMin = this.size === 0 ? patienceMs : Math.min(this.#patienceMsMin, patienceMs);
    this.#byArrival.append(waiter);
    this.#putInBag(waiter);
  }

  /** Takes out a queued waiter, wherever it stands. */
  remove(waiter: Waiter<L>): void {
    this.#byArrival.remove(waiter);
    const bag = this.#bag;
    if (bag === undefined) return;
    const last = bag.pop();
    assert(last !== undefined && bag.length === this.size, "waiters: the bag holds who is queued");
    if (last === waiter) return;
    bag[waiter.place] = last;
    last.place = waiter.place;
  }

  /** Takes out the waiter whose turn it is; `undefined` when none waits. */
  takeNext(random: Random): Waiter<L> | undefined {
    const bag = this.#bag;
    const waiter = bag === undefined ? this.#byArrival.head : bag[randomBelow(random, bag.length)];
    if (waiter !== undefined) this.remove(waiter);
    return waiter;
  }

  /** Takes out the waiters whose deadline is not after `nowMs`, in order of arrival. */
  takeExpired(nowMs: MonotonicMs): Waiter<L>[] {
    const expired: Waiter<L>[] = [];
    for (const waiter of this.#byArrival) {
      if (this.#earliestBehindAtMs(waiter) > nowMs) break;
      if (waiter.deadlineAtMs > nowMs) continue;
      this.remove(waiter);
      expired.push(waiter);
    }
    return expired;
  }

  /**
   * A moment before which no deadline passes, later than `nowMs` where nothing is due; `Infinity`
   * for never.
   */
  nextDeadlineAtMs(nowMs: MonotonicMs): number {
    let earliestAtMs = Infinity;
    for (const waiter of this.#byArrival) {
      const boundAtMs = this.#earliestBehindAtMs(waiter);
      if (boundAtMs > nowMs) return Math.min(earliestAtMs, boundAtMs);
      earliestAtMs = Math.min(earliestAtMs, waiter.deadlineAtMs);
    }
    return earliestAtMs;
  }

  /**
   * Neither this waiter nor any behind it is due earlier, since they arrived no earlier. Where all
   * are given the same time, as is usual, this is the waiter's own deadline, so that a search ends
   * at the first that is not due.
   */
  #earliestBehindAtMs(waiter: Waiter<L>): number {
    return waiter.enqueuedAtMs + this.#patienceMsMin;
  }

  #putInBag(waiter: Waiter<L>): void {
    if (this.#bag === undefined) return;
    waiter.place = this.#bag.length;
    this.#bag.push(waiter);
  }
}
