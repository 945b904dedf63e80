// Advisory locks for the time of a function, with a signal that says when the lock is lost.

import { createHash } from "node:crypto";
import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import { ForebayError, UsageError } from "../base/errors.ts";
import type { OperationOptions } from "../driver/driver.ts";
import type { Conn } from "../sql/conn.ts";
import type { DB, DBBulkhead } from "../sql/db.ts";
import type { Querier } from "../sql/types.ts";
import { poolerBehind, poolerUnsupported } from "./pooler.ts";
import type { PgConnection } from "./wire/connection.ts";
import { isPgError } from "./wire/errors.ts";
import { UNLOCKED_BY_CALLER } from "./wire/session-dirt.ts";

/**
 * What is locked: one number of 64 bits, two of 32, or a text, of which `advisoryKey` makes a
 * number of 64 bits. The keys of one number and of two are apart.
 */
export type AdvisoryKey = bigint | readonly [number, number] | string;

/** Options of `withAdvisoryLock`. The signal ends the wait, and is a part of `HeldLock.signal`. */
export interface AdvisoryLockOptions extends OperationOptions {
  /** Others may hold it too, if they share it as well. @defaultValue `false` */
  readonly shared?: boolean | undefined;
  /**
   * Does not wait: rejects with `LOCK_UNAVAILABLE` when somebody else has it. @defaultValue `false`
   */
  readonly tryOnly?: boolean | undefined;
  /**
   * How long to wait for the lock, once there is a connection; then `LOCK_UNAVAILABLE`. From 1, or
   * `Infinity`. @defaultValue `Infinity`
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Locks in a transaction, which ends the lock: it is committed when the function's promise
   * resolves, and rolled back when it rejects. The only kind that works behind a pooler in
   * transaction mode. @defaultValue `false`
   */
  readonly transaction?: boolean | undefined;
}

/** What the function is given while the lock is held. */
export interface HeldLock {
  /**
   * Aborted when the lock is lost, because its connection is (with a `ForebayError` of code
   * `LOCK_LOST`), or when the caller's signal is aborted (with its reason). Somebody else may have
   * the lock then: stop.
   */
  readonly signal: AbortSignal;
  /**
   * Runs statements on the connection that holds the lock; in its transaction, with `transaction`.
   */
  readonly on: Querier;
}

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

/**
 * The key of a text: the first 8 bytes of its SHA-256 in UTF-8, as a signed number, the highest
 * byte first. It never changes. In SQL:
 * `('x' || encode(substring(sha256(convert_to(text, 'UTF8')) FOR 8), 'hex'))::bit(64)::bigint`
 */
export function advisoryKey(text: string): bigint {
  return createHash("sha256").update(text, "utf8").digest().readBigInt64BE(0);
}

/**
 * Runs `fn` while it holds an advisory lock of PostgreSQL, and gives the lock back on every way
 * out. Gives what `fn` gave.
 *
 * It holds one connection of the pool from before the wait to after the release: give locks a
 * bulkhead, if many wait. The server frees the lock when the connection ends, and another may then
 * have it while `fn` still runs: `lock.signal` is aborted, and this rejects with `LOCK_LOST` if
 * `fn` resolves all the same. Between the loss and its notice lies time (a network that cuts
 * without a word is noticed last of all), so a lock keeps work from being done twice for nothing;
 * it does not prove that it is done once.
 *
 * The same key within `fn` is another lock's user, and waits for the outer one for ever: it is held
 * by another connection. Run the inner statement on `lock.on` instead; PostgreSQL counts the locks
 * of one session, and frees one with the last unlock.
 *
 * Rejects with `LOCK_UNAVAILABLE` (see `tryOnly` and `timeoutMs`), `LOCK_LOST`, `signal.reason`
 * when the wait is aborted, `POOLER_UNSUPPORTED` behind a pooler in transaction mode unless
 * `transaction` is set, `ARGUMENT_INVALID` and `OPTION_INVALID`, and with what `fn` rejects with.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 * import { type PgConnection, withAdvisoryLock } from "forebay/postgres";
 *
 * async function nightly(db: DB<PgConnection>, report: (signal: AbortSignal) => Promise<void>) {
 *   await withAdvisoryLock(db, "nightly-report", ({ signal }) => report(signal), { tryOnly: true
 *   });
 * }
 * ```
 */
export async function withAdvisoryLock<T>(
  db: DB<PgConnection> | DBBulkhead<PgConnection>,
  key: AdvisoryKey,
  fn: (lock: HeldLock) => Promise<T>,
  options: AdvisoryLockOptions = {},
): Promise<T> {
  const plan = planOf(key, options);
  const { signal } = options;
  return db.withConn(
    async (conn) => {
      const pg = await conn.raw((raw) => raw);
      if (options.transaction === true) {
        const inside = async (tx: Querier): Promise<T> => {
          await lockInTransaction(tx, plan, signal);
          return whileHeld(pg, signal, (lost) => fn({ signal: lost, on: tx }));
        };
        return conn.transaction(inside, { signal });
      }
      const pooler = await conn.raw((raw) => poolerBehind(db.connector, raw, { signal }));
      if (pooler === "transaction") {
        throw poolerUnsupported("An advisory lock of a session", "Use `transaction: true`");
      }
      await lockInSession(conn, pg, plan, signal);
      let outcome: T;
      try {
        outcome = await whileHeld(pg, signal, (lost) => fn({ signal: lost, on: conn }));
      } catch (error) {
        await unlock(conn, pg, plan);
        throw error;
      }
      if (!(await unlock(conn, pg, plan))) throw lockLost();
      return outcome;
    },
    { signal },
  );
}

/** The calls of SQL that it takes. */
interface Plan {
  readonly lock: string;
  readonly unlock: string;
  readonly tryOnly: boolean;
  /** `Infinity` for no limit. */
  readonly timeoutMs: number;
}

function planOf(key: AdvisoryKey, options: AdvisoryLockOptions): Plan {
  const { shared = false, tryOnly = false, transaction = false, timeoutMs = Infinity } = options;
  if (!(timeoutMs >= 1)) throw new UsageError("OPTION_INVALID", "timeoutMs must be at least 1");
  const args = argumentsOf(key);
  const words = ["pg", tryOnly && "try", "advisory", transaction && "xact", "lock"];
  const name = [...words, shared && "shared"].filter((word) => word !== false).join("_");
  const undo = shared ? "pg_advisory_unlock_shared" : "pg_advisory_unlock";
  return {
    lock: `SELECT pg_catalog.${name}(${args}) ${UNLOCKED_BY_CALLER}`,
    unlock: `SELECT pg_catalog.${undo}(${args})`,
    tryOnly,
    timeoutMs: timeoutMs > INT_MAX ? Infinity : Math.ceil(timeoutMs),
  };
}

function argumentsOf(key: AdvisoryKey): string {
  if (typeof key === "string") return `(${advisoryKey(key)})::bigint`;
  if (typeof key === "bigint" && BigInt.asIntN(64, key) === key) return `(${key})::bigint`;
  const isPair = Array.isArray(key) && key.length === 2;
  if (isPair && key.every((each) => Number.isInteger(each) && each >= INT_MIN && each <= INT_MAX)) {
    return key.map((each) => `(${each})::int`).join(", ");
  }
  throw new UsageError(
    "ARGUMENT_INVALID",
    "the key of an advisory lock is a bigint of 64 bits, two whole numbers of 32, or a text",
  );
}

async function lockInSession(
  conn: Conn<PgConnection>,
  pg: PgConnection,
  plan: Plan,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { timeoutMs, tryOnly, lock } = plan;
  const hasLimit = timeoutMs !== Infinity && !tryOnly;
  // Statements that are sent together are one transaction, to which the setting is local.
  const sql = hasLimit ? `SET LOCAL lock_timeout = ${timeoutMs}; ${lock}` : lock;
  let isHeld: boolean;
  try {
    isHeld = await askFor(conn, sql, signal);
  } catch (error) {
    if (isPgError(error)) throw unavailable(error, plan);
    // The server may have given the lock by now.
    await pg.close();
    throw error;
  }
  if (tryOnly && !isHeld) throw unavailable(undefined, plan);
}

async function lockInTransaction(
  tx: Querier,
  plan: Plan,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { timeoutMs, tryOnly, lock } = plan;
  const hasLimit = timeoutMs !== Infinity && !tryOnly;
  const limit = "SELECT current_setting('lock_timeout'), set_config('lock_timeout', $1, true)";
  const limits = hasLimit
    ? await tx.query<string[]>(limit, [`${timeoutMs}ms`], { signal, rowMode: "array" })
    : undefined;
  let isHeld: boolean;
  try {
    isHeld = await askFor(tx, lock, signal);
  } catch (error) {
    throw unavailable(error, plan);
  }
  if (tryOnly && !isHeld) throw unavailable(undefined, plan);
  const before = limits?.rows[0]?.[0];
  if (before !== undefined) await tx.query(limit, [before], { signal });
}

/** What a statement with one value gives; a lock that is waited for gives nothing. */
async function askFor(on: Querier, sql: string, signal?: AbortSignal): Promise<boolean> {
  const { rows } = await on.query<unknown[]>(sql, [], { signal, rowMode: "array" });
  return rows[0]?.[0] === true;
}

/** Runs `fn` with a signal that is aborted with the connection, or by the caller. */
async function whileHeld<T>(
  pg: PgConnection,
  signal: AbortSignal | undefined,
  fn: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const { gone } = pg;
  const controller = new AbortController();
  const onGone = (): void => controller.abort(lockLost(gone.reason));
  const onAbort = (): void => controller.abort(signal?.reason);
  if (gone.aborted) onGone();
  addAbortListener(gone, onGone);
  if (signal !== undefined) addAbortListener(signal, onAbort);
  let outcome: T;
  try {
    outcome = await fn(controller.signal);
  } finally {
    removeAbortListener(gone, onGone);
    if (signal !== undefined) removeAbortListener(signal, onAbort);
  }
  if (gone.aborted) throw lockLost(gone.reason);
  return outcome;
}

/** Whether the lock had been held until now, as far as anybody knows. */
async function unlock(conn: Conn<PgConnection>, pg: PgConnection, plan: Plan): Promise<boolean> {
  try {
    return await askFor(conn, plan.unlock);
  } catch {
    // Whatever it was (rows left open, a failed transaction, a lost connection): the end of the
    // session frees the lock for certain.
    await pg.close();
    return true;
  }
}

function unavailable(error: unknown, { tryOnly, timeoutMs }: Plan): unknown {
  if (error !== undefined && !(isPgError(error) && error.sqlstate === "55P03")) return error;
  const when = tryOnly ? "" : ` after ${timeoutMs}ms`;
  return new ForebayError(
    "operating",
    "LOCK_UNAVAILABLE",
    `the advisory lock is held by another session${when}`,
    { retryable: true, cause: error },
  );
}

function lockLost(cause?: unknown): ForebayError {
  const how = cause === undefined ? "something else released it" : "its connection was lost";
  return new ForebayError(
    "operating",
    "LOCK_LOST",
    `the advisory lock was lost while the function ran: ${how}. Another session may have had it ` +
      "since; see what of the work has been done twice",
    { retryable: false, cause },
  );
}
