import { expect, test } from "vitest";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import type { Lease } from "../../../packages/forebay/src/pool/lease.ts";
import type { FakeConn } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, fill, poolOf, queue, script, take, takeOne, watch } from "./steps.ts";

test("a connection is dialed for the first caller, kept, and given to the next", async () => {
  const bench = poolBench();
  const first = await takeOne(bench);
  const { conn } = first;
  first.release();
  const second = await takeOne(bench);
  expect(second.conn).toBe(conn);
  expect(bench.connector.dialCount).toBe(1);
});

test("an idle connection is leased before acquire returns", async () => {
  const bench = poolBench();
  await fill(bench, 1);
  const acquire = bench.pool.acquire();
  expect(bench.pool.stats()).toMatchObject({ idle: 0, inUse: 1, pool: { leased: 1, waiting: 0 } });
  (await acquire).release();
});

test("connections in use are never shared", async () => {
  const bench = poolBench({ maxOpenConns: 20 });
  const leases = await take(bench, 20);
  expect(new Set(leases.map((lease) => lease.conn)).size).toBe(20);
});

test("a connection that comes back goes straight to who waits, never past them", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const served: string[] = [];
  queue(bench, served, "waiter");
  holder.release();
  // The newcomer comes in the same turn of the event loop as the release.
  expect(bench.pool.tryAcquire()).toBeUndefined();
  queue(bench, served, "newcomer");
  expect(bench.pool.stats()).toMatchObject({ idle: 0, pool: { waiting: 1, leased: 1 } });
  await bench.advance(0);
  expect(served).toEqual(["waiter"]);
});

test("a newcomer queues behind who waits although there is room to dial", async () => {
  const bench = poolBench(
    { maxOpenConns: 5, maxDialing: 1 },
    script({ connect: () => ({ afterMs: 10 }) }),
  );
  const served: string[] = [];
  for (const name of ["a", "b", "c"]) queue(bench, served, name);
  await bench.advance(10);
  queue(bench, served, "newcomer");
  expect(served).toEqual(["a"]);
  await bench.advance(100);
  expect(served).toEqual(["a", "b", "c", "newcomer"]);
});

test("tryAcquire takes what is idle, and neither waits nor dials", async () => {
  const bench = poolBench();
  expect(bench.pool.tryAcquire()).toBeUndefined();
  expect(bench.connector.dialCount).toBe(0);
  const [conn] = await fill(bench, 1);
  const lease = bench.pool.tryAcquire();
  expect(lease?.conn).toBe(conn);
  expect(bench.pool.tryAcquire()).toBeUndefined();
  lease?.release();
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { acquireCount: 2, dialCount: 1 } });
});

test("discard closes the connection, and the next caller gets a new one", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const lease = await takeOne(bench);
  lease.discard();
  const next = await takeOne(bench);
  expect(next.conn.id).toBe(2);
  expect(closedBy(bench)).toEqual({ discarded: 1 });
});

test("a discarded connection is not asked whether it is valid", async () => {
  const calls: string[] = [];
  const bench = poolBench({}, (call) => {
    calls.push(call);
    return "ok";
  });
  (await takeOne(bench)).discard();
  await bench.advance(0);
  expect(calls).toEqual(["connect", "close"]);
});

test("a connection that its driver calls invalid is closed, not kept", async () => {
  const bench = poolBench({}, script({ isValid: () => ({ fail: "invalid" }) }));
  (await takeOne(bench)).release();
  await bench.advance(0);
  expect(closedBy(bench)).toEqual({ bad: 1 });
  expect(bench.pool.stats().openConnections).toBe(0);
});

test("an isValid that throws costs the connection, not the place", async () => {
  const list: unknown[] = [];
  const thrown = new Error("isValid is broken");
  const bench = poolBench(
    { maxOpenConns: 1, onBackgroundError: (error, task) => list.push([task, error]) },
    script({
      isValid: (_, connId) => {
        if (connId === 1) throw thrown;
        return "ok";
      },
    }),
  );
  const lease = await takeOne(bench);
  expect(() => lease.release()).not.toThrow();
  expect((await takeOne(bench)).conn.id).toBe(2);
  expect(list).toEqual([["reset", thrown]]);
  expect(closedBy(bench)).toEqual({ bad: 1 });
});

test("a place is taken until close has settled", async () => {
  const bench = poolBench({ maxOpenConns: 1 }, script({ close: () => ({ afterMs: 30 }) }));
  (await takeOne(bench)).discard();
  const next = watch(bench.pool.acquire());
  await bench.advance(29);
  expect(next.state).toBe("pending");
  expect(bench.connector.serverCount).toBe(1);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 1, pool: { closing: 1 } });
  await bench.advance(1);
  expect(next.state).toBe("resolved");
});

test("a close that fails is reported, and its place is free", async () => {
  const list: unknown[] = [];
  const bench = poolBench(
    { maxOpenConns: 1, onBackgroundError: (error, task) => list.push([task, error]) },
    script({ close: () => ({ fail: "cannot close", afterMs: 5 }) }),
  );
  (await takeOne(bench)).discard();
  await bench.advance(5);
  expect(list).toEqual([["close", "cannot close"]]);
  expect(bench.pool.stats().openConnections).toBe(0);
});

test("a close that hangs is given up after closeTimeoutMs, and its place is free", async () => {
  const list: unknown[] = [];
  const bench = poolBench(
    {
      maxOpenConns: 1,
      closeTimeoutMs: 70,
      onBackgroundError: (error, task) => list.push([task, error]),
    },
    script({ close: () => "never" }),
  );
  (await takeOne(bench)).discard();
  const next = watch(bench.pool.acquire());
  await bench.advance(69);
  expect(next.state).toBe("pending");
  await bench.advance(1);
  expect(next.state).toBe("resolved");
  expect(list).toMatchObject([
    [
      "close",
      {
        code: "DRIVER_TIMEOUT",
        family: "operating",
        retryable: false,
        message: "close did not end within 70ms, and is not waited for any longer [DRIVER_TIMEOUT]",
      },
    ],
  ]);
});

test("with closeTimeoutMs Infinity a close may take for ever, and has no timer", async () => {
  const bench = poolBench({ closeTimeoutMs: Infinity }, script({ close: () => "never" }));
  (await takeOne(bench)).discard();
  await bench.advance(1e12);
  expect(bench.pool.stats().pool.closing).toBe(1);
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("a driver whose close throws at once costs no place", async () => {
  const list: unknown[] = [];
  const thrown = new Error("close is broken");
  const { pool, clock } = poolOf<PooledConn>(
    () =>
      Promise.resolve({
        close: () => {
          throw thrown;
        },
      }),
    { maxOpenConns: 1, onBackgroundError: (error, task) => list.push([task, error]) },
  );
  const acquire = pool.acquire();
  await clock.advance(0);
  (await acquire).discard();
  const next = watch(pool.acquire());
  await clock.advance(0);
  expect(next.state).toBe("resolved");
  expect(list).toEqual([["close", thrown]]);
});

test("a driver needs nothing but close, which need not give a promise", async () => {
  let closed = 0;
  const { pool, clock } = poolOf<PooledConn>(() => Promise.resolve({ close: () => void closed++ }));
  const acquire = pool.acquire();
  await clock.advance(0);
  (await acquire).release();
  expect(pool.stats().idle).toBe(1);
  pool.closeIdle();
  await clock.advance(0);
  expect(closed).toBe(1);
  expect(pool.stats().openConnections).toBe(0);
});

test("an acquire from within a connect is served in its turn", async () => {
  let inner: Promise<Lease<PooledConn>> | undefined;
  const { pool, clock } = poolOf<PooledConn>(() => {
    inner ??= pool.acquire();
    return Promise.resolve({ close: () => undefined });
  });
  const outer = watch(pool.acquire());
  await clock.advance(0);
  expect(outer.state).toBe("resolved");
  expect(await inner).toBeDefined();
  expect(pool.stats()).toMatchObject({ openConnections: 2, pool: { leased: 2, waiting: 0 } });
});

test("a release from within a close serves who waits", async () => {
  const leases: Lease<PooledConn>[] = [];
  const { pool, clock } = poolOf<PooledConn>(
    () => Promise.resolve({ close: () => leases.pop()?.release() }),
    { maxOpenConns: 2 },
  );
  const acquires = [pool.acquire(), pool.acquire()];
  await clock.advance(0);
  leases.push(...(await Promise.all(acquires)));
  const waiter = watch(pool.acquire());
  leases.pop()?.discard();
  await clock.advance(0);
  expect(waiter.state).toBe("resolved");
});

test("a thousand callers on three connections are all served, each alone", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  let served = 0;
  const work = async (caller: string): Promise<void> => {
    const lease: Lease<FakeConn> = await bench.pool.acquire();
    expect(lease.conn.owner).toBeUndefined();
    lease.conn.owner = caller;
    await Promise.resolve();
    lease.conn.owner = undefined;
    served += 1;
    lease.release();
  };
  const all = Array.from({ length: 1000 }, (_, index) => work(`caller ${index}`));
  await bench.advance(0);
  await Promise.all(all);
  expect(served).toBe(1000);
  expect(bench.pool.stats()).toMatchObject({
    inUse: 0,
    idle: 3,
    pool: { acquireCount: 1000, dialCount: 3, waiting: 0 },
  });
});
