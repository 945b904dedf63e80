// Rows that are fetched in portions: Execute with a row limit, and Flush, for each. The Sync, which
// would close the portal, is sent when the rows have ended, have failed or are not wanted any more.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import type { Timer } from "../../base/clock.ts";
import type { Column, DriverRows, StatementOptions } from "../../driver/driver.ts";
import type { Channel } from "./channel.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import { SYNC, writeExecuteFlush } from "./proto/frontend.ts";
import { Request, type RequestStep } from "./request.ts";
import type { RowShape } from "./row-shape.ts";

/** How many rows the first portion has, at most: their length is not known yet. */
const FIRST_ROWS = 128;

/** How long a portion is meant to be, in bytes. */
export const PORTION_BYTES: number = 512 * 1024;

/**
 * How long rows that nobody wants may keep `close` waiting before the server is asked to stop, in
 * milliseconds.
 */
export const CLOSE_GRACE_MS = 200;

/**
 * Where the portal stands. `fetching`: the server works on a portion. `suspended`: it waits for the
 * next Execute. `ending`: Sync has been sent. `ended`: the server is done with it, or the
 * connection is lost.
 */
type State = "fetching" | "suspended" | "ending" | "ended";

/** One promise that is to be settled. */
interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens a portal. `bind` writes everything up to the Bind, and the Describe if the columns are not
 * known from `shape`, which is `undefined` then, and `"none"` for a statement without columns.
 * `onFailed` is told of the error of a statement that fails.
 */
export async function openPortal(
  channel: Channel,
  options: StatementOptions | undefined,
  shape: RowShape | "none" | undefined,
  bind: () => void,
  onFailed?: (error: unknown) => void,
): Promise<DriverRows> {
  channel.write(bind);
  const portal = new Portal(channel, options, shape === "none" ? undefined : shape, onFailed);
  portal.fetch();
  channel.submit(portal);
  return shape === undefined ? await portal.opened() : portal;
}

class Portal extends Request implements DriverRows {
  readonly #channel: Channel;
  readonly #signal: AbortSignal | undefined;
  readonly #onFailed: ((error: unknown) => void) | undefined;
  #state: State = "fetching";
  #rowsMax: number;
  /** How many rows came in portions before the last. */
  #suspendedRows = 0;
  /** Who waits for the columns. */
  #opening: Waiter<DriverRows> | undefined;
  /** Who waits for rows. */
  #reading: Waiter<unknown[] | undefined> | undefined;
  /** Who waits for the connection to be free again. */
  #closing: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #isAborted = false;
  /** The channel has been told to stop the server, and waits to hear that it is settled. */
  #isAbandoned = false;
  #graceTimer: Timer | undefined;

  constructor(
    channel: Channel,
    options: StatementOptions | undefined,
    shape: RowShape | undefined,
    onFailed: ((error: unknown) => void) | undefined,
  ) {
    super("portal", options?.rowMode ?? "object", shape);
    this.#onFailed = onFailed;
    this.#channel = channel;
    this.#signal = options?.signal;
    this.#rowsMax = Math.min(FIRST_ROWS, channel.config.fetchRowsMax);
    if (this.#signal !== undefined) addAbortListener(this.#signal, this);
  }

  get columns(): readonly Column[] {
    return this.shape?.columns ?? [];
  }

  /** Resolves with the rows once the columns are known. */
  opened(): Promise<DriverRows> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
    });
  }

  next(): Promise<unknown[] | undefined> {
    if (this.#isAborted) return Promise.reject(this.#signal?.reason);
    if (this.#closing !== undefined) return Promise.resolve(undefined);
    if (this.#state === "ended") return this.#outcome();
    if (this.#state !== "fetching" && this.rows.length > 0) {
      return Promise.resolve(this.#takeRows());
    }
    if (this.#state === "suspended") {
      this.fetch();
      this.#channel.flushSoon();
    }
    return new Promise((resolve, reject) => {
      this.#reading = { resolve, reject };
    });
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise;
    if (this.#isAborted) return this.#channel.unsettled ?? Promise.resolve();
    this.#discard();
    if (this.#state === "ended") {
      this.#closing = { promise: Promise.resolve(), resolve: () => {} };
      return this.#closing.promise;
    }
    if (this.#state === "fetching") {
      const { clock } = this.#channel.config;
      this.#graceTimer = clock.setTimer(CLOSE_GRACE_MS, () => this.#abandon());
    }
    this.#sync();
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#closing = { promise, resolve };
    return promise;
  }

  /** Writes the request for the next portion. */
  fetch(): void {
    this.#state = "fetching";
    writeExecuteFlush(this.#channel.writer, this.#rowsMax);
  }

  /** The signal was aborted. */
  handleEvent(): void {
    if (this.#closing !== undefined) return;
    this.#isAborted = true;
    this.#discard();
    const reason: unknown = this.#signal?.reason;
    this.#opening?.reject(reason);
    this.#reading?.reject(reason);
    this.#opening = undefined;
    this.#reading = undefined;
    this.isCancellable = this.#state === "fetching";
    this.#sync();
    this.#abandon();
  }

  override onStep(step: RequestStep): void {
    switch (step) {
      case "described":
        this.#opening?.resolve(this);
        this.#opening = undefined;
        return;
      case "suspended":
        this.#onSuspended();
        return;
      case "ended":
        // The server counts the rows anew for each portion.
        this.rowsAffected += this.#suspendedRows;
        this.#sync();
        this.#handOver();
        return;
      case "copying":
        throw new ProtocolError("the server wants data for a portal");
      default:
        step satisfies never;
    }
  }

  override onSettled(): void {
    this.#state = "ended";
    if (this.#signal !== undefined) removeAbortListener(this.#signal, this);
    this.#graceTimer?.cancel();
    if (this.#isAbandoned) this.#channel.settled(this);
    if (this.failed) this.#onFailed?.(this.error);
    if (this.#opening !== undefined) {
      if (this.failed) this.#opening.reject(this.error);
      else this.#opening.resolve(this);
      this.#opening = undefined;
    }
    if (this.#reading !== undefined) {
      this.#outcome().then(this.#reading.resolve, this.#reading.reject);
      this.#reading = undefined;
    }
    this.#closing?.resolve();
  }

  #onSuspended(): void {
    if (this.#state !== "fetching") return;
    if (this.failed) {
      this.#sync();
      return;
    }
    if (this.rows.length === 0) {
      throw new ProtocolError("the server suspended a portal without giving rows");
    }
    this.#suspendedRows += this.rows.length;
    this.#state = "suspended";
    this.#handOver();
  }

  /** Gives a complete portion to whoever waits for it. A failed one is given to nobody. */
  #handOver(): void {
    if (this.#reading === undefined || this.failed || this.rows.length === 0) return;
    this.#reading.resolve(this.#takeRows());
    this.#reading = undefined;
  }

  /**
   * What there is to say at the end. A failed portal says so each time: its end must not look like
   * a complete one.
   */
  #outcome(): Promise<unknown[] | undefined> {
    if (this.failed) return Promise.reject(this.error);
    return Promise.resolve(this.rows.length > 0 ? this.#takeRows() : undefined);
  }

  #takeRows(): unknown[] {
    const { rows } = this;
    const meanBytes = Math.max(1, this.rowBytes / rows.length);
    const wanted = Math.max(1, Math.floor(PORTION_BYTES / meanBytes));
    this.#rowsMax = Math.min(wanted, this.#channel.config.fetchRowsMax);
    this.rows = [];
    this.rowBytes = 0;
    return rows;
  }

  #discard(): void {
    this.discarded = true;
    this.rows = [];
  }

  #abandon(): void {
    this.#isAbandoned = true;
    this.#channel.abandon(this);
  }

  /** Ends the portal: after this the server answers with ReadyForQuery. */
  #sync(): void {
    if (this.#state === "ending" || this.#state === "ended") return;
    this.#state = "ending";
    this.#channel.writer.bytes(SYNC);
    this.#channel.flushSoon();
  }
}
