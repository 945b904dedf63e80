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

/** interval: text such as `1 year 2 mons 3 days 04:05:06.789`. Written from a string. */
export const interval: Codec = {
  ...looseCodec("interval"),
  binary: decodeBinary,
  binaryResults: true,
  takes: () => false,
  toText: (value) => {
    if (typeof value === "number") return looseText(value, "interval");
    throw refusal(value, "interval", "there is no conversion");
  },
};
