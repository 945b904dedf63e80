// Finds the server that a command works with: the one that the user names, or else one started for
// this run.

import { startEmbedded } from "./embedded.ts";
import { openGiven } from "./given.ts";
import type { EmbeddedOptions, Server } from "./server.ts";

export { startEmbedded } from "./embedded.ts";
export type { EmbeddedOptions, EmbeddedServer, Server } from "./server.ts";

/** What decides which server is used. */
export interface FindServerOptions extends EmbeddedOptions {
  /** The value of `--dsn`. It wins over the environment. */
  readonly dsn?: string | undefined;
  /** Where `DATABASE_URL` is looked up. @defaultValue `process.env` */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * The server of `--dsn`, else the one of `DATABASE_URL`, else an embedded one. A given server is
 * connected to once, to see that it can be. An empty `DATABASE_URL` counts as none.
 *
 * Rejects with a `CliError`, or with `signal.reason`; then nothing is left running. The caller must
 * `stop` the server.
 */
export async function findServer(options: FindServerOptions = {}): Promise<Server> {
  const { dsn, env = process.env } = options;
  if (dsn !== undefined) return await openGiven(dsn, "--dsn", options);
  const fromEnvironment = env["DATABASE_URL"];
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    return await openGiven(fromEnvironment, "DATABASE_URL", options);
  }
  return await startEmbedded(options);
}
