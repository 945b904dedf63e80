// Arguments that are more than a value, and how the refusal of one is told.

import { isForebayError, UsageError } from "../base/errors.ts";

const BRAND = Symbol.for("forebay.driver.namedArg");

/** A value for a placeholder that has a name. Made by `named`. */
export class NamedArg {
  /** Begins with a letter; without the sign that the statement's own language puts before it. */
  readonly name: string;
  readonly value: unknown;

  /** Throws `ARGUMENT_INVALID` for a name that does not begin with a letter. */
  constructor(name: string, value: unknown) {
    if (typeof name !== "string" || !/^\p{L}/u.test(name)) {
      throw new UsageError(
        "ARGUMENT_INVALID",
        "the name of an argument must begin with a letter; leave out signs such as @ and :",
      );
    }
    this.name = name;
    this.value = value;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * An argument by name rather than by position, for the drivers whose databases have such
 * placeholders (`takesNamedArgs` of `DriverConn`); others refuse it. PostgreSQL has positions only:
 * see `namedArgs` of `forebay/postgres`, which rewrites the statement. Throws `ARGUMENT_INVALID`
 * for a name that does not begin with a letter. (`sql.Named`.)
 *
 * @example
 * ```ts
 * import { named, type Querier } from "forebay";
 *
 * async function rename(on: Querier, id: number, name: string): Promise<void> {
 *   const sql = "UPDATE users SET name = @name WHERE id = @id";
 *   await on.exec(sql, [named("id", id), named("name", name)]);
 * }
 * ```
 */
export function named(name: string, value: unknown): NamedArg {
  return new NamedArg(name, value);
}

/** True for a `NamedArg`, also from another copy of this library. */
export function isNamedArg(value: unknown): value is NamedArg {
  return typeof value === "object" && value !== null && BRAND in value;
}

/**
 * The error for an argument that cannot be sent: says which one, counted from 1 as in `$1`, and
 * why, in the words of `cause`, which it keeps. For drivers that look at arguments themselves, too.
 */
export function argumentError(index: number, cause: unknown): UsageError {
  const message = cause instanceof Error ? cause.message : "it was refused by the driver";
  const why = isForebayError(cause) ? message.replace(/ \[[A-Z_]+\]$/, "") : message;
  return new UsageError("ARGUMENT_INVALID", `argument ${index + 1}: ${why}`, cause);
}
