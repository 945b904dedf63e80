// A request that someone waits for with a promise.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import type { Deadline, Deadlines } from "../../base/deadlines.ts";
import { ForebayError } from "../../base/errors.ts";
import type { Column, DriverResult, RowMode, StatementOptions } from "../../driver/driver.ts";
import { Request, type RequestKind } from "./request.ts";
import type { RowShape } from "./row-shape.ts";

/** What a call needs of its connection. */
export interface CallHost {
  readonly config: { readonly deadlines: Deadlines; readonly statementTimeoutMs: number };
  /**
   * The caller has been rejected; what the server still does is to be stopped, and waited for by
   * whoever comes next.
   */
  abandon(request: Request): void;
  /** The server is done with a request that had been abandoned. */
  settled(request: Request): void;
}

/**
 * One request and its promise. It listens to the signal itself, so that no closure is made for it.
 */
export abstract class Call<T> extends Request {
  readonly promise: Promise<T>;
  readonly #host: CallHost;
  readonly #signal: AbortSignal | undefined;
  #resolve: (value: T | Promise<T>) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #deadline: Deadline | undefined;

  /** `timeoutMs` is `Infinity` for a call without a limit. */
  constructor(
    host: CallHost,
    kind: RequestKind,
    rowMode: RowMode,
    shape: RowShape | undefined,
    signal: AbortSignal | undefined,
    timeoutMs: number = Infinity,
  ) {
    super(kind, rowMode, shape);
    this.#host = host;
    this.#signal = signal;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal !== undefined) addAbortListener(signal, this);
    if (timeoutMs !== Infinity) {
      this.#deadline = host.config.deadlines.add(timeoutMs, () => this.#expire(timeoutMs));
    }
  }

  /** What the caller gets of a call that has succeeded. */
  protected abstract finish(): T;

  /** What becomes of the error that ends a call, which is `signal.reason` when it was aborted. */
  protected mapError(error: unknown): unknown {
    return error;
  }

  /** Another try in place of one that has failed; `undefined` where there is none. */
  protected recover(): Promise<T> | undefined {
    return undefined;
  }

  /** The signal was aborted. */
  handleEvent(): void {
    if (this.discarded) return;
    this.#deadline?.cancel();
    this.#giveUp(this.#signal?.reason);
  }

  #expire(timeoutMs: number): void {
    if (this.discarded) return;
    if (this.#signal !== undefined) removeAbortListener(this.#signal, this);
    this.#giveUp(timedOut(timeoutMs));
  }

  #giveUp(reason: unknown): void {
    this.discarded = true;
    this.rows = [];
    this.#reject(this.mapError(reason));
    this.#host.abandon(this);
  }

  override onSettled(): void {
    if (this.discarded) {
      this.#host.settled(this);
      return;
    }
    if (this.#signal !== undefined) removeAbortListener(this.#signal, this);
    this.#deadline?.cancel();
    if (!this.failed) {
      this.#succeed();
      return;
    }
    const recovery = this.recover();
    if (recovery === undefined) this.#reject(this.mapError(this.error));
    else this.#resolve(recovery);
  }

  #succeed(): void {
    try {
      this.#resolve(this.finish());
    } catch (error) {
      this.#reject(error);
    }
  }
}

function timedOut(timeoutMs: number): ForebayError {
  const what = `the statement took longer than ${timeoutMs}ms, and the server was asked to stop it`;
  return new ForebayError(
    "operating",
    "STATEMENT_TIMEOUT",
    `${what}: whether it was done, outside of a transaction, is not known`,
    { retryable: false },
  );
}

const NO_COLUMNS: readonly Column[] = [];

/** A statement that is to be run, and what for. */
export interface Ask<T> {
  readonly sql: string;
  readonly args: readonly unknown[];
  readonly options: StatementOptions | undefined;
  readonly ending: Ending<T>;
  /** How often it has been tried before. */
  readonly tries: number;
}

/** How the run of a statement ends for whoever asked for it. */
export interface Ending<T> {
  /** What he gets of a run that has succeeded. Throws where that is an error for him. */
  finish(call: ResultCall<T>): T;
  /** Another try in place of a run that has failed; `undefined` where there is none. */
  recover?(call: ResultCall<T>): Promise<T> | undefined;
}

/** The whole result. */
export const WHOLE_RESULT: Ending<DriverResult> = {
  finish: (call) => ({
    columns: call.shape === undefined ? NO_COLUMNS : call.shape.columns,
    rows: call.rows,
    rowsAffected: call.rowsAffected,
    command: call.command,
  }),
};

/** Asks for the whole result of a statement. */
export function askWhole(
  sql: string,
  args: readonly unknown[],
  options: StatementOptions | undefined,
): Ask<DriverResult> {
  return { sql, args, options, ending: WHOLE_RESULT, tries: 0 };
}

/** A call that gathers its rows. */
export class ResultCall<T = DriverResult> extends Call<T> {
  /** What was asked, for another try. */
  readonly ask: Ask<T>;

  constructor(host: CallHost, kind: RequestKind, shape: RowShape | undefined, ask: Ask<T>) {
    const { options } = ask;
    const timeoutMs = options?.timeoutMs ?? host.config.statementTimeoutMs;
    super(host, kind, options?.rowMode ?? "object", shape, options?.signal, timeoutMs);
    this.ask = ask;
    this.sql = ask.sql;
  }

  protected override finish(): T {
    return this.ask.ending.finish(this);
  }

  protected override recover(): Promise<T> | undefined {
    return this.ask.ending.recover?.(this);
  }
}
