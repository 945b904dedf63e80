// Prepared statements: one SQL text that any number of connections may know, each by a driver
// statement of its own. The register of who knows what hangs on the driver connections, weakly: a
// connection that goes takes its part along.

import type {
  DriverConn,
  DriverRows,
  DriverStmt,
  OperationOptions,
  StatementOptions,
} from "../driver/driver.ts";
import { stmtClosed } from "./errors.ts";
import {
  finishExec,
  finishQuery,
  finishQueryRow,
  type Hold,
  NO_ARGS,
  type Runner,
  type Use,
} from "./runner.ts";
import { Rows } from "./rows.ts";
import type { ExecResult, Result, Row } from "./types.ts";

/** What is prepared; the same on every connection. */
class Plan {
  readonly sql: string;
  /** Whether no Stmt can use it any more. */
  readonly isOver: () => boolean;

  constructor(sql: string, isOver: () => boolean) {
    this.sql = sql;
    this.isOver = isOver;
  }
}

const PREPARED = new WeakMap<DriverConn, Map<Plan, DriverStmt>>();

/**
 * Prepares the plan on a connection that does not know it, and frees what nobody needs there any
 * more. Freeing waits for this moment because the connection is ours now, and may be somebody
 * else's when a Stmt is closed. So the server keeps on each connection at most what was in use at
 * the last prepare there, and one more.
 */
async function prepareOn(
  plan: Plan,
  conn: DriverConn,
  options: OperationOptions | undefined,
): Promise<DriverStmt> {
  let prepared = PREPARED.get(conn);
  if (prepared === undefined) {
    prepared = new Map();
    PREPARED.set(conn, prepared);
  }
  for (const [other, stmt] of prepared) {
    if (!other.isOver()) continue;
    prepared.delete(other);
    await stmt.close();
  }
  const stmt = await conn.prepare(plan.sql, options);
  prepared.set(plan, stmt);
  return stmt;
}

let planOf: (stmt: Stmt) => Plan;

/**
 * A prepared statement, made by `prepare` of a `DB`, `Conn` or `Tx`. One made by a `DB` runs on any
 * connection of the pool, and is prepared again, unseen, on each that does not know it yet; the
 * retries of the `DB` hold for it too. One made by a `Conn` or a `Tx` runs on that connection
 * alone, in its order of calls, and ends with it.
 *
 * Every method may be called concurrently. After `close`, calls reject with `STMT_CLOSED`, also
 * those that were still waiting for a connection.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 *
 * async function names(db: DB, ids: readonly number[]): Promise<string[]> {
 *   const stmt = await db.prepare("SELECT name FROM users WHERE id = $1");
 *   try {
 *     const found = await Promise.all(ids.map((id) => stmt.queryRow<{ name: string }>([id])));
 *     return found.map((user) => user.name);
 *   } finally {
 *     await stmt.close();
 *   }
 * }
 * ```
 */
export class Stmt implements AsyncDisposable {
  static {
    planOf = (stmt) => stmt.#plan;
  }

  readonly #runner: Runner<DriverConn>;
  readonly #plan: Plan;
  #isClosed = false;

  /**
   * For `prepareStmt` and `bindStmt`. Without a plan it makes its own, which is over when the
   * statement is.
   */
  constructor(runner: Runner<DriverConn>, from: Plan | { sql: string; isOver: () => boolean }) {
    this.#runner = runner;
    this.#plan =
      from instanceof Plan ? from : new Plan(from.sql, () => this.#isClosed || from.isOver());
  }

  /** As `Querier.query`, of the statement prepared. */
  query<T = Row>(
    args: readonly unknown[] = NO_ARGS,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return this.#runner.run(this.#query(args), finishQuery<T>, options);
  }

  /** As `Querier.queryRow`, of the statement prepared. */
  queryRow<T = Row>(args: readonly unknown[] = NO_ARGS, options?: StatementOptions): Promise<T> {
    return this.#runner.run(this.#query(args), finishQueryRow, options) as Promise<T>;
  }

  /** As `Querier.exec`, of the statement prepared. */
  exec(args: readonly unknown[] = NO_ARGS, options?: OperationOptions): Promise<ExecResult> {
    return this.#runner.run(this.#query(args), finishExec, options);
  }

  /**
   * As `Querier.rows`, of the statement prepared. Rows that are being read outlive the close of the
   * statement.
   */
  rows<T = Row>(args: readonly unknown[] = NO_ARGS, options?: StatementOptions): Rows<T> {
    const stream: Use<DriverConn, DriverRows> = (conn, with_) =>
      this.#with(conn, with_, (stmt) => stmt.stream(args, with_));
    return new Rows(this.#runner, stream, options);
  }

  /**
   * Ends the statement. Calls that have begun run to their end. The server's part is freed on each
   * connection when something else is prepared there, or with the connection. No effect on a second
   * call; never rejects.
   */
  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #query(args: readonly unknown[]): Use<DriverConn, Awaited<ReturnType<DriverStmt["query"]>>> {
    return (conn, options) => this.#with(conn, options, (stmt) => stmt.query(args, options));
  }

  #with<R>(
    conn: DriverConn,
    options: StatementOptions | undefined,
    use: (stmt: DriverStmt) => Promise<R>,
  ): Promise<R> {
    if (this.#isClosed || this.#plan.isOver()) throw stmtClosed();
    const stmt = PREPARED.get(conn)?.get(this.#plan);
    return stmt === undefined ? prepareOn(this.#plan, conn, options).then(use) : use(stmt);
  }
}

/**
 * Prepares a statement where `runner` runs, so that a wrong one is found now. `isOver` says whether
 * the statement has ended with its session.
 */
export function prepareStmt(
  runner: Runner<DriverConn>,
  sql: string,
  isOver: () => boolean,
  options: OperationOptions | undefined,
): Promise<Stmt> {
  const stmt = new Stmt(runner, { sql, isOver });
  const finish = (_prepared: DriverStmt, hold: Hold): Stmt => {
    hold.release();
    return stmt;
  };
  return runner.run((conn, with_) => prepareOn(planOf(stmt), conn, with_), finish, options);
}

/**
 * The same statement where `runner` runs. What that connection knows already is not prepared again.
 */
export function bindStmt(runner: Runner<DriverConn>, stmt: Stmt): Stmt {
  return new Stmt(runner, planOf(stmt));
}
