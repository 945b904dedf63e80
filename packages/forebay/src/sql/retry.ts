// Calls on any connection of a pool, and the only place that makes a call again: when the driver is
// certain that nothing of it was sent.

import type { DriverConn, StatementOptions } from "../driver/driver.ts";
import { isBadConn } from "../driver/errors.ts";
import type { Acquirer } from "../pool/bulkhead.ts";
import type { AcquireOptions, Pool } from "../pool/pool.ts";
import type { Prepared } from "./prepared.ts";
import type { Finish, Runner, Use } from "./runner.ts";

/**
 * How often a call is tried on whatever connection the pool has, before the last try on a new one.
 * The number is database/sql's `maxBadConnRetries`.
 */
const CACHED_TRIES = 2;

/** Makes each call on a connection of the pool's choice. */
export class PooledRunner<C extends DriverConn> implements Runner<C> {
  readonly prepared: Prepared;
  readonly #pool: Pool<C>;
  readonly #source: Acquirer<C>;

  /** `source` is the pool or a part of it. */
  constructor(pool: Pool<C>, source: Acquirer<C>, prepared: Prepared) {
    this.#pool = pool;
    this.#source = source;
    this.prepared = prepared;
  }

  /**
   * Tries twice on what the pool gives, as long as the error is a `BadConnError`; then has the pool
   * close its idle connections, which are probably as dead, and tries a last time. All waits for a
   * connection share one deadline, counted from the first of them. The last error, or the first
   * that is no `BadConnError`, passes through.
   *
   * Where a connection is idle the call reaches the driver at once, without a turn of the event
   * loop.
   */
  async run<R, T>(
    use: Use<C, R>,
    finish: Finish<C, R, T>,
    options: StatementOptions | undefined,
  ): Promise<T> {
    const pool = this.#pool;
    const source = this.#source;
    let wait: AcquireOptions | undefined;
    for (let tries = 1; ; tries++) {
      options?.signal?.throwIfAborted();
      let lease = source.tryAcquire();
      if (lease === undefined) {
        wait ??= { signal: options?.signal, deadlineAtMs: pool.acquireDeadlineAtMs() };
        lease = await source.acquire(wait);
      }
      let result: R;
      try {
        result = await use(lease.conn, options);
      } catch (error) {
        lease.release();
        if (tries > CACHED_TRIES || !isBadConn(error)) throw error;
        if (tries === CACHED_TRIES) pool.closeIdle();
        continue;
      }
      return finish(result, lease, lease.conn);
    }
  }
}
