// Assertions. A failed one is a defect of this library, never of the caller or of the server.

/**
 * Thrown when this library finds its own state broken. Please report it: no caller can cause one.
 */
export class BugError extends Error {
  readonly code = "BUG";

  constructor(message: string) {
    super(`bug in forebay: ${message}. Please report this with the stack. [BUG]`);
    this.name = "BugError";
  }
}

/** Throws `BugError` unless `condition` holds. State the fact that must hold in `message`. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BugError(message);
}

/**
 * Marks a place that no value can reach; the compiler checks it, and it throws `BugError` at run
 * time.
 */
export function unreachable(value: never): never {
  throw new BugError(`unreachable value ${String(value)}`);
}
