import { expect, test } from "vitest";
import type { ConnectOptions, PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import type { PoolHooks } from "../../../packages/forebay/src/pool/hooks.ts";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import type { FakeConn } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { type PoolBench, poolBench } from "../../support/pool.ts";
import { closedBy, fill, poolErrorOf, poolOf, reports, script, takeOne, watch } from "./steps.ts";

const never = () => new Promise<never>(() => undefined);

function hooked(hooks: PoolHooks, options: PoolOptions = {}): PoolBench {
  return poolBench({ hookTimeoutMs: 20, dialTimeoutMs: 50, ...options, hooks });
}

test("what beforeConnect gives is handed to the connector, anew for each dial", async () => {
  const seen: unknown[] = [];
  let token = 0;
  const connect = async ({ settings }: ConnectOptions): Promise<PooledConn> => {
    seen.push(settings);
    return { close: () => undefined };
  };
  const hooks = { beforeConnect: async () => ({ password: `token ${(token += 1)}` }) };
  const { pool, clock } = poolOf(connect, { hooks });
  watch(pool.acquire());
  watch(pool.acquire());
  await clock.advance(0);
  expect(seen).toEqual([{ password: "token 1" }, { password: "token 2" }]);
});

test("a connection is told once that it is set up, behind afterConnect", async () => {
  const calls: string[] = [];
  const connect = async (): Promise<PooledConn> => ({
    close: () => undefined,
    rememberSession: () => void calls.push("set up"),
    resetSession: () => void calls.push("reset"),
  });
  const hooks = { afterConnect: async () => void calls.push("afterConnect") };
  const { pool } = poolOf(connect, { hooks });
  for (let round = 0; round < 2; round++) {
    const lease = await pool.acquire();
    calls.push("used");
    lease.release();
  }
  expect(calls).toEqual(["afterConnect", "set up", "used", "reset", "used", "reset"]);
});

test("a secret that changes counts from the next dial, and kills no connection", async () => {
  let password = "old";
  let valid = "old";
  const refused = new Error("password authentication failed");
  const connect = async ({ settings }: ConnectOptions): Promise<PooledConn> => {
    if (settings !== valid) throw refused;
    return { close: () => undefined };
  };
  const { pool, clock } = poolOf(
    connect,
    { maxOpenConns: 2, hooks: { beforeConnect: () => password } },
    { shouldRetryConnect: () => false },
  );
  const first = await pool.acquire();
  valid = "new";
  const second = watch(pool.acquire());
  await clock.advance(0);
  expect(second.state).toBe("pending");
  first.release();
  await clock.advance(0);
  expect(second.state).toBe("resolved");
  password = "new";
  const third = watch(pool.acquire());
  await clock.advance(100);
  expect(third.state).toBe("resolved");
});

test.each([
  ["beforeConnect", 0],
  ["afterConnect", 1],
] as const)(
  "%s that throws is a failed dial, and what was opened is closed",
  async (hook, opened) => {
    const error = new Error("no token");
    let calls = 0;
    const bench = hooked({
      [hook]: () => {
        calls += 1;
        if (calls === 1) throw error;
      },
    });
    const acquire = watch(bench.pool.acquire());
    await bench.advance(10);
    expect(bench.connector.dialCount).toBe(opened);
    expect(bench.connector.serverCount).toBe(0);
    expect(bench.pool.stats().pool).toMatchObject({ dialErrorCount: 1, dialing: 0, closing: 0 });
    await bench.advance(50);
    expect(acquire.state).toBe("resolved");
  },
);

test.each(["beforeConnect", "afterConnect"] as const)(
  "%s that hangs ends with dialTimeoutMs, and its place is free",
  async (hook) => {
    const bench = hooked({ [hook]: never }, { maxOpenConns: 1 });
    watch(bench.pool.acquire({ deadlineAtMs: 40 }));
    await bench.advance(49);
    expect(bench.pool.stats().openConnections).toBe(1);
    await bench.advance(1);
    expect(bench.pool.stats().openConnections).toBe(0);
    expect(bench.connector.serverCount).toBe(0);
  },
);

test("a connection refused by beforeAcquire is closed, and its caller gets another", async () => {
  const isNew = (conn: PooledConn) => !seen.has(conn) && seen.add(conn) !== undefined;
  const seen = new Set<PooledConn>();
  const bench = hooked({ beforeAcquire: isNew });
  await fill(bench, 1);
  const lease = await takeOne(bench);
  expect(lease.conn.id).toBe(2);
  expect(closedBy(bench)).toEqual({ refused: 1 });
  expect(bench.connector.open.size).toBe(1);
});

test("a beforeAcquire that throws is the acquire's error, and the place is free", async () => {
  const error = new Error("not today");
  const bench = hooked(
    {
      beforeAcquire: () => {
        throw error;
      },
    },
    { maxOpenConns: 1 },
  );
  const acquire = watch(bench.pool.acquire());
  await bench.advance(0);
  expect(acquire.reason).toBe(error);
  expect(bench.pool.stats().openConnections).toBe(0);
});

test("a beforeAcquire that hangs ends with hookTimeoutMs", async () => {
  const bench = hooked({ beforeAcquire: never }, { maxOpenConns: 1 });
  const acquire = watch(bench.pool.acquire());
  await bench.advance(19);
  expect(acquire.state).toBe("pending");
  await bench.advance(1);
  expect(acquire.reason).toMatchObject({ code: "DRIVER_TIMEOUT" });
  expect((acquire.reason as Error).message).toContain("beforeAcquire did not end within 20ms");
  expect(bench.pool.stats().openConnections).toBe(0);
});

test("an acquire that is aborted during beforeAcquire leaves nothing behind", async () => {
  const bench = hooked({ beforeAcquire: never }, { maxOpenConns: 1 });
  const controller = new AbortController();
  const acquire = watch(bench.pool.acquire({ signal: controller.signal }));
  await bench.advance(1);
  controller.abort("gone");
  await bench.advance(0);
  expect(acquire.reason).toBe("gone");
  expect(bench.pool.stats().openConnections).toBe(0);
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("a signal that is aborted just as beforeAcquire begins ends the acquire too", async () => {
  const controller = new AbortController();
  const bench = hooked({
    beforeAcquire: () => {
      controller.abort("gone");
      return never();
    },
  });
  const acquire = watch(bench.pool.acquire({ signal: controller.signal }));
  await bench.advance(0);
  expect(acquire.reason).toBe("gone");
});

test("with a beforeAcquire hook, tryAcquire never gives anything, as it cannot wait", async () => {
  const bench = hooked({ beforeAcquire: () => true });
  await fill(bench, 1);
  expect(bench.pool.tryAcquire()).toBeUndefined();
});

test("closing by force ends an acquire whose beforeAcquire hook hangs", async () => {
  const bench = hooked({ beforeAcquire: never }, { hookTimeoutMs: Infinity });
  const acquire = watch(bench.pool.acquire());
  await bench.advance(1);
  const closed = watch(bench.pool.close({ drainTimeoutMs: 5 }));
  await bench.advance(5);
  expect(acquire.reason).toMatchObject({ code: "POOL_CLOSED" });
  expect(closed.state).toBe("resolved");
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test.each([
  ["lost", (bench: PoolBench) => [...bench.connector.open][0]?.lose("ended"), { lost: 1 }],
  ["reset", (bench: PoolBench) => bench.pool.reset(), { reset: 1 }],
])("a connection that is %s during beforeAcquire is not handed out", async (_, act, reasons) => {
  const delays = [10, 0];
  const later = hooked({
    beforeAcquire: () =>
      new Promise((resolve) => later.clock.setTimer(delays.shift() ?? 0, () => resolve(true))),
  });
  const acquire = watch(later.pool.acquire());
  await later.advance(5);
  act(later);
  await later.advance(100);
  expect(acquire.value).toMatchObject({ conn: { id: 2 } });
  expect(closedBy(later)).toEqual(reasons);
});

test("an acquire that is in beforeAcquire when the pool closes is turned away", async () => {
  const bench = hooked({
    beforeAcquire: () =>
      new Promise((resolve) => bench.clock.setTimer(10, () => resolve(undefined))),
  });
  const acquire = watch(bench.pool.acquire());
  await bench.advance(5);
  const closed = watch(bench.pool.close());
  await bench.advance(5);
  expect(acquire.reason).toMatchObject({ code: "POOL_CLOSED" });
  expect(closed.state).toBe("resolved");
});

test("a beforeAcquire that refuses every connection causes no storm of dials", async () => {
  const bench = hooked({ beforeAcquire: () => false }, { acquireTimeoutMs: 1000 });
  const acquire = watch(bench.pool.acquire());
  await bench.advance(1000);
  expect(acquire.reason).toMatchObject({ code: "POOL_TIMEOUT" });
  expect((acquire.reason as Error).message).toContain("beforeAcquire hook refused");
  expect(bench.connector.dialCount).toBeGreaterThan(2);
  expect(bench.connector.dialCount).toBeLessThan(10);
});

test("the first connection that beforeAcquire lets through ends the pause for all", async () => {
  let admits = false;
  const hooks = { beforeAcquire: () => admits };
  const bench = hooked(hooks, { maxOpenConns: 4, random: { next: () => 0 } });
  const acquires = Array.from({ length: 4 }, () => watch(bench.pool.acquire()));
  await bench.advance(20);
  expect([bench.connector.dialCount, bench.connector.open.size]).toEqual([4, 0]);
  admits = true;
  await bench.advance(5);
  expect(bench.connector.dialCount).toBe(8);
  expect(acquires.map(({ state }) => state)).toEqual(Array(4).fill("resolved"));
});

test("and where dial errors are told, it is one", async () => {
  const bench = hooked({ beforeAcquire: () => false }, { dialErrors: "reject" });
  const error = await poolErrorOf(bench.pool.acquire());
  expect(error.code).toBe("CONNECT_FAILED");
  expect(error.message).toContain("beforeAcquire hook refused the connection");
  await bench.advance(0);
  expect(bench.connector.dialCount).toBe(1);
});

test.each([
  ["returns false", () => false, []],
  ["rejects", async () => Promise.reject(new Error("dirty")), ["hook"]],
  ["hangs", never, ["hook"]],
])("afterRelease that %s has the connection closed, and reports", async (_, hook, tasks) => {
  const told = reports();
  const bench = hooked(
    { afterRelease: hook },
    { maxOpenConns: 1, onBackgroundError: told.onBackgroundError },
  );
  (await takeOne(bench)).release();
  const next = watch(bench.pool.acquire());
  await bench.advance(20);
  expect(closedBy(bench)).toEqual({ refused: 1 });
  expect(told.list.map(({ task }) => task)).toEqual(tasks);
  expect(next.state).toBe("resolved");
});

test("afterRelease comes once the session was made fit, and only then", async () => {
  const order: string[] = [];
  const bench = poolBench(
    { hooks: { afterRelease: (conn) => void order.push(`hook ${(conn as FakeConn).id}`) } },
    script({
      resetSession: (_, id) => {
        order.push(`reset ${id}`);
        return id === 2 ? { fail: "broken" } : { afterMs: 5 };
      },
      isValid: (_, id) => (id === 3 ? { fail: "bad" } : "ok"),
    }),
  );
  const leases = await Promise.all([1, 2, 3].map(() => bench.pool.acquire()));
  for (const lease of leases) lease.release();
  await bench.advance(5);
  expect(order).toEqual(["reset 1", "reset 2", "hook 1"]);
  expect(bench.pool.stats().idle).toBe(1);
});

test("afterRelease is not called on what was closed by force meanwhile", async () => {
  const called: unknown[] = [];
  const bench = poolBench(
    { hooks: { afterRelease: (conn) => void called.push(conn) } },
    script({ resetSession: () => ({ afterMs: 10 }) }),
  );
  (await takeOne(bench)).release();
  await bench.advance(5);
  const closed = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  await bench.advance(10);
  expect(called).toEqual([]);
  expect(closed.state).toBe("resolved");
});

test.each([
  ["throws", () => Promise.reject(new Error("no")), 0],
  ["hangs", never, 20],
])("a beforeClose that %s is reported, and the connection is closed", async (_, hook, afterMs) => {
  const told = reports();
  const bench = hooked({ beforeClose: hook }, { onBackgroundError: told.onBackgroundError });
  (await takeOne(bench)).discard();
  await bench.advance(afterMs);
  expect(bench.connector.serverCount).toBe(0);
  expect(bench.pool.stats().openConnections).toBe(0);
  expect(told.list.map(({ task }) => task)).toEqual(["hook"]);
});
