// DB: the entry to the SQL layer. It owns the pool, and what all of its bulkheads share.

import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Connector, DriverConn, OperationOptions } from "../driver/driver.ts";
import type { Bulkhead } from "../pool/bulkhead.ts";
import type { BulkheadLimits } from "../pool/lanes.ts";
import type { IdleOrder, PoolLimits, PoolOptions } from "../pool/options.ts";
import { type CloseOptions, Pool } from "../pool/pool.ts";
import type { BulkheadStats, PoolHistograms, PoolStats } from "../pool/stats.ts";
import type { WaiterOrder } from "../pool/waiters.ts";
import { PoolCalls, type PoolParts } from "./pool-calls.ts";
import { checkMaxStmts, Prepared } from "./prepared.ts";

/** The options of a `DB`: those of its pool, and some of its own. */
export type DBOptions<C extends DriverConn = DriverConn> = PoolOptions<C> & {
  /**
   * How many statements each connection keeps prepared for the `Stmt`s of this `DB`: when one more
   * is prepared there, the one used longest ago is closed; it is prepared again when it is needed.
   * A statement costs the server memory on each connection, and a program that makes its texts as
   * it goes would otherwise fill it. A whole number from 1, or `Infinity` for no limit.
   * @defaultValue 256
   */
  readonly maxStmtsPerConn?: number | undefined;
};

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
  options: DBOptions<NoInfer<C>> = {},
): DB<C> {
  return new DB(connector, partsOf<C>(connector, options));
}

/** What a `DB` is made of. Throws `OPTION_INVALID`. */
export function partsOf<C extends DriverConn>(
  connector: Connector<C>,
  options: DBOptions<NoInfer<C>>,
): PoolParts<C> {
  const { maxStmtsPerConn, ...poolOptions } = options;
  const prepared = new Prepared(checkMaxStmts(maxStmtsPerConn));
  const timing = {
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    rollbackTimeoutMs: options.resetTimeoutMs ?? ROLLBACK_TIMEOUT_MS,
  };
  return { pool: new Pool<C>(connector, poolOptions), prepared, timing };
}

const ROLLBACK_TIMEOUT_MS = 5000;

/**
 * A database: a pool of connections, and the calls that run on them. Made by `openDB`; see
 * `PoolCalls` for the calls. Every method may be called concurrently.
 */
export class DB<C extends DriverConn = DriverConn> extends PoolCalls<C> implements AsyncDisposable {
  /** What it was opened over. (`DB.Driver`.) */
  readonly connector: Connector<C>;
  readonly #pool: Pool<C>;
  readonly #parts: PoolParts<C>;
  readonly #bulkheads = new Map<Bulkhead<C>, DBBulkhead<C>>();

  /** For `openDB`. The `DB` owns the pool, and closes it. */
  constructor(connector: Connector<C>, parts: PoolParts<C>) {
    super(parts, parts.pool);
    this.connector = connector;
    this.#pool = parts.pool;
    this.#parts = parts;
  }

  /** The pool's statistics, as database/sql's `DBStats`, and more under `pool`. Constant time. */
  stats(): PoolStats {
    return this.#pool.stats();
  }

  /** How long waits, holds and dials have taken. See `Pool.histograms`. */
  histograms(): PoolHistograms {
    return this.#pool.histograms();
  }

  /**
   * A share of the pool with the same calls: for work that must not take all connections, or must
   * always find some. See `Pool.bulkhead`; the same name gives the same share, with its limits
   * changed. Throws `OPTION_INVALID`.
   */
  bulkhead(name: string, limits?: Partial<BulkheadLimits>): DBBulkhead<C> {
    const share = this.#pool.bulkhead(name, limits);
    let bulkhead = this.#bulkheads.get(share);
    if (bulkhead === undefined) {
      bulkhead = new DBBulkhead(this.#parts, share, this.connector);
      this.#bulkheads.set(share, bulkhead);
    }
    return bulkhead;
  }

  /** Opens connections ahead of need. See `Pool.warmUp`. */
  warmUp(count: number, options?: OperationOptions): Promise<void> {
    return this.#pool.warmUp(count, options);
  }

  /** Has every connection replaced. See `Pool.reset`. */
  reset(): void {
    this.#pool.reset();
  }

  /** Lets every new call wait until `resume`. See `Pool.suspend`. */
  suspend(): void {
    this.#pool.suspend();
  }

  /** Ends `suspend`. See `Pool.resume`. */
  resume(): void {
    this.#pool.resume();
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

  /** See `Pool.configure`. */
  configure(change: Partial<PoolLimits>): void {
    this.#pool.configure(change);
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

/**
 * A share of a `DB`, made by its `bulkhead`: the same calls, in a queue of their own, on as many
 * connections as its limits let it have. It ends with the `DB`.
 */
export class DBBulkhead<C extends DriverConn = DriverConn> extends PoolCalls<C> {
  /** That of its `DB`. */
  readonly connector: Connector<C>;
  readonly #share: Bulkhead<C>;

  /** For `DB.bulkhead`. */
  constructor(parts: PoolParts<C>, share: Bulkhead<C>, connector: Connector<C>) {
    super(parts, share);
    this.connector = connector;
    this.#share = share;
  }

  /** The name it was made with. */
  get name(): string {
    return this.#share.name;
  }

  /** A consistent snapshot. Constant time. */
  stats(): BulkheadStats {
    return this.#share.stats();
  }

  /** Changes limits. See `Bulkhead.configure`. */
  configure(change: Partial<BulkheadLimits>): void {
    this.#share.configure(change);
  }
}
