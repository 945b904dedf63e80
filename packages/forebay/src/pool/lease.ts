// One grant of a connection to one caller. It says so when it is used after its end.

import { assert } from "../base/assert.ts";
import { UsageError } from "../base/errors.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { Slot } from "./state.ts";

/**
 * One grant of a connection. Give it back exactly once, with `release` or `discard`, on every way
 * out of your code: put it into `finally`, or use `await using`.
 */
export interface Lease<C extends PooledConn> extends AsyncDisposable {
  /** The connection. Throws `LEASE_STALE` after the release. */
  readonly conn: C;
  /**
   * Gives the connection back. The driver is asked whether it may be used again; whoever waits
   * longest gets it at once. Throws `LEASE_STALE` on a second call.
   */
  release(): void;
  /**
   * Gives the connection back for it to be closed, where its state cannot be trusted. `reason` goes
   * to `onBackgroundError`. Throws `LEASE_STALE` on a second call.
   */
  discard(reason?: unknown): void;
  /** Releases, unless that has been done. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a lease needs of the pool that granted it. */
export interface LeaseOwner<C extends PooledConn> {
  giveBack(slot: Slot<C>, generation: number): void;
  discard(slot: Slot<C>, generation: number, reason: unknown): void;
  refuse(slot: Slot<C>, generation: number): void;
}

let slotOfLease: <C extends PooledConn>(lease: PoolLease<C>) => Slot<C>;
let refuseLease: <C extends PooledConn>(lease: PoolLease<C>) => void;

/** The slot that a lease is of. */
export function slotOf<C extends PooledConn>(lease: PoolLease<C>): Slot<C> {
  return slotOfLease(lease);
}

/** Gives the connection back for it to be closed, because a hook would not have it handed out. */
export function refuse<C extends PooledConn>(lease: PoolLease<C>): void {
  refuseLease(lease);
}

/** The lease that a pool hands out. */
export class PoolLease<C extends PooledConn> implements Lease<C> {
  static {
    slotOfLease = (lease) => lease.#slot;
    refuseLease = (lease) => {
      lease.#ended = true;
      lease.#owner.refuse(lease.#slot, lease.#generation);
    };
  }

  readonly #owner: LeaseOwner<C>;
  readonly #slot: Slot<C>;
  readonly #generation: number;
  readonly #conn: C;
  #ended: boolean;

  constructor(owner: LeaseOwner<C>, slot: Slot<C>) {
    assert(slot.conn !== undefined, "lease: a leased slot has a connection");
    this.#owner = owner;
    this.#slot = slot;
    this.#generation = slot.generation;
    this.#conn = slot.conn;
    this.#ended = false;
  }

  get conn(): C {
    if (this.#ended) throw stale("used");
    return this.#conn;
  }

  release(): void {
    if (this.#ended) throw stale("released");
    this.#ended = true;
    this.#owner.giveBack(this.#slot, this.#generation);
  }

  discard(reason?: unknown): void {
    if (this.#ended) throw stale("discarded");
    this.#ended = true;
    this.#owner.discard(this.#slot, this.#generation, reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.release();
    return Promise.resolve();
  }
}

function stale(what: string): UsageError {
  return new UsageError(
    "LEASE_STALE",
    `a lease was ${what} after it had been given back: ` +
      "the connection may be somebody else's by now. " +
      "Give each lease back once, and do not use it after that",
  );
}
