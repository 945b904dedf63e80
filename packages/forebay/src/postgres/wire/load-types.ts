// Reads from the catalogue the types that a connector's options name. What they become is for
// types/catalog.ts.

import { isPgError } from "./errors.ts";
import { type CatalogueRow, type TypeRegistry, unknownType } from "./types/index.ts";

/** Runs a statement that gives one text, in whatever transaction there is. */
export type RunForText = (sql: string, args: readonly unknown[]) => Promise<string>;

// As JSON, because what becomes of any other type may be up to the user. Arrays, ranges and all
// that a type consists of come with it.
const NAMES_SQL = `
SELECT json_agg(pg_catalog.to_regtype(name)::oid::int8 ORDER BY place)::text
  FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place)`;

const TYPES_SQL = `
WITH RECURSIVE wanted (oid) AS (
    SELECT unnest($1::oid[])
  UNION
    SELECT part.oid
      FROM wanted
      JOIN pg_catalog.pg_type t ON t.oid = wanted.oid
     CROSS JOIN LATERAL (
              SELECT t.typarray
        UNION ALL SELECT t.typbasetype
        UNION ALL SELECT t.typelem WHERE t.typcategory = 'A'
        UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
                   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid
        UNION ALL SELECT r.rngmultitypid FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid
        UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid
     ) AS part (oid)
     WHERE part.oid <> 0
)
SELECT coalesce(json_agg(row_to_json(one)), '[]')::text
  FROM (
    SELECT t.oid::int8 AS oid, t.typname AS name, t.typtype AS kind, t.typdelim AS delimiter,
           CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END::int8 AS element,
           t.typbasetype::int8 AS base,
           (SELECT CASE WHEN r.rngtypid = t.oid THEN r.rngsubtype ELSE r.rngtypid END
              FROM pg_catalog.pg_range r
             WHERE t.oid IN (r.rngtypid, r.rngmultitypid))::int8 AS of,
           (SELECT json_agg(json_build_object('name', a.attname, 'oid', a.atttypid::int8)
                            ORDER BY a.attnum)
              FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS attributes
      FROM wanted
      JOIN pg_catalog.pg_type t ON t.oid = wanted.oid
  ) AS one`;

/**
 * Reads the types that were asked for. Rejects with `TYPE_UNKNOWN` where there is none of a name,
 * and with what `run` rejects with; what was known stays so then.
 */
export async function loadTypes(types: TypeRegistry, run: RunForText): Promise<void> {
  const numbers = await readNumbers(types.names, run);
  const wanted = types.wanted(numbers);
  types.adopt(numbers, JSON.parse(await run(TYPES_SQL, [wanted])) as CatalogueRow[]);
}

/**
 * Loads again after a type turned up that is not known. Never rejects: what cannot be read stays as
 * it is, and is not looked for again.
 */
export async function reloadTypes(types: TypeRegistry, run: RunForText): Promise<void> {
  types.calm();
  await loadTypes(types, run).catch(() => {});
}

/** The numbers of types by name, in the same order; null for a name that is not known. */
async function readNumbers(names: readonly string[], run: RunForText): Promise<(number | null)[]> {
  if (names.length === 0) return [];
  try {
    return JSON.parse(await run(NAMES_SQL, [names])) as (number | null)[];
  } catch (error) {
    // Class 42: a name that is not even SQL.
    if (!isPgError(error) || !error.sqlstate.startsWith("42")) throw error;
    throw unknownType(`of one of the names ${names.join(", ")}`, error);
  }
}
