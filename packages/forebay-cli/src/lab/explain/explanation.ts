// What there is to know about a scenario, before or without running it. Plain data.

/** The names of a scenario's settings in other pools, or what one does there instead. */
export interface NamesElsewhere {
  /** Go's database/sql, and pgx where it differs. */
  readonly go: string;
  /** node-postgres. */
  readonly pg: string;
  /** Java's HikariCP. */
  readonly hikari: string;
}

/** An explanation of a scenario. */
export interface Explanation {
  readonly id: number;
  readonly title: string;
  /** What the guide says, a paragraph each; absent where the scenario is not the guide's. */
  readonly guide?: readonly string[];
  /** The reasoning, and what is right and wrong with the guide's. A paragraph each. */
  readonly why: readonly string[];
  /** Formulas and worked figures, a line each. */
  readonly formula: readonly string[];
  /** Code to copy, of lines that fit into any terminal. */
  readonly settings: string;
  readonly names: NamesElsewhere;
  /** When not to do it, and what to look out for. */
  readonly caveats: readonly string[];
}
