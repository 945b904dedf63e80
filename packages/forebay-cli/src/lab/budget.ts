// How many connections a scenario may have.

import { type ScenarioContext, ScenarioNotPossible } from "./scenario.ts";

/** Throws `ScenarioNotPossible` where the lab may not have so many connections at once. */
export function needConnections({ facts }: ScenarioContext, count: number): void {
  if (facts.budget >= count) return;
  throw new ScenarioNotPossible(
    `It needs ${count} connections, and may use ${facts.budget}. ${facts.budgetNote}`,
  );
}
