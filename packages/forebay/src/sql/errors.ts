// The errors that the SQL layer makes itself. A driver's errors are never among them: they pass
// through untouched.

import { ForebayError, UsageError } from "../base/errors.ts";

/**
 * The statement of a `queryRow` gave no row. Its `code` is `NO_ROWS`; test the code, as with every
 * error of this library, where two copies of the library may meet.
 *
 * @example
 * ```ts
 * import { type DB, NoRowsError } from "forebay";
 *
 * async function nameOf(db: DB, id: number): Promise<string | undefined> {
 *   try {
 *     const sql = "SELECT name FROM users WHERE id = $1";
 *     return (await db.queryRow<{ name: string }>(sql, [id])).name;
 *   } catch (error) {
 *     if (error instanceof NoRowsError) return undefined;
 *     throw error;
 *   }
 * }
 * ```
 */
export class NoRowsError extends ForebayError {
  declare readonly code: "NO_ROWS";

  constructor() {
    super("operating", "NO_ROWS", "the statement gave no row", { retryable: false });
    this.name = "NoRowsError";
  }
}

function ended(
  code: "TX_DONE" | "CONN_DONE" | "STMT_CLOSED" | "ROWS_CLOSED",
  message: string,
  cause?: unknown,
): ForebayError {
  return new ForebayError("operating", code, message, { retryable: false, cause });
}

/** For a call on a transaction that has ended. `cause` is what ended it, when that was an error. */
export function txDone(cause?: unknown): ForebayError {
  return ended("TX_DONE", "the transaction has ended; this call was not made", cause);
}

/**
 * For a call on a `Conn` that has been closed. `cause` is what ended it, when that was an error.
 */
export function connDone(cause?: unknown): ForebayError {
  return ended(
    "CONN_DONE",
    "the Conn was closed and its connection is gone; this call was not made",
    cause,
  );
}

/** For a call on a `Stmt` that has been closed. */
export function stmtClosed(): ForebayError {
  return ended("STMT_CLOSED", "the Stmt was closed; this call was not made");
}

/** For a read of `Rows` that were closed before their end. */
export function rowsClosed(): ForebayError {
  return ended("ROWS_CLOSED", "the Rows were closed before they were read to their end");
}

/** For a call on a session that is held by open Rows, or by a transaction begun on it. */
export function connBusy(): UsageError {
  return new UsageError(
    "CONN_BUSY",
    "open Rows or an inner transaction hold this connection; this call was not made. " +
      "Read the Rows to their end or close them, and use the innermost transaction's own handle",
  );
}
