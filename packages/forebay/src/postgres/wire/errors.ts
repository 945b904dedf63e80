// The errors of a PostgreSQL connection, and what each of them means for the connection and for a
// retry.

import { ForebayError, isForebayError } from "../../base/errors.ts";
import { isBadConn } from "../../driver/errors.ts";
import { ProtocolError } from "./proto/protocol-error.ts";

export { ProtocolError } from "./proto/protocol-error.ts";

const BRAND = Symbol.for("forebay.postgres.error");

/**
 * What the server says in an ErrorResponse or a NoticeResponse. A field that was not sent is
 * `undefined`.
 */
export interface PgMessageFields {
  /** `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, `DEBUG`, `INFO` or `LOG`, never translated. */
  readonly severity: string;
  /** The SQLSTATE: five characters. */
  readonly sqlstate: string;
  /** In the language of the server. */
  readonly message: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  /** Where in the statement, in characters from 1. */
  readonly position: number | undefined;
  /** Where in `internalQuery`, in characters from 1. */
  readonly internalPosition: number | undefined;
  /** The statement that failed inside the server, for example in a function. */
  readonly internalQuery: string | undefined;
  /** The context, such as the stack of functions, innermost first. */
  readonly where: string | undefined;
  readonly schema: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
  readonly dataType: string | undefined;
  readonly constraint: string | undefined;
  /** The place in the server's own source. */
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly routine: string | undefined;
}

/** A NoticeResponse: something the server wants to be known, which is not an error. */
export type PgNotice = PgMessageFields;

/** An error that the server reported. Test with `isPgError`, not `instanceof`. */
export class PgError extends Error implements PgMessageFields {
  readonly severity: string;
  readonly sqlstate: string;
  /** The same as `sqlstate`, under the name that other clients use. */
  readonly code: string;
  // Only what the server sent is there, so that a printed error shows no empty fields.
  declare readonly detail: string | undefined;
  declare readonly hint: string | undefined;
  declare readonly position: number | undefined;
  declare readonly internalPosition: number | undefined;
  declare readonly internalQuery: string | undefined;
  declare readonly where: string | undefined;
  declare readonly schema: string | undefined;
  declare readonly table: string | undefined;
  declare readonly column: string | undefined;
  declare readonly dataType: string | undefined;
  declare readonly constraint: string | undefined;
  declare readonly file: string | undefined;
  declare readonly line: number | undefined;
  declare readonly routine: string | undefined;

  constructor(fields: PgMessageFields) {
    const { message, ...rest } = fields;
    super(message);
    this.name = "PgError";
    this.severity = fields.severity;
    this.sqlstate = fields.sqlstate;
    this.code = fields.sqlstate;
    const sent = Object.entries(rest).filter(([, value]) => value !== undefined);
    Object.assign(this, Object.fromEntries(sent));
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** True for an error that the server reported, also when another copy of this library made it. */
export function isPgError(error: unknown): error is PgError {
  return typeof error === "object" && error !== null && BRAND in error;
}

/** True when the server ends the session after this message. */
export function isFatal(error: PgError): boolean {
  return error.severity === "FATAL" || error.severity === "PANIC";
}

/**
 * The connection was lost after at least a part of the request had been sent: whether the server
 * did the work is not known. `cause` is what the server or the socket said, if they said anything:
 * a `PgError` of 57P01 when an administrator ended the session.
 */
export class ConnectionLostError extends ForebayError {
  declare readonly code: "CONNECTION_LOST";

  constructor(message: string, cause?: unknown) {
    super("operating", "CONNECTION_LOST", message, { retryable: false, cause });
    this.name = "ConnectionLostError";
  }
}

/**
 * What an error means.
 *
 * - `keep`: the statement failed, and the connection is as good as before.
 * - `evict`: the connection must not be used again.
 * - `read-only`: the server is not the primary any more: evict, and resolve the host anew.
 * - `retry-transaction`: the transaction lost against another (40001, 40P01): keep, and run all of
 *   it again.
 * - `statement-invalid`: a prepared statement is gone or out of date: keep, and prepare it again,
 *   once, outside a transaction.
 * - `fatal-connect`: a connection cannot be made until a person mends something.
 */
export type ErrorVerdict =
  | "keep"
  | "evict"
  | "read-only"
  | "retry-transaction"
  | "statement-invalid"
  | "fatal-connect";

const VERDICT_BY_STATE: Readonly<Record<string, ErrorVerdict>> = {
  "25006": "read-only",
  "40001": "retry-transaction",
  "40P01": "retry-transaction",
  "26000": "statement-invalid",
  "42P05": "statement-invalid",
  "3D000": "fatal-connect",
};

/** Codes of Node's errors after which a socket is of no use. */
const SOCKET_CODES: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
]);

/**
 * Says what an error means for the connection that it came from. Pure. An error that is not known
 * to come from the server or the connection, such as the reason of an aborted signal, is `keep`.
 */
export function classify(error: unknown): ErrorVerdict {
  if (isPgError(error)) return classifyState(error);
  if (isBadConn(error) || error instanceof ProtocolError) return "evict";
  if (typeof error !== "object" || error === null) return "keep";
  if (isForebayError(error)) {
    if (error.code === "CONNECTION_LOST" || error.code === "OUTCOME_UNKNOWN") return "evict";
    if (error.code === "TLS_UNAVAILABLE" || error.code === "AUTH_FAILED") return "fatal-connect";
    if (error.code === "TLS_FAILED" || error.code === "OPTION_INVALID") return "fatal-connect";
    if (error.code === "TYPE_UNKNOWN") return "fatal-connect";
    return "keep";
  }
  return SOCKET_CODES.has((error as { readonly code?: unknown }).code) ? "evict" : "keep";
}

function classifyState(error: PgError): ErrorVerdict {
  const state = error.sqlstate;
  const known = VERDICT_BY_STATE[state];
  if (known !== undefined) return known;
  if (state.startsWith("28")) return "fatal-connect";
  if (state === "42501" && isFatal(error)) return "fatal-connect";
  if (state === "0A000" && error.routine === "RevalidateCachedQuery") return "statement-invalid";
  if (isFatal(error)) return "evict";
  // What the server calls a protocol violation of one statement is a wrong number of arguments.
  if (state === "08P01") return "keep";
  if (state.startsWith("08")) return "evict";
  return state === "57P01" || state === "57P02" || state === "57P03" ? "evict" : "keep";
}

/**
 * Whether dialing again may help after `error`. False for what only a person can mend: a wrong
 * password (class 28), a database that does not exist (3D000) or may not be entered (42501), a
 * certificate, an option, a host name that does not resolve.
 */
export function mayRetryConnect(error: unknown): boolean {
  for (let depth = 0, at = error; depth < 8; depth++) {
    if (typeof at !== "object" || at === null) return true;
    if (classify(at) === "fatal-connect") return false;
    if (isPgError(at)) return at.sqlstate !== "42501";
    const { code, cause } = at as { readonly code?: unknown; readonly cause?: unknown };
    if (code === "ENOTFOUND") return false;
    at = cause;
  }
  return true;
}
