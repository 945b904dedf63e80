// Scenario 23: more requests come than the pool can serve. First come, first served then serves
// everybody too late; shedding (CoDel) serves some of them in time.

import { needConnections } from "../budget.ts";
import { claimOf, estimatedPart, part } from "../claim.ts";
import { bootstrap, byName, type Estimate, exact, mean, sum, takeTurnsByName } from "../compare.ts";
import { LatencyHistogram } from "../histogram.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { LabDb } from "../pools.ts";
import { poissonArrivals, seededLabRandom } from "../random.ts";
import {
  type Arm,
  type Claim,
  type Findings,
  type Judge,
  type Plot,
  type Scenario,
  type ScenarioContext,
} from "../scenario.ts";
import { closedTurn, measuresOf, openTurn, responseOf, type Turn } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, percent, withInterval } from "../words.ts";

const CONNECTIONS = 8;
const WORK_MS = 10;
/** When a client has given up. */
const PATIENCE_MS = 200;
const SHEDDING = { targetMs: 5, intervalMs: 100 } as const;
const OVERLOAD = 1.5;
const NORMAL = 0.6;
/** Until the queue is as long as it gets. */
const LEAD_MS = 500;

interface Way {
  readonly name: string;
  readonly role: Arm["role"];
  /** Of what the pool can serve. */
  readonly load: number;
  readonly sheds: boolean;
}

const WAYS = {
  fifo: { name: "first come, first served", role: "baseline", load: OVERLOAD, sheds: false },
  codel: { name: "shedding", role: "change", load: OVERLOAD, sheds: true },
  normal: { name: "shedding, normal load", role: "negative control", load: NORMAL, sheds: true },
} as const satisfies Record<string, Way>;

type WayName = keyof typeof WAYS;
const NAMES: readonly WayName[] = ["fifo", "codel", "normal"];

interface OverloadTurn extends Turn {
  /** Requests that came once the queue was as long as it gets, and those served in time. */
  readonly counted: number;
  readonly inTime: number;
  /** Response times of the requests that were served. */
  readonly served: LatencyHistogram;
  readonly shed: number;
}

type Measured = Readonly<Record<WayName, readonly OverloadTurn[]>>;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, CONNECTIONS * NAMES.length);
  const { signal } = context;
  const rounds = context.isQuick ? 6 : 8;
  const turnMs = LEAD_MS + (context.isQuick ? 300 : 1500);
  const dbs = byName(NAMES, (name) =>
    context.pools.openDb({
      maxOpenConns: CONNECTIONS,
      maxIdleConns: CONNECTIONS,
      acquireTimeoutMs: PATIENCE_MS,
      shedding: WAYS[name].sheds ? SHEDDING : undefined,
    }),
  );
  await Promise.all(NAMES.map((name) => dbs[name].warmUp(CONNECTIONS, { signal })));
  const capacityPerS = await capacityOf(context, dbs.fifo);
  const measured = await takeTurnsByName({
    rounds,
    signal,
    steal: context.steal,
    names: NAMES,
    take: (name, round, note) => {
      context.step(WAYS[name].name, turnMs + PATIENCE_MS, note);
      const random = seededLabRandom(2300 + round);
      const arrivalsMs = poissonArrivals(random, WAYS[name].load * capacityPerS, turnMs);
      return turnOf(context, dbs[name], arrivalsMs);
    },
  });
  return describe(context, measured, capacityPerS, await context.judge());
}

/** What the pool serves at most, in requests a second. */
async function capacityOf(context: ScenarioContext, db: LabDb): Promise<number> {
  const durationMs = 500;
  context.step("what the pool can serve", durationMs);
  const turn = await closedTurn(context, {
    callers: CONNECTIONS,
    durationMs,
    operate: () => work(context, db),
  });
  return (turn.requests / turn.durationMs) * 1000;
}

async function work({ signal }: ScenarioContext, db: LabDb): Promise<void> {
  await db.query("SELECT pg_sleep($1 / 1000.0)", [WORK_MS], { signal });
}

async function turnOf(
  context: ScenarioContext,
  db: LabDb,
  arrivalsMs: readonly number[],
): Promise<OverloadTurn> {
  const { clock } = context;
  const served = new LatencyHistogram();
  const shedBefore = db.stats().pool.shedCount;
  let inTime = 0;
  const turn = await openTurn(context, {
    arrivalsMs,
    operate: async (index, dueAtMs) => {
      await work(context, db);
      const responseMs = clock.nowMs() - dueAtMs;
      served.recordMs(responseMs);
      const counts = (arrivalsMs[index] ?? 0) >= LEAD_MS;
      if (counts && responseMs <= PATIENCE_MS) inTime += 1;
    },
  });
  const counted = arrivalsMs.filter((ms) => ms >= LEAD_MS).length;
  return { ...turn, counted, inTime, served, shed: db.stats().pool.shedCount - shedBefore };
}

/** What the turns come to. */
interface Figures {
  /** Shares of the counted requests that were served in time. */
  readonly inTime: Readonly<Record<WayName, Estimate>>;
  /** Goodput with shedding over without, all turns together. */
  readonly gain: number;
  readonly shedNormal: number;
  readonly servedP50Ms: Readonly<Record<WayName, number>>;
}

function figuresOf(context: ScenarioContext, measured: Measured): Figures {
  const shares = (name: WayName): number[] =>
    measured[name].map((turn) => turn.inTime / turn.counted);
  const estimate = (name: WayName): Estimate => bootstrap(shares(name), mean, context.random);
  const total = (name: WayName): number => sum(measured[name].map((turn) => turn.inTime));
  const p50 = (name: WayName): number =>
    responseOf(measured[name].map(({ served }) => ({ response: served }))).percentileMs(50);
  return {
    inTime: { fifo: estimate("fifo"), codel: estimate("codel"), normal: estimate("normal") },
    gain: total("codel") / Math.max(1, total("fifo")),
    shedNormal: sum(measured.normal.map((turn) => turn.shed)),
    servedP50Ms: { fifo: p50("fifo"), codel: p50("codel"), normal: p50("normal") },
  };
}

const ADVICE: Findings["whatToSet"] = {
  code:
    "const db = openPostgres(url, {\n" +
    `  shedding: { targetMs: ${SHEDDING.targetMs}, intervalMs: ${SHEDDING.intervalMs} },\n` +
    "  acquireTimeoutMs: 1_000, // no longer than your clients wait\n});",
  when:
    "Where clients give up, or try again elsewhere: answer POOL_OVERLOADED at once with a 503. " +
    "Go, pg and HikariCP have nothing of the kind; the nearest is a short acquire timeout.",
  notWhen:
    "Where every job must be done at some time and nobody waits for it, as in a batch: there a " +
    "long acquire timeout, or a queue outside, loses nothing.",
};

function describe(
  context: ScenarioContext,
  measured: Measured,
  capacityPerS: number,
  judge: Judge,
): Findings {
  const figures = figuresOf(context, measured);
  const { inTime, servedP50Ms } = figures;
  const checks = questionsOf(measured, figures).map(judge);
  return {
    headline:
      `At ${figure(OVERLOAD)} times what the pool can serve, ${percent(inTime.fifo.value)} of ` +
      `the requests were answered within ${duration(PATIENCE_MS)} in order of arrival, and ` +
      `${percent(inTime.codel.value)} with shedding, those after ${duration(servedP50Ms.codel)} ` +
      `(p50) rather than ${duration(servedP50Ms.fifo)}.`,
    experiment:
      `Requests of ${duration(WORK_MS)} for ${CONNECTIONS} connections, which serve ` +
      `${figure(capacityPerS)} a second; at random ${figure(OVERLOAD)} times as many come, and ` +
      `their clients give up after ${duration(PATIENCE_MS)}, in the queue or later. The first ` +
      `${duration(LEAD_MS)} of each turn, in which the queue fills, are not counted. ` +
      `${measured.fifo.length} rounds, forward and backward in turn, with the same arrivals.`,
    claim: claimOfOverload(figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `Shedding turned away ${figure(sum(measured.codel.map((turn) => turn.shed)))} of ` +
        `${figure(sum(measured.codel.map((turn) => turn.requests)))} requests in overload, and ` +
        `${figure(figures.shedNormal)} of ` +
        `${figure(sum(measured.normal.map((turn) => turn.requests)))} at ${figure(NORMAL)} ` +
        "times what the pool can serve.",
      checks,
    },
    predictions: [
      {
        what: "Requests that can be answered in time, at best",
        theory: `capacity over load: 1 / ${figure(OVERLOAD)}`,
        predicted: 100 / OVERLOAD,
        measured: 100 * inTime.codel.value,
        unit: "%",
      },
      {
        what: "Requests answered in time in order of arrival",
        theory:
          "whoever is served has waited for as long as the client's patience, and the work comes " +
          "on top",
        predicted: 0,
        measured: 100 * inTime.fifo.value,
        unit: "%",
      },
    ],
    arms: NAMES.map((name) => armOf(name, measured[name], capacityPerS)),
    plots: plotsOf(measured, figures),
    whatToSet: ADVICE,
    caveats: [
      "The clients' patience is the pool's acquireTimeoutMs in all arms; what was served later " +
        "than that counts as not answered.",
      "The work is pg_sleep: a server that gets slower under load makes it worse.",
      ...(context.isQuick ? ["Quick run: short turns."] : []),
    ],
  };
}

function plotsOf(measured: Measured, { inTime, servedP50Ms }: Figures): Plot[] {
  return [
    barPlot(
      "Answered while the client was still there",
      `${percent(inTime.fifo.value)} in order of arrival, ${percent(inTime.codel.value)} with ` +
        `shedding; at normal load ${percent(inTime.normal.value)}.`,
      { label: "% of the requests", scale: "linear" },
      NAMES.map((name) => ({
        name: WAYS[name].name,
        value: 100 * inTime[name].value,
        role: WAYS[name].role,
      })),
    ),
    latencyPlot(
      "How long those waited who were served",
      `p50 ${duration(servedP50Ms.fifo)} in order of arrival, ${duration(servedP50Ms.codel)} ` +
        "with shedding.",
      NAMES.map((name) => ({
        name: WAYS[name].name,
        response: responseOf(measured[name].map(({ served }) => ({ response: served }))),
        ...(name === "fifo" ? { style: "dashes" as const } : {}),
      })),
    ),
  ];
}

function claimOfOverload(figures: Figures): Claim {
  const { inTime, gain } = figures;
  const [fifo, codel] = [percent(inTime.fifo.value), percent(inTime.codel.value)];
  const comparison = `${fifo} were answered in time against ${codel}.`;
  const parts = [
    estimatedPart(
      "In overload, order of arrival serves nearly everybody too late.",
      inTime.fifo,
      { to: 0.25 },
      `${fifo} were answered in time.`,
    ),
    estimatedPart(
      "Controlled delay serves in time about as many as the pool can.",
      inTime.codel,
      { from: 0.8 / OVERLOAD },
      `${codel} were, of ${percent(1 / OVERLOAD)} at best.`,
    ),
    part(
      "That is at least three times the goodput.",
      gain >= 3,
      `${figure(gain)} times as many requests answered in time.`,
    ),
  ];
  return claimOf(
    "A queue that serves in order of arrival turns an overload into an outage; controlled delay " +
      "(CoDel) keeps the goodput near what the pool can serve.",
    parts,
    {
      holds: comparison,
      refuted: comparison,
      inconclusive:
        `Answered in time: ${withInterval(inTime.fifo)} against ` +
        `${withInterval(inTime.codel)} (shares of 1).`,
    },
  );
}

function questionsOf(measured: Measured, figures: Figures): Question[] {
  return [
    {
      name: "Goodput with shedding, over that in order of arrival",
      estimate: exact(figures.gain),
      threshold: { atLeast: 3 },
      unit: "×",
    },
    {
      name: "Answered in time with shedding",
      estimate: figures.inTime.codel,
      threshold: { atLeast: 0.33 },
      note: "Half of what the pool can serve at best.",
    },
    {
      name: `Turned away at ${figure(NORMAL)} times what the pool can serve (negative control)`,
      estimate: exact(figures.shedNormal / sum(measured.normal.map((turn) => turn.requests))),
      threshold: { atMost: 0.01 },
      note: "A machine that stands still for a moment makes a short overload of its own.",
    },
  ];
}

function armOf(name: WayName, turns: readonly OverloadTurn[], capacityPerS: number): Arm {
  const way = WAYS[name];
  return {
    name: way.name,
    role: way.role,
    settings: {
      maxOpenConns: CONNECTIONS,
      shedding: way.sheds ? `${SHEDDING.targetMs} ms in ${SHEDDING.intervalMs} ms` : "off",
      acquireTimeoutMs: PATIENCE_MS,
      requestsPerS: Math.round(way.load * capacityPerS),
    },
    measures: {
      ...measuresOf(turns),
      counted: sum(turns.map((turn) => turn.counted)),
      answeredInTime: sum(turns.map((turn) => turn.inTime)),
      shedCount: sum(turns.map((turn) => turn.shed)),
    },
  };
}

/** Extra scenario: overload. */
export const overload: Scenario = {
  id: 23,
  title: "More requests than the pool can serve",
  needs: "24 free connections",
  expectedMs: 54_000,
  expectedQuickMs: 19_000,
  run,
};
