import { inspect } from "node:util";
import { expect, test } from "vitest";
import { isForebayError } from "../../../packages/forebay/src/base/errors.ts";
import { PoolError } from "../../../packages/forebay/src/pool/errors.ts";
import { poolBench } from "../../support/pool.ts";
import { fill, poolErrorOf, script, take, takeOne, watch } from "./steps.ts";

const REFUSED = new Error("connect ECONNREFUSED 10.0.0.1:5432");

test("POOL_TIMEOUT at the limit says what is held for how long, and what to do", async () => {
  const bench = poolBench({ name: "orders", maxOpenConns: 3, acquireTimeoutMs: 5000 });
  const [oldest] = await take(bench, 1);
  await bench.advance(56_000);
  await take(bench, 2);
  const error = poolErrorOf(bench.pool.acquire());
  watch(bench.pool.acquire({ deadlineAtMs: Infinity }));
  await bench.advance(5000);
  expect((await error).message).toBe(
    "orders: no connection after 5000ms (max 3: 3 in use, 0 idle, 0 connecting, " +
      "0 checking, 0 closing; " +
      "1 waiting). All connections are in use; the longest-held one has been out for 61000ms. " +
      "Look for a missing release or a long transaction before raising maxOpenConns [POOL_TIMEOUT]",
  );
  expect(await error).toMatchObject({
    name: "PoolError",
    code: "POOL_TIMEOUT",
    family: "operating",
    retryable: true,
    phase: "wait",
    pool: "orders",
    waitedMs: 5000,
    oldestLeaseMs: 61_000,
  });
  expect(await error).not.toHaveProperty("cause");
  oldest?.release();
});

test("the longest-held lease is the one granted first of those still out", async () => {
  const bench = poolBench({ maxOpenConns: 2, acquireTimeoutMs: 10 });
  const first = await takeOne(bench);
  await bench.advance(100);
  await takeOne(bench);
  await bench.advance(100);
  first.release();
  await takeOne(bench);
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(10);
  expect(await error).toMatchObject({ oldestLeaseMs: 110 });
});

test("POOL_TIMEOUT during a slow dial says that opening takes too long", async () => {
  const bench = poolBench({ acquireTimeoutMs: 30 }, script({ connect: () => "never" }));
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(30);
  expect(await error).toMatchObject({ phase: "connect", oldestLeaseMs: undefined });
  expect((await error).message).toBe(
    "test: no connection after 30ms (max 10: 0 in use, 0 idle, 1 connecting, " +
      "0 checking, 0 closing; " +
      "0 waiting). Opening a connection takes longer than that. Look at the network and the " +
      "server's load [POOL_TIMEOUT]",
  );
});

test("at the limit, the phase is connect while a dial is under way", async () => {
  const bench = poolBench(
    { maxOpenConns: 1, acquireTimeoutMs: 30 },
    script({ connect: () => "never" }),
  );
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(30);
  expect((await error).phase).toBe("connect");
});

test("POOL_TIMEOUT while the server refuses has the last dial's error as its cause", async () => {
  const bench = poolBench(
    { acquireTimeoutMs: 300 },
    script({ connect: () => ({ fail: REFUSED, afterMs: 1 }) }),
  );
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(300);
  expect(await error).toMatchObject({ code: "POOL_TIMEOUT", phase: "connect", retryable: true });
  expect((await error).cause).toBe(REFUSED);
  expect((await error).message).toBe(
    "test: no connection after 300ms (max 10: 0 in use, 0 idle, 0 connecting, " +
      "0 checking, 0 closing; " +
      "0 waiting). The server cannot be reached: connect ECONNREFUSED 10.0.0.1:5432. See " +
      "`cause`; the pool goes on trying in the background [POOL_TIMEOUT]",
  );
});

test("a cause that is no Error is shown as text", async () => {
  const bench = poolBench(
    { acquireTimeoutMs: 100 },
    script({ connect: () => ({ fail: "no route" }) }),
  );
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(100);
  expect((await error).cause).toBe("no route");
  expect((await error).message).toContain("The server cannot be reached: no route. ");
});

test("the cause is forgotten once a dial has succeeded", async () => {
  const bench = poolBench(
    { maxOpenConns: 1, acquireTimeoutMs: 1000 },
    script({ connect: (_, connId) => (connId === 1 ? { fail: REFUSED } : "ok") }),
  );
  const holder = bench.pool.acquire();
  await bench.advance(100);
  await holder;
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(1000);
  expect(await error).not.toHaveProperty("cause");
  expect((await error).phase).toBe("wait");
});

test("POOL_QUEUE_FULL says how many wait, and to shed load", async () => {
  const bench = poolBench({ name: "orders", maxOpenConns: 1, maxWaiters: 1 });
  await takeOne(bench);
  await bench.advance(250);
  watch(bench.pool.acquire());
  const error = await poolErrorOf(bench.pool.acquire());
  expect(error).toMatchObject({ code: "POOL_QUEUE_FULL", phase: "wait", retryable: true });
  expect(error.message).toContain(
    "orders: too many are waiting for a connection (max 1: 1 in use, 0 idle, 0 connecting, " +
      "0 checking, " +
      "0 closing; 1 waiting). All connections are in use; the longest-held one has been out for " +
      "250ms. Look for a missing release or a long transaction before raising maxOpenConns",
  );
  expect(error.message).toMatch(/Shed load, or raise maxWaiters \[POOL_QUEUE_FULL\]$/);
});

test("POOL_CLOSED says to stop using the pool first, and has no cause", async () => {
  const bench = poolBench({ name: "orders" }, script({ connect: () => ({ fail: REFUSED }) }));
  const waiter = poolErrorOf(bench.pool.acquire());
  await bench.advance(10);
  await bench.pool.close();
  for (const error of [await waiter, await poolErrorOf(bench.pool.acquire())]) {
    expect(error).toMatchObject({ code: "POOL_CLOSED", family: "operating", retryable: true });
    expect(error).not.toHaveProperty("cause");
    expect(error.message).toBe(
      "orders: the pool is closed. Stop using it before close() is called [POOL_CLOSED]",
    );
  }
});

test("CONNECT_FAILED says why, and that the settings are to be mended", async () => {
  const cause = new Error('role "app" does not exist');
  const bench = poolBench(
    { maxOpenConns: 2 },
    script({ connect: () => ({ fail: cause, afterMs: 12.4 }) }),
  );
  bench.connector.mayRetry = false;
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(13);
  expect(await error).toMatchObject({ code: "CONNECT_FAILED", phase: "connect", retryable: true });
  expect((await error).cause).toBe(cause);
  expect((await error).message).toBe(
    "test: cannot connect after 12ms (max 2: 0 in use, 0 idle, 0 connecting, " +
      "0 checking, 0 closing; 0 " +
      'waiting): role "app" does not exist. Trying again will not help: mend the connection ' +
      "settings [CONNECT_FAILED]",
  );
});

test("without a limit the message says so", async () => {
  const bench = poolBench(
    { maxOpenConns: Infinity, acquireTimeoutMs: 5 },
    script({ connect: () => "never" }),
  );
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(5);
  expect((await error).message).toContain("(max Infinity: 0 in use, 0 idle, 1 connecting");
});

test("an error carries the pool's statistics of that moment, but does not print them", async () => {
  const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 5 });
  const lease = await takeOne(bench);
  const error = poolErrorOf(bench.pool.acquire());
  await bench.advance(5);
  lease.release();
  const { stats } = await error;
  expect(stats).toMatchObject({
    openConnections: 1,
    idle: 0,
    pool: { leased: 1, timeoutCount: 1 },
  });
  expect(Object.keys(await error)).not.toContain("stats");
  expect(inspect(await error)).not.toContain("acquireCount");
  expect(JSON.stringify(await error)).not.toContain("acquireCount");
});

test("errors of the pool are told by their brand, class and code", async () => {
  const bench = poolBench();
  await fill(bench, 1);
  await bench.pool.close();
  const error = await poolErrorOf(bench.pool.acquire());
  expect(isForebayError(error)).toBe(true);
  expect(error).toBeInstanceOf(PoolError);
  expect(error).toBeInstanceOf(Error);
  expect(error.stack).toContain("POOL_CLOSED");
});
