// What is shown of a run while it goes on.

import type { LabProgress, ScenarioReport } from "../lab/index.ts";
import { duration } from "../lab/words.ts";
import { verdictsOf } from "../report/verdicts.ts";
import type { ProgressState } from "../terminal/progress.ts";

/** A point of a run, for a progress display. */
export function stateOf(at: LabProgress): ProgressState {
  const { scenario, title, position, of, arm, note, figure, fraction, remainingMs } = at;
  const place = of > 1 ? ` (${position} of ${of})` : "";
  const text = scenario === 0 ? "calibration" : `scenario ${scenario}: ${title}${place}`;
  const detail = scenario === 0 ? [] : [arm, note, figure].filter((part) => part !== "");
  return { text, detail: detail.join(" · "), fraction, remainingMs };
}

/** One line about a scenario that has ended. */
export function endOf(scenario: ScenarioReport): string {
  const took = duration(scenario.durationMs);
  if (scenario.skipped !== undefined)
    return `scenario ${scenario.id}: skipped: ${scenario.skipped}`;
  if (scenario.partial) return `scenario ${scenario.id}: unfinished, stopped after ${took}`;
  const [claim, forebay] = verdictsOf(scenario);
  return `scenario ${scenario.id}: claim: ${claim}; Forebay: ${forebay}; ${took}`;
}
