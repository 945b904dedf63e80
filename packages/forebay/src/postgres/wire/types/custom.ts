// Codecs of users: what one is, and the walls round it. Whatever it does, only its statement fails.

import { types } from "node:util";
import { ForebayError } from "../../../base/errors.ts";
import type { Codec } from "./codec.ts";
import { isJsonParam } from "./json.ts";
import { looseElementText } from "./loose.ts";
import { hasOwnText } from "./own-text.ts";
import { copyBytes, decodeText, writeBytes } from "./raw.ts";

/**
 * How values of one type are read and written, in place of what this library would make of them.
 * The methods are pure and synchronous; NULL never gets to them. When one throws, or returns what
 * it must not, the statement fails with `CODEC_FAILED` (for a parameter as the `cause` of
 * `ARGUMENT_INVALID`), and the connection is as good as before.
 *
 * @example
 * ```ts
 * import { postgres, type PgCodec } from "forebay/postgres";
 *
 * const days: PgCodec<Date> = {
 *   accepts: (value) => value instanceof Date,
 *   fromText: (text) => new Date(`${text}T00:00:00Z`),
 *   toText: (value) => value.toISOString().slice(0, 10),
 * };
 * const connector = postgres("postgres://localhost/app", { types: { codecs: { date: days } } });
 * ```
 */
export interface PgCodec<T = unknown> {
  /** Reads the text format. */
  fromText(text: string): T;
  /**
   * Reads the binary format, from bytes that it may keep. Results come in binary where this is
   * there, and as text where it is not. Must give the same value as `fromText`.
   */
  fromBinary?(bytes: Buffer): T;
  /** The text format of a value that it accepts. */
  toText(value: T): string;
  /** The binary format of a value that it accepts; goes before `toText` where it is there. */
  toBinary?(value: T): Uint8Array;
  /**
   * Which parameters are for this codec; all others go as if there were none. Without it: objects,
   * but not arrays, dates, bytes, what `json` made and this library's own values such as `Range`.
   * A statement with such a parameter is prepared before it is run, so that the type of the place
   * is known.
   */
  accepts?(value: unknown): boolean;
}

/** What `accepts` is where a codec has none. */
function isPlainObject(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !types.isDate(value) &&
    !types.isUint8Array(value) &&
    !hasOwnText(value)
  );
}

function codecFailed(type: string, action: "read" | "write", cause: unknown): ForebayError {
  return new ForebayError(
    "operating",
    "CODEC_FAILED",
    `the codec that was given for ${type} failed to ${action} a value; see cause`,
    { retryable: false, cause },
  );
}

function guarded<T>(type: string, action: "read" | "write", call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw codecFailed(type, action, error);
  }
}

/** Whether a value that is not NULL is for a codec. */
export function accepts(type: string, own: PgCodec, value: unknown): boolean {
  if (value === null || value === undefined || isJsonParam(value)) return false;
  if (own.accepts === undefined) return isPlainObject(value);
  return guarded(type, "write", () => own.accepts?.(value) === true);
}

/** A user's codec as the client uses one. `base` is for the parameters that it does not accept. */
export function customCodec(type: string, own: PgCodec, base: Codec): Codec {
  const textOf = (value: unknown): string =>
    guarded(type, "write", () => {
      const text: unknown = own.toText(value);
      if (typeof text !== "string") throw new TypeError("toText must return a string");
      return text;
    });
  const baseText = (value: unknown): string => {
    if (base.literal !== undefined) return base.literal(value);
    if (typeof value === "string") return value;
    if (isJsonParam(value)) return value.text;
    return base.takes(value) ? looseElementText(value, type) : base.toText(value);
  };
  return {
    text: (bytes, start, end) => {
      const text = decodeText(bytes, start, end);
      return guarded(type, "read", () => own.fromText(text));
    },
    binary: (bytes, start, end) => {
      const copy = copyBytes(bytes, start, end);
      if (own.fromBinary === undefined) return copy;
      return guarded(type, "read", () => own.fromBinary?.(copy));
    },
    binaryResults: own.fromBinary !== undefined,
    takes: (value) => (accepts(type, own, value) ? own.toBinary !== undefined : base.takes(value)),
    write: (writer, value) => {
      if (!accepts(type, own, value)) {
        base.write(writer, value);
        return;
      }
      const bytes = guarded(type, "write", () => {
        const made: unknown = own.toBinary?.(value);
        if (!types.isUint8Array(made)) throw new TypeError("toBinary must return a Uint8Array");
        return made;
      });
      writeBytes(writer, bytes);
    },
    toText: (value) => (accepts(type, own, value) ? textOf(value) : baseText(value)),
    literal: (value) => (accepts(type, own, value) ? textOf(value) : baseText(value)),
    ...(base.isItem === undefined ? {} : { isItem: base.isItem }),
  };
}
