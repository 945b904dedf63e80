// What users may have done at the turns of a connection's life. Every hook is bounded in time, and
// whatever it does, the connection's place is not lost.

import type { OperationOptions, PooledConn } from "../driver/driver.ts";

/**
 * Functions that the pool calls at the turns of a connection's life. Each may be asynchronous. One
 * that throws, rejects, or takes longer than hookTimeoutMs counts as failed; what follows from
 * that is said for each. None may use the pool itself: it would wait for itself.
 *
 * @example
 * ```ts
 * import { type Connector, type DriverConn, openDB } from "forebay";
 *
 * function open(connector: Connector, freshToken: () => Promise<string>) {
 *   return openDB(connector, {
 *     hooks: {
 *       beforeConnect: async () => ({ password: await freshToken() }),
 *       afterConnect: async (conn: DriverConn) => {
 *         await conn.query("SET statement_timeout = 5000", []);
 *       },
 *     },
 *   });
 * }
 * ```
 */
export interface PoolHooks<C extends PooledConn = PooledConn> {
  /**
   * Before each dial. What it gives is handed to the connector as `ConnectOptions.settings`, for
   * this one connection: a password that is valid for minutes only. A failure is a failed dial.
   * Called several times at once; bounded by dialTimeoutMs, together with the dial.
   */
  beforeConnect?(options: OperationOptions): unknown;
  /**
   * After each dial, before anyone can have the connection. A failure is a failed dial, and the
   * connection is closed. Bounded by dialTimeoutMs, together with the dial.
   */
  afterConnect?(conn: C, options: OperationOptions): unknown;
  /**
   * Before a connection is handed out, in the asynchronous context of the caller who gets it.
   * `false`, or a promise of it, refuses the connection: it is closed, and the caller gets another.
   * After a failure it is closed as well, and the acquire rejects with the hook's error. A
   * connection that nobody had used before counts as a failed dial then.
   */
  beforeAcquire?(conn: C, options: OperationOptions): unknown;
  /**
   * After a connection has come back and its session has been made fit, before anyone else can have
   * it. `false`, or a promise of it, refuses the connection: it is closed. So does a failure, which
   * is reported.
   */
  afterRelease?(conn: C, options: OperationOptions): unknown;
  /** Before a connection is closed. It is closed whatever happens here; a failure is reported. */
  beforeClose?(conn: C, options: OperationOptions): unknown;
}

/** The names of all hooks. */
export const HOOK_NAMES: readonly (keyof PoolHooks)[] = [
  "beforeConnect",
  "afterConnect",
  "beforeAcquire",
  "afterRelease",
  "beforeClose",
];
