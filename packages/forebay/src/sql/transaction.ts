// Transactions that are run again when the database gave them up for another's sake.

import { UsageError } from "../base/errors.ts";
import type { DriverConn } from "../driver/driver.ts";
import { delay, nextBackoffMs, type Timing } from "./timing.ts";
import { runToEnd, type Tx } from "./tx.ts";
import type { TransactionOptions } from "./types.ts";

/** How deep an error may be wrapped to be recognised still. */
const CAUSE_DEPTH_MAX = 8;
const SERIALIZATION_STATES: readonly unknown[] = ["40001", "40P01"];

/**
 * True for an error by which a database says that the transaction was given up for another's sake,
 * and may be run again: SQLSTATE 40001 (serialization failure) or 40P01 (deadlock), as `code` or as
 * `sqlState` of the error itself or of a `cause` further down.
 */
export function isSerializationFailure(error: unknown): boolean {
  for (let depth = 0, at = error; depth < CAUSE_DEPTH_MAX; depth++) {
    if (typeof at !== "object" || at === null) return false;
    const { code, sqlState, cause } = at as Readonly<Record<string, unknown>>;
    if (SERIALIZATION_STATES.includes(code) || SERIALIZATION_STATES.includes(sqlState)) return true;
    at = cause;
  }
  return false;
}

/** Throws `OPTION_INVALID` unless the option is one that `transact` takes. */
export function checkRetries(retries: unknown): void {
  if (retries === undefined || (Number.isInteger(retries) && Number(retries) >= 0)) return;
  throw new UsageError("OPTION_INVALID", "retries must be a whole number from 0");
}

/**
 * Runs `fn` in a transaction that `begin` gives, again in a new one as often as `options` allow.
 */
export async function transact<C extends DriverConn, T>(
  begin: () => Promise<Tx<C>>,
  fn: (tx: Tx<C>) => Promise<T>,
  options: TransactionOptions | undefined,
  timing: Timing,
): Promise<T> {
  const retries = options?.retries ?? 0;
  for (let failures = 1; ; failures++) {
    const tx = await begin();
    try {
      return await runToEnd(tx, fn);
    } catch (error) {
      if (failures > retries || !isSerializationFailure(error)) throw error;
    }
    await delay(timing.clock, nextBackoffMs(failures, timing.random), options?.signal);
  }
}
