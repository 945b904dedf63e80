// Scenario 2, the guide's statements one by one.

import { claimOf } from "../claim.ts";
import type { Claim, ClaimPart, ScenarioContext } from "../scenario.ts";
import { duration, figure, percent, withInterval } from "../words.ts";
import { GUIDE_RATE_PER_S } from "./02-arms.ts";
import type { IdleFigures } from "./02-findings.ts";

/** What the guide says about idle connections, held against the run. */
export function claimOfIdle(context: ScenarioContext, figures: IdleFigures): Claim {
  const parts = [
    churnPart(figures),
    sequentialPart(figures),
    tailPart(context, figures),
    handshakePart(context),
    closedPart(figures),
  ];
  return claimOf(
    `At ${GUIDE_RATE_PER_S} queries/s without bursts, MaxIdleConns = 2 closes most connections ` +
      "right after use; with as many idle as open, p99 drops by the cost of a handshake, and " +
      "10,000 sequential queries go from 3.5 ms to 0.5 ms each.",
    parts,
    {
      refuted:
        "The setting is right, the workload and the verification are not: neither steady traffic " +
        "of short queries nor one caller needs more than two connections at once " +
        `(${percent(figures.closedPerRequest)} of the requests closed one; ` +
        `${withInterval(figures.sequential["database/sql"])} times as long per query). It takes ` +
        "bursts for the effect to show: there p99 was " +
        `${withInterval(figures.bursts["database/sql"].p99Ratio)} times, by database/sql's rules.`,
      holds: "Every statement came out as the guide says.",
      inconclusive: "What could be decided came out as the guide says.",
    },
  );
}

function churnPart(figures: IdleFigures): ClaimPart {
  return {
    text: "In steady traffic most connections are closed right after use.",
    verdict: figures.closedPerRequest >= 0.5 ? "holds" : "refuted",
    measured:
      `${percent(figures.closedPerRequest)} of the requests closed one, by database/sql's rules; ` +
      `the theory of random arrivals says ${percent(figures.predictedClosedRatio)}.`,
  };
}

function sequentialPart(figures: IdleFigures): ClaimPart {
  const ratio = figures.sequential["database/sql"];
  const same = ratio.low >= 0.9 && ratio.high <= 1.1;
  return {
    text: "10,000 sequential queries take 3.5 ms each before, 0.5 ms after.",
    verdict: same ? "refuted" : ratio.high <= 0.3 ? "holds" : "inconclusive",
    measured:
      `${duration(figures.sequentialTwoMs)} before, ${duration(figures.sequentialAllMs)} after: ` +
      `${withInterval(ratio)} times. One caller finds the connection that it gave back. With no ` +
      `idle connection at all it was ${duration(figures.noneMs)}.`,
  };
}

function tailPart(context: ScenarioContext, figures: IdleFigures): ClaimPart {
  const go = figures.bursts["database/sql"];
  const drop = go.twoP99Ms - go.allP99Ms;
  const enough = drop >= 0.5 * context.calibration.connectP50Ms && go.p99Ratio.high < 1;
  return {
    text: "p99 drops by the cost of a handshake, 3 to 5 ms.",
    verdict: enough ? "holds" : go.p99Ratio.low > 0.9 ? "refuted" : "inconclusive",
    measured:
      `In bursts, by ${duration(drop)}: from ${duration(go.twoP99Ms)} to ` +
      `${duration(go.allP99Ms)} (a connection alone takes ` +
      `${duration(context.calibration.connectP50Ms)} here; eight at once take longer).`,
  };
}

function handshakePart(context: ScenarioContext): ClaimPart {
  const { connectP50Ms, queryP50Ms } = context.calibration;
  const how = [
    context.facts.isTls ? "TLS" : "no TLS",
    context.facts.authentication === "" ? "" : context.facts.authentication,
  ];
  return {
    text: "A connection with TLS costs about 3 ms.",
    verdict: !context.facts.isTls
      ? "inconclusive"
      : connectP50Ms >= 1.5 && connectP50Ms <= 6
        ? "holds"
        : "refuted",
    measured:
      `${duration(connectP50Ms)} (${how.filter((part) => part !== "").join(", ")}), as long as ` +
      `${figure(connectP50Ms / queryP50Ms)} queries. (Half to twice as much counts as holding.)`,
  };
}

function closedPart(figures: IdleFigures): ClaimPart {
  const go = figures.bursts["database/sql"];
  const closed = go.idleClosedAll + figures.steadyIdleClosedAll;
  return {
    text: "MaxIdleClosed drops to zero.",
    verdict: closed === 0 ? "holds" : "refuted",
    measured: `In bursts from ${figure(go.idleClosedTwo)} to ${figure(closed)}.`,
  };
}
