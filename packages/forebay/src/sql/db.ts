// DB: the entry to the SQL layer. It owns the pool; every call goes through the runner, which takes
// a connection for it and gives it back.

import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type {
  Connector,
  DriverConn,
  OperationOptions,
  StatementOptions,
} from "../driver/driver.ts";
import type { IdleOrder, PoolOptions } from "../pool/options.ts";
import { type CloseOptions, Pool } from "../pool/pool.ts";
import type { PoolStats } from "../pool/stats.ts";
import type { WaiterOrder } from "../pool/waiters.ts";
import { runExec, runQuery, runQueryRow, runRows } from "./calls.ts";
import { Conn } from "./conn.ts";
import { connDone } from "./errors.ts";
import { checkMaxStmts, Prepared } from "./prepared.ts";
import { PooledRunner } from "./retry.ts";
import type { Rows } from "./rows.ts";
import { finishVoid } from "./runner.ts";
import { Scope } from "./scope.ts";
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

/** The options of a `DB`: those of its pool, and some of its own. */
export interface DBOptions extends PoolOptions {
  /**
   * How many statements each connection keeps prepared for the `Stmt`s of this `DB`: when one more
   * is prepared there, the one used longest ago is closed; it is prepared again when it is needed.
   * A statement costs the server memory on each connection, and a program that makes its texts as
   * it goes would otherwise fill it. A whole number from 1, or `Infinity` for no limit.
   * @defaultValue 256
   */
  readonly maxStmtsPerConn?: number | undefined;
}

/**
 * Makes a `DB` over a connector. Opens nothing yet, unless minIdleConns asks for it: `ping` tells
 * whether the database can be reached. Throws `OPTION_INVALID`. Close the `DB` when the program
 * ends; one for each database is enough.
 *
 * @example
 * ```ts
 * import { type Connector, openDB } from "forebay";
 *
 * async function main(connector: Connector): Promise<void> {
 *   const db = openDB(connector, { maxOpenConns: 16, connMaxLifetimeMs: 30 * 60_000 });
 *   const { rows } = await db.query<{ id: number }>("SELECT id FROM users WHERE team = $1", [7]);
 *   console.log(rows.length);
 *   await db.close();
 * }
 * ```
 */
export function openDB<C extends DriverConn>(
  connector: Connector<C>,
  options: DBOptions = {},
): DB<C> {
  const { maxStmtsPerConn, ...poolOptions } = options;
  const prepared = new Prepared(checkMaxStmts(maxStmtsPerConn));
  return new DB(connector, new Pool(connector, poolOptions), prepared, {
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    rollbackTimeoutMs: options.resetTimeoutMs ?? ROLLBACK_TIMEOUT_MS,
  });
}

const ROLLBACK_TIMEOUT_MS = 5000;

/**
 * A database: a pool of connections, and the calls that run on them. Made by `openDB`. Every method
 * may be called concurrently.
 *
 * Each call takes a connection of its own, waits for one if all are busy, and gives it back on
 * every way out. It rejects as the pool's acquire does when it gets none (`POOL_TIMEOUT`,
 * `POOL_CLOSED`, `POOL_QUEUE_FULL`, `CONNECT_FAILED`), and otherwise as `Querier` says.
 *
 * When the driver is certain that nothing of a call was sent (`BadConnError`), the call is made
 * again: once more on what the pool has, then, with all idle connections closed, on a new one. All
 * tries share one acquire deadline. `query`, `queryRow`, `exec`, `prepare`, `begin`, `ping`, the
 * first read of `rows`, and the calls of a `Stmt` do so; nothing else, and nothing on a `Conn` or a
 * `Tx`.
 */
export class DB<C extends DriverConn = DriverConn> implements Querier, AsyncDisposable {
  /** What it was opened over. (`DB.Driver`.) */
  readonly connector: Connector<C>;
  readonly #pool: Pool<C>;
  readonly #runner: PooledRunner<C>;
  readonly #timing: Timing;

  /** For `openDB`. The `DB` owns the pool, and closes it. */
  constructor(connector: Connector<C>, pool: Pool<C>, prepared: Prepared, timing: Timing) {
    this.connector = connector;
    this.#pool = pool;
    this.#runner = new PooledRunner(pool, prepared);
    this.#timing = timing;
  }

  /** See `Querier.query`. */
  query<T = Row>(
    sql: string,
    args?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return runQuery(this.#runner, sql, args, options);
  }

  /** See `Querier.queryRow`. */
  queryRow<T = Row>(
    sql: string,
    args?: readonly unknown[],
    options?: StatementOptions,
  ): Promise<T> {
    return runQueryRow(this.#runner, sql, args, options);
  }

  /** See `Querier.exec`. */
  exec(sql: string, args?: readonly unknown[], options?: OperationOptions): Promise<ExecResult> {
    return runExec(this.#runner, sql, args, options);
  }

  /** See `Querier.rows`. */
  rows<T = Row>(sql: string, args?: readonly unknown[], options?: StatementOptions): Rows<T> {
    return runRows(this.#runner, sql, args, options);
  }

  /**
   * Prepares a statement on one connection now, so that a wrong one is found; on others when it
   * first runs there. See `Stmt`.
   */
  prepare(sql: string, options?: OperationOptions): Promise<Stmt> {
    return prepareStmt(this.#runner, sql, () => false, options);
  }

  /**
   * Begins a transaction. It holds a connection until `commit` or `rollback`, on every way out of
   * the caller's code: `transaction` sees to that by itself. The signal holds for the whole
   * transaction; see `BeginOptions`.
   */
  begin(options: BeginOptions = {}): Promise<Tx<C>> {
    return beginTx(this.#runner, wholeTx(options), options, this.#timing);
  }

  /**
   * Runs `fn` in a transaction: commits when its promise resolves, rolls back when it rejects, and
   * then rejects with the same error. Resolves with what `fn` gave.
   *
   * Calls that `fn` left running when it resolved are finished before the commit; `Rows` that it
   * left open fail the commit with `CONN_BUSY`, and the transaction is rolled back. `fn` may end
   * the transaction itself, and nothing more is done then. When the signal is aborted the
   * transaction is rolled back at once, and this rejects with `signal.reason` when `fn` has ended,
   * without waiting for the rollback. Rejects with the commit's error when that fails.
   *
   * `fn` runs in the caller's asynchronous context, on each of `options.retries`.
   */
  transaction<T>(fn: (tx: Tx<C>) => Promise<T>, options?: TransactionOptions): Promise<T> {
    checkRetries(options?.retries);
    return transact(() => this.begin(options), fn, options, this.#timing);
  }

  /**
   * Takes a connection, for several calls on one session. Give it back with `close`, on every way
   * out: `withConn` sees to that by itself. The signal stops the wait for it, nothing later.
   */
  async conn(options?: OperationOptions): Promise<Conn<C>> {
    const lease = await this.#pool.acquire(options);
    return new Conn(new Scope(lease.conn, lease, this.#runner.prepared, connDone), this.#timing);
  }

  /**
   * Runs `fn` with a connection of its own, and gives it back when its promise has settled; see
   * `Conn.close` for what happens to calls that it left running. The signal stops the wait for the
   * connection, nothing later.
   */
  async withConn<T>(fn: (conn: Conn<C>) => Promise<T>, options?: OperationOptions): Promise<T> {
    const conn = await this.conn(options);
    try {
      return await fn(conn);
    } finally {
      await conn.close();
    }
  }

  /**
   * Proves that the database answers; for a driver that cannot ask, that a connection can be had.
   */
  ping(options?: OperationOptions): Promise<void> {
    return this.#runner.run(async (conn, with_) => conn.ping?.(with_), finishVoid, options);
  }

  /** The pool's statistics, as database/sql's `DBStats`, and more under `pool`. Constant time. */
  stats(): PoolStats {
    return this.#pool.stats();
  }

  /**
   * Closes the pool: refuses new calls with `POOL_CLOSED`, gives the calls that run, and `Conn`s,
   * `Tx`s and `Rows` in use, drainTimeoutMs to come back, and closes all connections. Never
   * rejects; no effect on a second call.
   */
  close(options?: CloseOptions): Promise<void> {
    return this.#pool.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** See `Pool.setMaxOpenConns`. Throws `OPTION_INVALID`, as all setters do. */
  setMaxOpenConns(count: number): void {
    this.#pool.setMaxOpenConns(count);
  }

  /** See `Pool.setMaxIdleConns`. */
  setMaxIdleConns(count: number): void {
    this.#pool.setMaxIdleConns(count);
  }

  /** See `Pool.setMinIdleConns`. */
  setMinIdleConns(count: number): void {
    this.#pool.setMinIdleConns(count);
  }

  /** See `Pool.setConnMaxLifetimeMs`. */
  setConnMaxLifetimeMs(lifetimeMs: number): void {
    this.#pool.setConnMaxLifetimeMs(lifetimeMs);
  }

  /** See `Pool.setConnMaxIdleTimeMs`. */
  setConnMaxIdleTimeMs(idleTimeMs: number): void {
    this.#pool.setConnMaxIdleTimeMs(idleTimeMs);
  }

  /** See `Pool.setAcquireTimeoutMs`. */
  setAcquireTimeoutMs(timeoutMs: number): void {
    this.#pool.setAcquireTimeoutMs(timeoutMs);
  }

  /** See `Pool.setMaxWaiters`. */
  setMaxWaiters(count: number): void {
    this.#pool.setMaxWaiters(count);
  }

  /** See `Pool.setMaxDialing`. */
  setMaxDialing(count: number): void {
    this.#pool.setMaxDialing(count);
  }

  /** See `Pool.setIdleOrder`. */
  setIdleOrder(order: IdleOrder): void {
    this.#pool.setIdleOrder(order);
  }

  /** See `Pool.setWaiterOrder`. */
  setWaiterOrder(order: WaiterOrder): void {
    this.#pool.setWaiterOrder(order);
  }
}
