// json and jsonb, and the wrapper that makes anything JSON.

import { types } from "node:util";
import type { Writer } from "../proto/writer.ts";
import { type Codec, malformed, refusal } from "./codec.ts";
import { decodeText, writeBytes } from "./raw.ts";

const JSON_PARAM = Symbol.for("forebay.postgres.json");
const JSONB_VERSION = 1;

/** A parameter that is JSON whatever the type of the place it goes to. Made by `json`. */
export interface JsonParam {
  /** The serialised value. */
  readonly text: string;
}

class BrandedJsonParam implements JsonParam {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
    Object.defineProperty(this, JSON_PARAM, { value: true });
  }

  toJSON(): unknown {
    return JSON.parse(this.text);
  }
}

/**
 * Makes a value a JSON parameter, with `JSON.stringify`, at once: later changes to the value have
 * no effect.
 *
 * Needed where the value alone does not say that JSON is meant: a string that is a JSON string and
 * not serialised JSON, `null` as JSON's null and not SQL's, an array as a JSON array and not a
 * PostgreSQL one. Throws `UsageError` of code `ARGUMENT_INVALID` for what JSON cannot say:
 * undefined, functions, bigints within objects, cycles, NaN, maps.
 */
export function json(value: unknown): JsonParam {
  return new BrandedJsonParam(jsonText(value, "json"));
}

/** True for what `json` returned, also in another copy of this library. */
export function isJsonParam(value: unknown): value is JsonParam {
  return typeof value === "object" && value !== null && JSON_PARAM in value;
}

/** Objects that `JSON.stringify` would turn into `{}` or lose without a word. */
function isOpaque(value: object): boolean {
  return (
    types.isMap(value) ||
    types.isSet(value) ||
    ("then" in value && typeof value.then === "function") ||
    types.isRegExp(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isAnyArrayBuffer(value) ||
    ArrayBuffer.isView(value)
  );
}

/** The JSON of a value that is sent as `type`. Throws `UsageError` where there is none. */
export function jsonText(value: unknown, type: string): string {
  if (isJsonParam(value)) return value.text;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw refusal(value, type, "JSON has no NaN and no infinities");
  }
  if (typeof value === "object" && value !== null && isOpaque(value)) {
    throw refusal(value, type, "its contents would be lost");
  }
  const text = stringify(value, type);
  if (text === undefined) throw refusal(value, type, "JSON has no such value");
  return text;
}

function stringify(value: unknown, type: string): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw refusal(value, type, "it holds a bigint or a cycle, or is nested too deeply");
    }
    throw error;
  }
}

function parse(bytes: Buffer, start: number, end: number, type: string): unknown {
  const text = decodeText(bytes, start, end);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw malformed(type, "text");
    throw error;
  }
}

function decodeJson(bytes: Buffer, start: number, end: number): unknown {
  return parse(bytes, start, end, "json");
}

/**
 * json: what `JSON.parse` makes of it. A string is taken for serialised JSON; all else is
 * serialised.
 */
export const jsonCodec: Codec = {
  text: decodeJson,
  binary: decodeJson,
  binaryResults: true,
  takes: (value) => types.isUint8Array(value),
  write: (writer: Writer, value) => {
    writeBytes(writer, value as Uint8Array);
  },
  toText: (value) => jsonText(value, "json"),
};

/** jsonb: as json. Its binary format is the text after a version number. */
export const jsonbCodec: Codec = {
  text: (bytes, start, end) => parse(bytes, start, end, "jsonb"),
  binary: (bytes, start, end) => {
    if (end <= start || bytes[start] !== JSONB_VERSION) throw malformed("jsonb", "binary");
    return parse(bytes, start + 1, end, "jsonb");
  },
  binaryResults: true,
  takes: (value) => types.isUint8Array(value),
  write: (writer: Writer, value) => {
    const text = value as Uint8Array;
    writer.int32(text.length + 1);
    writer.int8(JSONB_VERSION);
    writer.bytes(text);
  },
  toText: (value) => jsonText(value, "jsonb"),
};
