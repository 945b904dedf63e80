// What the catalogue says about the columns of a table, for those who fill it in bulk, and names as
// SQL wants them.

import { UsageError } from "../base/errors.ts";
import type { OperationOptions } from "../driver/driver.ts";

/** A table, and which of its columns are meant, in which order. */
export interface TableColumns {
  /** The name of the table, as it is: it is quoted here, and holds no schema. */
  readonly table: string;
  /** Its schema. Without one the server looks along `search_path`. */
  readonly schema?: string | undefined;
  /** Names of columns, as they are. All, but for generated ones, where this is left out. */
  readonly columns?: readonly string[] | undefined;
}

/** A column, with its type in the ways that are needed to fill it. */
export interface TableColumn {
  readonly name: string;
  /** Of a domain, the type that it restricts. */
  readonly typeOid: number;
  /** The type as SQL understands it whatever the `search_path`; of a domain the domain. */
  readonly typeSql: string;
  /** The same of the type that a domain restricts, and of any other type. */
  readonly baseSql: string;
  readonly isArray: boolean;
  /** Whether its binary format is its text, as that of an enumeration. */
  readonly isText: boolean;
}

/** Whoever can run a query. */
export interface Asks {
  query(
    sql: string,
    args: readonly unknown[],
    options?: OperationOptions,
  ): Promise<{ readonly rows: readonly unknown[] }>;
}

// format_type with -1: a length that is not given must not become the length 1 of char and bit.
const COLUMNS = `
  WITH RECURSIVE wanted AS (
    SELECT attnum, attname, atttypid, atttypid AS base
      FROM pg_catalog.pg_attribute
     WHERE attrelid = $1::pg_catalog.regclass AND attnum > 0
       AND NOT attisdropped AND attgenerated = ''
    UNION ALL
    SELECT attnum, attname, atttypid, typbasetype
      FROM wanted JOIN pg_catalog.pg_type ON pg_type.oid = base
     WHERE typtype = 'd'
  )
  SELECT attname AS "name",
         base::int8 AS "typeOid",
         pg_catalog.format_type(atttypid, -1) AS "typeSql",
         pg_catalog.format_type(base, -1) AS "baseSql",
         typcategory = 'A' AS "isArray",
         typtype = 'e' OR typreceive::text IN ('textrecv', 'citextrecv') AS "isText"
    FROM wanted JOIN pg_catalog.pg_type ON pg_type.oid = base
   WHERE typtype <> 'd'
   ORDER BY attnum`;

/**
 * The columns that are meant, in their order. Rejects with the server's error for a table that is
 * not there, and with `ARGUMENT_INVALID` for a column that is not there, is generated, or is named
 * twice.
 */
export async function tableColumns(
  on: Asks,
  table: TableColumns,
  options: OperationOptions | undefined,
): Promise<TableColumn[]> {
  const { rows } = await on.query(COLUMNS, [tableName(table)], options);
  const all = rows as TableColumn[];
  if (table.columns === undefined) return all;
  const byName = new Map(all.map((column) => [column.name, column]));
  const found = table.columns.map((name) => {
    const column = byName.get(name);
    byName.delete(name);
    if (column !== undefined) return column;
    throw new UsageError(
      "ARGUMENT_INVALID",
      `${name} is no column of ${table.table} that can be filled, or is named twice`,
    );
  });
  if (found.length > 0) return found;
  throw new UsageError("ARGUMENT_INVALID", "name at least one column, or leave `columns` out");
}

/** The table's name with its schema, quoted. */
export function tableName({ table, schema }: TableColumns): string {
  return schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`;
}

/** Names, quoted, with commas between. */
export function nameList(names: readonly string[]): string {
  return names.map(quoted).join(", ");
}

/** A name, quoted. Throws `ARGUMENT_INVALID` for what cannot be one. */
export function quoted(name: string): string {
  if (typeof name !== "string" || name === "" || name.includes("\0")) {
    throw new UsageError("ARGUMENT_INVALID", "a name must be text, not empty, and without NUL");
  }
  return `"${name.replaceAll('"', '""')}"`;
}
