// What the host of a virtual machine takes of its processors' time for others: it comes in bursts,
// and a round that one fell into tells of the host, not of the arms.

import { labClock, pause } from "./clock.ts";
import { type CpuTicks, readCpuTicks } from "./machine.ts";

/** The least share of CPU time given to others that spoils a round, or is worth a word. */
export const STEAL_LIMIT_RATIO = 0.01;

/** Reads how much the host has taken so far; undefined where the system does not tell. */
export type ReadTicks = () => Promise<CpuTicks | undefined>;

/** How much a scenario may take again. */
export interface StealPlan {
  /** Rounds that a comparison may take again, as a share of its own; rounded up. */
  readonly spareRatio: number;
  /** All rests before such rounds, in milliseconds: bursts of steal last longer than a round. */
  readonly restMs: number;
}

/** Within forty minutes and ten for all scenarios, also on a host that is busy all the time. */
export const STEAL_PLANS: Readonly<Record<"full" | "quick", StealPlan>> = {
  full: { spareRatio: 1, restMs: 12_000 },
  quick: { spareRatio: 0.5, restMs: 3000 },
};

/** Twice as long each time, until a round is not spoilt. */
const FIRST_REST_MS = 500;

/** A round that has begun. */
export interface BegunRound {
  /**
   * Whether the host took more than its limit since. If it did, the time since no longer counts.
   */
  isSpoilt(): Promise<boolean>;
}

/** Watches it over the rounds of one scenario. One round at a time. */
export class StealWatch {
  readonly #plan: StealPlan;
  readonly #readTicks: ReadTicks;
  readonly #pause: (ms: number, signal: AbortSignal) => Promise<void>;
  #restedMs = 0;
  #spoiltInARow = 0;
  #spoiltTicks = 0;
  #spoiltSteal = 0;
  #roundsTakenAgain = 0;

  /** `readTicks` and `pauseFor` are for tests. */
  constructor(
    plan: StealPlan,
    readTicks: ReadTicks = readCpuTicks,
    pauseFor: (ms: number, signal: AbortSignal) => Promise<void> = (ms, signal) =>
      pause(labClock, ms, signal),
  ) {
    this.#plan = plan;
    this.#readTicks = readTicks;
    this.#pause = pauseFor;
  }

  /** How many of a comparison's rounds may be taken again. */
  spareOf(rounds: number): number {
    return Math.ceil(rounds * this.#plan.spareRatio);
  }

  /**
   * Waits a while after a round that was spoilt, as long as the plan has rests left. Rejects with
   * `signal.reason` on abort.
   */
  async rest(signal: AbortSignal): Promise<void> {
    const leftMs = this.#plan.restMs - this.#restedMs;
    const ms = Math.min(leftMs, FIRST_REST_MS * 2 ** Math.max(0, this.#spoiltInARow - 1));
    if (ms <= 0) return;
    this.#restedMs += ms;
    const before = await this.#readTicks();
    await this.#pause(ms, signal);
    const after = await this.#readTicks();
    // Time in which nothing is measured would make the share of what was taken look smaller.
    if (before !== undefined && after !== undefined) {
      this.#spoiltTicks += after.total - before.total;
      this.#spoiltSteal += after.steal - before.steal;
    }
  }

  /** How many rounds were spoilt so far. */
  get roundsTakenAgain(): number {
    return this.#roundsTakenAgain;
  }

  /** Begins a round. */
  async beginRound(): Promise<BegunRound> {
    const before = await this.#readTicks();
    return {
      isSpoilt: async () => {
        const after = await this.#readTicks();
        if (before === undefined || after === undefined) return false;
        const ticks = after.total - before.total;
        const steal = after.steal - before.steal;
        if (steal <= STEAL_LIMIT_RATIO * ticks) {
          this.#spoiltInARow = 0;
          return false;
        }
        this.#spoiltInARow++;
        this.#spoiltTicks += ticks;
        this.#spoiltSteal += steal;
        this.#roundsTakenAgain++;
        return true;
      },
    };
  }

  /**
   * The share that the host took between two readings that lie around all rounds, without those
   * that were spoilt. undefined where the system does not tell.
   */
  ratioBetween(before: CpuTicks | undefined, after: CpuTicks | undefined): number | undefined {
    if (before === undefined || after === undefined) return undefined;
    const ticks = after.total - before.total - this.#spoiltTicks;
    return (after.steal - before.steal - this.#spoiltSteal) / Math.max(1, ticks);
  }
}
