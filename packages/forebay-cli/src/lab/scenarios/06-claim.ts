// Scenario 6, the guide's statements one by one.

import { claimOf, estimatedPart, part, undecided } from "../claim.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { duration, figure, percent, withInterval } from "../words.ts";
import { DELAY_MS, GUIDE } from "./06-arms.ts";
import type { HotFigures } from "./06-findings.ts";
import type { HotMeasured } from "./06-prepared-hot-query.ts";

/** What the guide says about preparing, held against the run. */
export function claimOfHot(measured: HotMeasured, figures: HotFigures): Claim {
  const { server, cachedOverExec } = figures;
  const gist =
    `Prepared, a query took ${withInterval(cachedOverExec)} times as long as with its text each ` +
    `time${server === undefined ? "" : `; the server saved ${withInterval(server.savedUs)} µs`}.`;
  return claimOf(
    "Each call of a query parses its text anew: about 50 µs. A prepared statement brings that " +
      "to 1 or 2 µs, and for a query that is 80 % of the traffic the improvement is noticeable.",
    [
      reparsePart(measured),
      costPart(measured, figures),
      restPart(figures),
      noticeablePart(figures),
      parsePart(measured),
    ],
    {
      holds: `${gist} All of it came out as the guide says.`,
      refuted:
        `${gist} Preparing saves parsing and planning, and that is worth having; the round trip, ` +
        "binding and execution stay. What does not hold is marked.",
      inconclusive: `${gist} What could be decided came out as the guide says.`,
    },
  );
}

function reparsePart({ cachedKept, cachedRuns }: HotMeasured): ClaimPart {
  const runs = cachedKept.customPlans + cachedKept.genericPlans;
  return part(
    "Without a prepared statement of the program, each call parses the text anew.",
    runs < cachedRuns / 2,
    `With Forebay's default, ${figure(runs)} of ${figure(cachedRuns)} runs were runs of a ` +
      "statement that it had prepared by itself. So it is with pgx and postgres.js, not with " +
      "lib/pq, nor with node-postgres where the query has no name.",
  );
}

function costPart({ query }: HotMeasured, { server }: HotFigures): ClaimPart {
  const text = `Parsing and planning costs about ${GUIDE.parseAndPlanUs} µs.`;
  if (server === undefined) {
    return undecided(text, "The server's CPU time cannot be seen from here.");
  }
  return estimatedPart(
    text,
    server.savedUs,
    { from: GUIDE.parseAndPlanUs / 2, to: GUIDE.parseAndPlanUs * 2 },
    `${withInterval(server.savedUs)} µs of the server's CPU time, ${query.name}. (Half to ` +
      "twice as much counts as holding.)",
  );
}

function restPart({ server, cachedMs }: HotFigures): ClaimPart {
  const text = `The overhead of a prepared query is ${GUIDE.leastUs} to ${GUIDE.mostUs} µs.`;
  if (server === undefined) {
    return undecided(
      text,
      `The whole query took ${duration(cachedMs)}; of that, what is the ` +
        "server's cannot be seen from here.",
    );
  }
  return estimatedPart(
    text,
    server.cachedUs,
    { to: GUIDE.mostUs },
    `A prepared query still took ${withInterval(server.cachedUs)} µs of the server's CPU time ` +
      `and ${duration(cachedMs)} in all: Bind, Execute and Sync, and a round trip. Looking up ` +
      "the kept plan alone may well be as little as the guide says; it cannot be told apart " +
      "from outside.",
  );
}

function noticeablePart(figures: HotFigures): ClaimPart {
  const { cachedOverExec, farCachedOverExec } = figures;
  return estimatedPart(
    `For a query that is ${percent(GUIDE.share)} of the traffic the improvement is noticeable.`,
    cachedOverExec,
    { to: 0.95 },
    `${withInterval(cachedOverExec)} times the time: ` +
      `${percent(GUIDE.share * (1 - cachedOverExec.value))} less for all traffic, if the rest ` +
      `stays and takes as long. With a round trip of ${2 * DELAY_MS} ms ` +
      `${withInterval(farCachedOverExec)} times. (0.95 and below counts as noticeable.)`,
  );
}

function parsePart({ cachedKept }: HotMeasured): ClaimPart {
  return part(
    "Verification: Parse is seen once, then Bind and Execute alone.",
    cachedKept.statements === 1 && cachedKept.customPlans + cachedKept.genericPlans > 1,
    `The server kept ${figure(cachedKept.statements)} statement, which it ran ` +
      `${figure(cachedKept.customPlans)} times by a plan for the values and ` +
      `${figure(cachedKept.genericPlans)} times by one for all values (pg_prepared_statements).`,
  );
}
