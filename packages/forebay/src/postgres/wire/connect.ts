// From an address to a session that is ready: the attempts that sslmode allows, one after the
// other. Bounded in time by whoever asks.

import { pbkdf2, randomBytes } from "node:crypto";
import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import { unreachable } from "../../base/assert.ts";
import { isForebayError } from "../../base/errors.ts";
import { callOut } from "./call-out.ts";
import { Channel } from "./channel.ts";
import type { PostgresConfig } from "./config.ts";
import { isPgError } from "./errors.ts";
import { MessageReader } from "./proto/reader.ts";
import { type SessionFacts, Startup, type StartupOptions } from "./startup.ts";
import {
  type Address,
  destroyed,
  openTransport,
  type Receiver,
  type Security,
  tlsFailed,
  type Transport,
} from "./transport.ts";

/** The longest message that is accepted before the session has begun, in bytes. */
const STARTUP_MESSAGE_BYTES = 64 * 1024;

/**
 * Begins a session: tries what sslmode allows, one after the other; the error of the first try
 * counts. Nothing is left open on a rejection.
 */
export async function openSession(
  config: PostgresConfig,
  address: Address,
  password: string | undefined,
  signal: AbortSignal,
): Promise<Channel> {
  const [first, second] = securities(config);
  const attempt = (security: Security) => trySession(config, address, security, password, signal);
  try {
    return await attempt(first);
  } catch (error) {
    if (second === undefined || signal.aborted || !mayDifferBySecurity(error)) throw error;
    try {
      return await attempt(second);
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
  address: Address,
  security: Security,
  password: string | undefined,
  signal: AbortSignal,
): Promise<Channel> {
  const transport = await openTransport(config, address, security, signal);
  try {
    return await beginSession(config, transport, password, signal);
  } catch (error) {
    await destroyed(transport.socket);
    throw isTlsAlert(error) ? tlsFailed("the server broke the TLS connection off", error) : error;
  }
}

/** In TLS 1.3 the server complains about the client's certificate only after the handshake. */
function isTlsAlert(error: unknown): boolean {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return String(code).startsWith("ERR_SSL_");
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
    protocolMinors: config.protocolMinors,
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
    const receiver: Receiver = (bytes, count) => attempt(() => reader.push(bytes, count));
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
      socket.off("error", reject).off("end", onEnd).off("close", onEnd);
      removeAbortListener(signal, onAbort);
    };
    transport.receive(receiver);
    socket.on("error", reject).on("end", onEnd).on("close", onEnd);
    addAbortListener(signal, onAbort);
    if (signal.aborted) onAbort();
    else if (socket.destroyed) onEnd();
    else attempt(() => startup.begin());
    socket.resume();
  });
  return begun.finally(cleanUp);
}
