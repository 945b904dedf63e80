// Which type has which codec: a row per type that is not merely text. Arrays follow from their
// elements.

import { arrayCodec } from "./array.ts";
import { bytea, uuid } from "./bytes.ts";
import type { Codec, TypePolicy } from "./codec.ts";
import { date, time, timestamp, timestamptz, timetz } from "./datetime.ts";
import { numeric } from "./decimal.ts";
import { interval } from "./interval.ts";
import { jsonbCodec, jsonCodec } from "./json.ts";
import { looseCodec } from "./loose.ts";
import { bool, float4, float8, int2, int4, int8, oid } from "./numeric.ts";
import { PG_TYPES } from "./oids.ts";
import { char, name, textCodec, voidCodec } from "./text.ts";

/** A type as the rest of the client asks for it. */
export interface TypeEntry {
  readonly name: string;
  readonly codec: Codec;
}

const CODECS: ReadonlyMap<string, Codec> = new Map([
  ["bool", bool],
  ["int2", int2],
  ["int4", int4],
  ["oid", oid],
  ["float4", float4],
  ["float8", float8],
  ["numeric", numeric],
  ["text", textCodec("text")],
  ["varchar", textCodec("varchar")],
  ["bpchar", textCodec("bpchar")],
  ["unknown", textCodec("unknown")],
  ["name", name],
  ["char", char],
  ["uuid", uuid],
  ["bytea", bytea],
  ["json", jsonCodec],
  ["jsonb", jsonbCodec],
  ["date", date],
  ["time", time],
  ["timetz", timetz],
  ["timestamp", timestamp],
  ["timestamptz", timestamptz],
  ["interval", interval],
  ["void", voidCodec],
]);

/** Every type and its array, by number, under one policy. */
function buildTable(policy: TypePolicy["int8"]): ReadonlyMap<number, TypeEntry> {
  const table = new Map<number, TypeEntry>();
  for (const type of PG_TYPES) {
    const codec =
      type.name === "int8" ? int8(policy) : (CODECS.get(type.name) ?? looseCodec(type.name));
    table.set(type.oid, { name: type.name, codec });
    if (type.arrayOid === 0) continue;
    const arrayName = `${type.name}[]`;
    table.set(type.arrayOid, { name: arrayName, codec: arrayCodec(arrayName, { ...type, codec }) });
  }
  return table;
}

const TABLES: Readonly<Record<TypePolicy["int8"], ReadonlyMap<number, TypeEntry>>> = {
  auto: buildTable("auto"),
  bigint: buildTable("bigint"),
  number: buildTable("number"),
  string: buildTable("string"),
};

/** What is known of a type; undefined for a number that is not in the table. */
export function typeEntry(oid: number, policy: TypePolicy["int8"]): TypeEntry | undefined {
  return TABLES[policy].get(oid);
}
