import { expect, test } from "vitest";
import { poolBench } from "../../support/pool.ts";
import { closedBy, poolErrorOf, script, take, takeOne, watch } from "./steps.ts";

const refused = new Error("connection refused");
const refuses = script({ connect: () => ({ fail: refused, afterMs: 10 }) });

test("where dial errors are told, each failed dial ends the acquire whose turn it is", async () => {
  const bench = poolBench({ dialErrors: "reject", maxDialing: 1 }, refuses);
  const [first, second] = [watch(bench.pool.acquire()), watch(bench.pool.acquire())];
  await bench.advance(10);
  expect(first.reason).toMatchObject({ code: "CONNECT_FAILED", cause: refused });
  expect((first.reason as Error).message).toContain("the next acquire tries again");
  expect(second.state).toBe("pending");
  await bench.advance(10);
  expect(second.reason).toMatchObject({ code: "CONNECT_FAILED" });
  expect(bench.connector.dialCount).toBe(2);
  await bench.advance(10_000);
  expect(bench.connector.dialCount).toBe(2);
});

test("a failed dial that nobody waits for is made again after a pause", async () => {
  const bench = poolBench({ dialErrors: "reject", minIdleConns: 1 }, refuses);
  await bench.advance(10);
  expect(bench.pool.stats().pool.dialErrorCount).toBe(1);
  bench.connector.script = () => "ok";
  await bench.advance(50);
  expect(bench.pool.stats().idle).toBe(1);
});

test("with the preset go, the defaults are those of database/sql", async () => {
  const bench = poolBench({ preset: "go" }, refuses);
  expect((await failAfter(bench)).code).toBe("CONNECT_FAILED");
  bench.connector.script = () => "ok";
  for (const lease of await take(bench, 5)) lease.release();
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ maxOpenConnections: Infinity, idle: 2 });
});

async function failAfter(bench: ReturnType<typeof poolBench>) {
  const failed = poolErrorOf(bench.pool.acquire());
  await bench.advance(10);
  return failed;
}

test("what the pool aborts as it closes a connection is no background error", async () => {
  const told: unknown[] = [];
  const bench = poolBench(
    { onBackgroundError: (error) => told.push(error) },
    script({ resetSession: () => ({ fail: new Error("closed under it"), afterMs: 10 }) }),
  );
  (await takeOne(bench)).release();
  await bench.advance(5);
  const closed = watch(bench.pool.close({ drainTimeoutMs: 0 }));
  await bench.advance(10);
  expect(closed.state).toBe("resolved");
  expect(told).toEqual([]);
  expect(closedBy(bench)).toEqual({ draining: 1 });
});
