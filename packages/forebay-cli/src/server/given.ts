// A server that the user names: checked before anything is done with it, so that what is wrong
// shows at once and in plain words.

import type { Connector } from "forebay/driver";
import { postgres } from "forebay/postgres";
import { CliError } from "../errors.ts";
import { explainConnectFailure, withoutCode } from "./failure.ts";
import type { EmbeddedOptions, Server } from "./server.ts";

/**
 * The server of a connection string, after one connection to it. `source` is where the string came
 * from, for messages.
 *
 * Rejects with `signal.reason`, or with a `CliError` of code `URL_INVALID`, `SERVER_UNREACHABLE`,
 * `SERVER_REFUSED`, `SERVER_NO_TLS` or `SERVER_TLS_FAILED`.
 */
export async function openGiven(
  url: string,
  source: "--dsn" | "DATABASE_URL",
  { signal, onProgress }: Pick<EmbeddedOptions, "signal" | "onProgress"> = {},
): Promise<Server> {
  const connector = connectorFor(url, source);
  onProgress?.(`connecting to ${connector.name}`);
  let version: string;
  try {
    version = await serverVersion(connector, signal ?? new AbortController().signal);
  } catch (error) {
    signal?.throwIfAborted();
    throw explainConnectFailure(error, `${connector.name} (from ${source})`);
  }
  return {
    kind: "given",
    url,
    description: connector.name,
    version,
    lost: new AbortController().signal,
    stop: () => Promise.resolve(),
  };
}

function connectorFor(url: string, source: string): Connector {
  try {
    if (url === "") throw new CliError("URL_INVALID", "it is empty", "");
    return postgres(url);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(
      "URL_INVALID",
      `the value of ${source} is not a connection string: ${withoutCode(reason)}`,
      "It looks like postgres://user:password@host:5432/database.",
      { cause: error },
    );
  }
}

async function serverVersion(connector: Connector, signal: AbortSignal): Promise<string> {
  const conn = await connector.connect({ signal, onLost: () => undefined });
  try {
    const { rows } = await conn.query("SHOW server_version", [], { signal, rowMode: "array" });
    return String((rows[0] as readonly unknown[])[0]).split(" ", 1)[0] ?? "";
  } finally {
    await conn.close();
    await connector.close?.();
  }
}
