// Several statements that are sent at once, and answered one behind the other. With one Sync behind
// all of them the server makes one transaction of them, unless one is open already.

import type { PipelinedStatement } from "../../driver/capabilities.ts";
import { UsageError } from "../../base/errors.ts";
import type { Column, DriverResult, StatementOptions } from "../../driver/driver.ts";
import { Call } from "./call.ts";
import type { Channel } from "./channel.ts";
import type { KeptText } from "./kept-text.ts";
import type { RequestStep } from "./request.ts";
import type { RowShape } from "./row-shape.ts";
import { firstWord } from "./sql-text.ts";
import type { FieldDescription } from "./proto/backend.ts";

/** Statements that would tear the batch's own transaction apart. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  "begin",
  "start",
  "commit",
  "end",
  "rollback",
  "abort",
]);

const NO_COLUMNS: readonly Column[] = [];

/** One statement of a batch, whose messages have been written. */
export interface BatchItem {
  /** How its rows are read; `undefined` where the server tells. */
  readonly shape: RowShape | undefined;
  /** What it was run with, where something is kept of the text. */
  readonly kept: KeptText | undefined;
  /** Called with what the server told of a text of which nothing was kept. */
  readonly onDescribed:
    | ((paramOids: readonly number[], fields: readonly FieldDescription[]) => void)
    | undefined;
  /** Called where the batch has ended before that. */
  readonly onSkipped: (() => void) | undefined;
}

/** All statements of one Sync. */
export class BatchCall extends Call<DriverResult[]> {
  readonly #items: readonly BatchItem[];
  readonly #results: DriverResult[] = [];
  readonly #again: ((stale: KeptText) => Promise<DriverResult[]> | undefined) | undefined;

  /** `again` is asked in place of a failure that the keeping of a text has caused. */
  constructor(
    channel: Channel,
    items: readonly BatchItem[],
    options: StatementOptions | undefined,
    again?: (stale: KeptText) => Promise<DriverResult[]> | undefined,
  ) {
    const timeoutMs = options?.timeoutMs ?? channel.config.statementTimeoutMs;
    const rowMode = options?.rowMode ?? "object";
    super(channel, "batch", rowMode, items[0]?.shape, options?.signal, timeoutMs);
    this.#items = items;
    this.#again = again;
  }

  override get isAnswered(): boolean {
    return this.failed || this.discarded || this.#results.length === this.#items.length;
  }

  protected override finish(): DriverResult[] {
    return this.#results;
  }

  protected override recover(): Promise<DriverResult[]> | undefined {
    const kept = this.#items[this.#results.length]?.kept;
    kept?.note(this.error);
    return kept === undefined || kept.isValid() ? undefined : this.#again?.(kept);
  }

  override onSettled(): void {
    for (const item of this.#items.slice(this.#results.length)) item.onSkipped?.();
    super.onSettled();
  }

  /** One of the statements has ended. */
  override onStep(step: RequestStep): void {
    if (step !== "ended") return;
    const item = this.#items[this.#results.length];
    if (this.paramOids !== undefined) item?.onDescribed?.(this.paramOids, this.fields);
    this.#results.push({
      columns: this.shape?.columns ?? NO_COLUMNS,
      rows: this.rows,
      rowsAffected: this.rowsAffected,
      command: this.command,
    });
    this.rows = [];
    this.rowBytes = 0;
    this.rowsAffected = 0;
    this.command = "";
    this.complete = false;
    this.paramOids = undefined;
    this.fields = [];
    this.shape = this.#items[this.#results.length]?.shape;
  }
}

/** Throws `ARGUMENT_INVALID` unless these are statements. */
export function checkBatch(statements: readonly PipelinedStatement[]): void {
  if (!Array.isArray(statements)) {
    throw new UsageError("ARGUMENT_INVALID", "a batch must be an array of { sql, args }");
  }
  for (const [index, statement] of statements.entries()) {
    const sql: unknown = (statement as Partial<PipelinedStatement> | null)?.sql;
    const problem =
      typeof sql !== "string"
        ? "must be { sql, args }, with sql a string"
        : FORBIDDEN.has(firstWord(sql))
          ? "begins or ends a transaction, and a batch is one: use a transaction instead"
          : undefined;
    if (problem === undefined) continue;
    throw new UsageError("ARGUMENT_INVALID", `statement ${index + 1} of the batch ${problem}`);
  }
}
