// Scenario 1, the arms as the report lists them.

import { mean, median, sum } from "../compare.ts";
import { failureMeasures } from "../failures.ts";
import type { Arm } from "../scenario.ts";
import { type BurstTurn, responseOf, type SteadyTurn } from "./01-arms.ts";
import type { LittleFigures } from "./01-findings.ts";
import type { LittleMeasured } from "./01-littles-law.ts";

/** All arms with their settings and measures. */
export function armsOfLittle(measured: LittleMeasured, figures: LittleFigures): Arm[] {
  const { plan, bursts } = measured;
  const steady = (size: number, role: Arm["role"], turns: readonly SteadyTurn[]): Arm => ({
    name: `Forebay, ${size} connections, steady`,
    role,
    settings: { maxOpenConns: size, maxIdleConns: size, ratePerS: plan.ratePerS },
    measures: steadyMeasures(size, turns, figures),
  });
  const arms: Arm[] = [
    steady(plan.big, "baseline", measured.big),
    steady(plan.chosen, "change", measured.chosen),
    steady(plan.tooFew, "negative control", [measured.tooFew]),
    ...measured.sweep.map(({ size, turns }) => steady(size, "variant", turns)),
    burstArm("database/sql's rules, no limit, burst", "baseline", bursts.unlimited, {
      maxOpenConns: "unlimited",
      maxIdleConns: 2,
    }),
    burstArm("Forebay, no limit, burst", "variant", bursts.forebayUnlimited, {
      maxOpenConns: "unlimited",
      maxIdleConns: "unlimited",
    }),
    burstArm(`Forebay, ${plan.chosen} connections, burst`, "change", bursts.chosen, {
      maxOpenConns: plan.chosen,
      maxIdleConns: plan.chosen,
    }),
    burstArm(`Forebay, ${plan.big} connections, burst`, "variant", bursts.big, {
      maxOpenConns: plan.big,
      maxIdleConns: plan.big,
    }),
    ...measured.cpu.points.map(
      (point): Arm => ({
        name: `Work for the processor, ${point.size} connections`,
        role: "variant",
        settings: { connections: point.size, seriesLength: measured.cpu.seriesLength },
        measures: { throughputPerS: median(point.perS), ...point.response.measures() },
      }),
    ),
  ];
  return arms.filter((arm) => Object.keys(arm.measures).length > 0);
}

function steadyMeasures(
  size: number,
  turns: readonly SteadyTurn[],
  figures: LittleFigures,
): Record<string, number> {
  const share = figures.shares.find((one) => one.size === size);
  return {
    requests: sum(turns.map((turn) => turn.requests)),
    ...responseOf(turns).measures(),
    meanInUse: mean(turns.map((turn) => turn.meanInUse)),
    meanHoldMs: mean(turns.flatMap((turn) => [...turn.holdsMs])),
    meanWaitMs: mean(turns.flatMap((turn) => [...turn.waitsMs])),
    waitedRatio: mean(turns.map((turn) => turn.waitedRatio)),
    idealWaitedRatio: mean(turns.map((turn) => turn.idealWaitedRatio)),
    ...(share === undefined ? {} : { longRunWaitedRatio: share.corrected.value }),
    ...(share === undefined ? {} : { predictedWaitedRatio: share.erlangMeasured }),
    peakBackends: Math.max(...turns.map((turn) => turn.peakBackends)),
    eventLoopUtilisationRatio: mean(turns.map((turn) => turn.utilisationRatio)),
  };
}

function burstArm(
  name: string,
  role: Arm["role"],
  turns: readonly BurstTurn[],
  settings: Arm["settings"],
): Arm {
  if (turns.length === 0) return { name, role, settings, measures: {} };
  return {
    name,
    role,
    settings,
    measures: {
      burstRequests: sum(turns.map((turn) => turn.burstRequests)),
      failedRequests: sum(turns.map((turn) => turn.failedBurst)),
      ...responseOf(turns).measures(),
      drainMs: mean(turns.map((turn) => turn.drainMs)),
      dials: sum(turns.map((turn) => turn.stats.dialCount)),
      dialsRefused: sum(turns.map((turn) => turn.stats.dialErrorCount)),
      longestWaitMs: Math.max(...turns.map((turn) => turn.longestWaitMs)),
      peakBackends: Math.max(...turns.map((turn) => turn.backends.peak)),
      eventLoopUtilisationRatio: mean(turns.map((turn) => turn.utilisationRatio)),
      ...failureMeasures(turns),
    },
    note: "Response times count failed requests too: a fast refusal lowers them.",
  };
}
