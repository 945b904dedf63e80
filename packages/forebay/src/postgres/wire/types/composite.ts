// Composites and records. The type of a column or a row type is known by its attributes, and its
// values are objects; a record made on the fly has no names, and is an array.

import type { Writer } from "../proto/writer.ts";
import { type Codec, type Decode, malformed, outOfRange, refusal } from "./codec.ts";
import { looseCodec } from "./loose.ts";
import { memberText } from "./member.ts";
import { decodeText } from "./raw.ts";

const LENGTH_BYTES = 4;
const OID_BYTES = 4;

/** One attribute of a composite type. */
export interface Attribute {
  readonly name: string;
  readonly oid: number;
  readonly codec: Codec;
}

/** What finds the reader of a type's binary format. */
type FindDecode = (oid: number) => Decode;

/** A field as the binary format has it. `start` is -1 for NULL. */
interface Field {
  readonly oid: number;
  readonly start: number;
  readonly end: number;
}

/** Takes the binary format of a composite apart. */
function fieldsOf(type: string, bytes: Buffer, start: number, end: number): Field[] {
  if (end - start < LENGTH_BYTES) throw malformed(type, "binary");
  const count = bytes.readInt32BE(start);
  if (count < 0 || count > (end - start) / (OID_BYTES + LENGTH_BYTES)) {
    throw malformed(type, "binary");
  }
  const fields: Field[] = [];
  let at = start + LENGTH_BYTES;
  for (let i = 0; i < count; i++) {
    if (end - at < OID_BYTES + LENGTH_BYTES) throw malformed(type, "binary");
    const oid = bytes.readUInt32BE(at);
    const byteCount = bytes.readInt32BE(at + OID_BYTES);
    at += OID_BYTES + LENGTH_BYTES;
    if (byteCount < -1 || byteCount > end - at) throw malformed(type, "binary");
    const isNull = byteCount === -1;
    fields.push({ oid, start: isNull ? -1 : at, end: isNull ? -1 : at + byteCount });
    if (!isNull) at += byteCount;
  }
  if (at !== end) throw malformed(type, "binary");
  return fields;
}

const FIELD = /"((?:[^"\\]|\\[^]|"")*)"|((?:[^",()\\])*)/y;

/** Takes the text of a composite apart: null for NULL. Undefined for a text that is none. */
function fieldTexts(text: string): (string | null)[] | undefined {
  if (!text.startsWith("(") || !text.endsWith(")") || text.length < 2) return undefined;
  const fields: (string | null)[] = [];
  if (text === "()") return fields;
  for (let at = 1; ; at++) {
    FIELD.lastIndex = at;
    const [found = "", quoted, bare = ""] = FIELD.exec(text) ?? [];
    if (quoted === undefined) fields.push(bare === "" ? null : bare);
    else fields.push(quoted.replaceAll(/\\([^])|""/g, (_, escaped?: string) => escaped ?? '"'));
    at += found.length;
    if (at === text.length - 1) return fields;
    if (text[at] !== ",") return undefined;
  }
}

/**
 * record: an array. In binary each value comes with its type, which `findDecode` reads; the text
 * says nothing of types, and gives the texts of the values.
 */
export function recordCodec(findDecode: FindDecode): Codec {
  return {
    ...looseCodec("record"),
    text: (bytes, start, end) => {
      const fields = fieldTexts(decodeText(bytes, start, end));
      if (fields === undefined) throw malformed("record", "text");
      return fields;
    },
    binary: (bytes, start, end) =>
      fieldsOf("record", bytes, start, end).map((field) =>
        field.start < 0 ? null : findDecode(field.oid)(bytes, field.start, field.end),
      ),
    binaryResults: true,
  };
}

/** How a composite that is not as it was read from the catalogue is met. */
function altered(type: string, onAltered: () => void): Error {
  onAltered();
  return outOfRange(type, "its attributes have changed since the types were loaded; try again");
}

/** The values of a parameter in the order of the attributes; undefined for what is no value. */
function valuesOf(
  type: string,
  attributes: readonly Attribute[],
  value: unknown,
): readonly unknown[] | undefined {
  if (Array.isArray(value)) {
    if (value.length === attributes.length) return value;
    throw refusal(value, type, `it has ${value.length} values, not ${attributes.length}`);
  }
  if (typeof value !== "object" || value === null) return undefined;
  const known = new Set(attributes.map((attribute) => attribute.name));
  for (const name of Object.keys(value)) {
    if (!known.has(name)) throw refusal(value, type, `the type has no attribute ${name}`);
  }
  const own = value as Readonly<Record<string, unknown>>;
  return attributes.map(({ name }) => (Object.hasOwn(own, name) ? own[name] : null));
}

function isNothing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isPlain(value: unknown): boolean {
  if (Array.isArray(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function rowText(
  attributes: readonly Attribute[],
  values: readonly unknown[],
  type: string,
): string {
  const texts = attributes.map(({ codec }, i) => {
    const value = values[i];
    if (isNothing(value)) return "";
    return `"${memberText(codec, value, type).replaceAll(/["\\]/g, "\\$&")}"`;
  });
  return `(${texts.join(",")})`;
}

/**
 * A composite type: an object with a property for each attribute; written from such an object, in
 * which what is left out is NULL, or from an array in the order of the attributes. `onAltered` is
 * told of a value that has other attributes.
 */
export function compositeCodec(
  type: string,
  attributes: readonly Attribute[],
  onAltered: () => void,
): Codec {
  // Every object begins as a copy of this one: an attribute named like something on
  // Object.prototype meets an own property and stays data.
  const blank: Readonly<Record<string, unknown>> = Object.fromEntries(
    attributes.map(({ name }) => [name, null]),
  );
  const toText = (value: unknown): string => {
    const values = isPlain(value) ? valuesOf(type, attributes, value) : undefined;
    if (values === undefined) throw refusal(value, type, "it is no object with its attributes");
    return rowText(attributes, values, type);
  };
  return {
    ...looseCodec(type),
    text: (bytes, start, end) => {
      const fields = fieldTexts(decodeText(bytes, start, end));
      if (fields === undefined) throw malformed(type, "text");
      // The text of a single NULL and that of no attributes are the same.
      if (fields.length === 0 && attributes.length === 1) fields.push(null);
      if (fields.length !== attributes.length) throw altered(type, onAltered);
      const row: Record<string, unknown> = { ...blank };
      for (const [i, { name, codec }] of attributes.entries()) {
        const field = fields[i] ?? null;
        if (field === null) continue;
        const text = Buffer.from(field);
        row[name] = codec.text(text, 0, text.length);
      }
      return row;
    },
    binary: (bytes, start, end) => {
      const fields = fieldsOf(type, bytes, start, end);
      if (fields.length !== attributes.length) throw altered(type, onAltered);
      const row: Record<string, unknown> = { ...blank };
      for (const [i, { name, oid, codec }] of attributes.entries()) {
        const field = fields[i];
        if (field === undefined || field.oid !== oid) throw altered(type, onAltered);
        if (field.start >= 0) row[name] = codec.binary(bytes, field.start, field.end);
      }
      return row;
    },
    binaryResults: attributes.every(({ codec }) => codec.binaryResults),
    takes: (value) => {
      if (!isPlain(value)) return false;
      const values = valuesOf(type, attributes, value) ?? [];
      return attributes.every(({ codec }, i) => isNothing(values[i]) || codec.takes(values[i]));
    },
    write: (writer, value) => writeRow(writer, attributes, valuesOf(type, attributes, value) ?? []),
    toText,
    literal: (value) => (typeof value === "string" ? value : toText(value)),
  };
}

function writeRow(
  writer: Writer,
  attributes: readonly Attribute[],
  values: readonly unknown[],
): void {
  const start = writer.mark();
  writer.int32(0);
  writer.int32(attributes.length);
  for (const [i, { oid, codec }] of attributes.entries()) {
    const value = values[i];
    writer.int32(oid);
    if (isNothing(value)) writer.int32(-1);
    else codec.write(writer, value);
  }
  writer.patchInt32(start, writer.length - start - LENGTH_BYTES);
}
