// Verdicts in words, the same in every form of the report.

import type { CheckVerdict, ClaimVerdict, ScenarioReport, Unjudged } from "../lab/index.ts";

/** All that can be said where a verdict stands. */
export type ShownVerdict = CheckVerdict | ClaimVerdict | Unjudged | "unfinished";

/** With a mark, so that it is not told by colour alone. */
export const VERDICT_WORDS: Readonly<Record<ShownVerdict, string>> = {
  holds: "✓ holds",
  refuted: "≠ refuted",
  pass: "✓ pass",
  fail: "✗ fail",
  inconclusive: "? inconclusive",
  skipped: "– skipped",
  unfinished: "… unfinished",
};

/** Both verdicts on a scenario: on the guide's claim, and on Forebay. */
export function verdictsOf(scenario: ScenarioReport): readonly [ShownVerdict, ShownVerdict] {
  if (scenario.partial) return ["unfinished", "unfinished"];
  return [scenario.claim.verdict, scenario.forebay.verdict];
}

/** How to get what a scenario lacks; empty where that is not a program. */
export function howToInstall({ missing }: Pick<ScenarioReport, "missing">): string {
  return missing === undefined ? "" : `Install it, on Debian: apt-get install ${missing}`;
}
