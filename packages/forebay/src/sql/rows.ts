// Rows: a result that is fetched as it is read. It holds a connection from the first read to its
// end, and gives it back on every way out; this file is the only one that knows the ways.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import type { Column, DriverConn, DriverRows, StatementOptions } from "../driver/driver.ts";
import { rowsClosed } from "./errors.ts";
import type { Hold, Runner, Use } from "./runner.ts";
import { Turns } from "./turns.ts";
import type { Row } from "./types.ts";

/**
 * `unread`: no connection yet. `reading`: from the first read on. `between`: a result has ended,
 * and another follows. `exhausted`: read to the end. `closed`: by its reader, before the end.
 * `failed`: by an error, an abort, or the end of the session under it.
 */
type Phase = "unread" | "reading" | "between" | "exhausted" | "closed" | "failed";

const NONE: readonly unknown[] = Object.freeze([]);

/**
 * The rows of one statement, fetched while they are read: memory is bounded by a batch of the
 * driver's, and the server waits for the reader. Made by `rows` of a `DB`, `Conn`, `Tx` or `Stmt`.
 *
 * The statement runs, and a connection is taken, at the first read; what is never read holds
 * nothing. The connection goes back at the end of the rows, at an error, when the signal is
 * aborted, when a loop is left by `break`, `return` or a throw, and by `close`. Who reads with
 * `next` alone and stops early must call `close`.
 *
 * On a `Conn` or a `Tx`, other calls reject with `CONN_BUSY` from the first read to the end. On a
 * `DB` they take other connections: a loop that makes calls on the `DB` needs a pool of more than
 * one.
 *
 * Reads may be made concurrently; they are served in order. After an error each read rejects with
 * it; after an early `close`, with `ROWS_CLOSED`, so that nobody takes the half for the whole;
 * after the end each gives `done`.
 *
 * A text of several statements may give several results, where the driver can tell them apart. Then
 * the end of one gives `done`, and `nextResultSet` goes on to the next; the connection stays held
 * until the last has ended, so that who does not read them all must call `close`, or declare the
 * rows with `await using`.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 *
 * async function firstOver(db: DB, limit: number): Promise<number | undefined> {
 *   const files = db.rows<{ id: number; size: number }>("SELECT id, size FROM files");
 *   for await (const { id, size } of files) {
 *     if (size > limit) return id; // the rest is never fetched, the connection is back
 *   }
 *   return undefined;
 * }
 * ```
 */
export class Rows<T = Row> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  readonly #runner: Runner<DriverConn>;
  readonly #stream: Use<DriverConn, DriverRows>;
  readonly #options: StatementOptions | undefined;
  /** Whoever calls the driver has it; so does a read that waits behind another. */
  readonly #turns: Turns = new Turns();
  #phase: Phase = "unread";
  #batch: readonly unknown[] = NONE;
  #index = 0;
  #columns: readonly Column[] = [];
  #rowsAffected = 0;
  /** Makes what reads reject with. Valid when closed or failed. */
  #refusal: () => unknown = rowsClosed;
  /** Both are there as long as the connection is held. */
  #source: DriverRows | undefined;
  #hold: Hold | undefined;
  #onAbort: (() => void) | undefined;

  constructor(
    runner: Runner<DriverConn>,
    stream: Use<DriverConn, DriverRows>,
    options: StatementOptions | undefined,
  ) {
    this.#runner = runner;
    this.#stream = stream;
    this.#options = options;
  }

  /**
   * The columns of the present result; empty until the first read has come back. They stay known
   * after the end and after `close`.
   */
  get columns(): readonly Column[] {
    return this.#columns;
  }

  /** What `Result.rowsAffected` is, of the present result; 0 until its end has been read. */
  get rowsAffected(): number {
    return this.#rowsAffected;
  }

  /** The next row, or `done` at the end. Rejects as the statement does. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#index < this.#batch.length && !this.#turns.isTaken) {
      return Promise.resolve({ done: false, value: this.#takeRow() });
    }
    return this.#read();
  }

  /**
   * Goes to the next result, past rows of the present one that nobody has read; `false` when there
   * is none, and then the connection is back. Rejects as reads do, and as the next statement does.
   *
   * @example
   * ```ts
   * import type { DB } from "forebay";
   *
   * async function counts(db: DB): Promise<unknown[]> {
   *   await using rows = db.rows("SELECT count(*) FROM users; SELECT count(*) FROM files");
   *   const found: unknown[] = [];
   *   do {
   *     for await (const row of rows) found.push(row["count"]);
   *   } while (await rows.nextResultSet());
   *   return found;
   * }
   * ```
   */
  async nextResultSet(): Promise<boolean> {
    const wait = this.#turns.take();
    if (wait !== undefined) await wait;
    try {
      if (this.#phase === "exhausted") return false;
      if (this.#phase === "unread") await this.#open();
      this.#assertOpen();
      const source = this.#source;
      if (source?.nextResultSet !== undefined) return await this.#goToNext(source);
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#turns.give();
    }
    // The driver knows of one result only, and has not ended it.
    const failure = await this.#stop("exhausted", rowsClosed);
    if (failure !== undefined) throw failure.error;
    return false;
  }

  /** `close`, as the language calls it when a loop is left. */
  async return(): Promise<IteratorResult<T, undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  /**
   * Ends the rows. Resolves when the connection has been given back; waits for a read in flight. No
   * effect at the end or on a second call. Rejects only when the driver could not end the
   * statement; then the connection is closed.
   */
  async close(): Promise<void> {
    const failure = await this.#stop("closed", rowsClosed);
    if (failure !== undefined) throw failure.error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #read(): Promise<IteratorResult<T, undefined>> {
    const wait = this.#turns.take();
    if (wait !== undefined) await wait;
    try {
      if (this.#index >= this.#batch.length) await this.#fetch();
      if (this.#phase === "exhausted" || this.#phase === "between") {
        return { done: true, value: undefined };
      }
      // They may have been ended since the batch arrived, a turn of the microtask queue ago.
      this.#assertOpen();
      return { done: false, value: this.#takeRow() };
    } finally {
      this.#turns.give();
    }
  }

  #takeRow(): T {
    const row = this.#batch[this.#index];
    this.#index += 1;
    return row as T;
  }

  /** Called in turn, with nothing left in the batch. Returns with a batch, or at an end. */
  async #fetch(): Promise<void> {
    if (this.#phase === "exhausted" || this.#phase === "between") return;
    try {
      if (this.#phase === "unread") await this.#open();
      this.#assertOpen();
      const source = this.#source;
      const batch = await source?.next();
      this.#assertOpen();
      if (batch !== undefined) this.#batch = batch;
      else if (source?.hasNextResultSet === true) this.#pause(source);
      else this.#exhaust();
      this.#index = 0;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Called in turn. */
  async #goToNext(source: DriverRows): Promise<boolean> {
    this.#phase = "reading";
    this.#batch = NONE;
    const isThere = await source.nextResultSet?.();
    this.#assertOpen();
    if (isThere === true) {
      this.#columns = source.columns;
      this.#rowsAffected = 0;
    } else {
      this.#exhaust();
    }
    return isThere === true;
  }

  async #open(): Promise<void> {
    this.#phase = "reading";
    const keep = (source: DriverRows, hold: Hold): void => {
      this.#source = source;
      this.#hold = hold;
      this.#columns = source.columns;
    };
    const abandon = async (reason: () => unknown): Promise<void> => {
      await this.#stop("failed", reason);
    };
    await this.#runner.run(this.#stream, keep, this.#options, { abandon });
    this.#watch();
  }

  /** Aborted between two reads, the rows are ended as well, although nobody may ever read again. */
  #watch(): void {
    const signal = this.#options?.signal;
    if (signal === undefined) return;
    const onAbort = (): void => {
      void this.#stop("failed", () => signal.reason);
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    addAbortListener(signal, onAbort);
    this.#onAbort = onAbort;
  }

  #assertOpen(): void {
    if (this.#phase !== "reading" && this.#phase !== "between") throw this.#refusal();
  }

  /** A result has ended, and another follows. */
  #pause(source: DriverRows): void {
    this.#phase = "between";
    this.#batch = NONE;
    this.#rowsAffected = source.rowsAffected;
  }

  #exhaust(): void {
    this.#phase = "exhausted";
    this.#batch = NONE;
    this.#rowsAffected = this.#source?.rowsAffected ?? 0;
    this.#letGo()?.release();
  }

  /**
   * A read has rejected: gives the connection back unless `#stop` is about to, and says what to
   * reject with.
   */
  #fail(error: unknown): unknown {
    if (this.#phase !== "reading" && this.#phase !== "between") return error;
    this.#phase = "failed";
    this.#batch = NONE;
    this.#refusal = () => error;
    this.#letGo()?.release();
    return error;
  }

  /**
   * Ends the rows before their end. Never rejects: gives what the driver rejected with, if it did.
   */
  async #stop(
    phase: "exhausted" | "closed" | "failed",
    refusal: () => unknown,
  ): Promise<{ readonly error: unknown } | undefined> {
    if (this.#phase === "unread" || this.#phase === "reading" || this.#phase === "between") {
      this.#phase = phase;
      this.#batch = NONE;
      this.#refusal = refusal;
    }
    const wait = this.#turns.take();
    if (wait !== undefined) await wait;
    const source = this.#source;
    const hold = this.#letGo();
    try {
      await source?.close();
      hold?.release();
      return undefined;
    } catch (error) {
      hold?.discard(error);
      return { error };
    } finally {
      this.#turns.give();
    }
  }

  #letGo(): Hold | undefined {
    const hold = this.#hold;
    if (this.#onAbort !== undefined) {
      if (this.#options?.signal !== undefined)
        removeAbortListener(this.#options?.signal, this.#onAbort);
    }
    this.#onAbort = undefined;
    this.#source = undefined;
    this.#hold = undefined;
    return hold;
  }
}
