// What the server's messages say. Pure functions from bytes to values; who calls them decides what
// follows. Whatever the bytes are, nothing but a ProtocolError is thrown.

import type { PgMessageFields } from "../errors.ts";
import { ProtocolError } from "./protocol-error.ts";

/** The messages that a server sends. */
export type MessageName =
  | "authentication"
  | "backendKeyData"
  | "bindComplete"
  | "closeComplete"
  | "commandComplete"
  | "copyBothResponse"
  | "copyData"
  | "copyDone"
  | "copyInResponse"
  | "copyOutResponse"
  | "dataRow"
  | "emptyQueryResponse"
  | "errorResponse"
  | "negotiateProtocolVersion"
  | "noData"
  | "noticeResponse"
  | "notificationResponse"
  | "parameterDescription"
  | "parameterStatus"
  | "parseComplete"
  | "portalSuspended"
  | "readyForQuery"
  | "rowDescription";

/** The type byte of each message. */
export const MESSAGE: Readonly<Record<MessageName, number>> = {
  authentication: 0x52,
  backendKeyData: 0x4b,
  bindComplete: 0x32,
  closeComplete: 0x33,
  commandComplete: 0x43,
  copyBothResponse: 0x57,
  copyData: 0x64,
  copyDone: 0x63,
  copyInResponse: 0x47,
  copyOutResponse: 0x48,
  dataRow: 0x44,
  emptyQueryResponse: 0x49,
  errorResponse: 0x45,
  negotiateProtocolVersion: 0x76,
  noData: 0x6e,
  noticeResponse: 0x4e,
  notificationResponse: 0x41,
  parameterDescription: 0x74,
  parameterStatus: 0x53,
  parseComplete: 0x31,
  portalSuspended: 0x73,
  readyForQuery: 0x5a,
  rowDescription: 0x54,
};

/**
 * Reads the fields of one message from front to back. Every method throws `ProtocolError` at the
 * end of the body.
 */
export class BodyReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** How many bytes are left. */
  get leftBytes(): number {
    return this.#end - this.#at;
  }

  /** The next byte. */
  uint8(): number {
    return this.#bytes[this.#advance(1)] ?? 0;
  }

  /** The next 16 bits, signed. */
  int16(): number {
    return this.#bytes.readInt16BE(this.#advance(2));
  }

  /** The next 32 bits, signed. */
  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  /** The next 32 bits as a number from 0 up. */
  uint32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  /** The text up to the next zero byte. */
  cstring(): string {
    const zero = this.#bytes.indexOf(0, this.#at);
    if (zero < 0 || zero >= this.#end) throw new ProtocolError("the server sent text with no end");
    const text = this.#bytes.toString("utf8", this.#at, zero);
    this.#at = zero + 1;
    return text;
  }

  /** A copy of all bytes that are left. */
  rest(): Buffer {
    const copy = Buffer.from(this.#bytes.subarray(this.#at, this.#end));
    this.#at = this.#end;
    return copy;
  }

  /** Throws unless everything has been read. */
  done(): void {
    if (this.#at !== this.#end)
      throw new ProtocolError("the server sent a message that is too long");
  }

  #advance(count: number): number {
    const at = this.#at;
    if (this.#end - at < count) {
      throw new ProtocolError("the server sent a message that is too short");
    }
    this.#at = at + count;
    return at;
  }
}

/** The fields of an ErrorResponse or a NoticeResponse. Those that are not known are passed over. */
export function readMessageFields(bytes: Buffer, start: number, end: number): PgMessageFields {
  const reader = new BodyReader(bytes, start, end);
  const byLetter = new Map<string, string>();
  for (let letter = reader.uint8(); letter !== 0; letter = reader.uint8()) {
    byLetter.set(String.fromCharCode(letter), reader.cstring());
  }
  return {
    severity: byLetter.get("V") ?? byLetter.get("S") ?? "ERROR",
    sqlstate: byLetter.get("C") ?? "XX000",
    message: byLetter.get("M") ?? "the server gave no message",
    detail: byLetter.get("D"),
    hint: byLetter.get("H"),
    position: toNumber(byLetter.get("P")),
    internalPosition: toNumber(byLetter.get("p")),
    internalQuery: byLetter.get("q"),
    where: byLetter.get("W"),
    schema: byLetter.get("s"),
    table: byLetter.get("t"),
    column: byLetter.get("c"),
    dataType: byLetter.get("d"),
    constraint: byLetter.get("n"),
    file: byLetter.get("F"),
    line: toNumber(byLetter.get("L")),
    routine: byLetter.get("R"),
  };
}

function toNumber(digits: string | undefined): number | undefined {
  const number = digits === undefined ? Number.NaN : Number(digits);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** One column of a RowDescription. */
export interface FieldDescription {
  readonly name: string;
  /** The OID of its table; 0 when it is not a plain column. */
  readonly tableOid: number;
  readonly typeOid: number;
  /** What the type was declared with, in a form of the type's own; -1 for nothing. */
  readonly typeModifier: number;
  readonly format: 0 | 1;
}

/** The columns of a RowDescription. */
export function readRowDescription(bytes: Buffer, start: number, end: number): FieldDescription[] {
  const reader = new BodyReader(bytes, start, end);
  const count = reader.int16();
  const fields: FieldDescription[] = [];
  for (let i = 0; i < count; i++) {
    const name = reader.cstring();
    const tableOid = reader.uint32();
    reader.int16();
    const typeOid = reader.uint32();
    reader.int16();
    const typeModifier = reader.int32();
    const format = reader.int16();
    if (format !== 0 && format !== 1) {
      throw new ProtocolError(`the server described a column in the unknown format ${format}`);
    }
    fields.push({ name, tableOid, typeOid, typeModifier, format });
  }
  reader.done();
  return fields;
}

/** The OIDs of a ParameterDescription. */
export function readParameterDescription(bytes: Buffer, start: number, end: number): number[] {
  const reader = new BodyReader(bytes, start, end);
  const count = reader.int16() & 0xffff;
  const oids: number[] = [];
  for (let i = 0; i < count; i++) oids.push(reader.uint32());
  reader.done();
  return oids;
}

/** A NotificationResponse. */
export interface Notification {
  /** The process of the session that notified. */
  readonly processId: number;
  readonly channel: string;
  /** Empty when none was given. */
  readonly payload: string;
}

/** What a NotificationResponse says. */
export function readNotification(bytes: Buffer, start: number, end: number): Notification {
  const reader = new BodyReader(bytes, start, end);
  const processId = reader.int32();
  const channel = reader.cstring();
  const payload = reader.cstring();
  reader.done();
  return { processId, channel, payload };
}

/**
 * The state of a transaction as ReadyForQuery gives it: idle (`I`), in a transaction (`T`), in a
 * failed one (`E`).
 */
export type TxStatus = "I" | "T" | "E";

/** What a ReadyForQuery says. */
export function readTxStatus(bytes: Buffer, start: number, end: number): TxStatus {
  if (end - start === 1) {
    const byte = bytes[start];
    if (byte === 0x49) return "I";
    if (byte === 0x54) return "T";
    if (byte === 0x45) return "E";
  }
  throw new ProtocolError("the server sent a malformed ReadyForQuery");
}

/** The number of rows at the end of a command tag; `undefined` for a tag without one. */
export function readTagCount(bytes: Buffer, start: number, end: number): number | undefined {
  let at = end - 2;
  let scale = 1;
  let count = 0;
  for (; at >= start; at--, scale *= 10) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) break;
    count += digit * scale;
  }
  return scale === 1 || bytes[at] !== 0x20 ? undefined : count;
}

/** The words of a command tag, such as `INSERT` or `CREATE TABLE`: the tag without its numbers. */
export function readTagCommand(bytes: Buffer, start: number, end: number): string {
  if (end <= start || bytes[end - 1] !== 0) {
    throw new ProtocolError("the server sent a malformed CommandComplete");
  }
  if (end - start > 8 && bytes[start + 6] === 0x20 && isDigit(bytes[start + 7])) {
    const known = SIX_LETTERS[bytes[start] ?? 0];
    if (known !== undefined) return known;
  }
  let stop = end - 1;
  while (stop > start && (isDigit(bytes[stop - 1]) || bytes[stop - 1] === 0x20)) stop--;
  return bytes.toString("utf8", start, stop);
}

/**
 * The commands whose tag is six letters, a blank and a number, by their first letter: there are no
 * others.
 */
const SIX_LETTERS: Readonly<Record<number, string>> = {
  0x53: "SELECT",
  0x49: "INSERT",
  0x55: "UPDATE",
  0x44: "DELETE",
};

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}
