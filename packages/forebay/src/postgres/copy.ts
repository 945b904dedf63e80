// COPY for users of a pool: on the connection that `raw` lends.

import type { OperationOptions } from "../driver/driver.ts";
import type { PgConnection } from "./wire/connection.ts";
import type { CopyResult, CopySource } from "./wire/copy-in.ts";

/**
 * Runs a `COPY … FROM STDIN` on one connection, with the data that `source` gives, in the format
 * that the statement names (text, unless it says otherwise).
 *
 * The source is read no faster than the server takes the data: memory is bounded by about one
 * socket's buffer, whatever the amount. When the source throws, the copy is undone and this rejects
 * with that error; when the signal is aborted, with `signal.reason`. The connection stays usable in
 * both cases. Rejects with `ARGUMENT_INVALID` for another statement, and with the server's
 * `PgError`.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 * import { copyFrom, type PgConnection } from "forebay/postgres";
 *
 * function* lines(): Generator<string> {
 *   for (let id = 1; id <= 100_000; id++) yield `${id}\tname ${id}\n`;
 * }
 *
 * async function load(db: DB<PgConnection>): Promise<number> {
 *   const sql = "COPY users (id, name) FROM STDIN";
 *   const copied = await db.withConn((conn) => conn.raw((pg) => copyFrom(pg, sql, lines())));
 *   return copied.rowsAffected;
 * }
 * ```
 */
export function copyFrom(
  conn: PgConnection,
  sql: string,
  source: CopySource,
  options?: OperationOptions,
): Promise<CopyResult> {
  return conn.copyIn(sql, source, options);
}
