// The results of a text of several statements, one behind the other: one Query, whose rows are
// handed out as they come. The simple protocol has no portions to ask for.

import type { Column, DriverRows, StatementOptions } from "../../driver/driver.ts";
import type { Channel } from "./channel.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import { writeQuery } from "./proto/frontend.ts";
import { PushedRead } from "./pushed-read.ts";
import type { RequestStep } from "./request.ts";

/** What one statement gave. */
interface ResultSet {
  readonly columns: readonly Column[];
  /** Those not taken yet. Of a result that is not complete they are in the request. */
  rows: unknown[];
  bytes: number;
  rowsAffected: number;
  isComplete: boolean;
}

const NO_COLUMNS: readonly Column[] = [];

/** Sends a text without arguments. Resolves when the columns of the first result are known. */
export async function openResultSets(
  channel: Channel,
  sql: string,
  options: StatementOptions | undefined,
): Promise<DriverRows> {
  channel.write(() => writeQuery(channel.writer, sql));
  const sets = new ResultSets(channel, options);
  channel.submit(sets.request);
  return await sets.opened();
}

class ResultSets extends PushedRead implements DriverRows {
  /** The result that is being read, and those behind it. Only the last may be incomplete. */
  #sets: ResultSet[] = [];
  /** Of the rows of complete results that nobody has taken. */
  #completeBytes = 0;

  constructor(channel: Channel, options: StatementOptions | undefined) {
    super(channel, "sets", options?.rowMode ?? "object", options?.signal);
  }

  get columns(): readonly Column[] {
    return this.#sets[0]?.columns ?? NO_COLUMNS;
  }

  get rowsAffected(): number {
    const [set] = this.#sets;
    return set?.isComplete === true && set.rows.length === 0 ? set.rowsAffected : 0;
  }

  get hasNextResultSet(): boolean {
    return this.#sets.length > 1 || (this.request.failed && this.#sets[0]?.isComplete === true);
  }

  /** Resolves with the rows once there is a first result. */
  async opened(): Promise<DriverRows> {
    while (this.#sets.length === 0) {
      this.assertGoing();
      if (this.isSettled) break;
      await this.change();
    }
    return this;
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.isClosed) return undefined;
      const rows = this.#takeRows();
      if (rows !== undefined) return rows;
      const [set] = this.#sets;
      const isEnd = set === undefined || set.isComplete;
      if (isEnd && (this.isSettled || this.#sets.length > 1) && !this.isAborted) return undefined;
      this.assertGoing();
      await this.change();
    }
  }

  async nextResultSet(): Promise<boolean> {
    for (;;) {
      if (this.isClosed) return false;
      this.#takeRows();
      if (this.#sets.length > 1) {
        this.#sets.shift();
        return true;
      }
      this.assertGoing();
      if (this.isSettled) return false;
      await this.change();
    }
  }

  override onStep(step: RequestStep): void {
    const { request } = this;
    if (request.failed || request.discarded) return;
    switch (step) {
      case "described":
        this.#begin(request.shape?.columns ?? NO_COLUMNS);
        break;
      case "ended":
        this.#end();
        break;
      case "suspended":
      case "copying":
        throw new ProtocolError("the server answered a plain query as if it were another");
      default:
        step satisfies never;
    }
    this.wake();
  }

  protected override get waitingBytes(): number {
    return this.#completeBytes + this.request.rowBytes;
  }

  protected override drop(): void {
    this.request.rows = [];
    this.#sets = this.#sets.slice(0, 1).map((set) => ({ ...set, rows: [] }));
  }

  #begin(columns: readonly Column[]): void {
    this.#sets.push({ columns, rows: [], bytes: 0, rowsAffected: 0, isComplete: false });
  }

  /** A statement is complete; one that gives no rows was not described. */
  #end(): void {
    const { request } = this;
    if (this.#sets.at(-1)?.isComplete !== false) this.#begin(NO_COLUMNS);
    const set = this.#sets.at(-1);
    if (set === undefined) return;
    set.isComplete = true;
    set.rows = request.rows;
    set.bytes = request.rowBytes;
    set.rowsAffected = request.rowsAffected;
    this.#completeBytes += set.bytes;
    request.rows = [];
    request.rowBytes = 0;
  }

  /** The rows of the present result that are here. */
  #takeRows(): unknown[] | undefined {
    const [set] = this.#sets;
    const from = set?.isComplete === true ? set : this.request;
    const { rows } = from;
    if (set === undefined || rows.length === 0) return undefined;
    from.rows = [];
    if (set.isComplete) this.#completeBytes -= set.bytes;
    else this.request.rowBytes = 0;
    this.channel.resumeReading();
    return rows;
  }
}
