// Making a connection to a server that misbehaves, or that nobody waits for any more. Time is
// virtual.

import { describe, expect, test } from "vitest";
import {
  isPgError,
  postgres,
  ProtocolError,
} from "../../../../packages/forebay/src/postgres/index.ts";
import { VirtualClock } from "../../../../packages/forebay/src/testing/virtual-clock.ts";
import { codeOf, errorOf, listen, optionsFor } from "./fake-server.ts";
import { int32, message, report, welcome } from "./messages.ts";

const ignore = () => {};

describe("connecting", () => {
  test("gives up after the time it was given, and leaves nothing open", async () => {
    const server = await listen();
    const clock = new VirtualClock();
    const options = { ...optionsFor(server, clock), connectTimeoutMs: 3000 };
    const { signal } = new AbortController();
    const connecting = errorOf(postgres(options).connect({ signal, onLost: ignore }));
    const peer = await server.accept();
    await peer.receive("startup");
    await clock.advance(2999);
    await clock.advance(1);
    const error = await connecting;
    expect(codeOf(error)).toBe("CONNECT_TIMEOUT");
    expect(String(error)).toContain("3000ms");
    expect(postgres(options).shouldRetryConnect(error)).toBe(true);
    await peer.closed;
    expect(clock.pendingTimerCount).toBe(0);
  });

  test.each(["at the question for TLS", "at the startup message", "at the password"])(
    "stops %s when the signal is aborted, with its reason, and hangs up",
    async (where) => {
      const server = await listen();
      const clock = new VirtualClock();
      const abort = new AbortController();
      const sslMode = where === "at the question for TLS" ? "require" : "disable";
      const connecting = errorOf(
        postgres({ ...optionsFor(server, clock), sslMode }).connect({
          signal: abort.signal,
          onLost: ignore,
        }),
      );
      const peer = await server.accept();
      await peer.receive("startup");
      if (where === "at the password") {
        await peer.send(message("R", int32(3)));
        await peer.receive();
      }
      abort.abort("changed my mind");
      expect(await connecting).toBe("changed my mind");
      await peer.closed;
      expect(clock.pendingTimerCount).toBe(0);
    },
  );

  test("does not begin when the signal is aborted already", async () => {
    const server = await listen();
    const target = postgres(optionsFor(server, new VirtualClock()));
    const signal = AbortSignal.abort("no");
    expect(await errorOf(target.connect({ signal, onLost: ignore }))).toBe("no");
    expect(server.count).toBe(0);
  });

  test("does not wait for a password longer than the signal allows", async () => {
    const server = await listen();
    const abort = new AbortController();
    const password = () => new Promise<string>(ignore);
    const target = postgres({ ...optionsFor(server, new VirtualClock()), password });
    const connecting = errorOf(target.connect({ signal: abort.signal, onLost: ignore }));
    abort.abort("no");
    expect(await connecting).toBe("no");
    expect(server.count).toBe(0);
  });

  test("fails when the server hangs up, and may be tried again", async () => {
    const server = await listen();
    const target = postgres(optionsFor(server, new VirtualClock()));
    const { signal } = new AbortController();
    const connecting = errorOf(target.connect({ signal, onLost: ignore }));
    const peer = await server.accept();
    peer.socket.end();
    const error = await connecting;
    expect(codeOf(error)).toBe("CONNECT_FAILED");
    expect(target.shouldRetryConnect(error)).toBe(true);
    await peer.closed;
  });

  test("gives the server's refusal as it is, and hangs up", async () => {
    const server = await listen();
    const target = postgres(optionsFor(server, new VirtualClock()));
    const { signal } = new AbortController();
    const connecting = errorOf(target.connect({ signal, onLost: ignore }));
    const peer = await server.accept();
    await peer.send(report("FATAL", "53300", "too many clients"));
    const error = await connecting;
    expect(isPgError(error) && error.code).toBe("53300");
    expect(target.shouldRetryConnect(error)).toBe(true);
    await peer.closed;
  });

  test("refuses a server that does not speak TLS when TLS is required", async () => {
    const server = await listen();
    const target = postgres({ ...optionsFor(server, new VirtualClock()), sslMode: "require" });
    const { signal } = new AbortController();
    const connecting = errorOf(target.connect({ signal, onLost: ignore }));
    const peer = await server.accept();
    await peer.receive("startup");
    await peer.send(Buffer.from("N"));
    const error = await connecting;
    expect(codeOf(error)).toBe("TLS_UNAVAILABLE");
    expect(target.shouldRetryConnect(error)).toBe(false);
    await peer.closed;
  });

  test("goes on without TLS when TLS is only preferred", async () => {
    const server = await listen();
    const target = postgres({ ...optionsFor(server, new VirtualClock()), sslMode: "prefer" });
    const { signal } = new AbortController();
    const connecting = target.connect({ signal, onLost: ignore });
    const peer = await server.accept();
    await peer.receive("startup");
    await peer.send(Buffer.from("N"));
    await peer.receive("startup");
    await peer.send(welcome());
    expect((await connecting).isValid()).toBe(true);
  });

  test.each(["S and then some", "N and then some", "E", "HTTP/1.1 400"])(
    "takes nothing that comes unprotected with the answer about TLS: %s",
    async (answer) => {
      const server = await listen();
      const target = postgres({ ...optionsFor(server, new VirtualClock()), sslMode: "prefer" });
      const { signal } = new AbortController();
      const connecting = errorOf(target.connect({ signal, onLost: ignore }));
      const peer = await server.accept();
      await peer.receive("startup");
      await peer.send(Buffer.from(answer));
      expect(await connecting).toBeInstanceOf(ProtocolError);
      await peer.closed;
      expect(server.count).toBe(1);
    },
  );

  test("never calls onLost before it has resolved", async () => {
    const server = await listen();
    const target = postgres(optionsFor(server, new VirtualClock()));
    let calls = 0;
    const { signal } = new AbortController();
    const connecting = errorOf(target.connect({ signal, onLost: () => calls++ }));
    const peer = await server.accept();
    await peer.receive("startup");
    await peer.send(welcome(), report("FATAL", "57P01", "going down"));
    const error = await connecting;
    expect(isPgError(error) && error.code).toBe("57P01");
    expect(calls).toBe(0);
    await peer.closed;
  });

  test("sends only the startup parameters that it needs", async () => {
    const server = await listen();
    const target = postgres(optionsFor(server, new VirtualClock()));
    const { signal } = new AbortController();
    const connecting = target.connect({ signal, onLost: ignore });
    const peer = await server.accept();
    const words = (await peer.receive("startup"))?.body.toString("latin1", 4).split("\0") ?? [];
    await peer.send(welcome());
    await connecting;
    const names = words.filter((_, i) => i % 2 === 0 && words[i] !== "");
    expect(names).toEqual(["user", "database", "application_name", "client_encoding", "DateStyle"]);
  });
});
