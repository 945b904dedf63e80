// Arguments written into the text of a statement, for poolers and servers that take nothing but
// plain queries.

import { types } from "node:util";
import { UsageError } from "../../base/errors.ts";
import { argumentError } from "../../driver/args.ts";
import { pieceEnd } from "./sql-text.ts";
import { looseElementText } from "./types/index.ts";

/**
 * The statement with its arguments in the place of `$1`, `$2`, …. Each becomes a quoted literal
 * without a type, so that it means what a parameter would. What looks like a placeholder in a
 * string, a quoted name or a comment is none.
 *
 * Throws `ARGUMENT_INVALID` where there is no argument for a placeholder, or no placeholder for an
 * argument; for a value that cannot be sent; and on a session in which a quoted literal could mean
 * something else: `standard_conforming_strings` must be on, and `client_encoding` UTF8.
 */
export function interpolate(
  sql: string,
  args: readonly unknown[],
  parameters: ReadonlyMap<string, string>,
): string {
  if (args.length === 0) return sql;
  checkSession(parameters);
  const used = new Set<number>();
  let written = "";
  for (let at = 0; at < sql.length; ) {
    const end = Math.max(pieceEnd(sql, at), at + 1);
    const digits =
      sql[at] === "$" && end === at + 1 ? /^\d{1,5}/.exec(sql.slice(end, end + 5)) : null;
    if (digits === null) {
      written += sql.slice(at, end);
      at = end;
      continue;
    }
    const number = Number(digits[0]);
    if (number < 1 || number > args.length) {
      throw new UsageError(
        "ARGUMENT_INVALID",
        `the statement has a parameter $${number}, and ${args.length} arguments were given`,
      );
    }
    used.add(number);
    // Spaces, so that what stands beside it does not become part of it.
    written += ` ${literal(args[number - 1], number - 1)} `;
    at = end + digits[0].length;
  }
  if (used.size !== args.length) {
    throw new UsageError(
      "ARGUMENT_INVALID",
      `the statement uses ${used.size} of the ${args.length} arguments that were given`,
    );
  }
  return written;
}

function checkSession(parameters: ReadonlyMap<string, string>): void {
  const isPlain =
    parameters.get("standard_conforming_strings") === "on" &&
    parameters.get("client_encoding") === "UTF8";
  if (isPlain) return;
  throw new UsageError(
    "ARGUMENT_INVALID",
    "arguments can be written into a statement only where standard_conforming_strings is on and " +
      "client_encoding is UTF8: put the session back, or use another statementMode",
  );
}

function literal(value: unknown, index: number): string {
  if (value === null || value === undefined) return "NULL";
  let text: string;
  try {
    text = looseElementText(value, "a parameter of unknown type");
  } catch (error) {
    throw argumentError(index, error);
  }
  if (text.includes("\0")) {
    const reason = types.isUint8Array(value) ? "bytes" : "text";
    throw argumentError(
      index,
      new UsageError("ARGUMENT_INVALID", `${reason} must not contain NUL`),
    );
  }
  return `'${text.replaceAll("'", "''")}'`;
}
