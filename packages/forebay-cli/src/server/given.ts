// A server that the user names: checked before anything is done with it, so that what is wrong
// shows at once and in plain words.

import type { Connector } from "forebay/driver";
import { postgres } from "forebay/postgres";
import { CliError } from "../errors.ts";
import type { EmbeddedOptions, Server } from "./server.ts";

/** What is known of an error without knowing its class. */
interface Clues {
  readonly code?: unknown;
  readonly sqlstate?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
}

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
    throw explainFailure(error, `${connector.name}, from ${source},`);
  }
  return {
    kind: "given",
    url,
    description: connector.name,
    version,
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

/**
 * Says what an error in connecting to `server` means, and what to do. `server` names it, without
 * secrets.
 */
export function explainFailure(error: unknown, server: string): CliError {
  for (let depth = 0, at = error; depth < 8; depth++) {
    if (typeof at !== "object" || at === null) break;
    const known = explainOne(at, server, error);
    if (known !== undefined) return known;
    at = (at as Clues).cause;
  }
  const reason = error instanceof Error ? withoutCode(error.message) : String(error);
  return new CliError(
    "SERVER_UNREACHABLE",
    `cannot connect to ${server}: ${reason}`,
    "Check the host and the port, and that a PostgreSQL server listens there.",
    { cause: error },
  );
}

function explainOne(clues: Clues, server: string, cause: unknown): CliError | undefined {
  const message = withoutCode(String(clues.message));
  const make = (code: CliError["code"], what: string, nextStep: string): CliError =>
    new CliError(code, what, nextStep, { cause });
  if (typeof clues.sqlstate === "string") {
    return explainRefusal(clues.sqlstate, message, server, make);
  }
  if (clues.code === "TLS_UNAVAILABLE") {
    return make(
      "SERVER_NO_TLS",
      `${server} does not speak TLS`,
      "Turn TLS on at the server, or use sslmode=disable on a network that you trust.",
    );
  }
  if (clues.code === "TLS_FAILED") {
    return make(
      "SERVER_TLS_FAILED",
      `no TLS connection to ${server}: ${message}`,
      "Check sslmode and sslrootcert, and that the certificate is for this host.",
    );
  }
  if (clues.code === "AUTH_FAILED") {
    return make("SERVER_REFUSED", `no login at ${server}: ${message}`, "Check the password.");
  }
  if (clues.code === "CONNECT_TIMEOUT") {
    return make(
      "SERVER_UNREACHABLE",
      `${server} does not answer in time`,
      "Check the host and the port, and whether a firewall is in between.",
    );
  }
  if (typeof clues.code === "string" && /^E[A-Z]+$/.test(clues.code)) {
    return make(
      "SERVER_UNREACHABLE",
      `cannot reach ${server}: ${clues.code}`,
      "Check the host and the port, and that the server runs.",
    );
  }
  return undefined;
}

function explainRefusal(
  state: string,
  message: string,
  server: string,
  make: (code: CliError["code"], what: string, nextStep: string) => CliError,
): CliError {
  const what = `${server} refuses the connection: ${message} (${state})`;
  if (state === "28P01") return make("SERVER_REFUSED", what, "Check the user and the password.");
  if (state === "3D000") return make("SERVER_REFUSED", what, "Check the name of the database.");
  if (state === "53300") {
    return make("SERVER_REFUSED", what, "Free some connections, or raise max_connections.");
  }
  if (state === "57P03") return make("SERVER_UNREACHABLE", what, "Try again when it has started.");
  return make(
    "SERVER_REFUSED",
    what,
    "Check the user, the database, sslmode, and pg_hba.conf on the server.",
  );
}

/** A message of the library ends in its code, which would stand beside ours. */
function withoutCode(message: string): string {
  return message.replace(/\.? \[[A-Z_]+\]$/, "").replace(/\.$/, "");
}
