// Days and microseconds to dates and times of day, and back, in the proleptic Gregorian calendar.
//
// The conversions between days and dates are Howard Hinnant's ("chrono-Compatible Low-Level Date
// Algorithms", days_from_civil and civil_from_days): years are counted from 1 March, so that the
// leap day comes last.

/** Microseconds in a day. */
export const DAY_US: number = 86_400_000_000;

/** Milliseconds in a day. */
export const DAY_MS: number = 86_400_000;

/** Days from 1970-01-01, where JavaScript counts from, to 2000-01-01, where PostgreSQL does. */
export const EPOCH_DAYS: number = 10_957;

const ERA_DAYS = 146_097;
const ERA_YEARS = 400;
const MARCH_1_YEAR_0 = 719_468;

/**
 * What is left of `a` after whole steps of `b` downwards: from 0 to below `b`. Exact, as a quotient
 * is not.
 */
export function remainder(a: number, b: number): number {
  const rest = a % b;
  return rest < 0 ? rest + b : rest;
}

/** Days since 1970-01-01 of a date; year 0 is 1 BC. */
export function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / ERA_YEARS);
  const yearOfEra = y - era * ERA_YEARS;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * ERA_DAYS + dayOfEra - MARCH_1_YEAR_0;
}

/** A date in two parts, because a year before Christ is marked at the very end of a timestamp. */
interface DateText {
  /** `2024-02-29`, with at least four digits of year. */
  readonly date: string;
  /** ` BC` or nothing. */
  readonly era: "" | " BC";
}

/** The date, as PostgreSQL writes it in ISO style, of a day counted from 1970-01-01. */
export function dateTextOf(days: number): DateText {
  const shifted = days + MARCH_1_YEAR_0;
  const era = Math.floor(shifted / ERA_DAYS);
  const dayOfEra = shifted - era * ERA_DAYS;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * ERA_YEARS + (month <= 2 ? 1 : 0);
  const shown = year > 0 ? year : 1 - year;
  const digits = shown > 999 ? String(shown) : String(shown).padStart(4, "0");
  return {
    date: `${digits}-${twoDigits(month)}-${twoDigits(day)}`,
    era: year > 0 ? "" : " BC",
  };
}

const TWO_DIGITS: readonly string[] = Array.from({ length: 100 }, (_, n) =>
  n < 10 ? `0${n}` : String(n),
);

/** A whole number from 0 to 99 in two digits; more digits beyond that. */
export function twoDigits(n: number): string {
  return TWO_DIGITS[n] ?? String(n);
}

/** `.5` for 500000 microseconds: without trailing zeros, and nothing for 0. */
export function fractionText(microseconds: number): string {
  if (microseconds === 0) return "";
  const digits = String(1_000_000 + microseconds);
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  return `.${digits.slice(1, end)}`;
}

/** `23:59:59.25`, of microseconds from 0 to one day, both included. */
export function timeTextOf(us: number): string {
  const seconds = Math.floor(us / 1e6);
  const minutes = Math.floor(seconds / 60);
  const clock = `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}`;
  return `${clock}:${twoDigits(seconds % 60)}${fractionText(us - seconds * 1e6)}`;
}

/**
 * The text of an instant that PostgreSQL reads as `timestamptz`, and as `timestamp` and `date` in
 * UTC: ISO 8601 with a Z, and for years that ISO cannot say in four digits PostgreSQL's own form.
 * `NaN` (an invalid date) is not allowed.
 */
export function instantText(date: Date): string {
  const year = date.getUTCFullYear();
  if (year >= 1 && year <= 9999) return date.toISOString();
  const ms = date.getTime();
  const msOfDay = remainder(ms, DAY_MS);
  const { date: day, era } = dateTextOf((ms - msOfDay) / DAY_MS);
  return `${day} ${timeTextOf(msOfDay * 1000)}+00${era}`;
}

/** `2024-02-29 23:59:59.25`, of a day counted from 2000-01-01 and microseconds of that day. */
export function timestampText(days: number, us: number): string {
  const { date: day, era } = dateTextOf(days + EPOCH_DAYS);
  return `${day} ${timeTextOf(us)}${era}`;
}

/**
 * The difference from UTC, as the server writes it, of a zone given in seconds west of Greenwich.
 */
export function zoneText(secondsWest: number): string {
  const seconds = Math.abs(secondsWest);
  let text = (secondsWest <= 0 ? "+" : "-") + twoDigits(Math.floor(seconds / 3600));
  if (seconds % 3600 !== 0) text += `:${twoDigits(Math.floor(seconds / 60) % 60)}`;
  if (seconds % 60 !== 0) text += `:${twoDigits(seconds % 60)}`;
  return text;
}
