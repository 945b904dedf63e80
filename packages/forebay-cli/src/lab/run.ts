// One run of the lab: reads the server, calibrates, runs the chosen scenarios in order, and leaves
// nothing behind.

import { setMaxListeners } from "node:events";
import { calibrate } from "./calibration.ts";
import { labClock } from "./clock.ts";
import { closeAll } from "./closers.ts";
import { conditionsOf, judgeUnder } from "./conditions.ts";
import { LoopLog } from "./loop-log.ts";
import { describeMachine, LoopWatch, type Machine, readCpu } from "./machine.ts";
import { type Tally, tallyOf } from "./outcome.ts";
import { Pace } from "./pace.ts";
import { LabPools } from "./pools.ts";
import { checkQueryOnServer } from "./query.ts";
import { seededLabRandom } from "./random.ts";
import {
  type Calibration,
  type Conditions,
  type LabProgress,
  type LabServer,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
  type ScenarioReport,
  type ServerFacts,
} from "./scenario.ts";
import { createSchema, dropSchema, readFacts } from "./schema.ts";
import { STEAL_PLANS, StealWatch } from "./steal.ts";

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
  /** The user's own statement that was run in place of the scenarios'. */
  readonly query?: string;
  /** How many of the chosen scenarios held, were refuted, or were not judged. */
  readonly summary: Tally;
  readonly scenarios: readonly ScenarioReport[];
}

/** What a run is told. */
export interface RunOptions {
  readonly scenarios: readonly Scenario[];
  readonly quick: boolean;
  readonly server: LabServer;
  readonly signal: AbortSignal;
  /** The user's own statement, checked by `checkQueryText`. */
  readonly query?: string | undefined;
  readonly onProgress: (progress: LabProgress) => void;
  /** Told of each scenario that has ended, whatever came of it. */
  readonly onScenario: (scenario: ScenarioReport) => void;
}

const CALIBRATION_MS = { full: 3000, quick: 1500 } as const;
const SEED = 20_260_101;

/** The watcher waits for a connection for ever, which a server that is gone never gives. */
const DROP_MS = 5_000;

/** A run that came to an end by a failure, after scenarios that had ended: their report is here. */
export class RunFailed extends Error {
  /** What there is, marked `partial`. */
  readonly report: LabReport;

  /** `cause` is the failure. */
  constructor(report: LabReport, cause: unknown) {
    super("the run failed before its end", { cause });
    this.name = "RunFailed";
    this.report = report;
  }
}

/**
 * Runs scenarios. When `signal` is aborted it stops promptly, drops what it made on the server, and
 * resolves with what there is, marked `partial`. Rejects when the server cannot be used, or a
 * scenario fails for another reason than the abort: with a `RunFailed` where scenarios had ended
 * before, otherwise with the failure itself; also then nothing is left on the server. Rejects with
 * `QueryRefused` when the server does not take the user's statement.
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
  const failures: unknown[] = [];
  const note = (error: unknown): void => {
    if (!options.signal.aborted) failures.push(error);
  };
  await run.all().catch(note);
  watch.stop();
  await run.cleanUp().catch(note);
  const report: LabReport = {
    server: reportedServer(options.server, run.facts),
    machine,
    startedAt,
    durationMs: labClock.nowMs() - beganAtMs,
    isQuick: options.quick,
    partial: options.signal.aborted || failures.length > 0,
    ...(run.calibration === undefined ? {} : { calibration: run.calibration }),
    ...(options.query === undefined ? {} : { query: options.query }),
    summary: tallyOf(scenarios, options.scenarios.length),
    scenarios,
  };
  if (failures.length === 0) return report;
  // The first is why the others came.
  const [failure] = failures;
  throw scenarios.length === 0 ? failure : new RunFailed(report, failure);
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

type BaseContext = Omit<
  ScenarioContext,
  "calibration" | "defer" | "judge" | "loop" | "steal" | "step"
>;

class Run {
  facts: ServerFacts | undefined;
  calibration: Calibration | undefined;
  readonly #options: RunOptions;
  readonly #pools: LabPools;
  readonly #watch: LoopWatch;
  readonly #reports: ScenarioReport[];
  readonly #pace: Pace;
  #schema: string | undefined;
  #doneMs = 0;

  constructor(options: RunOptions, pools: LabPools, watch: LoopWatch, reports: ScenarioReport[]) {
    this.#options = options;
    this.#pools = pools;
    this.#watch = watch;
    this.#reports = reports;
    const { full, quick } = CALIBRATION_MS;
    const totalMs = options.scenarios.reduce<number>(
      (total, scenario) => total + this.#expectedMsOf(scenario),
      options.quick ? quick : full,
    );
    this.#pace = new Pace(labClock, totalMs);
  }

  async all(): Promise<void> {
    const { query, quick, scenarios, server, signal } = this.#options;
    signal.throwIfAborted();
    const facts = await readFacts(this.#pools.watcher, server);
    this.facts = facts;
    if (query !== undefined) await checkQueryOnServer(this.#pools.watcher, query);
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
    this.#tell({ scenario: 0, title: "", arm: "calibration", note: "", figure: "" });
    const loop = new LoopLog(this.#watch);
    const calibration = await calibrate({
      ...base,
      loop,
      steal: this.#watchSteal(),
      defer: () => undefined,
      step: () => undefined,
    });
    this.calibration = calibration;
    this.#doneMs += calibrationMs;
    for (const scenario of scenarios) {
      const takesQuery = query !== undefined && scenario.takesQuery === true;
      await this.#runOne(scenario, takesQuery ? { ...base, query } : base, calibration);
      this.#doneMs += this.#expectedMsOf(scenario);
    }
  }

  /**
   * Closes what is open and drops the schema, also after an abort. Of a server that is gone by then
   * nothing is wanted.
   */
  async cleanUp(): Promise<void> {
    await this.#pools.closeArms();
    const limit = new AbortController();
    const timer = labClock.setTimer(DROP_MS, () => {
      limit.abort(new Error(`could not drop ${this.#schema ?? "the schema"} in ${DROP_MS} ms`));
    });
    try {
      if (this.#schema !== undefined) {
        await dropSchema(this.#pools.watcher, this.#schema, limit.signal);
      }
    } finally {
      timer.cancel();
      await this.#pools.closeAll();
    }
  }

  async #runOne(scenario: Scenario, base: BaseContext, calibration: Calibration): Promise<void> {
    const { signal } = this.#options;
    const loop = new LoopLog(this.#watch);
    const steal = this.#watchSteal();
    const cpuBefore = await readCpu(base.facts.postmasterPid);
    const beganAtMs = labClock.nowMs();
    const closers: (() => Promise<unknown>)[] = [];
    const conditionsSoFar = async (): Promise<Conditions> =>
      conditionsOf(
        { loop, steal, calibration, cpuBefore },
        await readCpu(base.facts.postmasterPid),
      );
    const context: ScenarioContext = {
      ...base,
      calibration,
      loop,
      steal,
      defer: (close) => closers.push(close),
      step: this.#stepper(scenario),
      judge: async () => judgeUnder((await conditionsSoFar()).warnings),
    };
    try {
      const findings = await scenario.run(context);
      this.#report({
        id: scenario.id,
        title: scenario.title,
        ...findings,
        conditions: await conditionsSoFar(),
        durationMs: labClock.nowMs() - beganAtMs,
        partial: false,
      });
    } catch (error) {
      // What an abort broke may look like anything, also like something that is missing.
      const isSkipped = error instanceof ScenarioNotPossible && !signal.aborted;
      if (!signal.aborted && !isSkipped) throw error;
      const durationMs = labClock.nowMs() - beganAtMs;
      const conditions = await conditionsSoFar();
      this.#report(notJudged(scenario, isSkipped ? error : undefined, conditions, durationMs));
      if (!isSkipped) throw error;
    } finally {
      await this.#pools.closeArms();
      await closeAll(labClock, closers);
    }
  }

  #watchSteal(): StealWatch {
    return new StealWatch(STEAL_PLANS[this.#options.quick ? "quick" : "full"]);
  }

  #report(scenario: ScenarioReport): void {
    this.#reports.push(scenario);
    this.#options.onScenario(scenario);
  }

  #expectedMsOf(scenario: Scenario): number {
    return this.#options.quick ? scenario.expectedQuickMs : scenario.expectedMs;
  }

  #stepper(scenario: Scenario): ScenarioContext["step"] {
    const { id, title } = scenario;
    let doneMs = 0;
    let figure = "";
    const mostMs = this.#expectedMsOf(scenario);
    this.#tell({ scenario: id, title, arm: "", note: "", figure });
    return (arm, expectedMs, note = "", newFigure = "") => {
      if (newFigure !== "") figure = newFigure;
      this.#tell({ scenario: id, title, arm, note, figure }, Math.min(doneMs, mostMs));
      doneMs += expectedMs;
    };
  }

  #tell(
    what: Omit<LabProgress, "fraction" | "of" | "position" | "remainingMs">,
    doneOfItMs = 0,
  ): void {
    const { scenarios, onProgress } = this.#options;
    const position = scenarios.findIndex(({ id }) => id === what.scenario) + 1;
    const distance = this.#pace.at(this.#doneMs + doneOfItMs);
    onProgress({ ...what, position, of: scenarios.length, ...distance });
  }
}

/** A scenario that was skipped, for the reason that it gave, or stopped before its end. */
function notJudged(
  scenario: Scenario,
  reason: ScenarioNotPossible | undefined,
  conditions: Conditions,
  durationMs: number,
): ScenarioReport {
  const why = reason?.message ?? "The run was stopped before its end.";
  const verdict = reason === undefined ? "inconclusive" : "skipped";
  return {
    id: scenario.id,
    title: scenario.title,
    headline: why,
    experiment: why,
    claim: { text: "", verdict, why, parts: [] },
    forebay: { verdict, why, checks: [] },
    predictions: [],
    arms: [],
    plots: [],
    whatToSet: { code: "", when: "", notWhen: "" },
    caveats: [],
    conditions,
    durationMs,
    partial: reason === undefined,
    ...(reason === undefined ? {} : { skipped: why }),
    ...(reason?.missing === undefined ? {} : { missing: reason.missing }),
  };
}
