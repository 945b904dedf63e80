// Scenario 11, what is run: sizes and times.

/** Sizes and times of the experiment. */
export interface FailoverPlan {
  readonly rounds: number;
  /** Connections of each arm, all idle when the fault comes. */
  readonly connections: number;
  /** How long they have been idle then. */
  readonly idleMs: number;
  readonly pingAfterIdleMs: number;
  readonly pingTimeoutMs: number;
  /** For how long requests come after the server can be used again. */
  readonly tailMs: number;
  /** For how long requests come after connections have gone silent. */
  readonly silentMs: number;
  /** How long the old primary is at the address before the new one is. */
  readonly readOnlyMs: number;
  /** Of a request where there is no server for a while. */
  readonly deadlineMs: number;
  /** Of a request where connections have gone silent: enough to ping all, one after the other. */
  readonly silentDeadlineMs: number;
  /** Faults under writers, and how long there are writes before and after each. */
  readonly writeFaults: readonly WriteFault[];
  readonly writeMs: number;
  readonly writeDeadlineMs: number;
}

/** What happens while writes are under way. */
export type WriteFault = "reset" | "end" | "silence" | "crash";

/** From one request to the next, in open load. */
export const REQUEST_EVERY_MS = 25;

/** Most dials at once of Forebay's pools: its default. */
export const MAX_DIALING = 4;

/** Makes the plan. */
export function planFailover(isQuick: boolean): FailoverPlan {
  const pingTimeoutMs = isQuick ? 120 : 250;
  const connections = 20;
  return {
    rounds: isQuick ? 1 : 2,
    connections,
    idleMs: isQuick ? 400 : 1200,
    pingAfterIdleMs: isQuick ? 300 : 1000,
    pingTimeoutMs,
    tailMs: isQuick ? 600 : 1500,
    silentMs: (connections + 3) * pingTimeoutMs,
    readOnlyMs: isQuick ? 400 : 600,
    deadlineMs: 15_000,
    silentDeadlineMs: (connections + 3) * pingTimeoutMs,
    writeFaults: isQuick ? ["reset", "crash"] : ["reset", "end", "silence", "crash"],
    writeMs: isQuick ? 400 : 700,
    writeDeadlineMs: 1000,
  };
}
