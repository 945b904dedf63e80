// The types that a database has of its own, as its catalogue tells of them, made into codecs.

import { arrayCodec } from "./array.ts";
import type { Codec } from "./codec.ts";
import { compositeCodec } from "./composite.ts";
import { looseCodec } from "./loose.ts";
import { multirangeCodec, rangeCodec } from "./range-codec.ts";
import type { TypeEntry } from "./table.ts";
import { textCodec } from "./text.ts";

/** One row of pg_type, with what belongs to it in other tables. */
export interface CatalogueRow {
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
