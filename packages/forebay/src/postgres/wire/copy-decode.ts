// Rows on their way out of a COPY: from a message of the text or the binary format to values. The
// server sends a row in a message by itself.

import type { CopyFormat } from "./copy-rows.ts";
import type { FieldDescription } from "./proto/backend.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import { RowShape } from "./row-shape.ts";
import { type Decode, decoderFor, type TypePolicy } from "./types/index.ts";

/** How the rows of a COPY are to be read. */
export interface CopyRowsPlan {
  /** What the statement asks for. */
  readonly format: CopyFormat;
  /** The columns, or a query that has the same ones. */
  readonly columns: readonly FieldDescription[] | string;
}

/** Reads the row of a message; `undefined` where the message holds none. */
export type RowDecode = (bytes: Buffer, start: number, end: number) => unknown[] | undefined;

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const LETTER_N = 0x4e;

/** What stands for a letter behind a backslash, where that is another one. */
const UNESCAPED: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, NEWLINE],
  [0x72, 0x0d],
  [0x74, TAB],
  [0x76, 0x0b],
]);

/** A reader of rows with these columns. It throws `ProtocolError`, and what a decoder throws. */
export function rowDecoder(
  format: CopyFormat,
  fields: readonly FieldDescription[],
  policy: TypePolicy,
): RowDecode {
  return format === "text" ? textDecoder(fields, policy) : binaryDecoder(fields, policy);
}

function textDecoder(fields: readonly FieldDescription[], policy: TypePolicy): RowDecode {
  const decoders = fields.map((field) => decoderFor(field.typeOid, 0, policy));
  return (bytes, start, end) => {
    const row: unknown[] = [];
    const last = end - 1;
    if (last < start || bytes[last] !== NEWLINE) throw malformed();
    if (decoders.length === 0) return row;
    let from = start;
    let hasEscapes = false;
    for (let at = start; at <= last; at++) {
      const byte = bytes[at];
      if (byte === BACKSLASH) {
        hasEscapes = true;
        at++;
      } else if (byte === TAB || at === last) {
        const decode = decoders[row.length];
        if (decode === undefined) throw malformed();
        row.push(hasEscapes ? escaped(bytes, from, at, decode) : decode(bytes, from, at));
        from = at + 1;
        hasEscapes = false;
      }
    }
    if (row.length !== decoders.length) throw malformed();
    return row;
  };
}

/** A value with a backslash in it. */
function escaped(bytes: Buffer, start: number, end: number, decode: Decode): unknown {
  if (end - start === 2 && bytes[start + 1] === LETTER_N) return null;
  const plain = Buffer.allocUnsafe(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    let byte = bytes[at] as number;
    if (byte === BACKSLASH) {
      byte = bytes[++at] as number;
      byte = UNESCAPED.get(byte) ?? byte;
    }
    plain[length++] = byte;
  }
  return decode(plain, 0, length);
}

const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
const FLAGS_BYTES = 4;
const LENGTH_BYTES = 4;

function binaryDecoder(fields: readonly FieldDescription[], policy: TypePolicy): RowDecode {
  const binaryFields = fields.map((field) => ({ ...field, format: 1 as const }));
  const shape = new RowShape(binaryFields, policy);
  let isBegun = false;
  return (bytes, start, end) => {
    const at = isBegun ? start : afterHeader(bytes, start, end);
    isBegun = true;
    const isEnd = end - at === 2 && bytes.readInt16BE(at) === -1;
    return at === end || isEnd ? undefined : shape.array(bytes, at, end);
  };
}

/** Where the rows begin: the header comes with the first of them. */
function afterHeader(bytes: Buffer, start: number, end: number): number {
  const extensionAt = start + SIGNATURE.length + FLAGS_BYTES;
  const at = extensionAt + LENGTH_BYTES;
  if (at > end || bytes.compare(SIGNATURE, 0, SIGNATURE.length, start, start + SIGNATURE.length)) {
    throw malformed();
  }
  return at + bytes.readInt32BE(extensionAt);
}

function malformed(): ProtocolError {
  return new ProtocolError("the server sent a malformed row of a COPY");
}
