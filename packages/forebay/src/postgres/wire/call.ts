// A request that someone waits for with a promise.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import type { Column, DriverResult, RowMode } from "../../driver/driver.ts";
import { Request, type RequestKind } from "./request.ts";
import type { RowShape } from "./row-shape.ts";

/** What a call needs of its connection. */
export interface CallHost {
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

  constructor(
    host: CallHost,
    kind: RequestKind,
    rowMode: RowMode,
    shape: RowShape | undefined,
    signal: AbortSignal | undefined,
  ) {
    super(kind, rowMode, shape);
    this.#host = host;
    this.#signal = signal;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal !== undefined) addAbortListener(signal, this);
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
    this.discarded = true;
    this.rows = [];
    this.#reject(this.mapError(this.#signal?.reason));
    this.#host.abandon(this);
  }

  override onSettled(): void {
    if (this.discarded) {
      this.#host.settled(this);
      return;
    }
    if (this.#signal !== undefined) removeAbortListener(this.#signal, this);
    if (!this.failed) {
      this.#resolve(this.finish());
      return;
    }
    const recovery = this.recover();
    if (recovery === undefined) this.#reject(this.mapError(this.error));
    else this.#resolve(recovery);
  }
}

const NO_COLUMNS: readonly Column[] = [];

/** A call that gathers its rows. */
export class ResultCall extends Call<DriverResult> {
  protected override finish(): DriverResult {
    return {
      columns: this.shape === undefined ? NO_COLUMNS : this.shape.columns,
      rows: this.rows,
      rowsAffected: this.rowsAffected,
      command: this.command,
    };
  }
}
