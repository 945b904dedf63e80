// One run of the lab: reads the server, calibrates, runs the chosen scenarios in order, and leaves
// nothing behind.

import { setMaxListeners } from "node:events";
import { calibrate } from "./calibration.ts";
import { labClock } from "./clock.ts";
import { LoopLog, LOOP_BUSY_RATIO } from "./loop-log.ts";
import {
  cpuLost,
  type CpuReading,
  describeMachine,
  LoopWatch,
  type Machine,
  readCpu,
} from "./machine.ts";
import { LabPools } from "./pools.ts";
import { seededLabRandom } from "./random.ts";
import {
  type Calibration,
  type Conditions,
  type Judge,
  type LabProgress,
  type LabServer,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
  type ScenarioReport,
  type ServerFacts,
} from "./scenario.ts";
import { createSchema, dropSchema, readFacts } from "./schema.ts";
import { isClose, judge } from "./verdict.ts";
import { percent, withInterval } from "./words.ts";

/** What the report says about the server. Without its URL, which may hold a password. */
export interface ReportedServer {
  readonly kind: LabServer["kind"];
  readonly description: string;
  readonly version: string;
  readonly maxConnections: number;
  readonly isTls: boolean;
  readonly authentication: string;
  readonly isDurable: boolean;
  readonly budgetNote: string;
}

/** All that a run found. */
export interface LabReport {
  readonly server: ReportedServer;
  readonly machine: Machine;
  /** When the run began, in ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly isQuick: boolean;
  /** True when the run was stopped before its end. */
  readonly partial: boolean;
  /** Absent when the run was stopped before it was done. */
  readonly calibration?: Calibration;
  readonly scenarios: readonly ScenarioReport[];
}

/** What a run is told. */
export interface RunOptions {
  readonly scenarios: readonly Scenario[];
  readonly quick: boolean;
  readonly server: LabServer;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LabProgress) => void;
}

const CALIBRATION_MS = { full: 3000, quick: 1500 } as const;
const SEED = 20_260_101;

/**
 * Runs scenarios. When `signal` is aborted it stops promptly, drops what it made on the server, and
 * resolves with what there is, marked `partial`. Rejects when the server cannot be used, or a
 * scenario fails for another reason than the abort; also then nothing is left on the server.
 */
export async function runScenarios(options: RunOptions): Promise<LabReport> {
  const startedAt = labClock.date().toISOString();
  const beganAtMs = labClock.nowMs();
  const machine = describeMachine();
  const pools = new LabPools(options.server.url, seededLabRandom(SEED + 1));
  const watch = new LoopWatch();
  const scenarios: ScenarioReport[] = [];
  // An open load has as many requests under way as come, and each listens.
  setMaxListeners(0, options.signal);
  const run = new Run(options, pools, watch, scenarios);
  try {
    await run.all();
  } catch (error) {
    if (!options.signal.aborted) throw error;
  } finally {
    watch.stop();
    await run.cleanUp();
  }
  return {
    server: reportedServer(options.server, run.facts),
    machine,
    startedAt,
    durationMs: labClock.nowMs() - beganAtMs,
    isQuick: options.quick,
    partial: options.signal.aborted,
    ...(run.calibration === undefined ? {} : { calibration: run.calibration }),
    scenarios,
  };
}

function reportedServer(server: LabServer, facts: ServerFacts | undefined): ReportedServer {
  return {
    kind: server.kind,
    description: server.description,
    version: facts?.version ?? server.version ?? "unknown",
    maxConnections: facts?.maxConnections ?? 0,
    isTls: facts?.isTls ?? false,
    authentication: facts?.authentication ?? "",
    isDurable: facts?.isDurable ?? false,
    budgetNote: facts?.budgetNote ?? "The run was stopped before the server was looked at.",
  };
}

type BaseContext = Omit<ScenarioContext, "calibration" | "defer" | "judge" | "loop" | "step">;

class Run {
  facts: ServerFacts | undefined;
  calibration: Calibration | undefined;
  readonly #options: RunOptions;
  readonly #pools: LabPools;
  readonly #watch: LoopWatch;
  readonly #reports: ScenarioReport[];
  readonly #totalMs: number;
  #schema: string | undefined;
  #doneMs = 0;

  constructor(options: RunOptions, pools: LabPools, watch: LoopWatch, reports: ScenarioReport[]) {
    this.#options = options;
    this.#pools = pools;
    this.#watch = watch;
    this.#reports = reports;
    const { full, quick } = CALIBRATION_MS;
    this.#totalMs = options.scenarios.reduce<number>(
      (total, scenario) => total + this.#expectedMsOf(scenario),
      options.quick ? quick : full,
    );
  }

  async all(): Promise<void> {
    const { quick, scenarios, server, signal } = this.#options;
    signal.throwIfAborted();
    const facts = await readFacts(this.#pools.watcher, server);
    this.facts = facts;
    this.#schema = await createSchema(this.#pools.watcher);
    const base = {
      server,
      facts,
      isQuick: quick,
      clock: labClock,
      random: seededLabRandom(SEED),
      signal,
      schema: this.#schema,
      pools: this.#pools,
    };
    const calibrationMs = quick ? CALIBRATION_MS.quick : CALIBRATION_MS.full;
    this.#options.onProgress({ scenario: 0, arm: "calibration", fraction: 0, note: "" });
    const loop = new LoopLog(this.#watch);
    const calibration = await calibrate({
      ...base,
      loop,
      defer: () => undefined,
      step: () => undefined,
    });
    this.calibration = calibration;
    this.#doneMs += calibrationMs;
    for (const scenario of scenarios) {
      await this.#runOne(scenario, base, calibration);
      this.#doneMs += this.#expectedMsOf(scenario);
    }
  }

  /** Closes what is open and drops the schema, also after an abort. */
  async cleanUp(): Promise<void> {
    await this.#pools.closeArms();
    try {
      if (this.#schema !== undefined) await dropSchema(this.#pools.watcher, this.#schema);
    } finally {
      await this.#pools.closeAll();
    }
  }

  async #runOne(scenario: Scenario, base: BaseContext, calibration: Calibration): Promise<void> {
    const { signal } = this.#options;
    const loop = new LoopLog(this.#watch);
    const cpuBefore = await readCpu(base.facts.postmasterPid);
    const beganAtMs = labClock.nowMs();
    const closers: (() => Promise<unknown>)[] = [];
    const conditionsSoFar = async (): Promise<Conditions> =>
      conditionsOf({ loop, calibration, cpuBefore }, await readCpu(base.facts.postmasterPid));
    const context: ScenarioContext = {
      ...base,
      calibration,
      loop,
      defer: (close) => closers.push(close),
      step: this.#stepper(scenario),
      judge: async () => judgeUnder((await conditionsSoFar()).warnings),
    };
    try {
      const findings = await scenario.run(context);
      this.#reports.push({
        id: scenario.id,
        title: scenario.title,
        ...findings,
        conditions: await conditionsSoFar(),
        durationMs: labClock.nowMs() - beganAtMs,
        partial: false,
      });
    } catch (error) {
      const isImpossible = error instanceof ScenarioNotPossible;
      if (!signal.aborted && !isImpossible) throw error;
      const why = isImpossible ? error.message : "The run was stopped before its end.";
      const durationMs = labClock.nowMs() - beganAtMs;
      this.#reports.push(unfinished(scenario, why, await conditionsSoFar(), durationMs));
      if (!isImpossible) throw error;
    } finally {
      await this.#pools.closeArms();
      // One that fails must not keep the others open; what it was for is over.
      for (const close of closers.toReversed()) await close().catch(() => undefined);
    }
  }

  #expectedMsOf(scenario: Scenario): number {
    return this.#options.quick ? scenario.expectedQuickMs : scenario.expectedMs;
  }

  #stepper(scenario: Scenario): ScenarioContext["step"] {
    let doneMs = 0;
    const mostMs = this.#expectedMsOf(scenario);
    return (arm, expectedMs, note = "") => {
      const fraction = (this.#doneMs + Math.min(doneMs, mostMs)) / this.#totalMs;
      this.#options.onProgress({ scenario: scenario.id, arm, fraction, note });
      doneMs += expectedMs;
    };
  }
}

/**
 * The least share of CPU time that is worth a word: given to others by the host, taken by other
 * programs.
 */
const STEAL_LIMIT_RATIO = 0.01;
const OTHERS_LIMIT_RATIO = 0.1;

interface RunSoFar {
  readonly loop: LoopLog;
  readonly calibration: Calibration;
  readonly cpuBefore: CpuReading;
}

function conditionsOf({ loop, calibration, cpuBefore }: RunSoFar, cpuNow: CpuReading): Conditions {
  const { stealRatio, othersRatio } = cpuLost(cpuBefore, cpuNow);
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
    warnings,
  };
}

function judgeUnder(warnings: readonly string[]): Judge {
  const [warning] = warnings;
  return (question) =>
    judge({
      ...question,
      voidedBy: question.voidedBy ?? (isClose(question) ? warning : undefined),
    });
}

function unfinished(
  scenario: Scenario,
  why: string,
  conditions: Conditions,
  durationMs: number,
): ScenarioReport {
  return {
    id: scenario.id,
    title: scenario.title,
    headline: why,
    experiment: why,
    claim: { text: "", verdict: "inconclusive", why, parts: [] },
    forebay: { verdict: "inconclusive", why, checks: [] },
    predictions: [],
    arms: [],
    plots: [],
    whatToSet: { code: "", when: "", notWhen: "" },
    caveats: [],
    conditions,
    durationMs,
    partial: true,
  };
}
