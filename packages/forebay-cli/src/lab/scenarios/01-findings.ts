// Scenario 1, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import {
  bootstrap,
  type Estimate,
  exact,
  mapEstimate,
  mean,
  median,
  medianRatio,
  sum,
} from "../compare.ts";
import { erlangC, fluidBurst, longRunWaitedRatio } from "../queueing.ts";
import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { figure, percent, withInterval } from "../words.ts";
import type { BurstTurn, SteadyTurn } from "./01-arms.ts";
import { armsOfLittle } from "./01-report-arms.ts";
import { claimOfLittle } from "./01-claim.ts";
import type { LittleMeasured } from "./01-littles-law.ts";
import { GUIDE, STRETCH } from "./01-plan.ts";
import { plotsOfLittle } from "./01-plots.ts";

/** The share that waits at one size: predicted, counted, and freed from the luck of the draw. */
export interface WaitedShare {
  readonly size: number;
  /** By Erlang's formula, for the load as planned and for the one that the measured holds make. */
  readonly erlang: number;
  readonly erlangMeasured: number;
  readonly counted: number;
  /** In an ideal queue on the very same arrivals and holds. */
  readonly ideal: number;
  /**
   * `counted`, less what the ideal queue shows on these arrivals, plus what it shows in the long
   * run.
   */
  readonly corrected: Estimate;
}

/** Figures derived from the measurements, on which verdicts, plots and sentences draw. */
export interface LittleFigures {
  readonly shares: readonly WaitedShare[];
  readonly chosenShare: WaitedShare;
  readonly probeShare: WaitedShare;
  readonly p99Ratio: Estimate;
  /** Connections in use: the pool's count over rate times mean hold. */
  readonly littleRatio: Estimate;
  readonly inUse: Estimate;
  readonly holdMeanMs: number;
  /** Rate as planned, times mean hold as measured. */
  readonly measuredLoad: number;
  /**
   * Total wait over all sizes of the sweep, over that of an ideal queue on the same arrivals and
   * holds.
   */
  readonly queueRatio: Estimate;
  readonly peakChosen: number;
  readonly burst: BurstFigures;
  readonly knee: KneeFigures;
}

/** What the bursts come down to. */
export interface BurstFigures {
  readonly unlimitedErrorRatio: number;
  readonly forebayUnlimitedErrorRatio: number;
  readonly chosenErrors: number;
  readonly errorRatio: number;
  readonly dialsRefusedRatio: number;
  readonly chosenLongestWaitMs: number;
  readonly bigLongestWaitMs: number;
  readonly fluidChosenMs: number;
  readonly fluidBigMs: number;
}

/** Where more connections stop helping work that needs the processor. */
export interface KneeFigures {
  readonly size: number;
  readonly largest: number;
  readonly throughputRatio: Estimate;
  readonly p99Ratio: Estimate;
}

/** Puts the findings together. */
export function describeLittle(
  context: ScenarioContext,
  measured: LittleMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(measured, figures).map(judge);
  const { plan } = measured;
  const verdict = verdictOf(checks);
  return {
    headline:
      `${plan.chosen} connections carried ${figure(plan.ratePerS)} requests/s of ` +
      `${figure(figures.holdMeanMs)} ms on average: ${percent(figures.chosenShare.counted)} ` +
      "waited, and twice as many connections moved p99 by a factor of " +
      `${figure(figures.p99Ratio.value)}.`,
    experiment: experimentText(context, measured),
    claim: claimOfLittle(measured, figures),
    forebay: {
      verdict,
      why:
        `At ${plan.chosen} connections the pool kept to its limit (peak ${figures.peakChosen} ` +
        `backends), its queue waited ${figure(figures.queueRatio.value)} times as long as an ` +
        `ideal first-come queue on the same arrivals, and ${figures.burst.chosenErrors} requests ` +
        "of the burst failed.",
      checks,
    },
    predictions: predictionsOf(measured, figures),
    arms: armsOfLittle(measured, figures),
    plots: plotsOfLittle(measured, figures),
    whatToSet: adviceOf(measured, figures),
    caveats: caveatsOf(context, measured, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: LittleMeasured): LittleFigures {
  const { plan, chosen, big, sweep } = measured;
  const { random } = context;
  const sizes = [...sweep, { size: plan.chosen, turns: chosen }, { size: plan.big, turns: big }];
  const shares = sizes.map(({ size, turns }) => shareOf(context, measured, size, turns));
  const share = (size: number): WaitedShare => {
    const found = shares.find((one) => one.size === size);
    if (found === undefined) throw new RangeError(`no turns at size ${size}`);
    return found;
  };
  const steady = [...chosen, ...big];
  const perTurn = (turn: SteadyTurn): number =>
    (turn.requests * mean([...turn.holdsMs])) / turn.durationMs;
  const queued = sweep.flatMap(({ turns }) => turns);
  const holdMeanMs = mean(steady.flatMap((turn) => [...turn.holdsMs]));
  return {
    shares,
    chosenShare: share(plan.chosen),
    probeShare: share(plan.probe),
    p99Ratio: medianRatio(
      big.map((turn) => turn.response.percentileMs(99)),
      chosen.map((turn) => turn.response.percentileMs(99)),
      random,
    ),
    littleRatio: bootstrap(
      steady.map((turn) => turn.meanInUse / perTurn(turn)),
      median,
      random,
    ),
    inUse: bootstrap(
      steady.map((turn) => (turn.meanInUse * turn.durationMs) / plan.turnMs),
      mean,
      random,
    ),
    holdMeanMs,
    measuredLoad: (plan.ratePerS * holdMeanMs) / 1000,
    queueRatio: queueRatioOf(context, queued.length > 0 ? queued : [measured.tooFew, ...chosen]),
    peakChosen: Math.max(
      ...chosen.map((turn) => turn.peakBackends),
      ...measured.bursts.chosen.map((turn) => turn.backends.peak),
    ),
    burst: burstFiguresOf(measured),
    knee: kneeOf(context, measured),
  };
}

/**
 * In a few seconds only a handful of independent crowds form, so a plain count of those that wait
 * at the chosen size varies by its own size from run to run. The ideal queue on the very same
 * arrivals has the very same luck: the difference between pool and ideal queue is what the pool
 * adds, and the ideal queue's long run, simulated with the measured holds, is free of luck. (A
 * control variate: Ross, Simulation, 5th ed. 2013, sec. 9.2.)
 */
function shareOf(
  context: ScenarioContext,
  measured: LittleMeasured,
  size: number,
  turns: readonly SteadyTurn[],
): WaitedShare {
  const { plan } = measured;
  const holds = turns.flatMap((turn) => [...turn.holdsMs]);
  const longRun = longRunWaitedRatio(size, 1000 / plan.ratePerS, holds, context.random);
  const excess = bootstrap(
    turns.map((turn) => turn.waitedRatio - turn.idealWaitedRatio),
    mean,
    context.random,
  );
  return {
    size,
    erlang: erlangC(size, plan.load),
    erlangMeasured: erlangC(size, (plan.ratePerS * mean(holds)) / 1000),
    counted: mean(turns.map((turn) => turn.waitedRatio)),
    ideal: mean(turns.map((turn) => turn.idealWaitedRatio)),
    corrected: mapEstimate(excess, (more) => Math.max(0, longRun + more)),
  };
}

/**
 * Sums over the resampled turns, so that a turn in which almost nobody waited weighs as little as
 * it should.
 */
function queueRatioOf(context: ScenarioContext, turns: readonly SteadyTurn[]): Estimate {
  const indices = turns.map((_, index) => index);
  const ratio = (chosen: readonly number[]): number => {
    const of = chosen.map((index) => turns[index]).filter((turn) => turn !== undefined);
    return (
      sum(of.map((turn) => turn.waitsMs.reduce((all, wait) => all + wait, 0))) /
      sum(of.map((turn) => turn.idealWaitMs))
    );
  };
  return bootstrap(indices, ratio, context.random);
}

function burstFiguresOf(measured: LittleMeasured): BurstFigures {
  const { plan, bursts } = measured;
  const failed = (turns: readonly BurstTurn[]): number => sum(turns.map((t) => t.failedBurst));
  const asked = (turns: readonly BurstTurn[]): number => sum(turns.map((t) => t.burstRequests));
  const longest = (turns: readonly BurstTurn[]): number =>
    median(turns.map((turn) => turn.longestWaitMs));
  const refused = sum(bursts.unlimited.map((turn) => turn.stats.dialErrorCount));
  const dials = refused + sum(bursts.unlimited.map((turn) => turn.stats.dialCount));
  const unlimitedErrorRatio = failed(bursts.unlimited) / asked(bursts.unlimited);
  const chosenErrors = failed(bursts.chosen);
  const fluid = (size: number): number =>
    fluidBurst((plan.ratePerS * 10) / 1000, size / plan.shape.mean, plan.burstMs).longestWait;
  return {
    unlimitedErrorRatio,
    forebayUnlimitedErrorRatio: failed(bursts.forebayUnlimited) / asked(bursts.forebayUnlimited),
    chosenErrors,
    errorRatio: chosenErrors / asked(bursts.chosen) / unlimitedErrorRatio,
    dialsRefusedRatio: refused / dials,
    chosenLongestWaitMs: longest(bursts.chosen),
    bigLongestWaitMs: longest(bursts.big),
    fluidChosenMs: fluid(plan.chosen),
    fluidBigMs: fluid(plan.big),
  };
}

/** The knee: the fewest connections that reach 95 % of the best throughput. */
function kneeOf(context: ScenarioContext, measured: LittleMeasured): KneeFigures {
  const { points } = measured.cpu;
  const best = Math.max(...points.map((point) => median(point.perS)));
  const knee = points.find((point) => median(point.perS) >= 0.95 * best) ?? points[0];
  const last = points.at(-1);
  if (knee === undefined || last === undefined) throw new RangeError("no sizes were run");
  return {
    size: knee.size,
    largest: last.size,
    throughputRatio: medianRatio(knee.perS, last.perS, context.random),
    p99Ratio: medianRatio(knee.p99Ms, last.p99Ms, context.random),
  };
}

function questionsOf(measured: LittleMeasured, figures: LittleFigures): Question[] {
  const { plan } = measured;
  const { chosenShare, probeShare } = figures;
  const counts = (share: WaitedShare): string =>
    `Counted ${percent(share.counted)}; an ideal queue on the same arrivals ` +
    `${percent(share.ideal)}; Erlang's formula ${percent(share.erlang)} as planned, ` +
    `${percent(share.erlangMeasured)} for the measured load.`;
  const questions: Question[] = [
    {
      name: `Share of requests that waited, ${plan.chosen} connections`,
      estimate: chosenShare.corrected,
      threshold: { atMost: 0.015 },
      note: `Freed from the luck of the draw. ${counts(chosenShare)}`,
      voidedBy: loadVoidedBy(measured, figures),
    },
    ...[probeShare, chosenShare].map((share) => ({
      name:
        `Share that waited, measured over predicted for the measured load, ${share.size} ` +
        "connections",
      estimate: mapEstimate(share.corrected, (value) => value / share.erlangMeasured),
      threshold: { from: 0.5, to: 2 },
      unit: "×",
      note: counts(share),
    })),
    {
      name: "Total wait over that of an ideal first-come queue on the same arrivals",
      estimate: figures.queueRatio,
      isRobust: true,
      threshold: { from: 0.9, to: 1.2 },
      unit: "×",
      note: `At ${measured.sweep.map(({ size }) => size).join(", ")} connections.`,
    },
    {
      name: `p99 with ${plan.chosen} over p99 with ${plan.big} connections`,
      estimate: figures.p99Ratio,
      threshold: { atMost: 1.1 },
      unit: "×",
      note: `${plan.pairs} pairs, each on the same arrivals.`,
    },
    {
      name: `Most backends seen, ${plan.chosen} connections, bursts included`,
      estimate: exact(figures.peakChosen),
      threshold: { atMost: plan.chosen },
    },
    {
      name: "Connections in use: the pool's count over rate times mean hold (Little's law)",
      estimate: figures.littleRatio,
      isRobust: true,
      threshold: { from: 0.97, to: 1.03 },
      unit: "×",
    },
  ];
  return plan.mayExhaust ? [...questions, ...burstQuestions(measured, figures)] : questions;
}

function burstQuestions(measured: LittleMeasured, figures: LittleFigures): Question[] {
  const { plan } = measured;
  const { burst } = figures;
  return [
    {
      name: `Failed requests of the burst, ${plan.chosen} connections over no limit`,
      estimate: exact(burst.errorRatio),
      threshold: { atMost: 0.01 },
      unit: "×",
      note: `No limit, database/sql's rules: ${percent(burst.unlimitedErrorRatio)} failed.`,
    },
    {
      name: "Failed requests of the burst without a limit, Forebay over database/sql's rules",
      estimate: exact(burst.forebayUnlimitedErrorRatio / burst.unlimitedErrorRatio),
      threshold: { atMost: 0.01 },
      unit: "×",
      note:
        "A refused dial is tried again later, and not the end of a request: the connections that " +
        "there are serve it.",
    },
  ];
}

/**
 * Requests that sleep take longer than planned on a machine that does not wake them: then more of
 * them wait, rightly.
 */
function loadVoidedBy(measured: LittleMeasured, figures: LittleFigures): string | undefined {
  const { load } = measured.plan;
  if (figures.measuredLoad <= 1.08 * load) return undefined;
  return (
    "requests held connections for longer than they were told to, which makes the load " +
    `${figure(figures.measuredLoad)} instead of ${figure(load)}.`
  );
}

function predictionsOf(measured: LittleMeasured, figures: LittleFigures): Findings["predictions"] {
  const { plan } = measured;
  return [
    {
      what: "Connections in use, on average",
      theory: "Little's law: rate times mean time",
      predicted: plan.load,
      measured: figures.inUse.value,
      unit: "",
    },
    ...figures.shares.map((share) => ({
      what: `Share of requests that wait, ${share.size} connections`,
      theory: "Erlang's delay formula",
      predicted: share.erlang * 100,
      measured: share.corrected.value * 100,
      unit: "%",
    })),
    {
      what: `Longest wait in the burst, ${plan.chosen} connections`,
      theory: "fluid model: backlog over capacity",
      predicted: figures.burst.fluidChosenMs,
      measured: figures.burst.chosenLongestWaitMs,
      unit: "ms",
    },
    {
      what: `Longest wait in the burst, ${plan.big} connections`,
      theory: "fluid model: backlog over capacity",
      predicted: figures.burst.fluidBigMs,
      measured: figures.burst.bigLongestWaitMs,
      unit: "ms",
    },
  ];
}

function experimentText(context: ScenarioContext, measured: LittleMeasured): string {
  const { plan } = measured;
  const scaled =
    plan.ratePerS === GUIDE.ratePerS / STRETCH
      ? `Time is stretched ${STRETCH} times against the guide (${figure(plan.ratePerS)} ` +
        `requests/s, p50 ${figure(plan.p50Ms)} ms, p99 ${figure(plan.p99Ms)} ms), so the load is ` +
        `the guide's: ${figure(plan.load)} connections in use.`
      : `The server leaves ${context.facts.budget} connections, so the rate is ` +
        `${figure(plan.ratePerS)}/s and the load ${figure(plan.load)} connections in use instead ` +
        `of 7.88; times are the guide's times ${STRETCH}.`;
  return (
    "Requests come at random (Poisson), whether or not earlier ones were served, and sleep on " +
    `the server for lognormal times. ${scaled} ${plan.pairs} pairs of turns A B B A compare ` +
    `${plan.chosen} with ${plan.big} connections, both turns of a pair on the same arrivals; ` +
    `${plan.tooFew} connections (rate times median) are the negative control. Then bursts of ten ` +
    `times the rate for ${figure(plan.burstMs)} ms, and work that needs the processor. ` +
    context.facts.budgetNote
  );
}

function adviceOf(measured: LittleMeasured, figures: LittleFigures): Findings["whatToSet"] {
  const { plan } = measured;
  return {
    code:
      `openDB(connector, {\n  maxOpenConns: ${plan.chosen},\n` +
      "  acquireTimeoutMs: 2000, // a burst must end somewhere\n})",
    when:
      `For ${figure(plan.ratePerS)} requests/s that hold a connection for ` +
      `${figure(figures.holdMeanMs)} ms on average. Count the time for which a request holds its ` +
      "connection, with its thinking and its round trips, and take its mean; then the fewest " +
      "connections for which Erlang's formula lets one per cent wait.",
    notWhen:
      "Not above the server's share: work that needs its processors was no faster with " +
      `${figures.knee.largest} than with ${figures.knee.size} connections here (throughput ` +
      `${withInterval(figures.knee.throughputRatio)} times, p99 ` +
      `${withInterval(figures.knee.p99Ratio)} times). And not where several instances share ` +
      "max_connections: divide first.",
  };
}

function caveatsOf(
  context: ScenarioContext,
  measured: LittleMeasured,
  figures: LittleFigures,
): string[] {
  const { plan, tooFew, tooFewArrivalMs } = measured;
  const caveats = [
    `A limit does not make a burst vanish, it makes it wait: with ${plan.chosen} connections the ` +
      "last request of a burst of ten times the rate waited " +
      `${figure(figures.burst.chosenLongestWaitMs)} ms (the fluid model says ` +
      `${figure(figures.burst.fluidChosenMs)} ms). An acquire timeout or a bounded queue decides ` +
      "who is turned away.",
    `${plan.tooFew} connections cannot carry the load: of ${tooFew.requests} requests in ` +
      `${figure(tooFewArrivalMs)} ms the slowest took ${figure(tooFew.response.maxMs)} ms, and ` +
      "it grows for as long as the load lasts.",
    "The requests sleep; they do not compete for the server's processors, disks and locks as " +
      "real ones do. The last plot shows what happens when they do.",
  ];
  if (!plan.mayExhaust) {
    caveats.push(
      "The arms without a limit were not run: they would have used up the connections of a " +
        "server that is not the lab's.",
    );
  }
  if (context.isQuick) caveats.push("Quick run: short turns, so the intervals are wide.");
  return caveats;
}
