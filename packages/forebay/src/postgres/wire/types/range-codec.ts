// Ranges and multiranges of any type, in both formats.

import type { Writer } from "../proto/writer.ts";
import { type Codec, type Decode, malformed, refusal } from "./codec.ts";
import { looseCodec } from "./loose.ts";
import { memberText } from "./member.ts";
import {
  isRangeLike,
  parseRange,
  Range,
  type RangeBounds,
  type RangeLike,
  rangeText,
} from "./range.ts";
import { decodeText } from "./raw.ts";

const EMPTY = 0x01;
const LOWER_INCLUSIVE = 0x02;
const UPPER_INCLUSIVE = 0x04;
const LOWER_INFINITE = 0x08;
const UPPER_INFINITE = 0x10;
const FLAGS_MAX = 0x1f;
const LENGTH_BYTES = 4;

/** The end of the value whose length is at `at`. Throws unless it lies within. */
function endOfValue(type: string, bytes: Buffer, at: number, end: number): number {
  if (end - at < LENGTH_BYTES) throw malformed(type, "binary");
  const byteCount = bytes.readInt32BE(at);
  if (byteCount < 0 || byteCount > end - at - LENGTH_BYTES) throw malformed(type, "binary");
  return at + LENGTH_BYTES + byteCount;
}

function binaryDecoder(
  type: string,
  decode: Decode,
): (...of: Parameters<Decode>) => Range<unknown> {
  return (bytes, start, end) => {
    const flags = start < end ? (bytes[start] ?? 0) : FLAGS_MAX + 1;
    if (flags > FLAGS_MAX) throw malformed(type, "binary");
    let at = start + 1;
    const bound = (): unknown => {
      const from = at + LENGTH_BYTES;
      at = endOfValue(type, bytes, at, end);
      return decode(bytes, from, at);
    };
    const isEmpty = (flags & EMPTY) !== 0;
    const lower = isEmpty || (flags & LOWER_INFINITE) !== 0 ? null : bound();
    const upper = isEmpty || (flags & UPPER_INFINITE) !== 0 ? null : bound();
    if (at !== end) throw malformed(type, "binary");
    if (isEmpty) return Range.empty();
    const left = (flags & LOWER_INCLUSIVE) !== 0 ? "[" : "(";
    const right = (flags & UPPER_INCLUSIVE) !== 0 ? "]" : ")";
    return new Range(lower, upper, `${left}${right}` as RangeBounds);
  };
}

/** From the text of a bound to what its own decoder makes of it. */
function boundFromText(element: Codec): (text: string) => unknown {
  return (text) => {
    const bytes = Buffer.from(text);
    return element.text(bytes, 0, bytes.length);
  };
}

function writeRange(writer: Writer, like: RangeLike<unknown>, element: Codec): void {
  const range = like instanceof Range ? like : Range.from(like);
  const { lower, upper } = range;
  const start = writer.mark();
  writer.int32(0);
  writer.int8(
    (range.empty ? EMPTY : 0) |
      (range.lowerInclusive ? LOWER_INCLUSIVE : 0) |
      (range.upperInclusive ? UPPER_INCLUSIVE : 0) |
      (lower === null && !range.empty ? LOWER_INFINITE : 0) |
      (upper === null && !range.empty ? UPPER_INFINITE : 0),
  );
  if (lower !== null) element.write(writer, lower);
  if (upper !== null) element.write(writer, upper);
  writer.patchInt32(start, writer.length - start - LENGTH_BYTES);
}

/** A range of values that `element` reads and writes. */
export function rangeCodec(type: string, element: Codec): Codec {
  const parseBound = boundFromText(element);
  const takesBound = (bound: unknown): boolean => bound === null || element.takes(bound);
  const toText = (value: unknown): string => {
    if (!isRangeLike(value)) throw refusal(value, type, "it is no range");
    return rangeText(value, (bound) => memberText(element, bound, type));
  };
  return {
    ...looseCodec(type),
    text: (bytes, start, end) => {
      const range = parseRange(decodeText(bytes, start, end), parseBound);
      if (range === undefined) throw malformed(type, "text");
      return range;
    },
    binary: binaryDecoder(type, element.binary),
    binaryResults: element.binaryResults,
    takes: (value) =>
      isRangeLike(value) &&
      (value.empty === true || (takesBound(value.lower) && takesBound(value.upper))),
    write: (writer, value) => writeRange(writer, value as RangeLike<unknown>, element),
    toText,
    literal: (value) => (typeof value === "string" ? value : toText(value)),
  };
}

/** One range of a multirange: quoted ends may hold any sign. */
const ONE_RANGE = /[[(](?:"(?:[^"\\]|\\[^]|"")*"|[^"\\[\]()])*[\])]/y;

/** Where the ranges of a multirange are in its text; undefined for a text that is none. */
function rangesIn(text: string): string[] | undefined {
  if (!text.startsWith("{") || !text.endsWith("}")) return undefined;
  const ranges: string[] = [];
  if (text === "{}") return ranges;
  for (let at = 1; ; ) {
    ONE_RANGE.lastIndex = at;
    const [range] = ONE_RANGE.exec(text) ?? [];
    if (range === undefined) return undefined;
    ranges.push(range);
    at += range.length;
    if (at === text.length - 1) return ranges;
    if (text[at++] !== ",") return undefined;
  }
}

function isListOfRanges(value: unknown): value is readonly RangeLike<unknown>[] {
  return Array.isArray(value) && value.every(isRangeLike);
}

/** A multirange: an array of the ranges that `range` reads and writes. */
export function multirangeCodec(type: string, range: Codec): Codec {
  const toText = (value: unknown): string => {
    if (!isListOfRanges(value)) throw refusal(value, type, "it is no array of ranges");
    return `{${value.map((one) => range.toText(one)).join(",")}}`;
  };
  return {
    ...looseCodec(type),
    text: (bytes, start, end) => {
      const ranges = rangesIn(decodeText(bytes, start, end));
      if (ranges === undefined) throw malformed(type, "text");
      return ranges.map((text) => {
        const one = Buffer.from(text);
        return range.text(one, 0, one.length);
      });
    },
    binary: (bytes, start, end) => {
      if (end - start < LENGTH_BYTES) throw malformed(type, "binary");
      const count = bytes.readInt32BE(start);
      if (count < 0 || count > end - start) throw malformed(type, "binary");
      const ranges: unknown[] = [];
      let at = start + LENGTH_BYTES;
      for (let i = 0; i < count; i++) {
        const from = at + LENGTH_BYTES;
        at = endOfValue(type, bytes, at, end);
        ranges.push(range.binary(bytes, from, at));
      }
      if (at !== end) throw malformed(type, "binary");
      return ranges;
    },
    binaryResults: range.binaryResults,
    takes: (value) => isListOfRanges(value) && value.every((one) => range.takes(one)),
    write: (writer, value) => {
      const ranges = value as readonly unknown[];
      const start = writer.mark();
      writer.int32(0);
      writer.int32(ranges.length);
      for (const one of ranges) range.write(writer, one);
      writer.patchInt32(start, writer.length - start - LENGTH_BYTES);
    },
    isItem: isListOfRanges,
    toText,
    literal: (value) => (typeof value === "string" ? value : toText(value)),
  };
}
