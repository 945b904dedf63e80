// Scenario 10, what the measurements say: verdicts, predictions and advice. Every sentence takes
// its figures from this run.

import {
  type Beside,
  type BesideTurn,
  besideOf,
  p99Ratio,
  stalledBy,
  WAITED_LIMIT_RATIO,
  waitedOver,
} from "../beside.ts";
import { type Estimate, exact, mean } from "../compare.ts";
import { totalOf } from "../routes.ts";
import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure, percent, times, withInterval } from "../words.ts";
import {
  GUIDE,
  READING,
  REQUEST_MS,
  type ReportsArm,
  type ReportsPlan,
  type ReportsTurn,
} from "./10-arms.ts";
import { claimOfReports } from "./10-claim.ts";
import { armsOfReports, plotsOfReports } from "./10-report.ts";
import type { ReportsMeasured } from "./10-report-starvation.ts";

/** What one arm came to. */
export interface ReportsArmFigures {
  readonly requests: Beside;
  /** How many waited, over how many did with such reports on the same pool and without an index. */
  readonly waitedOverShared: Estimate;
  readonly reportsInUseMost: number;
  readonly reportsDone: number;
  /** Done by the end of each turn, on average; the others are cut then. */
  readonly reportsDonePerTurn: number;
  readonly meanTurnMs: number;
}

/** Figures of the arms whose reports read a table. */
export interface ReadingFigures {
  readonly scanShared: ReportsArmFigures;
  readonly scanSplit: ReportsArmFigures;
  readonly indexShared: ReportsArmFigures;
  /** p99 of the requests, with a pool for the reports over without, both without the index. */
  readonly splitOverShared: Estimate;
}

/** Figures derived from the measurements. */
export interface ReportsFigures {
  readonly alone: ReportsArmFigures;
  readonly few: ReportsArmFigures;
  readonly shared: ReportsArmFigures;
  readonly split: ReportsArmFigures;
  readonly bulkhead: ReportsArmFigures;
  readonly reading: ReadingFigures | undefined;
  readonly bulkheadOverShared: Estimate;
  readonly splitOverShared: Estimate;
  /**
   * One report by itself: the least time with the index over the least without. What more a report
   * takes is the machine's doing.
   */
  readonly indexRatio: Estimate;
  readonly scanMs: number;
  readonly indexMs: number;
}

/** Puts the findings together. */
export function describeReports(
  context: ScenarioContext,
  measured: ReportsMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const { plan } = measured;
  const { shared, split, bulkhead, alone } = figures;
  const checks = questionsOf(plan, figures).map(judge);
  return {
    headline:
      `When ${plan.manyReports} reports of ${duration(plan.reportMs)} came at once, ` +
      `${percent(shared.requests.waitedRatio)} of the other requests waited for a connection ` +
      `(p99 ${duration(shared.requests.p99.value)}); with the reports in a bulkhead of ` +
      `${plan.reportConnections} of ${plan.connections} connections ` +
      `${percent(bulkhead.requests.waitedRatio)} did (p99 ` +
      `${duration(bulkhead.requests.p99.value)}; alone ${duration(alone.requests.p99.value)}).`,
    experiment: experimentText(measured),
    claim: claimOfReports(plan, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `In the bulkhead reports had ${counted(bulkhead.reportsInUseMost, "connection")} at ` +
        `most, in the shared pool ${shared.reportsInUseMost}. The guide's second pool did the ` +
        `same (${percent(split.requests.waitedRatio)} of the requests waited) with ` +
        `${counted(plan.reportConnections, "connection")} more on the server.`,
      checks,
    },
    predictions: predictionsOf(plan, figures),
    arms: armsOfReports(measured, figures),
    plots: plotsOfReports(plan, figures),
    whatToSet: adviceOf(plan, figures),
    caveats: caveatsOf(context, plan, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: ReportsMeasured): ReportsFigures {
  const { random } = context;
  const turnsOf = (arm: ReportsArm): readonly ReportsTurn[] => measured.arms.get(arm) ?? [];
  const alone = turnsOf("alone").map(requestsOf);
  const figuresOf = (arm: ReportsArm): ReportsArmFigures => {
    const without = READING.includes(arm) ? "scanShared" : "shared";
    return armFigures(context, turnsOf(arm), { alone, without: turnsOf(without).map(requestsOf) });
  };
  const p99Over = (before: ReportsArm, after: ReportsArm): Estimate =>
    p99Ratio(turnsOf(before).map(requestsOf), turnsOf(after).map(requestsOf), random);
  const { scanMs, indexMs } = measured.single;
  return {
    alone: figuresOf("alone"),
    few: figuresOf("few"),
    shared: figuresOf("shared"),
    split: figuresOf("split"),
    bulkhead: figuresOf("bulkhead"),
    reading: !measured.arms.has("scanShared")
      ? undefined
      : {
          scanShared: figuresOf("scanShared"),
          scanSplit: figuresOf("scanSplit"),
          indexShared: figuresOf("indexShared"),
          splitOverShared: p99Over("scanShared", "scanSplit"),
        },
    bulkheadOverShared: p99Over("shared", "bulkhead"),
    splitOverShared: p99Over("shared", "split"),
    indexRatio: exact(Math.min(...indexMs) / Math.min(...scanMs)),
    scanMs: Math.min(...scanMs),
    indexMs: Math.min(...indexMs),
  };
}

function armFigures(
  context: ScenarioContext,
  turns: readonly ReportsTurn[],
  beside: { readonly alone: readonly BesideTurn[]; readonly without: readonly BesideTurn[] },
): ReportsArmFigures {
  const reports = totalOf(turns.map((turn) => turn.routes.reports));
  return {
    requests: besideOf(turns.map(requestsOf), beside.alone, context.random),
    waitedOverShared: waitedOver(turns.map(requestsOf), beside.without, context.random),
    reportsInUseMost: Math.max(...turns.map((turn) => turn.reportsInUseMost)),
    reportsDone: reports.done,
    reportsDonePerTurn: reports.done / turns.length,
    meanTurnMs: mean(turns.map((turn) => turn.durationMs)),
  };
}

function requestsOf(turn: ReportsTurn): BesideTurn {
  return { result: turn.routes.requests, waited: turn.waited };
}

/**
 * Not p99 over alone at most 1.5: p99 of a request of 1 ms is mostly how late the machine is, alone
 * as well. And not p99 without a remedy 50 times that of alone: the guide's reports of 30 s are
 * half a second here, so that the factor is a sixtieth too. What counts is who waits.
 */
function questionsOf(plan: ReportsPlan, figures: ReportsFigures): Question[] {
  const { shared, split, bulkhead, reading } = figures;
  const waited = (name: string, arm: ReportsArmFigures): Question => ({
    name: `Requests that waited for a connection, ${name}`,
    estimate: arm.waitedOverShared,
    threshold: { atMost: WAITED_LIMIT_RATIO },
    unit: "×",
    note: `${percent(arm.requests.waitedRatio)} waited.`,
    voidedBy: stalledBy(arm.waitedOverShared, figures.alone.requests.p99),
  });
  const questions: Question[] = [
    {
      name: "Requests that waited for a connection, reports on the same pool",
      estimate: exact(shared.requests.waitedRatio * 100),
      threshold: { atLeast: 10 },
      unit: "%",
      note:
        "The effect is there to be cured: p99 over the requests alone was " +
        `${withInterval(shared.requests.overAlone)} times.`,
    },
    waited("reports in a bulkhead over the same pool", bulkhead),
    waited("reports on a pool of their own over the same pool", split),
    {
      name: "p99 of the requests, reports in a bulkhead over the same pool",
      estimate: figures.bulkheadOverShared,
      threshold: { atMost: 0.5 },
      unit: "×",
      isRobust: true,
    },
    {
      name: "Most connections of the reports, bulkhead",
      estimate: exact(bulkhead.reportsInUseMost),
      threshold: { from: plan.reportConnections, to: plan.reportConnections },
      note: "As many as they may have, and never more.",
    },
    {
      name: "Time of one report, with the index over without",
      estimate: figures.indexRatio,
      threshold: { atMost: 0.05 },
      unit: "×",
      isRobust: true,
    },
  ];
  if (reading !== undefined) {
    questions.push(
      waited("reports that read, with the index over without, same pool", reading.indexShared),
      waited("reports that read, a pool of their own over the same pool", reading.scanSplit),
    );
  }
  return questions;
}

function predictionsOf(plan: ReportsPlan, figures: ReportsFigures): Findings["predictions"] {
  const { shared, bulkhead } = figures;
  const rounds = Math.floor((bulkhead.meanTurnMs - plan.reportsAtMs) / plan.reportMs);
  return [
    {
      what: "Longest response of a request, reports on the same pool",
      theory: "all connections are taken at the same moment: until the first report ends",
      predicted: plan.reportMs,
      measured: shared.requests.response.maxMs,
      unit: "ms",
    },
    {
      what: "Reports done by the end of a turn, bulkhead",
      theory: "the cap, times the reports that fit one after the other into the time left",
      predicted: plan.reportConnections * rounds,
      measured: bulkhead.reportsDonePerTurn,
      unit: "",
    },
  ];
}

function experimentText({ plan, arms, single }: ReportsMeasured): string {
  const reading = arms.has("scanShared")
    ? `Then ${plan.scanRounds} rounds with reports that read: each sums up ` +
      `${plan.customersOfReport} customers' rows of a table of ${figure(plan.orders)}, with an ` +
      "index on the customer and without."
    : "Reports that read are timed one by one only: this server is not the lab's to keep busy.";
  return (
    `An application asks pg_sleep(${REQUEST_MS} ms) ${figure(plan.requestsPerS)} times a second ` +
    `at random, on a pool of ${plan.connections} connections, all open. At ${plan.reportsAtMs} ` +
    `ms reports come, all at once: ${plan.fewReports} (the share of the connections that the ` +
    `guide's verification asks for) or ${plan.manyReports} (more than there are connections). A ` +
    `report is pg_sleep(${plan.reportMs} ms), 1/${figure(GUIDE.reportMs / plan.reportMs)} of the ` +
    `guide's 30 s. Requests come for ${plan.turnMs} ms; reports that are still under way when ` +
    `the last has ended are called off. ${plan.rounds} rounds, forward and backward in turn, the ` +
    `same arrivals in all arms of a round. ${reading} One report by itself is timed ` +
    `${single.scanMs.length} times each way, and the least counts. A p99 is over all rounds; a ` +
    "share of those that waited is the median of the turns' shares."
  );
}

function adviceOf(plan: ReportsPlan, figures: ReportsFigures): Findings["whatToSet"] {
  const rounds = Math.ceil(plan.manyReports / plan.reportConnections);
  return {
    code:
      `const db = openDB(connector, { maxOpenConns: ${plan.connections} })\n` +
      `const reports = db.bulkhead("reports", { maxInUse: ${plan.reportConnections}, maxWaiting: ` +
      `${plan.manyReports} })\nawait reports.query(sql, args, { timeoutMs: 60_000 })\n\n` +
      "// with another server for reports, a second pool: openDB(replica, { maxOpenConns: " +
      `${plan.reportConnections} })\n` +
      "// Go: a second sql.DB with SetMaxOpenConns; pg: a second Pool with max; HikariCP: a " +
      "second\n// HikariDataSource with maximumPoolSize. On the server: ALTER ROLE reports " +
      "CONNECTION LIMIT",
    when:
      "Wherever work of seconds shares a pool with work of milliseconds: it need not come more " +
      "often than connections are to be had, a slow plan is enough. And find the slow plan: with " +
      `its index the report took ${duration(figures.indexMs)} instead of ` +
      `${duration(figures.scanMs)} here.`,
    notWhen:
      `Where reports are few for certain: ${plan.fewReports} of them on ${plan.connections} ` +
      `connections let ${percent(figures.few.requests.waitedRatio)} of the requests wait without ` +
      `any remedy. The remedy has a price: ${plan.manyReports} reports through ` +
      `${plan.reportConnections} connections go in ${rounds} rounds, the last done after ` +
      `${duration(rounds * plan.reportMs)} (by arithmetic), not after ` +
      `${duration(Math.ceil(plan.manyReports / plan.connections) * plan.reportMs)}.`,
  };
}

function caveatsOf(
  context: ScenarioContext,
  plan: ReportsPlan,
  { reading, alone }: ReportsFigures,
): string[] {
  const caveats = [
    "Both remedies share out connections, not processors, disks or locks; a server of its own " +
      "for reports does.",
    `A second pool adds its connections to what the server must bear: ${plan.connections} and ` +
      `${plan.reportConnections} here, for each instance. A bulkhead takes its share of the same.`,
    `Alone, p99 of the requests was ${duration(alone.requests.p99.value)} for a query of ` +
      `${REQUEST_MS} ms: client and server share this machine, and timers have steps of 1 ms.`,
  ];
  if (reading !== undefined) {
    caveats.push(
      "With reports that keep processors busy, p99 of the requests was " +
        `${times(reading.scanSplit.requests.overAlone.value)} that of the requests alone even ` +
        `with a pool of ${plan.reportConnections} for them, and ` +
        `${times(reading.indexShared.requests.overAlone.value)} with the index and no remedy.`,
    );
  }
  if (context.isQuick) {
    caveats.push("Quick run: few turns, and intervals are their range.");
  }
  return caveats;
}
