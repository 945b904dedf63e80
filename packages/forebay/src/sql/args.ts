// The last look at arguments before a driver gets them: what no database can take is refused here,
// the same for every driver. Nothing is converted unless the driver does it.

import { types } from "node:util";
import { UsageError } from "../base/errors.ts";
import { argumentError, isNamedArg, NamedArg } from "../driver/args.ts";
import type { DriverConn, DriverStmt } from "../driver/driver.ts";

/**
 * The arguments as the driver is to get them: `args` itself unless the driver has converted
 * something. Throws `ARGUMENT_INVALID` for the first that cannot be sent, and never names a value.
 *
 * Numbers of every size pass: only the driver can know whether an integer is wanted, for which a
 * number beyond 2^53 - 1 would not do.
 */
export function fitArgs(
  args: readonly unknown[],
  conn: DriverConn,
  stmt?: DriverStmt,
): readonly unknown[] {
  if (!Array.isArray(args)) {
    throw new UsageError("ARGUMENT_INVALID", "the arguments of a statement must be an array");
  }
  if (conn.checkArg !== undefined || stmt?.checkArg !== undefined) {
    return Array.from(args, (value, index) => fitByDriver(value, index, conn, stmt));
  }
  for (let index = 0; index < args.length; index++) {
    const value: unknown = args[index];
    switch (typeof value) {
      case "string":
      case "number":
      case "bigint":
      case "boolean":
        break;
      case "object":
        if (value !== null) checkObject(value, index, conn);
        break;
      case "undefined":
      case "function":
      case "symbol":
        throw argumentError(index, refusal(value));
    }
  }
  return args;
}

function checkObject(value: object, index: number, conn: DriverConn): void {
  if (isNamedArg(value)) {
    if (conn.takesNamedArgs !== true) throw argumentError(index, byPositionOnly());
    checkValue(value.value, index);
  } else {
    checkValue(value, index);
  }
}

/** Throws for a value that no database can take. */
function checkValue(value: unknown, index: number): void {
  const why = refusal(value);
  if (why !== undefined) throw argumentError(index, why);
}

function refusal(value: unknown): UsageError | undefined {
  if (value === undefined) {
    return new UsageError("ARGUMENT_INVALID", "it is undefined; use null for NULL");
  }
  if (typeof value === "function" || typeof value === "symbol") {
    return new UsageError("ARGUMENT_INVALID", `a ${typeof value} cannot be sent`);
  }
  return types.isDate(value) && Number.isNaN(value.getTime())
    ? new UsageError("ARGUMENT_INVALID", "it is an invalid Date")
    : undefined;
}

function byPositionOnly(): UsageError {
  return new UsageError(
    "ARGUMENT_INVALID",
    "it has a name, and this driver takes arguments by position only: give the values in the " +
      "order of the placeholders, or rewrite the statement (forebay/postgres has namedArgs for it)",
  );
}

/** Asks the statement, then the connection; where neither has an opinion, looks itself. */
function fitByDriver(
  value: unknown,
  index: number,
  conn: DriverConn,
  stmt: DriverStmt | undefined,
): unknown {
  const isNamed = isNamedArg(value);
  if (isNamed && conn.takesNamedArgs !== true) throw argumentError(index, byPositionOnly());
  const inner = isNamed ? value.value : value;
  let fitted: unknown;
  try {
    fitted = stmt?.checkArg?.(inner, index);
    if (fitted === undefined) fitted = conn.checkArg?.(inner, index);
  } catch (error) {
    throw argumentError(index, error);
  }
  if (fitted === undefined) checkValue(inner, index);
  if (fitted === undefined || fitted === inner) return value;
  return isNamed ? new NamedArg(value.name, fitted) : fitted;
}
