// A relay that counts what clients say to the server: how often each kind of message of the
// PostgreSQL protocol goes out. It must be able to read along, so there is no TLS on either side.

import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** How many messages of each kind, by the letter of the protocol: `P` for Parse. */
export type MessageCounts = Readonly<Record<string, number>>;

/** Reads along one client's messages, in whatever pieces they come. */
export class MessageReader {
  readonly #count: (kind: string) => void;
  /** Bytes of the message under way that are still to come. */
  #left = 0;
  /** The first bytes of a message whose length is not known yet. */
  #head: number[] = [];
  /** The first message of a connection has no letter. */
  #isFirst = true;

  constructor(count: (kind: string) => void) {
    this.#count = count;
  }

  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      this.#head.push(chunk[at++] ?? 0);
      if (this.#head.length === (this.#isFirst ? 4 : 5)) this.#begin();
    }
  }

  #begin(): void {
    const head = Buffer.from(this.#head);
    if (!this.#isFirst) this.#count(String.fromCharCode(head[0] ?? 0));
    this.#left = head.readUInt32BE(this.#isFirst ? 0 : 1) - 4;
    this.#head = [];
    this.#isFirst = false;
  }
}

const HOST = "127.0.0.1";

/** A relay on a free port of 127.0.0.1. */
export class MessageCounter {
  readonly host: string = HOST;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #counts = new Map<string, number>();

  /** Opens one to a port of 127.0.0.1. The caller closes it. */
  static async open(port: number): Promise<MessageCounter> {
    const counter = new MessageCounter(port);
    await new Promise<void>((resolve, reject) => {
      counter.#server.once("error", reject);
      counter.#server.listen(0, HOST, resolve);
    });
    return counter;
  }

  private constructor(port: number) {
    this.#server = createServer({ noDelay: true }, (client) => this.#relay(client, port));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many so far. */
  counts(): MessageCounts {
    return Object.fromEntries(this.#counts);
  }

  /** Cuts what is open. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #relay(client: Socket, port: number): void {
    const server = connect({ port, host: HOST, noDelay: true });
    const reader = new MessageReader((kind) => {
      this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    });
    client.on("data", (chunk) => reader.take(chunk));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server);
    server.pipe(client);
  }
}

/** What was said in between. */
export function countedBetween(before: MessageCounts, after: MessageCounts): MessageCounts {
  return Object.fromEntries(
    Object.entries(after).map(([kind, count]) => [kind, count - (before[kind] ?? 0)]),
  );
}
