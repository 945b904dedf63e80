// The pool's statistics: counters that the core advances, and the snapshot that is read from them
// and from the lists. A gauge is the size of a list, never a number of its own.

import type { DurationSnapshot } from "../base/histogram.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { PoolCore } from "./core.ts";
import type { Lane } from "./lanes.ts";
import { RETIRE_REASONS, type RetireReason } from "./state.ts";

/** What has happened to the acquires of one queue. Only ever grows. Written by the core alone. */
export class LaneCounters {
  acquireCount = 0;
  waitCount = 0;
  waitDurationMs = 0;
  timeoutCount = 0;
  abortCount = 0;
  queueFullCount = 0;
  shedCount = 0;

  /** Adds what another queue has counted. */
  add(other: LaneCounters): this {
    this.acquireCount += other.acquireCount;
    this.waitCount += other.waitCount;
    this.waitDurationMs += other.waitDurationMs;
    this.timeoutCount += other.timeoutCount;
    this.abortCount += other.abortCount;
    this.queueFullCount += other.queueFullCount;
    this.shedCount += other.shedCount;
    return this;
  }
}

/** What has happened to connections. Only ever grows. Written by the core alone. */
export class ConnCounters {
  dialCount = 0;
  dialErrorCount = 0;
  pingCount = 0;
  readonly retired: Record<RetireReason, number>;

  constructor() {
    const none = RETIRE_REASONS.map((reason) => [reason, 0] as const);
    this.retired = Object.fromEntries(none) as Record<RetireReason, number>;
  }
}

/** The statistics of database/sql's `DBStats`, with the same meaning to the letter. */
export interface DBStats {
  /** The limit; `Infinity` for none (0 in Go). */
  readonly maxOpenConnections: number;
  /** Open, being opened, or being closed. */
  readonly openConnections: number;
  /**
   * All that are not idle: so also those being opened or closed. `pool.leased` has those in
   * somebody's hands.
   */
  readonly inUse: number;
  /** Idle, also while they are being pinged. */
  readonly idle: number;
  /**
   * Acquires that had to wait because maxOpenConns were open. Counts when the wait begins, so also
   * those given up later. Waiting for a dial does not count.
   */
  readonly waitCount: number;
  /** How long those waits took in all, added when each ends, however it ends. Milliseconds. */
  readonly waitDurationMs: number;
  /** Closed because maxIdleConns were idle already, or as that limit was lowered. */
  readonly maxIdleClosed: number;
  /** Closed because of connMaxIdleTimeMs. */
  readonly maxIdleTimeClosed: number;
  /** Closed because of connMaxLifetimeMs. */
  readonly maxLifetimeClosed: number;
}

/** What `DBStats` leaves out. */
export interface PoolDetails {
  readonly name: string;
  /** Acquires that wait now, for whatever. */
  readonly waiting: number;
  /** Connections in somebody's hands. */
  readonly leased: number;
  /** Connections being opened. */
  readonly dialing: number;
  /** Connections given back, whose session is being made fit. */
  readonly checking: number;
  /** Idle connections that are being asked whether they live. */
  readonly pinging: number;
  /** Connections never to be used again, and not yet gone. */
  readonly closing: number;
  /** Whether the pool is suspended: nobody is served until it is resumed. */
  readonly isSuspended: boolean;
  /** Connections handed out. */
  readonly acquireCount: number;
  /** Dials that gave a connection. */
  readonly dialCount: number;
  /** Dials that failed. */
  readonly dialErrorCount: number;
  /** Acquires that ran out of time. */
  readonly timeoutCount: number;
  /** Acquires whose signal was aborted while they waited. */
  readonly abortCount: number;
  /** Acquires refused because maxWaiters, or a bulkhead's maxWaiting, waited. */
  readonly queueFullCount: number;
  /** Acquires turned away because all waited for too long; see `shedding`. */
  readonly shedCount: number;
  /** Pings begun. */
  readonly pingCount: number;
  /** Connections retired, by reason. */
  readonly closedBy: Readonly<Record<RetireReason, number>>;
}

/** A consistent snapshot of one pool. */
export interface PoolStats extends DBStats {
  readonly pool: PoolDetails;
}

/** A consistent snapshot of one bulkhead. */
export interface BulkheadStats {
  readonly name: string;
  /** At most this many may be in use; `Infinity` for no limit of its own. */
  readonly maxInUse: number;
  readonly reserved: number;
  readonly priority: number;
  /** Connections in the hands of its callers. */
  readonly inUse: number;
  /** Acquires that wait now, for whatever. */
  readonly waiting: number;
  /** Acquires that had to wait for lack of a connection that they might have; as `DBStats`. */
  readonly waitCount: number;
  /** How long those waits took in all, added when each ends. Milliseconds. */
  readonly waitDurationMs: number;
  /** Connections handed out. */
  readonly acquireCount: number;
  /** Acquires that ran out of time. */
  readonly timeoutCount: number;
  /** Acquires whose signal was aborted while they waited. */
  readonly abortCount: number;
  /** Acquires refused because maxWaiting, or the pool's maxWaiters, waited. */
  readonly queueFullCount: number;
  /** Acquires turned away because all waited for too long. */
  readonly shedCount: number;
}

/** Durations since the pool was made, each kind in a histogram. */
export interface PoolHistograms {
  /**
   * How long acquires waited that were not served at once, from the call to the connection. Those
   * served at once are `acquireCount` less the count here.
   */
  readonly wait: DurationSnapshot;
  /** How long connections were held, from acquire to release. */
  readonly hold: DurationSnapshot;
  /** How long dials took that gave a connection, with their hooks. */
  readonly dial: DurationSnapshot;
}

/** The snapshot of a pool. O(bulkheads), whatever the number of connections and waiters. */
export function poolStats<C extends PooledConn, L>(core: PoolCore<C, L>, name: string): PoolStats {
  const { slots, counters, lanes } = core;
  const total = core.totals();
  const idle = slots.idle.size + slots.pinging.size;
  return {
    maxOpenConnections: core.limits.maxOpenConns,
    openConnections: slots.open,
    inUse: slots.open - idle,
    idle,
    waitCount: total.waitCount,
    waitDurationMs: total.waitDurationMs,
    maxIdleClosed: counters.retired["idle-limit"],
    maxIdleTimeClosed: counters.retired["idle-time"],
    maxLifetimeClosed: counters.retired.lifetime,
    pool: {
      name,
      waiting: lanes.size,
      leased: slots.leased.size,
      dialing: slots.connecting.size,
      checking: slots.checking.size,
      pinging: slots.pinging.size,
      closing: slots.closing.size,
      isSuspended: core.isSuspended,
      acquireCount: total.acquireCount,
      dialCount: counters.dialCount,
      dialErrorCount: counters.dialErrorCount,
      timeoutCount: total.timeoutCount,
      abortCount: total.abortCount,
      queueFullCount: total.queueFullCount,
      shedCount: total.shedCount,
      pingCount: counters.pingCount,
      closedBy: { ...counters.retired },
    },
  };
}

/** The snapshot of a bulkhead. Constant time. */
export function bulkheadStats<L>(lane: Lane<L>): BulkheadStats {
  const { name, limits, inUse, waiters, counters } = lane;
  const { maxInUse, reserved, priority } = limits;
  const { acquireCount, waitCount, waitDurationMs } = counters;
  const { timeoutCount, abortCount, queueFullCount, shedCount } = counters;
  return {
    name,
    maxInUse,
    reserved,
    priority,
    inUse,
    waiting: waiters.size,
    waitCount,
    waitDurationMs,
    acquireCount,
    timeoutCount,
    abortCount,
    queueFullCount,
    shedCount,
  };
}
