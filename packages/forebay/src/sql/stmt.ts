// Prepared statements: one SQL text that any number of connections may know, each by a driver
// statement of its own. Who knows what is in the register, prepared.ts.

import type {
  DriverConn,
  DriverResult,
  DriverRows,
  DriverStmt,
  ExecOptions,
  OperationOptions,
  StatementOptions,
} from "../driver/driver.ts";
import { UsageError } from "../base/errors.ts";
import { fitArgs } from "./args.ts";
import { stmtClosed } from "./errors.ts";
import { Plan } from "./prepared.ts";
import {
  type Finish,
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

let planOf: (stmt: Stmt) => Plan;

/**
 * A prepared statement, made by `prepare` of a `DB`, `Conn` or `Tx`. One made by a `DB` runs on any
 * connection of the pool, and is prepared again, unseen, on each that does not know it yet; the
 * retries of the `DB` hold for it too. One made by a `Conn` or a `Tx` runs on that connection
 * alone, in its order of calls, and ends with it.
 *
 * Every method may be called concurrently. After `close`, calls reject with `STMT_CLOSED`, also
 * those that were still waiting for a connection. How many statements a connection keeps is limited
 * by `maxStmtsPerConn`; one that had to make room is prepared again when it is needed. So is one
 * that the server does not know any more, or whose columns have changed, after a call that fails.
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
  readonly #hasEnded: () => boolean;
  #isClosed = false;

  /** For `prepareStmt` and `bindStmt`. `isOver` says whether its session has ended. */
  constructor(runner: Runner<DriverConn>, plan: Plan, isOver: () => boolean) {
    this.#runner = runner;
    this.#plan = plan;
    this.#hasEnded = () => this.#isClosed || isOver();
    plan.join(this.#hasEnded);
  }

  /** As `Querier.query`, of the statement prepared. */
  query<T = Row>(
    args: readonly unknown[] = NO_ARGS,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    return this.#run(args, finishQuery<T>, options);
  }

  /** As `Querier.queryRow`, of the statement prepared. */
  queryRow<T = Row>(args: readonly unknown[] = NO_ARGS, options?: StatementOptions): Promise<T> {
    return this.#run(args, finishQueryRow, options) as Promise<T>;
  }

  /** As `Querier.exec`, of the statement prepared. */
  exec(args: readonly unknown[] = NO_ARGS, options?: ExecOptions): Promise<ExecResult> {
    return this.#run(args, finishExec, options);
  }

  /**
   * As `Querier.rows`, of the statement prepared. Rows that are being read outlive the close of the
   * statement.
   */
  rows<T = Row>(args: readonly unknown[] = NO_ARGS, options?: StatementOptions): Rows<T> {
    const stream: Use<DriverConn, DriverRows> = (conn, with_) =>
      this.#with(conn, with_, (stmt) => stmt.stream(fitArgs(args, conn, stmt), with_));
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

  #run<T>(
    args: readonly unknown[],
    finish: Finish<DriverConn, DriverResult, T>,
    options: StatementOptions | undefined,
  ): Promise<T> {
    // Looked at again in turn; here so that nobody waits for a connection in vain.
    if (this.#isClosed) return Promise.reject(stmtClosed());
    const use: Use<DriverConn, DriverResult> = (conn, with_) =>
      this.#with(conn, with_, (stmt) => stmt.query(fitArgs(args, conn, stmt), with_));
    return this.#runner.run(use, finish, options);
  }

  #with<R>(
    conn: DriverConn,
    options: StatementOptions | undefined,
    use: (stmt: DriverStmt) => Promise<R>,
  ): Promise<R> {
    if (this.#hasEnded()) throw stmtClosed();
    const { prepared } = this.#plan;
    const stmt = prepared.find(this.#plan, conn);
    return stmt === undefined ? prepared.prepare(this.#plan, conn, options).then(use) : use(stmt);
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
  const { prepared } = runner;
  const stmt = new Stmt(runner, new Plan(sql, prepared), isOver);
  const finish = (_prepared: DriverStmt, hold: Hold): Stmt => {
    hold.release();
    return stmt;
  };
  return runner.run((conn, with_) => prepared.prepare(planOf(stmt), conn, with_), finish, options);
}

/**
 * The same statement where `runner` runs, until it is closed or `isOver`. What that connection
 * knows already is not prepared again. Throws `ARGUMENT_INVALID` for a statement of another DB.
 */
export function bindStmt(runner: Runner<DriverConn>, stmt: Stmt, isOver: () => boolean): Stmt {
  const plan = planOf(stmt);
  if (plan.prepared !== runner.prepared) {
    throw new UsageError("ARGUMENT_INVALID", "the statement was prepared by another DB");
  }
  return new Stmt(runner, plan.isOver ? new Plan(plan.sql, plan.prepared) : plan, isOver);
}
