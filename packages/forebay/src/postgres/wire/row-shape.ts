// The columns of a result, and how its rows are read: straight from the bytes of the message into
// the row.

import type { Column } from "../../driver/driver.ts";
import type { FieldDescription } from "./proto/backend.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import { type Decode, decoderFor, modifiersOf, typeName, type TypePolicy } from "./types/index.ts";

/** Made once for a result, or once for a prepared statement. */
export class RowShape {
  readonly columns: readonly Column[];
  readonly #names: readonly string[];
  readonly #decoders: readonly Decode[];
  /**
   * A row with every column NULL, which each row begins as a copy of: so all rows have one layout,
   * and writing a column named like something on Object.prototype, `__proto__` among them, meets an
   * own property and stays data.
   */
  readonly #blank: Readonly<Record<string, unknown>>;

  constructor(fields: readonly FieldDescription[], policy: TypePolicy) {
    this.columns = fields.map((field) => columnOf(field, policy));
    this.#names = fields.map((field) => field.name);
    this.#decoders = fields.map((field) => decoderFor(field.typeOid, field.format, policy));
    this.#blank = Object.fromEntries(this.#names.map((name) => [name, null]));
  }

  /** Reads a DataRow into an object. Of columns of the same name the last one stays. */
  object(bytes: Buffer, start: number, end: number): Record<string, unknown> {
    const names = this.#names;
    const decoders = this.#decoders;
    const row: Record<string, unknown> = { ...this.#blank };
    let at = this.#begin(bytes, start, end);
    for (let i = 0; i < decoders.length; i++) {
      const length = lengthAt(bytes, at, end);
      at += 4;
      const name = names[i] as string;
      if (length < 0) {
        row[name] = null;
      } else {
        const decode = decoders[i] as Decode;
        row[name] = decode(bytes, at, at + length);
        at += length;
      }
    }
    if (at !== end) throw new ProtocolError("the server sent a row that is too long");
    return row;
  }

  /** Reads a DataRow into an array, in the order of the columns. */
  array(bytes: Buffer, start: number, end: number): unknown[] {
    const decoders = this.#decoders;
    const row: unknown[] = [];
    let at = this.#begin(bytes, start, end);
    for (let i = 0; i < decoders.length; i++) {
      const length = lengthAt(bytes, at, end);
      at += 4;
      if (length < 0) {
        row.push(null);
      } else {
        const decode = decoders[i] as Decode;
        row.push(decode(bytes, at, at + length));
        at += length;
      }
    }
    if (at !== end) throw new ProtocolError("the server sent a row that is too long");
    return row;
  }

  /** Checks the number of values; returns where the first one begins. */
  #begin(bytes: Buffer, start: number, end: number): number {
    if (end - start < 2) throw new ProtocolError("the server sent a row that is too short");
    const count = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
    if (count !== this.#decoders.length) {
      throw new ProtocolError(
        `the server sent a row of ${count} values for ${this.#decoders.length} columns`,
      );
    }
    return start + 2;
  }
}

function columnOf(field: FieldDescription, policy: TypePolicy): Column {
  const { name, typeOid, typeModifier } = field;
  const type = typeName(typeOid, policy);
  return typeModifier < 0 ? { name, type } : { name, type, ...modifiersOf(typeOid, typeModifier) };
}

/** The length of the value at `at`, -1 for NULL. Throws unless the value lies before `end`. */
function lengthAt(bytes: Buffer, at: number, end: number): number {
  if (end - at < 4) throw new ProtocolError("the server sent a row that is too short");
  const length =
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number);
  if (length < -1 || length > end - at - 4) {
    throw new ProtocolError("the server sent a value of impossible length");
  }
  return length;
}
