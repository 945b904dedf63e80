// Scenario 10, the guide's statements one by one.

import { SAME_P99_FACTOR, WAITED_LIMIT_RATIO } from "../beside.ts";
import { claimOf, estimatedPart, part } from "../claim.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { duration, percent, times, withInterval } from "../words.ts";
import type { ReportsPlan } from "./10-arms.ts";
import type { ReportsFigures } from "./10-findings.ts";

/** What the guide says about reports, held against the run. */
export function claimOfReports(plan: ReportsPlan, figures: ReportsFigures): Claim {
  const { few, shared, split } = figures;
  const remedy =
    `With a pool for the reports ${percent(split.requests.waitedRatio)} of the requests waited ` +
    `for a connection, without it ${percent(shared.requests.waitedRatio)}.`;
  return claimOf(
    "A report of 30 s occupies all 50 connections, and every other request blocks. A second pool " +
      "of 5 for reports cures it, the missing index for good; 10 reports at once show that p99 " +
      "of the application is unchanged.",
    [
      symptomPart(plan, figures),
      remedyPart(plan, figures),
      unchangedPart(figures),
      verificationPart(plan, figures),
      indexPart(figures),
    ],
    {
      holds: `${remedy} All of it came out as the guide says.`,
      refuted:
        `${remedy} What does not hold is marked; with ${plan.fewReports} reports on ` +
        `${plan.connections} connections and no remedy ${percent(few.requests.waitedRatio)} ` +
        "waited.",
      inconclusive:
        `${remedy} What could be decided came out as the guide says; the rest drowned in the ` +
        "noise of this machine.",
    },
  );
}

function symptomPart(plan: ReportsPlan, { shared, alone }: ReportsFigures): ClaimPart {
  return part(
    "Reports occupy all connections, and every other request blocks while they run.",
    shared.reportsInUseMost === plan.connections && shared.requests.waitedRatio > 0.01,
    `Reports had up to ${shared.reportsInUseMost} of ${plan.connections} connections; ` +
      `${percent(shared.requests.waitedRatio)} of the requests waited, the longest took ` +
      `${duration(shared.requests.response.maxMs)}; p99 was ` +
      `${duration(shared.requests.p99.value)}, alone ${duration(alone.requests.p99.value)}.`,
  );
}

function remedyPart(plan: ReportsPlan, figures: ReportsFigures): ClaimPart {
  const { split, shared } = figures;
  return estimatedPart(
    "On a pool of their own they can never starve the main pool.",
    split.waitedOverShared,
    { to: WAITED_LIMIT_RATIO },
    `${percent(split.requests.waitedRatio)} of the requests waited for a connection, on the same ` +
      `pool ${percent(shared.requests.waitedRatio)}; reports had ${split.reportsInUseMost} ` +
      `connections at most (${plan.reportConnections} planned). p99 was ` +
      `${withInterval(figures.splitOverShared)} times that with the same pool.`,
  );
}

function unchangedPart({ split, alone }: ReportsFigures): ClaimPart {
  return estimatedPart(
    "With it, p99 of the application is unchanged.",
    split.requests.overAlone,
    { to: SAME_P99_FACTOR },
    `${withInterval(split.requests.overAlone)} times that of the application alone, which was ` +
      `${duration(alone.requests.p99.value)}. (Up to ${SAME_P99_FACTOR} counts as holding.)`,
  );
}

function verificationPart(plan: ReportsPlan, { few, shared }: ReportsFigures): ClaimPart {
  const passesWithout = few.waitedOverShared.high <= WAITED_LIMIT_RATIO;
  const measured =
    `${plan.fewReports} reports at once, as many of ${plan.connections} connections as 10 are of ` +
    `50, and no remedy: ${percent(few.requests.waitedRatio)} of the requests waited, p99 ` +
    `${withInterval(few.requests.overAlone)} times that of the application alone. ` +
    (passesWithout
      ? "So it passes with the remedy and without. It takes more reports than the main pool has " +
        `connections: with ${plan.manyReports}, ${percent(shared.requests.waitedRatio)} waited.`
      : few.waitedOverShared.low > WAITED_LIMIT_RATIO
        ? "So it tells the one from the other."
        : "Whether it tells the one from the other was not clear in this run.");
  const text = "Verification: 10 reports at once show whether the remedy works.";
  return estimatedPart(text, few.waitedOverShared, { from: WAITED_LIMIT_RATIO }, measured);
}

function indexPart({ indexRatio, scanMs, indexMs, reading }: ReportsFigures): ClaimPart {
  const took =
    `One report took ${duration(indexMs)} with the index, ${duration(scanMs)} without: ` +
    `${withInterval(indexRatio)} times.`;
  const text = "The long fix is the missing index.";
  if (reading === undefined) return estimatedPart(text, indexRatio, { to: 0.1 }, took);
  const { indexShared, scanShared } = reading;
  return estimatedPart(
    text,
    indexShared.waitedOverShared,
    { to: indexRatio.high <= 0.1 ? WAITED_LIMIT_RATIO : -1 },
    `${took} On the same pool, with nothing between, ` +
      `${percent(indexShared.requests.waitedRatio)} of the requests waited with the index, ` +
      `${percent(scanShared.requests.waitedRatio)} without; p99 was ` +
      `${times(indexShared.requests.overAlone.value)} and ` +
      `${times(scanShared.requests.overAlone.value)} that of the application alone.`,
  );
}
