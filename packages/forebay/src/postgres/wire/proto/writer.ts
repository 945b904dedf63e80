// Bytes on their way to the server: one growing buffer, written from front to back. Knows integers,
// floats and strings in network order, not messages; callers see to it that a value fits its width.

import { UsageError } from "../../../base/errors.ts";

/** What a fresh buffer holds, in bytes: several dozen small messages. */
const SLAB_BYTES = 16 * 1024;

/** After `take`, a remainder below this many bytes is given up for a fresh buffer. */
const REMAINDER_BYTES_MIN = 1024;

/** Up to this many UTF-16 units a loop that copies ASCII beats the call into native code. */
const SHORT_STRING_UNITS = 16;

/** Up to this many UTF-16 units room is made for the worst case rather than counted. */
const UNCOUNTED_STRING_UNITS = 4096;

const FLOAT_BYTES = Buffer.alloc(8);
const FLOAT_VIEW = new DataView(FLOAT_BYTES.buffer, FLOAT_BYTES.byteOffset, 8);

/**
 * Gathers bytes to send.
 *
 * Integer methods write the low bits of what they are given, without a check. Positions count from
 * the first byte since the last `take` or `reset`, and stay valid while the buffer grows.
 */
export class Writer {
  /** What is being written to. Replaced as it grows: read it again after every call. */
  buffer: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** How many bytes have been written. */
  length = 0;

  /** Forgets what was written and keeps the buffer. */
  reset(): void {
    this.length = 0;
  }

  /** Forgets what was written since `position`, which came from `mark`. */
  truncate(position: number): void {
    this.length = position;
  }

  /** Makes room for `n` more bytes. */
  ensure(n: number): void {
    if (this.buffer.length - this.length < n) this.#grow(n);
  }

  /** Writes one byte. */
  int8(v: number): void {
    this.ensure(1);
    this.buffer[this.length++] = v;
  }

  /** Writes 16 bits. */
  int16(v: number): void {
    this.ensure(2);
    const { buffer, length } = this;
    buffer[length] = v >>> 8;
    buffer[length + 1] = v;
    this.length = length + 2;
  }

  /** Writes 32 bits. */
  int32(v: number): void {
    this.ensure(4);
    const { buffer, length } = this;
    buffer[length] = v >>> 24;
    buffer[length + 1] = v >>> 16;
    buffer[length + 2] = v >>> 8;
    buffer[length + 3] = v;
    this.length = length + 4;
  }

  /** Writes 64 bits. */
  int64(v: bigint): void {
    this.int32(Number(BigInt.asIntN(32, v >> 32n)));
    this.int32(Number(BigInt.asIntN(32, v)));
  }

  /** Writes a whole number as 64 bits, in two's complement. It must be a safe integer. */
  int64Safe(v: number): void {
    this.int32(Math.floor(v / 2 ** 32));
    this.int32(v >>> 0);
  }

  /** Writes an IEEE 754 single; `v` is rounded to it. */
  float32(v: number): void {
    FLOAT_VIEW.setFloat32(0, v);
    this.int32(FLOAT_VIEW.getInt32(0));
  }

  /** Writes an IEEE 754 double. */
  float64(v: number): void {
    FLOAT_VIEW.setFloat64(0, v);
    this.int32(FLOAT_VIEW.getInt32(0));
    this.int32(FLOAT_VIEW.getInt32(4));
  }

  /** Copies bytes. */
  bytes(u8: Uint8Array): void {
    this.ensure(u8.length);
    this.buffer.set(u8, this.length);
    this.length += u8.length;
  }

  /** Writes a string in UTF-8, without a terminator. A lone surrogate becomes U+FFFD. */
  utf8(s: string): void {
    const units = s.length;
    this.ensure(units <= UNCOUNTED_STRING_UNITS ? units * 3 : Buffer.byteLength(s));
    const { buffer, length } = this;
    if (units <= SHORT_STRING_UNITS) {
      let i = 0;
      for (; i < units; i++) {
        const unit = s.charCodeAt(i);
        if (unit > 0x7f) break;
        buffer[length + i] = unit;
      }
      if (i === units) {
        this.length = length + units;
        return;
      }
    }
    this.length = length + buffer.write(s, length);
  }

  /**
   * Writes a string in UTF-8 and a zero byte. Throws `UsageError` of code `ARGUMENT_INVALID`,
   * having written nothing, when the string holds a NUL, which would end it early.
   */
  cstring(s: string): void {
    if (s.includes("\0")) {
      throw new UsageError("ARGUMENT_INVALID", "a string sent to PostgreSQL must not contain NUL");
    }
    this.utf8(s);
    this.int8(0);
  }

  /** The present position, for `patchInt32` and `truncate`. */
  mark(): number {
    return this.length;
  }

  /** Writes 32 bits over four bytes that were written at `position`. */
  patchInt32(position: number, value: number): void {
    const { buffer } = this;
    buffer[position] = value >>> 24;
    buffer[position + 1] = value >>> 16;
    buffer[position + 2] = value >>> 8;
    buffer[position + 3] = value;
  }

  /**
   * The bytes written so far, which are the caller's from now on. The writer goes on in memory of
   * its own.
   */
  take(): Buffer {
    const taken = this.buffer.subarray(0, this.length);
    const rest = this.buffer.length - this.length;
    this.buffer =
      rest >= REMAINDER_BYTES_MIN && rest <= SLAB_BYTES
        ? this.buffer.subarray(this.length)
        : Buffer.allocUnsafeSlow(SLAB_BYTES);
    this.length = 0;
    return taken;
  }

  #grow(n: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.length + n));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }
}
