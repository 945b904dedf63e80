// A server that says what a test tells it to, on a socket of the loopback interface.

import * as net from "node:net";
import { afterEach } from "vitest";
import {
  type PgConnection,
  postgres,
  type PostgresOptions,
} from "../../../../packages/forebay/src/postgres/index.ts";
import { VirtualClock } from "../../../../packages/forebay/src/testing/virtual-clock.ts";
import { welcome } from "./messages.ts";

/** A message of the client. The startup message and its like have the type `startup`. */
export interface ClientMessage {
  readonly type: string;
  readonly body: Buffer;
}

/** The server's end of one connection. */
export class Peer {
  readonly socket: net.Socket;
  /** Resolves once the connection is closed at this end, too. */
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #isOver = false;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#isOver = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** Sends bytes, and resolves when they are on their way. */
  send(...bytes: readonly Buffer[]): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(Buffer.concat(bytes), () => resolve());
    });
  }

  /** The next message of the client; `undefined` when it has hung up. */
  async receive(kind: "startup" | "message" = "message"): Promise<ClientMessage | undefined> {
    for (;;) {
      const header = kind === "startup" ? 0 : 1;
      if (this.#bytes.length >= header + 4) {
        const end = header + this.#bytes.readInt32BE(header);
        if (this.#bytes.length >= end) {
          const type = kind === "startup" ? "startup" : this.#bytes.toString("latin1", 0, 1);
          const body = Buffer.from(this.#bytes.subarray(header + 4, end));
          this.#bytes = this.#bytes.subarray(end);
          return { type, body };
        }
      }
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Reads messages up to one of the type `last`; gives their types. */
  async receiveUntil(last: string): Promise<string> {
    let types = "";
    for (;;) {
      const message = await this.receive();
      if (message === undefined) return types;
      types += message.type;
      if (message.type === last) return types;
    }
  }
}

/** A server. */
export class FakeServer {
  readonly port: number;
  readonly #server: net.Server;
  readonly #peers: Peer[] = [];
  #wake: () => void = () => {};
  #taken = 0;

  private constructor(server: net.Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on("connection", (socket) => {
      this.#peers.push(new Peer(socket));
      this.#wake();
    });
  }

  static async listen(): Promise<FakeServer> {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FakeServer(server, (server.address() as net.AddressInfo).port);
  }

  /** The next connection, in order of arrival. */
  async accept(): Promise<Peer> {
    while (this.#taken >= this.#peers.length) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#peers[this.#taken++] as Peer;
  }

  /** How many connections have come. */
  get count(): number {
    return this.#peers.length;
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) peer.socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** What a test has in hand once a session has begun. */
export interface Scene {
  readonly server: FakeServer;
  readonly peer: Peer;
  readonly conn: PgConnection;
  readonly clock: VirtualClock;
  /** Why the connection was lost, each time that it was told. */
  readonly losses: unknown[];
}

const servers: FakeServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

/** A server that is closed after the test. */
export async function listen(): Promise<FakeServer> {
  const server = await FakeServer.listen();
  servers.push(server);
  return server;
}

/** The options for a connection to a fake server. */
export function optionsFor(server: FakeServer, clock: VirtualClock): PostgresOptions {
  return {
    host: "127.0.0.1",
    port: server.port,
    user: "app",
    password: "hush",
    sslMode: "disable",
    env: {},
    clock,
  };
}

/** Begins a session with a fake server that trusts everyone. */
export async function begin(options: PostgresOptions = {}): Promise<Scene> {
  const server = await listen();
  const clock = new VirtualClock();
  const losses: unknown[] = [];
  const { signal } = new AbortController();
  const connecting = postgres({ ...optionsFor(server, clock), ...options }).connect({
    signal,
    onLost: (reason) => losses.push(reason),
  });
  const peer = await server.accept();
  await peer.receive("startup");
  await peer.send(welcome());
  return { server, peer, conn: await connecting, clock, losses };
}

/** Answers a CancelRequest as a server does: not at all. Gives its body. */
export async function takeCancel(server: FakeServer): Promise<Buffer> {
  const peer = await server.accept();
  const request = await peer.receive("startup");
  peer.socket.end();
  await peer.closed;
  return request?.body ?? Buffer.alloc(0);
}

/** What a promise is rejected with; throws if it is not. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error("expected a rejection");
  return outcome.error;
}

/** The code of an error. */
export function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown }).code;
}
