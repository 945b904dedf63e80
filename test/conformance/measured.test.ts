import { expect, test } from "vitest";
import {
  fill,
  leaseOf,
  poolBench,
  type PoolBench,
  queue,
  rejection,
  script,
  take,
  takeOne,
  watch,
} from "./support.ts";

const SLOW_DIAL = script({ connect: () => ({ afterMs: 200 }) });

/** How long until `isReached`, in steps of 10 ms, up to 2 seconds. */
async function msUntil(bench: PoolBench, isReached: () => boolean): Promise<number> {
  const fromMs = bench.clock.nowMs();
  await bench.advance(0);
  while (!isReached() && bench.clock.nowMs() - fromMs < 2000) await bench.advance(10);
  return bench.clock.nowMs() - fromMs;
}

test("F1: the waiter is served in 0 ms, and a caller who comes later after it", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  await takeOne(bench);
  const served: string[] = [];
  queue(bench, served, "waiter");
  bench.pool.setMaxOpenConns(5);
  queue(bench, served, "caller");
  expect(await msUntil(bench, () => served.length === 2)).toBe(0);
  expect(served).toEqual(["waiter", "caller"]);
});

test("F2: the connection is closed, and the acquire is given another, 2 opened", async () => {
  const bench = poolBench(
    { maxOpenConns: 1 },
    script({
      resetSession: (_, connId) => (connId === 1 ? { fail: new Error("cannot reset") } : "ok"),
    }),
  );
  (await takeOne(bench)).release();
  const next = watch(bench.pool.acquire());
  await bench.advance(0);
  expect([leaseOf(next).conn.id, bench.connector.dialCount]).toEqual([2, 2]);
});

test("F3: served 0 1 2 3 4 5 6 7 8 9 10 11", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  let lease = await takeOne(bench);
  const served: string[] = [];
  const waiters = Array.from({ length: 12 }, (_, n) => queue(bench, served, String(n)));
  for (const waiter of waiters) {
    lease.release();
    await bench.advance(0);
    lease = leaseOf(waiter);
  }
  expect(served.join(" ")).toBe("0 1 2 3 4 5 6 7 8 9 10 11");
});

test("F4: the last waiter is served after 200 ms", async () => {
  const bench = poolBench({ maxOpenConns: 4 });
  const leases = await take(bench, 4);
  bench.connector.script = SLOW_DIAL;
  const waiters = Array.from({ length: 4 }, () => watch(bench.pool.acquire()));
  for (const lease of leases) lease.conn.lose(new Error("the server went away"));
  for (const lease of leases) lease.release();
  const tookMs = await msUntil(bench, () => waiters.every(({ state }) => state === "resolved"));
  expect(tookMs).toBe(200);
});

test("F5: Open=1 InUse=1 Idle=0 WaitCount=0, and 1 dialing, 1 waiting", async () => {
  const bench = poolBench({}, SLOW_DIAL);
  watch(bench.pool.acquire());
  await bench.advance(100);
  expect(bench.pool.stats()).toMatchObject({
    openConnections: 1,
    inUse: 1,
    idle: 0,
    waitCount: 0,
    waitDurationMs: 0,
    pool: { dialing: 1, waiting: 1, leased: 0 },
  });
});

test("F6: in the wait 1 / 0 ms; after it 1 / 40 ms", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  await takeOne(bench);
  const controller = new AbortController();
  const wait = rejection(bench.pool.acquire({ signal: controller.signal }));
  await bench.advance(40);
  expect(bench.pool.stats()).toMatchObject({ waitCount: 1, waitDurationMs: 0 });
  controller.abort("enough");
  await wait;
  expect(bench.pool.stats()).toMatchObject({ waitCount: 1, waitDurationMs: 40 });
});

test("F7: survivors are 4 then 3, the newest", async () => {
  const bench = poolBench({ maxOpenConns: 4 });
  await fill(bench, 4);
  bench.pool.setMaxIdleConns(2);
  await bench.advance(0);
  const survivors = (await take(bench, 2)).map(({ conn }) => conn.id);
  expect(survivors).toEqual([4, 3]);
  expect(bench.connector.dialCount).toBe(4);
});

test("F8: the dial goes on, open=1, and serves the next caller at once", async () => {
  const bench = poolBench({}, SLOW_DIAL);
  const controller = new AbortController();
  const first = rejection(bench.pool.acquire({ signal: controller.signal }));
  await bench.advance(100);
  controller.abort("enough");
  expect(await first).toBe("enough");
  await bench.advance(100);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 1, idle: 1 });
  const next = watch(bench.pool.acquire());
  expect(await msUntil(bench, () => next.state === "resolved")).toBe(0);
  expect(bench.connector.dialCount).toBe(1);
});
