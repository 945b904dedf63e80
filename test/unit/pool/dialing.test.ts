import { expect, test } from "vitest";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { Dialer } from "../../../packages/forebay/src/pool/dialer.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";
import { Slot } from "../../../packages/forebay/src/pool/state.ts";
import { FakeConnector } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, leaseOf, poolErrorOf, poolOf, script, takeOne, watch } from "./steps.ts";

const SLOW = script({ connect: () => ({ afterMs: 20 }) });

test("at most maxDialing connections are opened at once", async () => {
  const bench = poolBench({ maxOpenConns: 10, maxDialing: 3 }, SLOW);
  const waiters = Array.from({ length: 10 }, () => watch(bench.pool.acquire()));
  const resolved = () => waiters.filter(({ state }) => state === "resolved").length;
  expect(bench.connector.dialing).toBe(3);
  expect(bench.pool.stats().pool).toMatchObject({ dialing: 3, waiting: 10 });
  await bench.advance(20);
  expect([resolved(), bench.connector.dialing]).toEqual([3, 3]);
  await bench.advance(20);
  expect([resolved(), bench.connector.dialing]).toEqual([6, 3]);
  await bench.advance(40);
  expect([resolved(), bench.connector.dialing]).toEqual([10, 0]);
});

test("with maxDialing 1 connections are opened one after the other", async () => {
  const bench = poolBench({ maxDialing: 1 }, SLOW);
  const waiters = Array.from({ length: 3 }, () => watch(bench.pool.acquire()));
  await bench.advance(40);
  expect(waiters.map(({ state }) => state)).toEqual(["resolved", "resolved", "pending"]);
});

test("with maxDialing Infinity all are opened at once", async () => {
  const bench = poolBench({ maxOpenConns: 100, maxDialing: Infinity }, SLOW);
  for (let count = 0; count < 150; count++) watch(bench.pool.acquire());
  expect(bench.connector.dialing).toBe(100);
  await bench.advance(20);
  expect(bench.pool.stats().pool).toMatchObject({ leased: 100, waiting: 50 });
});

test("no more are dialed than there are waiters", async () => {
  const bench = poolBench({ maxDialing: 4 }, SLOW);
  watch(bench.pool.acquire());
  expect(bench.connector.dialing).toBe(1);
  watch(bench.pool.acquire());
  expect(bench.connector.dialing).toBe(2);
  await bench.advance(100);
  expect(bench.connector.dialCount).toBe(2);
});

test("a dial under way serves whoever then waits, without another", async () => {
  const bench = poolBench({ maxOpenConns: 5 }, SLOW);
  const holder = bench.pool.acquire();
  await bench.advance(20);
  const second = watch(bench.pool.acquire());
  await bench.advance(10);
  (await holder).release();
  expect(bench.connector.dialing).toBe(1);
  const third = watch(bench.pool.acquire());
  expect(bench.connector.dialing).toBe(1);
  await bench.advance(0);
  expect([second.state, third.state]).toEqual(["resolved", "pending"]);
  await bench.advance(10);
  expect(third.state).toBe("resolved");
  expect(bench.connector.dialCount).toBe(2);
});

test("a dial that is still to begin is left out when nobody wants it any more", async () => {
  const bench = poolBench({ maxDialing: 1 }, SLOW);
  const controller = new AbortController();
  const { signal } = controller;
  for (let count = 0; count < 5; count++) watch(bench.pool.acquire({ signal }));
  await bench.advance(20);
  controller.abort();
  await bench.advance(1000);
  expect(bench.connector.dialCount).toBe(2);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { leased: 1 } });
});

test("a dial that nobody wants any more is closed where none may be idle", async () => {
  const bench = poolBench({ maxIdleConns: 0 }, SLOW);
  const controller = new AbortController();
  watch(bench.pool.acquire({ signal: controller.signal }));
  controller.abort();
  await bench.advance(20);
  expect(bench.connector.serverCount).toBe(0);
  expect(closedBy(bench)).toEqual({ "idle-limit": 1 });
});

test("what is being opened counts against maxOpenConns", async () => {
  const bench = poolBench({ maxOpenConns: 2, maxDialing: 4 }, SLOW);
  for (let count = 0; count < 5; count++) watch(bench.pool.acquire());
  expect(bench.connector.serverCount).toBe(2);
  await bench.advance(1000);
  expect(bench.connector.dialCount).toBe(2);
});

test("a dial longer than dialTimeoutMs is aborted, and who waits goes on waiting", async () => {
  const bench = poolBench(
    { dialTimeoutMs: 100 },
    script({ connect: (_, connId) => (connId === 1 ? "never" : "ok") }),
  );
  const abortedAfterMs: number[] = [];
  bench.connector.onDialAborted = (afterMs) => abortedAfterMs.push(afterMs);
  const waiter = watch(bench.pool.acquire());
  await bench.advance(99);
  expect(abortedAfterMs).toEqual([]);
  await bench.advance(1);
  expect(abortedAfterMs).toEqual([100]);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, pool: { dialErrorCount: 1 } });
  await bench.advance(50);
  expect(waiter.value?.conn.id).toBe(2);
});

test("a dial timeout is the cause of the waiter's error, and says what to look at", async () => {
  const bench = poolBench(
    { dialTimeoutMs: 100, acquireTimeoutMs: 110 },
    script({ connect: () => "never" }),
  );
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(110);
  expect((await error).cause).toMatchObject({
    code: "CONNECT_TIMEOUT",
    family: "operating",
    retryable: true,
    message:
      "fake: no connection was made within 100ms. Check the address, the network and the " +
      "server's load [CONNECT_TIMEOUT]",
  });
});

test("a connector that ignores the abort has closeTimeoutMs; then its place is free", async () => {
  const signals: AbortSignal[] = [];
  const { pool, clock } = poolOf<PooledConn>(
    ({ signal }) => {
      signals.push(signal);
      return new Promise(() => undefined);
    },
    { dialTimeoutMs: 100, closeTimeoutMs: 30, maxOpenConns: 1, acquireTimeoutMs: 120 },
  );
  const waiter = watch(pool.acquire());
  await clock.advance(100);
  expect(signals[0]?.aborted).toBe(true);
  expect(signals[0]?.reason).toMatchObject({ code: "CONNECT_TIMEOUT" });
  await clock.advance(29);
  expect(waiter.state).toBe("rejected");
  expect(pool.stats()).toMatchObject({ openConnections: 1, pool: { dialing: 1 } });
  await clock.advance(1);
  expect(pool.stats()).toMatchObject({ openConnections: 0, pool: { dialErrorCount: 1 } });
  expect(clock.pendingTimerCount).toBe(0);
});

test("a connection that arrives after its dial was given up is closed, not counted", async () => {
  let arrive: (conn: PooledConn) => void = () => undefined;
  let closed = 0;
  const { pool, clock } = poolOf<PooledConn>(
    () =>
      new Promise((resolve) => {
        arrive = resolve;
      }),
    { dialTimeoutMs: 100, closeTimeoutMs: 30, maxOpenConns: 1, acquireTimeoutMs: 50 },
  );
  watch(pool.acquire());
  await clock.advance(130);
  arrive({
    close: () => {
      closed += 1;
    },
  });
  await clock.advance(0);
  expect(closed).toBe(1);
  expect(pool.stats()).toMatchObject({ openConnections: 0, pool: { dialCount: 0 } });
});

test("a late connection that cannot be closed is reported", async () => {
  let arrive: (conn: PooledConn) => void = () => undefined;
  const list: unknown[] = [];
  const { pool, clock } = poolOf<PooledConn>(
    () =>
      new Promise((resolve) => {
        arrive = resolve;
      }),
    {
      dialTimeoutMs: 100,
      closeTimeoutMs: 30,
      acquireTimeoutMs: 50,
      onBackgroundError: (error, task) => list.push([task, error]),
    },
  );
  watch(pool.acquire());
  await clock.advance(130);
  arrive({ close: () => Promise.reject(new Error("too late")) });
  await clock.advance(0);
  expect(list.at(-1)).toEqual(["close", new Error("too late")]);
});

test("a dial that fails after it was given up is not counted twice", async () => {
  let fail: (error: Error) => void = () => undefined;
  const { pool, clock } = poolOf<PooledConn>(
    () =>
      new Promise((_, reject) => {
        fail = reject;
      }),
    { dialTimeoutMs: 100, closeTimeoutMs: 30, acquireTimeoutMs: 50 },
  );
  watch(pool.acquire());
  await clock.advance(130);
  fail(new Error("late"));
  await clock.advance(0);
  expect(pool.stats()).toMatchObject({ openConnections: 0, pool: { dialErrorCount: 1 } });
});

test("a connection that arrives between the abort and the limit is used all the same", async () => {
  const { pool, clock } = poolOf<PooledConn>(
    ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve({ close: () => undefined }));
      }),
    { dialTimeoutMs: 100 },
  );
  const waiter = watch(pool.acquire());
  await clock.advance(100);
  expect(waiter.state).toBe("resolved");
  expect(clock.pendingTimerCount).toBe(0);
});

test("a connector that throws at once is a dial that failed", async () => {
  let dials = 0;
  const { pool, clock } = poolOf<PooledConn>(() => {
    dials += 1;
    if (dials === 1) throw new Error("connect is broken");
    return Promise.resolve({ close: () => undefined });
  });
  const waiter = watch(pool.acquire());
  await clock.advance(0);
  expect(pool.stats().pool.dialErrorCount).toBe(1);
  await clock.advance(50);
  expect(waiter.state).toBe("resolved");
});

test("a hopeless dial tells all who wait, where nothing else can serve them", async () => {
  const bench = poolBench(
    { maxOpenConns: 1 },
    script({ connect: () => ({ fail: new Error("password authentication failed"), afterMs: 5 }) }),
  );
  bench.connector.mayRetry = false;
  const errors = [poolErrorOf(bench.pool.acquire()), poolErrorOf(bench.pool.acquire())];
  await bench.advance(5);
  for (const error of await Promise.all(errors)) {
    expect(error).toMatchObject({ code: "CONNECT_FAILED", retryable: true, waitedMs: 5 });
    expect(error.cause).toMatchObject({ message: "password authentication failed" });
  }
});

test("a hopeless dial leaves who waits waiting, while another may yet serve them", async () => {
  const bench = poolBench(
    { maxOpenConns: 3 },
    script({
      connect: (_, connId) =>
        connId === 2 ? { fail: new Error("hopeless"), afterMs: 5 } : { afterMs: 9 },
    }),
  );
  bench.connector.mayRetry = false;
  const waiters = [watch(bench.pool.acquire()), watch(bench.pool.acquire())];
  await bench.advance(8);
  expect(waiters.map(({ state }) => state)).toEqual(["pending", "pending"]);
  await bench.advance(1);
  expect(waiters.map(({ state }) => state)).toEqual(["resolved", "pending"]);
});

test("a hopeless dial leaves who waits waiting, while somebody has a connection", async () => {
  const bench = poolBench(
    { maxOpenConns: 2 },
    script({ connect: (_, connId) => (connId === 1 ? "ok" : { fail: new Error("hopeless") }) }),
  );
  const holder = await takeOne(bench);
  bench.connector.mayRetry = false;
  const waiter = watch(bench.pool.acquire());
  await bench.advance(10_000);
  expect(waiter.state).toBe("pending");
  holder.release();
  await bench.advance(0);
  expect(leaseOf(waiter).conn.id).toBe(1);
});

test("a hopeless dial leaves who waits waiting, while a session is being reset", async () => {
  const bench = poolBench(
    { maxOpenConns: 2 },
    script({
      connect: (_, connId) => (connId === 1 ? "ok" : { fail: new Error("hopeless"), afterMs: 5 }),
      resetSession: () => ({ afterMs: 10 }),
    }),
  );
  const holder = await takeOne(bench);
  bench.connector.mayRetry = false;
  const waiter = watch(bench.pool.acquire());
  holder.release();
  await bench.advance(9);
  expect(waiter.state).toBe("pending");
  await bench.advance(1);
  expect(leaseOf(waiter).conn.id).toBe(1);
});

test("a dial that was timed out is not hopeless, whatever the connector says", async () => {
  const bench = poolBench({ dialTimeoutMs: 20 }, script({ connect: () => "never" }));
  bench.connector.mayRetry = false;
  const waiter = watch(bench.pool.acquire());
  await bench.advance(100);
  expect(waiter.state).toBe("pending");
  expect(bench.connector.dialCount).toBeGreaterThan(1);
});

test("without shouldRetryConnect, and where it throws, trying again may help", async () => {
  const broken = () => {
    throw new Error("shouldRetryConnect is broken");
  };
  for (const more of [{}, { shouldRetryConnect: broken }]) {
    let dials = 0;
    const connect = (): Promise<PooledConn> => {
      dials += 1;
      return dials === 1
        ? Promise.reject(new Error("refused"))
        : Promise.resolve({ close: () => undefined });
    };
    const { pool, clock } = poolOf<PooledConn>(connect, {}, more);
    const waiter = watch(pool.acquire());
    await clock.advance(50);
    expect(waiter.state).toBe("resolved");
  }
});

test("a dial's timers are gone when it has ended", async () => {
  const bench = poolBench({}, SLOW);
  const acquire = bench.pool.acquire();
  expect(bench.clock.pendingTimerCount).toBe(2);
  await bench.advance(20);
  await acquire;
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("an abort of a dial that has ended has no effect", () => {
  const ignore = () => undefined;
  const clock = new VirtualClock();
  const { settings } = resolveOptions({ clock }, "fake");
  const events = { dialed: ignore, failed: ignore, lost: ignore };
  const dialer = new Dialer(new FakeConnector(clock), settings, events);
  dialer.abort(new Slot(1, clock.nowMs(), 0, 0), new Error("too late"));
  expect(clock.pendingTimerCount).toBe(0);
});

test("hanging dials never take a place for good", async () => {
  const bench = poolBench(
    { maxOpenConns: 2, dialTimeoutMs: 50 },
    script({ connect: (_, connId) => (connId <= 4 ? "never" : "ok") }),
  );
  const waiters = [watch(bench.pool.acquire()), watch(bench.pool.acquire())];
  await bench.advance(10_000);
  expect(waiters.map(({ state }) => state)).toEqual(["resolved", "resolved"]);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 2 });
});
