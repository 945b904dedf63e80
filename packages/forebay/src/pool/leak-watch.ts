// Finds connections that nobody gives back: those out for too long, with the stack of their
// acquire, and those whose lease the garbage collector has found. An alarm only: nothing is taken
// back, since somebody may still be using the connection.

import type { Clock, MonotonicMs, Timer } from "../base/clock.ts";
import type { PooledConn } from "../driver/driver.ts";
import { type PoolLease, slotOf } from "./lease.ts";
import type { Slot } from "./state.ts";
import { setLimit } from "./within.ts";

/** A lease that is out. */
interface Watched {
  readonly generation: number;
  readonly sinceMs: MonotonicMs;
  readonly stack: string | undefined;
  reported: boolean;
}

/** What has been found. */
export interface LeakFinding {
  readonly kind: "leak" | "lease-collected";
  readonly heldMs: number;
  readonly stack: string | undefined;
}

/** Where the caller stands; to be taken before anything is awaited. */
export function stackHere(): string | undefined {
  const here: { stack?: string } = {};
  Error.captureStackTrace(here, stackHere);
  return here.stack?.replace(/^Error\n/, "");
}

/** Watches the leases of one pool. */
export class LeakWatch<C extends PooledConn> {
  readonly #clock: Clock;
  readonly #nowMs: () => MonotonicMs;
  readonly #leakAfterMs: number;
  readonly #report: (finding: LeakFinding) => void;
  /** In the order in which they were granted, so that the first unreported is due first. */
  readonly #watched = new Map<Slot<C>, Watched>();
  readonly #collected: FinalizationRegistry<{ readonly slot: Slot<C>; readonly watched: Watched }>;
  #timer: Timer | undefined;

  constructor(
    clock: Clock,
    nowMs: () => MonotonicMs,
    leakAfterMs: number,
    report: (finding: LeakFinding) => void,
  ) {
    this.#clock = clock;
    this.#nowMs = nowMs;
    this.#leakAfterMs = leakAfterMs;
    this.#report = report;
    this.#collected = new FinalizationRegistry(({ slot, watched }) => {
      if (this.#watched.get(slot) === watched) this.#found("lease-collected", watched);
    });
  }

  /** A lease begins. */
  begin(lease: PoolLease<C>, stack: string | undefined): void {
    const slot = slotOf(lease);
    const { generation } = slot;
    const watched = { generation, sinceMs: this.#nowMs(), stack, reported: false };
    // Deleted first, so that it comes last.
    this.#watched.delete(slot);
    this.#watched.set(slot, watched);
    this.#collected.register(lease, { slot, watched }, lease);
    this.#setTimer();
  }

  /** The lease of this slot has ended. */
  end(slot: Slot<C>): void {
    this.#watched.delete(slot);
    if (this.#watched.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Watches no more: the pool has closed, and what is out is of no account. */
  stop(): void {
    this.#watched.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #setTimer(): void {
    if (this.#timer !== undefined) return;
    for (const { sinceMs, reported } of this.#watched.values()) {
      if (reported) continue;
      const leftMs = Math.max(0, sinceMs + this.#leakAfterMs - this.#nowMs());
      this.#timer = setLimit(this.#clock, leftMs, () => this.#look());
      this.#timer?.keepAlive(false);
      return;
    }
  }

  #look(): void {
    this.#timer = undefined;
    const nowMs = this.#nowMs();
    for (const watched of this.#watched.values()) {
      if (nowMs < watched.sinceMs + this.#leakAfterMs) break;
      if (!watched.reported) this.#found("leak", watched);
    }
    this.#setTimer();
  }

  #found(kind: LeakFinding["kind"], watched: Watched): void {
    watched.reported = true;
    const { stack, sinceMs } = watched;
    this.#report({ kind, heldMs: this.#nowMs() - sinceMs, stack });
  }
}
