// Scenario 18: in which order those who wait are served. database/sql picks one at random; a queue
// keeps the longest wait near the mean.

import { needConnections } from "../budget.ts";
import { claimOf, estimatedPart, part } from "../claim.ts";
import { byName, type Estimate, median, medianRatio, takeTurnsByName } from "../compare.ts";
import { barPlot, latencyPlot } from "../plot.ts";
import type { LabDb } from "../pools.ts";
import {
  type Arm,
  type Claim,
  type Findings,
  type Judge,
  type Plot,
  type Scenario,
  type ScenarioContext,
} from "../scenario.ts";
import { closedTurn, measuresOf, responseOf, type Turn } from "../turn.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { duration, figure, withInterval } from "../words.ts";

const CONNECTIONS = 4;
const CALLERS = 64;
const WORK_MS = 2;

const ORDERS = ["random", "fifo"] as const;
type Order = (typeof ORDERS)[number];

const NAMES: Readonly<Record<Order, string>> = {
  random: "random, as in database/sql",
  fifo: "order of arrival",
};

/** The turns under load, and those in which nobody has to wait. */
interface Measured {
  readonly crowded: Readonly<Record<Order, readonly Turn[]>>;
  readonly roomy: Readonly<Record<Order, readonly Turn[]>>;
}

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, CONNECTIONS * ORDERS.length);
  const { signal } = context;
  const rounds = context.isQuick ? 6 : 8;
  const requests = context.isQuick ? 1500 : 5000;
  const dbs = byName(ORDERS, (waiterOrder) =>
    context.pools.openDb({ maxOpenConns: CONNECTIONS, maxIdleConns: CONNECTIONS, waiterOrder }),
  );
  await Promise.all(ORDERS.map((order) => dbs[order].warmUp(CONNECTIONS, { signal })));
  const compare = (callers: number, count: number): Promise<Record<Order, readonly Turn[]>> =>
    takeTurnsByName({
      rounds,
      signal,
      steal: context.steal,
      names: ORDERS,
      take: (order, _round, note) => {
        const expectedMs = (count * (WORK_MS + 0.5)) / CONNECTIONS;
        context.step(`${callers} callers, ${NAMES[order]}`, expectedMs, note);
        return turnOf(context, dbs[order], callers, count);
      },
    });
  const measured = {
    crowded: await compare(CALLERS, requests),
    roomy: await compare(CONNECTIONS, Math.round(requests / 5)),
  };
  return describe(context, measured, await context.judge());
}

function turnOf(
  context: ScenarioContext,
  db: LabDb,
  callers: number,
  requests: number,
): Promise<Turn> {
  const { signal } = context;
  return closedTurn(context, {
    callers,
    requests,
    operate: async () => {
      await db.query("SELECT pg_sleep($1 / 1000.0)", [WORK_MS], { signal });
    },
  });
}

/** What the turns come to. */
interface Figures {
  /** Ratios of order of arrival to random, under load. */
  readonly p999: Estimate;
  readonly mean: Estimate;
  /** The same where nobody waits. */
  readonly roomyP50: Estimate;
  /** p99.9 over the mean, under load, by order. */
  readonly spread: Readonly<Record<Order, number>>;
  readonly p999Ms: Readonly<Record<Order, number>>;
}

function figuresOf({ random }: ScenarioContext, { crowded, roomy }: Measured): Figures {
  const at = (turns: readonly Turn[], percentile: number): number[] =>
    turns.map((turn) => turn.response.percentileMs(percentile));
  const means = (turns: readonly Turn[]): number[] => turns.map((turn) => turn.response.meanMs);
  const p999Ms = (order: Order): number => median(at(crowded[order], 99.9));
  const spread = (order: Order): number => p999Ms(order) / median(means(crowded[order]));
  return {
    p999: medianRatio(at(crowded.random, 99.9), at(crowded.fifo, 99.9), random),
    mean: medianRatio(means(crowded.random), means(crowded.fifo), random),
    roomyP50: medianRatio(at(roomy.random, 50), at(roomy.fifo, 50), random),
    spread: { random: spread("random"), fifo: spread("fifo") },
    p999Ms: { random: p999Ms("random"), fifo: p999Ms("fifo") },
  };
}

/** Of a geometric distribution with a long mean, p99.9 over the mean. */
const RANDOM_SPREAD = Math.log(1000);

const ADVICE: Findings["whatToSet"] = {
  code: 'openPostgres(url, { waiterOrder: "fifo" }); // the default',
  when:
    "Always, unless you compare with database/sql, which has no setting for it and serves at " +
    "random (golang/go#31708). pg and HikariCP serve in order of arrival.",
  notWhen:
    "Under lasting overload order of arrival makes everybody equally late: turn some away " +
    "instead (shedding, maxWaiters).",
};

function describe(context: ScenarioContext, measured: Measured, judge: Judge): Findings {
  const figures = figuresOf(context, measured);
  const { p999Ms, spread } = figures;
  const checks = questionsOf(figures).map(judge);
  const { crowded } = measured;
  return {
    headline:
      `With ${CALLERS} callers for ${CONNECTIONS} connections, p99.9 was ` +
      `${duration(p999Ms.random)} where waiters are served at random and ` +
      `${duration(p999Ms.fifo)} in order of arrival, the mean ` +
      `${figure(figures.mean.value)} times the same.`,
    experiment:
      `${CALLERS} callers, each with one query of ${duration(WORK_MS)} after the other, on ` +
      `${CONNECTIONS} connections of Forebay's pool with waiterOrder "random" (database/sql's ` +
      `rule) and "fifo". ${crowded.fifo.length} rounds, forward and backward in turn. Control: ` +
      `${CONNECTIONS} callers, of whom nobody has to wait.`,
    claim: claimOfOrder(figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `In order of arrival p99.9 was ${withInterval(figures.p999)} times that of random order, ` +
        `and ${figure(spread.fifo)} times the mean rather than ${figure(spread.random)}.`,
      checks,
    },
    predictions: [
      {
        what: "p99.9 over the mean, random order",
        theory: "each release picks one of n waiters: a geometric wait, p99.9 at ln 1000 means",
        predicted: RANDOM_SPREAD,
        measured: spread.random,
        unit: "×",
      },
      {
        what: "p99.9 over the mean, order of arrival",
        theory: "everybody waits for the same number of releases",
        predicted: 1,
        measured: spread.fifo,
        unit: "×",
      },
    ],
    arms: [
      ...ORDERS.map((order) => armOf(order, CALLERS, crowded[order])),
      ...ORDERS.map((order) => armOf(order, CONNECTIONS, measured.roomy[order])),
    ],
    plots: plotsOf(measured, figures),
    whatToSet: ADVICE,
    caveats: [
      "database/sql itself is not run: its order is, in Forebay's pool, so that the order alone " +
        "differs.",
      "A closed load of more callers than connections: some always wait. At lower load fewer " +
        "wait, and the orders differ less.",
      ...(context.isQuick ? ["Quick run: p99.9 of a turn is one or two requests."] : []),
    ],
  };
}

function plotsOf({ crowded }: Measured, { p999Ms, spread }: Figures): Plot[] {
  return [
    latencyPlot(
      `Response times of ${CALLERS} callers`,
      `p99.9 ${duration(p999Ms.random)} at random, ${duration(p999Ms.fifo)} in order.`,
      ORDERS.map((order) => ({
        name: NAMES[order],
        response: responseOf(crowded[order]),
        ...(order === "random" ? { style: "dashes" as const } : {}),
      })),
    ),
    barPlot(
      "The unlucky over the average",
      `p99.9 over the mean: ${figure(spread.random)} at random, ${figure(spread.fifo)} in order.`,
      { label: "p99.9 over the mean", scale: "linear" },
      ORDERS.map((order) => ({
        name: NAMES[order],
        value: spread[order],
        role: order === "random" ? "baseline" : "change",
      })),
    ),
  ];
}

function claimOfOrder({ p999, mean, spread }: Figures): Claim {
  const parts = [
    estimatedPart(
      "Serving waiters at random makes the longest waits several times as long.",
      p999,
      { to: 0.5 },
      `p99.9 in order of arrival was ${withInterval(p999)} times that at random.`,
    ),
    estimatedPart(
      "The order does not change the mean.",
      mean,
      { from: 0.85, to: 1.15 },
      `The mean in order of arrival was ${withInterval(mean)} times that at random.`,
    ),
    part(
      "At random, p99.9 is about seven means.",
      spread.random >= 0.6 * RANDOM_SPREAD && spread.random <= 1.5 * RANDOM_SPREAD,
      `${figure(spread.random)} means, against ${figure(spread.fifo)} in order. (From 0.6 to 1.5 ` +
        `of ${figure(RANDOM_SPREAD)} counts as holding.)`,
    ),
  ];
  return claimOf(
    "database/sql serves waiters in random order, so that under load some wait many times as " +
      "long as others (golang/go#31708).",
    parts,
    {
      holds:
        `p99.9 in order of arrival was ${withInterval(p999)} times that at random, on ` +
        "the same load.",
      refuted:
        `p99.9 in order of arrival was ${withInterval(p999)} times that at random, the ` +
        `mean ${withInterval(mean)} times.`,
      inconclusive: `p99.9 in order of arrival was ${withInterval(p999)} times that at random.`,
    },
  );
}

function questionsOf(figures: Figures): Question[] {
  return [
    {
      name: "p99.9 in order of arrival over random order",
      estimate: figures.p999,
      threshold: { atMost: 0.5 },
      unit: "×",
      isRobust: true,
    },
    {
      name: "Mean in order of arrival over random order",
      estimate: figures.mean,
      threshold: { from: 0.85, to: 1.15 },
      unit: "×",
    },
    {
      name: "p50 where nobody waits, in order of arrival over random order (negative control)",
      estimate: figures.roomyP50,
      threshold: { from: 0.8, to: 1.25 },
      unit: "×",
    },
  ];
}

function armOf(order: Order, callers: number, turns: readonly Turn[]): Arm {
  const isControl = callers === CONNECTIONS;
  return {
    name: `${NAMES[order]}, ${callers} callers`,
    role: isControl ? "negative control" : order === "random" ? "baseline" : "change",
    settings: { maxOpenConns: CONNECTIONS, waiterOrder: order, callers },
    measures: measuresOf(turns),
  };
}

/** Extra scenario: the order of waiters. */
export const waiterOrder: Scenario = {
  id: 18,
  title: "In which order waiters are served",
  needs: "8 free connections",
  expectedMs: 62_000,
  expectedQuickMs: 18_000,
  run,
};
