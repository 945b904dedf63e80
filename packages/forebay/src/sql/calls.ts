// The calls that DB, Conn and Tx have in common, over whatever they run on.

import type { DriverConn, ExecOptions, StatementOptions } from "../driver/driver.ts";
import { fitArgs } from "./args.ts";
import { Rows } from "./rows.ts";
import { finishExec, finishQuery, finishQueryRow, NO_ARGS, type Runner } from "./runner.ts";
import type { ExecResult, Result } from "./types.ts";

/** `Querier.query`. */
export function runQuery<T>(
  runner: Runner<DriverConn>,
  sql: string,
  args: readonly unknown[] = NO_ARGS,
  options?: StatementOptions,
): Promise<Result<T>> {
  return runner.run(
    (conn, with_) => conn.query(sql, fitArgs(args, conn), with_),
    finishQuery<T>,
    options,
  );
}

/** `Querier.queryRow`. */
export function runQueryRow<T>(
  runner: Runner<DriverConn>,
  sql: string,
  args: readonly unknown[] = NO_ARGS,
  options?: StatementOptions,
): Promise<T> {
  const row = runner.run(
    (conn, with_) => conn.query(sql, fitArgs(args, conn), with_),
    finishQueryRow,
    options,
  );
  return row as Promise<T>;
}

/** `Querier.exec`. */
export function runExec(
  runner: Runner<DriverConn>,
  sql: string,
  args: readonly unknown[] = NO_ARGS,
  options?: ExecOptions,
): Promise<ExecResult> {
  return runner.run(
    (conn, with_) => conn.query(sql, fitArgs(args, conn), with_),
    finishExec,
    options,
  );
}

/** `Querier.rows`. */
export function runRows<T>(
  runner: Runner<DriverConn>,
  sql: string,
  args: readonly unknown[] = NO_ARGS,
  options?: StatementOptions,
): Rows<T> {
  return new Rows<T>(
    runner,
    (conn, with_) => conn.stream(sql, fitArgs(args, conn), with_),
    options,
  );
}
