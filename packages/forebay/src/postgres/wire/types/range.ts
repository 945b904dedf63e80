// Ranges as values: what users make, get and take apart. How they travel is range-codec.ts's.

import { UsageError } from "../../../base/errors.ts";
import { looseElementText } from "./loose.ts";
import { OwnText } from "./own-text.ts";

/** Which ends belong to a range, as SQL writes it. */
export type RangeBounds = "[)" | "[]" | "(]" | "()";

/** What is enough for a range as a parameter, where the type is known. */
export interface RangeLike<T> {
  /** `null`: no lower end. */
  readonly lower: T | null;
  /** `null`: no upper end. */
  readonly upper: T | null;
  /** @defaultValue true */
  readonly lowerInclusive?: boolean | undefined;
  /** @defaultValue false */
  readonly upperInclusive?: boolean | undefined;
  /** Without any value; the ends say nothing then. @defaultValue false */
  readonly empty?: boolean | undefined;
}

/** An end in quotes, in which a backslash or a second quote escapes, or plain; empty for none. */
const BOUND = /("(?:[^"\\]|\\[^]|"")*"|[^,"\\[\]()]*)/.source;
const TEXT = new RegExp(`^\\s*([[(])${BOUND},${BOUND}([\\])])\\s*$`);
const NEEDS_QUOTES = /["\\,[\]()\s]/;

/**
 * A range of PostgreSQL. An end that is `null` is none: the range goes on for ever there, and the
 * end is not inclusive. That is not the same as an end at infinity, which `tstzrange` and
 * `daterange` can also have.
 *
 * @example
 * ```ts
 * import { Range } from "forebay/postgres";
 *
 * const week = new Range("2024-01-01", "2024-01-08");
 * const adults = new Range(18, null);
 * const closed = new Range(1, 6, "[]");
 * ```
 */
export class Range<T> extends OwnText implements RangeLike<T> {
  readonly lower: T | null;
  readonly upper: T | null;
  readonly lowerInclusive: boolean;
  readonly upperInclusive: boolean;
  readonly empty: boolean;

  /** `bounds` are `"[)"` where they are left out, as PostgreSQL has them. */
  constructor(lower: T | null, upper: T | null, bounds: RangeBounds | "empty" = "[)") {
    super();
    const isEmpty = bounds === "empty";
    if (!isEmpty && !/^[[(][\])]$/.test(bounds)) {
      throw new UsageError(
        "ARGUMENT_INVALID",
        'the bounds of a range are "[)", "[]", "(]" or "()"',
      );
    }
    this.lower = isEmpty ? null : (lower ?? null);
    this.upper = isEmpty ? null : (upper ?? null);
    this.lowerInclusive = this.lower !== null && bounds.startsWith("[");
    this.upperInclusive = this.upper !== null && bounds.endsWith("]");
    this.empty = isEmpty;
  }

  /** The range without any value. */
  static empty<T = never>(): Range<T> {
    return new Range<T>(null, null, "empty");
  }

  /** A range that is written otherwise. */
  static from<T>(like: RangeLike<T>): Range<T> {
    if (like.empty === true) return Range.empty();
    const left = like.lowerInclusive === false ? "(" : "[";
    const bounds = `${left}${like.upperInclusive === true ? "]" : ")"}` as RangeBounds;
    return new Range(like.lower, like.upper, bounds);
  }

  /**
   * Reads the text of a range, such as `[1,5)` or `empty`. `parseBound` is given the text of each
   * end that there is. Throws `ARGUMENT_INVALID` for a text that is none.
   */
  static parse<T = string>(
    text: string,
    parseBound: (text: string) => T = (bound) => bound as T,
  ): Range<T> {
    const range = parseRange(text, parseBound);
    if (range === undefined) throw new UsageError("ARGUMENT_INVALID", "this is no text of a range");
    return range;
  }

  /** The text of the range. `formatBound` gives that of an end; by default as for a parameter. */
  format(
    formatBound: (bound: T) => string = (bound) => looseElementText(bound, "a range"),
  ): string {
    return rangeText(this, formatBound);
  }

  toString(): string {
    return this.format();
  }
}

/** As `Range.parse`; undefined for a text that is none. */
export function parseRange<T>(text: string, parseBound: (text: string) => T): Range<T> | undefined {
  if (/^\s*empty\s*$/i.test(text)) return Range.empty();
  const parts = TEXT.exec(text);
  if (parts === null) return undefined;
  const bound = (shown: string): T | null => (shown === "" ? null : parseBound(unquoted(shown)));
  const bounds = `${parts[1]}${parts[4]}` as RangeBounds;
  return new Range(bound(parts[2] ?? ""), bound(parts[3] ?? ""), bounds);
}

/** Takes the quotes off: inside them a backslash or a second quote escapes. */
export function unquoted(text: string): string {
  if (!text.startsWith('"')) return text;
  return text.slice(1, -1).replaceAll(/\\([^])|""/g, (_, escaped?: string) => escaped ?? '"');
}

/** The text of what looks like a range. */
export function rangeText<T>(like: RangeLike<T>, boundText: (bound: T) => string): string {
  const range = like instanceof Range ? like : Range.from(like);
  if (range.empty) return "empty";
  const text = (bound: T | null): string => (bound === null ? "" : quoted(boundText(bound)));
  const left = range.lowerInclusive ? "[" : "(";
  const right = range.upperInclusive ? "]" : ")";
  return `${left}${text(range.lower)},${text(range.upper)}${right}`;
}

function quoted(text: string): string {
  if (text !== "" && !NEEDS_QUOTES.test(text)) return text;
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** Whether a value is, or looks like, a range. */
export function isRangeLike(value: unknown): value is RangeLike<unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const { empty, lower, upper } = value as Readonly<Record<string, unknown>>;
  return empty === true || (lower !== undefined && upper !== undefined);
}
