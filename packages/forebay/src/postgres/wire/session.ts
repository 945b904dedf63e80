// The state of a session once it has begun: which requests are under way, and which message belongs
// to which. Synchronous: messages come in through onMessage, and within a call nothing else can
// run. It sends nothing and closes nothing; what is to be done goes to the host.

import { UsageError } from "../../base/errors.ts";
import { isFatal, PgError, type PgNotice } from "./errors.ts";
import {
  MESSAGE,
  type Notification,
  readMessageFields,
  readNotification,
  readParameterDescription,
  readRowDescription,
  readTagCommand,
  readTagCount,
  readTxStatus,
  type TxStatus,
  BodyReader,
} from "./proto/backend.ts";
import { ProtocolError } from "./proto/protocol-error.ts";
import type { MessageHandler } from "./proto/reader.ts";
import type { Request } from "./request.ts";
import { RowShape } from "./row-shape.ts";
import type { SessionFacts } from "./startup.ts";
import type { TypePolicy } from "./types/index.ts";

/** Who carries out what a `Session` decides. */
export interface SessionHost {
  /** The server reported something. */
  notice(notice: PgNotice): void;
  /** Another session notified a channel that this one listens on. */
  notification(notification: Notification): void;
  /** The server waits for COPY data that nobody will send: send CopyFail. */
  refuseCopy(request: Request): void;
}

/** A session that has begun. What `onMessage` throws means that the connection is lost. */
export class Session implements MessageHandler {
  /** As of the last ReadyForQuery. */
  txStatus: TxStatus = "I";
  /** Parameters that the server reports, by name, as they are now. */
  readonly parameters: Map<string, string>;
  /** How often one of them was reported since the session began. */
  parameterChanges = 0;
  readonly #host: SessionHost;
  readonly #types: TypePolicy;
  #head: Request | undefined;
  #tail: Request | undefined;
  #order = 0;
  #settled = 0;

  constructor(facts: SessionFacts, types: TypePolicy, host: SessionHost) {
    this.parameters = facts.parameters;
    this.#types = types;
    this.#host = host;
  }

  /** The request that the server works on; `undefined` when the session is idle. */
  get head(): Request | undefined {
    return this.#head;
  }

  /** The number of the last request that was queued. */
  get order(): number {
    return this.#order;
  }

  /** How many requests are under way. */
  get pending(): number {
    return this.#order - this.#settled;
  }

  /** Whether this is the only request under way. */
  isAlone(request: Request): boolean {
    return this.#head === request && this.#tail === request;
  }

  /** Queues a request whose messages have been, or are about to be, sent. */
  push(request: Request): void {
    request.order = ++this.#order;
    if (this.#tail === undefined) this.#head = request;
    else this.#tail.behind = request;
    this.#tail = request;
  }

  /** Empties the queue, because the connection is lost; gives what was under way, in order. */
  takeAll(): Request[] {
    const all: Request[] = [];
    for (let at = this.#head; at !== undefined; at = at.behind) all.push(at);
    this.#head = undefined;
    this.#tail = undefined;
    this.#settled = this.#order;
    return all;
  }

  onMessage(type: number, bytes: Buffer, start: number, end: number): void {
    const request = this.#head;
    if (request === undefined) {
      this.#onIdle(type, bytes, start, end);
      return;
    }
    switch (type) {
      case MESSAGE.dataRow:
        this.#onRow(request, bytes, start, end);
        return;
      case MESSAGE.commandComplete:
        this.#onComplete(request, bytes, start, end);
        return;
      case MESSAGE.readyForQuery:
        this.#onReady(request, readTxStatus(bytes, start, end));
        return;
      case MESSAGE.bindComplete:
      case MESSAGE.parseComplete:
      case MESSAGE.closeComplete:
        return;
      default:
        this.#onOther(request, type, bytes, start, end);
    }
  }

  #onRow(request: Request, bytes: Buffer, start: number, end: number): void {
    const { shape } = request;
    if (shape === undefined || request.complete || request.kind === "prepare") {
      throw unexpected(MESSAGE.dataRow);
    }
    if (request.discarded || request.failed) return;
    request.rowBytes += end - start;
    try {
      request.rows.push(
        request.rowMode === "object"
          ? shape.object(bytes, start, end)
          : shape.array(bytes, start, end),
      );
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      request.fail(error);
      request.rows = [];
    }
  }

  #onComplete(request: Request, bytes: Buffer, start: number, end: number): void {
    if (request.kind === "prepare") throw unexpected(MESSAGE.commandComplete);
    if (request.complete) beginResult(request);
    request.complete = true;
    request.command = readTagCommand(bytes, start, end);
    request.rowsAffected = readTagCount(bytes, start, end) ?? 0;
    if (hasSteps(request)) request.onStep("ended");
  }

  #onReady(request: Request, status: TxStatus): void {
    if (!request.isAnswered) {
      throw new ProtocolError("the server is ready before a statement has ended");
    }
    this.txStatus = status;
    this.#settled += 1;
    this.#head = request.behind;
    if (this.#head === undefined) this.#tail = undefined;
    request.behind = undefined;
    request.onSettled();
  }

  #onOther(request: Request, type: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case MESSAGE.rowDescription:
        this.#onColumns(request, bytes, start, end);
        return;
      case MESSAGE.noData:
        if (request.kind === "portal") request.onStep("described");
        return;
      case MESSAGE.parameterDescription:
        request.paramOids = readParameterDescription(bytes, start, end);
        return;
      case MESSAGE.portalSuspended:
        if (request.kind !== "portal") throw unexpected(type);
        request.onStep("suspended");
        return;
      case MESSAGE.emptyQueryResponse:
        if (request.complete) beginResult(request);
        request.complete = true;
        if (hasSteps(request)) request.onStep("ended");
        return;
      case MESSAGE.errorResponse:
        this.#onError(request, new PgError(readMessageFields(bytes, start, end)));
        return;
      case MESSAGE.copyInResponse:
        if (request.kind === "copy-in" && !request.discarded) {
          request.onStep("copying");
          return;
        }
        request.fail(copyRefused());
        this.#host.refuseCopy(request);
        return;
      case MESSAGE.copyOutResponse:
        if (request.kind === "copy-out") request.onStep("copying");
        else request.fail(copyRefused());
        return;
      case MESSAGE.copyData:
        if (request.kind === "copy-out") request.onCopyData(bytes, start, end);
        else if (!request.failed) throw unexpected(type);
        return;
      case MESSAGE.copyDone:
        if (request.kind !== "copy-out" && !request.failed) throw unexpected(type);
        return;
      default:
        this.#onAside(type, bytes, start, end);
    }
  }

  #onColumns(request: Request, bytes: Buffer, start: number, end: number): void {
    const fields = readRowDescription(bytes, start, end);
    // One result at a time: what would the rows of the one before have to do with these columns?
    if (request.shape !== undefined && !request.complete) throw unexpected(MESSAGE.rowDescription);
    switch (request.kind) {
      case "prepare":
        request.fields = fields;
        return;
      case "named":
        throw unexpected(MESSAGE.rowDescription);
      case "simple":
        beginResult(request);
        request.shape = new RowShape(fields, this.#types);
        return;
      case "sets":
        beginResult(request);
        request.shape = new RowShape(fields, this.#types);
        request.onStep("described");
        return;
      case "unnamed":
      case "batch":
        request.fields = fields;
        request.shape = new RowShape(fields, this.#types);
        return;
      case "portal":
        request.shape = new RowShape(fields, this.#types);
        request.onStep("described");
        return;
      case "copy-in":
      case "copy-out":
        request.shape = new RowShape(fields, this.#types);
        request.fail(request.kind === "copy-in" ? notCopyIn() : notCopyOut());
        return;
      default:
        request.kind satisfies never;
    }
  }

  #onError(request: Request, error: PgError): void {
    if (isFatal(error)) throw error;
    request.fail(error);
    request.rows = [];
    if (request.kind === "portal") request.onStep("ended");
  }

  /**
   * Nothing was asked: only asides are in order. Anything else, an error message above all, ends
   * the session.
   */
  #onIdle(type: number, bytes: Buffer, start: number, end: number): void {
    if (type === MESSAGE.errorResponse) throw new PgError(readMessageFields(bytes, start, end));
    this.#onAside(type, bytes, start, end);
  }

  /** What the server may say at any time. */
  #onAside(type: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case MESSAGE.noticeResponse:
        this.#host.notice(readMessageFields(bytes, start, end));
        return;
      case MESSAGE.notificationResponse:
        this.#host.notification(readNotification(bytes, start, end));
        return;
      case MESSAGE.parameterStatus: {
        const reader = new BodyReader(bytes, start, end);
        const name = reader.cstring();
        this.parameters.set(name, reader.cstring());
        this.parameterChanges += 1;
        return;
      }
      default:
        throw unexpected(type);
    }
  }
}

/** Whether a message of this type may come while nothing was asked. */
export function isAside(type: number): boolean {
  return (
    type === MESSAGE.noticeResponse ||
    type === MESSAGE.notificationResponse ||
    type === MESSAGE.parameterStatus
  );
}

/** Whether the end of a statement is not yet the end of the request. */
function hasSteps({ kind }: Request): boolean {
  return kind === "portal" || kind === "sets" || kind === "batch";
}

/** Forgets the result of the statement before. */
function beginResult(request: Request): void {
  request.shape = undefined;
  request.rows = [];
  request.rowBytes = 0;
  request.rowsAffected = 0;
  request.command = "";
  request.complete = false;
}

function copyRefused(): UsageError {
  return new UsageError("ARGUMENT_INVALID", "COPY with the client cannot be run as a query");
}

/** The error of a copy-in whose statement turned out to be another. */
export function notCopyIn(): UsageError {
  return new UsageError("ARGUMENT_INVALID", "copyFrom takes a COPY … FROM STDIN, and nothing else");
}

/** The error of a copy-out whose statement turned out to be another. */
export function notCopyOut(): UsageError {
  return new UsageError("ARGUMENT_INVALID", "copyTo takes a COPY … TO STDOUT, and nothing else");
}

function unexpected(type: number): ProtocolError {
  return new ProtocolError(
    `the server sent an unexpected message ${JSON.stringify(String.fromCharCode(type))}`,
  );
}
