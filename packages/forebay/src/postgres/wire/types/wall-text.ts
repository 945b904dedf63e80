// Dates and times from the text that the server writes for them, exactly that. Any other text is
// undefined here: the server reads more forms than anyone else should, and says what is wrong.

import {
  DAY_US,
  dateTextOf,
  daysOf,
  EPOCH_DAYS,
  timeTextOf,
  timestampText,
  zoneText,
} from "./calendar.ts";

const DAYS_MIN = -2_451_507;
const DAYS_MAX = 2_145_031_948;
const US_MIN = -211_813_488_000_000_000n;
const US_END = 9_223_371_331_200_000_000n;
const INFINITE_DAYS: ReadonlyMap<string, number> = new Map([
  ["infinity", 2 ** 31 - 1],
  ["-infinity", -(2 ** 31)],
]);
const INFINITE_US: ReadonlyMap<string, bigint> = new Map([
  ["infinity", 2n ** 63n - 1n],
  ["-infinity", -(2n ** 63n)],
]);

const DATE = /^(\d{4,7})-(\d\d)-(\d\d)( BC)?$/;
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/;
const TIMETZ = /^([\d:.]{8,15})([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/;
const TIMESTAMP = /^([\d-]{10,13}) ([\d:.]{8,15})( BC)?$/;

/** Days from 2000-01-01 of a date that exists. */
function daysOfText(text: string): number | undefined {
  const parts = DATE.exec(text);
  if (parts === null) return undefined;
  const shown = Number(parts[1]);
  const year = parts[4] === undefined ? shown : 1 - shown;
  const days = daysOf(year, Number(parts[2]), Number(parts[3]));
  const { date, era } = dateTextOf(days);
  return date + era === text ? days - EPOCH_DAYS : undefined;
}

/** Days from 2000-01-01 of a date that PostgreSQL has. */
export function parseDate(text: string): number | undefined {
  const days = daysOfText(text);
  if (days === undefined) return INFINITE_DAYS.get(text);
  return days >= DAYS_MIN && days <= DAYS_MAX ? days : undefined;
}

/** Microseconds of a time of day. */
export function parseTime(text: string): number | undefined {
  const parts = TIME.exec(text);
  if (parts === null) return undefined;
  const seconds = (Number(parts[1]) * 60 + Number(parts[2])) * 60 + Number(parts[3]);
  const us = seconds * 1e6 + Number((parts[4] ?? "").padEnd(6, "0"));
  return us <= DAY_US && timeTextOf(us) === text ? us : undefined;
}

/** A time of day with its difference from UTC. */
interface ZonedTime {
  readonly us: number;
  readonly secondsWest: number;
}

/** A time of day with its difference from UTC. */
export function parseTimetz(text: string): ZonedTime | undefined {
  const parts = TIMETZ.exec(text);
  if (parts === null) return undefined;
  const [, clock = "", sign, hours, minutes, seconds] = parts;
  const us = parseTime(clock);
  if (us === undefined) return undefined;
  const size = (Number(hours) * 60 + Number(minutes ?? 0)) * 60 + Number(seconds ?? 0);
  const secondsWest = sign === "-" ? size : 0 - size;
  const isSame = size < 16 * 3600 && clock + zoneText(secondsWest) === text;
  return isSame ? { us, secondsWest } : undefined;
}

/** Microseconds from 2000-01-01 of a timestamp that PostgreSQL has. */
export function parseTimestamp(text: string): bigint | undefined {
  const parts = TIMESTAMP.exec(text);
  if (parts === null) return INFINITE_US.get(text);
  const days = daysOfText(`${parts[1]}${parts[3] ?? ""}`);
  const usOfDay = parseTime(parts[2] ?? "");
  if (days === undefined || usOfDay === undefined || usOfDay === DAY_US) return undefined;
  if (timestampText(days, usOfDay) !== text) return undefined;
  const us = BigInt(days) * BigInt(DAY_US) + BigInt(usOfDay);
  return us >= US_MIN && us < US_END ? us : undefined;
}
