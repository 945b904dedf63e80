// What came of a run as a whole: how many scenarios held, were refuted, or were not judged.

import type { CheckVerdict, ClaimVerdict, ScenarioReport } from "./scenario.ts";
import { counted, listed } from "./words.ts";

/** Whether a scenario was judged: `unfinished` when the run was stopped while it ran. */
export type Outcome = "judged" | "skipped" | "unfinished";

/** Scenarios of a run by what came of them. Those that were judged are in both counts. */
export interface Tally {
  /** The guide's claims. */
  readonly claims: Readonly<Record<ClaimVerdict, number>>;
  /** Whether Forebay does its part. */
  readonly forebay: Readonly<Record<CheckVerdict, number>>;
  readonly skipped: number;
  readonly unfinished: number;
  /** Chosen, but not begun before the run was stopped. */
  readonly notBegun: number;
}

/** Whether a scenario was judged. */
export function outcomeOf(scenario: Pick<ScenarioReport, "partial" | "skipped">): Outcome {
  if (scenario.skipped !== undefined) return "skipped";
  return scenario.partial ? "unfinished" : "judged";
}

/** Counts the scenarios of a run. `chosen` is how many it was to run. */
export function tallyOf(scenarios: readonly ScenarioReport[], chosen: number): Tally {
  const claims = { holds: 0, refuted: 0, inconclusive: 0 };
  const forebay = { pass: 0, fail: 0, inconclusive: 0 };
  const not = { skipped: 0, unfinished: 0 };
  for (const scenario of scenarios) {
    const outcome = outcomeOf(scenario);
    if (outcome !== "judged") not[outcome]++;
    else {
      if (scenario.claim.verdict !== "skipped") claims[scenario.claim.verdict]++;
      if (scenario.forebay.verdict !== "skipped") forebay[scenario.forebay.verdict]++;
    }
  }
  return { claims, forebay, ...not, notBegun: chosen - scenarios.length };
}

/** The counts in two or three sentences. */
export function tallyText(tally: Tally): string {
  const { claims, forebay, skipped, unfinished, notBegun } = tally;
  const sentences = [
    `Claims: ${claims.holds} held, ${claims.refuted} refuted, ` +
      `${claims.inconclusive} inconclusive.`,
    `Forebay: ${forebay.pass} passed, ${forebay.fail} failed, ` +
      `${forebay.inconclusive} inconclusive.`,
  ];
  const not = [
    skipped === 0 ? "" : `${skipped} skipped`,
    unfinished === 0 ? "" : `${unfinished} unfinished`,
    notBegun === 0 ? "" : `${notBegun} not begun`,
  ].filter((part) => part !== "");
  if (not.length > 0) {
    const sum = skipped + unfinished + notBegun;
    sentences.push(`Not judged: ${counted(sum, "scenario")} (${listed(not)}).`);
  }
  return sentences.join(" ");
}
