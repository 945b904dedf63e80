// Calls on any connection of a pool, and the only place that makes a call again: when the driver is certain that
// nothing of it was sent.

import type { DriverConn, StatementOptions } from "../driver/driver.ts";
import { isBadConn } from "../driver/errors.ts";
import type { AcquireOptions, Pool } from "../pool/pool.ts";
import type { Finish, Runner, Use } from "./runner.ts";

/**
 * How often a call is tried on whatever connection the pool has, before the last try on a new one. The number is
 * database/sql's `maxBadConnRetries`.
 */
const CACHED_TRIES = 2;

/** Makes each call on a connection of the pool's choice. */
export class PooledRunner<C extends DriverConn> implements Runner<C> {
  readonly #pool: Pool<C>;

  constructor(pool: Pool<C>) {
    this.#pool = pool;
  }

  /**
   * Tries twice on what the pool gives, as long as the error is a `BadConnError`; then has the pool close its idle
   * connections, which are probably as dead, and tries a last time. All tries share the acquire deadline of the first
   * one. The last error, or the first that is no `BadConnError`, passes through.
   */
  async run<R, T>(
    use: Use<C, R>,
    finish: Finish<C, R, T>,
    options: StatementOptions | undefined,
  ): Promise<T> {
    const pool = this.#pool;
    const deadlineAtMs = pool.acquireDeadline();
    let acquireOptions: AcquireOptions | undefined = options;
    for (let tries = 1; ; tries++) {
      const lease = await pool.acquire(acquireOptions);
      let result: R;
      try {
        result = await use(lease.conn, options);
      } catch (error) {
        lease.release();
        if (tries > CACHED_TRIES || !isBadConn(error)) throw error;
        options?.signal?.throwIfAborted();
        if (tries === CACHED_TRIES) pool.closeIdle();
        acquireOptions = { signal: options?.signal, deadlineAtMs };
        continue;
      }
      return finish(result, lease, lease.conn);
    }
  }
}
