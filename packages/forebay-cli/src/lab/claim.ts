// The verdict on what the guide says, from the verdicts on its parts.

import type { Estimate } from "./compare.ts";
import type { Claim, ClaimPart, ClaimVerdict } from "./scenario.ts";

/** Why a claim came out as it did, for each way in which it can. */
export type Whys = Readonly<Record<ClaimVerdict, string>>;

/**
 * One refuted part refutes the claim; it holds when all parts do that were looked at. `whys` are
 * sentences with the figures that decide.
 */
export function claimOf(text: string, parts: readonly ClaimPart[], whys: Whys): Claim {
  const has = (verdict: ClaimVerdict): boolean => parts.some((part) => part.verdict === verdict);
  const verdict = has("refuted")
    ? "refuted"
    : has("inconclusive") || !has("holds")
      ? "inconclusive"
      : "holds";
  return { text, verdict, why: whys[verdict], parts };
}

/** A part that was counted, so that there is no doubt. */
export function part(text: string, isTrue: boolean, measured: string): ClaimPart {
  return { text, verdict: isTrue ? "holds" : "refuted", measured };
}

/**
 * A part that the lab does not look at, or that this machine cannot bear out whatever the pool
 * does: the claim is judged by its other parts. `why` is a sentence.
 */
export function notLookedAt(text: string, why: string): ClaimPart {
  return { text, verdict: "skipped", measured: why };
}

/** A part that could not be seen here, and might be elsewhere. `why` is a sentence. */
export function undecided(text: string, why: string): ClaimPart {
  return { text, verdict: "inconclusive", measured: why };
}

/**
 * A part that an estimate bears out or not: it holds when the whole interval lies within `range`,
 * is refuted when all of it lies outside, and is undecided else. Both ends belong to the range.
 */
export function estimatedPart(
  text: string,
  estimate: Estimate,
  range: { readonly from?: number; readonly to?: number },
  measured: string,
): ClaimPart {
  const { from = -Infinity, to = Infinity } = range;
  const { low, high } = estimate;
  const verdict =
    low >= from && high <= to ? "holds" : low > to || high < from ? "refuted" : "inconclusive";
  return { text, verdict, measured };
}
