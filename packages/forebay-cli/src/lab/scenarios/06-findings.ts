// Scenario 6, what the measurements say: verdicts, predictions and advice. Every sentence takes its
// figures from this run.

import type { ChunkedTurn } from "../chunks.ts";
import { bootstrap, type Estimate, exact, mapEstimate, median, medianRatio } from "../compare.ts";
import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, percent, times, withInterval } from "../words.ts";
import {
  DELAY_MS,
  GUIDE,
  type HotArm,
  PARTITIONS,
  RARE_JOBS,
  TEXTS,
  TEXTS_KEPT,
} from "./06-arms.ts";
import { claimOfHot } from "./06-claim.ts";
import type { HotMeasured } from "./06-prepared-hot-query.ts";
import { armsOfHot, plotsOfHot } from "./06-report.ts";

/** Figures derived from the measurements. */
export interface HotFigures {
  /** Time of a query, the default mode (which prepares) over a text each time. */
  readonly cachedOverExec: Estimate;
  readonly cachedOverSimple: Estimate;
  readonly cachedOverStmt: Estimate;
  /** Round trips with the network between: the way that asks for the types first, and the text. */
  readonly farCachedOverDescribe: Estimate;
  readonly farCachedOverExec: Estimate;
  readonly nearCachedOverDescribe: Estimate;
  readonly partitioned: Estimate;
  readonly thrashOverExec: Estimate;
  /** A generic plan that common values have brought about, over a plan for the rare value. */
  readonly trappedOverCustom: Estimate;
  readonly rareOverCustom: Estimate;
  /** Of the server's CPU time; undefined where it cannot be seen. */
  readonly server: ServerFigures | undefined;
  readonly cachedMs: number;
  readonly execMs: number;
}

/** CPU time of the backend. */
export interface ServerFigures {
  readonly cachedOverExec: Estimate;
  readonly partitioned: Estimate;
  readonly thrashOverExec: Estimate;
  readonly cachedOverStmt: Estimate;
  /** What parsing and planning takes: the text each time, less the default mode. Microseconds. */
  readonly savedUs: Estimate;
  readonly cachedUs: Estimate;
}

/** Puts the findings together. */
export function describeHot(
  context: ScenarioContext,
  measured: HotMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const checks = questionsOf(measured, figures).map(judge);
  const { server } = figures;
  const ofServer =
    server === undefined
      ? ""
      : `; of the server's CPU time it saved ${withInterval(server.savedUs)} µs a query`;
  return {
    headline:
      `Prepared, the query took ${withInterval(figures.cachedOverExec)} times as long as with ` +
      `its text sent each time${ofServer}; with a round trip of ${2 * DELAY_MS} ms, and a ` +
      `driver that asks for the types first, ${withInterval(figures.farCachedOverDescribe)} ` +
      "times. A rare value by a plan for all values took " +
      `${withInterval(figures.trappedOverCustom)} times as long as by its own.`,
    experiment: experimentText(context, measured),
    claim: claimOfHot(measured, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Forebay prepares by itself: the server had parsed the query ` +
        `${measured.cachedKept.statements} time in ${figure(measured.cachedRuns)} runs. A ` +
        `statement that the program prepares and keeps took ` +
        `${withInterval(mapRatio(figures.cachedOverStmt))} times as long as the default.`,
      checks,
    },
    predictions: predictionsOf(figures),
    arms: armsOfHot(measured),
    plots: plotsOfHot(measured, figures),
    whatToSet: adviceOf(figures),
    caveats: caveatsOf(measured, figures),
  };
}

function mapRatio(ratio: Estimate): Estimate {
  return { value: 1 / ratio.value, low: 1 / ratio.high, high: 1 / ratio.low };
}

function deriveFigures(context: ScenarioContext, { arms }: HotMeasured): HotFigures {
  const { random } = context;
  const times_ = (arm: HotArm): number[] => arms[arm].map((turn) => turn.timeMs);
  const ratio = (over: HotArm, under: HotArm): Estimate =>
    medianRatio(times_(under), times_(over), random);
  return {
    cachedOverExec: ratio("cached", "exec"),
    cachedOverSimple: ratio("cached", "simple"),
    cachedOverStmt: ratio("cached", "stmt"),
    farCachedOverDescribe: ratio("farCached", "farDescribeExec"),
    farCachedOverExec: ratio("farCached", "farExec"),
    nearCachedOverDescribe: ratio("nearCached", "nearDescribeExec"),
    partitioned: ratio("partitionedCached", "partitionedExec"),
    thrashOverExec: ratio("thrash", "exec"),
    trappedOverCustom: ratio("skewTrapped", "skewCustom"),
    rareOverCustom: ratio("skewRare", "skewCustom"),
    server: serverFigures(context, arms),
    cachedMs: median(times_("cached")),
    execMs: median(times_("exec")),
  };
}

function serverFigures(
  context: ScenarioContext,
  arms: HotMeasured["arms"],
): ServerFigures | undefined {
  const { random } = context;
  const cpus = (arm: HotArm): number[] => backendCpus(arms[arm]);
  if (cpus("cached").length !== arms.cached.length) return undefined;
  const cached = cpus("cached");
  return {
    cachedOverExec: medianRatio(cpus("exec"), cached, random),
    partitioned: medianRatio(cpus("partitionedExec"), cpus("partitionedCached"), random),
    thrashOverExec: medianRatio(cpus("exec"), cpus("thrash"), random),
    cachedOverStmt: medianRatio(cpus("stmt"), cached, random),
    savedUs: mapEstimate(
      bootstrap(
        cpus("exec").map((ms, round) => ms - (cached[round] ?? Number.NaN)),
        median,
        random,
      ),
      (ms) => ms * 1000,
    ),
    cachedUs: mapEstimate(bootstrap(cached, median, random), (ms) => ms * 1000),
  };
}

/** CPU time of the backend for a query, by turn. */
function backendCpus(turns: readonly ChunkedTurn[]): number[] {
  return turns.map((turn) => turn.backendCpuMs).filter((ms) => ms !== undefined);
}

/**
 * Prepared over unprepared is the server's CPU time, at most 0.8 of it, and not p50, at most 0.9: a
 * busy machine does not move it. And a cache that is too small may take 0.75 of a text each time,
 * not 1: a busy machine moves the two apart by as much.
 */
function questionsOf(measured: HotMeasured, figures: HotFigures): Question[] {
  const { cachedKept, cachedRuns, thrashKept } = measured;
  const { isGiven } = measured.query;
  const { server } = figures;
  const questions: Question[] = [
    {
      name: "Runs of the query without a parse, default mode",
      estimate: exact((100 * (cachedKept.customPlans + cachedKept.genericPlans)) / cachedRuns),
      threshold: { atLeast: 99 },
      unit: "%",
      note: `${cachedKept.statements} statement kept, ${figure(cachedRuns)} runs.`,
    },
    {
      name: `Time, default mode over asking for the types first, round trip of ${2 * DELAY_MS} ms`,
      estimate: figures.farCachedOverDescribe,
      threshold: { atMost: isGiven ? GIVEN_LIMIT : 0.6 },
      unit: "×",
      isRobust: true,
      note: `Without delay ${withInterval(figures.nearCachedOverDescribe)} times.`,
    },
    {
      name: `Statements kept where ${TEXTS} texts come in turn and ${TEXTS_KEPT} may be kept`,
      estimate: exact(thrashKept.statements),
      threshold: { atMost: TEXTS_KEPT },
    },
  ];
  if (server !== undefined) return [...questions, ...serverQuestionsOf(isGiven, figures, server)];
  questions.push({
    name: "Time, default mode over a statement that the program prepared",
    estimate: figures.cachedOverStmt,
    threshold: { from: 0.85, to: 1.15 },
    unit: "×",
    note: "There is nothing left to gain by preparing.",
  });
  return questions;
}

/**
 * A statement of the user's may take so long that what is saved does not show; preparing must not
 * make it slower.
 */
const GIVEN_LIMIT = 1.15;

function serverQuestionsOf(
  isGiven: boolean,
  figures: HotFigures,
  server: ServerFigures,
): Question[] {
  return [
    {
      name: "CPU time of the server, default mode over a statement that the program prepared",
      estimate: server.cachedOverStmt,
      threshold: { atMost: 1.5 },
      unit: "×",
      isRobust: true,
      note:
        "There is nothing left to gain by preparing. Time " +
        `${withInterval(figures.cachedOverStmt)} times.`,
    },
    {
      name: "CPU time of the server, default mode over its text each time",
      estimate: server.cachedOverExec,
      threshold: { atMost: isGiven ? GIVEN_LIMIT : 0.8 },
      unit: "×",
      isRobust: true,
    },
    {
      name: `CPU time of the server, ${PARTITIONS} partitions, default mode over its text`,
      estimate: server.partitioned,
      threshold: { atMost: 0.6 },
      unit: "×",
      isRobust: true,
    },
    {
      name: "CPU time of the server, a cache that is too small over a text each time (control)",
      estimate: server.thrashOverExec,
      threshold: { atLeast: 0.75 },
      unit: "×",
      isRobust: true,
      note: "Statements that are gone when they come again save nothing.",
    },
  ];
}

function predictionsOf(figures: HotFigures): Findings["predictions"] {
  return [
    {
      what: "With the network, default mode over asking for the types first",
      theory: "one round trip instead of two",
      predicted: 0.5,
      measured: figures.farCachedOverDescribe.value,
      unit: "×",
    },
    {
      what: "With the network, default mode over its text each time",
      theory: "one round trip each; what is saved drowns in it",
      predicted: 1,
      measured: figures.farCachedOverExec.value,
      unit: "×",
    },
  ];
}

function experimentText(context: ScenarioContext, { plan, query }: HotMeasured): string {
  const server =
    context.facts.postmasterPid === undefined
      ? "The server's CPU time cannot be seen from here."
      : "The server's CPU time is that of the connection's own process.";
  return (
    `One caller asks for ${query.name}, one query after the other, in every way in which a text ` +
    "can reach the server: written out (simple), with its parameters (exec), asking for the " +
    "types first (describe-exec), with types learnt before (cache-describe), prepared by Forebay " +
    "(the default), prepared by the program (a Stmt), and prepared with a cache too small for " +
    `the ${TEXTS} texts in turn. Then a table of ${PARTITIONS} partitions, asked by a column ` +
    "that is not their key; the first query through a proxy, without delay and with a round trip " +
    `of ${2 * DELAY_MS} ms or a little more; and the first ten jobs in a state that ${RARE_JOBS} ` +
    `of many have, the last of their table. Each way has a connection. ${plan.rounds} rounds; ` +
    "within one the arms of a group take turns, a few queries each, and the lower quartile of " +
    `these pieces counts. ${server} Nothing is scaled.`
  );
}

function adviceOf(figures: HotFigures): Findings["whatToSet"] {
  return {
    code:
      "openPostgres(url) // prepares what it meets: nothing to set\n" +
      "// behind a pooler that hands each transaction to another server, without its own cache:\n" +
      'openPostgres(url, { connection: { statementMode: "cache-describe" } })\n' +
      "// where some values are rare and need a plan of their own:\nopenPostgres(url, " +
      '{ connection: { options: "-c plan_cache_mode=force_custom_plan" } })\n\n' +
      "// Go: pgx caches by itself (QueryExecModeCacheStatement), database/sql needs Prepare; " +
      "pg: give the query\n// a name; HikariCP: prepareThreshold of the driver",
    when:
      "For queries that come again and again, and whose values all want the same plan: prepared " +
      `took ${times(figures.cachedOverExec.value)} the time of the text each time here. It ` +
      `matters most where planning is dear (partitions: ${times(figures.partitioned.value)}) and ` +
      "where the driver would ask for the types first " +
      `(${times(figures.farCachedOverDescribe.value)} with a round trip of ${2 * DELAY_MS} ms).`,
    notWhen:
      "For texts that are built anew each time: they push each other out of the cache, and each " +
      `run took ${times(figures.thrashOverExec.value)} the time of the text alone. And where a ` +
      "few values need another plan than the rest: with a plan made for common values a rare " +
      `one took ${times(figures.trappedOverCustom.value)} what it takes with its own.`,
  };
}

function caveatsOf(measured: HotMeasured, figures: HotFigures): string[] {
  const { trappedKept, rareKept } = measured;
  const trap = figures.trappedOverCustom;
  return [
    "The server makes a plan for the values in the first five runs, and then one for all values " +
      "where that looks no dearer. After runs with a common value, the rare one ran by the plan " +
      `for all (${figure(trappedKept.genericPlans)} times of ` +
      `${figure(trappedKept.genericPlans + trappedKept.customPlans)}) and took ` +
      `${withInterval(trap)} times what its own plan takes` +
      `${trap.low > 1.5 ? ", a regression by preparing" : ""}; asked for the rare value from the ` +
      `first, it took ${withInterval(figures.rareOverCustom)} times ` +
      `(${figure(rareKept.genericPlans)} runs by the plan for all).`,
    "Each connection keeps its own statements, so that their number is that of texts times that " +
      "of connections: scenario 12.",
    "The proxy runs in this process: only times are compared through it, beside the same proxy " +
      "without delay.",
    `Time of a query here includes this process and TLS: ${duration(figures.cachedMs)} prepared, ` +
      `${duration(figures.execMs)} with its text. For a query that is ` +
      `${percent(GUIDE.share)} of the traffic the saving is that share of the difference.`,
  ];
}
