// Scenario 1, the guide's statements one by one.

import type { Claim, ClaimPart, ClaimVerdict } from "../scenario.ts";
import { duration, figure, percent, withInterval } from "../words.ts";
import type { LittleFigures } from "./01-findings.ts";
import type { LittleMeasured } from "./01-littles-law.ts";
import { BURST_FACTOR, GUIDE } from "./01-plan.ts";

/** What the guide says about sizing, held against the run. */
export function claimOfLittle(measured: LittleMeasured, figures: LittleFigures): Claim {
  const arithmetic = arithmeticPart(measured, figures);
  const parts = [
    arithmetic,
    ...exhaustionParts(measured, figures),
    tailPart(measured, figures),
    waitCountPart(measured, figures),
    backendsPart(measured, figures),
    boundedPart(measured, figures),
  ];
  return {
    text:
      `${figure(GUIDE.ratePerS)} queries/s with p50 2 ms and p99 30 ms need 4 connections at p50 ` +
      `and 60 at p99; twice that, ${GUIDE.size}, is the limit to set. Then the server stops ` +
      "refusing connections, p99 stays, and waits stay bounded.",
    verdict: overall(parts),
    why:
      arithmetic.verdict === "refuted"
        ? "The cure is right, the arithmetic is not: Little's law takes the mean, not the " +
          `median. ${figure(figures.inUse.value)} connections were in use, not ` +
          `${figure(measured.plan.tooFew)}; and with ${measured.plan.chosen} connections p99 was ` +
          `${figure(figures.p99Ratio.value)} times that with ${measured.plan.big}.`
        : `${withInterval(figures.inUse)} connections were in use; rate times median is ` +
          `${figure(measured.plan.tooFew)}, rate times mean ${figure(figures.measuredLoad)}.`,
    parts,
  };
}

function overall(parts: readonly ClaimPart[]): ClaimVerdict {
  if (parts.some((part) => part.verdict === "refuted")) return "refuted";
  return parts.every((part) => part.verdict === "holds") ? "holds" : "inconclusive";
}

function arithmeticPart(measured: LittleMeasured, figures: LittleFigures): ClaimPart {
  const { plan } = measured;
  const { inUse } = figures;
  const near = (value: number): boolean => Math.abs(value - plan.tooFew) <= 0.15 * plan.tooFew;
  const beyond = inUse.low > 1.15 * plan.tooFew;
  return {
    text: `Connections in use are rate times median: ${figure(plan.tooFew)}.`,
    verdict: beyond ? "refuted" : near(inUse.low) && near(inUse.high) ? "holds" : "inconclusive",
    measured:
      `${withInterval(inUse)} were in use. Rate times mean gives ${figure(plan.load)} as planned ` +
      `and ${figure(figures.measuredLoad)} with the mean as measured; with ${plan.tooFew} ` +
      `connections the slowest of ${measured.tooFew.requests} requests took ` +
      `${duration(measured.tooFew.response.maxMs)}.`,
  };
}

function exhaustionParts(measured: LittleMeasured, figures: LittleFigures): ClaimPart[] {
  const { burst } = figures;
  const [first] = measured.bursts.unlimited;
  if (first === undefined) {
    return [
      {
        text: "Without a limit, a spike exceeds max_connections and connects fail.",
        verdict: "inconclusive",
        measured: "Not run: the server is not the lab's to be driven into its limit.",
      },
    ];
  }
  const { dialsRefusedRatio } = burst;
  return [
    {
      text: "Without a limit, a spike exceeds max_connections and connects fail.",
      verdict: burst.unlimitedErrorRatio >= 0.05 ? "holds" : "refuted",
      measured:
        `By database/sql's rules without a limit, ${percent(burst.unlimitedErrorRatio)} of the ` +
        `burst's requests failed (${describeFailures(first.failures)} in the first), with at ` +
        `most ${first.backends.peak} backends. In Forebay's pool without a limit, ` +
        `${percent(burst.forebayUnlimitedErrorRatio)} failed: a refused dial is not the end of a ` +
        "request there.",
    },
    {
      text: "Half of the connect attempts fail.",
      verdict: dialsRefusedRatio >= 0.4 && dialsRefusedRatio <= 0.6 ? "holds" : "refuted",
      measured:
        `${percent(dialsRefusedRatio)} of them failed. The share is whatever demand exceeds the ` +
        "limit by; the guide's own 5,000 against 200 would be 96 %.",
    },
  ];
}

function describeFailures(failures: Readonly<Record<string, number>>): string {
  const kinds = Object.entries(failures).sort(([, a], [, b]) => b - a);
  return kinds.map(([kind, count]) => `${figure(count)} × ${kind}`).join(", ");
}

function tailPart(measured: LittleMeasured, figures: LittleFigures): ClaimPart {
  const { p99Ratio } = figures;
  const holds = p99Ratio.high <= 1.1;
  return {
    text: "With the limit, p99 is unchanged.",
    verdict: holds ? "holds" : p99Ratio.low > 1.1 ? "refuted" : "inconclusive",
    measured:
      `Under steady load, p99 with ${measured.plan.chosen} connections was ` +
      `${withInterval(p99Ratio)} times that with ${measured.plan.big}.`,
  };
}

function waitCountPart(measured: LittleMeasured, figures: LittleFigures): ClaimPart {
  const { plan } = measured;
  const big = figures.shares.find((share) => share.size === plan.big) ?? figures.chosenShare;
  const generous = big.corrected.high < 0.01;
  return {
    text: "WaitCount grows by less than 1 % of the queries.",
    verdict: generous ? "holds" : big.corrected.low > 0.01 ? "refuted" : "inconclusive",
    measured:
      `With ${plan.big} connections ${percent(big.counted)} waited; with ${plan.chosen}, ` +
      `${percent(figures.chosenShare.counted)} (in the long run ` +
      `${percent(figures.chosenShare.corrected.value)}; Erlang's formula: ` +
      `${percent(figures.chosenShare.erlang)}).`,
  };
}

function backendsPart(measured: LittleMeasured, figures: LittleFigures): ClaimPart {
  const { plan } = measured;
  return {
    text: "pg_stat_activity never shows more than the limit.",
    verdict: figures.peakChosen <= plan.chosen ? "holds" : "refuted",
    measured:
      `With a limit of ${plan.chosen}, at most ${figures.peakChosen} backends were seen, bursts ` +
      "included.",
  };
}

function boundedPart(measured: LittleMeasured, figures: LittleFigures): ClaimPart {
  const { plan } = measured;
  const { chosenLongestWaitMs, fluidChosenMs } = figures.burst;
  const small = chosenLongestWaitMs <= 2 * plan.p99Ms;
  return {
    text: "The wait for a connection rises a little, and is bounded.",
    verdict: small ? "holds" : "refuted",
    measured:
      `Under steady load, yes. In a burst of ${BURST_FACTOR} times the rate for ` +
      `${duration(plan.burstMs)} a request waited up to ${duration(chosenLongestWaitMs)} (fluid ` +
      `model: ${duration(fluidChosenMs)}): nothing but the end of the burst, or an acquire ` +
      "timeout, bounds it.",
  };
}
