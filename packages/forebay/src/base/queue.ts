// A first-in, first-out queue in a ring: nothing is allocated while it does not outgrow its largest
// size so far, and nothing that has left is kept alive.

/** A power of two, so that places wrap with a mask. */
const PLACES_FIRST = 16;

/** A queue. Every operation takes constant time, but for a push that makes the ring grow. */
export class Queue<T> {
  #places: (T | undefined)[] = empty(PLACES_FIRST);
  #head = 0;
  #size = 0;

  /** How many items are queued. O(1). */
  get size(): number {
    return this.#size;
  }

  /** Adds an item behind all others. */
  push(item: T): void {
    if (this.#size === this.#places.length) this.#grow();
    this.#places[this.#wrap(this.#head + this.#size)] = item;
    this.#size += 1;
  }

  /** Takes out the item that was added first; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#places[this.#head];
    this.#places[this.#head] = undefined;
    this.#head = this.#wrap(this.#head + 1);
    this.#size -= 1;
    return item;
  }

  #wrap(place: number): number {
    return place & (this.#places.length - 1);
  }

  #grow(): void {
    const { length } = this.#places;
    const inOrder = [...this.#places.slice(this.#head), ...this.#places.slice(0, this.#head)];
    this.#places = [...inOrder, ...empty(length)];
    this.#head = 0;
  }
}

function empty(places: number): undefined[] {
  return Array.from({ length: places }, () => undefined);
}
