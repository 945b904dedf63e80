// The types of PostgreSQL: which codec reads and writes what. The only file of this folder for use
// from outside.

import type { Writer } from "../proto/writer.ts";
import { type Codec, type Decode, refusal, type TypePolicy, VALUE_BYTES_MAX } from "./codec.ts";
import { isJsonParam } from "./json.ts";
import { LOOSE_TYPE, looseCodec } from "./loose.ts";
import { copyBytes, decodeText, writeText } from "./raw.ts";
import { TypeRegistry } from "./registry.ts";
import { builtInTable, type TypeEntry } from "./table.ts";

export type { Decode, TypePolicy } from "./codec.ts";
export {
  type BinaryWrite,
  binaryWrite,
  checkString,
  hasBinaryArray,
  oidOf,
  type SmallIntegers,
  smallIntegers,
  valueText,
} from "./copy-values.ts";
export type { PgCodec } from "./custom.ts";
export {
  PgBox,
  PgCircle,
  PgLine,
  PgPath,
  PgPoint,
  PgPolygon,
  PgSegment,
  type PointLike,
} from "./geometric.ts";
export { json, type JsonParam } from "./json.ts";
export { looseElementText } from "./loose.ts";
export { lowerBoundsOf, withLowerBounds } from "./lower-bounds.ts";
export { modifiersOf } from "./modifiers.ts";
export { OwnText } from "./own-text.ts";
export { Range, type RangeBounds, type RangeLike } from "./range.ts";
export type { CatalogueRow } from "./catalog.ts";
export { TypeRegistry, type TypesOptions, unknownType } from "./registry.ts";

const LOOSE: TypeEntry = { name: LOOSE_TYPE, codec: looseCodec(LOOSE_TYPE) };
const AUTO: TypePolicy = { int8: "auto" };

function entryOf(oid: number, types: TypePolicy): TypeEntry | undefined {
  return types instanceof TypeRegistry ? types.entry(oid) : builtInTable(types.int8).get(oid);
}

/**
 * The decoder of a type in one format. One that is not known is text in text format, and in binary
 * format a copy of the bytes as they came. Look it up once per column, not once per value.
 */
export function decoderFor(oid: number, format: 0 | 1, types: TypePolicy): Decode {
  const codec = entryOf(oid, types)?.codec;
  if (codec === undefined) return format === 0 ? decodeText : copyBytes;
  return format === 0 ? codec.text : codec.binary;
}

/**
 * Whether results of this type should be asked for in binary. False for a type that is not known.
 */
export function hasBinary(oid: number, types: TypePolicy = AUTO): boolean {
  return entryOf(oid, types)?.codec.binaryResults ?? false;
}

/**
 * The server's name of a type, such as `int4`. An array is `int4[]`, which SQL understands, rather
 * than the catalogue's `_int4`. The number as text for a type that is not known.
 */
export function typeName(oid: number, types: TypePolicy = AUTO): string {
  return entryOf(oid, types)?.name ?? String(oid);
}

/**
 * The format in which `writeParam` writes this value for this type. `oid` 0 stands for a type that
 * is not known.
 */
export function paramFormat(value: unknown, oid: number, types: TypePolicy = AUTO): 0 | 1 {
  if (value === null || value === undefined) return 0;
  return paramType(oid, types).codec.takes(value) ? 1 : 0;
}

/**
 * Writes a parameter: an int32 length and its bytes, in the format that `paramFormat` gives; length
 * -1 for null and undefined. `oid` 0 stands for a type that is not known.
 *
 * Throws `UsageError` of code `ARGUMENT_INVALID`, which names the types and never the value, when
 * the value cannot be sent without loss; nothing has been written then.
 */
export function writeParam(
  writer: Writer,
  value: unknown,
  oid: number,
  types: TypePolicy = AUTO,
): void {
  if (value === null || value === undefined) {
    writer.int32(-1);
    return;
  }
  const { name, codec } = paramType(oid, types);
  const start = writer.mark();
  try {
    if (codec.takes(value)) codec.write(writer, value);
    else writeText(writer, paramText(codec, value), name);
    if (writer.length - start > VALUE_BYTES_MAX) {
      throw refusal(value, name, "it takes more than the 1 GiB that PostgreSQL allows");
    }
  } catch (error) {
    writer.truncate(start);
    throw error;
  }
}

function paramText(codec: Codec, value: unknown): string {
  if (isJsonParam(value)) return value.text;
  if (codec.literal !== undefined) return codec.literal(value);
  return typeof value === "string" ? value : codec.toText(value);
}

function paramType(oid: number, types: TypePolicy): TypeEntry {
  return (oid === 0 ? undefined : entryOf(oid, types)) ?? LOOSE;
}
