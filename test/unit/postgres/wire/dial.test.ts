// Trying one server after the other: which are tried, for how long, what ends it, and what is said
// at the end. Time is virtual.

import { describe, expect, test } from "vitest";
import type { Random } from "../../../../packages/forebay/src/base/random.ts";
import {
  isPgError,
  type PasswordRequest,
} from "../../../../packages/forebay/src/postgres/index.ts";
import { VirtualClock } from "../../../../packages/forebay/src/testing/virtual-clock.ts";
import { closedServer, dial, greet, refuse, served, servers, welcome } from "./dialing.ts";
import { codeOf, errorOf, type FakeServer, listen, takeCancel } from "./fake-server.ts";
import { int32, message, ready, report } from "./messages.ts";

const ignore = () => {};

describe("of several hosts", () => {
  test("the first that answers is taken, and no other is bothered", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting, clock } = dial([a, b]);
    const peer = await greet(a);
    expect(await served(connecting, peer)).toBe(true);
    expect([a.count, b.count]).toEqual([1, 0]);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("one that refuses the connection is passed over", async () => {
    const [gone, b] = [await closedServer(), await listen()];
    const { connecting } = dial([gone, b]);
    const peer = await greet(b);
    expect(await served(connecting, peer)).toBe(true);
  });

  test.each(["57P03", "53300", "57P01"])("one that says %s is passed over", async (sqlstate) => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting } = dial([a, b]);
    await refuse(a, sqlstate);
    const peer = await greet(b);
    expect(await served(connecting, peer)).toBe(true);
  });

  test("one that hangs up is passed over", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting } = dial([a, b]);
    (await a.accept()).socket.end();
    const peer = await greet(b);
    expect(await served(connecting, peer)).toBe(true);
  });

  test.each(["28P01", "28000", "3D000", "42501"])(
    "one that says %s ends the dial, since no other will mend that",
    async (sqlstate) => {
      const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
      const { connecting, clock, mayRetry } = dial([a, b]);
      const failing = errorOf(connecting);
      await refuse(a, sqlstate);
      const error = await failing;
      expect(isPgError(error) && error.sqlstate).toBe(sqlstate);
      expect(mayRetry(error)).toBe(false);
      expect(b.count).toBe(0);
      expect(clock.pendingTimerCount).toBe(0);
    },
  );

  test("each has its own time", async () => {
    const [a, b, c] = (await servers(3)) as [FakeServer, FakeServer, FakeServer];
    const { connecting, clock } = dial([a, b, c]);
    for (const server of [a, b]) {
      const silent = await server.accept();
      await silent.receive("startup");
      await clock.advance(2999);
      expect(silent.socket.destroyed).toBe(false);
      await clock.advance(1);
      await silent.closed;
    }
    const peer = await greet(c);
    expect(await served(connecting, peer)).toBe(true);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("each is named, with its reason, when none will do", async () => {
    const [silent, full] = (await servers(2)) as [FakeServer, FakeServer];
    const gone = await closedServer();
    const { connecting, clock, mayRetry } = dial([silent, gone, full]);
    const failing = errorOf(connecting);
    await (await silent.accept()).receive("startup");
    await clock.advance(3000);
    await refuse(full, "53300");
    const error = await failing;
    expect(codeOf(error)).toBe("CONNECT_FAILED");
    const text = String(error);
    expect(text).toContain(`app@127.0.0.1:${silent.port},127.0.0.1:${gone.port},`);
    expect(text).toContain(`127.0.0.1:${silent.port}: no answer in time;`);
    expect(text).toContain(`127.0.0.1:${gone.port}: connect ECONNREFUSED`);
    expect(text).toContain(`127.0.0.1:${full.port}: no: 53300 (53300)`);
    const { cause } = error as { cause: AggregateError };
    expect(cause.errors.map(codeOf)).toEqual(["CONNECT_TIMEOUT", "ECONNREFUSED", "53300"]);
    expect(mayRetry(error)).toBe(true);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("all being silent is a timeout", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting, clock } = dial([a, b]);
    const failing = errorOf(connecting);
    for (const server of [a, b]) {
      await (await server.accept()).receive("startup");
      await clock.advance(3000);
    }
    expect(codeOf(await failing)).toBe("CONNECT_TIMEOUT");
  });

  test("no more are tried once the signal is aborted, and its reason is given", async () => {
    const [a, b, c] = (await servers(3)) as [FakeServer, FakeServer, FakeServer];
    const { connecting, clock, abort } = dial([a, b, c]);
    const failing = errorOf(connecting);
    await refuse(a, "53300");
    const peer = await b.accept();
    await peer.receive("startup");
    abort.abort("changed my mind");
    expect(await failing).toBe("changed my mind");
    await peer.closed;
    expect(c.count).toBe(0);
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("each has its own password, from a function that is told of the server", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const asked: PasswordRequest[] = [];
    const { connecting } = dial([a, b], {
      database: "shop",
      password: (server) => {
        asked.push(server);
        return Promise.resolve(`for ${server.port}`);
      },
    });
    await refuse(a, "53300");
    const peer = await b.accept();
    await peer.receive("startup");
    await peer.send(message("R", int32(3)));
    expect((await peer.receive())?.body.toString()).toBe(`for ${b.port}\0`);
    await peer.send(welcome());
    expect(await served(connecting, peer)).toBe(true);
    expect(asked).toEqual(
      [a, b].map(({ port }) => ({ host: "127.0.0.1", port, user: "app", database: "shop" })),
    );
  });
});

describe("the addresses of a name", () => {
  test("are looked up for each dial, and tried in order", async () => {
    const server = await listen();
    const names: string[] = [];
    const lookup = (name: string) => {
      names.push(name);
      return Promise.resolve(["::1", "127.0.0.1"]);
    };
    for (let i = 0; i < 2; i++) {
      const { connecting } = dial([server], { host: "db.example", lookup });
      const peer = await greet(server);
      expect(await served(connecting, peer)).toBe(true);
    }
    expect(names).toEqual(["db.example", "db.example"]);
  });

  test("are tried once each, and listed behind the name", async () => {
    const { port } = await closedServer();
    const lookup = () => Promise.resolve(["127.0.0.1", "::1", "127.0.0.1"]);
    const error = await errorOf(dial([], { host: "db.example", port, lookup }).connecting);
    expect(codeOf(error)).toBe("CONNECT_FAILED");
    expect(String(error)).toContain(`db.example:${port} (127.0.0.1): connect ECONNREFUSED`);
    expect((error as { cause: AggregateError }).cause.errors).toHaveLength(2);
  });

  test("give what the server said where one of them answered", async () => {
    const server = await listen();
    const lookup = () => Promise.resolve(["::1", "127.0.0.1"]);
    const failing = errorOf(dial([server], { host: "db.example", lookup }).connecting);
    await refuse(server, "53300");
    const error = await failing;
    expect(isPgError(error) && error.sqlstate).toBe("53300");
  });

  test("each have their own time, the first together with the look-up", async () => {
    const server = await listen();
    const clock = new VirtualClock();
    const lookup = () =>
      new Promise<string[]>((resolve) => clock.setTimer(2000, () => resolve(["127.0.0.1", "::1"])));
    const { connecting } = dial([server], { host: "db.example", clock, lookup });
    await clock.advance(2000);
    const first = await server.accept();
    await first.receive("startup");
    await clock.advance(999);
    expect(first.socket.destroyed).toBe(false);
    const failing = errorOf(connecting);
    await clock.advance(1);
    await first.closed;
    // Nobody is at the second, which shows only to who still has time to try it.
    expect(String(await failing)).toMatch(
      /\(127\.0\.0\.1\): no answer in time; .*\(::1\): connect E/u,
    );
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("are not waited for longer than that, nor is a password", async () => {
    const server = await listen();
    const never = () => new Promise<never>(ignore);
    for (const options of [{ host: "db.example", lookup: never }, { password: never }]) {
      const { connecting, clock } = dial([server], options);
      const failing = errorOf(connecting);
      await clock.advance(3000);
      expect(codeOf(await failing)).toBe("CONNECT_TIMEOUT");
      expect(clock.pendingTimerCount).toBe(0);
    }
    expect(server.count).toBe(0);
  });

  test("are not looked up where they are given", async () => {
    const server = await listen();
    const lookup = () => Promise.reject(new Error("looked up"));
    const { connecting } = dial([server], { host: "db.example", hostAddr: "127.0.0.1", lookup });
    const peer = await greet(server);
    expect(await served(connecting, peer)).toBe(true);
  });

  test("that do not exist let the next host be tried", async () => {
    const server = await listen();
    const lookup = () => Promise.reject(Object.assign(new Error("none"), { code: "ENOTFOUND" }));
    const host = ["none.example", "127.0.0.1"];
    const { connecting } = dial([server], { host, port: server.port, lookup });
    const peer = await greet(server);
    expect(await served(connecting, peer)).toBe(true);
  });

  test("that none of the hosts has are not worth another try", async () => {
    const lookup = () => Promise.reject(Object.assign(new Error("none"), { code: "ENOTFOUND" }));
    const { connecting, mayRetry } = dial([], { host: "a.example,b.example", port: 1, lookup });
    const error = await errorOf(connecting);
    expect(codeOf(error)).toBe("CONNECT_FAILED");
    expect(mayRetry(error)).toBe(false);
  });

  test("are where a cancel request goes, whatever the name stands for by then", async () => {
    const server = await listen();
    const answers = [["127.0.0.1"], ["192.0.2.1"]];
    const lookup = () => Promise.resolve(answers.shift() ?? []);
    const { connecting } = dial([server], { host: "db.example", lookup });
    const peer = await greet(server);
    const conn = await connecting;
    const abort = new AbortController();
    const querying = errorOf(conn.query("SELECT slow()", [], { signal: abort.signal }));
    await peer.receive();
    abort.abort("enough");
    expect(await querying).toBe("enough");
    expect((await takeCancel(server)).readInt32BE(4)).toBe(7);
    await peer.send(report("ERROR", "57014", "canceled"), ready());
    expect(await served(connecting, peer)).toBe(true);
  });
});

describe("load_balance_hosts=random", () => {
  /** Gives these numbers, and then zeros. */
  const drawn = (...numbers: number[]): Random => ({ next: () => numbers.shift() ?? 0 });

  test("tries the hosts in the order that is drawn", async () => {
    const [a, b, c] = (await servers(3)) as [FakeServer, FakeServer, FakeServer];
    const order: string[] = [];
    const random = drawn(0.9, 0.6);
    const { connecting } = dial([a, b, c], { loadBalanceHosts: "random", random });
    for (const [name, server] of Object.entries({ c, b })) {
      await refuse(server, "53300");
      order.push(name);
    }
    const peer = await greet(a);
    expect(await served(connecting, peer)).toBe(true);
    expect(order).toEqual(["c", "b"]);
    expect([a.count, b.count, c.count]).toEqual([1, 1, 1]);
  });

  test("tries the addresses of a host in the order that is drawn", async () => {
    const { port } = await closedServer();
    const lookup = () => Promise.resolve(["127.0.0.1", "::1"]);
    for (const [draw, order] of [
      [0.9, /\(::1\).*\(127\.0\.0\.1\)/u],
      [0.1, /\(127\.0\.0\.1\).*\(::1\)/u],
    ] as const) {
      // The first draw is among the hosts, of which there is one.
      const random = drawn(0, draw);
      const options = { host: "db.example", port, lookup, random } as const;
      const { connecting } = dial([], { ...options, loadBalanceHosts: "random" });
      expect(String(await errorOf(connecting))).toMatch(order);
    }
  });

  test("is not the default", async () => {
    const [a, b] = (await servers(2)) as [FakeServer, FakeServer];
    const { connecting } = dial([a, b], { random: drawn(0.9, 0.9) });
    const peer = await greet(a);
    expect(await served(connecting, peer)).toBe(true);
  });
});
