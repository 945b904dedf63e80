import { expect, test } from "vitest";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import { Codel } from "../../../packages/forebay/src/pool/codel.ts";
import { poolBench } from "../../support/pool.ts";
import { type Seen, takeOne, watch } from "./steps.ts";

const at = (ms: number) => ms as MonotonicMs;

test("nobody is shed before waits were above the target for a whole interval", () => {
  const codel = new Codel({ targetMs: 5, intervalMs: 100 });
  expect(codel.isDue(50, at(0))).toBe(false);
  expect(codel.isDue(50, at(99))).toBe(false);
  expect(codel.isDue(50, at(100))).toBe(true);
});

test("while overloaded, who has waited for up to two targets is served", () => {
  const codel = new Codel({ targetMs: 5, intervalMs: 100 });
  codel.isDue(50, at(0));
  expect(codel.isDue(11, at(100))).toBe(true);
  expect(codel.isDue(10, at(101))).toBe(false);
});

test("one short wait in an interval ends the overload with it", () => {
  const codel = new Codel({ targetMs: 5, intervalMs: 100 });
  codel.isDue(50, at(0));
  expect(codel.isDue(50, at(100))).toBe(true);
  codel.isDue(5, at(150));
  expect(codel.isDue(50, at(200))).toBe(false);
});

test("an interval in which nobody waited ends the overload", () => {
  const codel = new Codel({ targetMs: 5, intervalMs: 100 });
  codel.isDue(50, at(0));
  expect(codel.isDue(50, at(100))).toBe(true);
  expect(codel.isDue(50, at(400))).toBe(false);
});

test("an overloaded pool turns away those who waited too long, but never the last", async () => {
  const bench = poolBench({ maxOpenConns: 1, shedding: { targetMs: 5, intervalMs: 100 } });
  let lease = await takeOne(bench);
  const codes: string[] = [];
  const seen: Seen<unknown>[] = [];
  for (let round = 0; round < 40; round++) {
    const acquires = [bench.pool.acquire(), bench.pool.acquire()];
    for (const acquire of acquires) {
      seen.push(watch(acquire));
      acquire.then(
        (granted) => {
          lease = granted;
        },
        (error: { code: string }) => codes.push(error.code),
      );
    }
    await bench.advance(20);
    lease.release();
    await bench.advance(0);
  }
  const { shedCount, waiting } = bench.pool.stats().pool;
  expect(shedCount).toBeGreaterThan(10);
  expect(codes).toEqual(Array.from({ length: shedCount }, () => "POOL_OVERLOADED"));
  expect(seen.filter(({ state }) => state === "pending")).toHaveLength(waiting);
});

test("the last that may have a connection is served, whoever else waits", async () => {
  const bench = poolBench({ maxOpenConns: 2, shedding: { targetMs: 5, intervalMs: 100 } });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1 });
  const held = watch(reports.acquire());
  let lease = await takeOne(bench);
  for (let round = 0; round < 10; round++) {
    const [next] = [bench.pool.acquire(), watch(reports.acquire())];
    await bench.advance(50);
    lease.release();
    lease = await next;
  }
  expect(held.state).toBe("resolved");
  expect(bench.pool.stats().pool).toMatchObject({ shedCount: 0, waiting: 10 });
});

test("under overload, shedding serves in time what a plain queue serves too late", async () => {
  const serve = async (shedding: { targetMs: number; intervalMs: number } | undefined) => {
    const bench = poolBench({ maxOpenConns: 1, acquireTimeoutMs: 1000, shedding });
    const waits: number[] = [];
    const hold = async (): Promise<void> => {
      const beganAtMs = bench.clock.nowMs();
      const lease = await bench.pool.acquire();
      waits.push(bench.clock.nowMs() - beganAtMs);
      bench.clock.setTimer(10, () => lease.release());
    };
    // Twice as much as can be served.
    for (let at = 0; at < 10_000; at += 5) {
      hold().catch(() => undefined);
      await bench.advance(5);
    }
    const late = waits.slice(waits.length / 2).toSorted((a, b) => a - b);
    return { served: waits.length, medianMs: late[Math.floor(late.length / 2)] ?? 0 };
  };
  const [plain, shed] = [await serve(undefined), await serve({ targetMs: 5, intervalMs: 100 })];
  expect(plain.medianMs).toBeGreaterThan(900);
  expect(shed.medianMs).toBeLessThan(20);
  expect(shed.served).toBeGreaterThan(plain.served * 0.9);
});
