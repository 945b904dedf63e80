// Types of the server's own: positions, places and snapshots; names of objects; bit strings; and
// some whose text is all there is to them.

import type { Codec } from "./codec.ts";
import { checkWidth, malformed } from "./codec.ts";
import { looseCodec } from "./loose.ts";
import { decodeText, latin1, writeText } from "./raw.ts";

const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i;
const TID = /^\((\d{1,10}),(\d{1,5})\)$/;
const EMPTY_VECTOR_BYTES = 20;
const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffff_ffff;

function lsnText(high: number, low: number): string {
  return `${high.toString(16)}/${low.toString(16)}`.toUpperCase();
}

/**
 * pg_lsn: `16/B374D848`. Servers differ in the zeros that they write after the slash; here there
 * are none.
 */
export const pgLsn: Codec = {
  ...looseCodec("pg_lsn"),
  text: (bytes, start, end) => {
    const parts = LSN.exec(latin1(bytes, start, end));
    if (parts === null) throw malformed("pg_lsn", "text");
    return lsnText(Number(`0x${parts[1]}`), Number(`0x${parts[2]}`));
  },
  binary: (bytes, start, end) => {
    checkWidth("pg_lsn", start, end, 8);
    return lsnText(bytes.readUInt32BE(start), bytes.readUInt32BE(start + 4));
  },
  takes: (value) => typeof value === "string" && LSN.test(value),
  write: (writer, value) => {
    const parts = LSN.exec(value as string);
    writer.int32(8);
    writer.int32(Number(`0x${parts?.[1]}`));
    writer.int32(Number(`0x${parts?.[2]}`));
  },
};

function tidParts(value: unknown): readonly [block: number, offset: number] | undefined {
  const parts = typeof value === "string" ? TID.exec(value) : null;
  if (parts === null) return undefined;
  const [block, offset] = [Number(parts[1]), Number(parts[2])];
  return block <= UINT32_MAX && offset <= UINT16_MAX ? [block, offset] : undefined;
}

/** tid: `(0,1)`, the block and the place in it. */
export const tid: Codec = {
  ...looseCodec("tid"),
  binary: (bytes, start, end) => {
    checkWidth("tid", start, end, 6);
    return `(${bytes.readUInt32BE(start)},${bytes.readUInt16BE(start + 4)})`;
  },
  takes: (value) => tidParts(value) !== undefined,
  write: (writer, value) => {
    const [block, offset] = tidParts(value) ?? [0, 0];
    writer.int32(6);
    writer.int32(block);
    writer.int16(offset);
  },
};

/** A snapshot: `10:20:10,14,15`, as pg_current_snapshot gives it. */
export function snapshotCodec(type: string): Codec {
  return {
    ...looseCodec(type),
    binary: (bytes, start, end) => {
      if (end - start < 20) throw malformed(type, "binary");
      const count = bytes.readInt32BE(start);
      if (count < 0 || end - start !== 20 + count * 8) throw malformed(type, "binary");
      const ids = Array.from({ length: count }, (_, i) => bytes.readBigInt64BE(start + 20 + i * 8));
      const [min, max] = [bytes.readBigInt64BE(start + 4), bytes.readBigInt64BE(start + 12)];
      return `${min}:${max}:${ids.join(",")}`;
    },
  };
}

/**
 * regclass and the other names of objects: the name, which is asked for as text. In binary there is
 * only the number; it is given in digits, which the server takes for the object, too.
 */
export function nameOfObjectCodec(type: string): Codec {
  return {
    ...looseCodec(type),
    binary: (bytes, start, end) => {
      checkWidth(type, start, end, 4);
      const oid = bytes.readUInt32BE(start);
      return oid === 0 ? "-" : String(oid);
    },
    takes: (value) =>
      typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= UINT32_MAX,
    write: (writer, value) => {
      writer.int32(4);
      writer.int32(value as number);
    },
  };
}

/** Bits of `bytes` from `start` on. */
function bitText(bytes: Buffer, start: number, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++) {
    text += ((bytes[start + (i >> 3)] ?? 0) >> (7 - (i & 7))) & 1 ? "1" : "0";
  }
  return text;
}

/** bit and varbit: a string of `0` and `1`. */
export function bitCodec(type: string): Codec {
  return {
    ...looseCodec(type),
    binary: (bytes, start, end) => {
      if (end - start < 4) throw malformed(type, "binary");
      const count = bytes.readInt32BE(start);
      if (count < 0 || end - start !== 4 + Math.ceil(count / 8)) throw malformed(type, "binary");
      return bitText(bytes, start + 4, count);
    },
    binaryResults: true,
    takes: (value) => typeof value === "string" && /^[01]*$/.test(value),
    write: (writer, value) => {
      const text = value as string;
      const byteCount = Math.ceil(text.length / 8);
      writer.int32(4 + byteCount);
      writer.int32(text.length);
      for (let i = 0; i < byteCount; i++) {
        writer.int8(Number.parseInt(text.slice(i * 8, i * 8 + 8).padEnd(8, "0"), 2));
      }
    },
  };
}

/**
 * int2vector and oidvector, arrays that the catalogue has in a form of its own: `1 2 3`. As they
 * begin at 0 and have another text, they are no arrays here; cast them, as in `indkey::int2[]`.
 */
export function vectorCodec(type: string, array: Codec): Codec {
  return {
    ...looseCodec(type),
    binary: (bytes, start, end) => {
      // An empty one has a dimension without elements, which no other array has.
      if (end - start === EMPTY_VECTOR_BYTES && bytes.readInt32BE(start + 12) === 0) return "";
      const items = array.binary(bytes, start, end) as unknown[];
      if (!items.every(Number.isInteger)) throw malformed(type, "binary");
      return items.join(" ");
    },
  };
}

/** A type whose binary format is its text after a version number of one byte: jsonpath. */
export function versionedCodec(type: string): Codec {
  return {
    ...looseCodec(type),
    binary: (bytes, start, end) => {
      if (start >= end || bytes[start] !== 1) throw malformed(type, "binary");
      return decodeText(bytes, start + 1, end);
    },
    takes: (value) => typeof value === "string",
    write: (writer, value) => {
      const start = writer.mark();
      writeText(writer, value as string, type);
      const text = Buffer.from(writer.buffer.subarray(start + 4, writer.length));
      writer.truncate(start);
      writer.int32(text.length + 1);
      writer.int8(1);
      writer.bytes(text);
    },
  };
}
