// interval: months, days and microseconds, which have no length in common, as the server's text.

import { type Codec, checkWidth, refusal } from "./codec.ts";
import { fractionText, twoDigits } from "./calendar.ts";
import { looseCodec, looseText } from "./loose.ts";

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** `04:05:06.789`, of microseconds that are not negative. */
function clockText(us: bigint): string {
  const seconds = us / 1_000_000n;
  const minutes = seconds / 60n;
  const clock = [Number(minutes / 60n), Number(minutes % 60n), Number(seconds % 60n)];
  return clock.map(twoDigits).join(":") + fractionText(Number(us % 1_000_000n));
}

/**
 * What the server writes with `IntervalStyle = postgres`: a plus sign marks what follows something
 * negative.
 */
function intervalText(us: bigint, days: number, months: number): string {
  const parts: string[] = [];
  let afterNegative = false;
  const add = (count: number, unit: string): void => {
    if (count === 0) return;
    const sign = afterNegative && count > 0 ? "+" : "";
    parts.push(`${sign}${count} ${unit}${count === 1 ? "" : "s"}`);
    afterNegative = count < 0;
  };
  add(Math.trunc(months / 12), "year");
  add(months % 12, "mon");
  add(days, "day");
  if (parts.length === 0 || us !== 0n) {
    const positive = afterNegative ? "+" : "";
    parts.push(us < 0n ? `-${clockText(-us)}` : positive + clockText(us));
  }
  return parts.join(" ");
}

function decodeBinary(bytes: Buffer, start: number, end: number): string {
  checkWidth("interval", start, end, 16);
  const us = bytes.readBigInt64BE(start);
  const days = bytes.readInt32BE(start + 8);
  const months = bytes.readInt32BE(start + 12);
  if (us === INT64_MAX && days === INT32_MAX && months === INT32_MAX) return "infinity";
  if (us === INT64_MIN && days === INT32_MIN && months === INT32_MIN) return "-infinity";
  return intervalText(us, days, months);
}

const PARTS = new RegExp(
  [
    /^(?:([+-]?\d{1,9}) years?(?: |$))?(?:([+-]?\d{1,10}) mons?(?: |$))?/,
    /(?:([+-]?\d{1,10}) days?(?: |$))?/,
    /(?:([+-]?)(\d{2,10}):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/,
  ]
    .map((part) => part.source)
    .join(""),
);

/** The three numbers of an interval. */
interface Interval {
  readonly us: bigint;
  readonly days: number;
  readonly months: number;
}

/** Reads what the server would write in just this form; undefined for anything else. */
function parseInterval(value: unknown): Interval | undefined {
  if (typeof value !== "string") return undefined;
  const parts = PARTS.exec(value);
  if (parts === null) return undefined;
  const [, years, mons, dayCount, sign, hours, minutes, seconds, fraction] = parts;
  const wholeSeconds =
    BigInt(hours ?? 0) * 3600n + BigInt(minutes ?? 0) * 60n + BigInt(seconds ?? 0);
  const size = wholeSeconds * 1_000_000n + BigInt((fraction ?? "").padEnd(6, "0"));
  const us = sign === "-" ? -size : size;
  const months = Number(years ?? 0) * 12 + Number(mons ?? 0);
  const days = Number(dayCount ?? 0);
  const fits = (n: number): boolean => n >= INT32_MIN && n <= INT32_MAX;
  if (!fits(months) || !fits(days) || us < INT64_MIN || us > INT64_MAX) return undefined;
  return intervalText(us, days, months) === value ? { us, days, months } : undefined;
}

/** interval: text such as `1 year 2 mons 3 days 04:05:06.789`. Written from a string. */
export const interval: Codec = {
  ...looseCodec("interval"),
  binary: decodeBinary,
  binaryResults: true,
  takes: (value) => parseInterval(value) !== undefined,
  write: (writer, value) => {
    const { us, days, months } = parseInterval(value) ?? { us: 0n, days: 0, months: 0 };
    writer.int32(16);
    writer.int64(us);
    writer.int32(days);
    writer.int32(months);
  },
  toText: (value) => {
    if (typeof value === "number") return looseText(value, "interval");
    throw refusal(value, "interval", "there is no conversion");
  },
};
