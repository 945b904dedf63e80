import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import {
  closedBy,
  fill,
  leaseOf,
  poolBench,
  queue,
  rejection,
  reports,
  script,
  take,
  takeOne,
  watch,
} from "./support.ts";

const SLOW_DIAL = script({ connect: () => ({ afterMs: 200 }) });

test("U1: waiters are served in the order in which they came", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  let lease = await takeOne(bench);
  const served: string[] = [];
  const waiters = ["a", "b", "c", "d", "e"].map((name) => queue(bench, served, name));
  for (const waiter of waiters) {
    lease.release();
    await bench.advance(0);
    lease = leaseOf(waiter);
  }
  expect(served).toEqual(["a", "b", "c", "d", "e"]);
});

test("U2: the one used last is handed out first; with fifo, the one idle longest", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  await fill(bench, 3);
  const idsTaken = async () => (await take(bench, 3)).map(({ conn }) => conn.id);
  const leases = await take(bench, 3);
  expect(leases.map(({ conn }) => conn.id)).toEqual([3, 2, 1]);
  for (const lease of leases) lease.release();
  bench.pool.setIdleOrder("fifo");
  expect(await idsTaken()).toEqual([3, 2, 1]);
});

test("U3: a raised limit serves those who wait, and no more are opened than they are", async () => {
  const bench = poolBench({ maxOpenConns: 1 }, SLOW_DIAL);
  const held = watch(bench.pool.acquire());
  await bench.advance(200);
  const waiters = [1, 2].map(() => watch(bench.pool.acquire()));
  await bench.advance(1000);
  expect(waiters.map(({ state }) => state)).toEqual(["pending", "pending"]);
  bench.pool.setMaxOpenConns(5);
  await bench.advance(200);
  expect(waiters.map(({ state }) => state)).toEqual(["resolved", "resolved"]);
  expect(held.state).toBe("resolved");
  expect(bench.connector.dialCount).toBe(3);
});

test("U4: a connection that cannot be reset is closed and reported, never handed out", async () => {
  const refused = new Error("cannot reset");
  const told = reports();
  const bench = poolBench(
    { maxOpenConns: 1, onBackgroundError: told.onBackgroundError },
    script({ resetSession: (_, connId) => (connId === 1 ? { fail: refused } : "ok") }),
  );
  const first = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  first.release();
  await bench.advance(0);
  expect(leaseOf(waiter).conn.id).toBe(2);
  expect(closedBy(bench)).toEqual({ "reset-failed": 1 });
  expect(told.list).toEqual([{ task: "reset", error: refused }]);
});

test("U5: a wait counts when it begins, and its time when it ends, however it ends", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const held = await takeOne(bench);
  const controller = new AbortController();
  const given = rejection(bench.pool.acquire({ signal: controller.signal }));
  const kept = watch(bench.pool.acquire());
  await bench.advance(30);
  expect(bench.pool.stats()).toMatchObject({ waitCount: 2, waitDurationMs: 0 });
  controller.abort("enough");
  await given;
  expect(bench.pool.stats()).toMatchObject({ waitCount: 2, waitDurationMs: 30 });
  await bench.advance(20);
  held.release();
  await bench.advance(0);
  leaseOf(kept).release();
  expect(bench.pool.stats()).toMatchObject({ waitCount: 2, waitDurationMs: 80 });
});

test("U6: dials for those who wait run side by side, at most maxDialing of them", async () => {
  const bench = poolBench({ maxOpenConns: 10, maxDialing: 3 }, SLOW_DIAL);
  const waiters = Array.from({ length: 6 }, () => watch(bench.pool.acquire()));
  const resolved = () => waiters.filter(({ state }) => state === "resolved").length;
  await bench.advance(199);
  expect([resolved(), bench.connector.dialing]).toEqual([0, 3]);
  await bench.advance(1);
  expect([resolved(), bench.connector.dialing]).toEqual([3, 3]);
  await bench.advance(200);
  expect([resolved(), bench.connector.dialing]).toEqual([6, 0]);
});

test("U7: close refuses who waits, aborts dials, and closes what they give later", async () => {
  for (const hears of [true, false]) {
    const bench = poolBench({ maxOpenConns: 2 }, SLOW_DIAL);
    const { connect } = bench.connector;
    bench.connector.connect = (options) => {
      const { signal } = hears ? options : new AbortController();
      return connect.call(bench.connector, { ...options, signal });
    };
    const waiters = [1, 2, 3].map(() => watch(bench.pool.acquire()));
    await bench.advance(50);
    const closed = watch(bench.pool.close());
    await bench.advance(0);
    for (const { reason } of waiters) expect(reason).toMatchObject({ code: "POOL_CLOSED" });
    expect(closed.state).toBe(hears ? "resolved" : "pending");
    await bench.advance(150);
    expect(closed.state).toBe("resolved");
    expect([bench.connector.serverCount, bench.connector.closed]).toEqual([0, true]);
  }
});

test("U8: a lowered maxIdleConns closes those idle longest", async () => {
  const bench = poolBench({ maxOpenConns: 4 });
  await fill(bench, 4);
  bench.pool.setMaxIdleConns(2);
  await bench.advance(0);
  expect([...bench.connector.open].map(({ id }) => id)).toEqual([3, 4]);
  expect(bench.pool.stats().maxIdleClosed).toBe(2);
});

test("U9: a dial sees the pool's context and its own signal, nothing of its caller", async () => {
  const store = new AsyncLocalStorage<string>();
  const bench = poolBench({ dialTimeoutMs: 500 }, SLOW_DIAL);
  const { connect } = bench.connector;
  const seen: unknown[] = [];
  const signals: AbortSignal[] = [];
  bench.connector.connect = (options) => {
    seen.push(store.getStore());
    signals.push(options.signal);
    return connect.call(bench.connector, options);
  };
  const controller = new AbortController();
  const { signal } = controller;
  const acquire = store.run("the caller's", () => rejection(bench.pool.acquire({ signal })));
  await bench.advance(10);
  controller.abort("enough");
  expect(await acquire).toBe("enough");
  expect(seen).toEqual([undefined]);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  await bench.advance(190);
  expect(bench.pool.stats().idle).toBe(1);
});
