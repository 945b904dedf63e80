// From an error of a connection or a server to what the user should know: in plain words, with a
// code and a way out. By the errors' fields alone, so that it does not matter who made them.

import { CliError, type CliErrorCode } from "../errors.ts";

/** What is known of an error without knowing its class. */
interface Clues {
  readonly code?: unknown;
  readonly sqlstate?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
}

/** What to say: a code, what happened to the server, what to do. */
type Explanation = readonly [code: CliErrorCode, what: string, nextStep: string];

const CHECK_ADDRESS = "Check the host and the port, and that the server runs.";
const CHECK_LOGIN = "Check the user, the database, sslmode, and pg_hba.conf on the server.";

/** By SQLSTATE, or by its class: the first two characters. */
const BY_STATE: Readonly<Record<string, readonly [code: CliErrorCode, nextStep: string]>> = {
  "08": ["SERVER_UNREACHABLE", "Check that the server runs."],
  "28": ["SERVER_REFUSED", CHECK_LOGIN],
  "28P01": ["SERVER_REFUSED", "Check the user and the password."],
  "3D000": ["SERVER_REFUSED", "Check the name of the database."],
  "42501": ["SERVER_REFUSED", "Use a role that may connect, and create a schema."],
  "53": ["SERVER_REFUSED", "Give the server more room: disk, memory, max_connections."],
  "53300": ["SERVER_REFUSED", "Free some connections, or raise max_connections."],
  "57P01": ["SERVER_UNREACHABLE", "Check that the server runs, and who ended the session."],
  "57P02": ["SERVER_UNREACHABLE", "See the log of the server."],
  "57P03": ["SERVER_UNREACHABLE", "Try again when the server has started."],
};

/**
 * Says what an error means when it comes of the server or the way to it, and not of a mistake in
 * Forebay: `undefined` for any other. `server` names the server, without secrets.
 */
export function explainServerFailure(error: unknown, server: string): CliError | undefined {
  for (let depth = 0, at = error; depth < 8; depth++) {
    if (typeof at !== "object" || at === null) return undefined;
    const explanation = explain(at, server);
    if (explanation !== undefined) return new CliError(...explanation, { cause: error });
    at = (at as Clues).cause;
  }
  return undefined;
}

/** Says what an error in connecting to a server means. */
export function explainConnectFailure(error: unknown, server: string): CliError {
  const known = explainServerFailure(error, server);
  if (known !== undefined) return known;
  const reason = error instanceof Error ? withoutCode(error.message) : String(error);
  const hasRefused = typeof (error as Clues | null)?.sqlstate === "string";
  return hasRefused
    ? new CliError("SERVER_REFUSED", `${server} refuses: ${reason}`, CHECK_LOGIN, { cause: error })
    : new CliError("SERVER_UNREACHABLE", `cannot connect to ${server}: ${reason}`, CHECK_ADDRESS, {
        cause: error,
      });
}

/**
 * The message without what the library ends it with: its own code, which would stand beside ours.
 */
export function withoutCode(message: string): string {
  return message.replace(/ \[[A-Z_]+\]$/, "").replace(/\.$/, "");
}

function explain({ sqlstate, code, message }: Clues, server: string): Explanation | undefined {
  const reason = withoutCode(String(message));
  if (typeof sqlstate === "string") return explainState(sqlstate, reason, server);
  switch (code) {
    case "TLS_UNAVAILABLE":
      return [
        "SERVER_NO_TLS",
        `${server} does not speak TLS`,
        "Turn TLS on at the server, or use sslmode=disable on a network that you trust.",
      ];
    case "TLS_FAILED":
      return [
        "SERVER_TLS_FAILED",
        `no TLS connection to ${server}: ${reason}`,
        "Check sslmode and sslrootcert, and that the certificate is for this host.",
      ];
    case "AUTH_FAILED":
      return ["SERVER_REFUSED", `no login at ${server}: ${reason}`, CHECK_LOGIN];
    case "CONNECT_TIMEOUT":
      return [
        "SERVER_UNREACHABLE",
        `${server} does not answer in time`,
        "Check the host and the port, and whether a firewall is in between.",
      ];
    case "CONNECTION_LOST":
    case "BAD_CONN":
      return [
        "SERVER_UNREACHABLE",
        `the connection to ${server} has ended: ${reason}`,
        "Check that the server runs, and see its log.",
      ];
    default:
      // Node's own, of sockets and of names that do not resolve.
      return typeof code === "string" && /^E(?!RR_)[A-Z_]+$/.test(code)
        ? ["SERVER_UNREACHABLE", `cannot reach ${server}: ${code}`, CHECK_ADDRESS]
        : undefined;
  }
}

function explainState(state: string, reason: string, server: string): Explanation | undefined {
  const [code, nextStep] = BY_STATE[state] ?? BY_STATE[state.slice(0, 2)] ?? [];
  if (code === undefined || nextStep === undefined) return undefined;
  const verb = code === "SERVER_UNREACHABLE" ? "is not there" : "refuses";
  return [code, `${server} ${verb}: ${reason} (${state})`, nextStep];
}
