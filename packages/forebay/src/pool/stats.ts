// The pool's statistics: counters that the core advances, and the snapshot that is read from them
// and from the lists. A gauge is the size of a list, never a number of its own.

import { RETIRE_REASONS, type RetireReason } from "./state.ts";

/** What has happened since the pool was made. Only ever grows. Written by the core alone. */
export class PoolCounters {
  acquireCount = 0;
  waitCount = 0;
  waitDurationMs = 0;
  timeoutCount = 0;
  abortCount = 0;
  queueFullCount = 0;
  dialCount = 0;
  dialErrorCount = 0;
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
  /** Connections never to be used again, and not yet gone. */
  readonly closing: number;
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
  /** Acquires refused because maxWaiters waited. */
  readonly queueFullCount: number;
  /** Connections retired, by reason. */
  readonly closedBy: Readonly<Record<RetireReason, number>>;
}

/** A consistent snapshot of one pool. */
export interface PoolStats extends DBStats {
  readonly pool: PoolDetails;
}
