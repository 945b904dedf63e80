// Scenario 13, the ways to give each query a deadline and to have all of them end with one
// long-lived signal.

import { getEventListeners, setMaxListeners } from "node:events";
import { type LabClock, timeoutSignal } from "../clock.ts";
import type { LabDb } from "../pools.ts";
import type { ArmRole } from "../scenario.ts";

/** Callers and connections of the measured turns. */
export const CALLERS = 4;
/** The deadline of each query; none takes that long. */
export const DEADLINE_MS = 5000;

/** What all queries of a program share: a signal that is aborted at its end. */
export interface Program {
  readonly clock: LabClock;
  readonly db: LabDb;
  /** Of the whole program; nobody aborts it here. */
  readonly parent: AbortSignal;
  readonly deadlineMs: number;
}

/** One way to bound a query. */
export interface BoundWay {
  readonly name: string;
  readonly role: ArmRole;
  /** The code, as the report shows it. */
  readonly code: string;
  /** Whether something is left of each query until its deadline. */
  readonly leavesTimers: boolean;
  query(program: Program, value: number): Promise<unknown>;
}

const SQL = "SELECT $1::int AS v";

/** The negative control. */
export const BARE = "no deadline";
/** What comes to mind first. */
export const ANY = "AbortSignal.any";
/** Forebay's own. */
export const WHEEL = "timeoutMs and signal";

/** The ways that are compared. */
export const WAYS: readonly BoundWay[] = [
  {
    name: BARE,
    role: "negative control",
    leavesTimers: false,
    code: "db.queryRow(sql, args)",
    query: ({ db }, value) => db.queryRow(SQL, [value]),
  },
  {
    name: ANY,
    role: "baseline",
    leavesTimers: true,
    code: "signal: AbortSignal.any([parent, AbortSignal.timeout(ms)])",
    query: ({ db, parent, deadlineMs }, value) =>
      db.queryRow(SQL, [value], { signal: AbortSignal.any([parent, timeoutSignal(deadlineMs)]) }),
  },
  {
    name: "AbortSignal.timeout",
    role: "variant",
    leavesTimers: true,
    code: "signal: AbortSignal.timeout(ms), and no parent",
    query: ({ db, deadlineMs }, value) =>
      db.queryRow(SQL, [value], { signal: timeoutSignal(deadlineMs) }),
  },
  {
    name: "a timer by hand",
    role: "variant",
    leavesTimers: false,
    code: "an AbortController, setTimeout, and a listener on the parent, all taken away in the end",
    query: byHand,
  },
  {
    name: WHEEL,
    role: "change",
    leavesTimers: false,
    code: "signal: parent, timeoutMs: ms",
    query: ({ db, parent, deadlineMs }, value) =>
      db.queryRow(SQL, [value], { signal: parent, timeoutMs: deadlineMs }),
  },
];

async function byHand({ clock, db, parent, deadlineMs }: Program, value: number): Promise<unknown> {
  const abort = new AbortController();
  const timer = clock.setTimer(deadlineMs, () => abort.abort(new Error("too late")));
  const onParent = (): void => abort.abort(parent.reason);
  parent.addEventListener("abort", onParent);
  try {
    return await db.queryRow(SQL, [value], { signal: abort.signal });
  } finally {
    timer.cancel();
    parent.removeEventListener("abort", onParent);
  }
}

/** The signal of a program, which lives as long as its scenario. */
export function parentSignal(): AbortSignal {
  const { signal } = new AbortController();
  // By hand each query under way listens; Node would warn of a leak at the eleventh.
  setMaxListeners(0, signal);
  return signal;
}

/** How many listen to a signal. */
export function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, "abort").length;
}
