// The results of a text of several statements, one behind the other: one Query, whose rows are
// handed out as they come. The simple protocol has no portions to ask for; so the socket is not
// read while more waits here than a portion.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import type { Timer } from "../../base/clock.ts";
import type { Column, DriverRows, RowMode, StatementOptions } from "../../driver/driver.ts";
import type { Channel } from "./channel.ts";
import { CLOSE_GRACE_MS, PORTION_BYTES } from "./portal.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import { writeQuery } from "./proto/frontend.ts";
import { Request, type RequestStep } from "./request.ts";

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
export function openResultSets(
  channel: Channel,
  sql: string,
  options: StatementOptions | undefined,
): Promise<DriverRows> {
  const start = channel.begin();
  try {
    writeQuery(channel.writer, sql);
  } catch (error) {
    channel.writer.truncate(start);
    return Promise.reject(error);
  }
  const sets = new ResultSets(channel, options);
  channel.submit(sets.request);
  return sets.opened();
}

/** What the session fills in: the statement that the server is at. */
class SetsRequest extends Request {
  readonly #owner: ResultSets;

  constructor(rowMode: RowMode, owner: ResultSets) {
    super("sets", rowMode, undefined);
    this.#owner = owner;
  }

  override onStep(step: RequestStep): void {
    this.#owner.onStep(step);
  }

  override onChunk(): void {
    this.#owner.onChunk();
  }

  override onSettled(): void {
    this.#owner.onSettled();
  }
}

class ResultSets implements DriverRows {
  readonly request: SetsRequest;
  readonly #channel: Channel;
  readonly #signal: AbortSignal | undefined;
  /** The result that is being read, and those behind it. Only the last may be incomplete. */
  #sets: ResultSet[] = [];
  /** Of the rows of complete results that nobody has taken. */
  #completeBytes = 0;
  #isSettled = false;
  #isAborted = false;
  #isAbandoned = false;
  #closing: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  /** Wakes who waits for a change, if anybody does. */
  #wake: () => void = () => {};
  #graceTimer: Timer | undefined;

  constructor(channel: Channel, options: StatementOptions | undefined) {
    this.request = new SetsRequest(options?.rowMode ?? "object", this);
    this.#channel = channel;
    this.#signal = options?.signal;
    if (this.#signal !== undefined) addAbortListener(this.#signal, this);
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
      this.#assertGoing();
      if (this.#isSettled) break;
      await this.#change();
    }
    return this;
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.#closing !== undefined) return undefined;
      const rows = this.#takeRows();
      if (rows !== undefined) return rows;
      const [set] = this.#sets;
      const isEnd = set === undefined || set.isComplete;
      if (isEnd && (this.#isSettled || this.#sets.length > 1) && !this.#isAborted) return undefined;
      this.#assertGoing();
      await this.#change();
    }
  }

  async nextResultSet(): Promise<boolean> {
    for (;;) {
      if (this.#closing !== undefined) return false;
      this.#takeRows();
      if (this.#sets.length > 1) {
        this.#sets.shift();
        return true;
      }
      this.#assertGoing();
      if (this.#isSettled) return false;
      await this.#change();
    }
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise;
    if (this.#isAborted) return this.#channel.unsettled ?? Promise.resolve();
    this.#discard();
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#closing = { promise, resolve };
    if (this.#isSettled) {
      resolve();
    } else {
      const { clock } = this.#channel.config;
      this.#graceTimer = clock.setTimer(CLOSE_GRACE_MS, () => this.#abandon());
    }
    return promise;
  }

  /** The signal was aborted. */
  handleEvent(): void {
    if (this.#closing !== undefined) return;
    this.#isAborted = true;
    this.#discard();
    this.#abandon();
    this.#wake();
  }

  onStep(step: RequestStep): void {
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
    this.#wake();
  }

  /** Everything that came in at once has been read. */
  onChunk(): void {
    const { request } = this;
    if (request.discarded || request.failed) return;
    if (this.#completeBytes + request.rowBytes > PORTION_BYTES) this.#channel.pauseReading();
    if (request.rows.length > 0) this.#wake();
  }

  onSettled(): void {
    this.#isSettled = true;
    if (this.#signal !== undefined) removeAbortListener(this.#signal, this);
    this.#graceTimer?.cancel();
    if (this.#isAbandoned) this.#channel.settled(this.request);
    this.#closing?.resolve();
    this.#wake();
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
    this.#channel.resumeReading();
    return rows;
  }

  /**
   * Throws what ends the rows: at once when it is an abort, else when the server is done, so that
   * the connection is free by then.
   */
  #assertGoing(): void {
    if (this.#isAborted) throw this.#signal?.reason;
    if (this.request.failed && this.#isSettled) throw this.request.error;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #discard(): void {
    this.request.discarded = true;
    this.request.rows = [];
    this.#sets = this.#sets.slice(0, 1).map((set) => ({ ...set, rows: [] }));
    this.#channel.resumeReading();
  }

  #abandon(): void {
    this.#isAbandoned = true;
    this.#channel.abandon(this.request);
  }
}
