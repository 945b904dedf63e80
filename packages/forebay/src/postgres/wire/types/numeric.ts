// Numbers and booleans: int2, int4, int8, oid, xid, cid, xid8, float4, float8, bool. (numeric
// itself is in decimal.ts.)

import type { Writer } from "../proto/writer.ts";
import {
  type Codec,
  checkWidth,
  malformed,
  outOfRange,
  refusal,
  type Decode,
  type TypePolicy,
} from "./codec.ts";
import { numberText } from "./loose.ts";
import { latin1 } from "./raw.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;
const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;

/** As many digits as a number surely holds. */
const SAFE_DIGITS = 15;

/** Reads an optional minus and up to 15 digits. */
function decimalDigits(type: string, bytes: Buffer, start: number, end: number): number {
  const negative = start < end && bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  if (first >= end || end - first > SAFE_DIGITS) throw malformed(type, "text");
  let value = 0;
  for (let i = first; i < end; i++) {
    const digit = bytes[i] ?? 0;
    if (digit < ZERO || digit > NINE) throw malformed(type, "text");
    value = value * 10 + (digit - ZERO);
  }
  return negative && value !== 0 ? -value : value;
}

/** The whole number that a number or a bigint is, within bounds; otherwise a refusal. */
function wholeNumber(value: unknown, type: string, min: number, max: number): number {
  const n = typeof value === "bigint" ? Number(value) : (value as number);
  if (!Number.isInteger(n)) throw refusal(value, type, "it is not a whole number");
  if (n < min || n > max) throw refusal(value, type, "it is out of the type's range");
  return n;
}

function refuseText(type: string): (value: unknown) => string {
  return (value) => {
    throw refusal(value, type, "there is no conversion");
  };
}

function isNumeric(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint";
}

function integerCodec(
  type: string,
  width: 2 | 4,
  min: number,
  max: number,
  read: (bytes: Buffer, start: number) => number,
): Codec {
  return {
    text: (bytes, start, end) => {
      const value = decimalDigits(type, bytes, start, end);
      if (value < min || value > max) throw malformed(type, "text");
      return value;
    },
    binary: (bytes, start, end) => {
      if (end - start !== width) throw malformed(type, "binary");
      return read(bytes, start);
    },
    binaryResults: true,
    takes: isNumeric,
    write: (writer, value) => {
      const n = wholeNumber(value, type, min, max);
      writer.int32(width);
      if (width === 2) writer.int16(n);
      else writer.int32(n);
    },
    toText: refuseText(type),
  };
}

/** int2: a number. */
export const int2: Codec = integerCodec("int2", 2, -(2 ** 15), 2 ** 15 - 1, (bytes, start) =>
  bytes.readInt16BE(start),
);

/** int4: a number. */
export const int4: Codec = integerCodec("int4", 4, -(2 ** 31), 2 ** 31 - 1, (bytes, start) =>
  bytes.readInt32BE(start),
);

/** A type whose values are numbers from 0 to 2^32 - 1: oid, xid, cid. */
export function unsignedCodec(type: string): Codec {
  return integerCodec(type, 4, 0, 2 ** 32 - 1, (bytes, start) => bytes.readUInt32BE(start));
}

function int8Number(value: bigint): number {
  const n = Number(value);
  if (!Number.isSafeInteger(n)) throw outOfRange("int8", "a number would round it");
  return n;
}

function int8Auto(value: bigint): number | bigint {
  const n = Number(value);
  return Number.isSafeInteger(n) ? n : value;
}

/** From what a number surely holds, and from the rest, to what the policy wants. */
const INT8_RESULTS: Readonly<
  Record<
    TypePolicy["int8"],
    { readonly small: (value: number) => unknown; readonly big: (value: bigint) => unknown }
  >
> = {
  auto: { small: (value) => value, big: int8Auto },
  bigint: { small: (value) => BigInt(value), big: (value) => value },
  number: { small: (value) => value, big: int8Number },
  string: { small: (value) => String(value), big: (value) => String(value) },
};

function int8Text(bytes: Buffer, start: number, end: number): bigint {
  const digits = latin1(bytes, start, end);
  if (!/^-?\d{1,19}$/.test(digits)) throw malformed("int8", "text");
  const value = BigInt(digits);
  if (value < INT64_MIN || value > INT64_MAX) throw malformed("int8", "text");
  return value;
}

/**
 * With a signed high word from -2^21 + 1 to 2^21 - 1 the whole is a safe integer, whatever the low
 * word.
 */
const SAFE_HIGH_WORD = 2 ** 21 - 1;

function writeInt8(writer: Writer, value: unknown): void {
  if (typeof value === "bigint") {
    if (value < INT64_MIN || value > INT64_MAX) {
      throw refusal(value, "int8", "it is out of the type's range");
    }
    writer.int32(8);
    writer.int64(value);
    return;
  }
  if (!Number.isInteger(value)) throw refusal(value, "int8", "it is not a whole number");
  if (!Number.isSafeInteger(value)) {
    throw refusal(value, "int8", "it is beyond the safe integers; use a bigint");
  }
  writer.int32(8);
  writer.int64Safe(value as number);
}

/** int8, by the policy. Written from a number that is a safe integer, or a bigint. */
export function int8(policy: TypePolicy["int8"]): Codec {
  const { small, big } = INT8_RESULTS[policy];
  return {
    text: (bytes, start, end) =>
      end - start <= SAFE_DIGITS
        ? small(decimalDigits("int8", bytes, start, end))
        : big(int8Text(bytes, start, end)),
    binary: (bytes, start, end) => {
      if (end - start !== 8) throw malformed("int8", "binary");
      const high = bytes.readInt32BE(start);
      return high >= -SAFE_HIGH_WORD && high <= SAFE_HIGH_WORD
        ? small(high * 2 ** 32 + bytes.readUInt32BE(start + 4))
        : big(bytes.readBigInt64BE(start));
    },
    binaryResults: true,
    takes: isNumeric,
    write: writeInt8,
    toText: refuseText("int8"),
  };
}

/** xid8: as int8, by the same policy, but from 0 to 2^64 - 1. */
export function xid8(policy: TypePolicy["int8"]): Codec {
  const { small, big } = INT8_RESULTS[policy];
  const result = (value: bigint): unknown =>
    value <= BigInt(Number.MAX_SAFE_INTEGER) ? small(Number(value)) : big(value);
  return {
    text: (bytes, start, end) => {
      const digits = latin1(bytes, start, end);
      if (!/^\d{1,20}$/.test(digits)) throw malformed("xid8", "text");
      const value = BigInt(digits);
      if (value > UINT64_MAX) throw malformed("xid8", "text");
      return result(value);
    },
    binary: (bytes, start, end) => {
      checkWidth("xid8", start, end, 8);
      return result(bytes.readBigUInt64BE(start));
    },
    binaryResults: true,
    takes: isNumeric,
    write: (writer, value) => {
      if (typeof value === "number" && !Number.isSafeInteger(value)) {
        throw refusal(value, "xid8", "it is not a whole number that is safe; use a bigint");
      }
      const id = BigInt(value as number | bigint);
      if (id < 0n || id > UINT64_MAX) throw refusal(value, "xid8", "it is out of the type's range");
      writer.int32(8);
      writer.int64(id);
    },
    toText: refuseText("xid8"),
  };
}

/** The text of a number with a fraction: what `Number` reads and PostgreSQL writes. */
const FLOAT_TEXT = /^(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|-?Infinity)$/;

function floatText(type: string): Decode {
  return (bytes, start, end) => {
    const digits = latin1(bytes, start, end);
    if (!FLOAT_TEXT.test(digits)) throw malformed(type, "text");
    return Number(digits);
  };
}

const SINGLE_MIN_NORMAL = 2 ** -126;

function isPowerOfTwo(single: number): boolean {
  return Number.isInteger(Math.log2(single));
}

/**
 * The number whose decimal form is the shortest that still names this single: 0.1 rather than
 * 0.10000000149011612, as the server's own text has it. Six digits are enough for most, nine for
 * all; below the normal range fewer may do. Of two forms equally near, the even one counts. At a
 * power of two the singles below are nearer than those above, so that the shortest form need not be
 * the nearest with its number of digits: the next one up is tried too. A form half-way to the next
 * single names neither.
 */
function shortestOfSingle(single: number): number {
  if (single === 0 || !Number.isFinite(single)) return single;
  const size = Math.abs(single);
  const [mantissa = "", exponent = ""] = size.toExponential(100).split("e");
  const digits = mantissa.replace(".", "");
  for (let count = size < SINGLE_MIN_NORMAL ? 1 : 6; count < 9; count++) {
    const nearest = roundHalfEven(digits, count);
    for (let candidate = nearest; candidate <= nearest + 1; candidate++) {
      const value = Number(`${candidate}e${Number(exponent) - count + 1}`);
      if (Math.fround(value) === size && !isHalfWay(value, size)) return value * Math.sign(single);
      if (!isPowerOfTwo(size)) break;
    }
  }
  return Number(single.toPrecision(9));
}

/** Whether a double that rounds to a single is as near to one of that single's neighbours. */
function isHalfWay(value: number, single: number): boolean {
  const bits = Buffer.alloc(4);
  bits.writeFloatBE(single);
  bits.writeUInt32BE(bits.readUInt32BE(0) + (value > single ? 1 : -1));
  return value === (single + bits.readFloatBE(0)) / 2;
}

/** The first `count` of some decimal digits, rounded by the others. */
function roundHalfEven(digits: string, count: number): number {
  const kept = Number(digits.slice(0, count));
  const rest = digits.slice(count);
  const half = "5".padEnd(rest.length, "0");
  return rest > half || (rest === half && kept % 2 === 1) ? kept + 1 : kept;
}

/** float4: the number whose shortest decimal form is the server's, such as 0.1. */
export const float4: Codec = {
  text: floatText("float4"),
  binary: (bytes, start, end) => {
    checkWidth("float4", start, end, 4);
    return shortestOfSingle(bytes.readFloatBE(start));
  },
  binaryResults: false,
  takes: (value) => typeof value === "number",
  write: (writer, value) => {
    const n = value as number;
    const single = Math.fround(n);
    if ((!Number.isFinite(single) && Number.isFinite(n)) || (single === 0 && n !== 0)) {
      throw refusal(value, "float4", "it is out of the type's range");
    }
    writer.int32(4);
    writer.float32(n);
  },
  toText: (value) => floatParamText(value, "float4"),
};

/** float8: the same number. */
export const float8: Codec = {
  text: floatText("float8"),
  binary: (bytes, start, end) => {
    if (end - start !== 8) throw malformed("float8", "binary");
    return bytes.readDoubleBE(start);
  },
  binaryResults: true,
  takes: (value) => typeof value === "number",
  write: (writer, value) => {
    writer.int32(8);
    writer.float64(value as number);
  },
  toText: (value) => floatParamText(value, "float8"),
};

function floatParamText(value: unknown, type: string): string {
  if (typeof value === "bigint") return String(value);
  throw refusal(value, type, "there is no conversion");
}

/**
 * bool: true or false. Written from a boolean; 0 and 1 go as text, which the server understands.
 */
export const bool: Codec = {
  text: (bytes, start, end) => {
    const letter = end - start === 1 ? bytes[start] : 0;
    if (letter === 0x74) return true;
    if (letter === 0x66) return false;
    throw malformed("bool", "text");
  },
  binary: (bytes, start, end) => {
    checkWidth("bool", start, end, 1);
    return bytes[start] !== 0;
  },
  binaryResults: true,
  takes: (value) => typeof value === "boolean",
  write: (writer, value) => {
    writer.int32(1);
    writer.int8(value === true ? 1 : 0);
  },
  toText: (value) => {
    if (value === 0 || value === 1 || value === 0n || value === 1n) return numberText(value);
    throw refusal(value, "bool", "there is no conversion");
  },
};
