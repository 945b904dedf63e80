import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { poolBench } from "../../support/pool.ts";
import { fill, leaseOf, reasonOf, script, take, takeOne, watch } from "./steps.ts";

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

test("an acquire with an aborted signal is rejected with its reason, taking nothing", async () => {
  const bench = poolBench();
  await fill(bench, 1);
  const controller = new AbortController();
  const reason = { why: "changed my mind" };
  controller.abort(reason);
  expect(await reasonOf(bench.pool.acquire({ signal: controller.signal }))).toBe(reason);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { acquireCount: 1, abortCount: 0 } });
  expect(listenersOf(controller.signal)).toBe(0);
});

test("an aborted signal comes before a closed pool", async () => {
  const bench = poolBench();
  await bench.pool.close();
  const reason = new Error("no longer wanted");
  expect(await reasonOf(bench.pool.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason);
});

test.each([[new Error("gone")], ["a word"], [0], [null], [Symbol("why")]])(
  "a waiter is rejected with the reason itself: %s",
  async (reason) => {
    const bench = poolBench({ maxOpenConns: 1 });
    await takeOne(bench);
    const controller = new AbortController();
    const waiter = watch(bench.pool.acquire({ signal: controller.signal }));
    await bench.advance(5);
    controller.abort(reason);
    await bench.advance(0);
    expect(waiter.state).toBe("rejected");
    expect(waiter.reason).toBe(reason);
  },
);

test("an abort without a reason rejects with the signal's own AbortError", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  await takeOne(bench);
  const controller = new AbortController();
  const acquire = bench.pool.acquire({ signal: controller.signal });
  controller.abort();
  const reason = await reasonOf(acquire);
  expect(reason).toBe(controller.signal.reason);
  expect(reason).toMatchObject({ name: "AbortError" });
});

test("an aborted waiter leaves at once, and the next in line is served", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const controller = new AbortController();
  watch(bench.pool.acquire({ signal: controller.signal }));
  const next = watch(bench.pool.acquire());
  controller.abort();
  expect(bench.pool.stats().pool).toMatchObject({ waiting: 1, abortCount: 1 });
  holder.release();
  await bench.advance(0);
  expect(next.state).toBe("resolved");
  expect(bench.pool.stats().pool).toMatchObject({ leased: 1, acquireCount: 2 });
});

test("an abort in the same turn as the grant is too late: the caller has the lease", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const controller = new AbortController();
  const waiter = watch(bench.pool.acquire({ signal: controller.signal }));
  holder.release();
  controller.abort();
  await bench.advance(0);
  leaseOf(waiter).release();
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { leased: 0, abortCount: 0 } });
});

test("a release in the same turn as the abort does not go to who has given up", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const controller = new AbortController();
  const waiter = watch(bench.pool.acquire({ signal: controller.signal }));
  controller.abort("gone");
  holder.release();
  await bench.advance(0);
  expect(waiter.reason).toBe("gone");
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { leased: 0, acquireCount: 1 } });
});

test("an abort long after the grant changes nothing", async () => {
  const bench = poolBench();
  const controller = new AbortController();
  const { signal } = controller;
  const acquire = bench.pool.acquire({ signal });
  await bench.advance(0);
  const lease = await acquire;
  expect(listenersOf(signal)).toBe(0);
  controller.abort();
  expect(lease.conn.isClosing).toBe(false);
  lease.release();
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { abortCount: 0 } });
});

test("one signal may end many waiters", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const [holder] = await take(bench, 1);
  const controller = new AbortController();
  const { signal } = controller;
  const waiters = Array.from({ length: 30 }, () => watch(bench.pool.acquire({ signal })));
  expect(listenersOf(signal)).toBe(1);
  controller.abort("all");
  await bench.advance(0);
  expect(waiters.every(({ reason }) => reason === "all")).toBe(true);
  expect(listenersOf(signal)).toBe(0);
  holder?.release();
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { waiting: 0, abortCount: 30 } });
});

test("no listener stays on the signal, however the acquire ends", async () => {
  const bench = poolBench(
    { maxOpenConns: 1, maxWaiters: 3, acquireTimeoutMs: 50 },
    script({ connect: (_, connId) => (connId === 1 ? "ok" : "never") }),
  );
  const controller = new AbortController();
  const { signal } = controller;
  const holder = await bench.pool.acquire({ signal });
  expect(listenersOf(signal)).toBe(0);
  const granted = watch(bench.pool.acquire({ signal }));
  const timedOut = watch(bench.pool.acquire({ signal, deadlineAtMs: 10 }));
  const last = watch(bench.pool.acquire({ signal }));
  expect(listenersOf(signal)).toBe(1);
  expect(await reasonOf(bench.pool.acquire({ signal }))).toMatchObject({ code: "POOL_QUEUE_FULL" });
  expect(listenersOf(signal)).toBe(1);
  holder.release();
  expect(listenersOf(signal)).toBe(1);
  await bench.advance(10);
  expect(timedOut.reason).toMatchObject({ code: "POOL_TIMEOUT" });
  expect(listenersOf(signal)).toBe(1);
  const closed = bench.pool.close();
  expect(listenersOf(signal)).toBe(0);
  leaseOf(granted).release();
  await closed;
  expect(last.reason).toMatchObject({ code: "POOL_CLOSED" });
});

test("an acquire that is served at once listens to nothing", async () => {
  const bench = poolBench();
  await fill(bench, 1);
  const { signal } = new AbortController();
  const acquire = bench.pool.acquire({ signal });
  expect(listenersOf(signal)).toBe(0);
  (await acquire).release();
});

test("a hopeless dial leaves no listener", async () => {
  const bench = poolBench({}, script({ connect: () => ({ fail: new Error("no such role") }) }));
  bench.connector.mayRetry = false;
  const { signal } = new AbortController();
  const acquire = bench.pool.acquire({ signal });
  expect(await reasonOf(acquire)).toMatchObject({ code: "CONNECT_FAILED" });
  expect(listenersOf(signal)).toBe(0);
});

test("a dial survives the caller that caused it, and serves the next", async () => {
  const bench = poolBench({}, script({ connect: () => ({ afterMs: 20 }) }));
  let dialsAborted = 0;
  bench.connector.onDialAborted = () => {
    dialsAborted += 1;
  };
  const controller = new AbortController();
  watch(bench.pool.acquire({ signal: controller.signal }));
  await bench.advance(10);
  controller.abort();
  const next = watch(bench.pool.acquire());
  await bench.advance(10);
  expect(next.value?.conn.id).toBe(1);
  expect(bench.connector.dialCount).toBe(1);
  expect(dialsAborted).toBe(0);
});

test("a dial that nobody waits for any more gives an idle connection", async () => {
  const bench = poolBench({}, script({ connect: () => ({ afterMs: 20 }) }));
  const controller = new AbortController();
  watch(bench.pool.acquire({ signal: controller.signal }));
  controller.abort();
  await bench.advance(20);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, openConnections: 1 });
});
