// Transactions. A Tx is the calls between a begin and one end; the outermost ends by the driver's
// commit or rollback, an inner one by its savepoint. Every end, wanted or not, passes through this
// file.

import { isForebayError } from "../base/errors.ts";
import type {
  DriverConn,
  ExecOptions,
  OperationOptions,
  StatementOptions,
} from "../driver/driver.ts";
import { withinMs } from "../pool/within.ts";
import { runExec, runQuery, runQueryRow, runRows } from "./calls.ts";
import { txDone } from "./errors.ts";
import type { Rows } from "./rows.ts";
import type { Hold, Runner } from "./runner.ts";
import { Scope } from "./scope.ts";
import { bindStmt, prepareStmt, type Stmt } from "./stmt.ts";
import type { Timing } from "./timing.ts";
import { savepoint, type TxControl } from "./tx-control.ts";
import type { BeginOptions, ExecResult, Querier, Result, Row } from "./types.ts";

interface TxPrivates {
  abandon(tx: Tx, reason: () => unknown): Promise<void>;
  run<T>(tx: Tx, fn: () => Promise<T>): Promise<T>;
}

let privates: TxPrivates;

/**
 * A transaction, made by `begin` or `transaction` of a `DB` or `Conn`, or by `transaction` of
 * another `Tx`. Its calls go out one at a time, in the order in which they were made; see
 * `Querier`. They are never retried.
 *
 * It ends by `commit` or `rollback`; from then on calls reject with `TX_DONE`. It ends by itself
 * when the signal given to `begin` is aborted: then the statement in flight is aborted, those
 * queued are not made, the transaction is rolled back in the background, and calls reject with
 * `signal.reason`. A statement that fails does not end it, but many databases then refuse
 * everything but a rollback, and answer a commit with one (`COMMIT_ROLLED_BACK`).
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 *
 * async function transfer(db: DB, from: number, to: number, amount: number): Promise<void> {
 *   await db.transaction(async (tx) => {
 *     await tx.exec("UPDATE accounts SET balance = balance - $1 WHERE id = $2", [amount, from]);
 *     await tx.exec("UPDATE accounts SET balance = balance + $1 WHERE id = $2", [amount, to]);
 *   });
 * }
 * ```
 */
export class Tx<C extends DriverConn = DriverConn> implements Querier, AsyncDisposable {
  static {
    privates = {
      abandon: (tx, reason) => tx.#abandon(reason),
      run: (tx, fn) => tx.#runToEnd(fn),
    };
  }

  readonly #scope: Scope<C>;
  readonly #control: TxControl;
  readonly #timing: Timing;
  /** An end that was asked for and reached. */
  #isSettled = false;
  /** Valid once the signal was aborted while the transaction was open. `done` never rejects. */
  #aborted: { readonly reason: unknown; readonly done: Promise<void> } | undefined;

  /** For `beginTx`: the transaction has begun on the connection that `scope` holds. */
  constructor(scope: Scope<C>, control: TxControl, timing: Timing) {
    this.#scope = scope;
    this.#control = control;
    this.#timing = timing;
    if (control.depth > 0) return;
    scope.watch((reason) => {
      this.#aborted = { reason, done: this.#undo(() => reason) };
    });
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

  /** See `Querier.prepare`. The statement ends with the transaction. */
  prepare(sql: string, options?: OperationOptions): Promise<Stmt> {
    const scope = this.#scope;
    return prepareStmt(scope, sql, () => scope.isOver, options);
  }

  /**
   * A statement of the same `DB`, or of a `Conn` or `Tx` of it, to run in this transaction. It is
   * prepared here at its first use, unless the connection knows it. The two live apart: closing one
   * leaves the other as it is, also the one that was closed before; the end of the transaction ends
   * this one only. Throws `ARGUMENT_INVALID` for a statement of another `DB`.
   */
  stmt(stmt: Stmt): Stmt {
    const scope = this.#scope;
    return bindStmt(scope, stmt, () => scope.isOver);
  }

  /**
   * Runs `fn` with a savepoint around it: what it did stays when its promise resolves, and is
   * undone, alone, when it rejects. Use the handle that `fn` is given: until the end of `fn` calls
   * on this one reject with `CONN_BUSY`, so that no savepoint can undo what was done beside it.
   * Otherwise as `DB.transaction`.
   */
  async transaction<T>(fn: (tx: Tx<C>) => Promise<T>): Promise<T> {
    const control = savepoint(this.#control.depth + 1);
    const inner = await beginTx(this.#scope, control, undefined, this.#timing);
    return runToEnd(inner, fn);
  }

  /**
   * Lets `fn` use the driver's connection, in turn; not to be kept after `fn` has ended. What it
   * throws passes through, and the transaction stays open. Do not begin or end one in `fn`.
   */
  raw<T>(fn: (conn: C) => Promise<T> | T, options?: OperationOptions): Promise<T> {
    return this.#scope.raw(fn, options);
  }

  /**
   * Commits, after the calls made before. With this the transaction has ended whatever comes of it:
   * if the commit fails, what the server has not rolled back by itself is rolled back.
   *
   * Rejects as the driver does, in particular with `COMMIT_ROLLED_BACK` when the server rolled back
   * instead, and with `OUTCOME_UNKNOWN` when nobody can know. With `CONN_BUSY`, and then it has not
   * ended, while `Rows` or an inner transaction are open. Without `options.signal` it obeys the
   * transaction's.
   */
  async commit(options?: OperationOptions): Promise<void> {
    const scope = this.#scope;
    scope.assertFree();
    scope.close();
    const signal = options?.signal ?? scope.signal;
    try {
      signal?.throwIfAborted();
      await scope.runLast(
        (conn) => this.#control.commit(conn, signal === undefined ? undefined : { signal }),
        signal,
      );
    } catch (error) {
      if (isForebayError(error) && error.code === "COMMIT_ROLLED_BACK") {
        scope.release();
        throw error;
      }
      const undone = this.#undo(() => txDone(error));
      if (signal?.aborted !== true) await undone;
      throw error;
    }
    this.#isSettled = true;
    scope.release();
  }

  /**
   * Rolls back: waits for the call in flight, ends open `Rows` and inner transactions; calls that
   * have not begun reject with `TX_DONE`. After an abort it resolves when the rollback that is
   * under way is done. If it fails, the connection is closed, by which the server rolls back; the
   * driver's error still rejects.
   */
  async rollback(options?: OperationOptions): Promise<void> {
    if (this.#aborted !== undefined) {
      await this.#aborted.done;
      return;
    }
    const scope = this.#scope;
    scope.assertOpen();
    scope.kill(txDone);
    await scope.abandonBorrower(txDone);
    try {
      await scope.runLast((conn) => this.#control.rollback(conn, options));
    } catch (error) {
      scope.discard(error);
      throw error;
    }
    this.#isSettled = true;
    scope.release();
  }

  /** Rolls back unless the transaction has ended. Never rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#undoIfOpen();
    await this.#aborted?.done;
  }

  async #runToEnd<T>(fn: () => Promise<T>): Promise<T> {
    let value: T;
    try {
      value = await fn();
      if (!this.#isSettled) await this.commit();
    } catch (error) {
      if (this.#aborted !== undefined) throw this.#aborted.reason;
      await this.#undoIfOpen();
      throw error;
    }
    return value;
  }

  async #undoIfOpen(): Promise<void> {
    if (this.#scope.isOpen) await this.#undo(txDone);
  }

  /**
   * Rolls back for the caller who cannot be told of errors: where it fails, the connection is
   * discarded. Never rejects.
   */
  async #undo(refusal: () => unknown): Promise<void> {
    const scope = this.#scope;
    const { clock, rollbackTimeoutMs } = this.#timing;
    scope.kill(refusal);
    await scope.abandonBorrower(refusal);
    try {
      await scope.runLast((conn) =>
        withinMs(clock, rollbackTimeoutMs, this.#control.rollback(conn, undefined), "rollback"),
      );
    } catch (error) {
      scope.discard(error);
      return;
    }
    scope.release();
  }

  /**
   * The session ends: an outer transaction takes the savepoints along with it, an outermost one is
   * rolled back.
   */
  async #abandon(reason: () => unknown): Promise<void> {
    const scope = this.#scope;
    if (this.#control.depth === 0) {
      if (scope.isOpen) await this.#undo(reason);
      return;
    }
    scope.kill(reason);
    await scope.abandonBorrower(reason);
    await scope.idle();
    scope.release();
  }
}

/**
 * Begins a transaction where `runner` runs; on a session, the transaction borrows it until its end.
 *
 * After an abort in the middle of the begin nobody knows whether the server has begun. So it counts
 * as begun, for the abort to roll back: nothing may run later in a transaction that nobody knows
 * of.
 */
export function beginTx<C extends DriverConn>(
  runner: Runner<C>,
  control: TxControl,
  options: BeginOptions | undefined,
  timing: Timing,
): Promise<Tx<C>> {
  const signal = options?.signal ?? (runner instanceof Scope ? runner.signal : undefined);
  let tx: Tx<C> | undefined;
  const use = async (conn: C, with_: OperationOptions | undefined): Promise<void> => {
    try {
      await control.begin(conn, with_);
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  };
  const finish = (_begun: void, hold: Hold, conn: C): Tx<C> => {
    tx = new Tx(new Scope(conn, hold, runner.prepared, txDone, signal), control, timing);
    signal?.throwIfAborted();
    return tx;
  };
  const abandon = async (reason: () => unknown): Promise<void> => {
    if (tx === undefined) await begun.catch(() => undefined);
    if (tx !== undefined) await privates.abandon(tx, reason);
  };
  const begun = runner.run(use, finish, options, { abandon });
  return begun;
}

/**
 * Runs `fn` in a transaction that has begun: commits when it resolves, rolls back when it throws.
 * What `fn` has ended itself stays as it is.
 */
export function runToEnd<C extends DriverConn, T>(
  tx: Tx<C>,
  fn: (tx: Tx<C>) => Promise<T>,
): Promise<T> {
  return privates.run(tx, () => fn(tx));
}
