// Scenario 7, what the measurements say: verdicts, predictions and advice. Every sentence takes its
// figures from this run.

import type { ChunkedTurn } from "../chunks.ts";
import { bootstrap, type Estimate, mapEstimate, median, medianRatio } from "../compare.ts";
import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, percent, times, withInterval } from "../words.ts";
import {
  BATCH,
  CALLERS,
  CONNECTIONS,
  DELAY_MS,
  GUIDE_PER_S,
  LARGE_COLUMNS,
  LARGE_ROWS,
  type LayersArm,
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
  /** Over a Unix socket, where there is one: native over portable, and that over TCP. */
  readonly socket: { readonly native: TimeAndCpu; readonly overTcp: TimeAndCpu } | undefined;
  readonly pipelinedOverPortable: TimeAndCpu;
  readonly columnsOverObjects: TimeAndCpu;
  readonly arraysOverObjects: TimeAndCpu;
  readonly objectsOverText: TimeAndCpu;
  readonly nearBatch: TimeAndCpu;
  readonly farBatch: TimeAndCpu;
  readonly farAtOnce: TimeAndCpu;
  /** Pool and layer: CPU time a query beyond the driver's. May come out below 0 by noise. */
  readonly layerCpuUs: number;
  /** That, over the time of the whole request: here, and with the network between. */
  readonly layerShare: number;
  readonly layerShareFar: number;
  /** What pool and layer take of one core at the guide's rate. */
  readonly layerCoreShare: Estimate;
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
      `One row took ${withInterval(figures.nativeOverPortable.time)} times as long through the ` +
      `native layer as through the portable one, ` +
      `${withInterval(figures.driverOverPortable.time)} times by the driver alone; ` +
      `pipelining took ${times(figures.pipelinedOverPortable.cpu.value)} the CPU time a query, ` +
      `and a batch of ${BATCH} over a network of ${2 * DELAY_MS} ms ` +
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

function timesOf(turns: readonly ChunkedTurn[]): number[] {
  return turns.map((turn) => turn.timeMs);
}

function cpusOf(turns: readonly ChunkedTurn[]): number[] {
  return turns.map((turn) => turn.cpuMs);
}

function deriveFigures(context: ScenarioContext, { arms }: LayersMeasured): LayersFigures {
  const ratio = (over: LayersArm, under: LayersArm): TimeAndCpu => ({
    time: medianRatio(timesOf(arms[under]), timesOf(arms[over]), context.random),
    cpu: medianRatio(cpusOf(arms[under]), cpusOf(arms[over]), context.random),
  });
  const timeOf = (arm: LayersArm): number => median(timesOf(arms[arm]));
  const alone = cpusOf(arms.driver);
  const layerCpu = bootstrap(
    cpusOf(arms.portable).map((cpuMs, round) => cpuMs - (alone[round] ?? Number.NaN)),
    median,
    context.random,
  );
  const layerCpuMs = layerCpu.value;
  const requestMs = timeOf("portable");
  const farRequestMs = timeOf("farOneByOne") / BATCH;
  return {
    nativeOverPortable: ratio("native", "portable"),
    driverOverPortable: ratio("driver", "portable"),
    socket:
      arms.socketNative.length === 0
        ? undefined
        : {
            native: ratio("socketNative", "socketPortable"),
            overTcp: ratio("socketPortable", "portable"),
          },
    pipelinedOverPortable: ratio("pipelinedMany", "portableMany"),
    columnsOverObjects: ratio("largeColumns", "largeObjects"),
    arraysOverObjects: ratio("largeArrays", "largeObjects"),
    objectsOverText: ratio("largeObjects", "largeText"),
    nearBatch: ratio("nearBatch", "nearOneByOne"),
    farBatch: ratio("farBatch", "farOneByOne"),
    farAtOnce: ratio("farAtOnce", "farOneByOne"),
    layerCpuUs: layerCpuMs * 1000,
    layerCoreShare: mapEstimate(layerCpu, (cpuMs) => (cpuMs * GUIDE_PER_S) / 1000),
    layerShare: layerCpuMs / requestMs,
    layerShareFar: layerCpuMs / farRequestMs,
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
  const native = (where: string, { time, cpu }: TimeAndCpu): Question => ({
    name: `One row, one caller${where}: time, native over portable`,
    estimate: time,
    threshold: { from: 0.8, to: 1.15 },
    unit: "×",
    note: `CPU time ${withInterval(cpu)} times.`,
  });
  return [
    native("", figures.nativeOverPortable),
    ...(figures.socket === undefined ? [] : [native(", Unix socket", figures.socket.native)]),
    {
      name: "One row, one caller: CPU time, driver alone over portable",
      estimate: figures.driverOverPortable.cpu,
      threshold: { atLeast: 0.6 },
      unit: "×",
      note: "What pool and layer add must stay the lesser part.",
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
      measured: figures.nativeOverPortable.time.value,
      unit: "×",
    },
  ];
}

function experimentText({ plan }: LayersMeasured): string {
  return (
    "The same statements over the same driver: through a connection without pool and layer, " +
    "through openDB, and through openPostgres. One row by its key, one caller, one query after " +
    `the other, over TCP and, where the server has one, a Unix socket; ${CALLERS} callers on ` +
    `${CONNECTIONS} connections, each query with a connection of its own or pipelined; ` +
    `${figure(LARGE_ROWS)} rows of ${LARGE_COLUMNS} numbers, as text, as objects, arrays and ` +
    `columns; ${BATCH} queries one by one, at once on ${BATCH} connections, and in a batch, ` +
    `through a proxy that delays nothing, and one that makes a round trip take ${2 * DELAY_MS} ` +
    `ms or a little more. ${plan.rounds} rounds, ${plan.manyRounds} with many callers, forward ` +
    "and backward in turn. Arms that are compared take turns within a round, a few queries " +
    "each; time and CPU time of a query are the lower quartile of these pieces, with many " +
    "callers time is that between two answers. Nothing is scaled."
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
      `${times(figures.nativeOverPortable.time.value)}. Code that must run on another driver ` +
      "keeps openDB, and where statements do not depend on each other, asking at once on several " +
      `connections gives ${times(figures.farAtOnce.time.value)} the time of one by one.`,
  };
}

function caveatsOf(context: ScenarioContext, figures: LayersFigures): string[] {
  const caveats = [
    "Go's two libraries are not run here. What Node has for them is shown: one driver, without a " +
      "layer, with the portable one and with the native one. There is no mutex to contend for in " +
      "Node, since a pool lives on one thread.",
    "The proxy runs in this process and takes CPU time of it: only times are compared through " +
      "it, with an arm through the same proxy without delay.",
    `Connections use ${context.facts.isTls ? "TLS" : "no TLS"} over TCP; ` +
      (figures.socket === undefined
        ? "a Unix socket is not tried, since none of this server's is known."
        : "over its Unix socket, which has no TLS, one row took " +
          `${withInterval(figures.socket.overTcp.time)} times as long, and ` +
          `${withInterval(figures.socket.overTcp.cpu)} times the CPU time.`),
  ];
  if (figures.layerCpuUs < 0) {
    caveats.push("What pool and layer take is below what could be told apart in this run.");
  }
  return caveats;
}
