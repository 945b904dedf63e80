// From a host to a socket that is ready for the startup message: name look-up, TCP or Unix socket,
// TLS. Whoever is rejected, or aborts, finds nothing left open.

import { addAbortListener, removeAbortListener } from "../../base/abort.ts";
import { readFile } from "node:fs/promises";
import {
  connect as connectSocket,
  isIP,
  type Socket,
  type NetConnectOpts,
  type TcpNetConnectOpts,
} from "node:net";
import {
  checkServerIdentity,
  connect as connectTls,
  type ConnectionOptions,
  type TLSSocket,
} from "node:tls";
import { ForebayError } from "../../base/errors.ts";
import { tlsServerEndPoint } from "./auth/channel-binding.ts";
import type { PostgresConfig } from "./config.ts";
import { ProtocolError } from "./errors.ts";
import { SSL_REQUEST } from "./proto/frontend.ts";

/** What is asked of a transport: `offered` is TLS if the server speaks it, else plain. */
export type Security = "plain" | "offered" | "tls";

/** Where a transport goes. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Takes what arrives: the first `count` bytes, which are overwritten after the call. */
export type Receiver = (bytes: Buffer, count: number) => void;

/** An open socket, which reads nothing before it is resumed. */
export interface Transport {
  readonly socket: Socket;
  /** Has all that arrives from now on taken by this receiver, in place of the one before. */
  readonly receive: (receiver: Receiver) => void;
  readonly encrypted: boolean;
  /**
   * The channel binding data of the server's certificate; `undefined` without TLS, or where none is
   * defined.
   */
  readonly endPoint: Buffer | undefined;
  /** Where it really goes: the address that the name stood for. */
  readonly address: Address;
}

/**
 * Opens a socket to `address`. Rejects with `signal.reason` when aborted, with a `ForebayError` of
 * `TLS_UNAVAILABLE` or `TLS_FAILED`, a `ProtocolError`, or the socket's own error.
 */
export async function openTransport(
  config: PostgresConfig,
  address: Address,
  security: Security,
  signal: AbortSignal,
): Promise<Transport> {
  signal.throwIfAborted();
  const files = security === "plain" ? undefined : await readTlsFiles(config);
  signal.throwIfAborted();
  const options = "path" in address ? address : tcpOptions(config, address);
  if (files === undefined) return openPlain(options, address, signal);
  const plain = connectSocket(options);
  keepErrors(plain);
  await until(plain, "connect", signal);
  const reached = reachedAddress(plain, address);
  const direct = config.sslNegotiation === "direct";
  if (direct || (await offersTls(plain, security, signal))) {
    const socket = await secure(config, plain, files, signal);
    const certificate = socket.getPeerCertificate().raw as Buffer | undefined;
    const endPoint = certificate === undefined ? undefined : tlsServerEndPoint(certificate);
    return { socket, receive: receivesOf(socket), encrypted: true, endPoint, address: reached };
  }
  const receive = receivesOf(plain);
  return { socket: plain, receive, encrypted: false, endPoint: undefined, address: reached };
}

/**
 * What all plain sockets of this thread read into, one at a time: who receives is done with it
 * before the next is read. Otherwise Node makes a buffer of this size for each read.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024);

async function openPlain(
  options: NetConnectOpts,
  address: Address,
  signal: AbortSignal,
): Promise<Transport> {
  let receiver: Receiver = () => undefined;
  const socket = connectSocket({
    ...options,
    onread: {
      buffer: READ_BUFFER,
      callback: (count) => {
        receiver(READ_BUFFER, count);
        return true;
      },
    },
  });
  socket.pause();
  keepErrors(socket);
  await until(socket, "connect", signal);
  return {
    socket,
    receive: (next) => {
      receiver = next;
    },
    encrypted: false,
    endPoint: undefined,
    address: reachedAddress(socket, address),
  };
}

/** For a socket that hands on what it reads by events. */
function receivesOf(socket: Socket): Transport["receive"] {
  let receiver: Receiver | undefined;
  return (next) => {
    if (receiver === undefined) socket.on("data", (chunk) => receiver?.(chunk, chunk.length));
    receiver = next;
  };
}

function tcpOptions(
  config: PostgresConfig,
  address: { readonly host: string; readonly port: number },
): TcpNetConnectOpts {
  const keepAlive = Number.isFinite(config.keepAliveMs);
  return {
    host: address.host,
    port: address.port,
    noDelay: true,
    keepAlive,
    ...(keepAlive ? { keepAliveInitialDelay: config.keepAliveMs } : {}),
  };
}

function reachedAddress(socket: Socket, address: Address): Address {
  const { remoteAddress: host, remotePort: port } = socket;
  return "path" in address || host === undefined || port === undefined ? address : { host, port };
}

/** Asks whether the server speaks TLS; throws when it must and does not. */
async function offersTls(
  socket: Socket,
  security: Security,
  signal: AbortSignal,
): Promise<boolean> {
  socket.write(SSL_REQUEST);
  const answer = (await until(socket, "data", signal)) as Buffer;
  // One byte and no more: what came with it was not protected, and must not be taken for what was.
  if (answer.length === 1 && answer[0] === 0x53) return true;
  if (answer.length === 1 && answer[0] === 0x4e && security === "offered") return false;
  await destroyed(socket);
  if (answer[0] === 0x4e && answer.length === 1) {
    throw new ForebayError(
      "operating",
      "TLS_UNAVAILABLE",
      "the server does not speak TLS, which sslmode demands: " +
        "turn on ssl in the server, or use sslmode prefer or disable",
      { retryable: true },
    );
  }
  throw new ProtocolError(
    "the server answered the request for TLS with more or other than one byte",
  );
}

interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

async function readTlsFiles(config: PostgresConfig): Promise<TlsFiles> {
  const { sslRootCert } = config;
  try {
    const [ca, cert, key] = await Promise.all([
      sslRootCert === undefined || sslRootCert === "system" ? undefined : readFile(sslRootCert),
      config.sslCert === undefined ? undefined : readFile(config.sslCert),
      config.sslKey === undefined ? undefined : readFile(config.sslKey),
    ]);
    return { ca, cert, key };
  } catch (error) {
    throw tlsFailed("a file of sslrootcert, sslcert or sslkey cannot be read", error);
  }
}

async function secure(
  config: PostgresConfig,
  plain: Socket,
  files: TlsFiles,
  signal: AbortSignal,
): Promise<TLSSocket> {
  let socket: TLSSocket;
  try {
    socket = connectTls(tlsOptions(config, plain, files));
    keepErrors(socket);
  } catch (error) {
    await destroyed(plain);
    throw tlsFailed("the certificate or the key cannot be used", error);
  }
  try {
    await until(socket, "secureConnect", signal);
    return socket;
  } catch (error) {
    await destroyed(plain);
    if (signal.aborted || isNetworkError(error)) throw error;
    throw tlsFailed("the TLS handshake failed", error);
  }
}

function tlsOptions(config: PostgresConfig, plain: Socket, files: TlsFiles): ConnectionOptions {
  const { host, sslMode } = config;
  const checked = sslMode.startsWith("verify") || (sslMode === "require" && files.ca !== undefined);
  return {
    socket: plain,
    minVersion: "TLSv1.2",
    rejectUnauthorized: checked,
    checkServerIdentity: (_name, certificate) =>
      sslMode === "verify-full" ? checkServerIdentity(host, certificate) : undefined,
    ...(config.sslSni && isIP(host) === 0 ? { servername: host } : {}),
    ...(config.sslNegotiation === "direct" ? { ALPNProtocols: ["postgresql"] } : {}),
    ...(files.ca === undefined ? {} : { ca: files.ca }),
    ...(files.cert === undefined ? {} : { cert: files.cert }),
    ...(files.key === undefined ? {} : { key: files.key }),
  };
}

const NETWORK_CODES: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

function isNetworkError(error: unknown): boolean {
  return NETWORK_CODES.has((error as { readonly code?: unknown } | undefined)?.code);
}

/** The error for everything that keeps two who could talk from trusting each other. */
export function tlsFailed(what: string, cause: unknown): ForebayError {
  const reason = cause instanceof Error ? `: ${cause.message}` : "";
  return new ForebayError("operating", "TLS_FAILED", `${what}${reason}`, {
    retryable: true,
    cause,
  });
}

/**
 * Lets an error that comes between two waits rest in `socket.errored`, where the next wait finds
 * it.
 */
function keepErrors(socket: Socket): void {
  socket.on("error", () => {});
}

/**
 * Waits for an event of the socket, and resolves with its first argument. When an error, the end of
 * the socket or the abort comes first, destroys the socket, waits until it is closed, and rejects.
 */
export async function until(socket: Socket, event: string, signal: AbortSignal): Promise<unknown> {
  let cleanUp = () => {};
  const outcome = new Promise<unknown>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    const onClose = () =>
      reject(Object.assign(new Error("the server closed the connection"), { code: "ECONNRESET" }));
    const onEvent = (value: unknown) => {
      // What comes next is for whoever listens next.
      if (event === "data") socket.pause();
      resolve(value);
    };
    socket.once(event, onEvent).once("error", reject).once("end", onClose).once("close", onClose);
    addAbortListener(signal, onAbort);
    cleanUp = () => {
      socket.off(event, onEvent).off("error", reject).off("end", onClose).off("close", onClose);
      removeAbortListener(signal, onAbort);
    };
    if (signal.aborted) onAbort();
    else if (socket.errored) reject(socket.errored);
    else if (socket.destroyed) onClose();
  });
  try {
    return await outcome;
  } catch (error) {
    cleanUp();
    await destroyed(socket);
    throw error;
  } finally {
    cleanUp();
  }
}

/** Destroys a socket; resolves once it is closed. */
export function destroyed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) {
      resolve();
      return;
    }
    socket.once("close", () => resolve());
    socket.destroy();
  });
}
