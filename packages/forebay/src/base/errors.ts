// The errors of the library that are not a driver's: three families, told apart by `family`.
//   operating  expected in service: a timeout, a closed pool. Has `retryable`.
//   usage      the caller's mistake: a bad option, a lease used after its release. Thrown
//   synchronously.
//   bug        ours: see assert.ts.

/** Codes of errors that are expected in service. */
export type OperatingErrorCode =
  | "POOL_TIMEOUT"
  | "POOL_CLOSED"
  | "POOL_QUEUE_FULL"
  | "POOL_OVERLOADED"
  | "POOL_NESTED_ACQUIRE"
  | "CONNECT_FAILED"
  | "CONNECT_TIMEOUT"
  | "TARGET_NOT_FOUND"
  | "DRIVER_TIMEOUT"
  | "NO_ROWS"
  | "TX_DONE"
  | "CONN_DONE"
  | "STMT_CLOSED"
  | "ROWS_CLOSED"
  | "COMMIT_ROLLED_BACK"
  | "OUTCOME_UNKNOWN"
  | "VALUE_OUT_OF_RANGE"
  | "CODEC_FAILED"
  | "TYPE_UNKNOWN"
  | "VALUE_MISMATCH"
  | "CONNECTION_LOST"
  | "STATEMENT_TIMEOUT"
  | "TLS_UNAVAILABLE"
  | "TLS_FAILED"
  | "AUTH_FAILED"
  | "LISTENER_CLOSED"
  | "NOTIFICATIONS_DROPPED"
  | "LOCK_UNAVAILABLE"
  | "LOCK_LOST";

/** Codes of errors that only a mistake in the calling code can cause. */
export type UsageErrorCode =
  | "OPTION_INVALID"
  | "LEASE_STALE"
  | "ARGUMENT_INVALID"
  | "CONN_BUSY"
  | "POOLER_UNSUPPORTED";

/** Every code that a `ForebayError` may carry. */
export type ErrorCode = OperatingErrorCode | UsageErrorCode;

const BRAND = Symbol.for("forebay.error");

/**
 * The base of every error that this library makes itself. Test with `isForebayError`, not
 * `instanceof`.
 */
export class ForebayError extends Error {
  readonly code: ErrorCode;
  readonly family: "operating" | "usage";
  /**
   * True when no byte of the caller's work reached the server, so that doing it again cannot do it
   * twice.
   */
  readonly retryable: boolean;

  constructor(
    family: "operating" | "usage",
    code: ErrorCode,
    message: string,
    details: { readonly retryable: boolean; readonly cause?: unknown },
  ) {
    super(
      `${message} [${code}]`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = "ForebayError";
    this.code = code;
    this.family = family;
    this.retryable = details.retryable;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * A mistake in the calling code: a bad option, a handle used after it ended. Fix the code; never
 * retry.
 */
export class UsageError extends ForebayError {
  declare readonly code: UsageErrorCode;

  constructor(code: UsageErrorCode, message: string, cause?: unknown) {
    super("usage", code, message, { retryable: false, cause });
    this.name = "UsageError";
  }
}

/** True for every error made by this library, also by another installed copy of it. */
export function isForebayError(error: unknown): error is ForebayError {
  return typeof error === "object" && error !== null && BRAND in error;
}
