import { expect, test } from "vitest";
import { leaseOf, poolBench, poolErrorOf, queue, script, take, takeOne } from "./support.ts";

test("TestPendingConnsAfterErr/go: each failed dial ends a wait, with its error", async () => {
  const offline = new Error("offline");
  const isOffline = { now: false };
  const bench = poolBench(
    { preset: "go", maxOpenConns: 2 },
    script({ connect: () => (isOffline.now ? { fail: offline } : "ok") }),
  );
  const leases = await take(bench, 2);
  const waiting = Array.from({ length: 8 }, () => poolErrorOf(bench.pool.acquire()));
  isOffline.now = true;
  for (const lease of leases) lease.discard();
  await bench.advance(60_000);
  for (const error of await Promise.all(waiting)) {
    expect(error).toMatchObject({ code: "CONNECT_FAILED", cause: offline });
  }
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, pool: { waiting: 0 } });
});

test("TestMaxIdleConns/go: two are kept idle of any number", async () => {
  const bench = poolBench({ preset: "go" });
  const leases = await take(bench, 50);
  for (const lease of leases) lease.release();
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 2, idle: 2, maxIdleClosed: 48 });
});

test("U1/go: waiters are served at random, each once", async () => {
  const bench = poolBench({ preset: "go", maxOpenConns: 1 });
  let lease = await takeOne(bench);
  const served: string[] = [];
  const waiters = Array.from({ length: 12 }, (_, n) => queue(bench, served, String(n)));
  for (let round = 1; round <= 12; round++) {
    lease.release();
    await bench.advance(0);
    const last = waiters[Number(served.at(-1))];
    if (last !== undefined) lease = leaseOf(last);
  }
  expect(new Set(served).size).toBe(12);
  expect(served).not.toEqual(waiters.map((_, n) => String(n)));
});
