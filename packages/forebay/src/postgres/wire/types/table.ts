// Which type has which codec: a row per type that is not merely text. Arrays follow from their
// elements.

import { assert } from "../../../base/assert.ts";
import { arrayCodec } from "./array.ts";
import { bytea, uuid } from "./bytes.ts";
import type { Codec, Decode, TypePolicy } from "./codec.ts";
import { recordCodec } from "./composite.ts";
import { date, time, timestamp, timestamptz, timetz } from "./datetime.ts";
import { numeric } from "./decimal.ts";
import { GEOMETRIC_CODECS } from "./geometric.ts";
import { interval } from "./interval.ts";
import { jsonbCodec, jsonCodec } from "./json.ts";
import { looseCodec } from "./loose.ts";
import { cidr, inet, macaddr, macaddr8 } from "./network.ts";
import { bool, float4, float8, int2, int4, int8, unsignedCodec, xid8 } from "./numeric.ts";
import { PG_TYPES, type PgType } from "./oids.ts";
import { multirangeCodec, rangeCodec } from "./range-codec.ts";
import { copyBytes, decodeText } from "./raw.ts";
import {
  bitCodec,
  nameOfObjectCodec,
  pgLsn,
  snapshotCodec,
  tid,
  vectorCodec,
  versionedCodec,
} from "./system.ts";
import { char, name, textCodec, voidCodec } from "./text.ts";

/** A type as the rest of the client asks for it. */
export interface TypeEntry {
  readonly name: string;
  readonly codec: Codec;
}

/** Types whose values are numbers of objects that show the objects' names. */
const NAMES_OF_OBJECTS: readonly string[] = [
  "regproc",
  "regprocedure",
  "regoper",
  "regoperator",
  "regclass",
  "regcollation",
  "regtype",
  "regrole",
  "regnamespace",
  "regconfig",
  "regdictionary",
];

const CODECS: ReadonlyMap<string, Codec> = new Map([
  ["bool", bool],
  ["int2", int2],
  ["int4", int4],
  ["oid", unsignedCodec("oid")],
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
  ["refcursor", textCodec("refcursor")],
  ["cstring", { ...looseCodec("cstring"), binary: decodeText }],
  ["xml", { ...looseCodec("xml"), binary: decodeText }],
  ["jsonpath", versionedCodec("jsonpath")],
  ["inet", inet],
  ["cidr", cidr],
  ["macaddr", macaddr],
  ["macaddr8", macaddr8],
  ["bit", bitCodec("bit")],
  ["varbit", bitCodec("varbit")],
  ["pg_lsn", pgLsn],
  ["tid", tid],
  ["xid", unsignedCodec("xid")],
  ["cid", unsignedCodec("cid")],
  ["txid_snapshot", snapshotCodec("txid_snapshot")],
  ["pg_snapshot", snapshotCodec("pg_snapshot")],
  ...NAMES_OF_OBJECTS.map((name) => [name, nameOfObjectCodec(name)] as const),
  ...GEOMETRIC_CODECS,
]);

/** Ranges by the types of their bounds, and multiranges by their ranges. */
const RANGES: ReadonlyMap<string, string> = new Map([
  ["int4range", "int4"],
  ["int8range", "int8"],
  ["numrange", "numeric"],
  ["daterange", "date"],
  ["tsrange", "timestamp"],
  ["tstzrange", "timestamptz"],
]);
const MULTIRANGES: ReadonlyMap<string, string> = new Map(
  Array.from(RANGES.keys(), (range) => [range.replace("range", "multirange"), range]),
);

/** Vectors by the types of their elements. */
const VECTORS: ReadonlyMap<string, string> = new Map([
  ["int2vector", "int2"],
  ["oidvector", "oid"],
]);

const TYPE_BY_NAME: ReadonlyMap<string, PgType> = new Map(
  PG_TYPES.map((type) => [type.name, type]),
);

/** The number of a built-in type that is not an array. */
export function typeNumber(name: string): number | undefined {
  return TYPE_BY_NAME.get(name)?.oid;
}

/** Puts another codec in the place of one, or leaves it. */
type Replace = (oid: number, name: string, codec: Codec) => Codec;

/**
 * Every built-in type and its array, by number. `replace` is asked for each type and its array
 * before others are made of it; `findDecode` reads the values in a record.
 */
export function makeTable(
  policy: TypePolicy["int8"],
  replace: Replace,
  findDecode: (oid: number) => Decode,
): ReadonlyMap<number, TypeEntry> {
  const codecs = new Map<string, Codec>();
  const codecNamed = (name: string): Codec => {
    const done = codecs.get(name);
    if (done !== undefined) return done;
    const codec = replace(typeNumber(name) ?? 0, name, make(name));
    codecs.set(name, codec);
    return codec;
  };
  const make = (name: string): Codec => {
    const bound = RANGES.get(name);
    if (bound !== undefined) return rangeCodec(name, codecNamed(bound));
    const range = MULTIRANGES.get(name);
    if (range !== undefined) return multirangeCodec(name, codecNamed(range));
    const vector = VECTORS.get(name);
    if (vector !== undefined) return vectorCodec(name, builtInArray(vector));
    if (name === "int8") return int8(policy);
    if (name === "xid8") return xid8(policy);
    if (name === "record") return recordCodec(findDecode);
    return CODECS.get(name) ?? looseCodec(name);
  };
  const table = new Map<number, TypeEntry>();
  for (const type of PG_TYPES) {
    const codec = codecNamed(type.name);
    table.set(type.oid, { name: type.name, codec });
    if (type.arrayOid === 0) continue;
    const name = `${type.name}[]`;
    const array = replace(type.arrayOid, name, arrayCodec(name, { ...type, codec }));
    table.set(type.arrayOid, { name, codec: array });
  }
  return table;
}

function builtInArray(element: string): Codec {
  const type = TYPE_BY_NAME.get(element);
  const codec = CODECS.get(element);
  assert(type !== undefined && codec !== undefined, `there is no type ${element}`);
  return arrayCodec(`${element}[]`, { ...type, codec });
}

/** Without anything of the user's own. */
function plainTable(policy: TypePolicy["int8"]): ReadonlyMap<number, TypeEntry> {
  const find = (oid: number): Decode => table.get(oid)?.codec.binary ?? copyBytes;
  const table = makeTable(policy, (_oid, _name, codec) => codec, find);
  return table;
}

const TABLES: Readonly<Record<TypePolicy["int8"], ReadonlyMap<number, TypeEntry>>> = {
  auto: plainTable("auto"),
  bigint: plainTable("bigint"),
  number: plainTable("number"),
  string: plainTable("string"),
};

/** The built-in types under a policy. */
export function builtInTable(policy: TypePolicy["int8"]): ReadonlyMap<number, TypeEntry> {
  return TABLES[policy];
}
