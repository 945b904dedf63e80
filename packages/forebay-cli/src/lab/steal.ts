// What the host of a virtual machine takes of its processors' time for others: it comes in bursts,
// and a round that one fell into tells of the host, not of the arms.

import { type CpuTicks, readCpuTicks } from "./machine.ts";

/** The least share of CPU time given to others that spoils a round, or is worth a word. */
export const STEAL_LIMIT_RATIO = 0.01;

/** Reads how much the host has taken so far; undefined where the system does not tell. */
export type ReadTicks = () => Promise<CpuTicks | undefined>;

/** A round that has begun. */
export interface BegunRound {
  /**
   * Whether the host took more than its limit since. If it did, the time since no longer counts.
   */
  isSpoilt(): Promise<boolean>;
}

/** Watches it over the rounds of one scenario. One round at a time. */
export class StealWatch {
  readonly #readTicks: ReadTicks;
  #spoiltTicks = 0;
  #spoiltSteal = 0;
  #roundsTakenAgain = 0;

  constructor(readTicks: ReadTicks = readCpuTicks) {
    this.#readTicks = readTicks;
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
        if (steal <= STEAL_LIMIT_RATIO * ticks) return false;
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
