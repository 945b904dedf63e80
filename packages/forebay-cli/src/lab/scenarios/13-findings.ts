// Scenario 13, what the measurements say: verdicts, plots and advice. Every sentence takes its
// figures from this run.

import { claimOf, estimatedPart, notLookedAt, part } from "../claim.ts";
import { bootstrap, type Estimate, exact, median, medianRatio, sum } from "../compare.ts";
import { histogramOf, type LatencyHistogram } from "../histogram.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { Arm, Claim, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { measuresOf } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure, withInterval } from "../words.ts";
import {
  INSTANT_CALLERS,
  INSTANT_CONNECTIONS,
  INSTANT_NAMES,
  INSTANT_WAYS,
  type InstantWay,
} from "./13-instant.ts";
import type { ChurnArm, ChurnMeasured } from "./13-watcher-churn.ts";
import { ANY, BARE, CALLERS, DEADLINE_MS, WHEEL } from "./13-ways.ts";

/** The guide's rate. */
const GUIDE_PER_S = 50_000;
/** Forebay looks at its deadlines this often, and so notices one up to this much late. */
const GRAIN_MS = 20;

/** Figures derived from the measurements. CPU time is of this process, in microseconds a query. */
interface ChurnFigures {
  readonly bareUs: number;
  readonly addedUs: ReadonlyMap<string, Estimate>;
  /** CPU time of AbortSignal.any over none. */
  readonly anyRatio: Estimate;
  /** What Forebay's deadline adds over what AbortSignal.any adds. */
  readonly addedRatio: Estimate;
  /** The same without a server, for the wait: acquireTimeoutMs over AbortSignal.any. */
  readonly instantRatio: Estimate;
  readonly keptRatio: number;
  readonly anyTimersPerQuery: number;
  readonly wheelTimersPerQuery: number;
  readonly wheelTimersPerS: number;
  readonly wheelLate: LatencyHistogram;
  readonly signalLate: LatencyHistogram;
}

const ADVICE: Findings["whatToSet"] = {
  code:
    "// for all statements of the pool, and for one of them\n" +
    "openPostgres(url, { connection: { statementTimeoutMs: 5000 } })\n" +
    "db.query(sql, args, { timeoutMs: 1000, signal: shutdown })\n" +
    "// Go: context.WithTimeout for each query; pgx watches by context.AfterFunc · " +
    "pg: query_timeout, statement_timeout · HikariCP: Statement.setQueryTimeout",
  when:
    "Wherever each statement has a deadline: timeoutMs makes nothing for each query. Hand the " +
    "signal of a request or of the program on as it is, instead of combining it with another.",
  notWhen:
    `Where a deadline must be met to the millisecond: timeoutMs is noticed up to ${GRAIN_MS} ms ` +
    "late. And it begins when a connection is there: the wait for one has acquireTimeoutMs.",
};

/** Puts the findings together. */
export function describeChurn(
  context: ScenarioContext,
  measured: ChurnMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(measured, figures).map(judge);
  const any = armNamed(measured, ANY);
  const { races } = measured;
  return {
    headline:
      `A deadline by AbortSignal.any added ${microseconds(addedBy(figures, ANY))} of CPU time to ` +
      `a query of ${figure(figures.bareUs)} µs, by timeoutMs ` +
      `${microseconds(addedBy(figures, WHEEL))}; each query took ` +
      `${counted(figures.anyTimersPerQuery, "timer")} against ` +
      `${figure(figures.wheelTimersPerQuery)}, and kept ${bytes(any.keptBytes)} against ` +
      `${bytes(armNamed(measured, WHEEL).keptBytes)}.`,
    experiment: experimentText(measured),
    claim: claimOfChurn(measured, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `timeoutMs made ${figure(figures.wheelTimersPerS)} timers a second, one for ` +
        `${figure(1 / figures.wheelTimersPerQuery)} queries, and added ` +
        `${withInterval(figures.addedRatio)} times the CPU time that AbortSignal.any ` +
        `added. Of ${figure(races.races)} races, ${figure(races.stopped)} were won by the ` +
        `deadline or the abort, and ${figure(races.lateCancels)} other queries were stopped.`,
      checks,
    },
    predictions: [
      {
        what: "Timers a second with timeoutMs",
        theory: `one look every ${GRAIN_MS} ms while anything has a deadline; a timer may be late`,
        predicted: 1000 / GRAIN_MS,
        measured: figures.wheelTimersPerS,
        unit: "/s",
      },
      {
        what: "Mean lateness of timeoutMs",
        theory: "deadlines fall anywhere between two looks: half of the interval",
        predicted: GRAIN_MS / 2,
        measured: figures.wheelLate.meanMs,
        unit: "ms",
      },
    ],
    arms: armsOf(measured, figures),
    plots: plotsOf(measured, figures),
    whatToSet: ADVICE,
    caveats: caveatsOf(measured, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: ChurnMeasured): ChurnFigures {
  const { random } = context;
  const cpuUs = (name: string): number[] =>
    armNamed(measured, name).turns.map((turn) => (turn.clientCpuMs * 1000) / turn.requests);
  const bare = cpuUs(BARE);
  const added = (name: string): number[] =>
    cpuUs(name).map((us, round) => us - (bare[round] ?? Number.NaN));
  // Not the median of ratios: what is added is small beside the noise of a single round.
  const addedOver = (rounds: readonly number[]): number => {
    const of = (name: string): number =>
      median(rounds.map((round) => cpuUs(name)[round] ?? Number.NaN));
    return (of(WHEEL) - of(BARE)) / (of(ANY) - of(BARE));
  };
  const perQuery = (name: string): number => {
    const { made, queries } = armNamed(measured, name).timers;
    return made / queries;
  };
  const wheel = armNamed(measured, WHEEL);
  return {
    bareUs: median(bare),
    addedUs: new Map(
      measured.arms
        .filter(({ way }) => way.name !== BARE)
        .map(({ way }) => [way.name, bootstrap(added(way.name), median, random)]),
    ),
    anyRatio: medianRatio(bare, cpuUs(ANY), random),
    instantRatio: instantRatioOf(context, measured),
    addedRatio: bootstrap(
      bare.map((_, round) => round),
      addedOver,
      random,
    ),
    keptRatio: Math.max(0, wheel.keptBytes) / armNamed(measured, ANY).keptBytes,
    anyTimersPerQuery: perQuery(ANY),
    wheelTimersPerQuery: perQuery(WHEEL),
    wheelTimersPerS: (wheel.timers.made / wheel.timers.tookMs) * 1000,
    wheelLate: latenessOf(measured.wheelLateMs),
    signalLate: latenessOf(measured.signalLateMs),
  };
}

/** Less than this is nothing; a timer may even fire a little too early. */
const LEAST_LATE_MS = 0.01;

function latenessOf(lateMs: readonly number[]): LatencyHistogram {
  return histogramOf(lateMs.map((ms) => Math.max(LEAST_LATE_MS, ms)));
}

function instantRatioOf({ random }: ScenarioContext, { instant }: ChurnMeasured): Estimate {
  const added = (way: InstantWay, round: number): number =>
    (instant[way][round] ?? Number.NaN) - (instant.none[round] ?? Number.NaN);
  const ratios = instant.none.map((_, round) => added("own", round) / added("any", round));
  return bootstrap(ratios, median, random);
}

function addedBy(figures: ChurnFigures, name: string): Estimate {
  return figures.addedUs.get(name) ?? exact(Number.NaN);
}

function armNamed(measured: ChurnMeasured, name: string): ChurnArm {
  const found = measured.arms.find(({ way }) => way.name === name);
  if (found === undefined) throw new RangeError(`no way is called ${name}`);
  return found;
}

/** Less than this for each query, and it is the noise that is weighed: some bytes either way. */
const LEAST_KEPT_BYTES = 40;
/** Timers that fire so late make it pointless to judge a deadline. */
const TIMER_LATE_LIMIT_MS = 3;

function questionsOf(measured: ChurnMeasured, figures: ChurnFigures): Question[] {
  const { races } = measured;
  const wheel = armNamed(measured, WHEEL);
  const signalLateMs = figures.signalLate.percentileMs(90);
  return [
    {
      // How many queries share a timer depends on how many the machine makes in 20 ms. The number
      // a second does not; a short turn has one more at each of its ends.
      name: "Timers made in a second, timeoutMs",
      estimate: exact(figures.wheelTimersPerS),
      threshold: { atMost: 2 * (1000 / GRAIN_MS) },
      note: `${figure(wheel.timers.made)} for ${figure(wheel.timers.queries)} queries.`,
    },
    {
      name: "Listeners on the long-lived signal at rest, timeoutMs and signal",
      estimate: exact(wheel.listenersAtRest),
      threshold: { atMost: 0 },
      note: `Under load ${figure(wheel.listenersPeak)}, for ${CALLERS} queries at once.`,
    },
    ...costQuestionsOf(figures),
    {
      name: "Bytes kept for each query that has been answered, timeoutMs over AbortSignal.any",
      estimate: exact(figures.keptRatio),
      threshold: { atMost: 0.1 },
      unit: "×",
      voidedBy:
        armNamed(measured, ANY).keptBytes < LEAST_KEPT_BYTES
          ? "AbortSignal.any kept next to nothing to compare with."
          : undefined,
    },
    {
      // Beside AbortSignal.timeout, which is as late as this process's timers are at the time. A
      // timer of 20 ms, the grain, fires in the millisecond after, and the deadline of the other is
      // as much too early or too late.
      name: "How much later than AbortSignal.timeout timeoutMs stops a query, at p90",
      estimate: exact(figures.wheelLate.percentileMs(90) - signalLateMs),
      threshold: { atMost: GRAIN_MS + 2 },
      unit: "ms",
      note: `${duration(figures.wheelLate.percentileMs(90))} against ${duration(signalLateMs)}.`,
      voidedBy:
        signalLateMs > TIMER_LATE_LIMIT_MS
          ? `the timers of this process were ${duration(signalLateMs)} late.`
          : undefined,
    },
    {
      name: "Queries that a deadline or an abort of another query stopped",
      estimate: exact(races.lateCancels),
      threshold: { atMost: 0 },
      note: `Two looked at after each of ${figure(races.races)} races.`,
    },
    {
      name: "Queries beside the races that failed otherwise, or gave a wrong value",
      estimate: exact(races.wrong),
      threshold: { atMost: 0 },
    },
  ];
}

function costQuestionsOf(figures: ChurnFigures): Question[] {
  return [
    {
      // The deadline of a query is the PostgreSQL client's, and there is none without a server. So
      // the cost of the query itself is taken off both.
      name: "CPU time that a deadline adds to a query, timeoutMs over AbortSignal.any",
      estimate: figures.addedRatio,
      threshold: { atMost: 0.5 },
      unit: "×",
      note: "CPU time of this process; that of others is not in it.",
      isRobust: true,
    },
    {
      // That of the wait is the pool's, and needs no server.
      name: "CPU time that a deadline adds to a wait, acquireTimeoutMs over AbortSignal.any",
      estimate: figures.instantRatio,
      threshold: { atMost: 0.5 },
      unit: "×",
      note: "On a driver that answers at once.",
      isRobust: true,
    },
  ];
}

function claimOfChurn(measured: ChurnMeasured, figures: ChurnFigures): Claim {
  const any = armNamed(measured, ANY);
  const perS = (figures.anyTimersPerQuery * GUIDE_PER_S).toFixed(0);
  const parts = [
    part(
      "For each query something is made to watch its deadline, and thrown away.",
      figures.anyTimersPerQuery >= 0.99,
      `In Node, by AbortSignal.any of a timeout: ${counted(figures.anyTimersPerQuery, "timer")} ` +
        `for each query (at the guide's rate ${figure(Number(perS))} a second), of which ` +
        `${bytes(any.keptBytes)} a query were still there when all had been answered.`,
    ),
    estimatedPart(
      "That is measurable.",
      figures.anyRatio,
      { from: 1.05 },
      `A query took ${withInterval(figures.anyRatio)} times the CPU time that it took without a ` +
        "deadline.",
    ),
    estimatedPart(
      "With a driver that takes the deadline itself, it is gone.",
      figures.addedRatio,
      { to: 0.5 },
      `timeoutMs added ${withInterval(figures.addedRatio)} times what AbortSignal.any added, and ` +
        `made ${counted(figures.wheelTimersPerQuery, "timer")} for each query.`,
    ),
    notLookedAt(
      "In Go, a driver with QueryerContext (pgx, mysql 1.7) spares database/sql the goroutine.",
      "Not run: this is Node. By its source database/sql starts a goroutine for each Rows whose " +
        "context can end (initContextClose), and for each Tx, whatever the driver implements; " +
        "and mysql had QueryerContext in 1.4.1.",
    ),
  ];
  return claimOf(
    "With a short context timeout on every query, a goroutine is made for each, 50,000 a second " +
      "at 50,000 queries/s; drivers that take the context themselves make it needless.",
    parts,
    {
      holds:
        "Of Node's counterpart: by AbortSignal.any each query took " +
        `${counted(figures.anyTimersPerQuery, "timer")} and ${withInterval(figures.anyRatio)} ` +
        "times the CPU time; of what that added, timeoutMs adds " +
        `${withInterval(figures.addedRatio)} times. Go's goroutines are not looked at.`,
      refuted:
        "In Node, by AbortSignal.any " +
        `each query took ${counted(figures.anyTimersPerQuery, "timer")} and ` +
        `${withInterval(figures.anyRatio)} times the CPU time; timeoutMs added ` +
        `${withInterval(figures.addedRatio)} times as much as that did.`,
      inconclusive:
        "Of Node's counterpart: " +
        `${counted(figures.anyTimersPerQuery, "timer")} for each query and ` +
        `${withInterval(figures.anyRatio)} times the CPU time by AbortSignal.any, of whose cost ` +
        `timeoutMs had ${withInterval(figures.addedRatio)} times.`,
    },
  );
}

function armsOf(measured: ChurnMeasured, figures: ChurnFigures): Arm[] {
  const real = measured.arms.map((arm) => ({
    name: arm.way.name,
    role: arm.way.role,
    settings: { code: arm.way.code, deadlineMs: DEADLINE_MS, callers: CALLERS },
    measures: {
      addedCpuPerQueryUs: arm.way.name === BARE ? 0 : addedBy(figures, arm.way.name).value,
      timersPerQuery: arm.timers.made / arm.timers.queries,
      listenersUnderLoad: arm.listenersPeak,
      listenersAtRest: arm.listenersAtRest,
      keptPerQueryBytes: arm.keptBytes,
      keptForGoodPerQueryBytes: arm.keptForGoodBytes,
      ...measuresOf(arm.turns),
    },
  }));
  const instant = INSTANT_WAYS.map((way) => ({
    name: INSTANT_NAMES[way].name,
    role: ROLES[way],
    settings: {
      code: INSTANT_NAMES[way].code,
      callers: INSTANT_CALLERS,
      maxOpenConns: INSTANT_CONNECTIONS,
    },
    measures: { cpuPerQueryUs: median(measured.instant[way]) / 1000 },
  }));
  return [...real, ...instant];
}

const ROLES = { none: "negative control", any: "baseline", own: "change" } as const;

function plotsOf(measured: ChurnMeasured, figures: ChurnFigures): Plot[] {
  const bounded = measured.arms.filter(({ way }) => way.name !== BARE);
  return [
    barPlot(
      "CPU time that a deadline adds to a query",
      `timeoutMs adds ${withInterval(figures.addedRatio)} times what AbortSignal.any adds; a ` +
        `query without a deadline takes ${figure(figures.bareUs)} µs.`,
      { label: "µs", scale: "linear" },
      bounded.map(({ way }) => ({
        name: way.name,
        value: Math.max(0, addedBy(figures, way.name).value),
        role: way.role,
      })),
      (value) => `${figure(value)} µs`,
    ),
    barPlot(
      "Bytes kept for each query that has been answered, until its deadline",
      `AbortSignal.any kept ${bytes(armNamed(measured, ANY).keptBytes)}, of which ` +
        `${bytes(armNamed(measured, ANY).keptForGoodBytes)} were still kept after all deadlines; ` +
        `timeoutMs kept ${bytes(armNamed(measured, WHEEL).keptBytes)}.`,
      { label: "bytes", scale: "linear" },
      measured.arms.map(({ way, keptBytes }) => ({
        name: way.name,
        value: Math.max(0, keptBytes),
        role: way.role,
      })),
      bytes,
    ),
    latencyPlot(
      "How late a query is stopped",
      `p50 ${duration(figures.wheelLate.percentileMs(50))} by timeoutMs, ` +
        `${duration(figures.signalLate.percentileMs(50))} by AbortSignal.timeout: the price of ` +
        `looking once in ${GRAIN_MS} ms.`,
      [
        { name: "timeoutMs", response: figures.wheelLate },
        { name: "AbortSignal.timeout", style: "dashes", response: figures.signalLate },
      ],
    ),
  ];
}

function experimentText(measured: ChurnMeasured): string {
  const queries = sum(measured.arms.map(({ turns }) => sum(turns.map((turn) => turn.requests))));
  return (
    `${CALLERS} callers on ${CALLERS} connections make ${figure(queries)} queries in all, each ` +
    `with a deadline of ${duration(DEADLINE_MS)} that none reaches and with a signal that lives ` +
    `as long as the program, by ${measured.arms.length} ways in ${measured.rounds} rounds ` +
    `forward and backward; Node ${process.version}. Timers and listeners are counted in turns of ` +
    "their own. Memory is what is alive after a garbage collection, for " +
    `${figure(measured.keptQueries)} queries by each way. Without a server, by a driver that ` +
    `answers at once, ${INSTANT_CALLERS} callers wait for ${INSTANT_CONNECTIONS} connections, ` +
    `each with a deadline for the wait. Then ${figure(measured.races.races)} ` +
    "races: queries that end at about the moment of their deadline or abort, each followed by " +
    "two others on the same few connections. A hundred thousand would take too long: a stop that " +
    "reaches the server takes a connection of its own."
  );
}

function caveatsOf(measured: ChurnMeasured, figures: ChurnFigures): string[] {
  const any = armNamed(measured, ANY);
  return [
    "Where Go starts goroutines, Node makes timers, listeners and signals: that is what is " +
      "counted.",
    `timeoutMs is coarse on purpose: it stopped queries ${duration(figures.wheelLate.meanMs)} ` +
      `late on average, AbortSignal.timeout ${duration(figures.signalLate.meanMs)}.`,
    `After all deadlines, what AbortSignal.any still kept was ${bytes(any.keptForGoodBytes)} a ` +
      "query, on a signal that lives on. It depends on the version of Node; small figures of " +
      "either sign are what the weighing itself is off by.",
    "All ways run on the same client, which takes signals as well as timeoutMs; the difference " +
      "is what the caller makes for each query.",
  ];
}

/** What is weighed may come out a little below nothing. */
function bytes(count: number): string {
  return counted(Math.max(0, Math.round(count)), "byte");
}

function microseconds(estimate: Estimate): string {
  return `${withInterval(estimate)} µs`;
}
