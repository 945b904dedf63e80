// Scenario 5, what the measurements say: verdicts, predictions, plots and advice. Every sentence
// takes its figures from this run.

import {
  type BesideTurn,
  besideOf,
  p99Ratio,
  stalledBy,
  WAITED_LIMIT_RATIO,
  waitedOver,
} from "../beside.ts";
import { type Estimate, exact, mean, medianRatio } from "../compare.ts";
import type { LatencyHistogram } from "../histogram.ts";
import { idealQueue } from "../queueing.ts";
import { totalOf } from "../routes.ts";
import type { Findings, Judge, ScenarioContext } from "../scenario.ts";
import { type Question, verdictOf } from "../verdict.ts";
import { counted, duration, figure, percent, times, withInterval } from "../words.ts";
import {
  ARMS,
  type BulkheadArm,
  type BulkheadPlan,
  type BulkheadTurn,
  type CpuArm,
  GUIDE,
  SLOW_MS,
} from "./05-arms.ts";
import type { BulkheadMeasured } from "./05-bulkhead.ts";
import { claimOfBulkhead } from "./05-claim.ts";
import { armsOfBulkhead, plotsOfBulkhead } from "./05-report.ts";

/** What one arm came to. */
export interface ArmFigures {
  /** Response of the fast route over all turns. */
  readonly fast: LatencyHistogram;
  readonly slow: LatencyHistogram;
  readonly fastP99Ms: number;
  /** p99 of the fast route with its interval, and over the fast route alone. */
  readonly fastP99: Estimate;
  readonly overAlone: Estimate;
  /** How much longer than that of the fast route alone, in milliseconds. */
  readonly overAloneMs: Estimate;
  readonly fastP90: Estimate;
  /** Share of the fast requests that waited for a connection. */
  readonly fastWaitedRatio: number;
  /** Over the share of them that waited with nothing between the routes. */
  readonly waitedOverShared: Estimate;
  readonly slowInUseMost: number;
  readonly slowDoneRatio: number;
  readonly slowMeanMs: number;
  /** In an ideal queue for as many connections as the slow route may have, on the same arrivals. */
  readonly slowIdealMeanMs: number;
  readonly refused: number;
}

/** Figures derived from the measurements. */
export interface BulkheadFigures {
  readonly arms: Readonly<Record<BulkheadArm, ArmFigures>>;
  readonly cpu: Readonly<Record<CpuArm, ArmFigures>> | undefined;
  /** p99 of the fast route by turn: with the bulkhead over without anything. */
  readonly bulkheadOverShared: Estimate;
  readonly priorityOverShared: Estimate;
  /** The slow route's mean response under the bulkhead, over that in an ideal queue. */
  readonly slowOverIdeal: Estimate;
}

/** Puts the findings together. */
export function describeBulkhead(
  context: ScenarioContext,
  measured: BulkheadMeasured,
  judge: Judge,
): Findings {
  const figures = deriveFigures(context, measured);
  const { plan } = measured;
  const { alone, shared, semaphore, bulkhead, ownPool } = figures.arms;
  const checks = questionsOf(plan, figures).map(judge);
  return {
    headline:
      `When ${plan.burst} slow requests came at once, ${percent(shared.fastWaitedRatio)} of the ` +
      `fast ones waited for a connection (p99 ${duration(shared.fastP99Ms)}); with the slow ` +
      `route in a bulkhead of ${plan.cap} of ${plan.connections} connections ` +
      `${percent(bulkhead.fastWaitedRatio)} did (p99 ${duration(bulkhead.fastP99Ms)}; alone ` +
      `${duration(alone.fastP99Ms)}).`,
    experiment: experimentText(measured),
    claim: claimOfBulkhead(plan, figures),
    forebay: {
      verdict: verdictOf(checks),
      why:
        `The bulkhead let the slow route have ${bulkhead.slowInUseMost} connections at most, and ` +
        `${percent(bulkhead.fastWaitedRatio)} of the fast requests waited for one, against ` +
        `${percent(shared.fastWaitedRatio)} without it. The guide's semaphore gave ` +
        `${duration(semaphore.fastP99Ms)}, a pool of its own ${duration(ownPool.fastP99Ms)}. A ` +
        "bulkhead counts in the pool's statistics and obeys one acquire timeout; a semaphore in " +
        "front of the pool does neither.",
      checks,
    },
    predictions: predictionsOf(measured, figures),
    arms: armsOfBulkhead(measured, figures),
    plots: plotsOfBulkhead(plan, figures),
    whatToSet: adviceOf(plan, figures),
    caveats: caveatsOf(context, measured, figures),
  };
}

function deriveFigures(context: ScenarioContext, measured: BulkheadMeasured): BulkheadFigures {
  const { plan, arms, cpu } = measured;
  const capped: readonly BulkheadArm[] = ["semaphore", "bulkhead", "ownPool"];
  const figuresOf = (
    turns: readonly BulkheadTurn[],
    places: number,
    alone = arms.alone,
  ): ArmFigures => armFigures(context, turns, { alone, shared: arms.shared }, places);
  const all = ARMS.map((arm) => [
    arm,
    figuresOf(arms[arm], capped.includes(arm) ? plan.cap : plan.connections),
  ]);
  const p99Over = (arm: BulkheadArm): Estimate =>
    p99Ratio(arms.shared.map(fastOf), arms[arm].map(fastOf), context.random);
  return {
    arms: Object.fromEntries(all) as Record<BulkheadArm, ArmFigures>,
    cpu:
      cpu === undefined
        ? undefined
        : {
            alone: figuresOf(cpu.alone, plan.cap, cpu.alone),
            cap: figuresOf(cpu.cap, plan.cap, cpu.alone),
            fewerThanCores: figuresOf(cpu.fewerThanCores, plan.cpuCap, cpu.alone),
          },
    bulkheadOverShared: p99Over("bulkhead"),
    priorityOverShared: p99Over("priority"),
    slowOverIdeal: medianRatio(
      arms.bulkhead.map((turn) => idealMeanMs(turn, plan.cap)),
      arms.bulkhead.map((turn) => turn.routes.slow.response.meanMs),
      context.random,
    ),
  };
}

function armFigures(
  context: ScenarioContext,
  turns: readonly BulkheadTurn[],
  beside: Pick<BulkheadMeasured["arms"], "alone" | "shared">,
  places: number,
): ArmFigures {
  const fast = besideOf(turns.map(fastOf), beside.alone.map(fastOf), context.random);
  const slow = totalOf(turns.map((turn) => turn.routes.slow));
  return {
    fast: fast.response,
    slow: slow.response,
    fastP99Ms: fast.p99.value,
    fastP99: fast.p99,
    overAlone: fast.overAlone,
    overAloneMs: fast.overAloneMs,
    fastP90: fast.p90,
    fastWaitedRatio: fast.waitedRatio,
    waitedOverShared: waitedOver(turns.map(fastOf), beside.shared.map(fastOf), context.random),
    slowInUseMost: Math.max(...turns.map((turn) => turn.slowInUseMost)),
    slowDoneRatio: slow.offered === 0 ? 1 : slow.done / slow.offered,
    slowMeanMs: slow.response.meanMs,
    slowIdealMeanMs: mean(turns.map((turn) => idealMeanMs(turn, places))),
    refused: slow.failed,
  };
}

function fastOf(turn: BulkheadTurn): BesideTurn {
  return { result: turn.routes.fast, waited: turn.fastWaited };
}

/** The mean response of slow requests in an ideal queue, on the arrivals of a turn. */
function idealMeanMs(turn: BulkheadTurn, places: number): number {
  const { slowArrivalsMs } = turn;
  if (slowArrivalsMs.length === 0) return 0;
  const services = slowArrivalsMs.map(() => SLOW_MS);
  return mean([...idealQueue(places, slowArrivalsMs, services).waits]) + SLOW_MS;
}

/**
 * Not p99 over the fast route alone, and not p99 in milliseconds: p99 of a request of 1 ms is
 * mostly how late this process and the server's get a processor, alone as well. What the pool does
 * shows in who waits for it, and against the arm that has nothing between the routes.
 */
function questionsOf(plan: BulkheadPlan, figures: BulkheadFigures): Question[] {
  const { shared, bulkhead, semaphore, ownPool, bounded } = figures.arms;
  const waited = (name: string, arm: ArmFigures): Question => ({
    name: `Fast requests that waited for a connection, ${name} over nothing between the routes`,
    estimate: arm.waitedOverShared,
    threshold: { atMost: WAITED_LIMIT_RATIO },
    unit: "×",
    note: `${percent(arm.fastWaitedRatio)} waited.`,
    voidedBy: stalledBy(arm.waitedOverShared, figures.arms.alone.fastP99),
  });
  return [
    {
      name: "Fast requests that waited for a connection, nothing between the routes",
      estimate: exact(shared.fastWaitedRatio * 100),
      threshold: { atLeast: 5 },
      unit: "%",
      note:
        "The effect is there to be cured: p99 over the fast route alone was " +
        `${withInterval(shared.overAlone)} times.`,
    },
    {
      name: "Fast p99, slow route in a bulkhead over nothing between the routes",
      estimate: figures.bulkheadOverShared,
      threshold: { atMost: 0.5 },
      unit: "×",
      isRobust: true,
    },
    waited("slow route in a bulkhead", bulkhead),
    waited("slow route behind a semaphore", semaphore),
    waited("slow route on a pool of its own", ownPool),
    waited("four times the burst, bulkhead with maxWaiting", bounded),
    {
      name: "Most connections of the slow route, bulkhead",
      estimate: exact(bulkhead.slowInUseMost),
      threshold: { from: plan.cap, to: plan.cap },
      note: "As many as it may have, and never more.",
    },
    {
      name: "Slow requests done, bulkhead",
      estimate: exact(bulkhead.slowDoneRatio * 100),
      threshold: { atLeast: 100 },
      unit: "%",
    },
    {
      name: "Mean response of the slow route, bulkhead over an ideal queue on the same arrivals",
      estimate: figures.slowOverIdeal,
      threshold: { from: 0.95, to: 1.25 },
      unit: "×",
      note: "A bulkhead that left connections idle, or lost a turn, would take longer.",
    },
  ];
}

function predictionsOf(
  { plan }: BulkheadMeasured,
  figures: BulkheadFigures,
): Findings["predictions"] {
  const { shared, bulkhead, bounded } = figures.arms;
  const turns = plan.rounds;
  return [
    {
      what: "Longest response of the fast route, nothing between the routes",
      theory: "all connections are taken at the same moment: until the first slow query ends",
      predicted: SLOW_MS,
      measured: shared.fast.maxMs,
      unit: "ms",
    },
    {
      what: "Mean response of the slow route, bulkhead",
      theory: `ideal first-come queue for ${plan.cap} connections (Kiefer and Wolfowitz)`,
      predicted: bulkhead.slowIdealMeanMs,
      measured: bulkhead.slowMeanMs,
      unit: "ms",
    },
    {
      what: "Refused in each burst, bulkhead with maxWaiting",
      theory: "the burst, less the cap, less maxWaiting; requests that come meanwhile add to it",
      predicted: 4 * plan.burst - plan.cap - plan.maxWaiting,
      measured: bounded.refused / turns,
      unit: "",
    },
  ];
}

function experimentText({ plan, cpu }: BulkheadMeasured): string {
  const scale = figure(GUIDE.connections / plan.connections);
  const burning =
    cpu === undefined
      ? "Slow queries that compute are left out: this server's processors are not the lab's."
      : `In three more arms, ${counted(plan.cpuRounds, "turn")} each, all queries compute ` +
        `instead of sleeping: fast ones keep a processor busy for ${GUIDE.fastMs} ms, slow ` +
        `ones for ${plan.cpuSlowMs} ms, none or ${plan.cpuBurst} of them at once.`;
  return (
    `A pool of ${plan.connections} connections, all open. The fast route asks ` +
    `pg_sleep(${GUIDE.fastMs} ms) ${figure(plan.fastPerS)} times a second, the slow one ` +
    `pg_sleep(${SLOW_MS} ms) ${figure(plan.slowPerS)} times a second, both at random; and at ` +
    `${plan.burstAtMs} ms ${plan.burst} slow requests come at once. That is the guide's workload ` +
    `at 1/${scale} of its size, with slow queries half as long and twice as many. ` +
    `${plan.rounds} rounds of ${ARMS.length} arms, forward and backward in turn, ` +
    `${plan.turnMs} ms of arrivals each, the same in all arms of a round. The pool's connections ` +
    `are shared by all arms; the slow route's own pool has ${plan.cap} besides. ${burning} A p99 ` +
    "is over all rounds; a share of those that waited is the median of the turns' shares."
  );
}

function adviceOf(plan: BulkheadPlan, figures: BulkheadFigures): Findings["whatToSet"] {
  const { bulkhead, shared, few, alone } = figures.arms;
  return {
    code:
      `const db = openDB(connector, { maxOpenConns: ${plan.connections} })\n` +
      `const slow = db.bulkhead("slow", { maxInUse: ${plan.cap}, maxWaiting: ` +
      `${plan.maxWaiting} })\nawait slow.query(sql, args, { signal }) // the rest of the program ` +
      "goes on using db\n\n// Go: a channel of that capacity around the route, or a second " +
      "sql.DB; pg: a second Pool with max;\n// HikariCP: a second HikariDataSource with " +
      "maximumPoolSize",
    when:
      "Wherever one kind of request holds connections so long that a burst of it can take all of " +
      "them, and another kind must not wait for it. Set maxInUse above rate times time of the " +
      `slow kind, so that it keeps up (here ${figure((plan.slowPerS * SLOW_MS) / 1000)} of ` +
      `${plan.cap}), and maxWaiting to what its callers would still wait for: mean response of ` +
      `the slow route went from ${duration(shared.slowMeanMs)} to ` +
      `${duration(bulkhead.slowMeanMs)} by the cap.`,
    notWhen:
      "Where the slow kind never takes all connections: with a burst of " +
      `${plan.fewBurst} and nothing between the routes p99 of the fast one was ` +
      `${duration(few.fastP99Ms)}, alone ${duration(alone.fastP99Ms)}, and ` +
      `${percent(few.fastWaitedRatio)} of its requests waited. Priority is no bulkhead, since a ` +
      "query that runs is not interrupted: with priority for the fast route, and no cap, " +
      `${percent(figures.arms.priority.fastWaitedRatio)} of its requests waited.`,
  };
}

function caveatsOf(
  context: ScenarioContext,
  { plan }: BulkheadMeasured,
  figures: BulkheadFigures,
): string[] {
  const { alone } = figures.arms;
  const caveats = [
    "A bulkhead shares out connections, not processors, disks or locks.",
    `Alone, p99 of the fast route was ${duration(alone.fastP99Ms)} for a query of ` +
      `${GUIDE.fastMs} ms: client and server share this machine, and timers have steps of 1 ms.`,
    "In Go the guide's semaphore is a channel; here it is a queue of promises with the same " +
      "effect. As there, its wait is outside of the pool: its statistics and timeouts do not " +
      "know it.",
  ];
  const { cpu } = figures;
  if (cpu !== undefined) {
    caveats.push(
      `Where all queries compute, p99 of the fast route was ` +
        `${times(cpu.cap.overAlone.value)} that of the fast route alone with a cap of ` +
        `${plan.cap}, ${times(cpu.fewerThanCores.overAlone.value)} with a cap of ${plan.cpuCap} ` +
        "(one less than the server has processors, but at least 1).",
    );
  }
  if (context.isQuick) {
    caveats.push(
      `Quick run: ${plan.rounds} turns of each arm, and intervals are their range: p99 with the ` +
        `bulkhead is ${withInterval(figures.arms.bulkhead.overAlone)} times that of the fast ` +
        "route alone, and no better known than that.",
    );
  }
  return caveats;
}
