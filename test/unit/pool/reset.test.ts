import { expect, test } from "vitest";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, poolOf, reports, script, take, takeOne, watch } from "./steps.ts";

test("a session with nothing to reset is free at once", async () => {
  const bench = poolBench();
  const lease = await takeOne(bench);
  lease.release();
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { checking: 0 } });
});

test("nobody gets a connection before its session is fit", async () => {
  const bench = poolBench({ maxOpenConns: 1 }, script({ resetSession: () => ({ afterMs: 20 }) }));
  const lease = await takeOne(bench);
  const { conn } = lease;
  const waiter = watch(bench.pool.acquire());
  lease.release();
  expect(bench.pool.stats()).toMatchObject({ inUse: 1, pool: { checking: 1, leased: 0 } });
  expect(bench.pool.tryAcquire()).toBeUndefined();
  await bench.advance(19);
  expect([waiter.state, conn.isResetting]).toEqual(["pending", true]);
  await bench.advance(1);
  expect(waiter.value?.conn).toBe(conn);
});

test("a session that has been made fit goes idle when nobody waits", async () => {
  const bench = poolBench({}, script({ resetSession: () => ({ afterMs: 20 }) }));
  (await takeOne(bench)).release();
  await bench.advance(20);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { checking: 0 } });
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("a session that cannot be made fit is closed, reported, and never handed out", async () => {
  const { list, onBackgroundError } = reports();
  const failure = new Error("cannot roll back");
  const bench = poolBench(
    { maxOpenConns: 1, onBackgroundError },
    script({
      resetSession: (_, connId) => (connId === 1 ? { fail: failure, afterMs: 5 } : "ok"),
    }),
  );
  const lease = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  lease.release();
  await bench.advance(5);
  expect(waiter.value?.conn.id).toBe(2);
  expect(list).toEqual([{ task: "reset", error: failure }]);
  expect(closedBy(bench)).toEqual({ "reset-failed": 1 });
});

test("a reset that hangs is given up after resetTimeoutMs, and its place is free", async () => {
  const { list, onBackgroundError } = reports();
  const bench = poolBench(
    { maxOpenConns: 1, resetTimeoutMs: 60, onBackgroundError },
    script({ resetSession: (_, connId) => (connId === 1 ? "never" : "ok") }),
  );
  const lease = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  lease.release();
  await bench.advance(59);
  expect(waiter.state).toBe("pending");
  await bench.advance(1);
  expect(waiter.value?.conn.id).toBe(2);
  expect(list).toMatchObject([
    {
      task: "reset",
      error: {
        code: "DRIVER_TIMEOUT",
        message:
          "resetSession did not end within 60ms, and is not waited for any longer [DRIVER_TIMEOUT]",
      },
    },
  ]);
  expect(closedBy(bench)).toEqual({ "reset-failed": 1 });
});

test("with resetTimeoutMs Infinity a reset may take as long as it likes", async () => {
  const bench = poolBench(
    { resetTimeoutMs: Infinity },
    script({ resetSession: () => ({ afterMs: 1e9 }) }),
  );
  (await takeOne(bench)).release();
  await bench.advance(1e9 - 1);
  expect(bench.pool.stats().pool.checking).toBe(1);
  await bench.advance(1);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { checking: 0 } });
});

test("a reset that throws at once is reported, and costs no place", async () => {
  const { list, onBackgroundError } = reports();
  const thrown = new Error("resetSession is broken");
  const bench = poolBench(
    { maxOpenConns: 1, onBackgroundError },
    script({
      resetSession: (_, connId) => {
        if (connId === 1) throw thrown;
        return "ok";
      },
    }),
  );
  const lease = await takeOne(bench);
  expect(() => lease.release()).not.toThrow();
  expect((await takeOne(bench)).conn.id).toBe(2);
  expect(list).toEqual([{ task: "reset", error: thrown }]);
});

test("a connection that is not valid is not reset", async () => {
  const calls: string[] = [];
  const bench = poolBench({}, (call) => {
    calls.push(call);
    return call === "isValid" ? { fail: "invalid" } : "ok";
  });
  (await takeOne(bench)).release();
  await bench.advance(0);
  expect(calls).toEqual(["connect", "isValid", "close"]);
});

test("a connection that grew too old during its reset is closed", async () => {
  const bench = poolBench(
    { connMaxLifetimeMs: 100 },
    script({ resetSession: () => ({ afterMs: 200 }) }),
  );
  (await takeOne(bench)).release();
  await bench.advance(200);
  expect(closedBy(bench)).toEqual({ lifetime: 1 });
});

test("sessions are reset side by side", async () => {
  const bench = poolBench({}, script({ resetSession: () => ({ afterMs: 20 }) }));
  for (const lease of await take(bench, 5)) lease.release();
  expect(bench.pool.stats().pool.checking).toBe(5);
  await bench.advance(20);
  expect(bench.pool.stats().idle).toBe(5);
});

test("what is being reset counts against maxOpenConns, so nothing more is dialed", async () => {
  const bench = poolBench({ maxOpenConns: 2 }, script({ resetSession: () => ({ afterMs: 20 }) }));
  for (const lease of await take(bench, 2)) lease.release();
  const waiter = watch(bench.pool.acquire());
  expect(bench.pool.stats()).toMatchObject({ openConnections: 2, waitCount: 1 });
  expect(bench.connector.dialing).toBe(0);
  await bench.advance(20);
  expect(waiter.state).toBe("resolved");
});

test("a driver may have a reset and no validity, or the reverse", async () => {
  const resetOnly: PooledConn = {
    close: () => undefined,
    resetSession: () => Promise.resolve(),
  };
  const validOnly: PooledConn = { close: () => undefined, isValid: () => true };
  for (const conn of [resetOnly, validOnly]) {
    const { pool, clock } = poolOf<PooledConn>(() => Promise.resolve(conn));
    const acquire = pool.acquire();
    await clock.advance(0);
    (await acquire).release();
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ idle: 1, openConnections: 1 });
  }
});
