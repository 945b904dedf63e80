// Deadlines for many short things with one timer: things that have the same time stand in one list,
// in which the first is always due first. To add and to cancel take constant time, and no timer is
// touched. (The idea of hashed timing wheels: Varghese and Lauck, 1987.)

import type { Clock, MonotonicMs } from "./clock.ts";
import { type Linked, LinkedList } from "./linked-list.ts";

/** A deadline is noticed up to this much late, and never early. */
export const DEADLINE_GRAIN_MS: number = 20;

/** One deadline. */
export class Deadline implements Linked<Deadline> {
  readonly atMs: number;
  readonly onDue: () => void;
  list: LinkedList<Deadline> | undefined;
  previous: Deadline | undefined;
  next: Deadline | undefined;

  constructor(atMs: number, onDue: () => void) {
    this.atMs = atMs;
    this.onDue = onDue;
  }

  /** It does not matter any more. No effect when it has passed. */
  cancel(): void {
    this.list?.remove(this);
  }
}

/** The deadlines of one clock. */
export class Deadlines {
  readonly #clock: Clock;
  /** By how long they were given. */
  readonly #lists = new Map<number, LinkedList<Deadline>>();
  #isLooking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `onDue` once, `afterMs` from now or up to `DEADLINE_GRAIN_MS` later, unless it is
   * cancelled before. `afterMs` is above 0 and finite. `onDue` must not throw.
   */
  add(afterMs: number, onDue: () => void): Deadline {
    let list = this.#lists.get(afterMs);
    if (list === undefined) {
      list = new LinkedList();
      this.#lists.set(afterMs, list);
    }
    const deadline = new Deadline(this.#clock.nowMs() + afterMs, onDue);
    list.append(deadline);
    this.#lookLater();
    return deadline;
  }

  readonly #look = (): void => {
    const nowMs: MonotonicMs = this.#clock.nowMs();
    this.#isLooking = false;
    for (const [afterMs, list] of this.#lists) {
      // From the head each time: whoever is told may cancel those behind.
      for (let { head } = list; head !== undefined && head.atMs <= nowMs; { head } = list) {
        list.remove(head);
        head.onDue();
      }
      if (list.size === 0) this.#lists.delete(afterMs);
    }
    if (this.#lists.size > 0) this.#lookLater();
  };

  #lookLater(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#clock.setTimer(DEADLINE_GRAIN_MS, this.#look);
  }
}
