// The listener's states, and what must be true of them (L1 to L8 in ARCHITECTURE.md), on a virtual
// clock with a server that does what a test says.

import { describe, expect, test } from "vitest";
import { listen } from "../../../packages/forebay/src/postgres/index.ts";
import { trackedSignal } from "../../../packages/forebay/src/testing/index.ts";
import { FakeNotifier, serverError } from "./fake-notifier.ts";
import { begin, errorOf } from "./listener-scene.ts";

describe("listening", () => {
  test("begins with the first channel, and has one connection for all", async () => {
    const { server, listener, note, heard } = begin();
    expect([listener.state, server.dialCount]).toEqual(["resting", 0]);
    await Promise.all([listener.listen("a", note), listener.listen('B "b"', note)]);
    expect([listener.state, server.dialCount]).toEqual(["listening", 1]);
    expect(server.last.sent).toEqual(['LISTEN "a"', 'LISTEN "B ""b"""']);
    expect(listener.channels).toEqual(["a", 'B "b"']);
    server.last.send("a", "1");
    server.last.send('B "b"', "2");
    server.last.send("c", "3");
    expect(heard).toEqual(["a:1", 'B "b":2']);
  });

  test("on a channel heard already asks nobody, and each handler is called (L2)", async () => {
    const { server, listener, note, heard } = begin();
    await listener.listen("a", note);
    await listener.listen("a", note);
    server.last.send("a", "1");
    expect([server.last.sent.length, heard]).toEqual([1, ["a:1", "a:1"]]);
    listener.unlisten("a", note);
    server.last.send("a", "2");
    expect(heard).toEqual(["a:1", "a:1", "a:2"]);
    listener.unlisten("a", () => undefined);
    listener.unlisten("b");
    expect(listener.channels).toEqual(["a"]);
  });

  test("does not resolve before the server has answered (L3)", async () => {
    const { clock, server, listener, note } = begin();
    server.answer = () => "never";
    let isListening = false;
    const listening = errorOf(listener.listen("a", note).then(() => (isListening = true)));
    await clock.advance(1000);
    expect([isListening, listener.state]).toEqual([false, "subscribing"]);
    await listener.close();
    expect(await listening).toMatchObject({ code: "LISTENER_CLOSED", retryable: true });
  });

  test("ends with the last channel, and with it the connection (L1)", async () => {
    const { clock, server, listener, note, gaps } = begin();
    await listener.listen("a", note);
    await listener.listen("b", note);
    listener.unlisten("a");
    await clock.settle();
    expect(server.last.sent.at(-1)).toBe('UNLISTEN "a"');
    expect([listener.state, server.open.size]).toEqual(["listening", 1]);
    listener.unlisten("b");
    await clock.settle();
    expect([listener.state, server.open.size]).toEqual(["resting", 0]);
    await listener.listen("b", note);
    expect([listener.state, server.dialCount, gaps]).toEqual(["listening", 2, []]);
  });

  test("again on a channel that is being given up waits for another LISTEN (L3)", async () => {
    const { clock, server, listener, note, heard } = begin();
    await listener.listen("a", note);
    await listener.listen("b", note);
    let unlistened = (): void => undefined;
    const unlistening = new Promise<void>((resolve) => (unlistened = resolve));
    server.answer = (sql) => (sql.startsWith("UN") ? unlistening : "ok");
    listener.unlisten("a");
    await clock.settle();
    let isListening = false;
    const listening = listener.listen("a", note).then(() => (isListening = true));
    await clock.settle();
    expect([server.last.sent.at(-1), isListening]).toEqual(['UNLISTEN "a"', false]);
    unlistened();
    await listening;
    expect(server.last.sent.at(-1)).toBe('LISTEN "a"');
    server.last.send("a", "1");
    expect(heard).toEqual(["a:1"]);
  });

  test("is refused for names that PostgreSQL would cut off", async () => {
    const { server, listener, note } = begin();
    for (const name of ["", "x".repeat(64), "ü".repeat(32), "a\0b"]) {
      expect(await errorOf(listener.listen(name, note))).toMatchObject({
        code: "ARGUMENT_INVALID",
      });
    }
    expect(server.dialCount).toBe(0);
    await listener.listen("x".repeat(63), note);
  });

  test("is refused by options that make no sense", () => {
    expect(() => begin({ heartbeatMs: 0 })).toThrow("[OPTION_INVALID]");
    expect(() => begin({ heartbeatTimeoutMs: Number.NaN })).toThrow("[OPTION_INVALID]");
  });

  test("takes settings for each connection from beforeConnect", async () => {
    const { clock, server, listener, note } = begin({ beforeConnect: () => ({ password: "x" }) });
    await listener.listen("a", note);
    server.last.lose(new Error("gone"));
    await clock.advance(100);
    expect(server.dialedWith).toEqual([{ password: "x" }, { password: "x" }]);
  });
});

describe("a handler that fails", () => {
  test("disturbs no other, and is told to onError, also when it fails later (L2)", async () => {
    const { clock, server, listener, note, heard, errors } = begin();
    const now = new Error("now");
    const later = new Error("later");
    await listener.listen("a", () => {
      throw now;
    });
    await listener.listen("a", () => Promise.reject(later));
    await listener.listen("a", note);
    server.last.send("a", "1");
    await clock.settle();
    expect(heard).toEqual(["a:1"]);
    expect(errors).toEqual([
      [now, "handler"],
      [later, "handler"],
    ]);
  });

  test("and one that takes others away is obeyed at once (L2)", async () => {
    const { server, listener, note, heard } = begin();
    await listener.listen("a", () => listener.unlisten("a", note));
    await listener.listen("a", note);
    server.last.send("a", "1");
    expect(heard).toEqual([]);
  });

  test("in onReconnect does not end the listening", async () => {
    const error = new Error("in onReconnect");
    const { clock, server, listener, note, heard, errors } = begin({
      onReconnect: () => {
        throw error;
      },
    });
    await listener.listen("a", note);
    server.last.lose(new Error("gone"));
    await clock.advance(100);
    server.last.send("a", "1");
    expect([errors.at(-1), heard]).toEqual([[error, "handler"], ["a:1"]]);
  });
});

describe("a lost connection", () => {
  test("is replaced after a pause, and onReconnect is told once of the gap (L4)", async () => {
    const { clock, server, listener, note, heard, gaps, errors } = begin();
    await listener.listen("a", note);
    await listener.listen("b", note);
    await clock.advance(10_000);
    server.last.send("a", "1");
    await clock.advance(7000);
    const reason = new Error("gone");
    server.last.lose(reason);
    await clock.settle();
    expect([listener.state, server.open.size]).toEqual(["pausing", 0]);
    await clock.advance(50);
    expect([listener.state, server.dialCount]).toEqual(["listening", 2]);
    expect(server.last.sent).toEqual(['LISTEN "a"', 'LISTEN "b"']);
    expect(gaps).toEqual([{ gapMs: expect.any(Number) as number, reason }]);
    expect(gaps[0]?.gapMs).toBeGreaterThanOrEqual(7000 + 25);
    expect(gaps[0]?.gapMs).toBeLessThanOrEqual(7000 + 50);
    expect(errors).toEqual([[reason, "connection"]]);
    server.last.send("b", "2");
    expect(heard).toEqual(["a:1", "b:2"]);
  });

  test("for a long time is one gap, from the last sign of life on (L4)", async () => {
    const { clock, server, listener, note, gaps, errors } = begin();
    await listener.listen("a", note);
    await clock.advance(1000);
    server.dial = new Error("refused");
    server.last.lose(new Error("gone"));
    await clock.advance(60_000);
    expect(gaps).toEqual([]);
    expect(errors.length).toBeGreaterThan(10);
    server.dial = "ok";
    await clock.advance(5000);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]?.gapMs).toBeGreaterThan(61_000);
    await clock.advance(60_000);
    expect(gaps).toHaveLength(1);
  });

  test("while the channels are told again is one gap, too (L4)", async () => {
    const { clock, server, listener, note, gaps } = begin();
    await listener.listen("a", note);
    await listener.listen("b", note);
    server.answer = (sql) => (sql.includes('"b"') ? "never" : "ok");
    const reason = new Error("gone");
    await clock.advance(500);
    server.last.lose(reason);
    await clock.advance(100);
    expect([listener.state, gaps]).toEqual(["subscribing", []]);
    server.answer = () => "ok";
    server.last.lose(new Error("gone again"));
    await clock.advance(200);
    expect([listener.state, server.dialCount]).toEqual(["listening", 3]);
    expect(gaps).toEqual([{ gapMs: expect.any(Number) as number, reason }]);
    expect(gaps[0]?.gapMs).toBeGreaterThan(600);
  });

  test("before anything was heard is no gap, and listen goes on waiting (L3)", async () => {
    const { clock, server, listener, note, gaps, errors } = begin();
    server.dial = new Error("refused");
    const listening = listener.listen("a", note);
    await clock.advance(3000);
    server.dial = "ok";
    await clock.advance(5000);
    await listening;
    expect([gaps, errors.length > 3]).toEqual([[], true]);
  });

  test("again and again is met with pauses that grow to 5 seconds (L5)", async () => {
    const { clock, server, listener, note } = begin();
    await listener.listen("a", note);
    const dialsWithin = async (ms: number): Promise<number> => {
      const before = server.dialCount;
      for (let i = 0; i < ms; i += 25) {
        await clock.advance(25);
        if (server.open.size > 0) server.last.lose(new Error("gone"));
      }
      return server.dialCount - before;
    };
    server.last.lose(new Error("gone"));
    expect(await dialsWithin(1000)).toBeLessThanOrEqual(6);
    await dialsWithin(20_000);
    expect(await dialsWithin(60_000)).toBeLessThanOrEqual(24);
    await clock.advance(5000 + 5000);
    expect(listener.state).toBe("listening");
    await clock.advance(5000);
    server.last.lose(new Error("gone"));
    await clock.advance(50);
    expect(listener.state).toBe("listening");
  });

  test("by a server at fault for good is told to those that never listened (L7)", async () => {
    const { clock, server, listener, note, errors } = begin();
    await listener.listen("old", note);
    server.mayRetry = false;
    server.dial = new Error("wrong password");
    server.last.lose(new Error("gone"));
    const listening = errorOf(listener.listen("new", note));
    await clock.advance(100);
    expect(await listening).toBe(server.dial);
    expect([listener.channels, errors.length > 1]).toEqual([["old"], true]);
    server.dial = "ok";
    await clock.advance(5000);
    expect(listener.state).toBe("listening");
  });
});

describe("the server's refusal", () => {
  test("to listen is the caller's, and disturbs no other channel (L7)", async () => {
    const { server, listener, note } = begin();
    await listener.listen("a", note);
    const refusal = serverError("42501", "no");
    server.answer = () => refusal;
    expect(await errorOf(listener.listen("b", note))).toBe(refusal);
    expect([listener.channels, listener.state, server.open.size]).toEqual([["a"], "listening", 1]);
  });

  test("to listen again, on a standby, has another connection tried (L7)", async () => {
    const { clock, server, listener, note, gaps } = begin();
    await listener.listen("a", note);
    server.answer = () => serverError("25006", "cannot execute LISTEN during recovery");
    server.last.lose(new Error("gone"));
    await clock.advance(2000);
    expect(server.dialCount).toBeGreaterThan(2);
    server.answer = () => "ok";
    await clock.advance(5000);
    expect([listener.state, gaps.length]).toEqual(["listening", 1]);
  });

  test("a pooler in transaction mode is named, where nobody has been heard (L7)", async () => {
    const { server, listener, note } = begin();
    let pid = 100;
    server.setUp = (session) => Object.defineProperty(session, "backendPid", { get: () => pid++ });
    expect(await errorOf(listener.listen("a", note))).toMatchObject({
      code: "POOLER_UNSUPPORTED",
      family: "usage",
    });
    expect(listener.channels).toEqual([]);
  });
});

describe("silence", () => {
  test("is broken by a heartbeat, and only silence is (L6)", async () => {
    const { clock, server, listener, note } = begin({ heartbeatMs: 1000 });
    await listener.listen("a", note);
    const pings = () => server.last.sent.filter((sql) => sql === "ping").length;
    await clock.advance(600);
    server.last.send("a", "1");
    await clock.advance(999);
    expect(pings()).toBe(0);
    await clock.advance(1);
    expect(pings()).toBe(1);
    await clock.advance(10_000);
    expect(pings()).toBe(11);
  });

  test("of a peer that does not answer costs it the connection (L6)", async () => {
    const { clock, server, listener, note, gaps, errors } = begin({
      heartbeatMs: 1000,
      heartbeatTimeoutMs: 200,
    });
    await listener.listen("a", note);
    server.answer = (sql) => (sql === "ping" ? "never" : "ok");
    await clock.advance(1199);
    expect([server.dialCount, listener.state]).toEqual([1, "listening"]);
    await clock.advance(1 + 50);
    expect([server.dialCount, listener.state]).toEqual([2, "listening"]);
    expect(errors).toEqual([[expect.objectContaining({ code: "DRIVER_TIMEOUT" }), "connection"]]);
    expect(gaps[0]?.gapMs).toBeGreaterThanOrEqual(1200);
  });

  test("of a peer that does not answer a LISTEN ends the same way (L6)", async () => {
    const { clock, server, listener, note } = begin({ heartbeatTimeoutMs: 200 });
    server.answer = () => "never";
    const listening = listener.listen("a", note);
    await clock.advance(200);
    server.answer = () => "ok";
    await clock.advance(50);
    await listening;
    expect(server.dialCount).toBe(2);
  });

  test("is not broken without a heartbeat", async () => {
    const { clock, server, listener, note } = begin({ heartbeatMs: Infinity });
    await listener.listen("a", note);
    await clock.advance(86_400_000);
    expect([server.last.sent, clock.pendingTimerCount]).toEqual([['LISTEN "a"'], 0]);
  });
});

describe("a signal", () => {
  test("ends the wait of listen, and the handler is forgotten (L3)", async () => {
    const { clock, server, listener, note } = begin();
    server.dial = "never";
    const tracked = trackedSignal();
    const { signal, abort } = tracked;
    const listening = errorOf(listener.listen("a", note, { signal }));
    await clock.settle();
    const reason = new Error("enough");
    abort(reason);
    expect(await listening).toBe(reason);
    expect([listener.channels, tracked.listenerCount]).toEqual([[], 0]);
    expect(await errorOf(listener.listen("a", note, { signal }))).toBe(reason);
  });

  test("has no listener left once the server is listened to (L8)", async () => {
    const { listener, note } = begin();
    const tracked = trackedSignal();
    const { signal, abort } = tracked;
    await listener.listen("a", note, { signal });
    expect(tracked.listenerCount).toBe(0);
    abort(new Error("late"));
    expect(listener.channels).toEqual(["a"]);
  });
});

describe("close", () => {
  test("while dialing aborts the dial, and tells who waits (L8)", async () => {
    const { clock, server, listener, note } = begin();
    server.dial = "never";
    const listening = errorOf(listener.listen("a", note));
    await clock.settle();
    await listener.close();
    expect(await listening).toMatchObject({ code: "LISTENER_CLOSED" });
    expect(await errorOf(listener.listen("a", note))).toMatchObject({ code: "LISTENER_CLOSED" });
  });

  test("while pausing ends the pause, and works twice (L8)", async () => {
    const { clock, server, listener, note } = begin();
    await listener.listen("a", note);
    server.dial = new Error("refused");
    server.last.lose(new Error("gone"));
    await clock.settle();
    expect(listener.state).toBe("pausing");
    await Promise.all([listener.close(), listener[Symbol.asyncDispose]()]);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("while a heartbeat is under way does not wait for it, nor calls anyone (L8)", async () => {
    const { clock, server, listener, note, heard, errors } = begin({ heartbeatMs: 1000 });
    await listener.listen("a", note);
    server.answer = () => "never";
    await clock.advance(1000);
    const { last } = server;
    await listener.close();
    last.send("a", "late");
    expect([heard, errors]).toEqual([[], []]);
  });
});

test("listen makes a listener that listens, and leaves none behind where it cannot", async () => {
  const server = new FakeNotifier();
  const listener = await listen(server, "a", () => undefined);
  expect([listener.state, server.open.size]).toEqual(["listening", 1]);
  await listener.close();
  expect(server.open.size).toBe(0);
  server.mayRetry = false;
  server.dial = new Error("wrong password");
  expect(await errorOf(listen(server, "a", () => undefined))).toBe(server.dial);
});
