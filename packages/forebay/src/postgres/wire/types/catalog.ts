// The types that a database has of its own, as its catalogue tells of them, made into codecs.

import { arrayCodec } from "./array.ts";
import type { Codec } from "./codec.ts";
import { compositeCodec } from "./composite.ts";
import { looseCodec } from "./loose.ts";
import { multirangeCodec, rangeCodec } from "./range-codec.ts";
import type { TypeEntry } from "./table.ts";
import { textCodec } from "./text.ts";

/** Runs a statement that gives one text, in whatever transaction there is. */
export type RunForText = (sql: string, args: readonly unknown[]) => Promise<string>;

/** One row of pg_type, with what belongs to it in other tables. */
interface CatalogueRow {
  readonly oid: number;
  readonly name: string;
  /** `b` base, `c` composite, `d` domain, `e` enum, `m` multirange, `p` pseudo, `r` range. */
  readonly kind: string;
  readonly delimiter: string;
  /** Of an array; 0 for others. */
  readonly element: number;
  /** Of a domain; 0 for others. */
  readonly base: number;
  /** Of a range its bounds, of a multirange its ranges; null for others. */
  readonly of: number | null;
  readonly attributes: readonly { readonly name: string; readonly oid: number }[] | null;
}

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

/** The numbers of types by name, in the same order; null for a name that is not known. */
export async function readTypeNumbers(
  run: RunForText,
  names: readonly string[],
): Promise<(number | null)[]> {
  if (names.length === 0) return [];
  return JSON.parse(await run(NAMES_SQL, [names])) as (number | null)[];
}

/** The rows of these types, and of all that they are made of or that is made of them. */
export async function readTypes(
  run: RunForText,
  oids: readonly number[],
): Promise<readonly CatalogueRow[]> {
  return JSON.parse(await run(TYPES_SQL, [oids])) as CatalogueRow[];
}

/** What `entriesOf` needs beside the rows. */
export interface Surroundings {
  /** The types that need no row. */
  known(oid: number): TypeEntry | undefined;
  /** Puts the user's own codec in the place of one. */
  own(oid: number, name: string, codec: Codec): Codec;
  /** A value turned out to be of a composite type that has changed. */
  readonly onAltered: () => void;
}

/** Makes the entries of types from their rows. */
export function entriesOf(
  rows: readonly CatalogueRow[],
  around: Surroundings,
): ReadonlyMap<number, TypeEntry> {
  const byOid = new Map(rows.map((row) => [row.oid, row]));
  const entries = new Map<number, TypeEntry>();
  const entry = (oid: number): TypeEntry => {
    const done = around.known(oid) ?? entries.get(oid);
    if (done !== undefined) return done;
    const row = byOid.get(oid);
    if (row === undefined) return { name: String(oid), codec: looseCodec(String(oid)) };
    // Stands here meanwhile, so that no circle of types, which PostgreSQL does not have, is a
    // stack overflow.
    entries.set(oid, { name: row.name, codec: looseCodec(row.name) });
    const made = make(row);
    entries.set(oid, { ...made, codec: around.own(oid, made.name, made.codec) });
    return entries.get(oid) ?? made;
  };
  const make = (row: CatalogueRow): TypeEntry => {
    const { name } = row;
    if (row.element !== 0) {
      const element = entry(row.element);
      const delimiter = byOid.get(row.element)?.delimiter === ";" ? ";" : ",";
      const type = `${element.name}[]`;
      const codec = arrayCodec(type, { ...element, oid: row.element, delimiter });
      return { name: type, codec };
    }
    switch (row.kind) {
      case "c": {
        const attributes = (row.attributes ?? []).map(({ name, oid }) => ({
          name,
          oid,
          codec: entry(oid).codec,
        }));
        return { name, codec: compositeCodec(name, attributes, around.onAltered) };
      }
      case "d":
        return { name, codec: entry(row.base).codec };
      case "e":
        return { name, codec: textCodec(name) };
      case "m":
        return { name, codec: multirangeCodec(name, entry(row.of ?? 0).codec) };
      case "r":
        return { name, codec: rangeCodec(name, entry(row.of ?? 0).codec) };
      default:
        return { name, codec: looseCodec(name) };
    }
  };
  for (const { oid } of rows) entry(oid);
  return entries;
}
