// What the tests of dials share: servers that let in or turn away, and a dial of several of them.

import {
  type PgConnection,
  postgres,
  type PostgresOptions,
} from "../../../../packages/forebay/src/postgres/index.ts";
import { VirtualClock } from "../../../../packages/forebay/src/testing/virtual-clock.ts";
import { type FakeServer, listen, type Peer } from "./fake-server.ts";
import { int32, message, ready, report } from "./messages.ts";

/** What a primary reports of itself when it greets. */
export const PRIMARY = { in_hot_standby: "off", default_transaction_read_only: "off" };
/** And a standby. */
export const STANDBY = { in_hot_standby: "on", default_transaction_read_only: "off" };

/** The shortest welcome with these parameters. */
export function welcome(parameters: Readonly<Record<string, string>> = {}): Buffer {
  return Buffer.concat([
    message("R", int32(0)),
    ...Object.entries(parameters).map(([name, value]) => message("S", name, value)),
    message("K", int32(7), int32(99)),
    ready(),
  ]);
}

/** Lets the next one in. */
export async function greet(
  server: FakeServer,
  parameters?: Record<string, string>,
): Promise<Peer> {
  const peer = await server.accept();
  await peer.receive("startup");
  await peer.send(welcome(parameters));
  return peer;
}

/** Turns the next one away. */
export async function refuse(server: FakeServer, sqlstate: string): Promise<void> {
  const peer = await server.accept();
  await peer.receive("startup");
  await peer.send(report("FATAL", sqlstate, `no: ${sqlstate}`));
  await peer.closed;
}

/** A dial under way. */
export interface Dialing {
  readonly clock: VirtualClock;
  readonly connecting: Promise<PgConnection>;
  readonly abort: AbortController;
  mayRetry(error: unknown): boolean;
}

/** Dials the servers in this order. */
export function dial(servers: readonly FakeServer[], options: PostgresOptions = {}): Dialing {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const target = postgres({
    host: servers.map(() => "127.0.0.1"),
    port: servers.map(({ port }) => port),
    user: "app",
    sslMode: "disable",
    connectTimeoutMs: 3000,
    env: {},
    clock,
    ...options,
  });
  const connecting = target.connect({ signal: abort.signal, onLost: () => {} });
  return { clock, connecting, abort, mayRetry: (error) => target.shouldRetryConnect(error) };
}

/** A port at which nobody listens. */
export async function closedServer(): Promise<FakeServer> {
  const server = await listen();
  await server.close();
  return server;
}

/** So many servers. */
export function servers(count: number): Promise<FakeServer[]> {
  return Promise.all(Array.from({ length: count }, () => listen()));
}

/** Ends a dial that has succeeded; whether the connection was usable until then. */
export async function served(connecting: Promise<PgConnection>, peer: Peer): Promise<boolean> {
  const conn = await connecting;
  const isValid = conn.isValid();
  await conn.close();
  await peer.closed;
  return isValid;
}
