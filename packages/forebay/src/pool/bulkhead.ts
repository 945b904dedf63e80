// A bulkhead, as its users see it: a part of a pool that has a queue, a share and a priority of its
// own.

import type { PooledConn } from "../driver/driver.ts";
import type { BulkheadLimits, Lane } from "./lanes.ts";
import type { Lease, PoolLease } from "./lease.ts";
import type { AcquireOptions } from "./pool.ts";
import { bulkheadStats, type BulkheadStats } from "./stats.ts";

/**
 * Where connections are had from: a pool, or a bulkhead of it. All methods may be called
 * concurrently.
 */
export interface Acquirer<C extends PooledConn> {
  /** See `Pool.acquire`. */
  acquire(options?: AcquireOptions): Promise<Lease<C>>;
  /** See `Pool.tryAcquire`. */
  tryAcquire(): Lease<C> | undefined;
  /** See `Pool.use`. */
  use<T>(fn: (conn: C) => Promise<T>, options?: AcquireOptions): Promise<T>;
}

/** What a bulkhead needs of its pool. */
export interface BulkheadPool<C extends PooledConn> {
  acquire(lane: Lane<PoolLease<C>>, options: AcquireOptions | undefined): Promise<Lease<C>>;
  tryAcquire(lane: Lane<PoolLease<C>>): Lease<C> | undefined;
  use<T>(
    lane: Lane<PoolLease<C>>,
    fn: (conn: C) => Promise<T>,
    options: AcquireOptions | undefined,
  ): Promise<T>;
  limit(name: string, change: Partial<BulkheadLimits>): void;
}

/**
 * A share of a pool, made by `Pool.bulkhead`: its callers wait in a queue of their own, may use so
 * many connections, and can count on so many, whatever all others do. It ends with its pool.
 */
export class Bulkhead<C extends PooledConn> implements Acquirer<C> {
  readonly #pool: BulkheadPool<C>;
  readonly #lane: Lane<PoolLease<C>>;

  /** For `Pool.bulkhead`. */
  constructor(pool: BulkheadPool<C>, lane: Lane<PoolLease<C>>) {
    this.#pool = pool;
    this.#lane = lane;
  }

  /** The name it was made with. */
  get name(): string {
    return this.#lane.name;
  }

  /** See `Pool.acquire`. Rejects with `POOL_QUEUE_FULL` also when maxWaiting wait here. */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    return this.#pool.acquire(this.#lane, options);
  }

  /** See `Pool.tryAcquire`. `undefined` also where the bulkhead may not have one more. */
  tryAcquire(): Lease<C> | undefined {
    return this.#pool.tryAcquire(this.#lane);
  }

  /** See `Pool.use`. */
  use<T>(fn: (conn: C) => Promise<T>, options?: AcquireOptions): Promise<T> {
    return this.#pool.use(this.#lane, fn, options);
  }

  /**
   * Changes limits, at once; what is in use stays in use. Throws `OPTION_INVALID`, and changes
   * nothing, where one is bad.
   */
  configure(change: Partial<BulkheadLimits>): void {
    this.#pool.limit(this.#lane.name, change);
  }

  /** A consistent snapshot. Constant time. */
  stats(): BulkheadStats {
    return bulkheadStats(this.#lane);
  }
}
