// The lab's TCP proxy between real sockets. How long things take is in the unit test of its line.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { TcpProxy, type TcpProxyOptions } from "../../packages/forebay-cli/src/lab/tcp-proxy.ts";

const HOST = "127.0.0.1";
const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** A server whose sockets the test holds; `serve` is called with each. */
async function listen(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    closers.push(() => socket.destroy());
    serve(socket);
  });
  server.listen(0, HOST);
  await once(server, "listening");
  closers.push(() => server.close());
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** A server that answers each chunk with its name before it. */
function listenAs(name: string): Promise<Server> {
  return listen((socket) => {
    socket.on("data", (data: Buffer) => socket.write(`${name}:${String(data)}`));
    socket.on("end", () => socket.end("bye"));
  });
}

async function open(server: Server, options: Partial<TcpProxyOptions> = {}): Promise<TcpProxy> {
  const proxy = await TcpProxy.open({ target: { host: HOST, port: portOf(server) }, ...options });
  closers.push(() => proxy.close());
  return proxy;
}

/** A client; `log` has what came to it, and how it ended. */
async function join(proxy: TcpProxy) {
  const log: string[] = [];
  const socket = connect({ host: HOST, port: proxy.port, allowHalfOpen: true });
  closers.push(() => socket.destroy());
  socket.on("data", (data: Buffer) => log.push(String(data)));
  socket.on("end", () => log.push("end"));
  socket.on("error", (error: NodeJS.ErrnoException) => log.push(error.code ?? error.message));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await Promise.race([new Promise((resolve) => socket.once("connect", resolve)), closed]);
  return { socket, log, closed };
}

async function ask(socket: Socket, text: string): Promise<string> {
  const answer = once(socket, "data");
  socket.write(text);
  return String((await answer)[0]);
}

test("passes bytes both ways, and counts connections", async () => {
  const proxy = await open(await listenAs("a"), { delayMs: 1 });
  const { socket } = await join(proxy);
  expect(await ask(socket, "x")).toBe("a:x");
  const other = await join(proxy);
  expect(await ask(other.socket, "y")).toBe("a:y");
  expect([proxy.acceptedCount, proxy.openCount]).toEqual([2, 2]);
  other.socket.end();
  await other.closed;
  await ask(socket, "x");
  expect([proxy.acceptedCount, proxy.openCount]).toEqual([2, 1]);
});

test("a side that has ended its sending still receives", async () => {
  const proxy = await open(await listenAs("a"), { delayMs: 1 });
  const { socket, log, closed } = await join(proxy);
  socket.end("last");
  await closed;
  expect(log.join(" ")).toMatch(/^a:last ?bye end$/);
});

test("a reset is passed on", async () => {
  const proxy = await open(
    await listen((socket) => socket.once("data", () => socket.resetAndDestroy())),
  );
  const { socket, log, closed } = await join(proxy);
  socket.write("x");
  await closed;
  expect(log).toEqual(["ECONNRESET"]);
});

test("a sender is held while the other side does not read, and nothing is lost", async () => {
  let receiver: Socket | undefined;
  const proxy = await open(await listen((socket) => (receiver = socket.pause())), { delayMs: 1 });
  const { socket } = await join(proxy);
  const chunk = Buffer.alloc(1 << 20);
  let sentBytes = 0;
  const limitBytes = 64 << 20;
  // Until a write is not taken any more: all buffers on the way are full then.
  while (sentBytes < limitBytes) {
    const taken = new Promise((resolve) => socket.write(chunk, () => resolve("taken")));
    sentBytes += chunk.length;
    const held = new Promise((resolve) => setTimeout(() => resolve("held"), 500));
    if ((await Promise.race([taken, held])) === "held") break;
  }
  expect(sentBytes).toBeLessThan(limitBytes);
  socket.end();
  let receivedBytes = 0;
  receiver?.on("data", (data: Buffer) => (receivedBytes += data.length));
  receiver?.resume();
  if (receiver !== undefined) await once(receiver, "end");
  expect(receivedBytes).toBe(sentBytes);
});

test("connections to come go to the new target, the others stay", async () => {
  const proxy = await open(await listenAs("old"));
  const before = await join(proxy);
  expect(await ask(before.socket, "x")).toBe("old:x");
  proxy.setTarget({ host: HOST, port: portOf(await listenAs("new")) });
  const after = await join(proxy);
  expect(await ask(after.socket, "x")).toBe("new:x");
  expect(await ask(before.socket, "x")).toBe("old:x");
});

test.each([
  ["fin", ["a:x", "end"]],
  ["rst", ["a:x", "ECONNRESET"]],
] as const)("cuts connections with %s on both sides", async (how, expected) => {
  const ends: string[] = [];
  const server = await listen((socket) => {
    socket.on("data", (data: Buffer) => socket.write(`a:${String(data)}`));
    socket.on("end", () => ends.push("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => ends.push(error.code ?? ""));
    socket.on("close", () => ends.push("close"));
    socket.on("end", () => socket.end());
  });
  const proxy = await open(server);
  const { socket, log, closed } = await join(proxy);
  await ask(socket, "x");
  expect(proxy.cut(how)).toBe(1);
  await (how === "fin" ? once(socket, "end") : closed);
  expect(log).toEqual(expected);
  await expect.poll(() => ends).toEqual([expected[1], "close"]);
  expect(proxy.openCount).toBe(0);
});

test("swallows all that is on present connections, ends too; new ones work", async () => {
  const seen: string[] = [];
  const server = await listen((socket) => {
    socket.on("data", (data: Buffer) => {
      seen.push(String(data));
      socket.write("answer");
    });
    socket.on("end", () => seen.push("end"));
  });
  const proxy = await open(server, { delayMs: 1 });
  const { socket, log } = await join(proxy);
  await ask(socket, "x");
  expect(proxy.swallow()).toBe(1);
  socket.end("y");
  const { socket: later } = await join(proxy);
  for (let round = 0; round < 5; round++) await ask(later, "z");
  expect(log).toEqual(["answer"]);
  expect(seen).toEqual(["x", "z", "z", "z", "z", "z"]);
  expect(proxy.openCount).toBe(2);
});

test("newcomers are swallowed or reset as it is told", async () => {
  let served = 0;
  const proxy = await open(await listen(() => served++));
  proxy.newcomers = "swallow";
  const silent = await join(proxy);
  silent.socket.write("x");
  proxy.newcomers = "reset";
  const { log, closed } = await join(proxy);
  await closed;
  expect(log).toEqual(["ECONNRESET"]);
  expect(silent.log).toEqual([]);
  expect([served, proxy.acceptedCount, proxy.openCount]).toEqual([0, 2, 1]);
});

test("a target that cannot be reached resets the connection", async () => {
  const server = await listenAs("a");
  const proxy = await open(server);
  server.close();
  await once(server, "close");
  const { log, closed } = await join(proxy);
  await closed;
  expect(log).toEqual(["ECONNRESET"]);
});

test("a closed proxy has cut all, and can be closed again", async () => {
  const proxy = await open(await listenAs("a"));
  const { socket, log, closed } = await join(proxy);
  await ask(socket, "x");
  await proxy.close();
  await closed;
  await proxy.close();
  expect(log).toEqual(["a:x", "ECONNRESET"]);
});

test("a delay below the step of the timers is refused", async () => {
  const server = await listenAs("a");
  await expect(open(server, { delayMs: 0.5 })).rejects.toThrow(RangeError);
});
