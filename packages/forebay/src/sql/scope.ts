// One session, used by one handle (a Conn or a Tx): calls go out one at a time in the order they
// were made; open Rows and inner transactions borrow the session and shut everyone else out. Scopes
// nest as the handles do: the inner one holds a turn of the outer one for all its life.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import type { DriverConn, OperationOptions, StatementOptions } from "../driver/driver.ts";
import { connBusy } from "./errors.ts";
import type { Prepared } from "./prepared.ts";
import type { Borrower, Finish, Hold, Runner, Use } from "./runner.ts";
import { linkSignals } from "./signals.ts";
import { Turns } from "./turns.ts";

/**
 * `open`: calls are made. `closing`: new calls are refused, those already queued are made.
 * `killed`: queued calls are refused too. It never goes back.
 */
type Phase = "open" | "closing" | "killed";

/** The turn of one user of a scope: what a lease is to the user of a pool. */
class Turn implements Hold {
  readonly #discard: (reason: unknown) => void;
  readonly #end: () => void;

  constructor(discard: (reason: unknown) => void, end: () => void) {
    this.#discard = discard;
    this.#end = end;
  }

  release(): void {
    this.#end();
  }

  discard(reason?: unknown): void {
    this.#discard(reason);
    this.#end();
  }
}

/** The calls of one handle on one session. */
export class Scope<C extends DriverConn> implements Runner<C> {
  readonly prepared: Prepared;
  readonly #conn: C;
  readonly #hold: Hold;
  readonly #done: (cause?: unknown) => unknown;
  readonly #signal: AbortSignal | undefined;
  readonly #signalOnly: StatementOptions | undefined;
  readonly #turns: Turns = new Turns();
  readonly #discard = (reason: unknown): void => this.discard(reason);
  /** For the calls that borrow nothing: one of them at a time has it. */
  readonly #turn: Turn = new Turn(this.#discard, () => this.#turns.give());
  #phase: Phase = "open";
  /** Makes what calls reject with. Valid unless open. */
  #refusal: () => unknown;
  #borrower: Borrower | undefined;
  #isOver = false;
  #unwatch: (() => void) | undefined;

  /**
   * `hold` is given back when the scope ends. `done` makes the error for calls after the end.
   * Aborting `signal` aborts the driver's call in flight; what else it does, `watch` says.
   */
  constructor(
    conn: C,
    hold: Hold,
    prepared: Prepared,
    done: (cause?: unknown) => unknown,
    signal?: AbortSignal,
  ) {
    this.#conn = conn;
    this.#hold = hold;
    this.prepared = prepared;
    this.#done = done;
    this.#refusal = () => done();
    this.#signal = signal;
    this.#signalOnly = signal === undefined ? undefined : { signal };
  }

  /** Whether new calls are taken. */
  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Whether the connection has been given back. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The signal that every call of the scope obeys. */
  get signal(): AbortSignal | undefined {
    return this.#signal;
  }

  /**
   * See `Runner`. Calls that wait for their turn leave the queue when their own signal is aborted.
   */
  async run<R, T>(
    use: Use<C, R>,
    finish: Finish<C, R, T>,
    options: StatementOptions | undefined,
    borrower?: Borrower,
  ): Promise<T> {
    this.assertFree();
    const own = options?.signal;
    own?.throwIfAborted();
    this.#signal?.throwIfAborted();
    const link =
      own === undefined || this.#signal === undefined ? undefined : linkSignals(own, this.#signal);
    this.#borrower = borrower;
    let turn = this.#turn;
    let leave: (() => void) | undefined;
    if (link !== undefined || borrower !== undefined) {
      leave = () => {
        link?.unlink();
        if (borrower !== undefined) this.#borrower = undefined;
      };
      turn = this.#turnThat(leave);
    }
    const wait = this.#turns.take(own);
    if (wait !== undefined) {
      try {
        await wait;
      } catch (error) {
        leave?.();
        throw error;
      }
    }
    let result: R;
    try {
      if (this.#phase === "killed") throw this.#refusal();
      result = await use(this.#conn, this.#withSignal(options, link?.signal));
    } catch (error) {
      turn.release();
      throw error;
    }
    return finish(result, turn, this.#conn);
  }

  /** Lets `fn` have the driver connection for one turn. */
  raw<T>(fn: (conn: C) => Promise<T> | T, options: OperationOptions | undefined): Promise<T> {
    const finish = (result: T, hold: Hold): T => {
      hold.release();
      return result;
    };
    return this.run(async (conn) => fn(conn), finish, options);
  }

  /**
   * Waits for its turn behind the calls made so far, and makes one more whatever the phase: the one
   * that ends the scope. Rejects with the refusal when the connection is gone by then.
   */
  async runLast<T>(use: (conn: C) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const wait = this.#turns.take(signal);
    if (wait !== undefined) await wait;
    try {
      if (this.#isOver) throw this.#refusal();
      return await use(this.#conn);
    } finally {
      this.#turns.give();
    }
  }

  /** Waits for the calls made so far, of borrowers too. */
  async idle(): Promise<void> {
    const wait = this.#turns.take();
    if (wait !== undefined) await wait;
    this.#turns.give();
  }

  /** Throws the refusal unless the scope is open. */
  assertOpen(): void {
    if (this.#phase !== "open") throw this.#refusal();
  }

  /** Throws the refusal unless the scope is open, and `CONN_BUSY` while the session is lent. */
  assertFree(): void {
    this.assertOpen();
    if (this.#borrower !== undefined) throw connBusy();
  }

  /** Refuses new calls. */
  close(): void {
    if (this.#phase === "open") this.#phase = "closing";
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Refuses new calls and those that have not begun. The first refusal stays. */
  kill(refusal: () => unknown): void {
    this.close();
    if (this.#phase === "killed") return;
    this.#phase = "killed";
    this.#refusal = refusal;
  }

  /** Ends what has borrowed the session, if anything has. Never rejects. */
  abandonBorrower(reason: () => unknown): Promise<void> {
    return this.#borrower === undefined ? Promise.resolve() : this.#borrower.abandon(reason);
  }

  /** Gives the connection back, of a scope closed or killed. No effect once that has been done. */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#hold.release();
  }

  /**
   * Gives the connection back to be closed, and ends the outer scopes too. No effect once it has
   * been given back.
   */
  discard(reason: unknown): void {
    this.kill(() => this.#done(reason));
    if (this.#isOver) return;
    this.#isOver = true;
    this.#hold.discard(reason);
  }

  /**
   * Calls `onAbort` when the scope's signal is aborted while the scope is open; at once if it has
   * been aborted.
   */
  watch(onAbort: (reason: unknown) => void): void {
    const signal = this.#signal;
    if (signal === undefined) return;
    if (signal.aborted) {
      onAbort(signal.reason);
      return;
    }
    const listener = (): void => onAbort(signal.reason);
    addAbortListener(signal, listener);
    this.#unwatch = () => removeAbortListener(signal, listener);
  }

  /** A turn with something to do at its end. */
  #turnThat(leave: () => void): Turn {
    return new Turn(this.#discard, () => {
      leave();
      this.#turns.give();
    });
  }

  #withSignal(
    options: StatementOptions | undefined,
    linked: AbortSignal | undefined,
  ): StatementOptions | undefined {
    if (this.#signal === undefined) return options;
    if (options === undefined) return this.#signalOnly;
    return { ...options, signal: linked ?? this.#signal };
  }
}
