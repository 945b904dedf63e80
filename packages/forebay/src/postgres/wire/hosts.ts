// The servers that a configuration names, and the order in which a dial tries them. Names are not
// looked up here.

import { UsageError } from "../../base/errors.ts";
import { type Random, randomBelow } from "../../base/random.ts";

/** One of the servers that a configuration names. */
export interface ServerHost {
  /** A name, an address, or the directory of a Unix socket: what a certificate must be for. */
  readonly host: string;
  readonly port: number;
  /** The address to connect to, which saves the look-up of `host`; `undefined` when not given. */
  readonly hostAddr: string | undefined;
  /** The path of the Unix socket; `undefined` for TCP. */
  readonly socketPath: string | undefined;
}

const HOST_DEFAULT = "localhost";
const PORT_DEFAULT = 5432;

/**
 * Makes servers of three lists with commas, as libpq does: `host` and `hostaddr` are as long as
 * each other where both are given, and `port` is, too, or has one port for all. An empty place
 * stands for the default. Throws `UsageError` of `OPTION_INVALID`.
 */
export function resolveHosts(
  host: string | undefined,
  hostAddr: string | undefined,
  port: string | undefined,
): readonly ServerHost[] {
  const addresses = hostAddr?.split(",");
  const names = host?.split(",") ?? addresses?.map(() => "") ?? [""];
  if (addresses !== undefined && addresses.length !== names.length) {
    throw invalid(
      `host and hostaddr must name as many servers: there are ${names.length} hosts, ` +
        `and ${addresses.length} addresses`,
    );
  }
  const ports = (port ?? "").split(",").map(toPort);
  if (ports.length !== 1 && ports.length !== names.length) {
    throw invalid(
      "port must be one for all hosts, or one for each: " +
        `there are ${names.length} hosts, and ${ports.length} ports`,
    );
  }
  return names.map((name, index) => {
    const address = addresses?.[index] ?? "";
    const at = ports[ports.length === 1 ? 0 : index] ?? PORT_DEFAULT;
    return serverHost(name.trim(), address.trim(), at);
  });
}

function serverHost(name: string, address: string, port: number): ServerHost {
  const host = name !== "" ? name : address !== "" ? address : HOST_DEFAULT;
  const hostAddr = address === "" ? undefined : address;
  const isDirectory = hostAddr === undefined && /^[/@]/u.test(host);
  return { host, port, hostAddr, socketPath: isDirectory ? socketPath(host, port) : undefined };
}

function toPort(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "") return PORT_DEFAULT;
  if (!/^[0-9]{1,9}$/u.test(trimmed)) throw invalid("port must be a whole number");
  const port = Number(trimmed);
  if (port >= 1 && port <= 65_535) return port;
  throw invalid("port must be a whole number from 1 to 65535");
}

function socketPath(directory: string, port: number): string {
  const path = `${directory.replace(/\/$/u, "")}/.s.PGSQL.${port}`;
  return directory.startsWith("@") ? `\0${path.slice(1)}` : path;
}

function invalid(reason: string): UsageError {
  return new UsageError("OPTION_INVALID", reason);
}

/** `host:port`, with an IPv6 address in brackets. */
export function describeHost(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The same items in an order drawn evenly from all orders. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = items.slice();
  const drawn: T[] = [];
  while (rest.length > 0) drawn.push(...rest.splice(randomBelow(random, rest.length), 1));
  return drawn;
}
