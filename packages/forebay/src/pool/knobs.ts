// The setters of database/sql, and more: whatever has limits can be changed by them.

import type { IdleOrder, PoolLimits } from "./options.ts";
import type { WaiterOrder } from "./waiters.ts";

/** Limits that may be changed while the pool works. All setters throw `OPTION_INVALID`. */
export abstract class Knobs {
  /**
   * Changes any of the limits, all at once: what is now too much and idle is closed now, what is
   * now allowed is opened for who waits. Throws `OPTION_INVALID`, and changes nothing, where one is
   * bad.
   */
  abstract configure(change: Partial<PoolLimits>): void;

  /**
   * See `PoolLimits.maxOpenConns`. Raised, it serves at once who waits; lowered, it closes what is
   * idle beyond it now, and what is in use when it comes back.
   */
  setMaxOpenConns(count: number): void {
    this.configure({ maxOpenConns: count });
  }

  /** See `PoolLimits.maxIdleConns`. Lowered, it closes now those idle longest. */
  setMaxIdleConns(count: number): void {
    this.configure({ maxIdleConns: count });
  }

  /** See `PoolLimits.minIdleConns`. Raised, it opens connections in the background now. */
  setMinIdleConns(count: number): void {
    this.configure({ minIdleConns: count });
  }

  /** See `PoolLimits.connMaxLifetimeMs`. Counts for open connections too. */
  setConnMaxLifetimeMs(lifetimeMs: number): void {
    this.configure({ connMaxLifetimeMs: lifetimeMs });
  }

  /** See `PoolLimits.connMaxIdleTimeMs`. Counts for idle connections too. */
  setConnMaxIdleTimeMs(idleTimeMs: number): void {
    this.configure({ connMaxIdleTimeMs: idleTimeMs });
  }

  /** See `PoolLimits.acquireTimeoutMs`. Who waits already keeps its deadline. */
  setAcquireTimeoutMs(timeoutMs: number): void {
    this.configure({ acquireTimeoutMs: timeoutMs });
  }

  /** See `PoolLimits.maxWaiters`. Turns nobody away who waits already. */
  setMaxWaiters(count: number): void {
    this.configure({ maxWaiters: count });
  }

  /** See `PoolLimits.maxDialing`. */
  setMaxDialing(count: number): void {
    this.configure({ maxDialing: count });
  }

  /** See `PoolLimits.idleOrder`. */
  setIdleOrder(order: IdleOrder): void {
    this.configure({ idleOrder: order });
  }

  /** See `PoolLimits.waiterOrder`. Counts for those who wait already too. */
  setWaiterOrder(order: WaiterOrder): void {
    this.configure({ waiterOrder: order });
  }
}
