// The errors of the pool: each says what happened, after how long, in what state, probably why, and
// what to do next.

import { ForebayError, type OperatingErrorCode } from "../base/errors.ts";
import type { PoolStats } from "./stats.ts";

/**
 * What an acquire was waiting for when it failed: a connection to come back, or one to be opened.
 */
export type PoolErrorPhase = "wait" | "connect";

/** The pool's part of an error. */
export interface PoolErrorDetails {
  readonly phase: PoolErrorPhase;
  readonly waitedMs: number;
  readonly stats: PoolStats;
  /** How long the longest-held connection has been held; `undefined` when none is. */
  readonly oldestLeaseMs: number | undefined;
  /** Why the last dial failed; `undefined` when it did not. */
  readonly lastDialError: unknown;
  /** Whether trying again to connect cannot help. */
  readonly isHopeless: boolean;
  /** The bulkhead that the acquire was for; empty for none. */
  readonly bulkhead: string;
}

/** An acquire failed. Nothing of the caller's work was sent, so it is always `retryable`. */
export class PoolError extends ForebayError {
  declare readonly code: PoolErrorCode;
  readonly phase: PoolErrorPhase;
  /** How long the acquire had waited. */
  readonly waitedMs: number;
  /** The pool's name. */
  readonly pool: string;
  /** The bulkhead that the acquire was for; empty for none. */
  readonly bulkhead: string;
  /** The pool at that moment. */
  readonly stats: PoolStats;
  /** How long the longest-held connection had been held; `undefined` when none was. */
  readonly oldestLeaseMs: number | undefined;

  constructor(code: PoolErrorCode, details: PoolErrorDetails) {
    super("operating", code, message(code, details), {
      retryable: true,
      cause: details.lastDialError,
    });
    this.name = "PoolError";
    this.phase = details.phase;
    this.waitedMs = details.waitedMs;
    this.pool = details.stats.pool.name;
    this.bulkhead = details.bulkhead;
    this.oldestLeaseMs = details.oldestLeaseMs;
    // A snapshot belongs to the error, not to every log line that prints it.
    this.stats = details.stats;
    Object.defineProperty(this, "stats", { enumerable: false });
  }
}

/** Codes of a `PoolError`. */
export type PoolErrorCode = Extract<
  OperatingErrorCode,
  | "POOL_TIMEOUT"
  | "POOL_CLOSED"
  | "POOL_QUEUE_FULL"
  | "POOL_OVERLOADED"
  | "POOL_NESTED_ACQUIRE"
  | "CONNECT_FAILED"
>;

function message(code: PoolErrorCode, details: PoolErrorDetails): string {
  const { stats } = details;
  const { pool } = stats;
  const state =
    `max ${stats.maxOpenConnections}: ${pool.leased} in use, ${stats.idle} idle, ` +
    `${pool.dialing} connecting, ${pool.checking} checking, ${pool.closing} closing; ` +
    `${pool.waiting} waiting`;
  const who = details.bulkhead === "" ? pool.name : `${pool.name}, ${details.bulkhead}`;
  switch (code) {
    case "POOL_TIMEOUT":
      return (
        `${who}: no connection after ${ms(details.waitedMs)} (${state}). ` + timeoutAdvice(details)
      );
    case "POOL_QUEUE_FULL":
      return (
        `${who}: too many are waiting for a connection (${state}). ${heldAdvice(details)}. ` +
        `Shed load, or raise ${details.bulkhead === "" ? "maxWaiters" : "maxWaiting"}`
      );
    case "POOL_OVERLOADED":
      return (
        `${who}: turned away after ${ms(details.waitedMs)}, as all wait too long (${state}). ` +
        "Send less, or give the pool more to serve with"
      );
    case "POOL_NESTED_ACQUIRE":
      return (
        `${who}: a caller who holds a connection asked for a second, while all are in use ` +
        `(${state}). Make the inner call on the Tx, the Conn or the connection that is held`
      );
    case "POOL_CLOSED":
      return `${pool.name}: the pool is closed. Stop using it before close() is called`;
    case "CONNECT_FAILED":
      return (
        `${pool.name}: cannot connect after ${ms(details.waitedMs)} (${state}): ` +
        `${reasonOf(details.lastDialError)}. ` +
        (details.isHopeless
          ? "Trying again will not help: mend the connection settings"
          : "See `cause`; the next acquire tries again")
      );
    default:
      return code satisfies never;
  }
}

function timeoutAdvice(details: PoolErrorDetails): string {
  if (details.stats.pool.isSuspended) return "The pool is suspended until resume() is called";
  if (details.lastDialError !== undefined) {
    return (
      `The server cannot be reached: ${reasonOf(details.lastDialError)}. ` +
      "See `cause`; the pool goes on trying in the background"
    );
  }
  if (details.phase === "connect") {
    return "Opening a connection takes longer than that. Look at the network and the server's load";
  }
  return heldAdvice(details);
}

function heldAdvice({ stats, oldestLeaseMs }: PoolErrorDetails): string {
  if (oldestLeaseMs === undefined) {
    return (
      "All places are taken by connections that are being opened, reset or closed. " +
      "Look at the server's load, and at what onBackgroundError reports"
    );
  }
  const all = stats.pool.leased < stats.maxOpenConnections ? "Connections" : "All connections";
  return (
    `${all} are in use; the longest-held one has been out for ${ms(oldestLeaseMs)}. ` +
    "Look for a missing release or a long transaction before raising maxOpenConns"
  );
}

/** The error's own words; without the code at their end, as this error has one of its own. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ \[[A-Z\d_]+\]$/, "");
}

function ms(value: number): string {
  return `${Math.round(value)}ms`;
}
