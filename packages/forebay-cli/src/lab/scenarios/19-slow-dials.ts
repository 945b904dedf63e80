// Scenario 19: a burst comes while connections are slow to open. A dial for each caller opens many
// that nobody needs by the time they are there.

import { needConnections } from "../budget.ts";
import { claimOf, estimatedPart, part } from "../claim.ts";
import { pause } from "../clock.ts";
import { type Estimate, exact, median, medianRatio, sum, takeTurnsByName } from "../compare.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { Arm, Claim, Findings, Judge, Plot, Scenario, ScenarioContext } from "../scenario.ts";
import { measuresOf, mustNotFail, openTurn, responseOf, type Turn } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, withInterval } from "../words.ts";

/** As in HikariCP's study of a spike: 50 requests of 2 ms, 150 ms a connection. */
const REQUESTS = 30;
const WORK_MS = 2;
const DIAL_MS = 150;
/** Idle when the burst comes. */
const READY = 5;

interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  readonly maxDialing: number;
}

const WAYS = {
  each: { name: "a dial for each caller", role: "baseline", maxDialing: Infinity },
  few: { name: "maxDialing 4, the default", role: "change", maxDialing: 4 },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["each", "few"];

interface SpikeTurn extends Turn {
  /** Connections opened for the burst, also those that came too late for it. */
  readonly opened: number;
}

type Measured = Readonly<Record<WayName, readonly SpikeTurn[]>>;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, REQUESTS);
  const rounds = context.isQuick ? 6 : 16;
  const measured = await takeTurnsByName({
    rounds,
    signal: context.signal,
    steal: context.steal,
    names: NAMES,
    take: (name, _round, note) => {
      context.step(WAYS[name].name, 3 * DIAL_MS + 300, note);
      return turnOf(context, WAYS[name]);
    },
  });
  return describe(context, measured, await context.judge());
}

/** One burst on a pool that has some connections and may have as many as there are requests. */
async function turnOf(context: ScenarioContext, way: Way): Promise<SpikeTurn> {
  const { pools, signal, clock } = context;
  let isSlow = false;
  const db = pools.openDb({
    maxOpenConns: REQUESTS,
    maxIdleConns: REQUESTS,
    maxDialing: way.maxDialing,
    hooks: {
      beforeConnect: async (options) => {
        if (isSlow) await pause(clock, DIAL_MS, options.signal ?? signal);
        return undefined;
      },
    },
  });
  await db.warmUp(READY, { signal });
  isSlow = true;
  const turn = await openTurn(context, {
    arrivalsMs: Array.from({ length: REQUESTS }, () => 0),
    counts: "effect",
    operate: async () => {
      await db.query("SELECT pg_sleep($1 / 1000.0)", [WORK_MS], { signal });
    },
  });
  mustNotFail([turn]);
  // What is under way still is opened, too.
  while (db.stats().pool.dialing > 0) await pause(clock, 20, signal);
  const opened = db.stats().pool.dialCount - READY;
  await db.close();
  return { ...turn, opened };
}

/** What the turns come to. */
interface Figures {
  readonly opened: Readonly<Record<WayName, number>>;
  /** Of few dials to one for each caller. */
  readonly last: Estimate;
  readonly lastMs: Readonly<Record<WayName, number>>;
}

function figuresOf({ random }: ScenarioContext, measured: Measured): Figures {
  const last = (name: WayName): number[] => measured[name].map((turn) => turn.response.maxMs);
  const opened = (name: WayName): number =>
    sum(measured[name].map((turn) => turn.opened)) / measured[name].length;
  return {
    opened: { each: opened("each"), few: opened("few") },
    last: medianRatio(last("each"), last("few"), random),
    lastMs: { each: median(last("each")), few: median(last("few")) },
  };
}

const ADVICE: Findings["whatToSet"] = {
  code: "openPostgres(url, { maxDialing: 4 }); // the default",
  when:
    "Leave it as it is. More helps where dials are slow and each request is long, so that the " +
    "connections are really needed. database/sql dials in the caller, one for each; pg one for " +
    "each, without a limit; HikariCP one at a time.",
  notWhen:
    "With long requests and an empty pool the burst needs the connections: then minIdleConns " +
    "or warmUp has them there before it comes.",
};

function describe(context: ScenarioContext, measured: Measured, judge: Judge): Findings {
  const figures = figuresOf(context, measured);
  const { opened, lastMs } = figures;
  const checks = questionsOf(figures).map(judge);
  return {
    headline:
      `For a burst of ${REQUESTS} requests a dial for each caller opened ${figure(opened.each)} ` +
      `connections and served the last after ${duration(lastMs.each)}; four dials at once opened ` +
      `${figure(opened.few)} and served the last after ${duration(lastMs.few)}.`,
    experiment:
      `${REQUESTS} requests of ${duration(WORK_MS)} come at once to a pool with ${READY} idle ` +
      `connections, where each new one takes ${duration(DIAL_MS)} (a beforeConnect hook that ` +
      `waits) and the handshake. ${measured.few.length} rounds, forward and backward in turn, ` +
      "each with a pool of its own.",
    claim: claimOfSpike(figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        "Whoever waits gets the first connection that is free, not the one dialed for him: " +
        `${READY} idle ones served the burst in ${duration(lastMs.few)}, while ` +
        `${figure(opened.few)} were being opened.`,
      checks,
    },
    predictions: [
      {
        what: "Connections opened, a dial for each caller",
        theory: "callers less idle connections",
        predicted: REQUESTS - READY,
        measured: opened.each,
        unit: "",
      },
      {
        what: "The last request, where connections that come free serve",
        theory: "requests over idle connections, times the work",
        predicted: (REQUESTS / READY) * WORK_MS,
        measured: lastMs.few,
        unit: "ms",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name])),
    plots: plotsOf(measured, figures),
    whatToSet: ADVICE,
    caveats: [
      "Both arms are Forebay's pool, where a connection that comes free serves whoever waits " +
        "longest. In database/sql a caller who dials waits for his own dial.",
    ],
  };
}

function plotsOf(measured: Measured, { opened, lastMs }: Figures): Plot[] {
  return [
    barPlot(
      "Connections opened for a burst",
      `${figure(opened.each)} and ${figure(opened.few)}, on average.`,
      { label: "connections", scale: "linear" },
      NAMES.map((name) => ({
        name: WAYS[name].name,
        value: opened[name],
        role: WAYS[name].role,
      })),
    ),
    latencyPlot(
      "Response times in the burst",
      `The last was served after ${duration(lastMs.each)} and ${duration(lastMs.few)} (medians).`,
      NAMES.map((name) => ({
        name: WAYS[name].name,
        response: responseOf(measured[name]),
        ...(name === "each" ? { style: "dashes" as const } : {}),
      })),
    ),
  ];
}

function claimOfSpike(figures: Figures): Claim {
  const { opened, last, lastMs } = figures;
  const parts = [
    part(
      "A dial for each caller opens many more connections than the burst needs.",
      opened.each >= 3 * opened.few,
      `${figure(opened.each)} against ${figure(opened.few)} on average.`,
    ),
    estimatedPart(
      "A few dials serve the burst as soon.",
      last,
      { to: 1.25 },
      `The last was served after ${duration(lastMs.few)} against ${duration(lastMs.each)}: ` +
        `${withInterval(last)} times.`,
    ),
  ];
  return claimOf(
    "In a spike with slow connects, a pool that opens a connection for each caller opens many " +
      "that are not needed; one that waits for those coming free serves the spike as soon " +
      "(HikariCP, Welcome to the Jungle).",
    parts,
    {
      holds: `${figure(opened.few)} connections did what ${figure(opened.each)} did.`,
      refuted:
        `${figure(opened.few)} connections served the last after ` +
        `${duration(lastMs.few)}, ${figure(opened.each)} after ${duration(lastMs.each)}.`,
      inconclusive:
        `${figure(opened.few)} connections against ${figure(opened.each)}; how ` +
        "soon could not be decided.",
    },
  );
}

function questionsOf(figures: Figures): Question[] {
  return [
    {
      name: "Connections opened, few dials over one for each caller",
      estimate: exact(figures.opened.few / Math.max(1, figures.opened.each)),
      threshold: { atMost: 0.2 },
      unit: "×",
    },
    {
      name: "Until the last is served, few dials over one for each caller",
      estimate: figures.last,
      threshold: { atMost: 1.25 },
      unit: "×",
    },
  ];
}

function armOf(name: WayName, turns: readonly SpikeTurn[]): Arm {
  const way = WAYS[name];
  return {
    name: way.name,
    role: way.role,
    settings: {
      maxOpenConns: REQUESTS,
      maxDialing: Number.isFinite(way.maxDialing) ? way.maxDialing : "no limit",
      dialMs: DIAL_MS,
    },
    measures: { ...measuresOf(turns), opened: sum(turns.map((turn) => turn.opened)) },
  };
}

/** Extra scenario: a burst while dials are slow. */
export const slowDials: Scenario = {
  id: 19,
  title: "A burst while connections are slow to open",
  needs: "30 free connections",
  expectedMs: 25_000,
  expectedQuickMs: 10_000,
  run,
};
