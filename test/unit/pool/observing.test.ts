import { expect, test } from "vitest";
import type { Clock } from "../../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { PoolError } from "../../../packages/forebay/src/pool/errors.ts";
import { coreOf } from "../../../packages/forebay/src/pool/pool.ts";
import { Slot, SlotLists } from "../../../packages/forebay/src/pool/state.ts";
import { Waiters } from "../../../packages/forebay/src/pool/waiters.ts";
import { warningMessage } from "../../../packages/forebay/src/pool/warnings.ts";
import { setLimit } from "../../../packages/forebay/src/pool/within.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, fill, poolOf, script, takeOne, watch } from "./steps.ts";

test("histograms count how long waits, holds and dials took", async () => {
  const bench = poolBench({ maxOpenConns: 1 }, script({ connect: () => ({ afterMs: 4 }) }));
  const first = watch(bench.pool.acquire());
  await bench.advance(4);
  const second = watch(bench.pool.acquire());
  await bench.advance(16);
  first.value?.release();
  await bench.advance(0);
  second.value?.release();
  (await takeOne(bench)).release();
  const { wait, hold, dial } = bench.pool.histograms();
  expect([wait, hold, dial].map(({ count }) => count)).toEqual([2, 3, 1]);
  expect([wait, hold, dial].map(({ sumMs }) => sumMs)).toEqual([20, 16, 4]);
  expect(wait.quantileMs(0.5)).toBeLessThanOrEqual(4.5);
  expect(wait.maxMs).toBe(16);
});

test("a queue in which nobody waits is behind every other", () => {
  expect(new Waiters("fifo").firstArrival).toBe(Infinity);
});

test("a limit that is cancelled after its timer, before its turn, never fires", async () => {
  const clock = new VirtualClock();
  const puts: (() => void)[] = [];
  const slow: Clock = {
    nowMs: () => clock.nowMs(),
    setTimer: (delayMs, fire) => clock.setTimer(delayMs, fire),
    afterIo: (run) => puts.push(run),
  };
  const fired: string[] = [];
  const [kept, cancelled] = ["kept", "cancelled"].map((name) =>
    setLimit(slow, 10, () => fired.push(name)),
  );
  await clock.advance(10);
  cancelled?.cancel();
  for (const put of puts) put();
  kept?.keepAlive(false);
  expect(fired).toEqual(["kept"]);
  expect(setLimit(clock, Infinity, () => undefined)).toBeUndefined();
});

test("a limit that does not exist cannot be changed", () => {
  const { pool } = poolBench();
  const change: object = { maxOpenConnections: 5 };
  expect(() => pool.configure(change)).toThrow("maxOpenConnections cannot be changed. Known: max");
});

test("whoever may have a connection is found, also where nobody may", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1 });
  const own = watch(reports.acquire());
  await bench.advance(0);
  const other = await takeOne(bench);
  const waiting = watch(reports.acquire());
  other.release();
  await bench.advance(0);
  expect(waiting.state).toBe("pending");
  own.value?.release();
  await bench.advance(0);
  expect(waiting.state).toBe("resolved");
});

// The compiler rules these out; here is what happens should it ever be wrong.
test("what no type allows is passed over", async () => {
  const bench = poolBench();
  const core = coreOf(bench.pool);
  const effects = [{ kind: "none" } as never];
  const takeEffect = core.takeEffect.bind(core);
  core.takeEffect = () => effects.shift() ?? takeEffect();
  (await takeOne(bench)).release();
  expect(bench.pool.stats().idle).toBe(1);
  const stats = bench.pool.stats();
  expect(warningMessage("none" as never, "pool", 0, stats)).toBe("none");
  const details = { phase: "wait", waitedMs: 0, oldestLeaseMs: undefined, bulkhead: "" } as const;
  const error = new PoolError("NONE" as never, {
    ...details,
    stats,
    lastDialError: undefined,
    isHopeless: false,
  });
  expect(error.message).toContain("NONE");
  const lists = new SlotLists<PooledConn>();
  const slot = new Slot<PooledConn>(1, bench.clock.nowMs(), 0, 0);
  lists.add(slot);
  expect(() => lists.move(slot, "none" as never)).toThrow("slot: connecting to none");
  const stray = new Slot<PooledConn>(2, bench.clock.nowMs(), 0, 0);
  stray.kind = "none" as never;
  lists.move(stray, "connecting");
  stray.kind = "none" as never;
  expect(() => lists.move(stray, "none" as never)).toThrow(TypeError);
  expect(lists.open).toBe(1);
});

test("a waiter that was granted a connection cannot be aborted before it is told", async () => {
  const controller = new AbortController();
  const connect = async (): Promise<PooledConn> => ({ close: () => controller.abort() });
  const { pool, clock } = poolOf(connect, {
    maxOpenConns: 2,
    connMaxLifetimeMs: 100,
    idleOrder: "fifo",
  });
  const first = await pool.acquire();
  await clock.advance(50);
  const second = await pool.acquire();
  first.release();
  second.release();
  pool.suspend();
  const acquire = watch(pool.acquire({ signal: controller.signal }));
  // The older of both is too old, and nothing has noticed yet.
  clock.stall(51);
  pool.resume();
  await clock.advance(0);
  expect(controller.signal.aborted).toBe(true);
  expect(acquire.state).toBe("resolved");
});

test("what is too old is closed by whoever finds it, before any timer does", async () => {
  const bench = poolBench({ connMaxLifetimeMs: 100, maxOpenConns: 1 });
  await fill(bench, 1);
  bench.clock.stall(101);
  expect(bench.pool.tryAcquire()).toBeUndefined();
  expect(closedBy(bench)).toEqual({ lifetime: 1 });
  await bench.advance(0);
  await fill(bench, 1);
  bench.pool.suspend();
  const acquire = watch(bench.pool.acquire());
  bench.clock.stall(101);
  bench.pool.resume();
  expect(closedBy(bench)).toEqual({ lifetime: 2 });
  await bench.advance(0);
  expect(acquire.state).toBe("resolved");
});

test("a connection that is lost in use while the pool closes makes nothing suspect", async () => {
  const bench = poolBench();
  const lease = await takeOne(bench);
  const closed = watch(bench.pool.close());
  lease.conn.lose("ended");
  lease.release();
  await bench.advance(0);
  expect(closed.state).toBe("resolved");
  expect(closedBy(bench)).toEqual({ lost: 1 });
});

test.each([
  [{ shedding: { targetMs: 0, intervalMs: 5 } }, "shedding must be { targetMs, intervalMs }, both"],
  [{ shedding: { targetMs: 5 } }, "shedding must be { targetMs, intervalMs }, both numbers"],
  [{ lifetimeJitterRatio: 1.5 }, "lifetimeJitterRatio must be a number from 0 to 1, not 1.5"],
  [{ lifetimeJitterRatio: -1 }, "lifetimeJitterRatio must be a number from 0 to 1, not -1"],
  [{ lifetimeJitterRatio: "0.1" }, 'lifetimeJitterRatio must be a number from 0 to 1, not "0.1"'],
  [{ hooks: null }, "hooks must be an object with functions from beforeConnect, afterConnect"],
  [{ hooks: { beforeClose: 5 } }, "hooks must be an object with functions from beforeConnect"],
  [{ hooks: { onConnect: () => undefined } }, "hooks must be an object with functions from"],
])("a pool with %o is refused", (options: object, message) => {
  expect(() => poolBench(options)).toThrow(message);
});

test("a hook that is left out as undefined is no mistake", async () => {
  const bench = poolBench({ hooks: { beforeClose: undefined } as object });
  (await takeOne(bench)).discard();
  await bench.advance(0);
  expect(bench.connector.open.size).toBe(0);
});

test("what onBackgroundError throws becomes a warning of the process, whatever it is", async () => {
  const seen: string[] = [];
  const onWarning = (warning: Error) => seen.push(warning.message);
  process.on("warning", onWarning);
  for (const thrown of ["a word", new Error("an error")]) {
    const bench = poolBench({
      onBackgroundError: () => {
        throw thrown;
      },
    });
    (await takeOne(bench)).discard("no good");
    await bench.advance(0);
  }
  process.off("warning", onWarning);
  expect(seen).toEqual(["a word", "an error"]);
});

test("a loss in use makes nobody ask what cannot be asked", async () => {
  const lose: ((reason: unknown) => void)[] = [];
  const { pool, clock } = poolOf(async ({ onLost }) => {
    lose.push(onLost);
    return { close: () => undefined };
  });
  const [first, second] = [await pool.acquire(), await pool.acquire()];
  first.release();
  await clock.advance(10);
  lose[1]?.("ended");
  expect(pool.stats()).toMatchObject({ idle: 1, pool: { pinging: 0 } });
  second.release();
});
