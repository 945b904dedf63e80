// What a server must be, and which version of the protocol it must speak, to end the search for
// one. Time is virtual.

import { describe, expect, test } from "vitest";
import { postgres, type PostgresOptions } from "../../../../packages/forebay/src/postgres/index.ts";
import { VirtualClock } from "../../../../packages/forebay/src/testing/virtual-clock.ts";
import {
  closedServer,
  dial,
  greet,
  PRIMARY,
  refuse,
  served,
  servers,
  STANDBY,
  welcome,
} from "./dialing.ts";
import { codeOf, errorOf, type FakeServer, listen } from "./fake-server.ts";
import { int32, message, ready, reply } from "./messages.ts";

describe("target_session_attrs", () => {
  test("passes over servers of another kind, and says goodbye to them", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting, clock } = dial([a, b], { targetSessionAttrs: "primary" });
    const standby = await greet(a, STANDBY);
    expect((await standby.receive())?.type).toBe("X");
    standby.socket.end();
    const peer = await greet(b, PRIMARY);
    expect(await served(connecting, peer)).toBe(true);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("tries every address of a name, which may stand for several servers", async () => {
    const server = await listen();
    // Two ways to write where the server is.
    const lookup = () => Promise.resolve(["127.0.0.1", "localhost"]);
    const { connecting } = dial([server], {
      host: "db.example",
      lookup,
      targetSessionAttrs: "standby",
    });
    const first = await greet(server, PRIMARY);
    first.socket.end();
    const peer = await greet(server, STANDBY);
    expect(await served(connecting, peer)).toBe(true);
  });

  test("says of each server what is wrong when none fits, and may be tried again", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const gone = await closedServer();
    const options = { targetSessionAttrs: "read-write" } as const;
    const { connecting, clock, mayRetry } = dial([a, gone, b], options);
    const failing = errorOf(connecting);
    (await greet(a, STANDBY)).socket.end();
    (await greet(b, { ...PRIMARY, default_transaction_read_only: "on" })).socket.end();
    const error = await failing;
    expect(codeOf(error)).toBe("TARGET_NOT_FOUND");
    const text = String(error);
    expect(text).toContain("no server is read-write");
    expect(text).toContain(`127.0.0.1:${a.port}: it is read-only;`);
    expect(text).toContain(`127.0.0.1:${gone.port}: connect ECONNREFUSED`);
    expect(text).toContain(`127.0.0.1:${b.port}: it is read-only [`);
    expect(mayRetry(error)).toBe(true);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("may be tried again also where the other hosts have no address", async () => {
    const server = await listen();
    const { connecting, mayRetry } = dial([server], {
      host: ["127.0.0.1", "none.example"],
      port: server.port,
      targetSessionAttrs: "standby",
      lookup: () => Promise.reject(Object.assign(new Error("none"), { code: "ENOTFOUND" })),
    });
    const failing = errorOf(connecting);
    (await greet(server, PRIMARY)).socket.end();
    const error = await failing;
    expect(codeOf(error)).toBe("TARGET_NOT_FOUND");
    expect(mayRetry(error)).toBe(true);
  });

  test("asks a server that does not report what it is", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting } = dial([a, b], { targetSessionAttrs: "read-write" });
    const old = await greet(a);
    expect((await old.receive())?.body.toString()).toBe("SHOW transaction_read_only\0");
    await old.send(reply("on"));
    expect((await old.receive())?.type).toBe("X");
    old.socket.end();
    const peer = await greet(b);
    expect((await peer.receive())?.body.toString()).toBe("SHOW transaction_read_only\0");
    await peer.send(reply("off"));
    expect(await served(connecting, peer)).toBe(true);
  });

  test("bounds the question, too", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting, clock } = dial([a, b], { targetSessionAttrs: "standby" });
    const old = await greet(a);
    await old.receive();
    await clock.advance(3000);
    await clock.advance(1000);
    await old.closed;
    const peer = await greet(b, STANDBY);
    expect(await served(connecting, peer)).toBe(true);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("prefer-standby takes a standby that comes behind a primary", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting } = dial([a, b], { targetSessionAttrs: "prefer-standby" });
    (await greet(a, PRIMARY)).socket.end();
    const peer = await greet(b, STANDBY);
    expect(await served(connecting, peer)).toBe(true);
    expect([a.count, b.count]).toEqual([1, 1]);
  });

  test("prefer-standby takes what there is when there is no standby", async () => {
    const [silent, a, b] = (await servers(3)) as [FakeServer, FakeServer, FakeServer];
    const options = { targetSessionAttrs: "prefer-standby" } as const;
    const { connecting, clock } = dial([silent, a, b], options);
    await (await silent.accept()).receive("startup");
    await clock.advance(3000);
    for (const server of [a, b]) (await greet(server, PRIMARY)).socket.end();
    await refuse(a, "53300");
    const peer = await greet(b, PRIMARY);
    expect(await served(connecting, peer)).toBe(true);
    // Who did not answer is not asked twice.
    expect([silent.count, a.count, b.count]).toEqual([1, 2, 2]);
  });

  test("goes no further when the signal is aborted while one is being left", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting, abort, clock } = dial([a, b], { targetSessionAttrs: "primary" });
    const failing = errorOf(connecting);
    const standby = await greet(a, STANDBY);
    expect((await standby.receive())?.type).toBe("X");
    abort.abort("changed my mind");
    standby.socket.end();
    expect(await failing).toBe("changed my mind");
    expect(b.count).toBe(0);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("never calls onLost for a server that was passed over", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    let losses = 0;
    const target = postgres({
      host: "127.0.0.1,127.0.0.1",
      port: [a.port, b.port],
      user: "app",
      sslMode: "disable",
      targetSessionAttrs: "primary",
      env: {},
      clock: new VirtualClock(),
    });
    const { signal } = new AbortController();
    const connecting = target.connect({ signal, onLost: () => losses++ });
    (await greet(a, STANDBY)).socket.destroy();
    const peer = await greet(b, PRIMARY);
    expect(await served(connecting, peer)).toBe(true);
    expect(losses).toBe(0);
  });
});

describe("the version of the protocol", () => {
  /** What is asked for, and the peer that was asked. */
  async function asked(options: PostgresOptions) {
    const server = await listen();
    const dialing = dial([server], options);
    const peer = await server.accept();
    const startup = await peer.receive("startup");
    return { ...dialing, peer, version: startup?.body.readInt32BE(0) };
  }

  test.each<[PostgresOptions, number]>([
    [{}, 0x30000],
    [{ maxProtocolVersion: "3.0" }, 0x30000],
    [{ maxProtocolVersion: "3.2" }, 0x30002],
    [{ maxProtocolVersion: "latest" }, 0x30002],
    [{ minProtocolVersion: "3.2" }, 0x30002],
    [{ minProtocolVersion: "3.0", maxProtocolVersion: "3.2" }, 0x30002],
    [{ env: { PGMAXPROTOCOLVERSION: "3.2" } }, 0x30002],
    [{ env: { PGMINPROTOCOLVERSION: "latest" } }, 0x30002],
  ])("that %j asks for", async (options, expected) => {
    const { version, peer, connecting } = await asked(options);
    expect(version).toBe(expected);
    await peer.send(welcome());
    expect(await served(connecting, peer)).toBe(true);
  });

  test("may be lowered by the server", async () => {
    const { peer, connecting } = await asked({ maxProtocolVersion: "3.2" });
    await peer.send(message("v", int32(0x30000), int32(0)), welcome());
    expect(await served(connecting, peer)).toBe(true);
  });

  test("is not lowered below the oldest that is wanted", async () => {
    const { peer, connecting } = await asked({ minProtocolVersion: "3.2" });
    const failing = errorOf(connecting);
    await peer.send(message("v", int32(0x30000), int32(0)), welcome());
    const error = await failing;
    expect(codeOf(error)).toBe("CONNECT_FAILED");
    expect(String(error)).toContain("min_protocol_version is 3.2");
    await peer.closed;
  });

  test("has keys for cancel requests of 256 bytes, and no longer ones", async () => {
    for (const length of [256, 257]) {
      const { peer, connecting } = await asked({ maxProtocolVersion: "3.2" });
      const outcome = connecting.then(() => "connected", codeOf);
      await peer.send(
        message("R", int32(0)),
        message("K", int32(7), Buffer.alloc(length)),
        ready(),
      );
      expect(await outcome).toBe(length === 256 ? "connected" : "PROTOCOL_ERROR");
      peer.socket.destroy();
    }
  });

  test.each([0x30001, 0x30003])("is not %i", async (version) => {
    const { peer, connecting } = await asked({ maxProtocolVersion: "3.2" });
    const failing = errorOf(connecting);
    await peer.send(message("v", int32(version), int32(0)), welcome());
    expect(codeOf(await failing)).toBe("PROTOCOL_ERROR");
    await peer.closed;
  });
});
