// What DB, Conn and Tx have in common inside: a way to make one call on a driver connection and
// give it back. Written once for any connection of a pool (retry.ts) and once for one session
// (scope.ts); statements and rows run on either.

import type { DriverConn, DriverResult, StatementOptions } from "../driver/driver.ts";
import { NoRowsError } from "./errors.ts";
import type { Prepared } from "./prepared.ts";
import type { ExecResult, Result } from "./types.ts";

/**
 * A connection in the hands of one user, who calls exactly one of the two, once. A pool's `Lease`
 * is one.
 */
export interface Hold {
  /** Gives the connection back for reuse; whether it is fit for that, the driver says. */
  release(): void;
  /** Gives the connection back to be closed, because its state cannot be trusted. */
  discard(reason?: unknown): void;
}

/**
 * Something that keeps a session over several calls, and shuts out the session's other users
 * meanwhile.
 */
export interface Borrower {
  /**
   * Ends the use: whatever is called on the borrower from now on rejects with what `reason` makes.
   * Resolves once the connection has been given back. Never rejects.
   */
  abandon(reason: () => unknown): Promise<void>;
}

/**
 * Makes a call on a driver connection. Both `use` and `finish` may be called again if nothing was
 * sent.
 */
export type Use<C, R> = (conn: C, options: StatementOptions | undefined) => Promise<R>;

/** Ends a call that succeeded: takes over the hold, and gives it back now or later. */
export type Finish<C, R, T> = (result: R, hold: Hold, conn: C) => T;

/** Where calls are made. */
export interface Runner<C extends DriverConn> {
  /** Who knows which statement; one for all runners of a DB. */
  readonly prepared: Prepared;
  /**
   * Gets a connection, makes the call, and hands result and hold to `finish`. If the call rejects,
   * the connection is given back and `finish` is not called. A `borrower` keeps the hold beyond the
   * call.
   */
  run<R, T>(
    use: Use<C, R>,
    finish: Finish<C, R, T>,
    options: StatementOptions | undefined,
    borrower?: Borrower,
  ): Promise<T>;
}

/** The arguments of a statement without any. */
export const NO_ARGS: readonly unknown[] = Object.freeze([]);

/** Gives the connection back; the whole result. */
export function finishQuery<T>(result: DriverResult, hold: Hold): Result<T> {
  hold.release();
  return result as Result<T>;
}

/** Gives the connection back; the first row, or a `NoRowsError`. */
export function finishQueryRow(result: DriverResult, hold: Hold): unknown {
  hold.release();
  return firstRowOf(result);
}

/** The first row. Throws a `NoRowsError` where there is none. */
export function firstRowOf({ rows }: Pick<DriverResult, "rows">): unknown {
  if (rows.length === 0) throw new NoRowsError();
  return rows[0];
}

/** Gives the connection back; what was done, without rows. */
export function finishExec(result: DriverResult, hold: Hold): ExecResult {
  hold.release();
  return doneOf(result);
}

/** What was done, without rows. */
export function doneOf({ rowsAffected, command, lastInsertId }: ExecResult): ExecResult {
  return lastInsertId === undefined
    ? { rowsAffected, command }
    : { rowsAffected, command, lastInsertId };
}

/** Gives the connection back; nothing else. */
export function finishVoid(_result: unknown, hold: Hold): void {
  hold.release();
}
