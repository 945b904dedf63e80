// Loops over notifications, on a virtual clock.

import { describe, expect, test } from "vitest";
import { trackedSignal } from "../../../packages/forebay/src/testing/index.ts";
import { begin, errorOf } from "./listener-scene.ts";

describe("a loop over notifications", () => {
  test("reads them in order, and stops listening when it is left", async () => {
    const { clock, server, listener } = begin();
    const read: string[] = [];
    const loop = (async () => {
      for await (const { payload } of listener.notifications("a")) {
        read.push(payload);
        if (payload === "3") break;
      }
    })();
    await clock.settle();
    for (const payload of ["1", "2", "3", "4"]) server.last.send("a", payload);
    await loop;
    expect([read, listener.channels]).toEqual([["1", "2", "3"], []]);
  });

  test("goes on after a loss", async () => {
    const { clock, server, listener } = begin();
    const loop = listener.notifications("a");
    const first = loop.next();
    await clock.settle();
    server.last.lose(new Error("gone"));
    await clock.advance(100);
    server.last.send("a", "1");
    expect((await first).value).toMatchObject({ channel: "a", payload: "1" });
    await loop.return();
  });

  test("ends with an error where more wait than it buffers, after those that it has", async () => {
    const { clock, server, listener } = begin();
    const loop = listener.notifications("a", { bufferMax: 2 });
    const first = loop.next();
    await clock.settle();
    for (const payload of ["1", "2", "3"]) server.last.send("a", payload);
    expect((await first).value).toMatchObject({ payload: "1" });
    server.last.send("a", "4");
    expect((await loop.next()).value).toMatchObject({ payload: "2" });
    expect(await errorOf(loop.next())).toMatchObject({ code: "NOTIFICATIONS_DROPPED" });
    expect(listener.channels).toEqual([]);
  });

  test("ends with the reason of its signal, and leaves nothing on it (L8)", async () => {
    const { clock, listener } = begin();
    const tracked = trackedSignal();
    const { signal, abort } = tracked;
    const next = errorOf(listener.notifications("a", { signal }).next());
    await clock.settle();
    const reason = new Error("enough");
    abort(reason);
    expect(await next).toBe(reason);
    expect([listener.channels, tracked.listenerCount]).toEqual([[], 0]);
  });

  test("ends without an error when the listener is closed, after what it has", async () => {
    const { clock, server, listener } = begin();
    const loop = listener.notifications("a");
    const first = loop.next();
    await clock.settle();
    server.last.send("a", "1");
    server.last.send("a", "2");
    await first;
    await listener.close();
    expect((await loop.next()).value).toMatchObject({ payload: "2" });
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  test("refuses a buffer of nothing", async () => {
    const { listener } = begin();
    const loop = listener.notifications("a", { bufferMax: 0 });
    expect(await errorOf(loop.next())).toMatchObject({ code: "OPTION_INVALID" });
  });
});
