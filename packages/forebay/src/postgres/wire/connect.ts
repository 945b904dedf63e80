// Making a connection: the attempts that sslmode allows, the beginning of the session, and a bound
// on all of it.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import { pbkdf2, randomBytes } from "node:crypto";
import { unreachable } from "../../base/assert.ts";
import { type Clock, TIMER_DELAY_MAX_MS } from "../../base/clock.ts";
import { ForebayError, isForebayError } from "../../base/errors.ts";
import type { ConnectOptions } from "../../driver/driver.ts";
import { orAborted } from "./abort.ts";
import { callOut } from "./call-out.ts";
import { Channel } from "./channel.ts";
import { describeTarget, type PostgresConfig } from "./config.ts";
import { PgConnection } from "./connection.ts";
import { isPgError, ProtocolError } from "./errors.ts";
import { loadTypes } from "./load-types.ts";
import { MessageReader } from "./proto/reader.ts";
import { type SessionFacts, Startup, type StartupOptions } from "./startup.ts";
import {
  addressOf,
  destroyed,
  openTransport,
  type Security,
  tlsFailed,
  type Transport,
} from "./transport.ts";

/** The longest message that is accepted before the session has begun, in bytes. */
const STARTUP_MESSAGE_BYTES = 64 * 1024;

/**
 * Makes one connection.
 *
 * Rejects with `options.signal.reason`; with a `ForebayError` of `CONNECT_TIMEOUT`,
 * `CONNECT_FAILED` (with the socket's error as `cause`), `TLS_UNAVAILABLE`, `TLS_FAILED` or
 * `AUTH_FAILED`; with a `PgError` when the server refused; with a `ProtocolError`. Nothing is left
 * open then.
 */
export async function connect(
  config: PostgresConfig,
  options: ConnectOptions,
): Promise<PgConnection> {
  const bound = new AbortController();
  const onAbort = () => bound.abort(options.signal.reason);
  options.signal.throwIfAborted();
  addAbortListener(options.signal, onAbort);
  const timer = startTimer(config.clock, config.connectTimeoutMs, () =>
    bound.abort(timedOut(config)),
  );
  try {
    const channel = await openSession(config, bound.signal);
    if (bound.signal.aborted) await channel.close();
    bound.signal.throwIfAborted();
    if (channel.lost !== undefined) throw channel.lost.reason;
    const connection = new PgConnection(channel);
    if (!config.types.isLoaded) await readTypes(connection, channel, bound.signal);
    channel.onLost = options.onLost;
    return connection;
  } catch (error) {
    bound.signal.throwIfAborted();
    throw explain(config, error);
  } finally {
    timer?.cancel();
    removeAbortListener(options.signal, onAbort);
  }
}

/** Reads the types that the options name. On rejection the connection is closed. */
async function readTypes(connection: PgConnection, channel: Channel, signal: AbortSignal) {
  try {
    await loadTypes(channel.config.types, (sql, args) => connection.queryText(sql, args, signal));
  } catch (error) {
    await channel.close();
    throw error;
  }
  if (channel.lost !== undefined) throw channel.lost.reason;
}

function startTimer(clock: Clock, delayMs: number, fire: () => void) {
  return delayMs <= TIMER_DELAY_MAX_MS ? clock.setTimer(delayMs, fire) : undefined;
}

function timedOut(config: PostgresConfig): ForebayError {
  return new ForebayError(
    "operating",
    "CONNECT_TIMEOUT",
    `${describeTarget(config)}: no connection after ${config.connectTimeoutMs}ms`,
    { retryable: true },
  );
}

/**
 * Says where it was that a socket's error came from. Errors that speak for themselves stay as they
 * are.
 */
function explain(config: PostgresConfig, error: unknown): unknown {
  if (isPgError(error) || isForebayError(error) || error instanceof ProtocolError) return error;
  const reason = error instanceof Error ? error.message || String(codeOf(error)) : String(error);
  return new ForebayError(
    "operating",
    "CONNECT_FAILED",
    `${describeTarget(config)}: cannot connect: ${reason}`,
    { retryable: true, cause: error },
  );
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code;
}

/** Tries what sslmode allows, one after the other; the error of the first try counts. */
async function openSession(config: PostgresConfig, signal: AbortSignal): Promise<Channel> {
  const password = await orAborted(Promise.resolve(config.password()), signal);
  const [first, second] = securities(config);
  try {
    return await trySession(config, first, password, signal);
  } catch (error) {
    if (second === undefined || signal.aborted || !mayDifferBySecurity(error)) throw error;
    try {
      return await trySession(config, second, password, signal);
    } catch {
      signal.throwIfAborted();
      throw error;
    }
  }
}

function securities(config: PostgresConfig): readonly [Security, Security?] {
  if (config.socketPath !== undefined) return ["plain"];
  switch (config.sslMode) {
    case "disable":
      return ["plain"];
    case "allow":
      return ["plain", "tls"];
    case "prefer":
      return ["offered", "plain"];
    case "require":
    case "verify-ca":
    case "verify-full":
      return ["tls"];
    default:
      return unreachable(config.sslMode);
  }
}

/** Whether the server might accept with TLS what it refused without, or the other way round. */
function mayDifferBySecurity(error: unknown): boolean {
  if (isPgError(error)) return error.sqlstate === "28000";
  return isForebayError(error) && error.code === "TLS_FAILED";
}

async function trySession(
  config: PostgresConfig,
  security: Security,
  password: string | undefined,
  signal: AbortSignal,
): Promise<Channel> {
  const transport = await openTransport(config, addressOf(config), security, signal);
  try {
    return await beginSession(config, transport, password, signal);
  } catch (error) {
    await destroyed(transport.socket);
    throw isTlsAlert(error) ? tlsFailed("the server broke the TLS connection off", error) : error;
  }
}

/** In TLS 1.3 the server complains about the client's certificate only after the handshake. */
function isTlsAlert(error: unknown): boolean {
  return String(codeOf(error)).startsWith("ERR_SSL_");
}

function startupOptions(
  config: PostgresConfig,
  transport: Transport,
  password: string | undefined,
): StartupOptions {
  const parameters = new Map([
    ["user", config.user],
    ["database", config.database],
    ["application_name", config.applicationName],
    ["client_encoding", "UTF8"],
    ["DateStyle", "ISO"],
  ]);
  if (config.options !== undefined) parameters.set("options", config.options);
  return {
    user: config.user,
    password,
    parameters,
    channelBinding: config.channelBinding,
    encrypted: transport.encrypted,
    endPoint: transport.endPoint,
    nonce: randomBytes(18).toString("base64"),
  };
}

/**
 * Carries the session to its first ReadyForQuery. On rejection the socket is left to the caller.
 */
function beginSession(
  config: PostgresConfig,
  transport: Transport,
  password: string | undefined,
  signal: AbortSignal,
): Promise<Channel> {
  const { socket } = transport;
  let cleanUp = () => {};
  const begun = new Promise<Channel>((resolve, reject) => {
    let channel: Channel | undefined;
    const fail = (error: unknown) => {
      if (channel === undefined) reject(error);
      else channel.lose(error);
    };
    const attempt = (step: () => void) => {
      try {
        step();
      } catch (error) {
        fail(error);
      }
    };
    const onData = (chunk: Buffer) => attempt(() => reader.push(chunk));
    const onAbort = () => reject(signal.reason);
    const onEnd = () => reject(new Error("the server closed the connection"));
    const startup = new Startup(startupOptions(config, transport, password), {
      send: (bytes) => void socket.write(bytes),
      notice: (notice) => callOut(() => config.onNotice?.(notice)),
      derive: (prepared, { salt, iterations }) =>
        pbkdf2(prepared, salt, iterations, 32, "sha256", (error, key) =>
          error === null ? attempt(() => startup.onDerived(key)) : reject(error),
        ),
      ready: (facts: SessionFacts) => {
        cleanUp();
        channel = new Channel(config, transport, facts, reader);
        resolve(channel);
      },
    });
    const reader = new MessageReader(startup, STARTUP_MESSAGE_BYTES);
    cleanUp = () => {
      socket.off("data", onData).off("error", reject).off("end", onEnd).off("close", onEnd);
      removeAbortListener(signal, onAbort);
    };
    socket.on("data", onData).on("error", reject).on("end", onEnd).on("close", onEnd);
    addAbortListener(signal, onAbort);
    if (signal.aborted) onAbort();
    else if (socket.destroyed) onEnd();
    else attempt(() => startup.begin());
    socket.resume();
  });
  return begun.finally(cleanUp);
}
