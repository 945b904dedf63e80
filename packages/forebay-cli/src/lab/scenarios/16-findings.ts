// Scenario 16, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { coresOfMachine } from "../../server/affinity.ts";
import { lawError } from "../../bench/closed-load.ts";
import { type Bound, judgeLoad } from "../../bench/verdict.ts";
import type { ChunkedTurn } from "../chunks.ts";
import {
  bootstrap,
  type Estimate,
  exact,
  mapEstimate,
  median,
  medianRatio,
  sum,
} from "../compare.ts";
import { latencyPlot } from "../plot.ts";
import { closedWaitMs } from "../queueing.ts";
import type { Arm, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { measuresOf, responseOf } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, listed, percent, times, withInterval } from "../words.ts";
import {
  type BenchRun,
  type BenchTotals,
  BUSY_MS,
  type OpenRun,
  SLEEP,
  SLEEP_MS,
  SLOWED_RATIO,
  totalsOf,
  type Twins,
} from "./16-arms.ts";
import type { BenchMeasured } from "./16-benchmark-template.ts";
import { claimOfBench } from "./16-claim.ts";
import { processesArms, processesGain, processesSentence } from "./16-processes.ts";

/** A case whose bottleneck is known, and what was made of it. */
interface KnownCase {
  readonly what: string;
  readonly truth: Bound;
  readonly said: Bound;
}

/** Figures derived from the measurements. */
export interface BenchFigures {
  readonly templateWaits: number;
  readonly templateRequests: number;
  readonly templateCallers: readonly number[];
  /** The template's arm with the most callers. */
  readonly widest: BenchTotals;
  readonly widestCallers: number;
  readonly crowded: BenchTotals;
  /** Throughput of the whole pool over the half one. */
  readonly fastGain: Estimate;
  readonly slowGain: Estimate;
  readonly fastWaits: number;
  readonly slowWaits: number;
  /** CPU time of a query in the twin, and in the slowed arm, over the same. */
  readonly twinRatio: Estimate;
  readonly slowedRatio: Estimate;
  /** Of the arm that differs most from the response-time law. */
  readonly lawError: Estimate;
  /** The wait of the crowded arm over what theory says. */
  readonly waitRatio: number;
  readonly cases: readonly KnownCase[];
}

const ADVICE: Findings["whatToSet"] = {
  code:
    "const before = db.stats()\n" +
    "// closed: callers = 1, max, 4 × max, each await db.queryRow(sql) in a loop\n" +
    "// open: requests at 50, 80 and 95 % of the peak, timed from when they were due\n" +
    "const after = db.stats()\n" +
    "const waits = (after.waitCount - before.waitCount) / requests\n" +
    "const waitMs = (after.waitDurationMs - before.waitDurationMs) / requests\n" +
    "// and performance.eventLoopUtilization(): above 0.85 this process is the bottleneck\n" +
    "// Go: b.SetParallelism(n) starts n × GOMAXPROCS goroutines; divide WaitCount by b.N · " +
    "pg: pool.waitingCount · HikariCP: hikaricp.connections.acquire",
  when:
    "For every change of the pool: with more callers than connections, or the pool has nothing " +
    "to do. With a statement of your own: SELECT 1 times the client.",
  notWhen:
    "A closed load says nothing about latency under real traffic, where requests come whether or " +
    "not others have ended: for that the open load.",
};

/** Puts the findings together. */
export function describeBench(
  context: ScenarioContext,
  measured: BenchMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(measured, figures).map(judge);
  const { crowded } = figures;
  return {
    headline:
      `With ${listed(figures.templateCallers.map(String))} callers on ${measured.size} ` +
      `connections the guide's benchmark counted ${figure(figures.templateWaits)} waits in ` +
      `${figure(figures.templateRequests)} queries; with ${measured.crowded.arm.callers} callers ` +
      `${figure(crowded.waitsPerRequest)} a query. There twice the pool gave ` +
      `${withInterval(figures.fastGain)} times the throughput of ${measured.statement.name}, and ` +
      `${withInterval(figures.slowGain)} times that of a query of ${SLEEP_MS} ms.`,
    experiment: experimentText(measured),
    claim: claimOfBench(measured, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Response times are within ${percent(figures.lawError.value)} of callers over ` +
        `throughput; a query waited ${duration(crowded.waitPerRequestMs)} for a connection, ` +
        `${times(figures.waitRatio)} what theory says; of two identical arms one took ` +
        `${withInterval(figures.twinRatio)} times the CPU time of the other.`,
      checks,
    },
    predictions: predictionsOf(measured, figures),
    arms: armsOf(measured),
    plots: plotsOf(measured, figures),
    whatToSet: ADVICE,
    caveats: caveatsOf(context, measured, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: BenchMeasured): BenchFigures {
  const { random } = context;
  const perS = ({ turns }: BenchRun): number[] =>
    turns.map(({ steady }) => (steady.requests / steady.durationMs) * 1000);
  const cpuMs = (turns: readonly ChunkedTurn[]): number[] => turns.map((turn) => turn.cpuMs);
  const { twins } = measured;
  const gain = (over: BenchRun, under: BenchRun): Estimate =>
    medianRatio(perS(under), perS(over), random);
  const widest = measured.template.at(-1) ?? measured.equal;
  const crowded = totalsOf(measured.crowded);
  const { callers, size } = measured.crowded.arm;
  return {
    templateWaits: sum(
      measured.template.flatMap(({ turns }) => turns.map((turn) => turn.steady.waits)),
    ),
    templateRequests: sum(measured.template.map((run) => totalsOf(run).requests)),
    templateCallers: measured.template.map(({ arm }) => arm.callers),
    widest: totalsOf(widest),
    widestCallers: widest.arm.callers,
    crowded,
    fastGain: gain(measured.fastWhole, measured.fastHalf),
    slowGain: gain(measured.slowWhole, measured.slowHalf),
    fastWaits: totalsOf(measured.fastHalf).waitsPerRequest,
    slowWaits: totalsOf(measured.slowHalf).waitsPerRequest,
    twinRatio: medianRatio(cpuMs(twins.same), cpuMs(twins.twin), random),
    slowedRatio: medianRatio(cpuMs(twins.same), cpuMs(twins.slowed), random),
    lawError: largest(closedRuns(measured).map((run) => lawErrorOf(context, run))),
    waitRatio: crowded.waitPerRequestMs / closedWaitMs({ ...crowded, callers, size }),
    cases: [
      knownCase(context, measured, `${BUSY_MS} ms of this process`, "loop-bound", measured.busy),
      knownCase(context, measured, `${SLEEP_MS} ms, many callers`, "pool-bound", measured.slowHalf),
      knownCase(
        context,
        measured,
        `${SLEEP_MS} ms, a connection each`,
        "query-bound",
        measured.slowRoomy,
      ),
    ],
  };
}

/** Those whose response time is short beside a turn. */
function closedRuns(measured: BenchMeasured): readonly BenchRun[] {
  const { template, equal, crowded, fastHalf, fastWhole } = measured;
  return [...template, equal, crowded, fastHalf, fastWhole];
}

/** The median over its turns. */
function lawErrorOf({ random }: ScenarioContext, { arm, turns }: BenchRun): Estimate {
  const errors = turns.map(({ steady: { requests: ops, responseMs, durationMs } }) =>
    lawError({ ops, responseMs, activeMs: arm.callers * durationMs }),
  );
  return bootstrap(errors, median, random);
}

function largest(estimates: readonly Estimate[]): Estimate {
  const [first = exact(Number.NaN), ...others] = estimates;
  return others.reduce((most, one) => (one.value > most.value ? one : most), first);
}

/** By the verdict of `forebay bench`. */
function knownCase(
  { facts }: ScenarioContext,
  { statement }: BenchMeasured,
  what: string,
  truth: Bound,
  run: BenchRun,
): KnownCase {
  const totals = totalsOf(run);
  const { serverBusyCores } = totals;
  const { bound } = judgeLoad({
    meanMs: totals.meanMs,
    waitMsPerOp: totals.waitPerRequestMs,
    lateMsPerOp: 0,
    loopUtilisationRatio: totals.utilisationRatio,
    clientCpuMsPerOp: totals.clientCpuPerRequestMs,
    serverCpuRatio: serverBusyCores === undefined ? undefined : serverBusyCores / facts.cores,
    aloneMs: run.arm.sql === SLEEP ? SLEEP_MS + 1 : statement.aloneMs,
  });
  return { what, truth, said: bound };
}

/** What two identical arms may differ by. */
const SAME = { from: 0.95, to: 1.05 } as const;

function questionsOf(measured: BenchMeasured, figures: BenchFigures): Question[] {
  const equal = totalsOf(measured.equal);
  const { cases } = figures;
  // Where two arms differ that are one and the same, it is the machine that tells them apart.
  const { low, high } = figures.twinRatio;
  const isSame = (low <= 1 && high >= 1) || (low >= SAME.from && high <= SAME.to);
  const differing = isSame
    ? undefined
    : `two identical arms differed by a factor of ${withInterval(figures.twinRatio)}.`;
  return [
    {
      name: "Waits a query, no more callers than connections",
      estimate: exact(Math.max(equal.waitsPerRequest, figures.templateWaits)),
      threshold: { atMost: 0 },
    },
    {
      name: "Waits a query, four times as many callers as connections",
      estimate: exact(figures.crowded.waitsPerRequest),
      threshold: { atLeast: 0.9 },
    },
    {
      name: "Response time against callers over throughput: the largest difference of any arm",
      estimate: mapEstimate(figures.lawError, (ratio) => ratio * 100),
      threshold: { atMost: 5 },
      unit: "%",
      isRobust: true,
    },
    {
      name: "Wait a query, by the pool's own count, over (callers - connections) / throughput",
      estimate: exact(figures.waitRatio),
      threshold: { from: 0.9, to: 1.1 },
      unit: "×",
    },
    {
      // By CPU time, not by throughput: this process is the bottleneck, and its throughput is as
      // much that of the machine's other programs.
      name: "CPU time of a query, two identical arms (negative control)",
      estimate: figures.twinRatio,
      threshold: SAME,
      unit: "×",
      voidedBy: differing,
      isRobust: true,
    },
    {
      name: `CPU time of a query, slowed by ${SLOWED_RATIO * 100} % over the same without`,
      estimate: figures.slowedRatio,
      threshold: { atLeast: 1.05 },
      unit: "×",
      note: `Made to be ${figure(1 + SLOWED_RATIO)}.`,
      voidedBy: differing,
      isRobust: true,
    },
    {
      name: "Bottlenecks told rightly, of those that are known",
      estimate: exact(cases.filter(({ truth, said }) => truth === said).length),
      threshold: { atLeast: cases.length },
      note: `${listed(cases.map(({ what, said }) => `${what}: ${said}`))}.`,
    },
  ];
}

function predictionsOf(measured: BenchMeasured, figures: BenchFigures): Findings["predictions"] {
  const { crowded } = figures;
  const { callers, size } = measured.crowded.arm;
  return [
    {
      what: `Wait a query, ${callers} callers on ${size} connections`,
      theory: "(callers - connections) / throughput",
      predicted: closedWaitMs({ ...crowded, callers, size }),
      measured: crowded.waitPerRequestMs,
      unit: "ms",
    },
    {
      what: `Response time, ${callers} callers`,
      theory: "response-time law: callers / throughput",
      predicted: (callers / crowded.perS) * 1000,
      measured: crowded.meanMs,
      unit: "ms",
    },
    {
      what: `Gain of twice the pool, a query of ${SLEEP_MS} ms`,
      theory: "the pool is all that limits: twice",
      predicted: 2,
      measured: figures.slowGain.value,
      unit: "×",
    },
  ];
}

function armsOf(measured: BenchMeasured): Arm[] {
  const { equal, crowded, fastHalf, fastWhole, slowHalf, slowWhole, slowRoomy } = measured;
  const runs = [
    ...measured.template,
    equal,
    crowded,
    fastHalf,
    fastWhole,
    slowHalf,
    slowWhole,
    slowRoomy,
    measured.busy,
  ];
  const twins = (["same", "twin", "slowed"] as const).map((key) => twinArmOf(measured, key));
  const open = measured.open.map((run) => openArmOf(run, measured));
  return [...runs.map(armOf), ...twins, ...open, ...processesArms(measured.processes)];
}

function armOf(run: BenchRun): Arm {
  const { name, role, callers, size, sql } = run.arm;
  const totals = totalsOf(run);
  return {
    name,
    role,
    settings: { callers, maxOpenConns: size, sql },
    measures: {
      queriesPerS: totals.perS,
      betweenEndsUs: totals.betweenEndsMs * 1000,
      waitsPerQuery: totals.waitsPerRequest,
      waitPerQueryUs: totals.waitPerRequestMs * 1000,
      ...measuresOf(run.turns),
    },
  };
}

const TWINS: Readonly<Record<keyof Twins, Pick<Arm, "name" | "role">>> = {
  same: { name: "one caller, the same", role: "negative control" },
  twin: { name: "one caller, the same once more", role: "negative control" },
  slowed: { name: `one caller, slower by ${SLOWED_RATIO * 100} %`, role: "variant" },
};

function twinArmOf({ size, statement, twins }: BenchMeasured, key: keyof Twins): Arm {
  const turns = twins[key];
  return {
    ...TWINS[key],
    settings: { callers: 1, maxOpenConns: size, sql: statement.sql },
    measures: {
      cpuPerQueryUs: median(turns.map((turn) => turn.cpuMs)) * 1000,
      ...measuresOf(turns),
    },
  };
}

function openArmOf(
  { ratio, perS, turn, waits, waitMs }: OpenRun,
  { size, statement }: BenchMeasured,
): Arm {
  return {
    name: `open load at ${percent(ratio)} of the peak`,
    role: "variant",
    settings: { maxOpenConns: size, sql: statement.sql, arrivalsPerS: Math.round(perS) },
    measures: {
      waitsPerQuery: waits / turn.requests,
      waitPerQueryUs: (waitMs * 1000) / turn.requests,
      ...measuresOf([turn]),
    },
  };
}

function plotsOf(measured: BenchMeasured, figures: BenchFigures): Plot[] {
  const points = [...measured.template, measured.equal, measured.crowded]
    .map((run) => ({ callers: run.arm.callers, totals: totalsOf(run) }))
    .sort((a, b) => a.callers - b.callers);
  return [
    {
      kind: "lines",
      title: "What a benchmark sees, by the number of callers",
      note:
        `On ${measured.size} connections. Waits begin beyond ${measured.size} callers: at ` +
        `${measured.crowded.arm.callers} a query waited ` +
        `${duration(figures.crowded.waitPerRequestMs)} of ${duration(figures.crowded.meanMs)}.`,
      x: { label: "callers", scale: "log" },
      y: { label: "ms", scale: "log" },
      series: [
        {
          name: "mean response time",
          style: "line",
          points: points.map(({ callers, totals }) => [callers, totals.meanMs]),
        },
        {
          name: "callers / throughput",
          style: "dots",
          points: points.map(({ callers, totals }) => [callers, callers * totals.betweenEndsMs]),
        },
        {
          name: "ns/op",
          style: "dashes",
          points: points.map(({ callers, totals }) => [callers, totals.betweenEndsMs]),
        },
      ],
    },
    latencyPlot(
      "The same pool under requests that come when they come",
      `p99 ${listed(
        measured.open.map(
          ({ ratio, turn }) =>
            `${duration(turn.response.percentileMs(99))} at ${percent(ratio)} of the peak`,
        ),
      )}; in the closed load with as many callers as connections ` +
        `${duration(responseOf(measured.equal.turns).percentileMs(99))}.`,
      [
        ...measured.open.map(({ ratio, turn }) => ({
          name: `open, ${percent(ratio)}`,
          response: turn.response,
        })),
        {
          name: `closed, ${measured.size} callers`,
          style: "dashes" as const,
          response: responseOf(measured.equal.turns),
        },
      ],
    ),
  ];
}

function experimentText(measured: BenchMeasured): string {
  const { size, crowded, template, statement } = measured;
  return (
    `Callers ask for ${statement.name} in a closed loop, on a pool of ${size} connections (the ` +
    "guide's 50 would not fit on the lab's server): " +
    `${listed(template.map(({ arm }) => String(arm.callers)))} of them, as the guide's ` +
    `template has; as many as connections; and ${crowded.arm.callers}. Then ` +
    `${crowded.arm.callers} callers on ${measured.half} and on ${size} connections, with ` +
    `${statement.name}, with a query that takes the server ${SLEEP_MS} ms, and with requests ` +
    `that keep this process busy for ${BUSY_MS} ms each. ` +
    `${measured.rounds} rounds forward and backward, ${figure(measured.equal.arm.requests)} ` +
    "queries a turn; in twice as many, one caller by two arms that are the same and one slowed " +
    `by ${SLOWED_RATIO * 100} %, in turns of ten queries. Then an open load at ` +
    `${listed(measured.open.map(({ ratio }) => percent(ratio)))} of the throughput with as ` +
    `many callers as connections; and last ${measured.processes.callers} callers in one process ` +
    "of their own, and in two. Figures are of the steady part of each turn: without " +
    "the first fifth of the queries, and without those after the first caller has stopped."
  );
}

function caveatsOf(
  context: ScenarioContext,
  measured: BenchMeasured,
  figures: BenchFigures,
): string[] {
  const { crowded } = figures;
  const waits = sum(measured.crowded.turns.map((turn) => turn.steady.waits));
  const gain = processesGain(measured.processes, context);
  return [
    "Go is not run: the number of its goroutines is, as callers. In Node all callers share one " +
      `thread, which was busy ${percent(totalsOf(measured.crowded).utilisationRatio)} of the ` +
      `time with ${measured.crowded.arm.callers} of them.`,
    processesSentence(measured.processes, gain, coresOfMachine()),
    `The template reports totals: here ${figure(waits)} waits, which says nothing without the ` +
      `${figure(crowded.requests)} queries. A longer run has more.`,
    `A query allocates ${figure(measured.allocatedBytes)} bytes of heap in this process, which ` +
      "ns/op does not show, and CPU time does: it is collected later.",
    "By its text it also ignores the error of Scan, so that failures count as queries, and never " +
      "closes its DB.",
    measured.statement.isGiven
      ? `Your statement takes one caller ${duration(measured.statement.aloneMs)}.`
      : "SELECT 1 by itself is a benchmark of the client and the network. Take your own " +
        "statement, with --query.",
  ];
}
