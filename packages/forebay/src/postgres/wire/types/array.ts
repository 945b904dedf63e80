// Arrays: nested JavaScript arrays, in both formats. A PostgreSQL array may begin at an index other
// than 1; lower-bounds.ts keeps where.

import type { Writer } from "../proto/writer.ts";
import { arrayLiteral, arrayTextDecoder, DIMENSIONS_MAX, dimensionsOf } from "./array-literal.ts";
import { type Codec, type Decode, malformed, refusal } from "./codec.ts";
import { keepLowerBounds, lowerBoundsOf } from "./lower-bounds.ts";
import { memberText } from "./member.ts";

const HEADER_BYTES = 12;
const DIMENSION_BYTES = 8;
const LENGTH_BYTES = 4;

/** What the elements of an array are. */
interface Element {
  readonly name: string;
  readonly oid: number;
  readonly codec: Codec;
  readonly delimiter: "," | ";";
}

/** Where a reader of a binary array has got to. */
interface Cursor {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
}

/** The lengths of the dimensions, all positive; undefined where they are not, or not all there. */
function readDimensions(cursor: Cursor, count: number): number[] | undefined {
  if (count * DIMENSION_BYTES > cursor.end - cursor.at) return undefined;
  const lengths: number[] = [];
  for (let i = 0; i < count; i++) {
    const length = cursor.bytes.readInt32BE(cursor.at);
    cursor.at += DIMENSION_BYTES;
    if (length <= 0) return undefined;
    lengths.push(length);
  }
  return lengths;
}

/** The lower bounds; undefined where all are 1. */
function readLowerBounds(bytes: Buffer, start: number, count: number): number[] | undefined {
  const first = start + HEADER_BYTES + LENGTH_BYTES;
  const end = first + count * DIMENSION_BYTES;
  for (let at = first; at < end; at += DIMENSION_BYTES) {
    if (bytes.readInt32BE(at) === 1) continue;
    return Array.from({ length: count }, (_, i) => bytes.readInt32BE(first + i * DIMENSION_BYTES));
  }
  return undefined;
}

function binaryDecoder(type: string, element: Element): Decode {
  const decode = element.codec.binary;

  const readItems = (cursor: Cursor, lengths: readonly number[], depth: number): unknown[] => {
    const items: unknown[] = [];
    const count = lengths[depth] ?? 0;
    for (let i = 0; i < count; i++) {
      if (depth + 1 < lengths.length) items.push(readItems(cursor, lengths, depth + 1));
      else items.push(readItem(cursor));
    }
    return items;
  };

  const readItem = (cursor: Cursor): unknown => {
    const start = cursor.at + LENGTH_BYTES;
    if (start > cursor.end) throw malformed(type, "binary");
    const byteCount = cursor.bytes.readInt32BE(cursor.at);
    cursor.at = start;
    if (byteCount === -1) return null;
    if (byteCount < 0 || byteCount > cursor.end - start) throw malformed(type, "binary");
    cursor.at = start + byteCount;
    return decode(cursor.bytes, start, cursor.at);
  };

  return (bytes, start, end) => {
    if (end - start < HEADER_BYTES) throw malformed(type, "binary");
    const count = bytes.readInt32BE(start);
    const oid = bytes.readUInt32BE(start + 8);
    if (count < 0 || count > DIMENSIONS_MAX || oid !== element.oid) {
      throw malformed(type, "binary");
    }
    const cursor = { bytes, end, at: start + HEADER_BYTES };
    const lengths = readDimensions(cursor, count);
    if (lengths === undefined) throw malformed(type, "binary");
    const items = count === 0 ? [] : readItems(cursor, lengths, 0);
    if (cursor.at !== end) throw malformed(type, "binary");
    const bounds = readLowerBounds(bytes, start, count);
    return bounds === undefined ? items : keepLowerBounds(items, bounds);
  };
}

function isDimension(item: unknown, codec: Codec): item is readonly unknown[] {
  return Array.isArray(item) && codec.isItem?.(item) !== true;
}

/** Whether everything in a nested array can be written in binary. */
function takesAll(value: readonly unknown[], codec: Codec, depth: number): boolean {
  if (depth > DIMENSIONS_MAX) return false;
  for (const item of value) {
    if (item === null || item === undefined) continue;
    const takes = isDimension(item, codec) ? takesAll(item, codec, depth + 1) : codec.takes(item);
    if (!takes) return false;
  }
  return true;
}

function writeItems(writer: Writer, value: readonly unknown[], codec: Codec): void {
  for (const item of value) {
    if (item === null || item === undefined) writer.int32(-1);
    else if (isDimension(item, codec)) writeItems(writer, item, codec);
    else codec.write(writer, item);
  }
}

/** An array of a type, named `type`. */
export function arrayCodec(type: string, element: Element): Codec {
  const { codec, delimiter } = element;
  const elementText = (value: unknown, of: string): string => memberText(codec, value, of);
  const toText = (value: unknown): string => {
    if (!Array.isArray(value)) throw refusal(value, type, "it is not an array");
    return arrayLiteral(value, type, delimiter, elementText, codec.isItem);
  };
  return {
    text: arrayTextDecoder(type, delimiter, codec.text),
    binary: binaryDecoder(type, element),
    binaryResults: codec.binaryResults,
    takes: (value) => Array.isArray(value) && takesAll(value, codec, 1),
    write: (writer, value) => {
      const items = value as readonly unknown[];
      const lengths = dimensionsOf(items, type, codec.isItem);
      const bounds = lowerBoundsOf(items);
      const start = writer.mark();
      writer.int32(0);
      writer.int32(lengths.length);
      writer.int32(0);
      writer.int32(element.oid);
      for (let i = 0; i < lengths.length; i++) {
        writer.int32(lengths[i] ?? 0);
        writer.int32(bounds[i] ?? 1);
      }
      writeItems(writer, items, codec);
      writer.patchInt32(start, writer.length - start - LENGTH_BYTES);
    },
    toText,
    literal: (value) => (typeof value === "string" ? value : toText(value)),
  };
}
