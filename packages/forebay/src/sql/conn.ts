// Conn: one session of the pool, in one user's hands for as long as he wants.

import type {
  DriverConn,
  ExecOptions,
  OperationOptions,
  StatementOptions,
} from "../driver/driver.ts";
import { runExec, runQuery, runQueryRow, runRows } from "./calls.ts";
import { connDone } from "./errors.ts";
import type { Rows } from "./rows.ts";
import { finishVoid } from "./runner.ts";
import type { Scope } from "./scope.ts";
import { prepareStmt, type Stmt } from "./stmt.ts";
import type { Timing } from "./timing.ts";
import { checkRetries, transact } from "./transaction.ts";
import { wholeTx } from "./tx-control.ts";
import { beginTx, type Tx } from "./tx.ts";
import type {
  BeginOptions,
  ExecResult,
  Querier,
  Result,
  Row,
  TransactionOptions,
} from "./types.ts";

/**
 * One connection of the pool, kept over several calls, for what belongs to a session: advisory
 * locks, temporary tables, `SET`. Made by `conn` or `withConn` of a `DB`; give it back with
 * `close`. What was set in the session stays set for the next user, unless the driver resets it.
 *
 * Its calls go out one at a time, in the order in which they were made; see `Querier`. They are
 * never retried. After `close` they reject with `CONN_DONE`.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 *
 * async function alone(db: DB, job: () => Promise<void>): Promise<void> {
 *   await db.withConn(async (conn) => {
 *     await conn.exec("SELECT pg_advisory_lock(42)");
 *     try {
 *       await job();
 *     } finally {
 *       await conn.exec("SELECT pg_advisory_unlock(42)");
 *     }
 *   });
 * }
 * ```
 */
export class Conn<C extends DriverConn = DriverConn> implements Querier, AsyncDisposable {
  readonly #scope: Scope<C>;
  readonly #timing: Timing;

  /** For `DB.conn`. */
  constructor(scope: Scope<C>, timing: Timing) {
    this.#scope = scope;
    this.#timing = timing;
  }

  /** See `Querier.query`. */
  query<T = Row>(
    sql: string,
    args?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return runQuery(this.#scope, sql, args, options);
  }

  /** See `Querier.queryRow`. */
  queryRow<T = Row>(
    sql: string,
    args?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<T> {
    return runQueryRow(this.#scope, sql, args, options);
  }

  /** See `Querier.exec`. */
  exec(sql: string, args?: readonly unknown[], options?: ExecOptions): Promise<ExecResult> {
    return runExec(this.#scope, sql, args, options);
  }

  /** See `Querier.rows`. */
  rows<T = Row>(sql: string, args?: readonly unknown[], options?: StatementOptions): Rows<T> {
    return runRows(this.#scope, sql, args, options);
  }

  /** See `Querier.prepare`. The statement ends with the `Conn`. */
  prepare(sql: string, options?: OperationOptions): Promise<Stmt> {
    const scope = this.#scope;
    return prepareStmt(scope, sql, () => scope.isOver, options);
  }

  /**
   * Begins a transaction on this connection. Until it has ended, calls on the `Conn` itself reject
   * with `CONN_BUSY`. See `DB.begin`; there are no retries here.
   */
  begin(options: BeginOptions = {}): Promise<Tx<C>> {
    return beginTx(this.#scope, wholeTx(options), options, this.#timing);
  }

  /** Runs `fn` in a transaction on this connection. See `DB.transaction`. */
  transaction<T>(fn: (tx: Tx<C>) => Promise<T>, options?: TransactionOptions): Promise<T> {
    checkRetries(options?.retries);
    return transact(() => this.begin(options), fn, options, this.#timing);
  }

  /** Proves that the server answers on this connection. See `DB.ping`. */
  ping(options?: OperationOptions): Promise<void> {
    return this.#scope.run(async (conn, with_) => conn.ping?.(with_), finishVoid, options);
  }

  /**
   * Lets `fn` use the driver's connection, in turn; not to be kept after `fn` has ended. What it
   * throws passes through. Whether the connection is still of use is for the driver to say, as
   * after any other call.
   */
  raw<T>(fn: (conn: C) => Promise<T> | T, options?: OperationOptions): Promise<T> {
    return this.#scope.raw(fn, options);
  }

  /**
   * Gives the connection back: waits for the calls made before, ends open `Rows`, rolls back an
   * open transaction. No effect on a second call. Never rejects.
   */
  async close(): Promise<void> {
    const scope = this.#scope;
    scope.close();
    await scope.abandonBorrower(connDone);
    await scope.idle();
    scope.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
