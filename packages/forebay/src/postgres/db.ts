// openPostgres: a DB on PostgreSQL, with what only PostgreSQL can do.

import { systemClock } from "../base/clock.ts";
import type { PipelinedStatement } from "../driver/capabilities.ts";
import type { Column, ExecOptions, StatementOptions } from "../driver/driver.ts";
import { fitArgs } from "../sql/args.ts";
import { DB, type DBOptions, partsOf } from "../sql/db.ts";
import type { PoolParts } from "../sql/pool-calls.ts";
import { NO_ARGS } from "../sql/runner.ts";
import type { ExecResult, Result, Row } from "../sql/types.ts";
import { Pipelines, type PipeliningOptions } from "./pipelines.ts";
import { checkBatch } from "./wire/batch.ts";
import type { PostgresOptions } from "./wire/config.ts";
import type { PgConnection } from "./wire/connection.ts";
import { postgres, type PostgresConnector } from "./wire/connector.ts";

/** The options of `openPostgres`: those of the `DB` and its pool, and these. */
export type PostgresDBOptions = DBOptions<PgConnection> & {
  /** How to connect, before what the connection string says. */
  readonly connection?: PostgresOptions | undefined;
  /**
   * Lets `query`, `queryRow` and `exec` of many callers share connections; see `PipeliningOptions`.
   * `true` for its defaults. @defaultValue off: each call has a connection of its own
   */
  readonly pipelining?: PipeliningOptions | boolean | undefined;
};

/**
 * Opens a PostgreSQL database. Connects to nothing yet, unless minIdleConns asks for it. `target`
 * is what `postgres` takes. Throws `OPTION_INVALID`.
 *
 * @example
 * ```ts
 * import { openPostgres } from "forebay/postgres";
 *
 * const url = process.env["DATABASE_URL"] ?? "";
 * const db = openPostgres(url, { maxOpenConns: 4, pipelining: true });
 * const row = await db.queryRow<{ n: number }>("SELECT $1::int + 1 AS n", [1]);
 * console.log(row.n);
 * await db.close();
 * ```
 */
export function openPostgres(
  target: string | PostgresOptions = "",
  options: PostgresDBOptions = {},
): PostgresDB {
  const { connection, pipelining, ...dbOptions } = options;
  const connector = postgres(target, connection);
  const parts = partsOf<PgConnection>(connector, dbOptions);
  if (pipelining === undefined || pipelining === false) return new PostgresDB(connector, parts);
  const clock = options.clock ?? systemClock;
  const choices = pipelining === true ? {} : pipelining;
  return new PostgresDB(connector, parts, new Pipelines(parts.pool, clock, choices));
}

/** A result by columns. */
export interface ColumnsResult {
  readonly columns: readonly Column[];
  /** As many as there are columns; each as long as there are rows. */
  readonly values: unknown[][];
}

/** A PostgreSQL database. Made by `openPostgres`. Every method may be called concurrently. */
export class PostgresDB extends DB<PgConnection> {
  readonly #pipelines: Pipelines | undefined;

  /** For `openPostgres`. */
  constructor(connector: PostgresConnector, parts: PoolParts<PgConnection>, pipelines?: Pipelines) {
    super(connector, parts);
    this.#pipelines = pipelines;
  }

  override query<T = Row>(
    sql: string,
    args: readonly unknown[] = NO_ARGS,
    options?: StatementOptions,
  ): Promise<Result<T>> {
    if (this.#pipelines?.takes(sql) !== true) return super.query<T>(sql, args, options);
    return this.#pipelines.run(sql, args, options) as Promise<Result<T>>;
  }

  override queryRow<T = Row>(
    sql: string,
    args: readonly unknown[] = NO_ARGS,
    options?: StatementOptions,
  ): Promise<T> {
    if (this.#pipelines?.takes(sql) !== true) return super.queryRow<T>(sql, args, options);
    return this.#pipelines.runForRow(sql, args, options) as Promise<T>;
  }

  /**
   * Runs a query and gives its values by column: `values[i]` is an array of all values of the i-th
   * column. For work on whole columns, and for less memory than an object a row.
   */
  async queryColumns(
    sql: string,
    args: readonly unknown[] = NO_ARGS,
    options?: ExecOptions,
  ): Promise<ColumnsResult> {
    const { columns, rows } = await this.query<unknown[]>(sql, args, {
      ...options,
      rowMode: "array",
    });
    return { columns, values: columns.map((_, i) => rows.map((row) => row[i])) };
  }

  /**
   * Sends several statements at once, on one connection and in one transaction: one round trip for
   * all. Gives their results in order. Rejects with the first error, and then none of them has
   * happened. No transaction can be begun or ended in it, and no COPY run. As with `query`, a batch
   * of which nothing was sent is made again.
   */
  batch(statements: readonly PipelinedStatement[], options?: StatementOptions): Promise<Result[]> {
    return this.call(
      (conn, with_) => conn.pipeline(fitted(statements, conn), with_),
      options,
    ) as Promise<Result[]>;
  }

  /**
   * As `batch`, but each statement is a transaction of its own: gives for each what became of it.
   * Rejects only where no connection is to be had, for a signal that was aborted before, and for
   * what is no statement.
   */
  batchSettled(
    statements: readonly PipelinedStatement[],
    options?: StatementOptions,
  ): Promise<PromiseSettledResult<Result>[]> {
    return this.call(
      (conn, with_) => conn.pipelineSettled(fitted(statements, conn), with_),
      options,
    ) as Promise<PromiseSettledResult<Result>[]>;
  }

  override exec(
    sql: string,
    args: readonly unknown[] = NO_ARGS,
    options?: ExecOptions,
  ): Promise<ExecResult> {
    if (this.#pipelines?.takes(sql) !== true) return super.exec(sql, args, options);
    return this.#pipelines.runForCount(sql, args, options);
  }
}

/** The statements with arguments that can be sent. Throws `ARGUMENT_INVALID`. */
function fitted(
  statements: readonly PipelinedStatement[],
  conn: PgConnection,
): readonly PipelinedStatement[] {
  checkBatch(statements);
  return statements.map(({ sql, args = NO_ARGS }) => ({ sql, args: fitArgs(args, conn) }));
}
