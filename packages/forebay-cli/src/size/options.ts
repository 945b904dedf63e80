// Numbers that the user gives: read from the command line, and checked one by one. Whether they
// agree with each other is looked at elsewhere.

import { CliError } from "../errors.ts";

/** What a number may be. */
export interface NumberRange {
  /** The least that it may be. @defaultValue none */
  readonly atLeast?: number;
  /** It must be more than this. @defaultValue none */
  readonly above?: number;
  /** The most that it may be. @defaultValue none */
  readonly atMost?: number;
  /** It must be less than this. @defaultValue none */
  readonly below?: number;
  /** What kind of number. @defaultValue `any` */
  readonly kind?: "any" | "whole";
}

/**
 * The value of a number's option. Throws a `CliError` of code `NUMBER_INVALID` when it is none, or
 * out of range.
 */
export function numberOf(option: string, text: string, range: NumberRange): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : NaN;
  const isKind = range.kind !== "whole" || Number.isInteger(value);
  if (Number.isFinite(value) && isKind && isWithin(value, range)) return value;
  throw new CliError(
    "NUMBER_INVALID",
    `${option} is ${JSON.stringify(text)}`,
    `It must be ${describeRange(range)}.`,
  );
}

/** The value, or the default where the option is not there. */
export function numberOr(
  option: string,
  text: string | undefined,
  range: NumberRange,
  fallback: number,
): number {
  return text === undefined ? fallback : numberOf(option, text, range);
}

/** The value of an option that has no default. Throws where it is not there, with an `example`. */
export function numberNeeded(
  option: string,
  text: string | undefined,
  range: NumberRange,
  example: string,
): number {
  if (text !== undefined) return numberOf(option, text, range);
  throw new CliError("USAGE", `${option} is missing`, `Give it, for example ${example}.`);
}

function isWithin(value: number, { atLeast, above, atMost, below }: NumberRange): boolean {
  return (
    value >= (atLeast ?? -Infinity) &&
    value > (above ?? -Infinity) &&
    value <= (atMost ?? Infinity) &&
    value < (below ?? Infinity)
  );
}

function describeRange({ atLeast, above, atMost, below, kind }: NumberRange): string {
  const bounds = [
    atLeast === undefined ? "" : `of at least ${atLeast}`,
    above === undefined ? "" : `greater than ${above}`,
    atMost === undefined ? "" : `at most ${atMost}`,
    below === undefined ? "" : `less than ${below}`,
  ].filter((bound) => bound !== "");
  return `a ${kind === "whole" ? "whole number" : "number"} ${bounds.join(" and ")}`.trimEnd();
}
