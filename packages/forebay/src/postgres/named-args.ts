// Arguments by name, by rewriting the statement: PostgreSQL itself knows positions only.

import { UsageError } from "../base/errors.ts";
import { pieceEnd } from "./wire/sql-text.ts";

const NAME = /@\p{L}[\p{L}\p{N}_]*/uy;
const OPERATOR = /[-+*/<>=~!@#%^&|`?]/;

/**
 * What may stand right before the `@` of a placeholder: none of these and `@` together make an
 * operator that PostgreSQL brings along. `<` does, in `x <@ y`.
 */
const MAY_TOUCH: readonly string[] = ["=", "<>", "!=", "<=", ">=", ">", "+", "-", "*", "/", "||"];

/**
 * Rewrites `@name` placeholders to positions: gives the statement and its arguments, to be spread
 * into a call. A name may stand in several places, and is sent once. It begins with a letter, and
 * goes on with letters, digits and underscores. What looks like a placeholder in a string, a
 * quoted name, a comment or a dollar-quoted body is none; nor is the `@` of an operator.
 *
 * Throws `ARGUMENT_INVALID` for a placeholder without a value, for a value without a placeholder
 * (most likely a slip of the pen), for `$1` in the same text, and where `@` might belong to an
 * operator written right before it (`x<@name`): a space makes it clear. The text is read with
 * `standard_conforming_strings` on, the server's default.
 *
 * @example
 * ```ts
 * import type { Querier } from "forebay";
 * import { namedArgs } from "forebay/postgres";
 *
 * async function rename(on: Querier, id: number, name: string): Promise<void> {
 *   const sql = "UPDATE users SET name = @name, renamed = now() WHERE id = @id";
 *   await on.exec(...namedArgs(sql, { id, name }));
 * }
 * ```
 */
export function namedArgs(
  sql: string,
  values: Readonly<Record<string, unknown>>,
): [sql: string, args: unknown[]] {
  const positions = new Map<string, number>();
  let written = "";
  let operator = "";
  for (let at = 0; at < sql.length; ) {
    const name = nameAt(sql, at);
    if (name !== undefined) {
      checkPlaceholder(name, operator, values);
      const position = positions.get(name) ?? positions.size + 1;
      positions.set(name, position);
      written += `$${position}`;
      operator = "";
      at += name.length + 1;
      continue;
    }
    if (sql[at] === "$" && /\d/.test(sql[at + 1] ?? "")) throw mixed();
    const end = pieceEnd(sql, at);
    const piece = sql.slice(at, Math.max(end, at + 1));
    operator = OPERATOR.test(piece) && end === at ? operator + piece : "";
    written += piece;
    at += piece.length;
  }
  for (const name of Object.keys(values)) {
    if (!positions.has(name))
      throw new UsageError("ARGUMENT_INVALID", `no @${name} is in the text`);
  }
  return [written, Array.from(positions.keys(), (name) => values[name])];
}

function nameAt(sql: string, at: number): string | undefined {
  if (sql[at] !== "@") return undefined;
  NAME.lastIndex = at;
  return NAME.exec(sql)?.[0].slice(1);
}

function checkPlaceholder(
  name: string,
  operator: string,
  values: Readonly<Record<string, unknown>>,
): void {
  if (operator !== "" && !MAY_TOUCH.includes(operator)) {
    throw new UsageError(
      "ARGUMENT_INVALID",
      `the @ of @${name} might belong to the operator right before it; put a space between`,
    );
  }
  if (!Object.hasOwn(values, name)) {
    throw new UsageError("ARGUMENT_INVALID", `no value was given for @${name}`);
  }
}

function mixed(): UsageError {
  return new UsageError(
    "ARGUMENT_INVALID",
    "the text has placeholders by position ($1) too; write all of them by name",
  );
}
