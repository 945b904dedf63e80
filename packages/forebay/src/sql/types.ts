// The shapes that callers of the SQL layer see: results, options, and what DB, Conn and Tx have in
// common.

import type {
  Column,
  ExecOptions,
  OperationOptions,
  StatementOptions,
  TxOptions,
} from "../driver/driver.ts";
import type { Rows } from "./rows.ts";
import type { Stmt } from "./stmt.ts";
import type { Tx } from "./tx.ts";

/** A row when nothing is said about its type: an object keyed by column name. */
export type Row = Record<string, unknown>;

/** What a query gave. */
export interface Result<T = Row> {
  /** All rows. `T` is the caller's word: nothing checks it. */
  readonly rows: T[];
  readonly columns: readonly Column[];
  /**
   * Rows inserted, updated, deleted or, where the server counts them, selected; 0 for statements
   * without a count.
   */
  readonly rowsAffected: number;
  /** The server's word for what was done, such as `INSERT`; empty when the server gives none. */
  readonly command: string;
  /**
   * The key that the server made for the row inserted last, of databases that tell; PostgreSQL does
   * not, and has `RETURNING`.
   */
  readonly lastInsertId?: bigint | number | undefined;
}

/** What a statement did. */
export interface ExecResult {
  /** As in `Result`. */
  readonly rowsAffected: number;
  /** As in `Result`. */
  readonly command: string;
  /** As in `Result`. */
  readonly lastInsertId?: bigint | number | undefined;
}

/** How to begin a transaction. */
export interface BeginOptions extends TxOptions, OperationOptions {
  /**
   * Holds for the whole transaction, as the context of Go's `BeginTx`: aborting it stops the wait
   * for a connection, the statement in flight and those queued, and rolls back. From then on calls
   * reject with `signal.reason`.
   */
  readonly signal?: AbortSignal | undefined;
}

/** How to run a transaction. */
export interface TransactionOptions extends BeginOptions {
  /**
   * How often the function is run again in a new transaction when the database gave it up for
   * another's sake: a serialization failure (SQLSTATE 40001) or a deadlock (40P01). The function
   * must then bear being run more than once. Between two runs lies a random wait that grows from up
   * to 10 ms to up to 1 second. A whole number from 0.
   * @defaultValue 0
   */
  readonly retries?: number | undefined;
}

/**
 * What `DB`, `Conn` and `Tx` have in common, so that a function can take any of them.
 *
 * On a `DB`, each call runs on any connection of the pool, at the same time as others. On a `Conn`
 * or a `Tx` calls run on one connection, one at a time, in the order in which they were made; while
 * `Rows` are open there, or an inner transaction, other calls reject with `CONN_BUSY`.
 *
 * Rejections are the driver's errors, untouched; `signal.reason`, unchanged; and this library's
 * own, by their `code`. A statement that fails leaves the connection to others, unless the driver
 * says that it is broken.
 *
 * @example
 * ```ts
 * import type { Querier } from "forebay";
 *
 * async function rename(on: Querier, id: number, name: string): Promise<boolean> {
 *   const { rowsAffected } = await on.exec("UPDATE users SET name = $1 WHERE id = $2", [name, id]);
 *   return rowsAffected === 1;
 * }
 * ```
 */
export interface Querier {
  /**
   * Runs a statement and gathers its rows in memory. `T` is what the caller knows of a row; nothing
   * checks it: `scan` does.
   *
   * Each of `args` is a value for one placeholder, by position, or a `named` one where the driver
   * takes them. Rejects with `ARGUMENT_INVALID`, before anything is sent, for `undefined` (`null`
   * is NULL), functions, symbols, invalid dates, and what the driver refuses; the message says
   * which argument it was.
   */
  query<T = Row>(
    sql: string,
    args?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<Result<T>>;
  /**
   * Runs a statement and gives its first row; rejects with a `NoRowsError` (code `NO_ROWS`) when
   * there is none. The statement runs to its end, so that an error in a later row is not lost:
   * limit it to one row where it can give more.
   */
  queryRow<T = Row>(sql: string, args?: readonly unknown[], options?: StatementOptions): Promise<T>;
  /** Runs a statement for what it does; rows that it gives are dropped. */
  exec(sql: string, args?: readonly unknown[], options?: ExecOptions): Promise<ExecResult>;
  /** Rows that are fetched as they are read; see `Rows`. Nothing happens before the first read. */
  rows<T = Row>(sql: string, args?: readonly unknown[], options?: StatementOptions): Rows<T>;
  /**
   * Prepares a statement, to run it many times; see `Stmt`. Rejects when the statement is wrong.
   */
  prepare(sql: string, options?: OperationOptions): Promise<Stmt>;
  /**
   * Runs `fn` in a transaction: commits when its promise resolves, rolls back when it rejects. In a
   * transaction, it sets a savepoint instead.
   */
  transaction<T>(fn: (tx: Tx) => Promise<T>): Promise<T>;
}
