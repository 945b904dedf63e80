// Strings and bytes as they are on the wire, before any type gives them a meaning.

import { constants } from "node:buffer";
import type { Writer } from "../proto/writer.ts";
import { outOfRange, refusal } from "./codec.ts";

/** With the u flag a surrogate matches only where it is not half of a pair. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** Up to this many bytes a loop over ASCII beats the call into native code. */
const SHORT_TEXT_BYTES = 6;

/** Reads UTF-8: the text format of every type whose value is its text. */
export function decodeText(bytes: Buffer, start: number, end: number): string {
  if (end - start <= SHORT_TEXT_BYTES) return shortText(bytes, start, end);
  checkStringLength(end - start);
  return bytes.toString("utf8", start, end);
}

function shortText(bytes: Buffer, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    if (byte > 0x7f) return bytes.toString("utf8", start, end);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** Reads text of which only ASCII is of interest. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  checkStringLength(end - start);
  return bytes.toString("latin1", start, end);
}

function checkStringLength(byteCount: number): void {
  if (byteCount > constants.MAX_STRING_LENGTH) {
    throw outOfRange("text", "it is longer than a string can be");
  }
}

/** Copies the bytes. */
export function copyBytes(bytes: Buffer, start: number, end: number): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}

/**
 * Writes an int32 length and the string in UTF-8. Throws `UsageError` when that would not be the
 * same string.
 */
export function writeText(writer: Writer, value: string, type: string): void {
  if (value.includes("\0")) throw refusal(value, type, "it contains NUL");
  const start = writer.mark();
  writer.int32(0);
  writer.utf8(value);
  const byteCount = writer.length - start - 4;
  if (byteCount !== value.length && LONE_SURROGATE.test(value)) {
    throw refusal(value, type, "it contains half of a surrogate pair");
  }
  writer.patchInt32(start, byteCount);
}

/** Writes an int32 length and the bytes. */
export function writeBytes(writer: Writer, value: Uint8Array): void {
  writer.int32(value.length);
  writer.bytes(value);
}
