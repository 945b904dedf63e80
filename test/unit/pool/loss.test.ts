import { expect, test } from "vitest";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { coreOf } from "../../../packages/forebay/src/pool/pool.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, fill, poolOf, script, take, takeOne, watch } from "./steps.ts";

test("an idle connection that is lost is gone before anyone can get it", async () => {
  const bench = poolBench();
  const [first, second] = await fill(bench, 2);
  second?.lose("ended by the server");
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { closing: 1 } });
  expect(bench.pool.tryAcquire()?.conn).toBe(first);
  expect(bench.pool.tryAcquire()).toBeUndefined();
  await bench.advance(0);
  expect(second?.isClosing).toBe(true);
  expect(closedBy(bench)).toEqual({ lost: 1 });
});

test("a connection that is lost in use is closed when it comes back, as lost", async () => {
  const bench = poolBench();
  const [released, discarded] = await take(bench, 2);
  released?.conn.lose("ended");
  discarded?.conn.lose("ended");
  await bench.advance(0);
  expect(bench.pool.stats().pool).toMatchObject({ leased: 2, closing: 0 });
  released?.release();
  discarded?.discard();
  await bench.advance(0);
  expect(closedBy(bench)).toEqual({ lost: 2 });
  expect(bench.pool.stats().openConnections).toBe(0);
});

test("a lost connection is not kept although its driver cannot tell", async () => {
  let lose: (reason: unknown) => void = () => undefined;
  const { pool, clock } = poolOf<PooledConn>(({ onLost }) => {
    lose = onLost;
    return Promise.resolve({ close: () => undefined });
  });
  const acquire = pool.acquire();
  await clock.advance(0);
  const lease = await acquire;
  lose("ended");
  lease.release();
  await clock.advance(0);
  expect(pool.stats()).toMatchObject({ openConnections: 0, pool: { closedBy: { lost: 1 } } });
});

test("a lost connection does not go to who waits; a new one does", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const lease = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  lease.conn.lose("ended");
  lease.release();
  await bench.advance(0);
  expect(waiter.value?.conn.id).toBe(2);
});

test("a connection lost while its session is reset is closed as lost, fit or not", async () => {
  for (const outcome of [{ afterMs: 10 }, { fail: new Error("no"), afterMs: 10 }]) {
    const bench = poolBench({}, script({ resetSession: () => outcome }));
    const lease = await takeOne(bench);
    const { conn } = lease;
    lease.release();
    conn.lose("ended");
    await bench.advance(10);
    expect(closedBy(bench)).toEqual({ lost: 1 });
  }
});

test("a connection that is lost before its dial has ended is never handed out", async () => {
  const { pool, clock } = poolOf<PooledConn>(({ onLost }) => {
    onLost("ended at once");
    return Promise.resolve({ close: () => undefined });
  });
  const waiter = watch(pool.acquire());
  await clock.advance(0);
  expect(waiter.state).toBe("pending");
  expect(pool.stats()).toMatchObject({
    openConnections: 0,
    pool: { waiting: 1, dialCount: 1, dialErrorCount: 1, closedBy: { lost: 1 } },
  });
  expect(coreOf(pool).backoff.lastError).toBe("ended at once");
});

test("word of a loss during or after the close changes nothing", async () => {
  const losses: ((reason: unknown) => void)[] = [];
  const { pool, clock } = poolOf<PooledConn>(({ onLost }) => {
    losses.push(onLost);
    return Promise.resolve({ close: () => onLost("closing") });
  });
  const acquire = pool.acquire();
  await clock.advance(0);
  (await acquire).discard();
  await clock.advance(0);
  for (const lose of losses) lose("again");
  expect(pool.stats()).toMatchObject({
    openConnections: 0,
    pool: { closedBy: { discarded: 1, lost: 0 } },
  });
});

test("a loss that is told twice counts once", async () => {
  let lose: (reason: unknown) => void = () => undefined;
  const { pool, clock } = poolOf<PooledConn>(({ onLost }) => {
    lose = onLost;
    return Promise.resolve({ close: () => undefined });
  });
  const acquire = pool.acquire();
  await clock.advance(0);
  (await acquire).release();
  lose("ended");
  lose("ended");
  await clock.advance(0);
  expect(pool.stats()).toMatchObject({ openConnections: 0, pool: { closedBy: { lost: 1 } } });
});

test("when all idle connections are lost at once, the next callers get new ones", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  for (const conn of await fill(bench, 3)) conn.lose("restart");
  const leases = await take(bench, 3);
  expect(leases.map((lease) => lease.conn.id).toSorted()).toEqual([4, 5, 6]);
  expect(closedBy(bench)).toEqual({ lost: 3 });
});

test("the place of a lost connection is free only when it has been closed", async () => {
  const bench = poolBench({ maxOpenConns: 1 }, script({ close: () => ({ afterMs: 30 }) }));
  const [conn] = await fill(bench, 1);
  conn?.lose("ended");
  const waiter = watch(bench.pool.acquire());
  await bench.advance(29);
  expect([waiter.state, bench.connector.dialCount]).toEqual(["pending", 1]);
  await bench.advance(1);
  expect(waiter.state).toBe("resolved");
});
