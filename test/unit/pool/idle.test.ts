import { expect, test } from "vitest";
import { poolBench } from "../../support/pool.ts";
import { closedBy, fill, script, take, takeOne } from "./steps.ts";

test.each([
  ["lifo", [3, 2, 1]],
  ["fifo", [1, 2, 3]],
] as const)(
  "with the idle order %s, connections are handed out as %j",
  async (idleOrder, order) => {
    const bench = poolBench({ idleOrder });
    await fill(bench, 3);
    const leases = await take(bench, 3);
    expect(leases.map((lease) => lease.conn.id)).toEqual(order);
  },
);

test("with lifo one connection serves a trickle; with fifo all take turns", async () => {
  for (const [idleOrder, used] of [
    ["lifo", [3, 3, 3, 3]],
    ["fifo", [1, 2, 3, 1]],
  ] as const) {
    const bench = poolBench({ idleOrder });
    await fill(bench, 3);
    const ids: number[] = [];
    for (let round = 0; round < 4; round++) {
      const lease = await takeOne(bench);
      ids.push(lease.conn.id);
      lease.release();
    }
    expect(ids).toEqual(used);
  }
});

test("a connection that comes back to a full idle list is closed", async () => {
  const bench = poolBench({ maxIdleConns: 2 });
  const conns = await fill(bench, 5);
  expect(conns.map((conn) => conn.isClosing)).toEqual([false, false, true, true, true]);
  expect(bench.pool.stats()).toMatchObject({ idle: 2, openConnections: 2, maxIdleClosed: 3 });
  expect(closedBy(bench)).toEqual({ "idle-limit": 3 });
});

test("with maxIdleConns 0 none is kept", async () => {
  const bench = poolBench({ maxIdleConns: 0 });
  await fill(bench, 1);
  await fill(bench, 1);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, openConnections: 0, maxIdleClosed: 2 });
});

test("with maxIdleConns 0 a connection still goes to who waits", async () => {
  const bench = poolBench({ maxIdleConns: 0, maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const next = bench.pool.acquire();
  holder.release();
  expect((await next).conn.id).toBe(1);
});

test("a connection idle for connMaxIdleTimeMs is closed then, and not before", async () => {
  const bench = poolBench({ connMaxIdleTimeMs: 100 });
  await fill(bench, 2);
  await bench.advance(99);
  expect(bench.pool.stats().idle).toBe(2);
  await bench.advance(1);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, maxIdleTimeClosed: 2 });
  expect(closedBy(bench)).toEqual({ "idle-time": 2 });
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("use starts the idle time anew, and time in use does not count", async () => {
  const bench = poolBench({ connMaxIdleTimeMs: 100 });
  await fill(bench, 1);
  await bench.advance(90);
  const lease = await takeOne(bench);
  await bench.advance(1000);
  lease.release();
  await bench.advance(99);
  expect(bench.pool.stats().idle).toBe(1);
  await bench.advance(1);
  expect(bench.pool.stats().idle).toBe(0);
});

test("each connection's idle time runs from its own return", async () => {
  const bench = poolBench({ connMaxIdleTimeMs: 100 });
  const leases = await take(bench, 3);
  for (const lease of leases) {
    lease.release();
    await bench.advance(30);
  }
  const idleAt: number[] = [];
  for (let ms = 0; ms < 4; ms++) {
    await bench.advance(ms === 0 ? 9 : 30);
    idleAt.push(bench.pool.stats().idle);
  }
  // Given back at 0, 30 and 60; looked at 99, 129, 159 and 189.
  expect(idleAt).toEqual([3, 2, 1, 0]);
});

test("without an idle time a connection stays idle for ever, without a timer", async () => {
  const bench = poolBench();
  await fill(bench, 1);
  expect(bench.clock.pendingTimerCount).toBe(0);
  await bench.advance(1e9);
  expect(bench.pool.stats().idle).toBe(1);
});

test("minIdleConns are opened in the background, at once and without a caller", async () => {
  const bench = poolBench({ minIdleConns: 3, maxDialing: 2 });
  expect(bench.connector.dialing).toBe(2);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 3, pool: { dialCount: 3, acquireCount: 0 } });
});

test("minIdleConns are refilled when connections go into use, if there is room", async () => {
  const bench = poolBench({ minIdleConns: 2, maxOpenConns: 3 });
  await bench.advance(0);
  const [first] = await take(bench, 1);
  expect(bench.pool.stats()).toMatchObject({ idle: 2, openConnections: 3 });
  const rest = await take(bench, 2);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, openConnections: 3 });
  first?.release();
  for (const lease of rest) lease.release();
  expect(bench.pool.stats()).toMatchObject({ idle: 3, openConnections: 3 });
});

test("minIdleConns are refilled when one is lost, discarded or too old", async () => {
  const bench = poolBench({ minIdleConns: 2, connMaxLifetimeMs: 1000, random: { next: () => 0 } });
  await bench.advance(0);
  for (const conn of bench.connector.open) {
    conn.lose("ended");
    break;
  }
  // Nobody had ever used it, so that it counts as a dial that failed, and a pause comes first.
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { dialCount: 2, dialErrorCount: 1 } });
  await bench.advance(25);
  expect(bench.pool.stats()).toMatchObject({ idle: 2, pool: { dialCount: 3 } });
  (await takeOne(bench)).discard();
  await bench.advance(0);
  expect(bench.pool.stats().idle).toBe(2);
  await bench.advance(1000);
  expect(bench.pool.stats().idle).toBe(2);
  expect(closedBy(bench)).toMatchObject({ lost: 1, discarded: 1, lifetime: 2 });
});

test("the idle time spares as many as minIdleConns needs, and takes the oldest", async () => {
  const bench = poolBench({ connMaxIdleTimeMs: 100 });
  const conns = await fill(bench, 3);
  bench.pool.setMinIdleConns(1);
  await bench.advance(1000);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, maxIdleTimeClosed: 2 });
  expect(conns.map((conn) => conn.isClosing)).toEqual([true, true, false]);
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("a connection that joins one long idle lets the idle time take the older", async () => {
  const bench = poolBench({ minIdleConns: 1, connMaxIdleTimeMs: 100, idleOrder: "lifo" });
  await bench.advance(500);
  const [lease] = await take(bench, 1);
  await bench.advance(500);
  lease?.release();
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, maxIdleTimeClosed: 1 });
});

test("minIdleConns in the background goes on after dials that failed", async () => {
  const bench = poolBench(
    { minIdleConns: 1 },
    script({ connect: (_, connId) => (connId < 3 ? { fail: new Error("refused") } : "ok") }),
  );
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, pool: { dialErrorCount: 1 } });
  await bench.advance(1000);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { dialErrorCount: 2, dialCount: 1 } });
});

test("closeIdle closes what is idle as suspect, and leaves what is in use", async () => {
  const bench = poolBench();
  const leases = await take(bench, 3);
  leases[0]?.release();
  leases[1]?.release();
  bench.pool.closeIdle();
  await bench.advance(0);
  expect(closedBy(bench)).toEqual({ suspect: 2 });
  expect(bench.pool.stats()).toMatchObject({ idle: 0, openConnections: 1, pool: { leased: 1 } });
  leases[2]?.release();
  expect(bench.pool.stats().idle).toBe(1);
});

test("closeIdle lets minIdleConns be opened anew", async () => {
  const bench = poolBench({ minIdleConns: 2 });
  await bench.advance(0);
  bench.pool.closeIdle();
  expect(bench.pool.stats().idle).toBe(0);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ idle: 2, pool: { dialCount: 4 } });
});
