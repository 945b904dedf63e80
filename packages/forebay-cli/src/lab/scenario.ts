// What a scenario is and what it reports. Types, and the one error. A report is data that survives
// JSON: no functions, no Infinity or NaN where a reader would compute with it.

import type { LabClock } from "./clock.ts";
import type { Estimate } from "./compare.ts";
import type { LoopLog } from "./loop-log.ts";
import type { LabPools } from "./pools.ts";
import type { LabRandom } from "./random.ts";
import type { StealWatch } from "./steal.ts";
import type { Question } from "./verdict.ts";

/** What came of one check. */
export type CheckVerdict = "pass" | "fail" | "inconclusive";

/** Whether a statement of the guide is borne out. */
export type ClaimVerdict = "holds" | "refuted" | "inconclusive";

/** One figure, held against its threshold. */
export interface Check {
  readonly name: string;
  readonly value: number;
  /** Ends of the 95 % interval; absent where the value was counted. */
  readonly low?: number;
  readonly high?: number;
  readonly unit?: string;
  readonly threshold: string;
  readonly pass: boolean;
  readonly verdict: CheckVerdict;
  readonly note?: string;
}

/** One statement of the guide within a scenario, and what was measured about it. */
export interface ClaimPart {
  readonly text: string;
  /** `skipped` where it was not looked at. */
  readonly verdict: ClaimVerdict | Unjudged;
  /** What was measured, with its figures, as a sentence; or why nothing was. */
  readonly measured: string;
}

/** What the guide says, and whether it holds. */
export interface Claim {
  readonly text: string;
  readonly verdict: ClaimVerdict;
  readonly why: string;
  readonly parts: readonly ClaimPart[];
}

/** What theory said beforehand, next to what was measured. */
export interface Prediction {
  readonly what: string;
  readonly theory: string;
  readonly predicted: number;
  readonly measured: number;
  readonly unit: string;
}

/** The part that an arm plays in the experiment. */
export type ArmRole = "baseline" | "change" | "negative control" | "variant";

/**
 * One way of doing the work, with what it was set to and what it gave. Names of measures end in
 * their unit.
 */
export interface Arm {
  readonly name: string;
  readonly role: ArmRole;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly measures: Readonly<Record<string, number>>;
  readonly note?: string;
}

/** An axis of a plot. `percentile` spaces 50, 90, 99, 99.9 evenly, as tails are looked at. */
export interface Axis {
  readonly label: string;
  readonly scale: "linear" | "log" | "percentile";
}

/** One line or row of dots. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
  readonly style: "line" | "dots" | "dashes" | "steps";
}

/** Lines over two axes. */
export interface LinePlot {
  readonly kind: "lines";
  readonly title: string;
  /** What the plot shows, as a sentence with figures. */
  readonly note: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
}

/** One bar. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly role: ArmRole;
  /** What stands at its end. */
  readonly label: string;
}

/** Horizontal bars. */
export interface BarPlot {
  readonly kind: "bars";
  readonly title: string;
  readonly note: string;
  readonly x: { readonly label: string; readonly scale: "linear" | "log" };
  readonly bars: readonly Bar[];
}

/** A picture, as data. */
export type Plot = LinePlot | BarPlot;

/** How the machine and this process were while a scenario ran. */
export interface Conditions {
  /**
   * Share of time in which the event loop was busy, in the busiest of the arms for which that is
   * not itself the effect; absent where it is in all.
   */
  readonly eventLoopUtilisationRatio?: number;
  /** 99th percentile of how late the event loop was, in milliseconds. Absent likewise. */
  readonly eventLoopDelayP99Ms?: number;
  /**
   * Share of CPU time that the host gave to others, without the rounds that were taken again;
   * absent where the system does not tell.
   */
  readonly stealRatio?: number;
  /** How many rounds were taken again, since the host gave processors to others. */
  readonly roundsTakenAgain: number;
  /**
   * Share of CPU time that went to none of this process, the server, and the programs that the lab
   * started; absent where that is not known.
   */
  readonly othersRatio?: number;
  /** What limits the trust in the figures. */
  readonly warnings: readonly string[];
}

/** Advice that follows from the scenario. */
export interface WhatToSet {
  /** Settings to copy. */
  readonly code: string;
  readonly when: string;
  readonly notWhen: string;
}

/** What a scenario itself finds; the rest of its report is added by whoever runs it. */
export interface Findings {
  /** The measured effect in one sentence. */
  readonly headline: string;
  /** The workload and how the experiment is built, time scaling included. */
  readonly experiment: string;
  readonly claim: Claim;
  readonly forebay: ForebayFindings;
  readonly predictions: readonly Prediction[];
  readonly arms: readonly Arm[];
  readonly plots: readonly Plot[];
  readonly whatToSet: WhatToSet;
  readonly caveats: readonly string[];
}

/** Whether Forebay does its part. */
export interface ForebayFindings {
  readonly verdict: CheckVerdict;
  readonly why: string;
  readonly checks: readonly Check[];
}

/** What stands for a verdict, where there is none because the scenario was not run. */
export type Unjudged = "skipped";

/**
 * What the report says of a scenario. A scenario that could not be run here has `skipped`, and one
 * that was stopped before its end is `partial`: then nothing in it is judged.
 */
export interface ScenarioReport extends Omit<Findings, "claim" | "forebay"> {
  readonly id: number;
  readonly title: string;
  readonly claim: Omit<Claim, "verdict"> & { readonly verdict: ClaimVerdict | Unjudged };
  readonly forebay: Omit<ForebayFindings, "verdict"> & {
    readonly verdict: CheckVerdict | Unjudged;
  };
  readonly conditions: Conditions;
  readonly durationMs: number;
  /** True when it was stopped before its end. */
  readonly partial: boolean;
  /** Why it could not be run here. Absent when it was run. */
  readonly skipped?: string;
  /** What has to be installed for it. Absent unless that is why it was skipped. */
  readonly missing?: string;
}

/** The server that a lab works on. */
export interface LabServer {
  /** A connection URL. It never appears in a report. */
  readonly url: string;
  /**
   * `embedded` for one that was started for the lab and may be driven to its limits; `given` for
   * anyone else's.
   */
  readonly kind: "embedded" | "given";
  /** For the reader, without secrets. */
  readonly description: string;
  readonly version?: string | undefined;
  /** The directory of its Unix socket, where it is on this machine and that is known. */
  readonly socketDir?: string | undefined;
}

/** How far a run is. */
export interface LabProgress {
  /** The scenario's number; 0 while calibrating. */
  readonly scenario: number;
  readonly title: string;
  /** Which of the chosen scenarios this is, from 1, and how many there are. */
  readonly position: number;
  readonly of: number;
  readonly arm: string;
  readonly note: string;
  /** The figure that matters, as the scenario told it last; empty before it has one. */
  readonly figure: string;
  /** Of the whole run, 0 to 1. */
  readonly fraction: number;
  /** How long the rest of the run is expected to take. */
  readonly remainingMs: number;
}

/** Facts about the server that scenarios need. */
export interface ServerFacts {
  readonly version: string;
  readonly maxConnections: number;
  /** Connections that this user could still have when the run began. */
  readonly freeConnections: number;
  /** Connections that the lab may have at once, besides its watcher. */
  readonly budget: number;
  /** How the budget came about, for the reader. */
  readonly budgetNote: string;
  readonly isTls: boolean;
  /**
   * The authentication method as the server names it, such as `scram-sha-256`; empty where it does
   * not tell.
   */
  readonly authentication: string;
  /** Whether a commit waits for the disk: `fsync` and `synchronous_commit` both on. */
  readonly isDurable: boolean;
  /** The process id of the server's main process, when it runs on this machine and can be seen. */
  readonly postmasterPid?: number;
  /**
   * How many processors it may use; as many as this machine has where that cannot be seen.
   */
  readonly cores: number;
}

/** Figures of the machine and the server that put all others in proportion. */
export interface Calibration {
  /** One row by key, prepared, one caller. */
  readonly queryP50Ms: number;
  readonly queryP99Ms: number;
  /**
   * A connection from nothing to ready, with TLS and authentication as the server asks for them.
   */
  readonly connectP50Ms: number;
  readonly connectP99Ms: number;
  /** One inserted row, committed by itself. */
  readonly commitP50Ms: number;
  /** How late a timer of this process fires. */
  readonly timerLateP99Ms: number;
  /** Median ratio of two identical arms, which should be 1, with its interval. */
  readonly sameArmRatio: Estimate;
}

/** Judges questions in the light of how the run went. */
export type Judge = (question: Question) => Check;

/** What a scenario is given. */
export interface ScenarioContext {
  readonly server: LabServer;
  readonly facts: ServerFacts;
  readonly calibration: Calibration;
  readonly isQuick: boolean;
  readonly clock: LabClock;
  readonly random: LabRandom;
  readonly signal: AbortSignal;
  /** The lab's own schema, quoted. */
  readonly schema: string;
  readonly pools: LabPools;
  readonly loop: LoopLog;
  /** To be handed to whatever takes turns. */
  readonly steal: StealWatch;
  /**
   * The user's own statement, without parameters, where there is one and the scenario takes it: a
   * single query that only reads.
   */
  readonly query?: string;
  /**
   * Has something closed when the scenario ends, however it ends; the last first. For what is not a
   * pool: proxies, processes, servers, sessions.
   */
  defer(close: () => Promise<unknown>): void;
  /**
   * Says what begins now; `expectedMs` is how long it is expected to take. `figure` is what was
   * measured so far of what matters here, in a few words; it is shown until there is another.
   */
  step(arm: string, expectedMs: number, note?: string, figure?: string): void;
  /**
   * Gives the judge, once all arms have run. It leaves close comparisons undecided when the machine
   * was too busy or two identical arms differed.
   */
  judge(): Promise<Judge>;
}

/**
 * Thrown by a scenario that cannot be run here: it is reported as skipped, and others go on.
 */
export class ScenarioNotPossible extends Error {
  /** The Debian package that has to be installed for it, where that is all it lacks. */
  readonly missing: string | undefined;

  /** `message` says what is missing, as a sentence. */
  constructor(message: string, missing?: string) {
    super(message);
    this.name = "ScenarioNotPossible";
    this.missing = missing;
  }
}

/** A scenario of the guide. */
export interface Scenario {
  readonly id: number;
  readonly title: string;
  /** What it needs, for the list. */
  readonly needs: string;
  /** How long it takes by default, and when quick. */
  readonly expectedMs: number;
  readonly expectedQuickMs: number;
  /** True where a user's own statement can take the place of the scenario's: `context.query`. */
  readonly takesQuery?: true;
  run(context: ScenarioContext): Promise<Findings>;
}
