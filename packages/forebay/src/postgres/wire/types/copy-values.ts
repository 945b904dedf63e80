// Values in bulk: the text of a value of any kind, for the text format of COPY and for casts from
// text, and the binary form of those that have one, for its binary format.

import { types } from "node:util";
import { UsageError } from "../../../base/errors.ts";
import { Writer } from "../proto/writer.ts";
import { type Codec, refusal } from "./codec.ts";
import { isJsonParam } from "./json.ts";
import { LOOSE_TYPE, looseCodec, looseText } from "./loose.ts";
import { PG_TYPES } from "./oids.ts";
import { writeText } from "./raw.ts";
import { builtInTable, type TypeEntry } from "./table.ts";

/** Types whose binary format is their text, so that bytes for them are text in UTF-8. */
const TEXT_TYPES: ReadonlySet<string> = new Set([
  "text",
  "varchar",
  "bpchar",
  "unknown",
  "json",
  "jsonb",
]);

/** Types of which an array of bytes may be an element in text format. */
const BYTES_ARRAY = "bytea[]";

const LONE_SURROGATE = /[\ud800-\udfff]/u;
const UUID = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

const LOOSE: TypeEntry = { name: LOOSE_TYPE, codec: looseCodec(LOOSE_TYPE) };

/** Codecs say by writing whether a type can hold a value; what they write here is not used. */
const SCRATCH = new Writer();

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function entryOf(oid: number): TypeEntry {
  return builtInTable("auto").get(oid) ?? LOOSE;
}

/**
 * The text format of a value that is not null. A string is its own, and is not looked at.
 *
 * Throws `UsageError` of code `ARGUMENT_INVALID`, which names the types and never the value, for
 * what the type cannot hold without loss, as far as that can be told here.
 */
export function valueText(value: unknown, oid: number): string {
  if (typeof value === "string") return value;
  const { name, codec } = entryOf(oid);
  if (value === undefined) throw missing();
  if (isJsonParam(value)) return value.text;
  if (types.isUint8Array(value)) return bytesText(value, name, codec);
  if (Array.isArray(value) && name !== BYTES_ARRAY && hasBytes(value)) {
    throw refusal(value, name, "it holds bytes");
  }
  if (!codec.takes(value) || Array.isArray(value)) return codec.toText(value);
  check(codec, value);
  return looseText(value, name);
}

function missing(): UsageError {
  return new UsageError("ARGUMENT_INVALID", "there is no value; null is NULL");
}

/** Throws what `codec` has against a value that it takes. */
function check(codec: Codec, value: unknown): void {
  SCRATCH.reset();
  codec.write(SCRATCH, value);
}

function hasBytes(items: readonly unknown[]): boolean {
  return items.some((item) => (Array.isArray(item) ? hasBytes(item) : types.isUint8Array(item)));
}

function bytesText(value: Uint8Array, type: string, codec: Codec): string {
  if (type === "bytea") return `\\x${hexOf(value)}`;
  if (type === "uuid") {
    check(codec, value);
    return hexOf(value);
  }
  if (!TEXT_TYPES.has(type)) throw refusal(value, type, "bytes have no text form here");
  try {
    return STRICT_UTF8.decode(value);
  } catch {
    throw refusal(value, type, "its bytes are not UTF-8");
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** Throws for a string that cannot be sent to a column of this type as it is. */
export function checkString(value: string, oid: number): void {
  if (value.includes("\0")) throw refusal(value, entryOf(oid).name, "it contains NUL");
  if (LONE_SURROGATE.test(value)) {
    throw refusal(value, entryOf(oid).name, "it contains half of a surrogate pair");
  }
}

/** The whole numbers of 32 bits that a type holds, and whose text are their digits. */
export interface SmallIntegers {
  readonly min: number;
  readonly max: number;
}

const INT32: SmallIntegers = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const NO_INTEGERS: SmallIntegers = { min: 1, max: 0 };
const SMALL_INTEGERS: ReadonlyMap<string, SmallIntegers> = new Map([
  ["int2", { min: -(2 ** 15), max: 2 ** 15 - 1 }],
  ["int4", INT32],
  ["int8", INT32],
  ["oid", { min: 0, max: INT32.max }],
  ["float4", INT32],
  ["float8", INT32],
  ["numeric", INT32],
  ["text", INT32],
  ["varchar", INT32],
]);

/** For which numbers there is no need to ask `valueText`. Negative zero is never one of them. */
export function smallIntegers(oid: number): SmallIntegers {
  return SMALL_INTEGERS.get(entryOf(oid).name) ?? NO_INTEGERS;
}

/** Types whose arrays are written in binary, for values of the type's own kind. */
const BINARY_ARRAYS: ReadonlySet<string> = new Set([
  "bool",
  "bytea",
  "int2",
  "int4",
  "int8",
  "oid",
  "float4",
  "float8",
  "text",
  "varchar",
  "bpchar",
  "timestamptz",
]);

/** Whether an array of this type can be written in binary. */
export function hasBinaryArray(oid: number): boolean {
  return BINARY_ARRAYS.has(entryOf(oid).name);
}

const OIDS: ReadonlyMap<string, number> = new Map(PG_TYPES.map(({ name, oid }) => [name, oid]));

/** The number of a built-in type by the server's own name, such as `int4`; 0 for any other. */
export function oidOf(typeName: string): number {
  return OIDS.get(typeName) ?? 0;
}

/** Writes an int32 length and the binary format of a value that is not null. */
export type BinaryWrite = (writer: Writer, value: unknown) => void;

/**
 * What writes values of a type in binary. `isText` says that the binary format of a type that is
 * not known is its text, as that of an enumeration. What it returns throws `UsageError` of code
 * `ARGUMENT_INVALID` for a value that has no binary form here, and may have written a part by then.
 */
export function binaryWrite(oid: number, isText: boolean): BinaryWrite {
  const { name, codec } = entryOf(oid);
  return (writer, value) => {
    if (codec.takes(value)) codec.write(writer, value);
    else if (value === undefined) throw missing();
    else writeOther(writer, value, name, codec, isText);
  };
}

function writeOther(
  writer: Writer,
  value: unknown,
  type: string,
  codec: Codec,
  isText: boolean,
): void {
  const isString = typeof value === "string";
  if (isString && type === "uuid" && UUID.test(value)) {
    codec.write(writer, Buffer.from(value.replaceAll("-", ""), "hex"));
  } else if (type === "json" || type === "jsonb") {
    const text = isString ? value : codec.toText(value);
    checkJson(value, text, type);
    codec.write(writer, Buffer.from(text));
  } else if (isString ? isText || type === "name" : TEXT_TYPES.has(type)) {
    writeText(writer, isString ? value : codec.toText(value), type);
  } else {
    throw refusal(value, type, "it has no binary form here; use the text format");
  }
}

function checkJson(value: unknown, text: string, type: string): void {
  if (text.includes("\0")) throw refusal(value, type, "it contains NUL");
  if (LONE_SURROGATE.test(text)) throw refusal(value, type, "it contains half of a surrogate pair");
}
