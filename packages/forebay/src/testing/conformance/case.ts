// The shape of a conformance case before it is bound to a driver.

import type { Bench } from "./bench.ts";

/** One rule of the contract, and how it is tried. */
export interface CaseSpec {
  /** What a driver does, as a sentence. Unique. */
  readonly name: string;
  /** What the contract says, and where. */
  readonly rule: string;
  /** Rejects when the rule is broken; with `Skip` when there is nothing to try. */
  readonly run: (bench: Bench) => Promise<void>;
}
