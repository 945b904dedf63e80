// Types whose value is their text, and the two oddities among them: "char" and void.

import { types } from "node:util";
import { type Codec, checkWidth } from "./codec.ts";
import { looseCodec, looseText } from "./loose.ts";
import { decodeText, writeBytes, writeText } from "./raw.ts";

/** A type whose two formats are the same bytes: the string in UTF-8. */
export function textCodec(type: string): Codec {
  return {
    text: decodeText,
    binary: decodeText,
    binaryResults: true,
    takes: (value) => typeof value === "string" || types.isUint8Array(value),
    write: (writer, value) => {
      if (typeof value === "string") writeText(writer, value, type);
      else writeBytes(writer, value as Uint8Array);
    },
    toText: (value) => looseText(value, type),
  };
}

/** name: as text, but sent in text format, in which the server shortens a name that is too long. */
export const name: Codec = { ...looseCodec("name"), binary: decodeText, binaryResults: true };

/**
 * "char", one byte: a string of one ASCII character; empty for the byte 0; a backslash and three
 * octal digits for a byte beyond ASCII, as servers write it from version 16 on.
 */
export const char: Codec = {
  ...looseCodec("char"),
  binary: (bytes, start, end) => {
    checkWidth("char", start, end, 1);
    const byte = bytes[start] ?? 0;
    if (byte === 0) return "";
    return byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8)}`;
  },
};

const nothing = (): null => null;

/** void, the result of a function without one: null. */
export const voidCodec: Codec = { ...looseCodec("void"), text: nothing, binary: nothing };
