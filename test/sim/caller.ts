// Callers, as the judge knows them.

import type { FakeConn } from "../../packages/forebay/src/testing/fake-connector.ts";

/** One acquire. */
export interface Caller {
  readonly id: number;
  /** The bulkhead that it is for; empty for none. */
  readonly bulkhead: string;
  readonly controller: AbortController;
  /** When it began, and how long it may wait, in the pool's time. */
  beganAtMs: number;
  readonly timeoutMs: number;
  /** Whether it is made by somebody who holds a connection. */
  readonly isInner: boolean;
  /** How often the pool had been looked at before. */
  readonly look: number;
  /** Whether it found nothing idle and queued. */
  queued: boolean;
  aborted: boolean;
  settled: "granted" | "rejected" | undefined;
  /** When that was, by the clock. */
  settledAtMs: number | undefined;
  /** The connection that it was given. */
  connId: number | undefined;
  /** The code with which it was turned away, and the error. */
  code: string;
  error: unknown;
  /** What it has, and how to end that. */
  held: Held | undefined;
}

/** A connection in somebody's hands. */
export interface Held {
  readonly conn: FakeConn;
  /** In the pool's time; corrected once it is known how long the event loop stood still. */
  sinceMs: number;
  readonly end: (how: "release" | "discard") => void;
}

/** What callers give up with. */
export const ABORTED: Error = new Error("the caller gave up");

/** When it is to be given up, in the pool's time. */
export function deadlineAtMs({ beganAtMs, timeoutMs }: Caller): number {
  return beganAtMs + timeoutMs;
}
