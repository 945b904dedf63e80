// What a driver's errors tell the layers above it.

const BAD_CONN = Symbol.for("forebay.driver.badConn");

/**
 * The connection is of no use, and nothing of the present request was sent on it: the request may
 * be made again on another connection, and nobody can tell. A driver must throw it only when it is
 * certain that not a byte was written; when in doubt it throws its ordinary error. (database/sql's
 * `driver.ErrBadConn`.)
 */
export class BadConnError extends Error {
  readonly code = "BAD_CONN";

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(`${message} [BAD_CONN]`, options);
    this.name = "BadConnError";
    Object.defineProperty(this, BAD_CONN, { value: true });
  }
}

/**
 * True for a `BadConnError`, also from another copy of this library, and also when it is a `cause`
 * further down.
 */
export function isBadConn(error: unknown): boolean {
  for (let depth = 0, at = error; depth < 8; depth++) {
    if (typeof at !== "object" || at === null) return false;
    if (BAD_CONN in at) return true;
    at = (at as { readonly cause?: unknown }).cause;
  }
  return false;
}
