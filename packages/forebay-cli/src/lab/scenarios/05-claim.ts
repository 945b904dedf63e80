// Scenario 5, the guide's statements one by one.

import { SAME_P99_FACTOR } from "../beside.ts";
import { claimOf, estimatedPart, notLookedAt, part, undecided } from "../claim.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { duration, figure, percent, times, withInterval } from "../words.ts";
import { type BulkheadPlan, GUIDE } from "./05-arms.ts";
import type { BulkheadFigures } from "./05-findings.ts";

/** What the guide says about bulkheads, held against the run. */
export function claimOfBulkhead(plan: BulkheadPlan, figures: BulkheadFigures): Claim {
  const { shared, semaphore } = figures.arms;
  const waiting =
    `Behind the semaphore ${percent(semaphore.fastWaitedRatio)} of the fast requests waited for ` +
    `a connection, without it ${percent(shared.fastWaitedRatio)}.`;
  return claimOf(
    "A burst of 100 slow requests on 100 connections blocks the fast route. A semaphore of 20 " +
      "around the slow one always leaves it 80, and its p99 below 5 ms whatever the slow load.",
    [
      blockedPart(plan, figures),
      leftPart(plan, figures),
      below5Part(figures),
      decoupledPart(figures),
      whateverPart(plan, figures),
    ],
    {
      holds: `${waiting} All of it came out as the guide says.`,
      refuted:
        `${waiting} That is what a cap can do, and it does it; not all that the guide promises ` +
        "follows from it: see the statement that is refuted.",
      inconclusive:
        `${waiting} What could be decided came out as the guide says; the rest drowned in the ` +
        "noise of this machine.",
    },
  );
}

function blockedPart(plan: BulkheadPlan, figures: BulkheadFigures): ClaimPart {
  const { shared, alone } = figures.arms;
  return part(
    "A burst of slow requests as large as the pool holds all connections and blocks the fast " +
      "route.",
    shared.slowInUseMost === plan.connections && shared.fastWaitedRatio > 0.01,
    `The slow route had up to ${shared.slowInUseMost} of ${plan.connections} connections; ` +
      `${percent(shared.fastWaitedRatio)} of the fast requests waited, the longest took ` +
      `${duration(shared.fast.maxMs)}; p99 was ${duration(shared.fastP99Ms)}, alone ` +
      `${duration(alone.fastP99Ms)}.`,
  );
}

function leftPart(plan: BulkheadPlan, figures: BulkheadFigures): ClaimPart {
  const { semaphore } = figures.arms;
  const least = 1 - plan.cap / plan.connections;
  return part(
    "With the semaphore the fast route always has at least 80 % of the connections.",
    semaphore.slowInUseMost <= plan.cap,
    `The slow route had ${semaphore.slowInUseMost} of ${plan.connections} at most, which leaves ` +
      `${percent(1 - semaphore.slowInUseMost / plan.connections)} (${percent(least)} planned); ` +
      `${percent(semaphore.fastWaitedRatio)} of the fast requests waited for one.`,
  );
}

function below5Part(figures: BulkheadFigures): ClaimPart {
  const { alone, semaphore } = figures.arms;
  const text = `With the semaphore p99 of the fast route is below ${GUIDE.p99Ms} ms.`;
  const both = [semaphore.fastP99, alone.fastP99].map(withInterval);
  const measured = `${both[0] ?? ""} ms; alone ${both[1] ?? ""} ms.`;
  if (alone.fastP99.high >= GUIDE.p99Ms) {
    return notLookedAt(text, `${measured} This machine does not keep to it without slow requests.`);
  }
  return estimatedPart(text, semaphore.fastP99, { to: GUIDE.p99Ms }, measured);
}

function decoupledPart(figures: BulkheadFigures): ClaimPart {
  const { semaphore, shared } = figures.arms;
  return estimatedPart(
    "With the semaphore the tail of the fast route is decoupled from the slow one.",
    semaphore.overAlone,
    { to: SAME_P99_FACTOR },
    `p99 was ${withInterval(semaphore.overAlone)} times that of the fast route alone; without ` +
      `the semaphore ${withInterval(shared.overAlone)} times. (Up to ${SAME_P99_FACTOR} counts ` +
      "as holding.)",
  );
}

function whateverPart(plan: BulkheadPlan, figures: BulkheadFigures): ClaimPart {
  const { cpu } = figures;
  const text = "That is so whatever the load of the slow route.";
  const { bounded } = figures.arms;
  const more =
    `With four times the burst, ${percent(bounded.fastWaitedRatio)} of the fast requests waited ` +
    `for a connection (p99 ${times(bounded.overAlone.value)} alone).`;
  if (cpu === undefined) {
    return undecided(text, `${more} Slow queries that compute were not tried on this server.`);
  }
  const measured =
    `${more} Where all queries compute, p90 of the fast route is ` +
    `${withInterval(cpu.alone.fastP90)} ms alone, ${withInterval(cpu.cap.fastP90)} ms with ` +
    `${figure(plan.cap)} slow ones at once and ${withInterval(cpu.fewerThanCores.fastP90)} ms ` +
    `with ${figure(plan.cpuCap)}; they add ${withInterval(cpu.cap.overAloneMs)} and ` +
    `${withInterval(cpu.fewerThanCores.overAloneMs)} ms to its p99. ` +
    `${percent(cpu.cap.fastWaitedRatio)} and ${percent(cpu.fewerThanCores.fastWaitedRatio)} of ` +
    "the fast requests waited for a connection. (Up to the " +
    `${GUIDE.p99Ms} ms that p99 may be in all counts as holding.)`;
  // What p90 exceeds, p99 does as well, and more surely so on a machine that stalls now and then.
  const isBeyond = cpu.cap.fastP90.low > GUIDE.p99Ms && cpu.alone.fastP90.high <= GUIDE.p99Ms;
  return isBeyond
    ? part(text, false, measured)
    : estimatedPart(text, cpu.cap.overAloneMs, { to: GUIDE.p99Ms }, measured);
}
