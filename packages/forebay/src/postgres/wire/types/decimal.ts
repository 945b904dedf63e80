// numeric: decimal digits, which no JavaScript number can hold without loss, as a string.

import type { Writer } from "../proto/writer.ts";
import { type Codec, malformed, refusal } from "./codec.ts";
import { looseCodec, numberText } from "./loose.ts";
import { decodeText } from "./raw.ts";

const HEADER_BYTES = 8;
const GROUP_DIGITS = 4;
const GROUP_MAX = 9999;
const NEGATIVE = 0x4000;
const SPECIAL: ReadonlyMap<number, string> = new Map([
  [0xc000, "NaN"],
  [0xd000, "Infinity"],
  [0xf000, "-Infinity"],
]);

/**
 * Reads groups of four digits. The first group counts 10000^weight; those that are not sent are
 * zero; `scale` is how many digits there are after the point.
 */
function decodeBinary(bytes: Buffer, start: number, end: number): string {
  if (end - start < HEADER_BYTES) throw malformed("numeric", "binary");
  const groupCount = bytes.readUInt16BE(start);
  const weight = bytes.readInt16BE(start + 2);
  const sign = bytes.readUInt16BE(start + 4);
  const scale = bytes.readUInt16BE(start + 6);
  if (end - start !== HEADER_BYTES + groupCount * 2) throw malformed("numeric", "binary");
  const special = SPECIAL.get(sign);
  if (special !== undefined) return special;
  if (sign !== 0 && sign !== NEGATIVE) throw malformed("numeric", "binary");

  const group = (index: number): string => {
    if (index < 0 || index >= groupCount) return "0000";
    const value = bytes.readUInt16BE(start + HEADER_BYTES + index * 2);
    if (value > GROUP_MAX) throw malformed("numeric", "binary");
    return String(value).padStart(GROUP_DIGITS, "0");
  };
  let whole = "";
  for (let index = 0; index <= weight; index++) whole += group(index);
  let fraction = "";
  for (let index = weight + 1; fraction.length < scale; index++) fraction += group(index);

  const digits = whole.replace(/^0+/, "") || "0";
  const tail = scale === 0 ? "" : `.${fraction.slice(0, scale)}`;
  return `${sign === NEGATIVE ? "-" : ""}${digits}${tail}`;
}

/** What the server writes, within the digits that the type can have. */
const PLAIN = /^-?(?<whole>\d{1,131072})(?:\.(?<fraction>\d{1,16383}))?$/;

const SIGN_OF_SPECIAL: ReadonlyMap<string, number> = new Map(
  Array.from(SPECIAL, ([sign, text]) => [text, sign]),
);

function isPlain(value: unknown): boolean {
  return typeof value === "string" && (PLAIN.test(value) || SIGN_OF_SPECIAL.has(value));
}

/** Writes what `isPlain` holds for: groups of four digits, without the empty ones at the ends. */
function writeNumeric(writer: Writer, value: unknown): void {
  const text = value as string;
  const sign = SIGN_OF_SPECIAL.get(text);
  const { whole = "", fraction = "" } = PLAIN.exec(text)?.groups ?? {};
  const wholeGroups = Math.ceil(whole.length / GROUP_DIGITS);
  const fractionGroups = Math.ceil(fraction.length / GROUP_DIGITS);
  const digits =
    whole.padStart(wholeGroups * GROUP_DIGITS, "0") +
    fraction.padEnd(fractionGroups * GROUP_DIGITS, "0");
  const groupAt = (index: number): number =>
    Number(digits.slice(index * GROUP_DIGITS, (index + 1) * GROUP_DIGITS));
  let first = 0;
  let last = wholeGroups + fractionGroups;
  while (first < last && groupAt(first) === 0) first++;
  while (last > first && groupAt(last - 1) === 0) last--;
  writer.int32(HEADER_BYTES + (last - first) * 2);
  writer.int16(last - first);
  writer.int16(last === first ? 0 : wholeGroups - first - 1);
  writer.int16(sign ?? (text.startsWith("-") ? NEGATIVE : 0));
  writer.int16(fraction.length);
  for (let index = first; index < last; index++) writer.int16(groupAt(index));
}

/** numeric: its text, with every digit and the scale; also NaN, Infinity and -Infinity. */
export const numeric: Codec = {
  ...looseCodec("numeric"),
  text: decodeText,
  binary: decodeBinary,
  takes: isPlain,
  write: writeNumeric,
  toText: (value) => {
    if (typeof value === "number" || typeof value === "bigint") return numberText(value);
    throw refusal(value, "numeric", "there is no conversion");
  },
};
