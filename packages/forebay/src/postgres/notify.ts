// The names of channels, and notifying them.

import { UsageError } from "../base/errors.ts";
import type { OperationOptions } from "../driver/driver.ts";
import type { Querier } from "../sql/types.ts";

/** The longest name that PostgreSQL does not cut off, in bytes. */
const NAME_BYTES_MAX = 63;

/** The longest payload that PostgreSQL takes, in bytes. */
const PAYLOAD_BYTES_MAX = 7999;

/**
 * Throws `ARGUMENT_INVALID` for what is no name of a channel. PostgreSQL cuts longer names off
 * without a word in `LISTEN`, and two channels become one.
 */
export function checkChannel(channel: string): void {
  const bytes = typeof channel === "string" ? Buffer.byteLength(channel) : 0;
  if (bytes >= 1 && bytes <= NAME_BYTES_MAX && !channel.includes("\0")) return;
  throw new UsageError(
    "ARGUMENT_INVALID",
    `the name of a channel has 1 to ${NAME_BYTES_MAX} bytes in UTF-8, and no NUL`,
  );
}

/**
 * Notifies a channel: on a `DB` at once, in a transaction when it is committed. Whoever listens
 * gets equal notifications of one transaction once. Names are taken as they are, as by `Listener`.
 *
 * Rejects with `ARGUMENT_INVALID` for a payload of more than 7999 bytes in UTF-8, the most that
 * PostgreSQL takes: put what is longer in a table, and notify its key.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 * import { notify } from "forebay/postgres";
 *
 * async function enqueue(db: DB, job: string): Promise<void> {
 *   await db.transaction(async (tx) => {
 *     const row = await tx.queryRow("INSERT INTO jobs (job) VALUES ($1) RETURNING id", [job]);
 *     await notify(tx, "jobs", String(row["id"]));
 *   });
 * }
 * ```
 */
export async function notify(
  on: Querier,
  channel: string,
  payload: string = "",
  options?: OperationOptions,
): Promise<void> {
  checkChannel(channel);
  if (Buffer.byteLength(payload) > PAYLOAD_BYTES_MAX || payload.includes("\0")) {
    throw new UsageError(
      "ARGUMENT_INVALID",
      `a payload has at most ${PAYLOAD_BYTES_MAX} bytes in UTF-8, and no NUL; ` +
        "put what is longer in a table, and notify its key",
    );
  }
  await on.exec("SELECT pg_catalog.pg_notify($1, $2)", [channel, payload], options);
}
