// Scenario 15, what the measurements say: verdicts, plots and advice. Every sentence takes its
// figures from this run.

import { claimOf, estimatedPart, part, notLookedAt } from "../claim.ts";
import {
  bootstrap,
  type Estimate,
  exact,
  mapEstimate,
  mean,
  median,
  medianRatio,
} from "../compare.ts";
import { histogramOf, type LatencyHistogram } from "../histogram.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { Arm, Claim, Findings, Judge, Plot, ScenarioContext } from "../scenario.ts";
import { measuresOf, responseOf } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, listed, percent, times, withInterval } from "../words.ts";
import {
  BURST_SIZE,
  CALLERS,
  EACH,
  HISTOGRAMS,
  type Judgements,
  type LookPrice,
  NO_LOOK,
  SAMPLE_MS,
  SAMPLED,
} from "./15-arms.ts";
import type { MeasuredLook, StatsMeasured } from "./15-stats-on-hot-path.ts";

/** Figures derived from the measurements. */
interface StatsFigures {
  readonly smallest: LookPrice;
  readonly largest: LookPrice;
  readonly statsNs: Estimate;
  readonly sizeRatio: Estimate;
  readonly histogramsNs: number;
  /** What stats() takes of a request's time on the real server. */
  readonly share: Estimate;
  /** CPU time of a request without a server, over none: stats() each time, and the gauge. */
  readonly eachRatio: Estimate;
  readonly sampledRatio: Estimate;
  /** The same on the real server. */
  readonly realEach: Estimate;
  readonly realSampled: Estimate;
  readonly requestMs: number;
  /**
   * Of the requests that found the pool full, those of which the gauge said that there was room.
   */
  readonly missedRatio: number;
  readonly missedLongRatio: number;
  readonly age: LatencyHistogram;
  /** How old a worker thread saw the gauge, and how long the pool's thread took to answer it. */
  readonly workerAge: LatencyHistogram;
  readonly ask: LatencyHistogram;
}

const ADVICE: Findings["whatToSet"] = {
  code:
    "// a saturation check: ask the pool itself, at each request\n" +
    "const { inUse, maxOpenConnections, pool } = db.stats()\n" +
    "if (inUse >= maxOpenConnections && pool.waiting > 20) return " +
    "response.writeHead(503).end()\n\n" +
    "// or let the pool refuse: openDB(connector, { maxWaiters: 20 })\n" +
    "// for dashboards: stats() and histograms() every ten seconds\n" +
    "// Go: sample db.Stats() into an atomic · pg: pool.waitingCount · HikariCP: HikariPoolMXBean",
  when:
    "A check at each request may call stats(): it is a snapshot in constant time, and of this " +
    "moment. What only refuses when the pool is full is better left to maxWaiters or shedding.",
  notWhen:
    "histograms() is for scrapes, not for requests: it sorts and copies. And a gauge that is " +
    "sampled is for dashboards: it knows the pool as it was.",
};

/** Puts the findings together. */
export function describeStats(
  context: ScenarioContext,
  measured: StatsMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(context, measured, figures).map(judge);
  return {
    headline:
      `stats() of ${figure(figures.largest.size)} connections took ` +
      `${figure(figures.statsNs.value)} ns (${withInterval(figures.sizeRatio)} times that of ` +
      `${figures.smallest.size}), ${percent(figures.share.value)} of a request to the server; a ` +
      `gauge sampled every ${SAMPLE_MS} ms missed ${percent(figures.missedRatio)} of the ` +
      "requests that found the pool full in short bursts.",
    experiment: experimentText(measured),
    claim: claimOfStats(measured, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `A pool of ${figure(figures.largest.size)} took ${withInterval(figures.sizeRatio)} times ` +
        `as long to describe as one of ${figures.smallest.size}, in ` +
        `${figure(Math.round(figures.largest.statsBytes))} bytes; requests with stats() each ` +
        `time took ${withInterval(figures.realEach)} times the CPU time of those without.`,
      checks,
    },
    predictions: [
      {
        what: "Mean age of the gauge when a request reads it",
        theory: "requests come at any moment between two samples: half of the interval",
        predicted: SAMPLE_MS / 2,
        measured: mean([...measured.short.ageMs, ...measured.long.ageMs]),
        unit: "ms",
      },
    ],
    arms: armsOf(measured, figures),
    plots: plotsOf(measured, figures),
    whatToSet: ADVICE,
    caveats: caveatsOf(measured, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: StatsMeasured): StatsFigures {
  const { random } = context;
  const [smallest] = measured.prices;
  const largest = measured.prices.at(-1);
  if (smallest === undefined || largest === undefined) throw new RangeError("no pool was priced");
  const realCpu = (name: string): number[] =>
    lookNamed(measured, name).turns.map((turn) => turn.clientCpuMs / turn.requests);
  const cpuNs = (name: string): readonly number[] => lookNamed(measured, name).cpuNs;
  const requestMs = responseOf(lookNamed(measured, NO_LOOK).turns).percentileMs(50);
  const statsNs = bootstrap(largest.statsNs, median, random);
  return {
    smallest,
    largest,
    statsNs,
    sizeRatio: medianRatio(smallest.statsNs, largest.statsNs, random),
    histogramsNs: median(largest.histogramsNs),
    share: mapEstimate(statsNs, (ns) => ns / 1e6 / requestMs),
    eachRatio: medianRatio(cpuNs(NO_LOOK), cpuNs(EACH), random),
    sampledRatio: medianRatio(cpuNs(NO_LOOK), cpuNs(SAMPLED), random),
    realEach: medianRatio(realCpu(NO_LOOK), realCpu(EACH), random),
    realSampled: medianRatio(realCpu(NO_LOOK), realCpu(SAMPLED), random),
    requestMs,
    missedRatio: missedOf(measured.short),
    missedLongRatio: missedOf(measured.long),
    age: histogramOf([...measured.short.ageMs, ...measured.long.ageMs]),
    workerAge: histogramOf(measured.worker.ageMs),
    ask: histogramOf(measured.worker.askMs),
  };
}

function missedOf({ full, missed }: Judgements): number {
  return full === 0 ? 0 : missed / full;
}

function lookNamed(measured: StatsMeasured, name: string): MeasuredLook {
  const found = measured.looks.find(({ way }) => way.name === name);
  if (found === undefined) throw new RangeError(`no way is called ${name}`);
  return found;
}

/** Timers that fire so late make it pointless to judge how old a sample is. */
const TIMER_LATE_LIMIT_MS = 5;

function questionsOf(
  context: ScenarioContext,
  measured: StatsMeasured,
  figures: StatsFigures,
): Question[] {
  const { smallest, largest } = figures;
  const busyNote = "CPU time of this process; that of others is not in it.";
  return [
    {
      name: `CPU time of stats(), a pool of ${figure(largest.size)} over one of ${smallest.size}`,
      estimate: figures.sizeRatio,
      threshold: { atMost: 1.3 },
      unit: "×",
      note: busyNote,
      isRobust: true,
    },
    {
      name: `CPU time of stats(), a pool of ${figure(largest.size)}`,
      estimate: mapEstimate(figures.statsNs, (ns) => ns / 1000),
      threshold: { atMost: 0.5 },
      unit: "µs",
    },
    {
      // Three objects (the snapshot, its details, and the connections closed by reason): what
      // matters is what they take.
      name: "Bytes that one stats() allocates",
      estimate: exact(Math.round(largest.statsBytes)),
      threshold: { atMost: 1024 },
    },
    {
      name: "Share of a request's time that one stats() takes, real server",
      estimate: mapEstimate(figures.share, (ratio) => ratio * 100),
      threshold: { atMost: 1 },
      unit: "%",
      note: `Of ${duration(figures.requestMs)} at p50, ${CALLERS} callers.`,
    },
    {
      name: "CPU time of a request that reads a gauge over one that does not (negative control)",
      estimate: figures.sampledRatio,
      threshold: { from: 0.8, to: 1.2 },
      unit: "×",
      note: busyNote,
      isRobust: true,
    },
    ...ageQuestionsOf(context, measured, figures),
    {
      // The longest of all is what another program's time slice makes it; so the 99th percentile.
      name: "How long histograms() blocks, 99th percentile",
      estimate: exact(Math.max(...measured.prices.map((price) => price.histogramsP99Ms))),
      threshold: { atMost: 1 },
      unit: "ms",
      note:
        "The longest: " +
        `${duration(Math.max(...measured.prices.map((price) => price.histogramsMaxMs)))}.`,
    },
  ];
}

function ageQuestionsOf(
  context: ScenarioContext,
  measured: StatsMeasured,
  figures: StatsFigures,
): Question[] {
  const { timerLateP99Ms } = context.calibration;
  const voidedBy =
    timerLateP99Ms > TIMER_LATE_LIMIT_MS
      ? `a timer of this process was ${duration(timerLateP99Ms)} late at p99.`
      : undefined;
  return [
    {
      name: "99th percentile of the gauge's age at a request",
      estimate: exact(figures.age.percentileMs(99)),
      threshold: { atMost: SAMPLE_MS + 10 },
      unit: "ms",
      note: `Sampled every ${SAMPLE_MS} ms, and then as late as the event loop is.`,
      voidedBy,
    },
    {
      name: "The same, as a worker thread sees it in shared memory",
      estimate: exact(figures.workerAge.percentileMs(99)),
      threshold: { atMost: SAMPLE_MS + 10 },
      unit: "ms",
      note: `${figure(measured.worker.ageMs.length)} looks, while ${CALLERS} callers make queries.`,
      voidedBy,
    },
  ];
}

function claimOfStats(measured: StatsMeasured, figures: StatsFigures): Claim {
  const { short } = measured;
  const wrong = short.missed + short.falseAlarms;
  const parts = [
    notLookedAt(
      "Each call takes the pool's lock, which requests need as well.",
      "In Node there is no lock: one thread does all. What is left of the cost is the call's own " +
        `${withInterval(figures.statsNs)} ns, with ${figure(figures.largest.size)} connections ` +
        `as with ${figures.smallest.size} (${withInterval(figures.sizeRatio)} times).`,
    ),
    estimatedPart(
      "Called at each request it slows requests down.",
      figures.share,
      { from: 0.01 },
      `It takes ${percent(figures.share.value)} of a request of ${duration(figures.requestMs)}; ` +
        `its CPU time was ${withInterval(figures.realEach)} times that without, and without a ` +
        `server ${withInterval(figures.eachRatio)} times. (From 1 % of the time on counts as ` +
        "holding.)",
    ),
    part(
      `A gauge that is sampled every ${SAMPLE_MS} ms serves the check as well.`,
      wrong <= 0.01 * short.requests,
      `In short bursts it was wrong at ${figure(wrong)} of ${figure(short.requests)} ` +
        `requests: of ${figure(short.full)} that found all connections in use it said of ` +
        `${figure(short.missed)} that there was room, and of ${figure(short.falseAlarms)} others ` +
        `that there was none. In long ones it missed ${percent(figures.missedLongRatio)} of ` +
        `${figure(measured.long.full)}.`,
    ),
    estimatedPart(
      "With the gauge the cost is gone.",
      figures.sampledRatio,
      { to: 1.1 },
      `Requests that read it took ${withInterval(figures.sampledRatio)} times the CPU time of ` +
        `those that look at nothing, without a server, and ${withInterval(figures.realSampled)} ` +
        "times on the real one.",
    ),
  ];
  return claimOf(
    "db.Stats() at each request takes the pool's lock and holds up the others; sample it every " +
      `${SAMPLE_MS} ms into an atomic instead.`,
    parts,
    {
      refuted:
        `stats() took ${figure(figures.statsNs.value)} ns, ${percent(figures.share.value)} of a ` +
        "request: that is what the gauge spares. In its place the gauge was wrong at " +
        `${figure(wrong)} of ${figure(short.requests)} requests in short bursts.`,
      holds:
        `stats() took ${percent(figures.share.value)} of a request, and the gauge ` +
        `${withInterval(figures.sampledRatio)} times the CPU time of no look at all.`,
      inconclusive:
        "The lock that it is about is not there in Node. stats() took " +
        `${figure(figures.statsNs.value)} ns, ${percent(figures.share.value)} of a request.`,
    },
  );
}

function armsOf(measured: StatsMeasured, figures: StatsFigures): Arm[] {
  const prices = measured.prices.map(
    (price): Arm => ({
      name: `stats() of ${figure(price.size)} connections, half in use`,
      role: "variant",
      settings: { maxOpenConns: price.size },
      measures: {
        statsUs: median(price.statsNs) / 1000,
        statsBytes: price.statsBytes,
        histogramsUs: median(price.histogramsNs) / 1000,
        histogramsLongestMs: price.histogramsMaxMs,
      },
    }),
  );
  const bursts = (name: string, judgements: Judgements): Arm => ({
    name,
    role: "change",
    settings: { maxOpenConns: BURST_SIZE, sampledEveryMs: SAMPLE_MS },
    measures: {
      foundFull: judgements.full,
      saidRoomWhenFull: judgements.missed,
      saidFullWhenRoom: judgements.falseAlarms,
      ...measuresOf([judgements.turn]),
    },
  });
  return [
    ...measured.looks.map(
      ({ way, cpuNs, turns }): Arm => ({
        name: way.name,
        role: way.role,
        settings: { code: way.code },
        measures: {
          cpuPerRequestWithoutServerUs: median(cpuNs) / 1000,
          ...measuresOf(turns),
        },
      }),
    ),
    ...prices,
    bursts("short bursts, judged by the gauge", measured.short),
    bursts("long bursts, judged by the gauge", measured.long),
    {
      name: "a worker thread",
      role: "variant",
      settings: { code: "Atomics.load(shared, 0), or parentPort.postMessage and wait" },
      measures: {
        readNs: measured.worker.readNs,
        ageP50Ms: figures.workerAge.percentileMs(50),
        ageP99Ms: figures.workerAge.percentileMs(99),
        askP50Us: figures.ask.percentileMs(50) * 1000,
        askP99Us: figures.ask.percentileMs(99) * 1000,
      },
    },
  ];
}

function plotsOf(measured: StatsMeasured, figures: StatsFigures): Plot[] {
  return [
    barPlot(
      "What one look takes, by size of the pool",
      `stats() of ${figure(figures.largest.size)} connections takes ` +
        `${withInterval(figures.sizeRatio)} times as long as of ${figures.smallest.size}; ` +
        `histograms() ${times(figures.histogramsNs / figures.statsNs.value)} as long as stats().`,
      { label: "ns of CPU time", scale: "log" },
      measured.prices.flatMap((price) => [
        {
          name: `stats(), ${figure(price.size)}`,
          value: median(price.statsNs),
          role: "baseline" as const,
        },
        {
          name: `histograms(), ${figure(price.size)}`,
          value: median(price.histogramsNs),
          role: "variant" as const,
        },
      ]),
      (value) => `${figure(Math.round(value))} ns`,
    ),
    barPlot(
      "CPU time of a request, without a server",
      `stats() at each request makes it ${withInterval(figures.eachRatio)} times, a sampled ` +
        `gauge ${withInterval(figures.sampledRatio)} times. A query to the real server takes ` +
        `${duration(figures.requestMs)}.`,
      { label: "ns", scale: "log" },
      measured.looks.map(({ way, cpuNs }) => ({
        name: way.name,
        value: median(cpuNs),
        role: way.role,
      })),
      (value) => `${figure(Math.round(value))} ns`,
    ),
    latencyPlot(
      "How old the gauge is when a request reads it",
      `${duration(figures.age.percentileMs(50))} at p50, ` +
        `${duration(figures.age.percentileMs(99))} at p99.`,
      [{ name: `sampled every ${SAMPLE_MS} ms`, response: figures.age }],
    ),
  ];
}

function experimentText(measured: StatsMeasured): string {
  const sizes = listed(measured.prices.map((price) => figure(price.size)));
  return (
    `stats() is called ${figure(measured.calls)} times on pools of ${sizes} connections, half of ` +
    "them in use, by a driver that answers at once. Requests look at the pool in " +
    `${measured.looks.length} ways, without a server and on the real one (${CALLERS} callers), ` +
    `in ${measured.rounds} rounds forward and backward. Then ` +
    `${figure(measured.short.requests + measured.long.requests)} requests come in bursts that ` +
    `fill a pool of ${BURST_SIZE} for some tens of milliseconds or for more than half a second, ` +
    "and each asks both the pool and the gauge whether it is full. Last a worker thread reads " +
    "the gauge in shared memory, and then asks the pool's thread by message, while that makes " +
    "queries. Nothing is scaled in time."
  );
}

function caveatsOf(measured: StatsMeasured, figures: StatsFigures): string[] {
  const histogramsNs = median(lookNamed(measured, HISTOGRAMS).cpuNs);
  return [
    "A worker thread cannot call stats(), as the pool lives in another thread. It read the " +
      `shared gauge in ${figure(measured.worker.readNs)} ns, ` +
      `${duration(figures.workerAge.percentileMs(50))} old at p50; to ask the pool's thread took ` +
      `${duration(figures.ask.percentileMs(50))}, at p99 ` +
      `${duration(figures.ask.percentileMs(99))}, and is an answer of the moment.`,
    "Go is not run. There the lock is real; how much it costs depends on the number of cores " +
      "that ask for it at once, which one thread cannot show.",
    `What does cost something is histograms(): ${figure(Math.round(figures.histogramsNs))} ns a ` +
      "call, which took a request from " +
      `${figure(Math.round(median(lookNamed(measured, NO_LOOK).cpuNs)))} ` +
      `to ${figure(Math.round(histogramsNs))} ns of CPU time without a server.`,
    "How often the gauge is wrong depends on how long the pool is full at a time: in short " +
      `bursts it missed ${percent(figures.missedRatio)} of the requests that found it full, in ` +
      `long ones ${percent(figures.missedLongRatio)}.`,
  ];
}
