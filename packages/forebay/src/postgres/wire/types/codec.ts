// What a codec is, and how one says no. Everything here is shared by the families of types; nothing
// knows an OID.

import { types } from "node:util";
import { ForebayError, UsageError } from "../../../base/errors.ts";
import { ProtocolError } from "../proto/protocol-error.ts";
import type { Writer } from "../proto/writer.ts";

/**
 * Turns the bytes `start` to `end` (exclusive) of a value that is not NULL into a JavaScript value.
 * The result keeps nothing of `bytes`, and bytes outside the range are never looked at.
 *
 * Throws only two kinds of error. A `ProtocolError` says that the bytes are not of the type: the
 * connection is of no further use. A `ForebayError` of code `VALUE_OUT_OF_RANGE` says that
 * JavaScript has no such value, or not under this policy: the statement fails, and the connection
 * is as good as before.
 */
export type Decode = (bytes: Buffer, start: number, end: number) => unknown;

/** Choices of the user about what a type becomes. */
export interface TypePolicy {
  /**
   * What an `int8` becomes, alone and in an array.
   *
   * - `"auto"`: a number when `Number.isSafeInteger` holds, else a bigint. Counts and ids can be
   *   added, compared and put in JSON, and no value is ever rounded.
   * - `"bigint"`: always a bigint.
   * - `"number"`: always a number; a value that a number cannot hold fails the statement with
   *   `VALUE_OUT_OF_RANGE`.
   * - `"string"`: the decimal digits.
   */
  readonly int8: "auto" | "bigint" | "number" | "string";
}

/** How one type is read and written. */
export interface Codec {
  /** Reads the text format. */
  readonly text: Decode;
  /** Reads the binary format, to the same value. */
  readonly binary: Decode;
  /** Whether results should be asked for in binary. */
  readonly binaryResults: boolean;
  /**
   * Whether `write` is for this value. Anything else goes as text: a string as it is, the rest by
   * `toText`.
   */
  takes(value: unknown): boolean;
  /**
   * Writes a value that it takes: an int32 length and the binary format. Throws `UsageError` of
   * code `ARGUMENT_INVALID` when the type cannot hold the value exactly; may have written something
   * by then.
   */
  write(writer: Writer, value: unknown): void;
  /**
   * The text format of a value that is neither taken nor a string. Throws `UsageError` where there
   * is none.
   */
  toText(value: unknown): string;
  /**
   * The text format of any value, for a codec that has its own idea of strings or of what it takes.
   * Where it is absent, strings are their own text, and what is taken has the text that it would
   * have without a type.
   */
  readonly literal?: (value: unknown) => string;
  /**
   * Whether an array is one value of the type, and not a dimension of an array of it. Present only
   * where values of the type are arrays.
   */
  readonly isItem?: (value: readonly unknown[]) => boolean;
}

/**
 * The longest value that PostgreSQL allocates, in bytes (`MaxAllocSize`): a message cannot be
 * longer.
 */
export const VALUE_BYTES_MAX = 0x3fffffff;

/** The kind of a value, for messages: never the value. */
export function jsTypeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (types.isDate(value)) return "Date";
  if (types.isUint8Array(value)) return "Uint8Array";
  return typeof value;
}

function article(noun: string): "a" | "an" {
  return /^[aeio]/.test(noun) ? "an" : "a";
}

/**
 * The error for a parameter that cannot be sent: names the two types and the reason, never the
 * value.
 */
export function refusal(value: unknown, type: string, reason: string): UsageError {
  const kind = jsTypeName(value);
  return new UsageError(
    "ARGUMENT_INVALID",
    `cannot send ${article(kind)} ${kind} as ${type}: ${reason}`,
  );
}

/** The error for a value of the server that JavaScript, or the policy, has no room for. */
export function outOfRange(type: string, reason: string): ForebayError {
  return new ForebayError(
    "operating",
    "VALUE_OUT_OF_RANGE",
    `cannot read ${article(type)} ${type}: ${reason}`,
    {
      retryable: false,
    },
  );
}

/** The error for bytes that are not of the type. */
export function malformed(type: string, format: "text" | "binary"): ProtocolError {
  return new ProtocolError(`the server sent a malformed ${type} (${format} format)`);
}

/** Throws unless a binary value is exactly `width` bytes long. */
export function checkWidth(type: string, start: number, end: number, width: number): void {
  if (end - start !== width) throw malformed(type, "binary");
}
