// Addresses: inet, cidr, macaddr and macaddr8. JavaScript has no such values; they are the server's
// text.

import type { Writer } from "../proto/writer.ts";
import { checkWidth, type Codec, malformed } from "./codec.ts";
import { looseCodec } from "./loose.ts";

/** What the server calls the families; the second is not the system's own number for IPv6. */
const FAMILY_4 = 2;
const FAMILY_6 = 3;
const HEADER_BYTES = 4;
const WORDS_6 = 8;

function text4(bytes: Uint8Array): string {
  return bytes.join(".");
}

/** Where the longest run of zero words is, the first of several; a run of one is none. */
function longestZeroRun(words: readonly number[]): { readonly at: number; readonly count: number } {
  let best = { at: -1, count: 0 };
  for (let at = 0; at < words.length; at++) {
    let count = 0;
    while (at + count < words.length && words[at + count] === 0) count++;
    if (count > best.count && count > 1) best = { at, count };
    at += count;
  }
  return best;
}

/** As BIND writes it, which the server follows: `::`, and the end of some addresses as IPv4. */
function text6(bytes: Uint8Array): string {
  const words = Array.from(
    { length: WORDS_6 },
    (_, i) => ((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0),
  );
  const { at, count } = longestZeroRun(words);
  const holds4 = at === 0 && (count === 6 || (count === 5 && words[5] === 0xffff));
  const hexOf = (from: number, to: number): string =>
    words
      .slice(from, to)
      .map((word) => word.toString(16))
      .join(":");
  if (holds4) {
    const middle = count === 5 ? "ffff:" : "";
    return `::${middle}${text4(bytes.subarray(12))}`;
  }
  return at < 0 ? hexOf(0, WORDS_6) : `${hexOf(0, at)}::${hexOf(at + count, WORDS_6)}`;
}

/** The 4 or 16 bytes of an address; undefined for a text that is none. */
function addressBytes(text: string): Uint8Array | undefined {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return Uint8Array.from(text.split("."), Number);
  const tail = /^(.*:)(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (tail !== null) {
    const [high, low] = [Number(tail[2]) * 256 + Number(tail[3]), Number(tail[4]) * 256];
    text = `${tail[1]}${high.toString(16)}:${(low + Number(tail[5])).toString(16)}`;
  }
  if (!/^[0-9a-f:]+$/.test(text)) return undefined;
  const [before = "", after, ...more] = text.split("::");
  if (more.length > 0) return undefined;
  const head = before === "" ? [] : before.split(":");
  const rest = after === undefined || after === "" ? [] : after.split(":");
  const gap = WORDS_6 - head.length - rest.length;
  if (gap < 0) return undefined;
  const words = [...head, ...Array.from({ length: gap }, () => "0"), ...rest].map((word) =>
    Number.parseInt(word, 16),
  );
  return Uint8Array.from(words.flatMap((word) => [word >>> 8, word & 0xff]));
}

/** An address and the length of its network. */
interface Address {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

function addressText({ bytes, bits }: Address, type: "inet" | "cidr"): string {
  const shown = bytes.length === 4 ? text4(bytes) : text6(bytes);
  return type === "inet" && bits === bytes.length * 8 ? shown : `${shown}/${bits}`;
}

/** Reads an address that the server would write in just this form; undefined for any other. */
function parseAddress(value: unknown, type: "inet" | "cidr"): Address | undefined {
  if (typeof value !== "string" || value.length > 50) return undefined;
  const [shown = "", suffix] = value.split("/");
  const bytes = addressBytes(shown);
  if (bytes === undefined) return undefined;
  const address = { bytes, bits: suffix === undefined ? bytes.length * 8 : Number(suffix) };
  const isSame = address.bits <= bytes.length * 8 && addressText(address, type) === value;
  return isSame ? address : undefined;
}

function addressCodec(type: "inet" | "cidr"): Codec {
  return {
    ...looseCodec(type),
    binary: (bytes, start, end) => {
      if (end - start < HEADER_BYTES) throw malformed(type, "binary");
      const [family, bits = 0, , size = 0] = bytes.subarray(start, start + HEADER_BYTES);
      const width = family === FAMILY_4 ? 4 : 16;
      const isWhole = size === width && end - start === HEADER_BYTES + width && bits <= width * 8;
      if (!isWhole || (family !== FAMILY_4 && family !== FAMILY_6)) throw malformed(type, "binary");
      return addressText({ bytes: bytes.subarray(start + HEADER_BYTES, end), bits }, type);
    },
    takes: (value) => parseAddress(value, type) !== undefined && isNetwork(value, type),
    write: (writer, value) => {
      const address = parseAddress(value, type);
      if (address !== undefined) writeAddress(writer, address, type);
    },
  };
}

/** Whether a cidr has no bits beyond its network, which the server refuses in its own words. */
function isNetwork(value: unknown, type: "inet" | "cidr"): boolean {
  if (type === "inet") return true;
  const { bytes, bits } = parseAddress(value, type) ?? { bytes: new Uint8Array(), bits: 0 };
  return bytes.every((byte, i) => {
    const kept = Math.min(8, Math.max(0, bits - i * 8));
    return (byte & (0xff >>> kept)) === 0;
  });
}

function writeAddress(writer: Writer, { bytes, bits }: Address, type: "inet" | "cidr"): void {
  writer.int32(HEADER_BYTES + bytes.length);
  writer.int8(bytes.length === 4 ? FAMILY_4 : FAMILY_6);
  writer.int8(bits);
  writer.int8(type === "cidr" ? 1 : 0);
  writer.int8(bytes.length);
  writer.bytes(bytes);
}

/** inet: `10.1.2.3`, `10.1.2.3/8`, `::1`. */
export const inet: Codec = addressCodec("inet");

/** cidr: `10.0.0.0/8`, always with the length. */
export const cidr: Codec = addressCodec("cidr");

function macCodec(type: string, width: number): Codec {
  const form = new RegExp(`^[0-9a-f]{2}(?::[0-9a-f]{2}){${width - 1}}$`, "i");
  return {
    ...looseCodec(type),
    binary: (bytes, start, end) => {
      checkWidth(type, start, end, width);
      const pairs = Array.from(bytes.subarray(start, end), (byte) =>
        byte.toString(16).padStart(2, "0"),
      );
      return pairs.join(":");
    },
    takes: (value) => typeof value === "string" && form.test(value),
    write: (writer, value) => {
      writer.int32(width);
      writer.bytes(Buffer.from((value as string).replaceAll(":", ""), "hex"));
    },
  };
}

/** macaddr: `08:00:2b:01:02:03`. */
export const macaddr: Codec = macCodec("macaddr", 6);

/** macaddr8: `08:00:2b:01:02:03:04:05`. */
export const macaddr8: Codec = macCodec("macaddr8", 8);
