// What the two wire floors have in common: a bare socket that has prepared the point select, the
// request for it, and the way through its replies. No errors, no types: a limit to compare with,
// not a client to use.

import { connect, type Socket } from "node:net";
import { type Access, POINT_SELECT } from "./access.ts";

const STATEMENT = "s";
const PROTOCOL_3_0 = 0x00030000;
const DATA_ROW = 0x44;
const READY_FOR_QUERY = 0x5a;
const AUTHENTICATION = 0x52;
const ERROR_RESPONSE = 0x45;
/** In a DataRow: after the type, the length, the count of columns and the column's length. */
const FIRST_COLUMN_AT = 11;
/** Kinds of `Authentication` messages. */
const AUTHENTICATED = 0;
const WANTS_PASSWORD = 3;

/** A connection that has prepared the point select. */
export class FloorSocket {
  /** Told the value of each reply, in order. */
  onValue: (value: number) => void = () => undefined;
  readonly #socket: Socket;
  readonly #access: Access;
  /** The start of a reply whose end has not come yet. */
  #partial: Buffer | undefined;
  #onReady: (() => void) | undefined;
  #value = 0;

  private constructor(access: Access, chunkBytes: number) {
    this.#access = access;
    this.#socket = connect({
      host: access.host,
      port: access.port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(chunkBytes),
        callback: (count, chunk) => {
          this.#read(Buffer.from(chunk.buffer, chunk.byteOffset, count));
          return true;
        },
      },
    });
  }

  /** Connects and prepares. At most `chunkBytes` are read at once. */
  static async open(access: Access, chunkBytes: number): Promise<FloorSocket> {
    const conn = new FloorSocket(access, chunkBytes);
    await new Promise<void>((resolve, reject) => {
      conn.#socket.once("error", reject);
      conn.#onReady = resolve;
      conn.#socket.write(startup(access));
    });
    await new Promise<void>((resolve) => {
      conn.#onReady = resolve;
      conn.#socket.write(Buffer.concat([parse(), SYNC]));
    });
    return conn;
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk]);
    let at = 0;
    while (at + 5 <= bytes.length) {
      const end = at + 1 + bytes.readInt32BE(at + 1);
      if (end > bytes.length) break;
      this.#take(bytes, at);
      at = end;
    }
    // The chunk is the socket's to use again, so what is left must be copied.
    this.#partial = at === bytes.length ? undefined : Buffer.from(bytes.subarray(at));
  }

  #take(bytes: Buffer, at: number): void {
    const type = bytes[at];
    if (type === DATA_ROW) this.#value = bytes.readInt32BE(at + FIRST_COLUMN_AT);
    else if (type === READY_FOR_QUERY) this.#finish();
    else if (type === AUTHENTICATION) this.#authenticate(bytes.readInt32BE(at + 5));
    else if (type === ERROR_RESPONSE)
      throw new Error(`wire floor: ${bytes.toString("latin1", at)}`);
  }

  #finish(): void {
    const ready = this.#onReady;
    if (ready === undefined) {
      this.onValue(this.#value);
      return;
    }
    this.#onReady = undefined;
    ready();
  }

  #authenticate(wants: number): void {
    if (wants === AUTHENTICATED) return;
    if (wants !== WANTS_PASSWORD) throw new Error(`wire floor: authentication ${wants}`);
    this.#socket.write(message("p", text(this.#access.password)));
  }
}

function startup({ floorUser, database }: Access): Buffer {
  const parts = ["user", floorUser, "database", database].map(text);
  const body = Buffer.concat([int32(PROTOCOL_3_0), ...parts, Buffer.of(0)]);
  return Buffer.concat([int32(body.length + 4), body]);
}

function parse(): Buffer {
  return message("P", Buffer.concat([text(STATEMENT), text(POINT_SELECT), int16(0)]));
}

const SYNC: Buffer = message("S", Buffer.alloc(0));

/** Where the number of the account goes in `REQUEST`. */
export const AID_AT: number = 5 + 1 + STATEMENT.length + 1 + 2 + 2 + 2 + 4;

function bindExecuteSync(): Buffer {
  const binary = 1;
  const bind = Buffer.concat([
    text(""),
    text(STATEMENT),
    int16(1),
    int16(binary),
    int16(1),
    int32(4),
    int32(0),
    int16(1),
    int16(binary),
  ]);
  const execute = Buffer.concat([text(""), int32(0)]);
  return Buffer.concat([message("B", bind), message("E", execute), SYNC]);
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type, "latin1"), int32(body.length + 4), body]);
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** Bind, Execute and Sync of the point select, for account 0. */
export const REQUEST: Buffer = bindExecuteSync();
