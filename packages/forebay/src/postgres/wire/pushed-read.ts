// Reading what the server sends of its own accord, all of it, for one reader. There is nothing to
// ask it to wait with: so the socket is not read while more waits here than a portion.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import type { Timer } from "../../base/clock.ts";
import type { RowMode } from "../../driver/driver.ts";
import type { Channel } from "./channel.ts";
import { CLOSE_GRACE_MS, PORTION_BYTES } from "./portal.ts";
import { Request, type RequestStep } from "./request.ts";

/** What the session fills in. */
class PushedRequest extends Request {
  readonly #owner: PushedRead;

  constructor(kind: "sets" | "copy-out", rowMode: RowMode, owner: PushedRead) {
    super(kind, rowMode, undefined);
    this.#owner = owner;
  }

  override onStep(step: RequestStep): void {
    this.#owner.onStep(step);
  }

  override onCopyData(bytes: Buffer, start: number, end: number): void {
    this.#owner.onCopyData(bytes, start, end);
  }

  override onChunk(): void {
    this.#owner.onChunk();
  }

  override onSettled(): void {
    this.#owner.onSettled();
  }
}

/**
 * One request under way, and its one reader. Both have an end of their own, and neither takes it
 * back: the reader reads until he closes or his signal is aborted, whichever is first; the server
 * sends until it is done or lost, and has settled then.
 *
 * | reader  | while the server sends                           | once it has settled            |
 * | ------- | ------------------------------------------------ | ------------------------------ |
 * | reads   | gets what has come, or waits                     | gets the rest, then the end or |
 * |         |                                                  | the error, each time           |
 * | closed  | gets the end; what comes is passed over; after   | gets the end; `close` resolves |
 * |         | `CLOSE_GRACE_MS` the server is asked to stop     |                                |
 * | aborted | gets the reason; what comes is passed over; the  | gets the reason                |
 * |         | server is asked to stop at once                  |                                |
 *
 * An error is told only when the server has settled, so that the connection is free by then.
 */
export abstract class PushedRead {
  readonly request: Request;
  protected readonly channel: Channel;
  readonly #signal: AbortSignal | undefined;
  #isAborted = false;
  #isSettled = false;
  /** Set when the reader closes. */
  #closing: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  /** The channel has been told to stop the server, and waits to hear that it has settled. */
  #isAbandoned = false;
  #graceTimer: Timer | undefined;
  /** Wakes who waits for a change, if anybody does. */
  #wake: () => void = () => {};

  constructor(
    channel: Channel,
    kind: "sets" | "copy-out",
    rowMode: RowMode,
    signal: AbortSignal | undefined,
  ) {
    this.request = new PushedRequest(kind, rowMode, this);
    this.channel = channel;
    this.#signal = signal;
    if (signal !== undefined) addAbortListener(signal, this);
  }

  /** The length of what has come in and was not taken. */
  protected abstract get waitingBytes(): number;

  /** Forgets what has come in and was not taken. */
  protected abstract drop(): void;

  /** See `Request.onStep`. */
  abstract onStep(step: RequestStep): void;

  /** See `Request.onCopyData`. */
  onCopyData(_bytes: Buffer, _start: number, _end: number): void {}

  /** The reader has closed. */
  protected get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  protected get isAborted(): boolean {
    return this.#isAborted;
  }

  protected get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Nothing more is wanted. Resolves once the connection is free. */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise;
    if (this.#isAborted) return this.channel.unsettled ?? Promise.resolve();
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#closing = { promise, resolve };
    this.#discard();
    if (this.#isSettled) {
      resolve();
    } else {
      const { clock } = this.channel.config;
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
  }

  /** Everything that came in at once has been read. */
  onChunk(): void {
    const { request } = this;
    if (request.discarded || request.failed) return;
    const { waitingBytes } = this;
    if (waitingBytes > PORTION_BYTES) this.channel.pauseReading();
    if (waitingBytes > 0) this.wake();
  }

  /** See `Request.onSettled`. */
  onSettled(): void {
    this.#isSettled = true;
    if (this.#signal !== undefined) removeAbortListener(this.#signal, this);
    this.#graceTimer?.cancel();
    if (this.#isAbandoned) this.channel.settled(this.request);
    this.#closing?.resolve();
    this.wake();
  }

  /** Resolves at the next change of anything that a read depends on. */
  protected change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  protected wake(): void {
    this.#wake();
  }

  /** Throws what ends the reading. */
  protected assertGoing(): void {
    if (this.#isAborted) throw this.#signal?.reason;
    if (this.request.failed && this.#isSettled) throw this.request.error;
  }

  #discard(): void {
    this.request.discarded = true;
    this.drop();
    this.channel.resumeReading();
    this.wake();
  }

  #abandon(): void {
    this.#isAbandoned = true;
    this.channel.abandon(this.request);
  }
}
