import { expect, test } from "vitest";
import type { FakeConn } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, fill, poolOf, reports, script, take, takeOne, watch } from "./steps.ts";

test("what was quiet for pingAfterIdleMs is pinged before it is handed out", async () => {
  const bench = poolBench({ pingAfterIdleMs: 100 }, script({ ping: () => ({ afterMs: 3 }) }));
  const [conn] = await fill(bench, 1);
  await bench.advance(99);
  (await takeOne(bench)).release();
  expect(bench.pool.stats().pool.pingCount).toBe(0);
  await bench.advance(100);
  expect(bench.pool.tryAcquire()).toBeUndefined();
  const acquire = watch(bench.pool.acquire());
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { pinging: 1, pingCount: 1 } });
  await bench.advance(3);
  expect(acquire.value?.conn).toBe(conn);
  expect(bench.connector.dialCount).toBe(1);
});

test("as many are pinged as wait, and the others are left in peace", async () => {
  const bench = poolBench({ pingAfterIdleMs: 100 }, script({ ping: () => ({ afterMs: 3 }) }));
  await fill(bench, 4);
  await bench.advance(100);
  const acquires = [1, 2].map(() => watch(bench.pool.acquire()));
  expect(bench.pool.stats().pool).toMatchObject({ pinging: 2, pingCount: 2, dialing: 0 });
  await bench.advance(3);
  expect(acquires.map(({ state }) => state)).toEqual(["resolved", "resolved"]);
  expect(bench.pool.stats().pool.pingCount).toBe(2);
});

test("what was of use a moment ago is handed out at once, however old the pool is", async () => {
  const bench = poolBench({ pingAfterIdleMs: 100 });
  await bench.advance(60);
  await fill(bench, 1);
  await bench.advance(99);
  expect(bench.pool.tryAcquire()?.conn.id).toBe(1);
  expect(bench.pool.stats().pool.pingCount).toBe(0);
});

test("one that cannot be pinged is handed out as it is", async () => {
  const { pool, clock } = poolOf(async () => ({ close: () => undefined }), {
    pingAfterIdleMs: 10,
    keepaliveMs: 10,
  });
  const { conn } = await pool.acquire().then((lease) => {
    const taken = { conn: lease.conn };
    lease.release();
    return taken;
  });
  await clock.advance(1000);
  expect(pool.tryAcquire()?.conn).toBe(conn);
  expect(clock.pendingTimerCount).toBe(0);
});

test("a ping that hangs gives up its place after pingTimeoutMs, and is reported", async () => {
  const told = reports();
  const bench = poolBench(
    {
      maxOpenConns: 1,
      pingAfterIdleMs: 100,
      pingTimeoutMs: 20,
      onBackgroundError: told.onBackgroundError,
    },
    script({ ping: () => "never" }),
  );
  await fill(bench, 1);
  await bench.advance(100);
  const acquire = watch(bench.pool.acquire());
  await bench.advance(19);
  expect(acquire.state).toBe("pending");
  await bench.advance(1);
  expect(acquire.value?.conn.id).toBe(2);
  expect(closedBy(bench)).toEqual({ "ping-failed": 1 });
  expect(told.list).toMatchObject([{ task: "ping", error: { code: "DRIVER_TIMEOUT" } }]);
});

test("ten connections that died in silence cost their callers one ping and one dial", async () => {
  const bench = poolBench(
    { maxOpenConns: 10, maxDialing: 10, pingAfterIdleMs: 100, pingTimeoutMs: 20 },
    script({
      ping: (_, id) => (id <= 10 ? "never" : "ok"),
      connect: () => ({ afterMs: 5 }),
    }),
  );
  const acquires = Array.from({ length: 10 }, () => bench.pool.acquire());
  await bench.advance(5);
  for (const lease of await Promise.all(acquires)) lease.release();
  await bench.advance(100);
  const first = watch(bench.pool.acquire());
  await bench.advance(25);
  expect(first.value?.conn.id).toBe(11);
  const others = Array.from({ length: 9 }, () => watch(bench.pool.acquire()));
  await bench.advance(20);
  expect(others.map(({ value }) => value?.conn.id)).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20]);
  expect(closedBy(bench)).toEqual({ "ping-failed": 10 });
});

test("once one has proved dead, those that cannot be asked yet count as no supply", async () => {
  const bench = poolBench(
    { maxOpenConns: 4, pingAfterIdleMs: 1000, pingTimeoutMs: 20 },
    script({ ping: () => "never" }),
  );
  const [one, two] = await take(bench, 2);
  one?.release();
  await bench.advance(1);
  two?.conn.lose("reset by peer");
  const acquire = watch(bench.pool.acquire());
  await bench.advance(0);
  expect(bench.pool.stats().pool.pinging).toBe(1);
  expect(acquire.value?.conn.id).toBe(3);
  two?.release();
  await bench.advance(20);
  expect(closedBy(bench)).toEqual({ lost: 1, "ping-failed": 1 });
});

test("keepaliveMs pings what is quiet, one at a time, and it stays as idle as it was", async () => {
  const bench = poolBench(
    { keepaliveMs: 50, connMaxIdleTimeMs: 120, idleOrder: "fifo" },
    script({ ping: () => ({ afterMs: 10 }) }),
  );
  const conns = await fill(bench, 3);
  await bench.advance(50);
  expect(conns.map((conn) => conn.isPinging)).toEqual([true, false, false]);
  expect(bench.pool.stats()).toMatchObject({ idle: 3, pool: { pinging: 1 } });
  await bench.advance(10);
  expect(conns.map((conn) => conn.isPinging)).toEqual([false, true, false]);
  await bench.advance(20);
  expect(bench.pool.stats().pool).toMatchObject({ pinging: 0, pingCount: 3 });
  expect(bench.pool.tryAcquire()?.conn).toBe(conns[0]);
  await bench.advance(50);
  expect(closedBy(bench)).toEqual({ "idle-time": 2 });
});

test("keepaliveMs pings the quietest next, though another is idle for longer", async () => {
  const bench = poolBench({ keepaliveMs: 50 });
  const [first, second] = await take(bench, 2);
  first?.release();
  await bench.advance(30);
  second?.release();
  await bench.advance(20);
  expect(bench.pool.stats().pool.pingCount).toBe(1);
  await bench.advance(29);
  expect(bench.pool.stats().pool.pingCount).toBe(1);
  await bench.advance(1);
  expect(bench.pool.stats().pool.pingCount).toBe(2);
});

test("when the one that is pinged in the background is lost, the next one is due", async () => {
  const bench = poolBench({ keepaliveMs: 50 }, script({ ping: () => ({ afterMs: 30 }) }));
  const conns = await fill(bench, 2);
  await bench.advance(55);
  expect(conns.map((conn) => conn.isPinging)).toEqual([true, false]);
  conns[0]?.lose("ended");
  await bench.advance(0);
  expect(conns.map((conn) => conn.isPinging)).toEqual([false, true]);
  await bench.advance(30);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { pinging: 0, pingCount: 2 } });
});

test("the only one that may be idle stays so when it has answered a ping", async () => {
  const bench = poolBench(
    { maxIdleConns: 1, keepaliveMs: 50 },
    script({ ping: () => ({ afterMs: 5 }) }),
  );
  await fill(bench, 1);
  await bench.advance(55);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { pinging: 0, pingCount: 1 } });
});

test("a connection lost while it is pinged goes at once, and its waiter gets another", async () => {
  const bench = poolBench(
    { maxOpenConns: 1, pingAfterIdleMs: 10 },
    script({ ping: () => ({ fail: new Error("dead"), afterMs: 5 }) }),
  );
  const [conn] = await fill(bench, 1);
  await bench.advance(10);
  const acquire = watch(bench.pool.acquire());
  await bench.advance(1);
  conn?.lose("ended");
  await bench.advance(0);
  expect(acquire.value?.conn.id).toBe(2);
  await bench.advance(10);
  expect(closedBy(bench)).toEqual({ lost: 1 });
});

test("a fit connection goes to who waits, though another is being pinged", async () => {
  const bench = poolBench(
    { keepaliveMs: 50, pingTimeoutMs: 30 },
    script({ ping: (_, id) => (id === 1 ? "never" : "ok") }),
  );
  await fill(bench, 2);
  bench.pool.suspend();
  await bench.advance(50);
  expect(bench.pool.stats().pool.pinging).toBe(1);
  const acquire = watch(bench.pool.acquire());
  bench.pool.resume();
  await bench.advance(0);
  expect(acquire.value?.conn.id).toBe(2);
});

test("what is pinged is not kept when more are idle than may be, or the pool closes", async () => {
  const bench = poolBench(
    { keepaliveMs: 50 },
    script({ ping: () => ({ afterMs: 10 }), close: () => ({ afterMs: 1 }) }),
  );
  const conns: FakeConn[] = await fill(bench, 2);
  await bench.advance(50);
  bench.pool.setMaxIdleConns(1);
  await bench.advance(0);
  expect(conns.map((conn) => conn.isClosing)).toEqual([false, true]);
  bench.pool.setMaxIdleConns(0);
  await bench.advance(10);
  expect(closedBy(bench)).toEqual({ "idle-limit": 2 });
  await fill(bench, 1);
  bench.pool.setMaxIdleConns(1);
  await fill(bench, 1);
  await bench.advance(55);
  expect(bench.pool.stats().pool.pinging).toBe(1);
  const closed = watch(bench.pool.close());
  await bench.advance(1);
  expect(closed.state).toBe("resolved");
  await bench.advance(10);
  expect(bench.clock.pendingTimerCount).toBe(0);
});
