// From an estimate and a threshold to pass, fail or inconclusive, and from checks to the verdict of
// a scenario.

import type { Estimate } from "./compare.ts";
import type { Check, CheckVerdict } from "./scenario.ts";

/** Where a value must lie. Both ends belong to it. */
export type Threshold =
  | { readonly atMost: number }
  | { readonly atLeast: number }
  | { readonly from: number; readonly to: number };

/** What a check is about, before it is judged. */
export interface Question {
  readonly name: string;
  readonly estimate: Estimate;
  readonly threshold: Threshold;
  /** Of the value, for display: `ms`, `%`, `×` for a ratio, or nothing for a number of things. */
  readonly unit?: string;
  readonly note?: string;
  /** True for a figure that a slow or busy machine does not move. */
  readonly isRobust?: boolean;
  /**
   * Why the figure cannot be trusted in this run, if it cannot: the check is then inconclusive
   * whatever it shows.
   */
  readonly voidedBy?: string | undefined;
}

/**
 * Judges one question: pass or fail only when the whole interval lies on one side of the threshold.
 */
export function judge(question: Question): Check {
  const { estimate, threshold, voidedBy } = question;
  const verdict = voidedBy === undefined ? compare(estimate, bounds(threshold)) : "inconclusive";
  const note = [voidedBy === undefined ? "" : `Not judged: ${voidedBy}`, question.note ?? ""]
    .filter((text) => text !== "")
    .join(" ");
  return {
    name: question.name,
    value: estimate.value,
    ...(estimate.low === estimate.high ? {} : { low: estimate.low, high: estimate.high }),
    ...(question.unit === undefined ? {} : { unit: question.unit }),
    threshold: describeThreshold(threshold),
    pass: verdict === "pass",
    verdict,
    ...(note === "" ? {} : { note }),
  };
}

/**
 * The verdict of several checks: one failure fails all, and one without an answer leaves all
 * without. None: inconclusive.
 */
export function verdictOf(checks: readonly Check[]): CheckVerdict {
  if (checks.some((check) => check.verdict === "fail")) return "fail";
  if (checks.length === 0 || checks.some((check) => check.verdict === "inconclusive")) {
    return "inconclusive";
  }
  return "pass";
}

/** The threshold as text: `<= 0.35`, `>= 10`, `0.9 to 1.1`. */
export function describeThreshold(threshold: Threshold): string {
  if ("atMost" in threshold) return `<= ${threshold.atMost}`;
  if ("atLeast" in threshold) return `>= ${threshold.atLeast}`;
  return `${threshold.from} to ${threshold.to}`;
}

const CLOSE_FACTOR = 1.5;

/**
 * True when the machine's own noise could turn the answer: the interval comes within half of a
 * threshold. Never for what was counted, or for what does not depend on the machine's speed.
 */
export function isClose(question: Question): boolean {
  const { estimate, threshold } = question;
  if (question.isRobust === true || estimate.low === estimate.high) return false;
  const { low, high } = bounds(threshold);
  return [low, high].some(
    (end) => end >= estimate.low / CLOSE_FACTOR && end <= estimate.high * CLOSE_FACTOR,
  );
}

function bounds(threshold: Threshold): { low: number; high: number } {
  if ("atMost" in threshold) return { low: -Infinity, high: threshold.atMost };
  if ("atLeast" in threshold) return { low: threshold.atLeast, high: Infinity };
  return { low: threshold.from, high: threshold.to };
}

function compare(estimate: Estimate, range: { low: number; high: number }): CheckVerdict {
  if (![estimate.value, estimate.low, estimate.high].every((end) => !Number.isNaN(end))) {
    return "inconclusive";
  }
  if (estimate.low >= range.low && estimate.high <= range.high) return "pass";
  if (estimate.low > range.high || estimate.high < range.low) return "fail";
  return "inconclusive";
}
