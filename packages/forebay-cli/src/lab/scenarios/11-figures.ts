// Scenario 11, the figures that its sentences and checks are made of.

import { sum } from "../compare.ts";
import { LatencyHistogram } from "../histogram.ts";
import type { FailoverKind } from "./11-arms.ts";
import type { FailoverMeasured } from "./11-failover.ts";
import { type Fault, FAULTS, type FaultRun } from "./11-faults.ts";

/** One arm in one fault, over all rounds. */
export interface FaultFigures {
  readonly fault: Fault;
  readonly kind: FailoverKind;
  readonly runs: readonly FaultRun[];
  readonly requests: number;
  readonly errors: number;
  readonly stale: number;
  readonly dialErrors: number;
  readonly response: LatencyHistogram;
  /** The longest of the rounds; NaN when nothing was served in one. */
  readonly recoveryMs: number;
}

/** Figures derived from the measurements. */
export interface FailoverFigures {
  /** Connections that were idle when a fault came, in all rounds of one fault. */
  readonly idle: number;
  of(fault: Fault, kind: FailoverKind): FaultFigures;
  /** Over the faults that end connections aloud. */
  readonly loud: Readonly<
    Record<FailoverKind, { readonly errors: number; readonly stale: number }>
  >;
  /** The longest recovery of Forebay over 1 s or, if longer, the time without a server. */
  readonly recoveryRatio: number;
  readonly dialingMax: number;
  /** The longest time without a server, in restarts, and Forebay's longest recovery after one. */
  readonly downMaxMs: number;
  readonly restartRecoveryMaxMs: number;
  readonly readOnly: {
    readonly keepsServed: number;
    readonly keepsWrites: number;
    readonly resetsServed: number;
    readonly resetsWrites: number;
    readonly resetsRecoveryMs: number;
    readonly refused: number;
  };
}

/** Faults that every side is told of, by an error, an end or a reset. */
export const LOUD: readonly Fault[] = FAULTS.filter((fault) => fault !== "silence");

const KINDS: readonly FailoverKind[] = ["naive", "sequential", "detection", "ping"];
const OWN: readonly FailoverKind[] = ["detection", "ping"];

/** Derives the figures. */
export function deriveFigures({ plan, runs, readOnly }: FailoverMeasured): FailoverFigures {
  const of = (fault: Fault, kind: FailoverKind): FaultFigures =>
    gather(
      fault,
      kind,
      runs.filter((run) => run.fault === fault && run.kind === kind),
    );
  const loud = Object.fromEntries(
    KINDS.map((kind) => {
      const all = LOUD.map((fault) => of(fault, kind));
      const errors = sum(all.map((one) => one.errors));
      return [kind, { errors, stale: sum(all.map((one) => one.stale)) }];
    }),
  ) as FailoverFigures["loud"];
  const own = runs.filter((run) => OWN.includes(run.kind));
  const keeps = readOnly.filter((run) => !run.resets);
  const resets = readOnly.filter((run) => run.resets);
  return {
    idle: plan.connections * plan.rounds,
    of,
    loud,
    recoveryRatio: Math.max(
      ...own
        .filter((run) => LOUD.includes(run.fault))
        .map((run) => run.recoveryMs / Math.max(1000, run.downMs)),
    ),
    dialingMax: Math.max(...own.map((run) => run.dialingMax)),
    downMaxMs: Math.max(...runs.map((run) => run.downMs)),
    restartRecoveryMaxMs: Math.max(
      ...own.filter((run) => run.downMs > 0).map((run) => run.recoveryMs),
    ),
    readOnly: {
      keepsServed: sum(keeps.map((run) => run.servedAfter)),
      keepsWrites: sum(keeps.map((run) => run.writesAfter)),
      resetsServed: sum(resets.map((run) => run.servedAfter)),
      resetsWrites: sum(resets.map((run) => run.writesAfter)),
      resetsRecoveryMs: Math.max(...resets.map((run) => run.recoveryMs)),
      refused: sum(readOnly.map((run) => run.refused)),
    },
  };
}

function gather(fault: Fault, kind: FailoverKind, runs: readonly FaultRun[]): FaultFigures {
  const response = new LatencyHistogram();
  for (const run of runs) response.add(run.response);
  return {
    fault,
    kind,
    runs,
    requests: sum(runs.map((run) => run.requests)),
    errors: sum(runs.map((run) => run.requests - run.served)),
    stale: sum(runs.map((run) => run.stale)),
    dialErrors: sum(runs.map((run) => run.dialErrors)),
    response,
    recoveryMs: Math.max(...runs.map((run) => run.recoveryMs)),
  };
}
