// Reading a row with its types checked: the counterpart of database/sql's Scan, Scanner and Null.
// Every conversion keeps the value whole, or says that it cannot.

import { types } from "node:util";
import { ForebayError, isForebayError } from "../base/errors.ts";

/**
 * Makes a `T` of one value of a row, or throws. Any function of one value is one; those of `scan`
 * throw `VALUE_MISMATCH` for a value of another kind, NULL among them, and `VALUE_OUT_OF_RANGE` for
 * one that `T` cannot hold without loss. (`sql.Scanner`.)
 */
export type Scanner<T> = (value: unknown) => T;

/** Says how each column of a row is to be read. */
export type ScanShape = Readonly<Record<string, Scanner<unknown>>>;

/** What `scan` gives for a shape. */
export type Scanned<S extends ScanShape> = { -readonly [K in keyof S]: ReturnType<S[K]> };

/** `scan`, and the scanners that hang on it. */
export interface Scan {
  /**
   * Reads the columns that `shape` names from a row in object mode, and gives them as an object of
   * their own; columns that it does not name are left out. Throws `VALUE_MISMATCH` for a column
   * that the row lacks. What a scanner throws becomes the `cause` of an error that names the
   * column: with the scanner's code if that was `VALUE_OUT_OF_RANGE`, else `VALUE_MISMATCH`. No
   * message holds a value.
   */
  <S extends ScanShape>(row: object, shape: S): Scanned<S>;
  /**
   * A whole number that a number holds exactly, to 2^53 - 1 either way: from a number, a bigint, or
   * their digits as a string.
   */
  readonly int: Scanner<number>;
  /**
   * Any number, the special ones too: from a number, a bigint, or a string such as the server gives
   * for `numeric`. A whole number must fit exactly, a fraction so that the number's own text has
   * the same digits; else it is `VALUE_OUT_OF_RANGE`.
   */
  readonly number: Scanner<number>;
  /** A whole number of any size: from a bigint, a number up to 2^53 - 1, or digits as a string. */
  readonly bigint: Scanner<bigint>;
  /** A string; a number, a bigint or a boolean as its own text. */
  readonly text: Scanner<string>;
  /** A boolean; also 1 and 0, and the words `true`, `t`, `1`, `false`, `f` and `0`. */
  readonly boolean: Scanner<boolean>;
  /**
   * An instant: a valid `Date`, or a string of ISO 8601 with a zone. A string finer than a
   * millisecond is `VALUE_OUT_OF_RANGE`, and one without a zone is no instant.
   */
  readonly date: Scanner<Date>;
  /** Bytes: a `Uint8Array`, which a `Buffer` is; not copied. */
  readonly bytes: Scanner<Uint8Array>;
  /** `null` for NULL, what `scanner` makes for the rest. (`sql.Null`.) */
  nullable<T>(scanner: Scanner<T>): Scanner<T | null>;
}

/**
 * Reads a row with its types checked, where the `T` of `query<T>` is only the caller's word.
 *
 * @example
 * ```ts
 * import { type DB, scan } from "forebay";
 *
 * const USER = { id: scan.int, name: scan.text, seen: scan.nullable(scan.date) };
 *
 * async function user(db: DB, id: number): Promise<{ id: number; name: string; seen: Date | null }>
 * {
 *   return scan(await db.queryRow("SELECT id, name, seen FROM users WHERE id = $1", [id]), USER);
 * }
 * ```
 */
export const scan: Scan = /* @__PURE__ */ Object.assign(scanRow, {
  int: scanInt,
  number: scanNumber,
  bigint: scanBigint,
  text: scanText,
  boolean: scanBoolean,
  date: scanDate,
  bytes: scanBytes,
  nullable,
});

function scanRow<S extends ScanShape>(row: object, shape: S): Scanned<S> {
  const found: Record<string, unknown> = {};
  const values = row as Readonly<Record<string, unknown>>;
  for (const [column, scanner] of Object.entries(shape)) {
    if (!Object.hasOwn(values, column)) {
      throw new ForebayError(
        "operating",
        "VALUE_MISMATCH",
        `the row has no column ${JSON.stringify(column)}`,
        { retryable: false },
      );
    }
    let value: unknown;
    try {
      value = scanner(values[column]);
    } catch (error) {
      throw columnError(column, error);
    }
    // A column may be named like something that an assignment would treat in its own way.
    Object.defineProperty(found, column, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return found as Scanned<S>;
}

function columnError(column: string, cause: unknown): ForebayError {
  const isOurs = isForebayError(cause);
  const code = isOurs && cause.code === "VALUE_OUT_OF_RANGE" ? cause.code : "VALUE_MISMATCH";
  const why = isOurs ? cause.message.replace(/ \[[A-Z_]+\]$/, "") : "its scanner threw";
  const message = `column ${JSON.stringify(column)}: ${why}`;
  return new ForebayError("operating", code, message, { retryable: false, cause });
}

function scanInt(value: unknown): number {
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return value;
    if (Number.isInteger(value)) throw outOfRange("an int");
    throw mismatch(value, "an int");
  }
  const whole = wholeNumber(value, "an int");
  if (whole > Number.MAX_SAFE_INTEGER || whole < Number.MIN_SAFE_INTEGER) {
    throw outOfRange("an int");
  }
  return Number(whole);
}

function scanBigint(value: unknown): bigint {
  if (typeof value !== "number") return wholeNumber(value, "a bigint");
  if (Number.isSafeInteger(value)) return BigInt(value);
  if (Number.isInteger(value)) throw outOfRange("a bigint that is sure of its digits");
  throw mismatch(value, "a bigint");
}

/** A bigint, or digits. */
function wholeNumber(value: unknown, wanted: string): bigint {
  if (typeof value === "bigint") return value;
  if (isWhole(value)) return BigInt(value.replace("+", ""));
  throw mismatch(value, wanted);
}

const SPECIAL: readonly string[] = ["NaN", "Infinity", "-Infinity"];
const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i;

function scanNumber(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "string" && SPECIAL.includes(value)) return Number(value);
  if (typeof value === "bigint" || isWhole(value)) {
    const whole = wholeNumber(value, "a number");
    const found = Number(whole);
    if (Number.isFinite(found) && BigInt(found) === whole) return found;
    throw outOfRange("a number");
  }
  if (typeof value !== "string" || !DECIMAL.test(value)) throw mismatch(value, "a number");
  const found = Number(value);
  if (Number.isFinite(found) && canonical(value) === canonical(String(found))) return found;
  throw outOfRange("a number");
}

function isWhole(value: unknown): value is string {
  return typeof value === "string" && /^[+-]?\d+$/.test(value);
}

/** The digits that count, and where their point is: the same for all ways to write a decimal. */
function canonical(text: string): string {
  const [, sign, whole = "", fraction = "", exponent = "0"] = DECIMAL.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  if (kept === "") return "0";
  const scale = Number(exponent) - fraction.length + (digits.length - kept.length);
  return `${sign === "-" ? "-" : ""}${kept}e${scale}`;
}

const HAVE_TEXT: readonly string[] = ["string", "number", "bigint", "boolean"];

function scanText(value: unknown): string {
  if (!HAVE_TEXT.includes(typeof value)) throw mismatch(value, "text");
  return String(value);
}

const TRUE: readonly unknown[] = [true, 1, 1n, "true", "t", "1"];
const FALSE: readonly unknown[] = [false, 0, 0n, "false", "f", "0"];

function scanBoolean(value: unknown): boolean {
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  throw mismatch(value, "a boolean");
}

const ISO = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:Z|([+-]\d\d)(?::?(\d\d))?)$/;

function scanDate(value: unknown): Date {
  if (types.isDate(value) && !Number.isNaN(value.getTime())) return value;
  const parts = typeof value === "string" ? ISO.exec(value) : null;
  if (parts === null) throw mismatch(value, "a date");
  const [, day = "", time, fraction = "", hours = "+00", minutes = "00"] = parts;
  if (/[1-9]/.test(fraction.slice(3))) throw outOfRange("a date, which ends at milliseconds");
  const found = new Date(
    `${day}T${time}.${fraction.padEnd(3, "0").slice(0, 3)}${hours}:${minutes}`,
  );
  if (Number.isNaN(found.getTime()) || !isDay(day)) throw mismatch(value, "a date");
  return found;
}

/** Whether the calendar has the day; `Date` would take 30 February for 1 March. */
function isDay(day: string): boolean {
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}

function scanBytes(value: unknown): Uint8Array {
  if (types.isUint8Array(value)) return value;
  throw mismatch(value, "bytes");
}

function nullable<T>(scanner: Scanner<T>): Scanner<T | null> {
  return (value) => (value === null ? null : scanner(value));
}

function mismatch(value: unknown, wanted: string): ForebayError {
  const kind = value === null ? "NULL" : `this ${types.isDate(value) ? "Date" : typeof value}`;
  const hint = value === null ? "; use scan.nullable where it may be" : "";
  const message = `${kind} is not ${wanted}${hint}`;
  return new ForebayError("operating", "VALUE_MISMATCH", message, { retryable: false });
}

function outOfRange(wanted: string): ForebayError {
  const message = `the value does not fit into ${wanted} without loss`;
  return new ForebayError("operating", "VALUE_OUT_OF_RANGE", message, { retryable: false });
}
