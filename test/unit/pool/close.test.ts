import { expect, test } from "vitest";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { coreOf } from "../../../packages/forebay/src/pool/pool.ts";
import { poolBench } from "../../support/pool.ts";
import {
  closedBy,
  fill,
  leaseOf,
  poolErrorOf,
  poolOf,
  reports,
  script,
  take,
  takeOne,
  watch,
} from "./steps.ts";

test("close at rest closes what is idle, then the connector, and leaves no timer", async () => {
  const bench = poolBench({ connMaxIdleTimeMs: 1000 }, script({ close: () => ({ afterMs: 5 }) }));
  await fill(bench, 3);
  const closing = watch(bench.pool.close());
  await bench.advance(4);
  expect([closing.state, bench.connector.closed]).toEqual(["pending", false]);
  await bench.advance(1);
  expect([closing.state, bench.connector.closed]).toEqual(["resolved", true]);
  expect(bench.connector.serverCount).toBe(0);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, inUse: 0, idle: 0 });
  expect(closedBy(bench)).toEqual({ draining: 3 });
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("close of an unused pool ends without any time passing", async () => {
  const bench = poolBench();
  await bench.pool.close();
  expect(bench.connector.closed).toBe(true);
  expect(coreOf(bench.pool).phase).toBe("closed");
});

test("close is idempotent: the same promise, the connector closed once", async () => {
  let closes = 0;
  const { pool } = poolOf<PooledConn>(
    () => Promise.reject(new Error("not dialed")),
    {},
    {
      close: () => {
        closes += 1;
      },
    },
  );
  const first = pool.close();
  expect(pool.close({ drainTimeoutMs: 0 })).toBe(first);
  await first;
  expect(pool.close()).toBe(first);
  await pool[Symbol.asyncDispose]();
  expect(closes).toBe(1);
});

test("disposal closes the pool", async () => {
  const bench = poolBench();
  await fill(bench, 1);
  await bench.pool[Symbol.asyncDispose]();
  expect(bench.connector.closed).toBe(true);
});

test("close turns away all who wait, at once", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const errors = [poolErrorOf(bench.pool.acquire()), poolErrorOf(bench.pool.acquire())];
  await bench.advance(7);
  const closing = bench.pool.close();
  expect(bench.pool.stats().pool.waiting).toBe(0);
  for (const error of await Promise.all(errors)) {
    expect(error).toMatchObject({ code: "POOL_CLOSED", waitedMs: 7 });
  }
  holder.release();
  await closing;
});

test("from close on acquire is refused, and tryAcquire gives nothing", async () => {
  const bench = poolBench();
  const holder = await takeOne(bench);
  const closing = bench.pool.close();
  expect((await poolErrorOf(bench.pool.acquire())).code).toBe("POOL_CLOSED");
  expect(bench.pool.tryAcquire()).toBeUndefined();
  bench.pool.closeIdle();
  holder.release();
  await closing;
  expect((await poolErrorOf(bench.pool.acquire())).code).toBe("POOL_CLOSED");
  expect(bench.pool.tryAcquire()).toBeUndefined();
  bench.pool.closeIdle();
  expect(bench.connector.dialCount).toBe(1);
});

test("close waits for connections in use, and closes each as it comes back", async () => {
  const bench = poolBench();
  const leases = await take(bench, 2);
  const closing = watch(bench.pool.close({ drainTimeoutMs: 1000 }));
  await bench.advance(400);
  leases[0]?.release();
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 1, idle: 0 });
  await bench.advance(400);
  expect([closing.state, leases[1]?.conn.isClosing]).toEqual(["pending", false]);
  leases[1]?.release();
  await bench.advance(0);
  expect(closing.state).toBe("resolved");
  expect(closedBy(bench)).toEqual({ draining: 2 });
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("after drainTimeoutMs, connections in use are closed by force", async () => {
  const bench = poolBench({}, script({ close: () => ({ afterMs: 5 }) }));
  const lease = await takeOne(bench);
  const { conn } = lease;
  const closing = watch(bench.pool.close({ drainTimeoutMs: 100 }));
  await bench.advance(99);
  expect(conn.isClosing).toBe(false);
  await bench.advance(1);
  expect([conn.isClosing, closing.state]).toEqual([true, "pending"]);
  await bench.advance(5);
  expect(closing.state).toBe("resolved");
  expect(closedBy(bench)).toEqual({ draining: 1 });
  lease.release();
  await bench.advance(1000);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, idle: 0 });
  expect(closedBy(bench)).toEqual({ draining: 1 });
  expect(() => lease.release()).toThrow("LEASE_STALE");
});

test("nothing is called on a connection closed by force when it is given back", async () => {
  const { list, onBackgroundError } = reports();
  const bench = poolBench(
    { onBackgroundError, closeTimeoutMs: 100 },
    script({ close: () => ({ afterMs: 10 }) }),
  );
  const lease = await takeOne(bench);
  const closing = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  await bench.advance(1);
  lease.release();
  await bench.advance(20);
  expect(closing.state).toBe("resolved");
  expect(list).toEqual([]);
});

test("drainTimeoutMs is 10 seconds unless it is given", async () => {
  const bench = poolBench();
  await takeOne(bench);
  const closing = watch(bench.pool.close());
  await bench.advance(9999);
  expect(closing.state).toBe("pending");
  await bench.advance(1);
  expect(closing.state).toBe("resolved");
});

test("drainTimeoutMs 0 closes by force at once", async () => {
  const bench = poolBench();
  const leases = await take(bench, 3);
  const closing = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  await bench.advance(0);
  expect(closing.state).toBe("resolved");
  expect(bench.connector.serverCount).toBe(0);
  for (const lease of leases) lease.discard();
  expect(closedBy(bench)).toEqual({ draining: 3 });
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("drainTimeoutMs Infinity waits for as long as it takes", async () => {
  const bench = poolBench();
  const lease = await takeOne(bench);
  const closing = watch(bench.pool.close({ drainTimeoutMs: Infinity }));
  await bench.advance(1e12);
  expect(closing.state).toBe("pending");
  expect(bench.clock.pendingTimerCount).toBe(0);
  lease.release();
  await bench.advance(0);
  expect(closing.state).toBe("resolved");
});

test.each([-1, Number.NaN, "0", null, -Infinity])(
  "drainTimeoutMs %s is refused, and the pool stays open",
  async (drainTimeoutMs) => {
    const bench = poolBench();
    expect(() => bench.pool.close({ drainTimeoutMs: drainTimeoutMs as number })).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        message:
          "drainTimeoutMs must be 0 or a number of milliseconds above 0, or Infinity " +
          "[OPTION_INVALID]",
      }),
    );
    expect((await takeOne(bench)).conn.id).toBe(1);
  },
);

test("close aborts dials with the reason that the pool is closed", async () => {
  const reasons: unknown[] = [];
  const { pool, clock } = poolOf<PooledConn>(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          reasons.push(signal.reason);
          reject(signal.reason as Error);
        });
      }),
    { minIdleConns: 2 },
  );
  const closing = watch(pool.close());
  await clock.advance(0);
  expect(reasons).toMatchObject([{ code: "POOL_CLOSED" }, { code: "POOL_CLOSED" }]);
  expect(closing.state).toBe("resolved");
  expect(pool.stats()).toMatchObject({ openConnections: 0, pool: { dialErrorCount: 0 } });
  expect(clock.pendingTimerCount).toBe(0);
});

test("close waits no longer than closeTimeoutMs for a dial that ignores the abort", async () => {
  let arrive: (conn: PooledConn) => void = () => undefined;
  let closed = 0;
  const { pool, clock } = poolOf<PooledConn>(
    () =>
      new Promise((resolve) => {
        arrive = resolve;
      }),
    { closeTimeoutMs: 50 },
  );
  watch(pool.acquire());
  const closing = watch(pool.close());
  await clock.advance(49);
  expect(closing.state).toBe("pending");
  await clock.advance(1);
  expect(closing.state).toBe("resolved");
  arrive({
    close: () => {
      closed += 1;
    },
  });
  await clock.advance(0);
  expect(closed).toBe(1);
  expect(pool.stats().openConnections).toBe(0);
});

test("a dial that ends while the pool drains is closed, not kept", async () => {
  const { pool, clock } = poolOf<PooledConn>(
    ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve({ close: () => undefined }));
      }),
  );
  const waiter = watch(pool.acquire());
  const closing = watch(pool.close());
  await clock.advance(0);
  expect(waiter.reason).toMatchObject({ code: "POOL_CLOSED" });
  expect(closing.state).toBe("resolved");
  expect(pool.stats()).toMatchObject({ openConnections: 0, pool: { closedBy: { draining: 1 } } });
});

test("a dial that had been timed out already is not aborted a second time", async () => {
  let aborts = 0;
  const { pool, clock } = poolOf<PooledConn>(
    ({ signal }) => {
      signal.addEventListener("abort", () => {
        aborts += 1;
      });
      return new Promise(() => undefined);
    },
    { dialTimeoutMs: 10, closeTimeoutMs: 50 },
  );
  watch(pool.acquire());
  await clock.advance(30);
  const closing = watch(pool.close());
  await clock.advance(29);
  expect(closing.state).toBe("pending");
  await clock.advance(1);
  expect([closing.state, aborts]).toEqual(["resolved", 1]);
});

test("close resolves although connections cannot be closed, and reports them", async () => {
  const { list, onBackgroundError } = reports();
  const bench = poolBench(
    { closeTimeoutMs: 50, onBackgroundError },
    script({ close: (_, connId) => (connId === 1 ? "never" : { fail: "cannot" }) }),
  );
  await fill(bench, 2);
  const closing = watch(bench.pool.close());
  await bench.advance(50);
  expect(closing.state).toBe("resolved");
  expect(list).toMatchObject([
    { task: "close", error: "cannot" },
    { task: "close", error: { code: "DRIVER_TIMEOUT" } },
  ]);
});

test("close ends a session's reset by force", async () => {
  const bench = poolBench({}, script({ resetSession: () => ({ afterMs: 500 }) }));
  (await takeOne(bench)).release();
  expect(bench.pool.stats().pool.checking).toBe(1);
  const closing = watch(bench.pool.close({ drainTimeoutMs: 100 }));
  await bench.advance(100);
  expect(closing.state).toBe("resolved");
  await bench.advance(500);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, idle: 0 });
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("close waits for a session's reset that ends in time", async () => {
  const bench = poolBench({}, script({ resetSession: () => ({ afterMs: 50 }) }));
  (await takeOne(bench)).release();
  const closing = watch(bench.pool.close({ drainTimeoutMs: 100 }));
  await bench.advance(49);
  expect(closing.state).toBe("pending");
  await bench.advance(1);
  expect(closing.state).toBe("resolved");
  expect(closedBy(bench)).toEqual({ draining: 1 });
});

test.each([
  [
    "throws",
    () => {
      throw new Error("connector.close is broken");
    },
  ],
  ["rejects", () => Promise.reject(new Error("connector.close is broken"))],
])("a connector whose close %s is reported, and close resolves", async (_, close) => {
  const { list, onBackgroundError } = reports();
  const { pool } = poolOf<PooledConn>(
    () => Promise.reject(new Error("not dialed")),
    { onBackgroundError },
    { close },
  );
  await pool.close();
  expect(list).toEqual([{ task: "close", error: new Error("connector.close is broken") }]);
});

test("a connector need not have a close, and one that takes time is awaited", async () => {
  const without = poolOf<PooledConn>(() => Promise.reject(new Error("not dialed")));
  await without.pool.close();
  let end: () => void = () => undefined;
  const { pool, clock } = poolOf<PooledConn>(
    () => Promise.reject(new Error("not dialed")),
    {},
    {
      close: () =>
        new Promise((resolve) => {
          end = resolve;
        }),
    },
  );
  const closing = watch(pool.close());
  await clock.advance(0);
  expect(closing.state).toBe("pending");
  end();
  await clock.advance(0);
  expect(closing.state).toBe("resolved");
});

test("a connection lost while the pool drains counts once, and lets close end", async () => {
  const bench = poolBench();
  const lease = await takeOne(bench);
  const closing = watch(bench.pool.close());
  lease.conn.lose("ended");
  lease.release();
  await bench.advance(0);
  expect(closing.state).toBe("resolved");
  expect(closedBy(bench)).toEqual({ lost: 1 });
});

test("close from within a connect turns the dial away", async () => {
  const calls: string[] = [];
  let closing: Promise<void> | undefined;
  const { pool, clock } = poolOf<PooledConn>(({ signal }) => {
    closing = pool.close();
    calls.push(`aborted ${signal.aborted}`);
    return Promise.resolve({ close: () => void calls.push("close") });
  });
  const waiter = watch(pool.acquire());
  await clock.advance(0);
  expect(waiter.reason).toMatchObject({ code: "POOL_CLOSED" });
  expect(calls).toEqual(["aborted false", "close"]);
  await closing;
});

test("a waiter that was granted before close keeps its lease through the drain", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const holder = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  holder.release();
  const closing = watch(bench.pool.close());
  await bench.advance(0);
  const lease = leaseOf(waiter);
  expect(lease.conn.isClosing).toBe(false);
  lease.release();
  await bench.advance(0);
  expect(closing.state).toBe("resolved");
});
