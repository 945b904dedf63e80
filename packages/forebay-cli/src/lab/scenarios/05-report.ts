// Scenario 5, arms and plots as the report shows them.

import { failureMeasures } from "../failures.ts";
import { latencyPlot, barPlot } from "../plot.ts";
import { totalOf } from "../routes.ts";
import type { Arm, ArmRole, Plot } from "../scenario.ts";
import { duration, figure } from "../words.ts";
import {
  ARMS,
  type BulkheadArm,
  type BulkheadPlan,
  type BulkheadTurn,
  SLOW_MS,
} from "./05-arms.ts";
import type { BulkheadMeasured } from "./05-bulkhead.ts";
import type { ArmFigures, BulkheadFigures } from "./05-findings.ts";

interface Shown {
  readonly name: string;
  readonly role: ArmRole;
  readonly settings: Readonly<Record<string, string | number>>;
}

function shownOf(plan: BulkheadPlan): Record<BulkheadArm, Shown> {
  const maxOpenConns = plan.connections;
  const { cap, maxWaiting, burst } = plan;
  return {
    alone: { name: "fast route alone", role: "variant", settings: { maxOpenConns } },
    few: {
      name: `a burst of ${plan.fewBurst}, nothing between the routes`,
      role: "negative control",
      settings: { maxOpenConns, burst: plan.fewBurst },
    },
    shared: {
      name: "nothing between the routes",
      role: "baseline",
      settings: { maxOpenConns, burst },
    },
    semaphore: {
      name: `semaphore of ${cap}`,
      role: "change",
      settings: { maxOpenConns, burst, semaphore: cap },
    },
    bulkhead: {
      name: `bulkhead of ${cap}`,
      role: "change",
      settings: { maxOpenConns, burst, maxInUse: cap },
    },
    ownPool: {
      name: `a pool of ${cap} of its own`,
      role: "change",
      settings: { maxOpenConns, burst, maxOpenConnsOfSlow: cap },
    },
    priority: {
      name: "priority for the fast route",
      role: "negative control",
      settings: { maxOpenConns, burst, priority: 1 },
    },
    bounded: {
      name: `bulkhead of ${cap}, four times the burst`,
      role: "variant",
      settings: { maxOpenConns, burst: 4 * burst, maxInUse: cap, maxWaiting },
    },
  };
}

/** All arms with their settings and measures. */
export function armsOfBulkhead(measured: BulkheadMeasured, figures: BulkheadFigures): Arm[] {
  const { plan, cpu } = measured;
  const shown = shownOf(plan);
  const arms = ARMS.map((arm) => armOf(shown[arm], measured.arms[arm], figures.arms[arm]));
  if (cpu === undefined || figures.cpu === undefined) return arms;
  const maxOpenConns = plan.connections;
  const burning = (cap: number): Shown => ({
    name: `queries that compute, bulkhead of ${cap}`,
    role: "variant",
    settings: { maxOpenConns, burst: plan.cpuBurst, maxInUse: cap },
  });
  const alone: Shown = {
    name: "queries that compute, fast route alone",
    role: "negative control",
    settings: { maxOpenConns },
  };
  return [
    ...arms,
    armOf(alone, cpu.alone, figures.cpu.alone),
    armOf(burning(plan.cap), cpu.cap, figures.cpu.cap),
    armOf(burning(plan.cpuCap), cpu.fewerThanCores, figures.cpu.fewerThanCores),
  ];
}

function armOf(shown: Shown, turns: readonly BulkheadTurn[], figures: ArmFigures): Arm {
  const fast = totalOf(turns.map((turn) => turn.routes.fast));
  const slow = totalOf(turns.map((turn) => turn.routes.slow));
  return {
    ...shown,
    measures: {
      fastRequests: fast.done,
      fastP50Ms: fast.response.percentileMs(50),
      fastP99Ms: fast.response.percentileMs(99),
      fastLongestMs: fast.response.maxMs,
      fastWaitedRatio: figures.fastWaitedRatio,
      slowRequests: slow.done,
      slowMeanMs: slow.response.meanMs,
      slowLongestMs: slow.response.maxMs,
      slowInUseMost: figures.slowInUseMost,
      eventLoopUtilisationRatio: Math.max(...turns.map((turn) => turn.utilisationRatio)),
      ...failureMeasures([slow]),
    },
  };
}

/** The plots of scenario 5. */
export function plotsOfBulkhead(plan: BulkheadPlan, figures: BulkheadFigures): Plot[] {
  const { arms, cpu } = figures;
  const shown = shownOf(plan);
  const curve = (arm: BulkheadArm, style: "line" | "dashes" = "line") => ({
    name: shown[arm].name,
    response: arms[arm].fast,
    style,
  });
  const bars: readonly BulkheadArm[] = ["shared", "priority", "semaphore", "bulkhead", "ownPool"];
  const plots: Plot[] = [
    latencyPlot(
      "Latency of the fast route while a burst of slow requests is there",
      `p99 ${duration(arms.shared.fastP99Ms)} with nothing between the routes, ` +
        `${duration(arms.semaphore.fastP99Ms)} with the semaphore, ` +
        `${duration(arms.bulkhead.fastP99Ms)} with the bulkhead, ` +
        `${duration(arms.ownPool.fastP99Ms)} with two pools, ` +
        `${duration(arms.alone.fastP99Ms)} alone.`,
      [
        curve("alone", "dashes"),
        curve("shared"),
        curve("priority"),
        curve("semaphore"),
        curve("bulkhead"),
        curve("ownPool"),
      ],
    ),
    barPlot(
      "What it costs the slow route: its mean response",
      `A slow query takes ${SLOW_MS} ms. With ${plan.cap} connections the burst of ` +
        `${plan.burst} has to queue: mean response ${duration(arms.bulkhead.slowMeanMs)} with ` +
        `the bulkhead, ${duration(arms.shared.slowMeanMs)} without.`,
      { label: "ms", scale: "linear" },
      bars.map((arm) => ({
        name: shown[arm].name,
        value: arms[arm].slowMeanMs,
        role: shown[arm].role,
      })),
      duration,
    ),
  ];
  if (cpu !== undefined) plots.push(cpuPlot(plan, cpu));
  return plots;
}

function cpuPlot(plan: BulkheadPlan, cpu: NonNullable<BulkheadFigures["cpu"]>): Plot {
  return latencyPlot(
    "Latency of the fast route where all queries compute",
    `p99 ${duration(cpu.cap.fastP99Ms)} with ${plan.cap} slow queries at once, ` +
      `${duration(cpu.fewerThanCores.fastP99Ms)} with ${figure(plan.cpuCap)}, ` +
      `${duration(cpu.alone.fastP99Ms)} alone.`,
    [
      { name: "fast route alone", style: "dashes", response: cpu.alone.fast },
      { name: `bulkhead of ${plan.cap}`, response: cpu.cap.fast },
      { name: `bulkhead of ${plan.cpuCap}`, response: cpu.fewerThanCores.fast },
    ],
  );
}
