// COPY TO STDOUT: the server sends, for each row, a message; they are handed out in pieces as they
// come in.

import { Readable } from "node:stream";
import { UsageError } from "../../base/errors.ts";
import type { OperationOptions } from "../../driver/driver.ts";
import type { Channel } from "./channel.ts";
import { type CopyRowsPlan, rowDecoder } from "./copy-decode.ts";
import { describe } from "./describe.ts";
import type { FieldDescription } from "./proto/backend.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import { writeQuery } from "./proto/frontend.ts";
import { PushedRead } from "./pushed-read.ts";
import type { RequestStep } from "./request.ts";
import { notCopyOut } from "./session.ts";
import { hasSeveralStatements } from "./sql-text.ts";

/** Where the rows go to as they come in: gathered for whoever reads. */
interface Sink<T> {
  readonly waitingBytes: number;
  add(bytes: Buffer, start: number, end: number): void;
  /** What has been gathered; `undefined` when that is nothing. */
  take(): T | undefined;
}

/**
 * The data of one COPY: read it once, as pieces of bytes (by iterating over it), as a stream, or
 * as rows. The statement is sent at the first read. While it is being read the connection is not
 * to be had for anything else; it is again at the end, after an error, and once the reader has let
 * go, by leaving the loop or destroying the stream.
 */
export class CopyOut implements AsyncIterable<Buffer> {
  readonly #channel: Channel;
  readonly #sql: string;
  readonly #options: OperationOptions | undefined;
  #isTaken = false;
  #rowsAffected = 0;

  /** For `PgConnection.copyOut`. */
  constructor(channel: Channel, sql: string, options: OperationOptions | undefined) {
    this.#channel = channel;
    this.#sql = sql;
    this.#options = options;
  }

  /** How many rows were copied, once all of them have been read; 0 before. */
  get rowsAffected(): number {
    return this.#rowsAffected;
  }

  /** The data in pieces, cut between rows. Each is the caller's. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    this.#take();
    return this.#pieces();
  }

  /** The data as a stream of bytes, for `pipeline`. To destroy it stops the copy. */
  stream(): Readable {
    this.#take();
    const pieces = { [Symbol.asyncIterator]: () => this.#pieces() };
    return Readable.from(pieces, { objectMode: false });
  }

  /** The rows, read as `plan` says. */
  async *rows(plan: CopyRowsPlan): AsyncGenerator<unknown[], void, undefined> {
    this.#take();
    const fields =
      typeof plan.columns === "string" ? await this.#describe(plan.columns) : plan.columns;
    const decode = rowDecoder(plan.format, fields, this.#channel.config.types);
    const reading = await this.#open(new RowsSink(decode));
    try {
      for (let rows = await reading.next(); rows !== undefined; rows = await reading.next()) {
        yield* rows;
      }
      this.#rowsAffected = reading.request.rowsAffected;
    } finally {
      await reading.close();
    }
  }

  /** No generator, which could not be ended while it waits for the server. */
  #pieces(): AsyncIterator<Buffer, undefined> {
    let opening: Promise<Reading<Buffer>> | undefined;
    let isLeft = false;
    return {
      next: async () => {
        if (isLeft) return { done: true, value: undefined };
        opening ??= this.#open(new BytesSink());
        const reading = await opening;
        const value = await reading.next();
        if (value !== undefined) return { done: false, value };
        if (!isLeft) this.#rowsAffected = reading.request.rowsAffected;
        return { done: true, value: undefined };
      },
      return: async () => {
        isLeft = true;
        // An error of the opening was told to whoever asked for it.
        const reading = await opening?.catch(() => undefined);
        await reading?.close();
        return { done: true, value: undefined };
      },
    };
  }

  #take(): void {
    if (this.#isTaken) {
      throw new UsageError("ARGUMENT_INVALID", "the data of a copy can be read once only");
    }
    this.#isTaken = true;
  }

  async #open<T>(sink: Sink<T>): Promise<Reading<T>> {
    if (hasSeveralStatements(this.#sql)) throw notCopyOut();
    await this.#channel.pass(this.#options?.signal);
    const channel = this.#channel;
    channel.write(() => writeQuery(channel.writer, this.#sql));
    const reading = new Reading(channel, sink, this.#options?.signal);
    channel.submit(reading.request);
    return reading;
  }

  /** The columns that a query gives. */
  async #describe(sql: string): Promise<readonly FieldDescription[]> {
    await this.#channel.pass(this.#options?.signal);
    return (await describe(this.#channel, "", sql, this.#options)).fields;
  }
}

/** One COPY under way, and its one reader. */
class Reading<T> extends PushedRead {
  readonly #sink: Sink<T>;
  /** The server has said that it copies. */
  #hasBegun = false;

  constructor(channel: Channel, sink: Sink<T>, signal: AbortSignal | undefined) {
    super(channel, "copy-out", "array", signal);
    this.#sink = sink;
  }

  /** What has come in; waits until something has. `undefined` at the end, and after `close`. */
  async next(): Promise<T | undefined> {
    for (;;) {
      if (this.isClosed) return undefined;
      this.assertGoing();
      if (!this.request.failed) {
        const taken = this.#sink.take();
        if (taken !== undefined) {
          this.channel.resumeReading();
          return taken;
        }
        if (this.isSettled) return undefined;
      }
      await this.change();
    }
  }

  override onStep(step: RequestStep): void {
    if (step === "copying") this.#hasBegun = true;
  }

  override onCopyData(bytes: Buffer, start: number, end: number): void {
    const { request } = this;
    if (request.discarded || request.failed) return;
    try {
      this.#sink.add(bytes, start, end);
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      // A value that JavaScript has no counterpart for: the rest is passed over.
      request.fail(error);
    }
  }

  override onSettled(): void {
    if (!this.#hasBegun) this.request.fail(notCopyOut());
    super.onSettled();
  }

  protected override get waitingBytes(): number {
    return this.#sink.waitingBytes;
  }

  protected override drop(): void {
    this.#sink.take();
  }
}

/** A piece begins with room for this much: about what the socket gives at once. */
const PIECE_BYTES = 64 * 1024;

/** Up to this many bytes a loop beats the call into native code. */
const SHORT_ROW_BYTES = 32;

class BytesSink implements Sink<Buffer> {
  waitingBytes = 0;
  #buffer = Buffer.alloc(0);

  add(bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    let at = this.waitingBytes;
    if (this.#buffer.length - at < length) this.#grow(length);
    const buffer = this.#buffer;
    if (length <= SHORT_ROW_BYTES) {
      for (let i = start; i < end; i++) buffer[at++] = bytes[i] as number;
    } else {
      bytes.copy(buffer, at, start, end);
    }
    this.waitingBytes += length;
  }

  take(): Buffer | undefined {
    const taken = this.#buffer.subarray(0, this.waitingBytes);
    if (taken.length === 0) return undefined;
    // Of a short piece only what it needs is kept.
    const isShort = taken.length < this.#buffer.length / 4;
    this.#buffer = isShort ? this.#buffer : Buffer.alloc(0);
    this.waitingBytes = 0;
    return isShort ? Buffer.from(taken) : taken;
  }

  #grow(length: number): void {
    const size = Math.max(PIECE_BYTES, this.#buffer.length * 2, this.waitingBytes + length);
    const grown = Buffer.allocUnsafeSlow(size);
    this.#buffer.copy(grown, 0, 0, this.waitingBytes);
    this.#buffer = grown;
  }
}

class RowsSink implements Sink<unknown[][]> {
  waitingBytes = 0;
  readonly #decode: (bytes: Buffer, start: number, end: number) => unknown[] | undefined;
  #rows: unknown[][] = [];

  constructor(decode: (bytes: Buffer, start: number, end: number) => unknown[] | undefined) {
    this.#decode = decode;
  }

  add(bytes: Buffer, start: number, end: number): void {
    const row = this.#decode(bytes, start, end);
    if (row === undefined) return;
    this.#rows.push(row);
    this.waitingBytes += end - start;
  }

  take(): unknown[][] | undefined {
    const rows = this.#rows;
    if (rows.length === 0) return undefined;
    this.#rows = [];
    this.waitingBytes = 0;
    return rows;
  }
}
