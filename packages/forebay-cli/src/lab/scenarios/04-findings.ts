// Scenario 4, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import { exact } from "../compare.ts";
import { barPlot } from "../plot.ts";
import type { Arm, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { measuresOf } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure } from "../words.ts";
import { GUIDE, TABLES } from "./04-arms.ts";
import { claimOfIdleTime, megabytes } from "./04-claim.ts";
import type { IdleTimeMeasured, IdleTimeRun } from "./04-idle-time.ts";

/** Figures of an arm's memory; undefined where it cannot be read. */
export interface MemoryFigures {
  /** Of one connection at the peak, in bytes: resident, its share, its own. */
  readonly rssEach: number;
  readonly pssEach: number;
  readonly ownEach: number;
  /** Of a connection that has done nothing yet. */
  readonly freshRss: number;
  readonly freshOwn: number;
  /** Own memory of all connections: at the peak and at rest, with last in first out. */
  readonly ownAtPeak: number;
  readonly ownAtRest: number;
  readonly ownAtRestWithoutIdleTime: number;
}

/** Puts the findings together. */
export function describeIdleTime(
  context: ScenarioContext,
  measured: IdleTimeMeasured,
  judge: Judge,
): Findings {
  const memory = deriveMemory(measured);
  const checks = questionsOf(measured, memory).map(judge);
  const { lifo, fifo, none, plan } = measured;
  const kept = lifo.turn.maxIdleTimeClosed;
  return {
    headline:
      `After a peak of ${figure(plan.peak)} connections and ${duration(plan.quietMs)} with ` +
      `${figure(lifo.arm.ratePerS)} requests/s the pool had ` +
      `${counted(lifo.turn.atRest, "connection")} left with an idle time of ` +
      `${duration(plan.idleTimeMs)}, ${figure(none.turn.atRest)} without one, and ` +
      `${figure(fifo.turn.atRest)} with the same idle time, where the connection idle longest is ` +
      `used first${memoryClause(memory)}.`,
    experiment: experimentText(measured),
    claim: claimOfIdleTime(measured, memory),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Forebay closed ${counted(kept, "idle connection")} and counted each; the next peak had ` +
        `all ${figure(lifo.turn.atNextPeak)} again, the last one after ` +
        `${duration(lifo.turn.nextPeak.maxMs)} (${duration(none.turn.nextPeak.maxMs)} where ` +
        "none had been closed).",
      checks,
    },
    predictions: predictionsOf(measured),
    arms: runsOf(measured).map(armOf),
    plots: plotsOf(measured, memory),
    whatToSet: adviceOf(measured),
    caveats: caveatsOf(context, measured, memory),
  };
}

function memoryClause(memory: MemoryFigures | undefined): string {
  if (memory === undefined) return "";
  return (
    `; the memory that is the connections' own went from ${megabytes(memory.ownAtPeak)} to ` +
    megabytes(memory.ownAtRest)
  );
}

/** All arms, in the order of the report. */
export function runsOf(measured: IdleTimeMeasured): IdleTimeRun[] {
  const { fifo, fifoSlow, kept, lifo, none, pruned } = measured;
  return [none, lifo, fifo, ...(fifoSlow === undefined ? [] : [fifoSlow]), kept, pruned];
}

function deriveMemory({ fresh, lifo, none }: IdleTimeMeasured): MemoryFigures | undefined {
  const { memoryAtPeak, memoryAtRest, atPeak } = lifo.turn;
  const withoutIdleTime = none.turn.memoryAtRest;
  if (fresh === undefined || memoryAtPeak === undefined || memoryAtRest === undefined) {
    return undefined;
  }
  if (withoutIdleTime === undefined) return undefined;
  return {
    rssEach: memoryAtPeak.rss / atPeak,
    pssEach: memoryAtPeak.pss / atPeak,
    ownEach: memoryAtPeak.privateDirty / atPeak,
    freshRss: fresh.rss,
    freshOwn: fresh.privateDirty,
    ownAtPeak: memoryAtPeak.privateDirty,
    ownAtRest: memoryAtRest.privateDirty,
    ownAtRestWithoutIdleTime: withoutIdleTime.privateDirty,
  };
}

function questionsOf(measured: IdleTimeMeasured, memory: MemoryFigures | undefined): Question[] {
  const { fifo, kept, lifo, none, plan } = measured;
  const share = (name: string, run: IdleTimeRun): Omit<Question, "threshold"> => ({
    name: `Connections left after the quiet stretch, over the peak: ${name}`,
    estimate: exact((run.turn.atRest / run.turn.atPeak) * 100),
    unit: "%",
    note: `${run.turn.atRest} of ${run.turn.atPeak}.`,
  });
  // What is pruned is counted as beyond the limit, not as idle for too long.
  const byTime = runsOf(measured).filter(({ arm }) => !arm.prunesByMedian);
  const counts = byTime.map(({ turn }) =>
    Math.abs(turn.dialed - turn.open - turn.maxIdleTimeClosed),
  );
  const questions: Question[] = [
    { ...share("idle time, last in first out", lifo), threshold: { atMost: 10 } },
    {
      ...share("idle time, first in first out (negative control)", fifo),
      threshold: { atLeast: 90 },
      voidedBy: lateness(fifo, plan.peak),
    },
    { ...share("no idle time (baseline)", none), threshold: { atLeast: 100 } },
    {
      name: `Connections left with minIdleConns: ${kept.arm.minIdleConns}`,
      estimate: exact(kept.turn.atRest),
      // Those that are in use come on top of the idle ones.
      threshold: { from: kept.arm.minIdleConns, to: kept.arm.minIdleConns + 2 },
    },
    {
      name: "Connections of the next peak, in the arm that has the fewest",
      estimate: exact(Math.min(...runsOf(measured).map(({ turn }) => turn.atNextPeak))),
      threshold: { atLeast: plan.peak },
    },
    {
      name: "Closed connections that maxIdleTimeClosed does not count, in the arm that has most",
      estimate: exact(Math.max(...counts)),
      threshold: { atMost: 0 },
      note: "Dialed, less open, less counted.",
    },
  ];
  if (memory !== undefined) {
    questions.push({
      name: "Private memory of all connections, at rest over at the peak, last in first out",
      estimate: exact((memory.ownAtRest / memory.ownAtPeak) * 100),
      threshold: { atMost: 20 },
      unit: "%",
    });
  }
  return questions;
}

/** Why connections may have been idle for too long although there was traffic enough. */
function lateness({ arm, turn }: IdleTimeRun, peak: number): string | undefined {
  const slackMs = arm.idleTimeMs - (peak / arm.ratePerS) * 1000;
  const lateMs = turn.quiet.response.maxMs;
  if (lateMs < slackMs / 2) return undefined;
  return `a request of the quiet stretch took ${duration(lateMs)}, so that the next had to wait.`;
}

function predictionsOf({ fifo, fifoSlow, lifo, plan }: IdleTimeMeasured): Findings["predictions"] {
  // The one idle longest is used first, so that each has its turn after as many requests as there
  // are connections: those stay that have it within the idle time.
  const stay = (run: IdleTimeRun): number =>
    Math.min(plan.peak, (run.arm.ratePerS * plan.idleTimeMs) / 1000);
  return [
    {
      what: "Connections left, last in first out",
      theory: "as many as are in use at once: one request at a time, of a millisecond",
      predicted: 1,
      measured: lifo.turn.atRest,
      unit: "",
    },
    ...[fifo, ...(fifoSlow === undefined ? [] : [fifoSlow])].map((run) => ({
      what: `Connections left, first in first out, ${figure(run.arm.ratePerS)} requests/s`,
      theory: "rate times idle time, at most all: so many have their turn in time",
      predicted: stay(run),
      measured: run.turn.atRest,
      unit: "",
    })),
  ];
}

function armOf({ arm, turn }: IdleTimeRun): Arm {
  const { memoryAtPeak, memoryAtRest } = turn;
  return {
    name: arm.name,
    role: arm.role,
    settings: {
      idleOrder: arm.idleOrder,
      connMaxIdleTimeMs: Number.isFinite(arm.idleTimeMs) ? arm.idleTimeMs : "Infinity",
      minIdleConns: arm.minIdleConns,
      ...(arm.prunesByMedian ? { pruned: "by the median" } : {}),
      quietRequestsPerS: arm.ratePerS,
    },
    measures: {
      connectionsAtPeak: turn.atPeak,
      connectionsAtRest: turn.atRest,
      connectionsAtNextPeak: turn.atNextPeak,
      maxIdleTimeClosed: turn.maxIdleTimeClosed,
      firstPeakWaitMaxMs: turn.firstPeak.maxMs,
      nextPeakWaitP50Ms: turn.nextPeak.percentileMs(50),
      nextPeakWaitMaxMs: turn.nextPeak.maxMs,
      ...(memoryAtPeak === undefined || memoryAtRest === undefined
        ? {}
        : {
            privateDirtyAtPeakBytes: memoryAtPeak.privateDirty,
            privateDirtyAtRestBytes: memoryAtRest.privateDirty,
            pssAtPeakBytes: memoryAtPeak.pss,
            pssAtRestBytes: memoryAtRest.pss,
            rssAtPeakBytes: memoryAtPeak.rss,
            rssAtRestBytes: memoryAtRest.rss,
          }),
      ...measuresOf([turn.quiet]),
    },
  };
}

function plotsOf(measured: IdleTimeMeasured, memory: MemoryFigures | undefined): Plot[] {
  const { fifo, lifo, none } = measured;
  const plots: Plot[] = [
    {
      kind: "lines",
      title: "Server processes in the quiet stretch",
      note:
        `In the end ${figure(lifo.turn.atRest)} with an idle time and the connection used last ` +
        `handed out first, ${figure(fifo.turn.atRest)} with the one idle longest handed out ` +
        `first, ${figure(none.turn.atRest)} without an idle time.`,
      x: { label: "ms since the peak", scale: "linear" },
      y: { label: "server processes", scale: "linear" },
      series: runsOf(measured).map(({ arm, turn }) => ({
        name: arm.name,
        points: turn.points,
        style: arm === fifo.arm || arm === none.arm ? "dashes" : "steps",
      })),
    },
  ];
  if (memory === undefined) return plots;
  return [
    ...plots,
    barPlot(
      "Memory of one connection at the server, by how one counts",
      `After it has looked into ${TABLES} tables. Of ${megabytes(memory.rssEach)} resident, ` +
        `${megabytes(memory.ownEach)} are its own, and free when it is closed; the rest is ` +
        "shared with other connections and counted again in each.",
      { label: "MB", scale: "linear" },
      [
        { name: "resident (RSS)", value: memory.rssEach / 1e6, role: "variant" },
        { name: "its share of what is shared (PSS)", value: memory.pssEach / 1e6, role: "variant" },
        { name: "its own (private, written)", value: memory.ownEach / 1e6, role: "change" },
        { name: "its own, of a new connection", value: memory.freshOwn / 1e6, role: "baseline" },
      ],
      (value) => `${figure(value)} MB`,
    ),
  ];
}

function adviceOf({ fifo, lifo, plan, none }: IdleTimeMeasured): Findings["whatToSet"] {
  return {
    code:
      "openDB(connector, {\n  maxOpenConns: 30,\n  maxIdleConns: 30,\n" +
      "  connMaxIdleTimeMs: 5 * 60_000, // Forebay's default: 10 minutes\n" +
      '  idleOrder: "lifo", // the default; with "fifo" it shrinks less, or not at all\n' +
      "  minIdleConns: 0, // more where the first requests of a peak must not wait\n})\n\n" +
      "// database/sql: SetConnMaxIdleTime · pg: idleTimeoutMillis · HikariCP: idleTimeout, with " +
      "minimumIdle below maximumPoolSize",
    when:
      "Where a peak takes many more connections than the hours after it. The idle time should be " +
      "longer than the gaps between peaks that follow each other: what is closed is dialed again " +
      `(the last of ${figure(plan.peak)} requests at once waited ` +
      `${duration(lifo.turn.nextPeak.maxMs)} here, ${duration(none.turn.nextPeak.maxMs)} with ` +
      "all connections still open).",
    notWhen:
      "With first in first out the pool shrinks only to as many as have their turn within the " +
      `idle time: ${figure(fifo.turn.atRest)} of ${figure(plan.peak)} were left. And where the ` +
      "server has the memory and the peaks come often, closing saves nothing that is missing.",
  };
}

function experimentText({ fifoSlow, lifo, plan }: IdleTimeMeasured): string {
  const slow = fifoSlow === undefined ? "" : ` (one arm: ${figure(fifoSlow.arm.ratePerS)})`;
  return (
    `${figure(plan.peak)} requests at once, each on a connection of its own that looks into ` +
    `${TABLES} tables; then ${duration(plan.quietMs)} with ${figure(lifo.arm.ratePerS)} requests ` +
    `of a millisecond a second${slow}; then as many requests at once again. The guide's peak of ` +
    `${GUIDE.peak} connections is scaled to ` +
    `${figure(plan.peak)}, its idle time of ${duration(GUIDE.idleTimeMs)} to ` +
    `${duration(plan.idleTimeMs)}, ${figure(GUIDE.idleTimeMs / plan.idleTimeMs)} times shorter. ` +
    "Server processes are counted in pg_stat_activity, their memory is read from smaps_rollup " +
    "where the server is the lab's own."
  );
}

function caveatsOf(
  context: ScenarioContext,
  measured: IdleTimeMeasured,
  memory: MemoryFigures | undefined,
): string[] {
  const caveats: string[] = [];
  if (memory === undefined) {
    caveats.push(
      "The memory of the server's processes (Private_Dirty, Pss and Rss of smaps_rollup) " +
        (context.server.kind === "embedded"
          ? "cannot be read by this user on this system"
          : "can be read on a server of the lab's own only") +
        ": the figures of memory are missing, and connections are counted instead.",
    );
  } else {
    caveats.push(
      `A new connection takes ${megabytes(memory.freshOwn)} of its own, one that has looked into ` +
        `${TABLES} tables ${megabytes(memory.ownEach)}: the difference is what it remembers of ` +
        "them, and is free when it is closed.",
      `${GUIDE.peak} connections like these would have ` +
        `${megabytes(memory.ownEach * GUIDE.peak)} of their own (extrapolated).`,
    );
  }
  const { lifo, plan, pruned } = measured;
  caveats.push(
    "Npgsql closes, after each idle time, as many as were idle in the middle of its samples: " +
      `${figure(pruned.turn.atRest)} of ${figure(plan.peak)} were left with that rule, run here ` +
      "over Forebay's pool; it needs no order, and closes all at once what an idle time closes " +
      "one by one.",
    `Idle connections are closed when their time is over: ${figure(lifo.turn.maxIdleTimeClosed)} ` +
      "here within the quiet stretch. With an idle time of minutes that takes minutes.",
  );
  if (context.isQuick) caveats.push("Quick run: a shorter idle time and a shorter quiet stretch.");
  return caveats;
}
