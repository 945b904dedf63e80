// Scenario 11, what writers were told, held against what the servers have.

import { isBadConn, isForebayError } from "forebay";
import { isPgError } from "forebay/postgres";
import { sum } from "../compare.ts";

/**
 * What a writer was told of a write: that it is done, that it was not sent, that the server refused
 * it, or nothing certain.
 */
export type Told = "done" | "not sent" | "refused" | "unknown";

/** What an audit found. */
export interface Audit {
  readonly writes: number;
  readonly told: Readonly<Record<Told, number>>;
  /** Writes that are on the servers more than once. */
  readonly duplicates: number;
  /** Told as done, and not there. */
  readonly missing: number;
  /** Told as not sent or refused, and there all the same. */
  readonly denied: number;
  /** There, although nobody was told that they are done. */
  readonly unacknowledged: number;
}

/** What an error tells of a write. */
export function toldBy(error: unknown): Told {
  if (isBadConn(error) || (isForebayError(error) && error.retryable)) return "not sent";
  return isPgError(error) ? "refused" : "unknown";
}

/** Keeps what writers were told. */
export class Ledger {
  readonly #told = new Map<string, Told>();
  #next = 0;

  /** A token that no other write has. */
  token(): string {
    return `w${this.#next++}`;
  }

  note(token: string, told: Told): void {
    this.#told.set(token, told);
  }

  /** `tokens` are all that the servers have, each as often as they have it. */
  audit(tokens: readonly string[]): Audit {
    const times = new Map<string, number>();
    for (const token of tokens) times.set(token, (times.get(token) ?? 0) + 1);
    const told: Record<Told, number> = { done: 0, "not sent": 0, refused: 0, unknown: 0 };
    const found: Record<Told, number> = { done: 0, "not sent": 0, refused: 0, unknown: 0 };
    for (const [token, what] of this.#told) {
      told[what]++;
      if (times.has(token)) found[what]++;
    }
    return {
      writes: this.#told.size,
      told,
      duplicates: sum([...times.values()].map((count) => count - 1)),
      missing: told.done - found.done,
      denied: found["not sent"] + found.refused,
      unacknowledged: found["not sent"] + found.refused + found.unknown,
    };
  }
}
