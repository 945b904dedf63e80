// Plays what a server once said to a client: the real connection, over a socket without a network.

import { PgConnection } from "../../packages/forebay/src/postgres/index.ts";
import { Channel } from "../../packages/forebay/src/postgres/wire/channel.ts";
import { configFor, resolveConfig } from "../../packages/forebay/src/postgres/wire/config.ts";
import type { ServerHost } from "../../packages/forebay/src/postgres/wire/hosts.ts";
import { MessageReader } from "../../packages/forebay/src/postgres/wire/proto/reader.ts";
import type { Receiver } from "../../packages/forebay/src/postgres/wire/transport.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";
import { FakeSocket } from "../support/fake-socket.ts";
import type { Conversation, Told } from "./conversations.ts";

/** What came of it. */
export interface Replay {
  /** The outcome of each call, in order. */
  readonly told: readonly Told[];
  /** Whether the conversation came to its end once the server had hung up. */
  readonly isOver: boolean;
  /** What the conversation itself threw. */
  readonly thrown: unknown;
  /** What the reader of messages, or whoever it handed them to, threw. */
  readonly breach: unknown;
  /** Why the connection was lost, each time that it was told. */
  readonly losses: readonly unknown[];
  /** Whether the client had given the connection up before the server hung up. */
  readonly wasLost: boolean;
  /** Whether the connection still claimed to be usable afterwards. */
  readonly isValid: boolean;
  /** The outcome of one more call. */
  readonly after: Told;
}

const NO_PARAMETERS: readonly (readonly [string, string])[] = [
  ["server_version", "18.0"],
  ["application_name", "forebay"],
];

/** Remembers what a chunk has led to. */
class WatchedReader extends MessageReader {
  breach: unknown;

  override push(chunk: Buffer, size?: number): void {
    try {
      super.push(chunk, size);
    } catch (error) {
      this.breach = error;
      throw error;
    }
  }
}

function open(
  socket: FakeSocket,
  conversation: Conversation,
  reader: MessageReader,
  onLost: (reason: unknown) => void,
): PgConnection {
  const options = { clock: new VirtualClock(), env: {}, passFile: "", ...conversation.options };
  const all = resolveConfig("postgres://app@localhost/app?sslmode=disable", options);
  const transport = {
    socket: socket.asSocket,
    receive: (receiver: Receiver) => {
      socket.asSocket.on("data", (chunk) => {
        // As on a plain socket: what was read into is overwritten.
        const lent = Buffer.from(chunk);
        receiver(lent, lent.length);
        lent.fill(0xff);
      });
    },
    encrypted: false,
    endPoint: undefined,
    address: { host: "127.0.0.1", port: 5432 },
  };
  const facts = {
    parameters: new Map(NO_PARAMETERS),
    processId: 7,
    protocolVersion: "3.0" as const,
    // None, so that nothing is ever cancelled: that would take another connection.
    cancelKey: Buffer.alloc(0),
  };
  const config = configFor(all, all.hosts[0] as ServerHost);
  const channel = new Channel(config, transport, facts, reader);
  channel.onLost = onLost;
  return new PgConnection(channel);
}

/** Lets everything that can go on without more bytes go on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function told(call: Promise<unknown>): Promise<Told> {
  return await call.then(
    (value): Told => ({ value }),
    (error: unknown): Told => ({ error }),
  );
}

/**
 * Has the client make its calls, and gives it the chunks one after the other, each when it has
 * nothing left to do; then the server hangs up.
 */
export async function replay(
  conversation: Conversation,
  chunks: readonly Buffer[],
): Promise<Replay> {
  const socket = new FakeSocket();
  const losses: unknown[] = [];
  const reader = new WatchedReader({ onMessage() {} }, 0);
  const conn = open(socket, conversation, reader, (reason) => losses.push(reason));
  const all: Told[] = [];
  let isOver = false;
  let thrown: unknown;
  const tell = async (call: Promise<unknown>) => {
    const outcome = await told(call);
    all.push(outcome);
    return "value" in outcome ? outcome.value : outcome.error;
  };
  conversation.run(conn, tell).then(
    () => (isOver = true),
    (error: unknown) => {
      isOver = true;
      thrown = error;
    },
  );
  for (const chunk of chunks) {
    await turn();
    if (socket.destroyed) break;
    socket.receive(chunk);
  }
  await turn();
  const wasLost = socket.destroyed;
  socket.hangUp();
  // Whatever still waits is told one thing after the other, and each may make one more call.
  for (let turns = 0; turns < 8 && !isOver; turns++) await turn();
  const { breach } = reader;
  const isValid = conn.isValid();
  const after = isOver ? await told(conn.query("SELECT 1", [])) : { value: "not asked" };
  return { told: all, isOver, thrown, breach, losses, wasLost, isValid, after };
}
