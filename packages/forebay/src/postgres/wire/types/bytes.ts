// Types that are bytes: bytea and uuid.

import { types } from "node:util";
import { type Codec, checkWidth, type Decode, malformed, refusal } from "./codec.ts";
import { looseElementText } from "./loose.ts";
import { copyBytes, decodeText, latin1, writeBytes } from "./raw.ts";

const BACKSLASH = 0x5c;
const LETTER_X = 0x78;
const UUID_BYTES = 16;
const UUID_TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function isBytes(value: unknown): boolean {
  return types.isUint8Array(value);
}

function byteaHex(bytes: Buffer, start: number, end: number): Buffer {
  const decoded = Buffer.from(latin1(bytes, start, end), "hex");
  if (decoded.length * 2 !== end - start) throw malformed("bytea", "text");
  return decoded;
}

function octalDigit(bytes: Buffer, at: number, end: number, max: number): number {
  const digit = at < end ? (bytes[at] ?? 0) - 0x30 : -1;
  if (digit < 0 || digit > max) throw malformed("bytea", "text");
  return digit;
}

/**
 * The format of `bytea_output = escape`: a backslash is doubled, and most bytes that are not ASCII
 * are octal.
 */
function byteaEscaped(bytes: Buffer, start: number, end: number): Buffer {
  const decoded = Buffer.alloc(end - start);
  let length = 0;
  for (let at = start; at < end; at++) {
    let byte = bytes[at] ?? 0;
    if (byte === BACKSLASH && at + 1 < end && bytes[at + 1] === BACKSLASH) {
      at++;
    } else if (byte === BACKSLASH) {
      byte =
        octalDigit(bytes, at + 1, end, 3) * 64 +
        octalDigit(bytes, at + 2, end, 7) * 8 +
        octalDigit(bytes, at + 3, end, 7);
      at += 3;
    }
    decoded[length++] = byte;
  }
  return Buffer.from(decoded.subarray(0, length));
}

const decodeBytea: Decode = (bytes, start, end) =>
  end - start >= 2 && bytes[start] === BACKSLASH && bytes[start + 1] === LETTER_X
    ? byteaHex(bytes, start + 2, end)
    : byteaEscaped(bytes, start, end);

/**
 * bytea: a Buffer of its own. Written from any Uint8Array; a string is bytea's own input format.
 */
export const bytea: Codec = {
  text: decodeBytea,
  binary: copyBytes,
  binaryResults: true,
  takes: isBytes,
  write: (writer, value) => {
    writeBytes(writer, value as Uint8Array);
  },
  toText: (value) => looseElementText(value, "bytea"),
};

/** uuid: a string in lower case with hyphens. Written from a string, or from its 16 bytes. */
export const uuid: Codec = {
  text: decodeText,
  binary: (bytes, start, end) => {
    checkWidth("uuid", start, end, UUID_BYTES);
    const hex = bytes.toString("hex", start, end);
    const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
    return `${groups.join("-")}-${hex.slice(20)}`;
  },
  binaryResults: false,
  takes: (value) => isBytes(value) || (typeof value === "string" && UUID_TEXT.test(value)),
  write: (writer, value) => {
    const bytes =
      typeof value === "string"
        ? Buffer.from(value.replaceAll("-", ""), "hex")
        : (value as Uint8Array);
    if (bytes.length !== UUID_BYTES) throw refusal(value, "uuid", "it is not 16 bytes long");
    writeBytes(writer, bytes);
  },
  toText: (value) => {
    throw refusal(value, "uuid", "there is no conversion");
  },
};
