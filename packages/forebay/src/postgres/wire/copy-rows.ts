// Rows on their way into a COPY: from arrays or objects to the text or the binary format, in pieces
// of a size that suits the socket. Knows formats and types, not statements.

import { isForebayError, UsageError } from "../../base/errors.ts";
import { PIECE_BYTES, type CopySource } from "./copy-in.ts";
import { openSource } from "./copy-source.ts";
import { Writer } from "./proto/writer.ts";
import {
  type BinaryWrite,
  binaryWrite,
  checkString,
  type SmallIntegers,
  smallIntegers,
  valueText,
} from "./types/index.ts";

/** A format of COPY that rows can be written in. */
export type CopyFormat = "text" | "binary";

/** A row to be stored: its values in the order of the columns, or by their names. */
export type CopyRow = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Rows from anywhere; a `Readable` in object mode and a web stream are async iterables. */
export type CopyRows = Iterable<CopyRow> | AsyncIterable<CopyRow>;

/** A column that is to be filled. */
export interface CopyColumn {
  readonly name: string;
  /** Of a domain, the type that it restricts. */
  readonly typeOid: number;
  /** Whether the binary format of the type is its text, as that of an enumeration. */
  readonly isText: boolean;
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;
const LETTER_N = 0x4e;
const ZERO = 0x30;
const MINUS = 0x2d;
const INT32_MIN = -(2 ** 31);

/** Up to this many UTF-16 units a loop that copies ASCII beats the calls into native code. */
const SHORT_STRING_UNITS = 24;

/** Whatever a string must be looked at for: what is escaped, and what cannot be sent. */
const NEEDS_CARE = /[\0\t\n\r\\\ud800-\udfff]/;
const NEEDS_ESCAPE = /[\t\n\r\\]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\\": "\\\\",
};

const BINARY_HEADER = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");

/**
 * The rows as data of a COPY with these columns. A piece is good until the next one is asked for.
 *
 * What the source throws, and what cannot be sent, comes out of the iteration: a `UsageError` of
 * code `ARGUMENT_INVALID` that names the row, counted from 1, and the column, and never the value.
 */
export function encodeRows(
  columns: readonly CopyColumn[],
  format: CopyFormat,
  rows: CopyRows,
): CopySource {
  const encoder = format === "text" ? new TextEncoder(columns) : new BinaryEncoder(columns);
  return Symbol.asyncIterator in rows ? piecesLater(encoder, rows) : pieces(encoder, rows);
}

function* pieces(encoder: RowEncoder, rows: Iterable<CopyRow>): Generator<Buffer> {
  encoder.begin();
  for (const row of rows) {
    encoder.add(row);
    if (encoder.writer.length >= PIECE_BYTES) yield encoder.take();
  }
  encoder.end();
  if (encoder.writer.length > 0) yield encoder.take();
}

/** As `pieces`. No generator, which could not be stopped while it waits for a row. */
function piecesLater(encoder: RowEncoder, rows: AsyncIterable<CopyRow>): AsyncIterable<Buffer> {
  const open = (): AsyncIterator<Buffer> => {
    const reading = openSource(rows);
    let isOver = false;
    const fill = async (): Promise<void> => {
      while (encoder.writer.length < PIECE_BYTES) {
        const step = await reading.next();
        if (step.done === true) {
          isOver = true;
          encoder.end();
          return;
        }
        try {
          encoder.add(step.value);
        } catch (error) {
          reading.stop();
          throw error;
        }
      }
    };
    encoder.begin();
    return {
      next: async () => {
        if (!isOver) await fill();
        const piece = encoder.take();
        return piece.length > 0 ? { done: false, value: piece } : { done: true, value: undefined };
      },
      return: () => {
        reading.stop();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  };
  return { [Symbol.asyncIterator]: open };
}

abstract class RowEncoder {
  readonly writer: Writer = new Writer();
  protected readonly columns: readonly CopyColumn[];
  protected readonly names: readonly string[];
  /** Of rows that were begun. */
  #rowCount = 0;
  /** The column that is being written. */
  protected at = 0;

  constructor(columns: readonly CopyColumn[]) {
    this.columns = columns;
    this.names = columns.map((column) => column.name);
  }

  /** Writes what stands before the first row. */
  abstract begin(): void;

  /** Writes what stands behind the last row. */
  abstract end(): void;

  /** Writes one row of as many values as there are columns, noting in `at` how far it is. */
  protected abstract write(values: readonly unknown[]): void;

  add(row: CopyRow): void {
    this.#rowCount++;
    this.at = -1;
    try {
      if (!Array.isArray(row)) {
        this.write(this.#valuesOf(row as Readonly<Record<string, unknown>>));
      } else if (row.length === this.names.length) {
        this.write(row);
      } else {
        throw wrongLength(row.length, this.names.length);
      }
    } catch (error) {
      throw rowError(this.#rowCount, this.names[this.at], error);
    }
  }

  /** What has been written. It is overwritten by what is written next. */
  take(): Buffer {
    const { writer } = this;
    const taken = writer.buffer.subarray(0, writer.length);
    writer.reset();
    return taken;
  }

  #valuesOf(row: Readonly<Record<string, unknown>>): unknown[] {
    if (typeof row !== "object" || row === null) {
      throw new UsageError("ARGUMENT_INVALID", "a row must be an array or an object");
    }
    const { names } = this;
    const values: unknown[] = [];
    for (let i = 0; i < names.length; i++) values.push(row[names[i] as string]);
    return values;
  }
}

class TextEncoder extends RowEncoder {
  readonly #integers: readonly SmallIntegers[];

  constructor(columns: readonly CopyColumn[]) {
    super(columns);
    this.#integers = columns.map((column) => smallIntegers(column.typeOid));
  }

  begin(): void {}

  end(): void {}

  protected write(values: readonly unknown[]): void {
    const { writer } = this;
    for (let i = 0; i < values.length; i++) {
      if (i > 0) writer.int8(TAB);
      this.at = i;
      const value = values[i];
      if (typeof value === "string") {
        this.#writeString(value);
      } else if (typeof value === "number") {
        this.#writeNumber(value, i);
      } else if (value === null) {
        writer.ensure(2);
        writer.buffer[writer.length++] = BACKSLASH;
        writer.buffer[writer.length++] = LETTER_N;
      } else {
        this.#writeOther(value, i);
      }
    }
    writer.int8(NEWLINE);
  }

  #writeNumber(value: number, column: number): void {
    const { min, max } = this.#integers[column] as SmallIntegers;
    const isSmall = (value | 0) === value && value >= min && value <= max;
    if (isSmall && (value !== 0 || 1 / value > 0)) writeInteger(this.writer, value);
    else this.#writeOther(value, column);
  }

  /** What `valueText` gives may be anything that a string may be. */
  #writeOther(value: unknown, column: number): void {
    this.#writeString(valueText(value, (this.columns[column] as CopyColumn).typeOid));
  }

  #writeString(value: string): void {
    const units = value.length;
    const { writer } = this;
    if (units > SHORT_STRING_UNITS) {
      if (NEEDS_CARE.test(value)) this.#writeWithCare(value);
      else writer.utf8(value);
      return;
    }
    writer.ensure(units);
    const { buffer, length } = writer;
    for (let i = 0; i < units; i++) {
      const unit = value.charCodeAt(i);
      // Of what is escaped or cannot be sent, all but the backslash is a control character.
      if (unit < 0x20 || unit > 0x7f || unit === BACKSLASH) {
        if (NEEDS_CARE.test(value)) this.#writeWithCare(value);
        else writer.utf8(value);
        return;
      }
      buffer[length + i] = unit;
    }
    writer.length = length + units;
  }

  #writeWithCare(value: string): void {
    checkString(value, (this.columns[this.at] as CopyColumn).typeOid);
    this.writer.utf8(value.replace(NEEDS_ESCAPE, (found) => ESCAPES[found] ?? found));
  }
}

/** Writes the digits of a whole number of 32 bits. What `| 0` is for: dividing integers is fast. */
function writeInteger(writer: Writer, value: number): void {
  if (value === INT32_MIN) {
    writer.utf8(String(value));
    return;
  }
  writer.ensure(11);
  const { buffer } = writer;
  let at = writer.length;
  let rest = value | 0;
  if (rest < 0) {
    buffer[at++] = MINUS;
    rest = -rest | 0;
  }
  const end = at + digitsOf(rest);
  writer.length = end;
  for (let i = end - 1; i >= at; i--) {
    const next = (rest / 10) | 0;
    buffer[i] = (ZERO + rest - next * 10) | 0;
    rest = next;
  }
}

function digitsOf(value: number): number {
  if (value < 1e5) {
    if (value < 100) return value < 10 ? 1 : 2;
    if (value < 1e4) return value < 1000 ? 3 : 4;
    return 5;
  }
  if (value < 1e7) return value < 1e6 ? 6 : 7;
  if (value < 1e9) return value < 1e8 ? 8 : 9;
  return 10;
}

class BinaryEncoder extends RowEncoder {
  readonly #writes: readonly BinaryWrite[];

  constructor(columns: readonly CopyColumn[]) {
    super(columns);
    this.#writes = columns.map((column) => binaryWrite(column.typeOid, column.isText));
  }

  begin(): void {
    this.writer.bytes(BINARY_HEADER);
  }

  end(): void {
    this.writer.int16(-1);
  }

  protected write(values: readonly unknown[]): void {
    const { writer } = this;
    const writes = this.#writes;
    writer.int16(values.length);
    for (let i = 0; i < values.length; i++) {
      this.at = i;
      const value = values[i];
      if (value === null) writer.int32(-1);
      else (writes[i] as BinaryWrite)(writer, value);
    }
  }
}

/**
 * Kept for their shapes alone: V8 throws compiled code away when a full collection finds no object
 * alive of a shape that the code was compiled for, and the next copy would begin on the
 * interpreter, which makes the first 100 000 rows take three times as long.
 */
export const SPECIMENS: readonly object[] = [new TextEncoder([]), new BinaryEncoder([])];

function wrongLength(found: number, wanted: number): UsageError {
  return new UsageError("ARGUMENT_INVALID", `values: ${found}, columns: ${wanted}`);
}

/**
 * The error for a row that cannot be sent. What is no refusal comes from a getter of the caller.
 */
export function rowError(row: number, column: string | undefined, cause: unknown): unknown {
  if (!isForebayError(cause)) return cause;
  const where = column === undefined ? `row ${row}` : `row ${row}, column ${column}`;
  const why = cause.message.replace(/ \[[A-Z_]+\]$/, "");
  return new UsageError("ARGUMENT_INVALID", `${where}: ${why}`, cause);
}
