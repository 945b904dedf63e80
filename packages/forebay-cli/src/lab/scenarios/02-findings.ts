// Scenario 2, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { bootstrap, type Estimate, exact, mean, median, medianRatio, sum } from "../compare.ts";
import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, withInterval } from "../words.ts";
import { BURST, GUIDE_RATE_PER_S, type IdleTurn, type IdleWork, type Rules } from "./02-arms.ts";
import { claimOfIdle } from "./02-claim.ts";
import { armsOfIdle, plotsOfIdle } from "./02-report.ts";
import type { IdleMeasured, IdlePairs } from "./02-idle-equals-open.ts";

/** What ten idle connections do against two, in bursts. */
export interface BurstEffect {
  readonly p50Ratio: Estimate;
  readonly p99Ratio: Estimate;
  /** CPU time a request, of this process and, where it can be seen, of the server. */
  readonly cpuRatio: Estimate;
  readonly twoP99Ms: number;
  readonly allP99Ms: number;
  readonly dialsPerBurstTwo: number;
  readonly dialsTwo: number;
  readonly dialsAll: number;
  readonly waitsTwo: number;
  readonly idleClosedTwo: number;
  readonly idleClosedAll: number;
}

/** Figures derived from the measurements. */
export interface IdleFigures {
  readonly work: IdleWork;
  readonly bursts: Readonly<Record<Rules, BurstEffect>>;
  /** Forebay with all idle over database/sql's rules with two: what a change of both gives. */
  readonly crossP50Ratio: Estimate;
  readonly crossP99Ratio: Estimate;
  /** Response of one caller, all idle over two idle. */
  readonly sequential: Readonly<Record<Rules, Estimate>>;
  /** Response of one caller, none idle over two idle. */
  readonly noneRatio: Estimate;
  readonly sequentialTwoMs: number;
  readonly sequentialAllMs: number;
  readonly noneMs: number;
  /**
   * In the guide's steady traffic with two idle: connections closed for each request, and as theory
   * has it.
   */
  readonly closedPerRequest: number;
  readonly predictedClosedRatio: number;
  readonly steadyIdleClosedAll: number;
  readonly countsServerCpu: boolean;
}

/** Puts the findings together. */
export function describeIdle(
  context: ScenarioContext,
  measured: IdleMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(figures).map(judge);
  const go = figures.bursts["database/sql"];
  const own = figures.bursts.Forebay;
  return {
    headline:
      `In bursts of ten, keeping ten idle instead of two took p99 from ${duration(go.twoP99Ms)} ` +
      `to ${duration(go.allP99Ms)} by database/sql's rules, from ${duration(own.twoP99Ms)} to ` +
      `${duration(own.allP99Ms)} with Forebay; for one caller, p50 to ` +
      `${figure(figures.sequential.Forebay.value)} times what it was.`,
    experiment: experimentText(context, measured),
    claim: claimOfIdle(context, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `With ten idle Forebay dialed ${own.dialsAll} times in all bursts, with two ` +
        `${own.dialsTwo} times; CPU time a request was ${withInterval(own.cpuRatio)} times. Its ` +
        "callers do not wait for dials of their own, so that even with two idle its p99 was " +
        `${duration(own.twoP99Ms)} against ${duration(go.twoP99Ms)} by database/sql's rules.`,
      checks,
    },
    predictions: predictionsOf(context, figures),
    arms: armsOfIdle(measured),
    plots: plotsOfIdle(measured, figures),
    whatToSet: {
      code:
        "openDB(connector, {\n  maxOpenConns: 10,\n" +
        "  maxIdleConns: 10, // Forebay's default: as many as may be open\n" +
        "  connMaxIdleTimeMs: 5 * 60_000, // gives them back when traffic is gone\n})",
      when:
        "Wherever requests overlap. Each connection closed too early costs a new one: " +
        `${duration(context.calibration.connectP50Ms)} here, or ` +
        `${figure(context.calibration.connectP50Ms / context.calibration.queryP50Ms)} queries.`,
      notWhen:
        "Where many instances share a server with few connections, and each is busy for moments " +
        "only: then a short connMaxIdleTimeMs, or a pooler in front, costs less than idle " +
        "backends. For one caller at a time it does not matter " +
        `(${withInterval(figures.sequential.Forebay)} times).`,
    },
    caveats: caveatsOf(context, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: IdleMeasured): IdleFigures {
  const { random } = context;
  const p50 = (turns: readonly IdleTurn[]): number[] =>
    turns.map((turn) => turn.response.percentileMs(50));
  const p99 = (turns: readonly IdleTurn[]): number[] =>
    turns.map((turn) => turn.response.percentileMs(99));
  const { sequential, steady, none } = measured;
  const before = measured.bursts["database/sql"].two;
  const after = measured.bursts.Forebay.all;
  const ratio = (pairs: IdlePairs): Estimate => medianRatio(p50(pairs.two), p50(pairs.all), random);
  const steadyHoldMs = mean(steady.all.map((turn) => turn.serviceMeanMs));
  const load = (measured.work.ratePerS * steadyHoldMs) / 1000;
  return {
    work: measured.work,
    bursts: {
      "database/sql": burstEffect(context, measured.bursts["database/sql"]),
      Forebay: burstEffect(context, measured.bursts.Forebay),
    },
    crossP50Ratio: medianRatio(p50(before), p50(after), random),
    crossP99Ratio: medianRatio(p99(before), p99(after), random),
    sequential: {
      "database/sql": ratio(sequential["database/sql"]),
      Forebay: ratio(sequential.Forebay),
    },
    noneRatio: medianRatio(p50(sequential.Forebay.two), p50(none), random),
    sequentialTwoMs: mean(sequential["database/sql"].two.map((turn) => turn.response.meanMs)),
    sequentialAllMs: mean(sequential["database/sql"].all.map((turn) => turn.response.meanMs)),
    noneMs: mean(none.map((turn) => turn.response.meanMs)),
    closedPerRequest:
      sum(steady.two.map((turn) => turn.maxIdleClosed)) /
      sum(steady.two.map((turn) => turn.requests)),
    predictedClosedRatio: 1 - Math.exp(-load) * (1 + load),
    steadyIdleClosedAll: sum(steady.all.map((turn) => turn.maxIdleClosed)),
    countsServerCpu: measured.bursts.Forebay.two.every((turn) => turn.serverCpuMs !== undefined),
  };
}

function burstEffect(context: ScenarioContext, pairs: IdlePairs): BurstEffect {
  const { random } = context;
  const { two, all } = pairs;
  const at = (turns: readonly IdleTurn[], percentile: number): number[] =>
    turns.map((turn) => turn.response.percentileMs(percentile));
  const cpuMs = (turn: IdleTurn): number => turn.clientCpuMs + (turn.serverCpuMs ?? 0);
  // Over sums, since a turn of a quiet arm takes less CPU time than the clock of /proc can tell.
  const cpuRatio = bootstrap(
    two.map((_, index) => index),
    (indices) => {
      const pick = (turns: readonly IdleTurn[]): IdleTurn[] =>
        indices.map((index) => turns[index]).filter((turn) => turn !== undefined);
      return sum(pick(all).map(cpuMs)) / sum(pick(two).map(cpuMs));
    },
    random,
  );
  const bursts = sum(two.map((turn) => turn.bursts));
  const dialsTwo = sum(two.map((turn) => turn.dials));
  return {
    p50Ratio: medianRatio(at(two, 50), at(all, 50), random),
    p99Ratio: medianRatio(at(two, 99), at(all, 99), random),
    cpuRatio,
    twoP99Ms: median(at(two, 99)),
    allP99Ms: median(at(all, 99)),
    dialsPerBurstTwo: dialsTwo / bursts,
    dialsTwo,
    dialsAll: sum(all.map((turn) => turn.dials)),
    waitsTwo: sum(two.map((turn) => turn.waitCount)),
    idleClosedTwo: sum(two.map((turn) => turn.maxIdleClosed)),
    idleClosedAll: sum(all.map((turn) => turn.maxIdleClosed)),
  };
}

/**
 * Latency is held against database/sql's rules with two idle, not against Forebay with two: there
 * the callers of a burst share the connections that come free while the dials are under way, so
 * that two idle cost CPU time rather than latency, and a ratio within Forebay would belittle the
 * effect.
 *
 * How large the effect is depends on how long the work takes beside a dial. The thresholds are for
 * the scenario's own reads; a statement of the user's must merely not get slower.
 */
function questionsOf(figures: IdleFigures): Question[] {
  const go = figures.bursts["database/sql"];
  const own = figures.bursts.Forebay;
  const { isGiven } = figures.work;
  const latency = { atMost: isGiven ? 1 : 0.35 };
  const whose = figures.countsServerCpu ? "this process and the server" : "this process alone";
  return [
    {
      name: "p50 in bursts, Forebay with ten idle over database/sql's rules with two",
      estimate: figures.crossP50Ratio,
      threshold: latency,
      unit: "×",
    },
    {
      name: "p99 in bursts, Forebay with ten idle over database/sql's rules with two",
      estimate: figures.crossP99Ratio,
      threshold: latency,
      unit: "×",
    },
    {
      name: "CPU time a request in bursts, ten idle over two, Forebay",
      estimate: own.cpuRatio,
      threshold: { atMost: isGiven ? 1 : 0.4 },
      unit: "×",
      note: `Of ${whose}.`,
    },
    {
      name: "Dials in all bursts, ten idle, Forebay",
      estimate: exact(own.dialsAll),
      threshold: { atMost: BURST.requests },
    },
    {
      name: "Dials for each burst, two idle, database/sql's rules",
      estimate: exact(go.dialsPerBurstTwo),
      threshold: { atLeast: isGiven ? 1 : (BURST.requests - 2) / 2 },
      note: isGiven
        ? "The burst needs eight more than are idle."
        : "The burst needs eight more than are idle; at least half of them must be dialed for " +
          "the effect to be there.",
    },
    {
      name: "Closed for too many idle (maxIdleClosed), ten idle, Forebay",
      estimate: exact(own.idleClosedAll),
      threshold: { atMost: 0 },
    },
    {
      name: "One caller: p50 with ten idle over two, Forebay (negative control)",
      estimate: figures.sequential.Forebay,
      threshold: { from: 0.9, to: 1.1 },
      unit: "×",
    },
    {
      name: "One caller: p50 with none idle over two, Forebay",
      estimate: figures.noneRatio,
      threshold: { atLeast: isGiven ? 1 : 10 },
      unit: "×",
    },
  ];
}

function predictionsOf(context: ScenarioContext, figures: IdleFigures): Findings["predictions"] {
  const { calibration } = context;
  return [
    {
      what: "Dials for each burst, two idle, database/sql's rules",
      theory: "ten asked for, two idle",
      predicted: BURST.requests - 2,
      measured: figures.bursts["database/sql"].dialsPerBurstTwo,
      unit: "",
    },
    {
      what: "Requests of the steady traffic that find two connections in use",
      theory:
        "Poisson: 1 - e^-a (1 + a), a = rate times service; a dial that holds up others makes it " +
        "more",
      predicted: figures.predictedClosedRatio * 100,
      measured: figures.closedPerRequest * 100,
      unit: "%",
    },
    {
      what: "One caller, none idle, over two idle",
      theory: "calibration: (connect + query) / query",
      predicted: (calibration.connectP50Ms + figures.work.queryMs) / figures.work.queryMs,
      measured: figures.noneRatio.value,
      unit: "×",
    },
    {
      what: "One caller, ten idle, over two idle",
      theory: "one caller always finds the connection that it gave back",
      predicted: 1,
      measured: figures.sequential.Forebay.value,
      unit: "×",
    },
  ];
}

function experimentText(context: ScenarioContext, measured: IdleMeasured): string {
  const { isGiven, ratePerS, queryMs } = measured.work;
  const tls = context.facts.isTls ? "with TLS" : "without TLS";
  const reads = isGiven
    ? `runs of your statement (${duration(queryMs)} each, alone)`
    : "single-row reads";
  return (
    `Bursts of ${BURST.requests} ${reads} at once, every ${BURST.everyMs} ms, ` +
    `connections ${tls}: ten may be open, two or ten may stay idle, by database/sql's rules (a ` +
    `model of them: each caller dials for itself) and in Forebay's pool. ${measured.rounds} ` +
    "rounds, forward and backward in turn. Controls: one caller, one read after the other, with " +
    `two, ten and no idle connections; and ${ratePerS} random requests a second ` +
    `(${steadyText(measured.work)}). Nothing is scaled in time.`
  );
}

function steadyText({ ratePerS }: IdleWork): string {
  return ratePerS === GUIDE_RATE_PER_S
    ? "the guide's rate"
    : `the guide's ${GUIDE_RATE_PER_S} would take too much of the processors with this statement`;
}

function caveatsOf(context: ScenarioContext, figures: IdleFigures): string[] {
  const go = figures.bursts["database/sql"];
  const caveats = [
    "database/sql itself is not run: its rules are, over the same driver, so that the pool alone " +
      "differs.",
    "Waiting for a dial is not in WaitCount: by database/sql's rules with two idle it was " +
      `${figure(go.waitsTwo)} after ${figure(go.dialsTwo)} dials. Look at MaxIdleClosed ` +
      `(${figure(go.idleClosedTwo)}).`,
    "Client and server share this machine, so the CPU time of dials slows the requests that " +
      "share the burst with them.",
  ];
  if (!figures.countsServerCpu) {
    caveats.push(
      "The server's CPU time cannot be seen from here; the CPU ratio is of this process alone.",
    );
  }
  if (figures.work.isGiven) {
    caveats.push(
      "How large the effect is depends on how long a statement takes beside a dial. Checks of " +
        "its size are for the scenario's own reads; of yours it is only asked that it gets no " +
        "slower.",
    );
  }
  if (context.isQuick)
    caveats.push("Quick run: few bursts, so p99 is nearly the longest of each turn.");
  return caveats;
}
