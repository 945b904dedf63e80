// A request that someone waits for with a promise.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import type { RowMode } from "../../driver/driver.ts";
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
 * What becomes of the error that ends a call, which is `signal.reason` when the call was aborted.
 */
export type ErrorMap = (error: unknown, from: "abort" | "server") => unknown;

const asIs: ErrorMap = (error) => error;

/**
 * One request and its promise. It listens to the signal itself, so that no closure is made for it.
 */
export class Call<T> extends Request {
  readonly promise: Promise<T>;
  readonly #host: CallHost;
  readonly #signal: AbortSignal | undefined;
  readonly #finish: (call: Call<T>) => T;
  readonly #mapError: ErrorMap;
  #resolve: (value: T) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(
    host: CallHost,
    kind: RequestKind,
    rowMode: RowMode,
    shape: RowShape | undefined,
    signal: AbortSignal | undefined,
    finish: (call: Call<T>) => T,
    mapError: ErrorMap = asIs,
  ) {
    super(kind, rowMode, shape);
    this.#host = host;
    this.#signal = signal;
    this.#finish = finish;
    this.#mapError = mapError;
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal !== undefined) addAbortListener(signal, this);
  }

  /** The signal was aborted. */
  handleEvent(): void {
    if (this.discarded) return;
    this.discarded = true;
    this.rows = [];
    this.#reject(this.#mapError(this.#signal?.reason, "abort"));
    this.#host.abandon(this);
  }

  override onSettled(): void {
    if (this.discarded) {
      this.#host.settled(this);
      return;
    }
    if (this.#signal !== undefined) removeAbortListener(this.#signal, this);
    if (this.failed) {
      this.#reject(this.#mapError(this.error, "server"));
      return;
    }
    this.#resolve(this.#finish(this));
  }
}
