import { expect, test } from "vitest";
import { RETIRE_REASONS, type RetireReason } from "../../../packages/forebay/src/pool/state.ts";
import { type PoolBench, poolBench } from "../../support/pool.ts";
import { closedBy, fill, script, take, takeOne, watch } from "./steps.ts";

test("a fresh pool has nothing to tell but its limit and its name", () => {
  expect(poolBench({ maxOpenConns: 7 }).pool.stats()).toEqual({
    maxOpenConnections: 7,
    openConnections: 0,
    inUse: 0,
    idle: 0,
    waitCount: 0,
    waitDurationMs: 0,
    maxIdleClosed: 0,
    maxIdleTimeClosed: 0,
    maxLifetimeClosed: 0,
    pool: {
      name: "test",
      waiting: 0,
      leased: 0,
      dialing: 0,
      checking: 0,
      pinging: 0,
      closing: 0,
      isSuspended: false,
      acquireCount: 0,
      dialCount: 0,
      dialErrorCount: 0,
      timeoutCount: 0,
      abortCount: 0,
      queueFullCount: 0,
      shedCount: 0,
      pingCount: 0,
      closedBy: Object.fromEntries(RETIRE_REASONS.map((reason) => [reason, 0])),
    },
  });
});

test("openConnections and inUse count what is dialed, checked and closed", async () => {
  const bench = poolBench(
    { closeTimeoutMs: 1000, resetTimeoutMs: 1000 },
    script({
      connect: (_, connId) => (connId === 5 ? "never" : "ok"),
      resetSession: (_, connId) => (connId === 2 ? "never" : "ok"),
      close: () => "never",
    }),
  );
  const leases = await take(bench, 4);
  leases[1]?.release();
  leases[2]?.discard();
  leases[3]?.release();
  const [again] = await take(bench, 1);
  watch(bench.pool.acquire());
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({
    openConnections: 5,
    inUse: 5,
    idle: 0,
    pool: { leased: 2, checking: 1, closing: 1, dialing: 1, waiting: 1 },
  });
  again?.release();
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({
    openConnections: 5,
    inUse: 5,
    idle: 0,
    pool: { leased: 2, waiting: 0 },
  });
  leases[0]?.release();
  expect(bench.pool.stats()).toMatchObject({ openConnections: 5, inUse: 4, idle: 1 });
});

test("waiting for a dial is not counted as a wait, however long it takes", async () => {
  const bench = poolBench(
    { maxOpenConns: 3, maxDialing: 1 },
    script({ connect: () => ({ afterMs: 50 }) }),
  );
  for (let count = 0; count < 3; count++) watch(bench.pool.acquire());
  await bench.advance(150);
  expect(bench.pool.stats()).toMatchObject({
    waitCount: 0,
    waitDurationMs: 0,
    pool: { leased: 3 },
  });
});

test("a wait at the limit is counted when it begins, and its time when it ends", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  watch(bench.pool.acquire());
  expect(bench.pool.stats()).toMatchObject({ waitCount: 1, waitDurationMs: 0 });
  await bench.advance(40);
  expect(bench.pool.stats()).toMatchObject({ waitCount: 1, waitDurationMs: 0 });
  watch(bench.pool.acquire());
  await bench.advance(2);
  holder.release();
  expect(bench.pool.stats()).toMatchObject({ waitCount: 2, waitDurationMs: 42 });
});

test("a wait counts its time however it ends: abort, timeout, close", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  await takeOne(bench);
  const controller = new AbortController();
  watch(bench.pool.acquire({ signal: controller.signal }));
  watch(bench.pool.acquire({ deadlineAtMs: 100 }));
  watch(bench.pool.acquire());
  await bench.advance(40);
  controller.abort();
  expect(bench.pool.stats()).toMatchObject({ waitCount: 3, waitDurationMs: 40 });
  await bench.advance(60);
  expect(bench.pool.stats()).toMatchObject({ waitCount: 3, waitDurationMs: 140 });
  await bench.advance(900);
  const closing = bench.pool.close({ drainTimeoutMs: 0 });
  expect(bench.pool.stats()).toMatchObject({ waitCount: 3, waitDurationMs: 1140 });
  await bench.advance(0);
  await closing;
  expect(bench.pool.stats().pool).toMatchObject({ abortCount: 1, timeoutCount: 1 });
});

test("as many wait for a dial as can have one, and only the others at the limit", async () => {
  const bench = poolBench({ maxOpenConns: 2 }, script({ connect: () => ({ afterMs: 10 }) }));
  for (let count = 0; count < 5; count++) watch(bench.pool.acquire());
  expect(bench.pool.stats().waitCount).toBe(3);
  await bench.advance(10);
  expect(bench.pool.stats().pool).toMatchObject({ leased: 2, waiting: 3 });
});

test("an acquire served at once, refused or aborted before it began is no wait", async () => {
  const bench = poolBench({ maxOpenConns: 1, maxWaiters: 0 });
  await fill(bench, 1);
  await takeOne(bench);
  watch(bench.pool.acquire());
  watch(bench.pool.acquire({ signal: AbortSignal.abort() }));
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ waitCount: 0, pool: { queueFullCount: 1 } });
});

test("acquireCount counts connections handed out, by whatever way", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const dialed = await takeOne(bench);
  const waited = bench.pool.acquire();
  dialed.release();
  (await waited).release();
  bench.pool.tryAcquire()?.release();
  (await takeOne(bench)).release();
  expect(bench.pool.stats().pool).toMatchObject({ acquireCount: 4, dialCount: 1 });
});

test("a snapshot does not change afterwards", async () => {
  const bench = poolBench({ maxIdleConns: 0 });
  const before = bench.pool.stats();
  await fill(bench, 1);
  expect(before).toMatchObject({ openConnections: 0, maxIdleClosed: 0 });
  expect(before.pool.closedBy["idle-limit"]).toBe(0);
  expect(bench.pool.stats().pool.closedBy["idle-limit"]).toBe(1);
});

/** How a connection comes to be retired for each reason. */
const WAYS: Readonly<Record<RetireReason, () => Promise<PoolBench>>> = {
  lifetime: async () => {
    const bench = poolBench({ connMaxLifetimeMs: 10 });
    await fill(bench, 1);
    await bench.advance(10);
    return bench;
  },
  "idle-time": async () => {
    const bench = poolBench({ connMaxIdleTimeMs: 10 });
    await fill(bench, 1);
    await bench.advance(10);
    return bench;
  },
  "idle-limit": async () => {
    const bench = poolBench({ maxIdleConns: 0 });
    await fill(bench, 1);
    return bench;
  },
  "open-limit": async () => {
    const bench = poolBench();
    const leases = await take(bench, 2);
    bench.pool.setMaxOpenConns(1);
    leases[0]?.release();
    await bench.advance(0);
    return bench;
  },
  lost: async () => {
    const bench = poolBench();
    const [conn] = await fill(bench, 1);
    conn?.lose("ended");
    await bench.advance(0);
    return bench;
  },
  bad: async () => {
    const bench = poolBench({}, script({ isValid: () => ({ fail: "invalid" }) }));
    await fill(bench, 1);
    return bench;
  },
  "ping-failed": async () => {
    const bench = poolBench({ pingAfterIdleMs: 10 }, script({ ping: () => ({ fail: "no" }) }));
    await fill(bench, 1);
    await bench.advance(10);
    watch(bench.pool.acquire());
    await bench.advance(0);
    return bench;
  },
  refused: async () => {
    const bench = poolBench({ hooks: { afterRelease: () => false } });
    await fill(bench, 1);
    return bench;
  },
  reset: async () => {
    const bench = poolBench();
    await fill(bench, 1);
    bench.pool.reset();
    await bench.advance(0);
    return bench;
  },
  "reset-failed": async () => {
    const bench = poolBench({}, script({ resetSession: () => ({ fail: "no" }) }));
    await fill(bench, 1);
    return bench;
  },
  discarded: async () => {
    const bench = poolBench();
    (await takeOne(bench)).discard();
    await bench.advance(0);
    return bench;
  },
  suspect: async () => {
    const bench = poolBench();
    await fill(bench, 1);
    bench.pool.closeIdle();
    await bench.advance(0);
    return bench;
  },
  draining: async () => {
    const bench = poolBench();
    await fill(bench, 1);
    await bench.pool.close();
    return bench;
  },
};

test.each(RETIRE_REASONS)(
  "a connection retired for %s is counted under that alone",
  async (why) => {
    const bench = await WAYS[why]();
    expect(closedBy(bench)).toEqual({ [why]: 1 });
    expect(bench.pool.stats()).toMatchObject({
      maxIdleClosed: why === "idle-limit" ? 1 : 0,
      maxIdleTimeClosed: why === "idle-time" ? 1 : 0,
      maxLifetimeClosed: why === "lifetime" ? 1 : 0,
    });
  },
);

test("the counters of closed connections are those of database/sql", async () => {
  const bench = poolBench({ maxIdleConns: 3, connMaxIdleTimeMs: 100 });
  await fill(bench, 4);
  bench.pool.setMaxIdleConns(2);
  await bench.advance(50);
  (await takeOne(bench)).release();
  await bench.advance(50);
  bench.pool.setConnMaxLifetimeMs(1);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({
    openConnections: 0,
    maxIdleClosed: 2,
    maxIdleTimeClosed: 1,
    maxLifetimeClosed: 1,
  });
});
