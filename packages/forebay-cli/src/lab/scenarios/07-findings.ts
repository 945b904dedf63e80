// Scenario 7, what the measurements say: verdicts, predictions and advice. Every sentence takes its
// figures from this run.

import { type Estimate, exact, median, medianRatio } from "../compare.ts";
import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, percent, times, withInterval } from "../words.ts";
import {
  BATCH,
  CALLERS,
  CONNECTIONS,
  cpuPerRequestMs,
  DELAY_MS,
  GUIDE_PER_S,
  LARGE_COLUMNS,
  LARGE_ROWS,
  type LayersArm,
  timePerRequestMs,
} from "./07-arms.ts";
import { claimOfLayers } from "./07-claim.ts";
import type { LayersMeasured } from "./07-native-or-portable.ts";
import { armsOfLayers, plotsOfLayers } from "./07-report.ts";

/** Two ratios of two arms: of time, and of this process's CPU time, each for one request. */
export interface TimeAndCpu {
  readonly time: Estimate;
  readonly cpu: Estimate;
}

/** Figures derived from the measurements. */
export interface LayersFigures {
  readonly nativeOverPortable: TimeAndCpu;
  /** The driver without pool and layer, over the portable layer: the most that can be saved. */
  readonly driverOverPortable: TimeAndCpu;
  /** Of the least of the turns each, which the machine's noise moves least: time, time, CPU time. */
  readonly leastNativeOverPortable: number;
  readonly leastDriverOverPortable: number;
  readonly leastDriverOverPortableCpu: number;
  readonly pipelinedOverPortable: TimeAndCpu;
  readonly columnsOverObjects: TimeAndCpu;
  readonly arraysOverObjects: TimeAndCpu;
  readonly objectsOverText: TimeAndCpu;
  readonly nearBatch: TimeAndCpu;
  readonly farBatch: TimeAndCpu;
  readonly farAtOnce: TimeAndCpu;
  /**
   * Pool and layer: CPU time a query beyond the driver's, the least of the turns each. May come out
   * below 0 by noise.
   */
  readonly layerCpuUs: number;
  /** That, over the time of the whole request: here, and with the network between. */
  readonly layerShare: number;
  readonly layerShareFar: number;
  /** What pool and layer take of one core at the guide's rate. */
  readonly layerCoreShare: number;
  readonly requestMs: number;
  readonly farRequestMs: number;
  readonly portablePerS: number;
  readonly pipelinedPerS: number;
}

/** Puts the findings together. */
export function describeLayers(
  context: ScenarioContext,
  measured: LayersMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(figures).map(judge);
  return {
    headline:
      `One row took ${times(figures.leastNativeOverPortable)} as long through the native layer ` +
      `as through the portable one, ${times(figures.leastDriverOverPortable)} by the driver ` +
      `alone; pipelining took ${times(figures.pipelinedOverPortable.cpu.value)} the CPU time a ` +
      `query, and a batch of ${BATCH} over a network of ${2 * DELAY_MS} ms ` +
      `${times(figures.farBatch.time.value)} the time of one by one.`,
    experiment: experimentText(measured),
    claim: claimOfLayers(figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        "Forebay's two layers are one class over one driver: openPostgres adds what only " +
        "PostgreSQL can do, and takes no other path for a single query. Pool and layer took " +
        `${figure(figures.layerCpuUs)} µs of CPU time a query more than the driver alone: ` +
        `${percent(figures.layerShare)} of a request of ${duration(figures.requestMs)} here, ` +
        `${percent(figures.layerShareFar)} of one of ${duration(figures.farRequestMs)} over the ` +
        "network. What pays is what the portable layer cannot offer.",
      checks,
    },
    predictions: predictionsOf(figures),
    arms: armsOfLayers(measured),
    plots: plotsOfLayers(measured, figures),
    whatToSet: adviceOf(figures),
    caveats: caveatsOf(context, figures),
  };
}

function deriveFigures(context: ScenarioContext, { arms }: LayersMeasured): LayersFigures {
  const ratio = (over: LayersArm, under: LayersArm): TimeAndCpu => ({
    time: medianRatio(
      arms[under].map((turn) => timePerRequestMs(under, turn)),
      arms[over].map((turn) => timePerRequestMs(over, turn)),
      context.random,
    ),
    cpu: medianRatio(
      arms[under].map(cpuPerRequestMs),
      arms[over].map(cpuPerRequestMs),
      context.random,
    ),
  });
  const timeOf = (arm: LayersArm): number =>
    median(arms[arm].map((turn) => timePerRequestMs(arm, turn)));
  // The least of the turns: whatever more a turn took is the machine's doing.
  const leastCpuMs = (arm: LayersArm): number => Math.min(...arms[arm].map(cpuPerRequestMs));
  const leastMs = (arm: LayersArm): number =>
    Math.min(...arms[arm].map((turn) => timePerRequestMs(arm, turn)));
  const layerCpuMs = leastCpuMs("portable") - leastCpuMs("driver");
  const requestMs = leastMs("portable");
  const farRequestMs = leastMs("farOneByOne") / BATCH;
  return {
    nativeOverPortable: ratio("native", "portable"),
    driverOverPortable: ratio("driver", "portable"),
    leastNativeOverPortable: leastMs("native") / leastMs("portable"),
    leastDriverOverPortable: leastMs("driver") / leastMs("portable"),
    leastDriverOverPortableCpu: leastCpuMs("driver") / leastCpuMs("portable"),
    pipelinedOverPortable: ratio("pipelinedMany", "portableMany"),
    columnsOverObjects: ratio("largeColumns", "largeObjects"),
    arraysOverObjects: ratio("largeArrays", "largeObjects"),
    objectsOverText: ratio("largeObjects", "largeText"),
    nearBatch: ratio("nearBatch", "nearOneByOne"),
    farBatch: ratio("farBatch", "farOneByOne"),
    farAtOnce: ratio("farAtOnce", "farOneByOne"),
    layerCpuUs: layerCpuMs * 1000,
    layerShare: layerCpuMs / requestMs,
    layerShareFar: layerCpuMs / farRequestMs,
    layerCoreShare: (layerCpuMs * GUIDE_PER_S) / 1000,
    requestMs,
    farRequestMs,
    portablePerS: 1000 / timeOf("portableMany"),
    pipelinedPerS: 1000 / timeOf("pipelinedMany"),
  };
}

/**
 * Native over portable may be up to 1.15, though these two are one path, so that their ratio is 1:
 * two identical arms differ by that much on a busy machine.
 */
function questionsOf(figures: LayersFigures): Question[] {
  return [
    {
      name: "One row, one caller: time, native over portable",
      estimate: exact(figures.leastNativeOverPortable),
      threshold: { from: 0.8, to: 1.15 },
      unit: "×",
      note:
        "The least of the turns each; turn by turn " +
        `${withInterval(figures.nativeOverPortable.time)} times, CPU time ` +
        `${withInterval(figures.nativeOverPortable.cpu)} times.`,
    },
    {
      name: "One row, one caller: CPU time, driver alone over portable",
      estimate: exact(figures.leastDriverOverPortableCpu),
      threshold: { atLeast: 0.6 },
      unit: "×",
      note:
        "The least of the turns each; turn by turn " +
        `${withInterval(figures.driverOverPortable.cpu)} times. What pool and layer add must ` +
        "stay the lesser part.",
    },
    {
      name: `${CALLERS} callers: CPU time a query, pipelining over portable`,
      estimate: figures.pipelinedOverPortable.cpu,
      threshold: { atMost: 0.8 },
      unit: "×",
      note: `Time ${withInterval(figures.pipelinedOverPortable.time)} times.`,
    },
    {
      name: "Large result: CPU time, binary over text",
      estimate: figures.objectsOverText.cpu,
      threshold: { atMost: 0.85 },
      unit: "×",
      note:
        `Arrays over objects ${withInterval(figures.arraysOverObjects.cpu)} times, the native ` +
        `layer's columns ${withInterval(figures.columnsOverObjects.cpu)} times.`,
    },
    {
      name: `Batch of ${BATCH} over one by one, round trip of ${2 * DELAY_MS} ms: time`,
      estimate: figures.farBatch.time,
      threshold: { atMost: 0.2 },
      unit: "×",
      isRobust: true,
      note: `Through the same proxy without delay ${withInterval(figures.nearBatch.time)} times.`,
    },
  ];
}

function predictionsOf(figures: LayersFigures): Findings["predictions"] {
  return [
    {
      what: `Batch of ${BATCH} over one by one, with the network`,
      theory: "one round trip instead of ten",
      predicted: 1 / BATCH,
      measured: figures.farBatch.time.value,
      unit: "×",
    },
    {
      what: "One row, native over portable",
      theory: "one class over one driver",
      predicted: 1,
      measured: figures.leastNativeOverPortable,
      unit: "×",
    },
  ];
}

function experimentText({ plan }: LayersMeasured): string {
  return (
    "The same statements over the same driver: through a connection without pool and layer, " +
    "through openDB, and through openPostgres. One row by its key, one caller, one query after " +
    `the other; ${CALLERS} callers on ${CONNECTIONS} connections, each query with a connection ` +
    `of its own or pipelined; ${figure(LARGE_ROWS)} rows of ${LARGE_COLUMNS} numbers, as text, ` +
    `as objects, arrays and columns; ${BATCH} queries one by one, at once on ${BATCH} ` +
    "connections, and in a batch, through a proxy that delays nothing, and one that makes a " +
    `round trip take ${2 * DELAY_MS} ms or a little more. ${plan.rounds} rounds, forward and ` +
    "backward in turn. Time of a query is the median of a turn, with many callers the time " +
    "between two answers; where the least is said, it is the least of the turns. Nothing is scaled."
  );
}

function adviceOf(figures: LayersFigures): Findings["whatToSet"] {
  return {
    code:
      'import { openPostgres } from "forebay/postgres"\n\n' +
      `const db = openPostgres(url, { maxOpenConns: ${CONNECTIONS}, pipelining: { depth: 64 } ` +
      "})\nawait db.batch([{ sql: one }, { sql: another }]) // one round trip, one " +
      "transaction\n\n// Go: pgxpool.Pool with SendBatch instead of sql.DB; postgres.js " +
      "pipelines by itself;\n// under HikariCP: addBatch of the driver",
    when:
      "Where many small queries keep this process busy (pipelining: " +
      `${times(figures.pipelinedOverPortable.cpu.value)} the CPU time a query, ` +
      `${figure(figures.pipelinedPerS)}/s against ${figure(figures.portablePerS)}/s), or where ` +
      "several statements follow each other over a network (a batch: " +
      `${times(figures.farBatch.time.value)} the time).`,
    notWhen:
      "For the sake of the layer alone: native over portable was " +
      `${times(figures.leastNativeOverPortable)} (the least of the turns each). Code that must ` +
      "run on another driver keeps openDB, and where statements do not depend on each other, " +
      `asking at once on several connections gives ${times(figures.farAtOnce.time.value)} the ` +
      "time of one by one.",
  };
}

function caveatsOf(context: ScenarioContext, figures: LayersFigures): string[] {
  const caveats = [
    "Go's two libraries are not run here. What Node has for them is shown: one driver, without a " +
      "layer, with the portable one and with the native one. There is no mutex to contend for in " +
      "Node, since a pool lives on one thread.",
    "The proxy runs in this process and takes CPU time of it: only times are compared through " +
      "it, with an arm through the same proxy without delay.",
    `Connections use ${context.facts.isTls ? "TLS" : "no TLS"} over TCP; a Unix socket is not ` +
      "tried.",
  ];
  if (figures.layerCpuUs < 0) {
    caveats.push("What pool and layer take is below what could be told apart in this run.");
  }
  return caveats;
}
