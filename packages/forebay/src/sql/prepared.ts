// Which connection has prepared what, for the statements of one DB. The register hangs on the
// driver connections, weakly: a connection that goes takes its part along.

import { UsageError } from "../base/errors.ts";
import type { DriverConn, DriverStmt, OperationOptions } from "../driver/driver.ts";

/** One text to be prepared; the same on every connection. */
export class Plan {
  readonly sql: string;
  readonly prepared: Prepared;
  /** Of each Stmt that runs it, whether that one has ended. */
  #users: (() => boolean)[] = [];

  constructor(sql: string, prepared: Prepared) {
    this.sql = sql;
    this.prepared = prepared;
  }

  /** Whether nobody can use it any more. */
  get isOver(): boolean {
    return this.#users.every((hasEnded) => hasEnded());
  }

  /** One more Stmt runs it, until `hasEnded` says so. */
  join(hasEnded: () => boolean): void {
    this.#users = this.#users.filter((other) => !other());
    this.#users.push(hasEnded);
  }
}

interface Entry {
  readonly stmt: DriverStmt;
  /** Larger than that of every entry used before. */
  lastUse: number;
}

const MAX_STMTS_PER_CONN = 256;

/**
 * Throws `OPTION_INVALID` unless the option is one that a `DB` takes; gives the value that counts.
 */
export function checkMaxStmts(max: unknown): number {
  if (max === undefined) return MAX_STMTS_PER_CONN;
  if (max === Infinity || (Number.isSafeInteger(max) && Number(max) >= 1)) return Number(max);
  throw new UsageError(
    "OPTION_INVALID",
    "maxStmtsPerConn must be a whole number from 1, or Infinity for no limit",
  );
}

/** The register of one DB. */
export class Prepared {
  readonly #max: number;
  readonly #byConn = new WeakMap<DriverConn, Map<Plan, Entry>>();
  #uses = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * The plan's statement on this connection, which is about to be used; `undefined` if there is
   * none that is of use.
   */
  find(plan: Plan, conn: DriverConn): DriverStmt | undefined {
    const entry = this.#byConn.get(conn)?.get(plan);
    if (entry === undefined || entry.stmt.isValid?.() === false) return undefined;
    entry.lastUse = ++this.#uses;
    return entry.stmt;
  }

  /**
   * Prepares the plan on a connection that does not know it, and frees what nobody needs there any
   * more, and what was used longest ago where there are too many. Freeing waits for this moment
   * because the connection is ours now, and may be somebody else's when a Stmt is closed. What is
   * freed here is never in use: a connection makes one call at a time, and this is it.
   */
  async prepare(
    plan: Plan,
    conn: DriverConn,
    options: OperationOptions | undefined,
  ): Promise<DriverStmt> {
    let entries = this.#byConn.get(conn);
    if (entries === undefined) {
      entries = new Map();
      this.#byConn.set(conn, entries);
    }
    for (const [other, { stmt }] of entries) {
      if (!other.isOver && stmt.isValid?.() !== false) continue;
      entries.delete(other);
      await stmt.close();
    }
    while (entries.size >= this.#max) await closeOldest(entries);
    const stmt = await conn.prepare(plan.sql, options);
    entries.set(plan, { stmt, lastUse: ++this.#uses });
    return stmt;
  }
}

async function closeOldest(entries: Map<Plan, Entry>): Promise<void> {
  let oldest: readonly [Plan, Entry] | undefined;
  for (const each of entries) {
    if (oldest === undefined || each[1].lastUse < oldest[1].lastUse) oldest = each;
  }
  if (oldest === undefined) return;
  entries.delete(oldest[0]);
  await oldest[1].stmt.close();
}
