// How the machine and this process were while a scenario ran, and what that means for its verdicts.

import { LOOP_BUSY_RATIO, type LoopLog } from "./loop-log.ts";
import { cpuLost, type CpuReading } from "./machine.ts";
import type { Calibration, Conditions, Judge } from "./scenario.ts";
import { STEAL_LIMIT_RATIO, type StealWatch } from "./steal.ts";
import { isClose, judge } from "./verdict.ts";
import { percent, withInterval } from "./words.ts";

/** The least share of CPU time that is worth a word, where other programs took it. */
const OTHERS_LIMIT_RATIO = 0.1;

/** What is known of a scenario that runs. */
export interface RunSoFar {
  readonly loop: LoopLog;
  readonly steal: StealWatch;
  readonly calibration: Calibration;
  readonly cpuBefore: CpuReading;
}

/** The conditions from the beginning of a scenario until `cpuNow`. */
export function conditionsOf(
  { loop, steal, calibration, cpuBefore }: RunSoFar,
  cpuNow: CpuReading,
): Conditions {
  const { othersRatio } = cpuLost(cpuBefore, cpuNow);
  const stealRatio = steal.ratioBetween(cpuBefore.machine, cpuNow.machine);
  const { sameArmRatio } = calibration;
  const warnings: string[] = [];
  if (loop.utilisationRatio !== undefined && loop.utilisationRatio > LOOP_BUSY_RATIO) {
    warnings.push(
      `this process's event loop was busy ${percent(loop.utilisationRatio)} of the time.`,
    );
  }
  if (othersRatio !== undefined && othersRatio > OTHERS_LIMIT_RATIO) {
    warnings.push(`other programs took ${percent(othersRatio)} of the machine's CPU time.`);
  }
  if (stealRatio !== undefined && stealRatio > STEAL_LIMIT_RATIO) {
    warnings.push(`the host gave ${percent(stealRatio)} of the CPU time to others.`);
  }
  if (sameArmRatio.value < 0.9 || sameArmRatio.value > 1.1) {
    warnings.push(`two identical arms differed by a factor of ${withInterval(sameArmRatio)}.`);
  }
  return {
    ...(loop.utilisationRatio === undefined
      ? {}
      : { eventLoopUtilisationRatio: loop.utilisationRatio }),
    ...(loop.delayP99Ms === undefined ? {} : { eventLoopDelayP99Ms: loop.delayP99Ms }),
    ...(stealRatio === undefined ? {} : { stealRatio }),
    ...(othersRatio === undefined ? {} : { othersRatio }),
    roundsTakenAgain: steal.roundsTakenAgain,
    warnings,
  };
}

/** A judge that leaves close comparisons undecided when there is something to warn of. */
export function judgeUnder(warnings: readonly string[]): Judge {
  const [warning] = warnings;
  return (question) =>
    judge({
      ...question,
      voidedBy: question.voidedBy ?? (isClose(question) ? warning : undefined),
    });
}
