// What the catalogue says about the columns of a table, for those who fill it in bulk.

import { UsageError } from "../base/errors.ts";
import type { OperationOptions } from "../driver/driver.ts";
import { quoted } from "./names.ts";

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
  /** The same as SQL understands it, whatever the `search_path`. */
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

// With its schema a type is the same one on every connection, whatever its search_path.
const FACTS = `
         typtype = 'd' AS "isDomain",
         pg_type.oid AS "typeOid",
         pg_catalog.format('%s.%I', typnamespace::pg_catalog.regnamespace, typname) AS "baseSql",
         typcategory = 'A' AS "isArray",
         typtype = 'e' OR typreceive::pg_catalog.text IN ('textrecv', 'citextrecv') AS "isText"`;

const FILLED = `attrelid = $1::pg_catalog.regclass AND attnum > 0
       AND NOT attisdropped AND attgenerated = ''`;

const COLUMNS = `
  SELECT attname AS "name", ${FACTS}
    FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type ON pg_type.oid = atttypid
   WHERE ${FILLED}
   ORDER BY attnum`;

/** The same with what lies under domains. It takes longer to plan. */
const COLUMNS_OF_DOMAINS = `
  WITH RECURSIVE wanted AS (
    SELECT attnum, attname, atttypid AS base FROM pg_catalog.pg_attribute WHERE ${FILLED}
    UNION ALL
    SELECT attnum, attname, typbasetype
      FROM wanted JOIN pg_catalog.pg_type ON pg_type.oid = base
     WHERE typtype = 'd'
  )
  SELECT attname AS "name", ${FACTS}
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
): Promise<readonly TableColumn[]> {
  return pickColumns(await allColumns(on, table, options), table);
}

/** All columns of a table that can be filled. */
export async function allColumns(
  on: Asks,
  table: TableColumns,
  options: OperationOptions | undefined,
): Promise<readonly TableColumn[]> {
  const args = [tableName(table)];
  const { rows } = await on.query(COLUMNS, args, options);
  const hasDomain = rows.some((row) => (row as { readonly isDomain: boolean }).isDomain);
  if (!hasDomain) return rows as TableColumn[];
  return (await on.query(COLUMNS_OF_DOMAINS, args, options)).rows as TableColumn[];
}

/** Those of all columns that are meant. */
export function pickColumns(
  all: readonly TableColumn[],
  { table, columns }: TableColumns,
): readonly TableColumn[] {
  if (columns === undefined) return all;
  checkColumns(columns);
  const byName = new Map(all.map((column) => [column.name, column]));
  return columns.map((name) => {
    const column = byName.get(name);
    if (column !== undefined) return column;
    throw new UsageError(
      "ARGUMENT_INVALID",
      `${name} is no column of ${table}, or one that the server fills`,
    );
  });
}

/** Throws `ARGUMENT_INVALID` unless these are names, each given once. */
export function checkColumns(columns: readonly string[]): void {
  if (columns.length === 0 || new Set(columns).size < columns.length) {
    throw new UsageError(
      "ARGUMENT_INVALID",
      "`columns` must name each column once, and any at all",
    );
  }
}

/** The table's name with its schema, quoted. */
export function tableName({ table, schema }: TableColumns): string {
  return schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`;
}
