// The calls that run on any connection of a pool: those of a DB, and those of its bulkheads.

import type {
  DriverConn,
  ExecOptions,
  OperationOptions,
  StatementOptions,
} from "../driver/driver.ts";
import type { Acquirer } from "../pool/bulkhead.ts";
import type { Pool } from "../pool/pool.ts";
import { runExec, runQuery, runQueryRow, runRows } from "./calls.ts";
import { Conn } from "./conn.ts";
import { connDone } from "./errors.ts";
import type { Prepared } from "./prepared.ts";
import { PooledRunner } from "./retry.ts";
import type { Rows } from "./rows.ts";
import { finishVoid, type Hold } from "./runner.ts";
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

/** What the calls of one DB share, whatever bulkhead they are made on. */
export interface PoolParts<C extends DriverConn> {
  readonly pool: Pool<C>;
  readonly prepared: Prepared;
  readonly timing: Timing;
}

/**
 * The calls of a `DB` or of one of its bulkheads. Every method may be called concurrently.
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
export class PoolCalls<C extends DriverConn = DriverConn> implements Querier {
  readonly #pool: Pool<C>;
  readonly #source: Acquirer<C>;
  readonly #runner: PooledRunner<C>;
  readonly #timing: Timing;

  /** For `DB` and `DBBulkhead`. `source` is the pool or a part of it. */
  constructor(parts: PoolParts<C>, source: Acquirer<C>) {
    const { pool, prepared, timing } = parts;
    this.#pool = pool;
    this.#source = source;
    this.#runner = new PooledRunner(pool, source, prepared);
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
  exec(sql: string, args?: readonly unknown[], options?: ExecOptions): Promise<ExecResult> {
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
    const holding = (tx: Tx<C>): Promise<T> => this.#pool.holding(() => fn(tx));
    return transact(() => this.begin(options), holding, options, this.#timing);
  }

  /**
   * Takes a connection, for several calls on one session. Give it back with `close`, on every way
   * out: `withConn` sees to that by itself. The signal stops the wait for it, nothing later.
   */
  async conn(options?: OperationOptions): Promise<Conn<C>> {
    const lease = await this.#source.acquire(options);
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
      return await this.#pool.holding(() => fn(conn));
    } finally {
      await conn.close();
    }
  }

  /** One call on any connection, retried as all others are. For what one driver can do. */
  protected call<T>(
    use: (conn: C, options: StatementOptions | undefined) => Promise<T>,
    options: StatementOptions | undefined,
  ): Promise<T> {
    const finish = (result: T, hold: Hold): T => {
      hold.release();
      return result;
    };
    return this.#runner.run(use, finish, options);
  }

  /**
   * Proves that the database answers; for a driver that cannot ask, that a connection can be had.
   */
  ping(options?: OperationOptions): Promise<void> {
    return this.#runner.run(async (conn, with_) => conn.ping?.(with_), finishVoid, options);
  }
}
