// COPY for users of a pool: on the connection that `raw` lends.

import type { Readable } from "node:stream";
import { UsageError } from "../base/errors.ts";
import type { OperationOptions } from "../driver/driver.ts";
import { nameList } from "./names.ts";
import { tableColumns, type TableColumns, tableName } from "./table-columns.ts";
import type { PgConnection } from "./wire/connection.ts";
import type { CopyResult, CopySource } from "./wire/copy-in.ts";
import type { CopyOut } from "./wire/copy-out.ts";
import { type CopyFormat, type CopyRows, encodeRows } from "./wire/copy-rows.ts";

/** Where rows are copied to, and how. */
export interface CopyTarget extends TableColumns {
  /**
   * How values travel. `"text"` takes whatever a parameter takes, for every type. `"binary"` takes
   * values of the type's own kind only, of types that this client writes in binary: `numeric`,
   * `date`, `timestamp` and `interval` are taken as strings in the form in which they are read, and
   * no strings in columns of other numbers. It is much faster where `timestamptz`, `float8` or
   * `bytea` prevail.
   * @defaultValue `"text"`
   */
  readonly format?: CopyFormat | undefined;
  /**
   * What becomes of a row with a value that the server cannot read as the column's type: `"stop"`
   * undoes the copy, `"ignore"` leaves the row out, and a notice says how many were. Only in text
   * format, and from PostgreSQL 17 on. What is refused here, before it is sent, stops the copy in
   * any case.
   * @defaultValue `"stop"`
   */
  readonly onError?: "stop" | "ignore" | undefined;
  /** With `onError: "ignore"`: more rows than this stop the copy. From PostgreSQL 18 on. */
  readonly rejectMax?: number | undefined;
  /**
   * Stores the rows as if by a `VACUUM FREEZE` later on. Only for a table that was made or emptied
   * in the same transaction.
   * @defaultValue false
   */
  readonly freeze?: boolean | undefined;
  /** A condition in SQL, put into the statement as it is: rows that do not meet it are left out. */
  readonly where?: string | undefined;
}

/** What is copied from the server, and how. */
export type CopyOrigin = (TableColumns | CopyQuery) & CopyOutputFormat;

/** A query whose rows are copied. */
export interface CopyQuery {
  /** In SQL, put into the statement as it is: a SELECT, VALUES, or a change that returns rows. */
  readonly query: string;
}

/** How the data looks. */
export interface CopyOutputFormat {
  /** @defaultValue `"text"` */
  readonly format?: CopyFormat | "csv" | undefined;
  /**
   * Whether the first line has the names of the columns; not in binary format.
   * @defaultValue false
   */
  readonly header?: boolean | undefined;
}

/**
 * The data of a COPY, to be read once: as pieces of bytes by iterating over it, as a stream, or as
 * rows. The statement is sent at the first read.
 */
export interface CopyOutput extends AsyncIterable<Buffer> {
  /** How many rows were copied, once all of them have been read; 0 before. */
  readonly rowsAffected: number;
  /** A stream of bytes, for `pipeline`. To destroy it stops the copy. */
  stream(): Readable;
  /**
   * The rows, as arrays, with the values that a query gives. Throws `ARGUMENT_INVALID` for a copy
   * that was given as SQL, for csv and with a header. In binary format a value of a type that this
   * client does not know is a `Buffer`.
   */
  rows<T extends readonly unknown[] = unknown[]>(): AsyncIterable<T>;
}

/**
 * Copies rows into a table with `COPY … FROM STDIN`, on one connection: the fastest way to store
 * many of them. In two forms:
 *
 * - with a `target`, rows: arrays with a value for each column, or objects with a property for
 *   each. A value is what a parameter of the column's type may be. One that cannot be sent undoes
 *   the copy with `ARGUMENT_INVALID`, which names the row, counted from 1, and the column.
 * - with the SQL of the statement, data in the format that it names, as text or bytes, cut
 *   anywhere.
 *
 * The source may be any iterable, also an asynchronous one, among them node's streams (of objects
 * for rows) and web streams. It is read no faster than the server takes the data: memory is bounded
 * by about one socket's buffer, whatever the amount. When the source throws, the copy is undone and
 * this rejects with that error; when the signal is aborted, with `signal.reason`. The connection
 * stays usable in both cases. Rejects with `ARGUMENT_INVALID` for another statement, and with the
 * server's `PgError`.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 * import { copyFrom, type PgConnection } from "forebay/postgres";
 *
 * async function load(db: DB<PgConnection>, users: Iterable<[number, string]>): Promise<number> {
 *   const target = { table: "users", columns: ["id", "name"] };
 *   const copied = await db.withConn((conn) => conn.raw((pg) => copyFrom(pg, target, users)));
 *   return copied.rowsAffected;
 * }
 * ```
 */
export function copyFrom(
  conn: PgConnection,
  target: CopyTarget,
  rows: CopyRows,
  options?: OperationOptions,
): Promise<CopyResult>;
/** See the form with rows. */
export function copyFrom(
  conn: PgConnection,
  sql: string,
  source: CopySource,
  options?: OperationOptions,
): Promise<CopyResult>;
export async function copyFrom(
  conn: PgConnection,
  to: CopyTarget | string,
  source: CopyRows | CopySource,
  options?: OperationOptions,
): Promise<CopyResult> {
  if (typeof to === "string") return await conn.copyIn(to, source as CopySource, options);
  const settings = settingsOf(to);
  const columns = await tableColumns(conn, to, options);
  const names = nameList(columns.map((column) => column.name));
  const where = to.where === undefined ? "" : ` WHERE ${to.where}`;
  const sql = `COPY ${tableName(to)} (${names}) FROM STDIN (${settings.join(", ")})${where}`;
  const data = encodeRows(columns, to.format ?? "text", source as CopyRows);
  return await conn.copyIn(sql, data, options);
}

/** The options of the statement. Throws `OPTION_INVALID` for what would mean nothing. */
function settingsOf({ format = "text", onError, rejectMax, freeze }: CopyTarget): string[] {
  if (format !== "text" && format !== "binary") throw invalid('format must be "text" or "binary"');
  const settings = [`FORMAT ${format}`];
  if (onError !== undefined && onError !== "stop" && onError !== "ignore") {
    throw invalid('onError must be "stop" or "ignore"');
  }
  if (onError === "ignore") {
    if (format !== "text") throw invalid('onError "ignore" needs the format "text"');
    settings.push("ON_ERROR ignore");
  }
  if (rejectMax !== undefined) {
    if (onError !== "ignore") throw invalid('rejectMax needs onError "ignore"');
    if (!Number.isSafeInteger(rejectMax) || rejectMax < 1) {
      throw invalid("rejectMax must be a whole number from 1");
    }
    settings.push(`REJECT_LIMIT ${rejectMax}`);
  }
  if (freeze === true) settings.push("FREEZE");
  return settings;
}

function invalid(message: string): UsageError {
  return new UsageError("OPTION_INVALID", message);
}

/**
 * Copies a table, or the rows of a query, out of the database with `COPY … TO STDOUT`, on one
 * connection. `origin` is what is to be copied, or the SQL of the whole statement.
 *
 * What comes back is read once: as pieces of bytes, each cut between rows; as a stream; or as rows.
 * The server is slowed down by its reader, and memory is bounded by about a megabyte. Until the end
 * the connection is taken. Leaving the loop, or destroying the stream, stops the server; so does
 * aborting the signal, upon which the read rejects with `signal.reason`. The connection is usable
 * again in each case. Errors come out of the read: the server's `PgError`, and `ARGUMENT_INVALID`
 * for another statement.
 *
 * @example
 * ```ts
 * import { createWriteStream } from "node:fs";
 * import { pipeline } from "node:stream/promises";
 * import type { DB } from "forebay";
 * import { copyTo, type PgConnection } from "forebay/postgres";
 *
 * async function save(db: DB<PgConnection>, file: string): Promise<void> {
 *   const origin = { table: "users", format: "csv", header: true } as const;
 *   await db.withConn((conn) =>
 *     conn.raw((pg) => pipeline(copyTo(pg, origin).stream(), createWriteStream(file))),
 *   );
 * }
 * ```
 */
export function copyTo(
  conn: PgConnection,
  origin: CopyOrigin | string,
  options?: OperationOptions,
): CopyOutput {
  if (typeof origin === "string") return new Output(conn, origin, undefined, options);
  return new Output(conn, copyToSql(origin), origin, options);
}

function copyToSql(origin: CopyOrigin): string {
  const { format = "text", header = false } = origin;
  if (format !== "text" && format !== "binary" && format !== "csv") {
    throw invalid('format must be "text", "csv" or "binary"');
  }
  if (header && format === "binary") throw invalid("the binary format has no header");
  const settings = `(FORMAT ${format}${header ? ", HEADER" : ""})`;
  return `COPY ${sourceSql(origin)} TO STDOUT ${settings}`;
}

function sourceSql(origin: CopyOrigin): string {
  // The line break ends a comment at the end of the query.
  if ("query" in origin) return `(${origin.query}\n)`;
  const columns = origin.columns === undefined ? "" : ` (${nameList(origin.columns)})`;
  return tableName(origin) + columns;
}

class Output implements CopyOutput {
  readonly #conn: PgConnection;
  readonly #origin: CopyOrigin | undefined;
  readonly #options: OperationOptions | undefined;
  readonly #copy: CopyOut;

  constructor(
    conn: PgConnection,
    sql: string,
    origin: CopyOrigin | undefined,
    options: OperationOptions | undefined,
  ) {
    this.#conn = conn;
    this.#origin = origin;
    this.#options = options;
    this.#copy = conn.copyOut(sql, options);
  }

  get rowsAffected(): number {
    return this.#copy.rowsAffected;
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this.#copy[Symbol.asyncIterator]();
  }

  stream(): Readable {
    return this.#copy.stream();
  }

  rows<T extends readonly unknown[]>(): AsyncIterable<T> {
    const origin = this.#origin;
    const format = origin?.format ?? "text";
    if (origin === undefined || format === "csv" || origin.header === true) {
      throw new UsageError(
        "ARGUMENT_INVALID",
        "rows are read from a table or a query, in text or binary format without a header",
      );
    }
    return this.#rows(origin, format) as AsyncIterable<unknown> as AsyncIterable<T>;
  }

  async *#rows(origin: CopyOrigin, format: CopyFormat): AsyncGenerator<unknown[]> {
    const columns = "query" in origin ? origin.query : await this.#tableQuery(origin);
    yield* this.#copy.rows({ format, columns });
  }

  /** A query that has the columns of the table, of which a COPY leaves out the generated ones. */
  async #tableQuery(origin: TableColumns): Promise<string> {
    const columns =
      origin.columns ??
      (await tableColumns(this.#conn, origin, this.#options)).map((column) => column.name);
    return `SELECT ${nameList(columns)} FROM ${tableName(origin)}`;
  }
}
