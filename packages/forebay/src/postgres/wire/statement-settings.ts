// How statements are to be run, for all connections of one connector.

/**
 * How statements of `query`, `queryRow` and `exec` are run. Those of a `Stmt` are always prepared.
 *
 * - `cache-statement`: a text is prepared on each connection at its first run, and kept; one round
 *   trip each time, and results in binary from the second run on.
 * - `cache-describe`: the types are learnt at the first run and kept, and the text is sent each
 *   time. For poolers that hand each transaction to another server.
 * - `describe-exec`: types are asked for each time; two round trips, and nothing is kept.
 * - `exec`: text and arguments are sent at once, all as text; nothing is kept or asked for.
 * - `simple`: arguments are written into the text. For poolers that take nothing else.
 */
export type StatementMode =
  | "cache-statement"
  | "cache-describe"
  | "describe-exec"
  | "exec"
  | "simple";

/** The modes, by how much the server and what is before it must bear. */
export const STATEMENT_MODES: readonly StatementMode[] = [
  "cache-statement",
  "cache-describe",
  "describe-exec",
  "exec",
  "simple",
];

/** Shared by the connections of one connector. */
export class StatementSettings {
  /** How many texts a connection keeps. */
  readonly max: number;
  readonly #onFallback: (message: string) => void;
  #mode: StatementMode;

  constructor(mode: StatementMode, max: number, onFallback: (message: string) => void) {
    this.#mode = mode;
    this.max = max;
    this.#onFallback = onFallback;
  }

  /** As it was asked for, unless it has proved not to work. */
  get mode(): StatementMode {
    return this.#mode;
  }

  /** Prepared statements have proved not to last: goes on without them, and says so once. */
  fallBack(): void {
    if (this.#mode !== "cache-statement") return;
    this.#mode = "cache-describe";
    this.#onFallback(
      "prepared statements do not last here: a pooler seems to hand each transaction to another " +
        'server. Going on with statementMode "cache-describe"; set it to avoid this message, or ' +
        "have the pooler keep prepared statements (PgBouncer: max_prepared_statements)",
    );
  }
}
