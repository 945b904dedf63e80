// The shell round a Session: owns the socket, the bytes on their way out, what aborted calls left
// open, and the one place where a connection is given up. Everything that is queued in one turn of
// the event loop goes out in one write.

import type { Socket } from "node:net";
import { UsageError } from "../../base/errors.ts";
import { BadConnError } from "../../driver/errors.ts";
import { orAborted } from "./abort.ts";
import { callOut } from "./call-out.ts";
import type { CallHost } from "./call.ts";
import { sendCancel } from "./cancel.ts";
import type { PostgresConfig } from "./config.ts";
import { ConnectionLostError, isPgError, type PgNotice } from "./errors.ts";
import type { Notification } from "./proto/backend.ts";
import { SYNC, TERMINATE, writeCloseStatement, writeCopyFail } from "./proto/frontend.ts";
import type { MessageReader } from "./proto/reader.ts";
import { Writer } from "./proto/writer.ts";
import type { Request } from "./request.ts";
import { isAside, Session, type SessionHost } from "./session.ts";
import type { SessionFacts } from "./startup.ts";
import type { Transport } from "./transport.ts";
import { Unsettled } from "./unsettled.ts";

/** How long an aborted call may keep the connection from its next use, in milliseconds. */
export const SETTLE_BOUND_MS = 5000;

/** How long `close` waits for the server, in milliseconds, before it closes without it. */
export const CLOSE_BOUND_MS = 1000;

/** Carries requests to the server; gives the connection up when anything is wrong with it. */
export class Channel implements SessionHost, CallHost {
  readonly config: PostgresConfig;
  readonly facts: SessionFacts;
  readonly session: Session;
  /** What has been written and not yet been given to the socket. */
  readonly writer: Writer = new Writer();
  /** Called once when the connection is lost and `close` was not called. */
  onLost: (reason: unknown) => void = () => {};
  /**
   * Several callers share the connection, and know nothing of each other: who gives a request up
   * must not have the server stopped at another's, nor have the others wait for it.
   */
  isShared = false;
  /**
   * Called when everything that came in at once has been handled, and when the connection is lost.
   */
  onProgress: (() => void) | undefined;
  /** Is given what other sessions notify. */
  onNotification: ((notification: Notification) => void) | undefined;
  readonly #transport: Transport;
  readonly #socket: Socket;
  readonly #reader: MessageReader;
  readonly #unsettled: Unsettled;
  readonly #cancelling: AbortController = new AbortController();
  readonly #gone: AbortController = new AbortController();
  #cancelDone: Promise<void> = Promise.resolve();
  /** Statements that nobody needs any more; their Close rides with the next request. */
  #unneeded: string[] = [];
  #flushIsDue = false;
  /** The number of the last request of which something has been given to the socket. */
  #sentOrder = 0;
  #lost: { readonly reason: unknown } | undefined;
  #isClosing = false;

  /** Takes over a socket and its reader at the moment that the session has become ready. */
  constructor(
    config: PostgresConfig,
    transport: Transport,
    facts: SessionFacts,
    reader: MessageReader,
  ) {
    this.config = config;
    this.facts = facts;
    this.session = new Session(facts, config.types, this);
    this.#transport = transport;
    this.#socket = transport.socket;
    this.#reader = reader;
    reader.handler = this.session;
    reader.maxBodyBytes = config.maxMessageBytes;
    this.#unsettled = new Unsettled(config.clock, SETTLE_BOUND_MS, () => {
      this.lose(
        new ConnectionLostError(
          `the server did not settle an aborted call within ${SETTLE_BOUND_MS}ms`,
        ),
      );
    });
    transport.receive(this.#onBytes);
    this.#socket.on("error", (error) => this.lose(error));
    this.#socket.on("end", this.#onEnd);
    this.#socket.on("close", this.#onEnd);
  }

  /** Why the connection was lost; `undefined` while it is not. */
  get lost(): { readonly reason: unknown } | undefined {
    return this.#lost;
  }

  /** Aborted when the connection is lost, or begins to close. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether requests can be made, as far as is known. */
  get isUsable(): boolean {
    return this.#lost === undefined && !this.#isClosing && this.#socket.writable;
  }

  /** Resolves once aborted calls have left nothing open; `undefined` when they have not. */
  get unsettled(): Promise<void> | undefined {
    return this.#unsettled.promise;
  }

  /**
   * Asks whether a request may be made: `undefined` is yes, for as long as nothing else runs. Else
   * a promise: when it resolves, ask again; it rejects because of the signal, a lost connection, or
   * a stream that is still open.
   */
  gate(signal: AbortSignal | undefined): Promise<void> | undefined {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (!this.isUsable) return Promise.reject(this.badConn());
    if (this.#unsettled.promise !== undefined) {
      return orAborted(this.#unsettled.promise, signal);
    }
    const kind = this.session.head?.kind;
    if (kind === "copy-in") return Promise.reject(copyIsOpen());
    const isStream = kind === "portal" || kind === "sets" || kind === "copy-out";
    return isStream ? Promise.reject(streamIsOpen()) : undefined;
  }

  /** Waits until a request may be made. Rejects as `gate` does. */
  async pass(signal: AbortSignal | undefined): Promise<void> {
    for (let gate = this.gate(signal); gate !== undefined; gate = this.gate(signal)) await gate;
  }

  /** The error for a request of which nothing was sent. */
  badConn(): BadConnError {
    const cause = this.#lost?.reason;
    return new BadConnError("the connection had been lost before the request", { cause });
  }

  /** Writes the messages of a request. Throws, with nothing of it written, what `write` throws. */
  write(write: () => void): void {
    for (const name of this.#unneeded) writeCloseStatement(this.writer, name);
    this.#unneeded.length = 0;
    const start = this.writer.mark();
    try {
      write();
    } catch (error) {
      this.writer.truncate(start);
      throw error;
    }
  }

  /** Queues a request whose messages have been written. */
  submit(request: Request): void {
    this.session.push(request);
    this.flushSoon();
  }

  /** Sends what has been written, together with all else that is written in this turn. */
  flushSoon(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    queueMicrotask(this.#flush);
  }

  /**
   * Sends what has been written, now. `undefined` when the socket takes more at once, else a
   * promise that resolves when it does, or is closed.
   */
  push(): Promise<void> | undefined {
    this.#flush();
    const socket = this.#socket;
    if (!socket.writableNeedDrain) return undefined;
    return new Promise((resolve) => {
      const done = () => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
  }

  /** Lets what the server sends wait in the network, because more than enough is here. */
  pauseReading(): void {
    this.#socket.pause();
  }

  /** Ends a pause. No effect without one. */
  resumeReading(): void {
    this.#socket.resume();
  }

  /** Has a prepared statement closed on the server, with the next request. */
  forget(statement: string): void {
    this.#unneeded.push(statement);
  }

  abandon(request: Request): void {
    const isAlone = this.session.isAlone(request);
    if (this.isShared && !isAlone) return;
    request.isWaitedFor = true;
    this.#unsettled.hold();
    if (!this.#mayCancel(request) || !isAlone) return;
    this.#unsettled.hold();
    // A connection that is closing is not used again, so that there is nothing to hit by mistake.
    const isWanted = () => this.session.head === request || this.#isClosing;
    this.#cancelDone = this.#sendCancel(isWanted);
  }

  settled(request: Request): void {
    if (request.isWaitedFor) this.#unsettled.release();
  }

  notice(notice: PgNotice): void {
    const { onNotice } = this.config;
    if (onNotice !== undefined) callOut(() => onNotice(notice));
  }

  notification(notification: Notification): void {
    const { onNotification } = this;
    if (onNotification !== undefined) callOut(() => onNotification(notification));
  }

  refuseCopy(request: Request): void {
    writeCopyFail(this.writer, "the client has no data to copy");
    // In copy-in mode the server has passed over the Sync that came with the request. A portal's is
    // still to come.
    const { kind } = request;
    if (kind === "unnamed" || kind === "named" || kind === "batch") this.writer.bytes(SYNC);
    this.flushSoon();
  }

  /**
   * Gives the connection up: everything under way fails, and the socket is destroyed. No effect on
   * a second call.
   */
  lose(reason: unknown): void {
    if (this.#lost !== undefined) return;
    this.#lost = { reason };
    this.#reader.stop();
    this.#socket.destroy();
    this.#failAll(reason);
    this.#unsettled.clear();
    this.#gone.abort(reason);
    if (this.#isClosing) return;
    this.#cancelling.abort();
    this.onLost(reason);
    this.onProgress?.();
  }

  /**
   * Closes for good; resolves once the socket is closed, and with it the socket of a cancel request
   * under way.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#gone.abort(new ConnectionLostError("the connection was closed"));
    const timer = this.config.clock.setTimer(CLOSE_BOUND_MS, () => {
      this.#socket.destroy();
      this.#cancelling.abort();
    });
    const { head } = this.session;
    if (this.#lost === undefined && head === undefined && this.#socket.writable) {
      this.#socket.end(TERMINATE);
    } else {
      // The server would go on with the statement, for nobody.
      const isSent = head !== undefined && head.order <= this.#sentOrder;
      if (isSent && this.#unsettled.promise === undefined && this.#mayCancel(head)) {
        this.#cancelDone = this.#sendCancel(() => true);
      }
      this.lose(new ConnectionLostError("the connection was closed while it was in use"));
    }
    await closed(this.#socket);
    await this.#cancelDone;
    timer.cancel();
  }

  #failAll(reason: unknown): void {
    for (const request of this.session.takeAll()) {
      request.fail(request.order > this.#sentOrder ? this.badConn() : lostInCall(reason));
      request.rows = [];
      request.behind = undefined;
      request.onSettled();
    }
  }

  readonly #flush = (): void => {
    this.#flushIsDue = false;
    if (this.#lost !== undefined) {
      // What has come since then, from those who had been let through before.
      this.#failAll(this.#lost.reason);
      return;
    }
    if (!this.#socket.writable) {
      this.lose(new ConnectionLostError("the connection was closed"));
      return;
    }
    this.#sentOrder = this.session.order;
    this.#socket.write(this.writer.take());
  };

  readonly #onBytes = (bytes: Buffer, count: number): void => {
    try {
      this.#reader.push(bytes, count);
    } catch (error) {
      this.lose(error);
      return;
    }
    if (this.session.head === undefined) this.#checkIdle();
    else this.session.head.onChunk();
    this.onProgress?.();
  };

  async #sendCancel(isWanted: () => boolean): Promise<void> {
    const { config, facts } = this;
    const { address, encrypted } = this.#transport;
    const target = { config, address, encrypted, facts };
    const outcome = await sendCancel(target, isWanted, this.#cancelling.signal);
    if (outcome !== "unknown") this.#unsettled.release();
    else this.lose(new ConnectionLostError("it is not known whether a cancel request arrived"));
  }

  #mayCancel(request: Request): boolean {
    return request.isCancellable && this.facts.cancelKey.length > 0;
  }

  /** On an idle connection even the beginning of a message must be one that may come unasked. */
  #checkIdle(): void {
    const type = this.#reader.partialType;
    if (type !== undefined && !isAside(type)) {
      this.lose(new ConnectionLostError("the server said something unasked, and not all of it"));
    }
  }

  readonly #onEnd = (): void => {
    this.lose(new ConnectionLostError("the server closed the connection"));
  };
}

function lostInCall(reason: unknown): ConnectionLostError {
  if (reason instanceof ConnectionLostError) return reason;
  const why = isPgError(reason) ? `: ${reason.message}` : "";
  return new ConnectionLostError(
    `the connection was lost during a request${why}; whether the server did the work is not known`,
    reason,
  );
}

function streamIsOpen(): UsageError {
  return new UsageError(
    "ARGUMENT_INVALID",
    "the connection has rows that are still being read: read them to the end, or close them, first",
  );
}

function copyIsOpen(): UsageError {
  return new UsageError(
    "ARGUMENT_INVALID",
    "the connection is taking the data of a COPY: wait for its end first",
  );
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}
