// Many rows in few statements: as arrays that the server takes apart (unnest), or as a list of
// VALUES.

import { isForebayError, UsageError } from "../base/errors.ts";
import type { OperationOptions } from "../driver/driver.ts";
import type { Stmt } from "../sql/stmt.ts";
import type { Querier, Result, Row } from "../sql/types.ts";
import { type Batch, Batches, type BatchLimits } from "./batches.ts";
import { nameList, quoted } from "./names.ts";
import {
  allColumns,
  checkColumns,
  pickColumns,
  type TableColumn,
  type TableColumns,
  tableName,
} from "./table-columns.ts";
import { type CopyRows, rowError } from "./wire/copy-rows.ts";
import { PARAMS_MAX } from "./wire/proto/frontend.ts";
import {
  checkString,
  hasBinaryArray,
  oidOf,
  smallIntegers,
  valueText,
} from "./wire/types/index.ts";

/** What `insertMany` and `insertValues` can be told. */
export interface InsertOptions extends OperationOptions {
  /**
   * How many rows one statement inserts, at most. A whole number from 1. There are fewer where
   * their values take more than about 8 MB.
   */
  readonly batchRows?: number | undefined;
  /** Names of columns to be given back, or `"*"` for all. Nothing is given back without it. */
  readonly returning?: readonly string[] | "*" | undefined;
  /** What becomes of a row that the table has already. Without it such a row is an error. */
  readonly onConflict?: OnConflict | undefined;
}

/**
 * `"nothing"` passes over rows that meet any of the table's constraints. Else `columns` are those
 * of one unique constraint; of a row that meets it, the columns in `update` are overwritten, or the
 * row is passed over where there are none. Two rows of one statement must not overwrite the same
 * row.
 */
export type OnConflict =
  | "nothing"
  | { readonly columns: readonly string[]; readonly update?: readonly string[] | undefined };

/** What `insertMany` can be told. */
export interface InsertManyOptions extends InsertOptions {
  /**
   * The types of the columns, as SQL has them, such as `int4` or `text`, in the order of `columns`.
   * Spares the look into the catalogue, which otherwise happens once for each table and `DB`,
   * `Conn` or `Tx`.
   */
  readonly types?: readonly string[] | undefined;
}

/** What an insert has done. */
export interface InsertResult<T = Row> {
  /** Inserted or, upon a conflict, updated. */
  readonly rowsAffected: number;
  /** What `returning` asks for. */
  readonly rows: T[];
}

/** Above this many rows, statements are prepared first, so that arrays travel in binary. */
const PREPARE_ROWS = 100;

/** Of a statement, in bytes. */
const BATCH_BYTES = 8 * 1024 * 1024;

const UNNEST_ROWS = 10_000;
const VALUES_ROWS = 1000;

/**
 * Inserts rows with `INSERT … SELECT … FROM unnest($1::int4[], …)`: one array for each column, so
 * that a statement takes any number of rows, and its text is always the same. Rows are arrays with
 * a value for each column, or objects with a property for each; their source may be asynchronous.
 *
 * All or nothing: more rows than fit into one statement are inserted in a transaction (within a
 * `Tx`, a savepoint), which takes a connection for as long as the source lasts. It is not for
 * sources that wait for the same pool.
 *
 * Columns of any type can be filled, arrays too. A value is what a parameter of the column's type
 * may be; one that cannot be sent rejects with `ARGUMENT_INVALID`, which names the row, counted
 * from 1, and the column. Rejects with what the source throws, with `signal.reason`, and with the
 * server's errors.
 *
 * @example
 * ```ts
 * import type { Querier } from "forebay";
 * import { insertMany } from "forebay/postgres";
 *
 * async function add(on: Querier, users: Iterable<[number, string]>): Promise<number> {
 *   const target = { table: "users", columns: ["id", "name"] };
 *   const { rowsAffected } = await insertMany(on, target, users, { onConflict: "nothing" });
 *   return rowsAffected;
 * }
 * ```
 */
export async function insertMany<T = Row>(
  on: Querier,
  target: TableColumns,
  rows: CopyRows,
  options: InsertManyOptions = {},
): Promise<InsertResult<T>> {
  const limits = limitsOf(options, UNNEST_ROWS, Infinity);
  const columns = await columnsOf(on, target, options);
  const names = columns.map((column) => column.name);
  const sql = `${insertInto(target, names)} ${unnestOf(columns)}${endOf(options)}`;
  const batches = new Batches(rows, names, limits);
  const statement = new ArrayStatement(sql, options);
  try {
    return await inOneGo<T>(on, batches, options, async (querier, batch) => {
      const args = columns.map((column, index) => arrayOf(column, index, batch));
      try {
        return await statement.run<T>(querier, args, batch.rows.length);
      } catch (error) {
        throw blame(error, columns, batch);
      }
    });
  } catch (error) {
    // The table may have been changed since it was looked at.
    KNOWN.delete(on);
    throw error;
  } finally {
    await statement.close();
  }
}

/**
 * Inserts rows with `INSERT … VALUES ($1, $2), ($3, $4), …`. As `insertMany`, but nothing is asked
 * of the catalogue, and each value is a parameter of its own: of which a statement has 65 535 at
 * most, so that rows are divided accordingly. Slower than `insertMany` for more than a few rows.
 */
export async function insertValues<T = Row>(
  on: Querier,
  target: TableColumns & { readonly columns: readonly string[] },
  rows: CopyRows,
  options: InsertOptions = {},
): Promise<InsertResult<T>> {
  const { columns } = target;
  checkColumns(columns);
  const limits = limitsOf(options, VALUES_ROWS, Math.floor(PARAMS_MAX / columns.length));
  const before = `${insertInto(target, columns)} VALUES `;
  const after = endOf(options);
  const batches = new Batches(rows, columns, limits);
  return await inOneGo<T>(on, batches, options, async (querier, batch) => {
    const sql = before + placeholders(batch.rows.length, columns.length) + after;
    try {
      return await querier.query<T>(sql, batch.rows.flat(1), options);
    } catch (error) {
      throw blameArgument(error, columns, batch.firstRow);
    }
  });
}

type Insert<T> = (on: Querier, batch: Batch) => Promise<Result<T>>;

/** Inserts all batches: one by itself, several in a transaction. */
async function inOneGo<T>(
  on: Querier,
  batches: Batches,
  options: OperationOptions,
  insert: Insert<T>,
): Promise<InsertResult<T>> {
  try {
    const first = await batches.next();
    if (first.rows.length === 0) return { rowsAffected: 0, rows: [] };
    if (first.isLast) {
      const { rowsAffected, rows } = await insert(on, first);
      return { rowsAffected, rows };
    }
    return await transactionOn(on, options, async (tx) => {
      const rows: T[] = [];
      let rowsAffected = 0;
      for (let batch: Batch | undefined = first; batch !== undefined; ) {
        options.signal?.throwIfAborted();
        // The next batch is gathered while the server works on this one.
        const [done, next]: [Result<T>, Batch | undefined] = await Promise.all([
          insert(tx, batch),
          batch.isLast ? undefined : batches.next(),
        ]);
        rowsAffected += done.rowsAffected;
        for (const row of done.rows) rows.push(row);
        batch = next;
      }
      return { rowsAffected, rows };
    });
  } finally {
    batches.stop();
  }
}

function transactionOn<T>(
  on: Querier,
  { signal }: OperationOptions,
  fn: (tx: Querier) => Promise<T>,
): Promise<T> {
  // A Tx has the signal of its outermost transaction, and passes over the options.
  const withOptions: (fn: (tx: Querier) => Promise<T>, options: OperationOptions) => Promise<T> =
    on.transaction.bind(on);
  return withOptions(fn, signal === undefined ? {} : { signal });
}

/** A statement with arrays, prepared where that pays, once. */
class ArrayStatement {
  readonly #sql: string;
  readonly #options: OperationOptions;
  #stmt: Stmt | undefined;

  constructor(sql: string, options: OperationOptions) {
    this.#sql = sql;
    this.#options = options;
  }

  async run<T>(on: Querier, args: readonly unknown[], rowCount: number): Promise<Result<T>> {
    const options = this.#options;
    if (this.#stmt === undefined && rowCount <= PREPARE_ROWS) {
      return await on.query<T>(this.#sql, args, options);
    }
    this.#stmt ??= await on.prepare(this.#sql, options);
    return await this.#stmt.query<T>(args, options);
  }

  async close(): Promise<void> {
    await this.#stmt?.close();
  }
}

/** By whoever was asked, and by table. */
const KNOWN = new WeakMap<Querier, Map<string, readonly TableColumn[]>>();

async function columnsOf(
  on: Querier,
  target: TableColumns,
  options: InsertManyOptions,
): Promise<readonly TableColumn[]> {
  if (options.types !== undefined) return givenColumns(target, options.types);
  let tables = KNOWN.get(on);
  if (tables === undefined) {
    tables = new Map();
    KNOWN.set(on, tables);
  }
  const name = tableName(target);
  let all = tables.get(name);
  if (all === undefined) {
    all = await allColumns(on, target, options);
    tables.set(name, all);
  }
  return pickColumns(all, target);
}

function givenColumns(target: TableColumns, types: readonly string[]): TableColumn[] {
  const { columns } = target;
  if (columns?.length !== types.length) {
    throw new UsageError("ARGUMENT_INVALID", "`types` must have one for each of `columns`");
  }
  checkColumns(columns);
  return columns.map((name, index) => {
    const type = types[index] ?? "";
    const isArray = type.endsWith("]");
    return { name, typeOid: oidOf(type), baseSql: type, isArray, isText: false };
  });
}

/**
 * Whether the values of a column travel as an array of its type. Those of any other go as text, and
 * are cast: an array of arrays would be taken apart to its innermost elements, JSON arrays look the
 * same here as PostgreSQL's, and most types have no binary form here.
 */
function isDirect({ typeOid, isArray }: TableColumn): boolean {
  return !isArray && hasBinaryArray(typeOid);
}

function unnestOf(columns: readonly TableColumn[]): string {
  const arrays = columns.map(
    (column, i) => `$${i + 1}::${isDirect(column) ? column.baseSql : "text"}[]`,
  );
  const names = columns.map((_, i) => `c${i}`);
  const values = columns.map((column, i) =>
    isDirect(column) ? `u.c${i}` : `u.c${i}::${column.baseSql}`,
  );
  return `SELECT ${values.join(", ")} FROM unnest(${arrays.join(", ")}) AS u (${names.join(", ")})`;
}

function insertInto(target: TableColumns, names: readonly string[]): string {
  return `INSERT INTO ${tableName(target)} (${nameList(names)})`;
}

function placeholders(rowCount: number, columnCount: number): string {
  const rows: string[] = [];
  for (let row = 0; row < rowCount; row++) {
    const first = row * columnCount;
    let text = `($${first + 1}`;
    for (let i = 2; i <= columnCount; i++) text += `, $${first + i}`;
    rows.push(`${text})`);
  }
  return rows.join(", ");
}

function endOf({ onConflict, returning }: InsertOptions): string {
  const conflict = onConflict === undefined ? "" : ` ON CONFLICT ${conflictOf(onConflict)}`;
  if (returning === undefined || returning.length === 0) return conflict;
  return `${conflict} RETURNING ${returning === "*" ? "*" : nameList(returning)}`;
}

function conflictOf(onConflict: OnConflict): string {
  if (onConflict === "nothing") return "DO NOTHING";
  const { columns, update = [] } = onConflict;
  checkColumns(columns);
  const target = `(${nameList(columns)})`;
  if (update.length === 0) return `${target} DO NOTHING`;
  const changes = update.map((name) => `${quoted(name)} = EXCLUDED.${quoted(name)}`);
  return `${target} DO UPDATE SET ${changes.join(", ")}`;
}

function limitsOf(
  { batchRows }: InsertOptions,
  byDefault: number,
  rowsPossible: number,
): BatchLimits {
  if (batchRows !== undefined && (!Number.isSafeInteger(batchRows) || batchRows < 1)) {
    throw new UsageError("OPTION_INVALID", "batchRows must be a whole number from 1");
  }
  const rowsMax = Math.min(batchRows ?? byDefault, rowsPossible);
  return { rowsMax, bytesMax: BATCH_BYTES };
}

/** The values of one column, as they are to be sent. */
function arrayOf(column: TableColumn, index: number, batch: Batch): unknown[] {
  const isSentAsIs = isDirect(column);
  const { min, max } = smallIntegers(column.typeOid);
  const values: unknown[] = [];
  const { rows, firstRow } = batch;
  for (let i = 0; i < rows.length; i++) {
    const value = (rows[i] as readonly unknown[])[index];
    const isPlain =
      typeof value === "number"
        ? (value | 0) === value && value >= min && value <= max
        : typeof value === "string" || value === null;
    if (value === null || (isPlain && isSentAsIs)) values.push(value);
    else values.push(sendable(value, column, firstRow + i));
  }
  return values;
}

/** Throws for a value that the column's type cannot hold. */
function sendable(value: unknown, column: TableColumn, row: number): unknown {
  try {
    if (Array.isArray(value) && isDirect(column)) {
      throw new UsageError("ARGUMENT_INVALID", `an array is no value for ${column.baseSql}`);
    }
    const text = valueText(value, column.typeOid);
    return isDirect(column) ? value : text;
  } catch (error) {
    throw rowError(row, column.name, error);
  }
}

/** Finds out which value it was that could not be sent, where that was the trouble. */
function blame(error: unknown, columns: readonly TableColumn[], batch: Batch): unknown {
  if (!isRefusal(error)) return error;
  for (const [i, row] of batch.rows.entries()) {
    for (const [index, column] of columns.entries()) {
      const value = row[index];
      try {
        if (value !== null) checkString(valueText(value, column.typeOid), column.typeOid);
      } catch (cause) {
        return rowError(batch.firstRow + i, column.name, cause);
      }
    }
  }
  return error;
}

const ARGUMENT = /^argument (\d+): (.*) \[\w+\]$/s;

/** The same for a list of values, where the refusal says which it was. */
function blameArgument(error: unknown, columns: readonly string[], firstRow: number): unknown {
  const [, number, why] = (isRefusal(error) && ARGUMENT.exec(error.message)) || [];
  if (number === undefined) return error;
  const index = Number(number) - 1;
  const row = firstRow + Math.floor(index / columns.length);
  const cause = new UsageError("ARGUMENT_INVALID", why ?? "", error);
  return rowError(row, columns[index % columns.length], cause);
}

function isRefusal(error: unknown): error is Error {
  return isForebayError(error) && error.code === "ARGUMENT_INVALID";
}
