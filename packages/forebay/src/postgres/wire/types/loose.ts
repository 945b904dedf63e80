// Parameters whose type is not known: the text from which the server, who knows the type, makes the
// value. Codecs fall back to it for values that have no binary form of their own, so that a value
// means the same whether or not the type happens to be known.

import { types } from "node:util";
import { arrayLiteral } from "./array-literal.ts";
import { instantText } from "./calendar.ts";
import { type Codec, refusal } from "./codec.ts";
import { isJsonParam, jsonText } from "./json.ts";
import { hasOwnText } from "./own-text.ts";
import { copyBytes, decodeText, writeBytes } from "./raw.ts";

/** The name of the type that is not known, for messages. */
export const LOOSE_TYPE = "a parameter of unknown type";

/**
 * The digits of a number. Whole numbers beyond the safe ones are written with an exponent: the
 * integer types refuse that, where they would store digits that the number never had.
 */
export function numberText(value: number | bigint): string {
  if (typeof value === "bigint") return String(value);
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return value.toExponential();
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The text of a date. Throws `UsageError` for an invalid one. */
export function dateParamText(value: Date, type: string): string {
  if (Number.isNaN(value.getTime())) throw refusal(value, type, "it is an invalid date");
  return instantText(value);
}

/**
 * The text of any value that is not null, undefined or bytes. Throws `UsageError` where there is
 * none.
 */
export function looseText(value: unknown, type: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return numberText(value);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "object") return objectText(value, type);
  throw refusal(value, type, "there is no conversion");
}

function objectText(value: unknown, type: string): string {
  if (types.isDate(value)) return dateParamText(value, type);
  if (Array.isArray(value)) return arrayLiteral(value, type, ",", looseElementText);
  if (isJsonParam(value)) return value.text;
  if (hasOwnText(value)) return value.toString();
  return jsonText(value, type);
}

/** The text of an element of an array. Bytes are written as bytea's hexadecimal. */
export function looseElementText(value: unknown, type: string): string {
  if (types.isUint8Array(value)) return `\\x${hex(value)}`;
  return looseText(value, type);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/**
 * A codec that only bytes have a binary form for: sent as they are, they are the type's own binary
 * format.
 */
export function looseCodec(type: string): Codec {
  return {
    text: decodeText,
    binary: copyBytes,
    binaryResults: false,
    takes: (value) => types.isUint8Array(value),
    write: (writer, value) => {
      writeBytes(writer, value as Uint8Array);
    },
    toText: (value) => looseText(value, type),
  };
}
