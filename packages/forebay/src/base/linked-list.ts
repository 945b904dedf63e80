// A doubly linked list whose links live in the items themselves: insertion and removal anywhere in
// constant time and without allocation. An item is in at most one list at a time, and knows in
// which.

import { assert } from "./assert.ts";

/** What an item needs to be in a `LinkedList`. Written by the list alone. */
export interface Linked<T extends Linked<T>> {
  list: LinkedList<T> | undefined;
  previous: T | undefined;
  next: T | undefined;
}

/**
 * A list of items that carry their own links. Not for use while iterating, but for removal of the
 * item just given.
 */
export class LinkedList<T extends Linked<T>> {
  #head: T | undefined;
  #tail: T | undefined;
  #size = 0;

  /** How many items are in the list. O(1). */
  get size(): number {
    return this.#size;
  }

  /** The item that was appended first; `undefined` when empty. */
  get head(): T | undefined {
    return this.#head;
  }

  /** The item that was appended last; `undefined` when empty. */
  get tail(): T | undefined {
    return this.#tail;
  }

  /** Adds an item at the tail. It must be in no list. O(1). */
  append(item: T): void {
    assert(item.list === undefined, "list: an item is in one list at a time");
    item.list = this;
    item.previous = this.#tail;
    if (this.#tail === undefined) this.#head = item;
    else this.#tail.next = item;
    this.#tail = item;
    this.#size += 1;
  }

  /** Adds an item before another of this list; at the tail where there is none. O(1). */
  insertBefore(item: T, before: T | undefined): void {
    if (before === undefined) {
      this.append(item);
      return;
    }
    assert(item.list === undefined, "list: an item is in one list at a time");
    assert(before.list === this, "list: an item is put before one of the same list");
    const { previous } = before;
    item.list = this;
    item.previous = previous;
    item.next = before;
    if (previous === undefined) this.#head = item;
    else previous.next = item;
    before.previous = item;
    this.#size += 1;
  }

  /** Takes an item out of the list that it must be in. O(1). */
  remove(item: T): void {
    assert(item.list === this, "list: an item is removed from the list that it is in");
    const { previous, next } = item;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    item.list = undefined;
    item.previous = undefined;
    item.next = undefined;
    this.#size -= 1;
  }

  /** The items from head to tail. The item just given may be removed. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    let item = this.#head;
    while (item !== undefined) {
      const next = item.next;
      yield item;
      item = next;
    }
  }
}
