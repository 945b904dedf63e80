// The text format of arrays, read and written, and what is asked of an array in either format.

import { type Decode, malformed, refusal } from "./codec.ts";
import { isJsonParam } from "./json.ts";
import { keepLowerBounds, lowerBoundsOf } from "./lower-bounds.ts";

/** As many dimensions as a PostgreSQL array can have (`MAXDIM`). */
export const DIMENSIONS_MAX = 6;

const NEEDS_ESCAPE = /["\\]/g;
const NEEDS_NO_QUOTES = /^(?!null$)[\w.+-]+$/i;

/** Whether an array inside another is an element, and not a dimension. */
type IsItem = (value: readonly unknown[]) => boolean;

const never: IsItem = () => false;

/**
 * The lengths of the dimensions of a nested array; none for an empty one. Throws `UsageError`
 * unless every array at the same depth has the same length, as PostgreSQL's arrays have. What is
 * not an array is an element.
 */
export function dimensionsOf(
  value: readonly unknown[],
  type: string,
  isItem: IsItem = never,
): number[] {
  const lengths: number[] = [];
  for (let at: unknown = value; Array.isArray(at); at = at[0]) {
    if (lengths.length > 0 && isItem(at)) break;
    if (lengths.length === DIMENSIONS_MAX) {
      throw refusal(value, type, `it has more than ${DIMENSIONS_MAX} dimensions`);
    }
    lengths.push(at.length);
  }
  if (lengths[0] === 0) return [];
  if (!isRectangular(value, lengths, 0, isItem)) {
    throw refusal(value, type, "arrays inside it differ in length or are empty");
  }
  return lengths;
}

function isRectangular(
  value: unknown,
  lengths: readonly number[],
  depth: number,
  isItem: IsItem,
): boolean {
  if (depth === lengths.length) return !Array.isArray(value) || isItem(value);
  if (!Array.isArray(value) || value.length === 0 || value.length !== lengths[depth]) return false;
  for (let i = 0; i < value.length; i++) {
    if (!isRectangular(value[i], lengths, depth + 1, isItem)) return false;
  }
  return true;
}

/**
 * The literal of an array, as PostgreSQL's array input reads it; `elementText` is asked for what is
 * not null.
 */
export function arrayLiteral(
  value: readonly unknown[],
  type: string,
  delimiter: "," | ";",
  elementText: (element: unknown, type: string) => string,
  isItem: IsItem = never,
): string {
  const lengths = dimensionsOf(value, type, isItem);
  const literalOf = (element: unknown, depth: number): string => {
    if (element === null || element === undefined) return "NULL";
    if (Array.isArray(element) && (depth === 0 || !isItem(element))) {
      const items = Array.from(element, (item) => literalOf(item, depth + 1));
      return `{${items.join(delimiter)}}`;
    }
    const text = isJsonParam(element) ? element.text : elementText(element, type);
    if (typeof element !== "string" && typeof element !== "object" && NEEDS_NO_QUOTES.test(text)) {
      return text;
    }
    return `"${text.replace(NEEDS_ESCAPE, "\\$&")}"`;
  };
  return boundsText(value, lengths) + literalOf(value, 0);
}

/** `[0:1][5:6]=` where an array does not begin at 1 in each dimension. */
function boundsText(value: readonly unknown[], lengths: readonly number[]): string {
  const bounds = lowerBoundsOf(value);
  if (lengths.length === 0 || bounds.length === 0) return "";
  const one = (length: number, i: number): string => {
    const lower = bounds[i] ?? 1;
    return `[${lower}:${lower + length - 1}]`;
  };
  return `${lengths.map(one).join("")}=`;
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const BOUNDS = 0x5b;
const EQUALS = 0x3d;
const BOUNDS_TEXT = /^(?:\[-?\d{1,10}:-?\d{1,10}\])+$/;

/**
 * Reads one array literal as the server writes it; the elements with the decoder of their text
 * format.
 */
class LiteralReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #type: string;
  readonly #delimiter: number;
  readonly #element: Decode;
  #at: number;

  constructor(
    bytes: Buffer,
    start: number,
    end: number,
    of: { type: string; delimiter: number; element: Decode },
  ) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#type = of.type;
    this.#delimiter = of.delimiter;
    this.#element = of.element;
  }

  read(): unknown[] {
    const bounds = this.#peek() === BOUNDS ? this.#bounds() : undefined;
    const value = this.#array(1);
    if (this.#at !== this.#end) throw this.#malformed();
    return bounds === undefined ? value : keepLowerBounds(value, bounds);
  }

  #bounds(): number[] {
    const start = this.#at;
    while (this.#peek() !== EQUALS) this.#at++;
    const text = this.#bytes.toString("latin1", start, this.#at++);
    if (!BOUNDS_TEXT.test(text)) throw this.#malformed();
    return Array.from(text.matchAll(/\[([+-]?\d+)/g), ([, lower]) => Number(lower));
  }

  #array(depth: number): unknown[] {
    if (depth > DIMENSIONS_MAX || this.#peek() !== OPEN) throw this.#malformed();
    this.#at++;
    const items: unknown[] = [];
    if (this.#peek() === CLOSE) {
      this.#at++;
      return items;
    }
    for (;;) {
      items.push(this.#item(depth));
      const after = this.#peek();
      this.#at++;
      if (after === CLOSE) return items;
      if (after !== this.#delimiter) throw this.#malformed();
    }
  }

  #item(depth: number): unknown {
    const first = this.#peek();
    if (first === OPEN) return this.#array(depth + 1);
    return first === QUOTE ? this.#quoted() : this.#bare();
  }

  #bare(): unknown {
    const start = this.#at;
    for (let byte = this.#peek(); byte !== this.#delimiter && byte !== CLOSE; byte = this.#peek()) {
      this.#at++;
    }
    if (this.#at === start) throw this.#malformed();
    if (this.#at - start === 4 && this.#bytes.toString("latin1", start, this.#at) === "NULL") {
      return null;
    }
    return this.#element(this.#bytes, start, this.#at);
  }

  #quoted(): unknown {
    const start = ++this.#at;
    let escapes = 0;
    for (let byte = this.#peek(); byte !== QUOTE; byte = this.#peek()) {
      if (byte === BACKSLASH) {
        escapes++;
        this.#at++;
        this.#peek();
      }
      this.#at++;
    }
    const end = this.#at++;
    if (escapes === 0) return this.#element(this.#bytes, start, end);
    const plain = Buffer.allocUnsafe(end - start - escapes);
    let length = 0;
    for (let at = start; at < end; at++) {
      if (this.#bytes[at] === BACKSLASH) at++;
      plain[length++] = this.#bytes[at] ?? 0;
    }
    return this.#element(plain, 0, length);
  }

  #peek(): number {
    if (this.#at >= this.#end) throw this.#malformed();
    return this.#bytes[this.#at] ?? 0;
  }

  #malformed(): Error {
    return malformed(this.#type, "text");
  }
}

/**
 * The decoder of the text format of arrays, from the one of their elements.
 */
export function arrayTextDecoder(type: string, delimiter: "," | ";", element: Decode): Decode {
  const of = { type, delimiter: delimiter.charCodeAt(0), element };
  return (bytes, start, end) => new LiteralReader(bytes, start, end, of).read();
}
