// date, time, timetz, timestamp and timestamptz. Only the last is an instant, and becomes a Date.
// The others are readings of a calendar or a clock on some wall: a Date would have to invent a
// place for them, so they stay text.

import { types } from "node:util";
import type { Writer } from "../proto/writer.ts";
import {
  DAY_MS,
  DAY_US,
  dateTextOf,
  daysOf,
  EPOCH_DAYS,
  remainder,
  timeTextOf,
  timestampText,
  zoneText,
} from "./calendar.ts";
import { type Codec, checkWidth, malformed, outOfRange, refusal } from "./codec.ts";
import { looseCodec, looseText } from "./loose.ts";
import { latin1 } from "./raw.ts";
import { parseDate, parseTime, parseTimestamp, parseTimetz } from "./wall-text.ts";

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const DATE_MS_MAX = 8.64e15;
const EPOCH_MS: number = EPOCH_DAYS * DAY_MS;

/** With a signed high word within this much of 0 the whole 64 bits are a safe integer. */
const SAFE_HIGH_WORD = 2 ** 21 - 1;

/** Zones are less than 16 hours from UTC. */
const ZONE_SECONDS_MAX = 16 * 3600 - 1;

function noConversion(value: unknown, type: string): never {
  throw refusal(value, type, "there is no conversion");
}

function wallParamText(type: string): (value: unknown) => string {
  return (value) =>
    typeof value === "number" || types.isDate(value)
      ? looseText(value, type)
      : noConversion(value, type);
}

/**
 * What reads and writes a reading of a calendar or a clock, but for its binary format. `parse`
 * reads the text that the server writes, and nothing else; what else there is the server reads.
 */
function wallCodec<T>(
  type: string,
  binary: Codec["binary"],
  parse: (text: string) => T | undefined,
  writeParsed: (writer: Writer, parsed: T) => void,
): Codec {
  const parsedOf = (value: unknown): T | undefined =>
    typeof value === "string" ? parse(value) : undefined;
  return {
    ...looseCodec(type),
    binary,
    binaryResults: true,
    takes: (value) => parsedOf(value) !== undefined,
    write: (writer, value) => {
      const parsed = parsedOf(value);
      if (parsed === undefined) throw refusal(value, type, "there is no conversion");
      writeParsed(writer, parsed);
    },
    toText: wallParamText(type),
  };
}

function writeUs(writer: Writer, us: number): void {
  writer.int32(8);
  writer.int64Safe(us);
}

/** date: `2024-02-29`, `0044-03-15 BC`, `infinity` or `-infinity`. */
export const date: Codec = wallCodec(
  "date",
  (bytes, start, end) => {
    checkWidth("date", start, end, 4);
    const days = bytes.readInt32BE(start);
    if (days === INT32_MAX) return "infinity";
    if (days === INT32_MIN) return "-infinity";
    const text = dateTextOf(days + EPOCH_DAYS);
    return text.date + text.era;
  },
  parseDate,
  (writer, days) => {
    writer.int32(4);
    writer.int32(days);
  },
);

function timeOfDay(bytes: Buffer, start: number, type: string): string {
  const us = bytes.readInt32BE(start) * 2 ** 32 + bytes.readUInt32BE(start + 4);
  if (us < 0 || us > DAY_US) throw malformed(type, "binary");
  return timeTextOf(us);
}

const wallTime: Codec = wallCodec(
  "time",
  (bytes, start, end) => {
    checkWidth("time", start, end, 8);
    return timeOfDay(bytes, start, "time");
  },
  parseTime,
  writeUs,
);

/**
 * time: `23:59:59.25`, up to `24:00:00`. Written from a string: the server takes no instant for
 * one.
 */
export const time: Codec = { ...wallTime, toText: (value) => noConversion(value, "time") };

const wallTimetz: Codec = wallCodec(
  "timetz",
  (bytes, start, end) => {
    checkWidth("timetz", start, end, 12);
    const secondsWest = bytes.readInt32BE(start + 8);
    if (Math.abs(secondsWest) > ZONE_SECONDS_MAX) throw malformed("timetz", "binary");
    return timeOfDay(bytes, start, "timetz") + zoneText(secondsWest);
  },
  parseTimetz,
  (writer, { us, secondsWest }) => {
    writer.int32(12);
    writer.int64Safe(us);
    writer.int32(secondsWest);
  },
);

/** timetz: `23:59:59.25+02`. Written from a string. */
export const timetz: Codec = { ...wallTimetz, toText: (value) => noConversion(value, "timetz") };

/**
 * timestamp: `2024-02-29 23:59:59.25`, with ` BC` at the end where due, `infinity` or `-infinity`.
 */
export const timestamp: Codec = wallCodec(
  "timestamp",
  (bytes, start, end) => {
    checkWidth("timestamp", start, end, 8);
    const high = bytes.readInt32BE(start);
    if (high >= -SAFE_HIGH_WORD && high <= SAFE_HIGH_WORD) {
      const us = high * 2 ** 32 + bytes.readUInt32BE(start + 4);
      const usOfDay = remainder(us, DAY_US);
      return timestampText((us - usOfDay) / DAY_US, usOfDay);
    }
    const us = bytes.readBigInt64BE(start);
    if (us === INT64_MAX) return "infinity";
    if (us === INT64_MIN) return "-infinity";
    const dayUs = BigInt(DAY_US);
    const usOfDay = ((us % dayUs) + dayUs) % dayUs;
    return timestampText(Number((us - usOfDay) / dayUs), Number(usOfDay));
  },
  parseTimestamp,
  (writer, us) => {
    writer.int32(8);
    writer.int64(us);
  },
);

function dateOf(ms: number): Date {
  if (Math.abs(ms) > DATE_MS_MAX) throw outOfRange("timestamptz", "a Date ends in the year 275760");
  return new Date(ms);
}

function instantBinary(bytes: Buffer, start: number, end: number): Date | number {
  if (end - start !== 8) throw malformed("timestamptz", "binary");
  const high = bytes.readInt32BE(start);
  if (high >= -SAFE_HIGH_WORD && high <= SAFE_HIGH_WORD) {
    const us = high * 2 ** 32 + bytes.readUInt32BE(start + 4);
    return new Date((us - remainder(us, 1000)) / 1000 + EPOCH_MS);
  }
  const us = bytes.readBigInt64BE(start);
  if (us === INT64_MAX) return Infinity;
  if (us === INT64_MIN) return -Infinity;
  const usOfMs = ((us % 1000n) + 1000n) % 1000n;
  return dateOf(Number((us - usOfMs) / 1000n) + EPOCH_MS);
}

const INSTANT_TEXT =
  /^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?[+-]\d\d(?::\d\d){0,2}(?: BC)?$/;

/** The number that two digits make. */
function twoDigitsAt(text: string, at: number): number {
  return text.charCodeAt(at) * 10 + text.charCodeAt(at + 1) - 528;
}

/** Milliseconds since 1970 of `2024-02-29 23:59:59.25+02`, whose form has been checked. */
function parseInstant(text: string): number {
  const date = text.indexOf("-");
  const fraction = date + 15;
  let zone = fraction;
  while (text[zone] !== "+" && text[zone] !== "-") zone++;
  const shown = Number(text.slice(0, date));
  const year = text.endsWith("C") ? 1 - shown : shown;
  const days = daysOf(year, twoDigitsAt(text, date + 1), twoDigitsAt(text, date + 4));
  const minutes = twoDigitsAt(text, date + 7) * 60 + twoDigitsAt(text, date + 10);
  const seconds = minutes * 60 + twoDigitsAt(text, date + 13);
  let east = twoDigitsAt(text, zone + 1) * 3600;
  if (text[zone + 3] === ":") east += twoDigitsAt(text, zone + 4) * 60;
  if (text[zone + 6] === ":") east += twoDigitsAt(text, zone + 7);
  if (text[zone] === "-") east = -east;
  const ms =
    fraction === zone
      ? 0
      : Number(
          text
            .slice(fraction + 1, zone)
            .padEnd(3, "0")
            .slice(0, 3),
        );
  return days * DAY_MS + (seconds - east) * 1000 + ms;
}

function instantText(bytes: Buffer, start: number, end: number): Date | number {
  const text = latin1(bytes, start, end);
  if (text === "infinity") return Infinity;
  if (text === "-infinity") return -Infinity;
  if (!INSTANT_TEXT.test(text)) {
    throw outOfRange("timestamptz", "its text is not in ISO style; set DateStyle to ISO");
  }
  return dateOf(parseInstant(text));
}

function writeInstant(writer: Writer, value: unknown): void {
  if (typeof value === "number") {
    writer.int32(8);
    writer.int64(value > 0 ? INT64_MAX : INT64_MIN);
    return;
  }
  const ms = (value as Date).getTime();
  if (Number.isNaN(ms)) throw refusal(value, "timestamptz", "it is an invalid date");
  const us = (ms - EPOCH_MS) * 1000;
  writer.int32(8);
  if (Number.isSafeInteger(us)) writer.int64Safe(us);
  else writer.int64(BigInt(ms - EPOCH_MS) * 1000n);
}

/**
 * timestamptz: a Date, of the millisecond in which the instant lies; `Infinity` or `-Infinity` for
 * what is later or earlier than all. Fails with `VALUE_OUT_OF_RANGE` for instants after the year
 * 275760. The text format must be in ISO style.
 */
export const timestamptz: Codec = {
  text: instantText,
  binary: instantBinary,
  binaryResults: true,
  takes: (value) => types.isDate(value) || value === Infinity || value === -Infinity,
  write: writeInstant,
  toText: wallParamText("timestamptz"),
};
