// From chunks of bytes to messages. Knows how a message is framed, not what it says. Messages that
// lie whole in a chunk are handed on where they are; only one that straddles chunks is copied,
// once.

import { ProtocolError } from "./protocol-error.ts";

/** Takes the messages of the server. */
export interface MessageHandler {
  /**
   * One message: its type byte, and its body from `start` to `end` (exclusive) in `bytes`. The
   * bytes may be overwritten after the call has returned.
   */
  onMessage(type: number, bytes: Buffer, start: number, end: number): void;
}

const HEADER_BYTES = 5;
const FIRST_CARRY_BYTES = 64 * 1024;

/**
 * Splits what the server sends into messages. After `push` has thrown, the reader must not be used
 * again.
 */
export class MessageReader {
  /** Who takes the messages; may be replaced between two of them, also by the handler itself. */
  handler: MessageHandler;
  /**
   * The longest body that is accepted, in bytes. A longer one is taken for a sign that the stream
   * is out of step.
   */
  maxBodyBytes: number;
  /** Holds the beginning of a message whose end has not come yet. */
  #carry: Buffer = Buffer.alloc(0);
  #carryBytes = 0;
  #stopped = false;

  constructor(handler: MessageHandler, maxBodyBytes: number) {
    this.handler = handler;
    this.maxBodyBytes = maxBodyBytes;
  }

  /**
   * The type of the message whose beginning has come but not its end; `undefined` between two
   * messages.
   */
  get partialType(): number | undefined {
    return this.#carryBytes === 0 ? undefined : this.#carry[0];
  }

  /** Drops everything that is still to come: of the present chunk and of later ones. */
  stop(): void {
    this.#stopped = true;
    this.#carryBytes = 0;
    this.#carry = Buffer.alloc(0);
  }

  /**
   * Takes the next chunk, the first `size` bytes of a buffer, and hands on every message that is
   * complete. Throws `ProtocolError`, or what the handler throws.
   */
  push(chunk: Buffer, size: number = chunk.length): void {
    let at = this.#carryBytes === 0 ? 0 : this.#complete(chunk, size);
    while (!this.#stopped && size - at >= HEADER_BYTES) {
      const end = at + 1 + this.#lengthAt(chunk, at);
      if (end > size) break;
      const start = at + HEADER_BYTES;
      const type = chunk[at] ?? 0;
      at = end;
      this.handler.onMessage(type, chunk, start, end);
    }
    if (at < size && !this.#stopped) this.#keep(chunk, at, size);
  }

  /** The length field of the message at `at`, which counts itself. */
  #lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readInt32BE(at + 1);
    if (length < 4 || length - 4 > this.maxBodyBytes) {
      throw new ProtocolError(
        `the server sent a message of length ${length}: allowed are 4 to ${this.maxBodyBytes + 4}`,
      );
    }
    return length;
  }

  /**
   * Adds to the message that was cut off; hands it on when it is whole. Returns how much of the
   * chunk it took.
   */
  #complete(chunk: Buffer, size: number): number {
    let at = this.#take(chunk, 0, size, HEADER_BYTES);
    if (this.#carryBytes < HEADER_BYTES) return at;
    const total = 1 + this.#lengthAt(this.#carry, 0);
    at = this.#take(chunk, at, size, total);
    if (this.#carryBytes < total) return at;
    const message = this.#carry;
    this.#carryBytes = 0;
    if (message.length > FIRST_CARRY_BYTES) this.#carry = Buffer.alloc(0);
    this.handler.onMessage(message[0] ?? 0, message, HEADER_BYTES, total);
    return at;
  }

  /** Moves bytes from the chunk until `wanted` are carried or the chunk is used up. */
  #take(chunk: Buffer, from: number, size: number, wanted: number): number {
    const count = Math.min(wanted - this.#carryBytes, size - from);
    if (count <= 0) return from;
    this.#reserve(this.#carryBytes + count, wanted);
    chunk.copy(this.#carry, this.#carryBytes, from, from + count);
    this.#carryBytes += count;
    return from + count;
  }

  #keep(chunk: Buffer, at: number, size: number): void {
    const count = size - at;
    const wanted = count < HEADER_BYTES ? HEADER_BYTES : 1 + this.#lengthAt(chunk, at);
    this.#reserve(count, wanted);
    chunk.copy(this.#carry, 0, at, size);
    this.#carryBytes = count;
  }

  /**
   * Makes room for `needed` bytes of a message of `wanted`. Room grows with what has come, not with
   * what a length field promises, so that a false length cannot use up the memory.
   */
  #reserve(needed: number, wanted: number): void {
    if (this.#carry.length >= needed) return;
    const doubled = Math.max(FIRST_CARRY_BYTES, this.#carry.length * 2);
    const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(wanted, doubled)));
    this.#carry.copy(grown, 0, 0, this.#carryBytes);
    this.#carry = grown;
  }
}
