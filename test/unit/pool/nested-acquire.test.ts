import { expect, test } from "vitest";
import type { PoolWarning } from "../../../packages/forebay/src/pool/warnings.ts";
import { poolBench } from "../../support/pool.ts";
import { poolErrorOf, type Seen, watch } from "./steps.ts";

test("an inner acquire that must wait for its own caller is refused", async () => {
  const bench = poolBench({ maxOpenConns: 1, nestedAcquire: "reject" });
  const error = await poolErrorOf(bench.pool.use(() => bench.pool.use(async () => "never")));
  expect(error.code).toBe("POOL_NESTED_ACQUIRE");
  expect(error.message).toContain("asked for a second, while all are in use");
  expect(bench.pool.stats().pool.leased).toBe(0);
});

test("or reported, with the stack, and waits", async () => {
  const warnings: PoolWarning[] = [];
  const onWarning = (warning: PoolWarning) => {
    warnings.push(warning);
  };
  const bench = poolBench({ maxOpenConns: 1, nestedAcquire: "warn", onWarning });
  const outer = watch(bench.pool.use(() => bench.pool.acquire({ deadlineAtMs: 5 })));
  await bench.advance(5);
  expect(warnings).toMatchObject([{ kind: "nested-acquire", durationMs: 0 }]);
  expect(warnings[0]?.stack).toContain("nested-acquire.test.ts");
  expect(outer.reason).toMatchObject({ code: "POOL_TIMEOUT" });
});

test("an acquire that need not wait, or that begins after the outer ended, is fine", async () => {
  const bench = poolBench({ maxOpenConns: 2, nestedAcquire: "reject" });
  const outer = bench.pool.use(() => bench.pool.use(async () => "both"));
  await bench.advance(0);
  await expect(outer).resolves.toBe("both");
  let later: Seen<unknown> | undefined;
  const [first] = [await bench.pool.acquire()];
  await bench.pool.use(async () => {
    later = watch(
      Promise.resolve().then(async () => {
        await bench.clock.settle();
        return bench.pool.acquire({ deadlineAtMs: 1 });
      }),
    );
  });
  const second = bench.pool.tryAcquire();
  await bench.advance(1);
  expect(later?.reason).toMatchObject({ code: "POOL_TIMEOUT" });
  first?.release();
  second?.release();
});

test("other callers, and other pools, are not taken for nested", async () => {
  const bench = poolBench({ maxOpenConns: 1, nestedAcquire: "reject" });
  const other = poolBench({ maxOpenConns: 1, nestedAcquire: "reject" });
  const held = await other.pool.acquire();
  const outer = watch(bench.pool.use(() => other.pool.acquire({ deadlineAtMs: 1 })));
  const beside = watch(bench.pool.acquire());
  await bench.advance(1);
  await other.advance(1);
  expect(outer.reason).toMatchObject({ code: "POOL_TIMEOUT" });
  await bench.advance(0);
  expect(beside.state).toBe("resolved");
  held.release();
});

test("an inner acquire that waits for its caller's own bulkhead is nested", async () => {
  const bench = poolBench({ maxOpenConns: 5, nestedAcquire: "reject" });
  const reports = bench.pool.bulkhead("reports", { maxInUse: 1 });
  const error = await poolErrorOf(reports.use(() => reports.use(async () => "never")));
  expect(error).toMatchObject({ code: "POOL_NESTED_ACQUIRE", bulkhead: "reports" });
  await expect(reports.use(() => bench.pool.use(async () => "both"))).resolves.toBe("both");
});

test("an inner acquire that waits only for resume is not nested", async () => {
  const bench = poolBench({ maxOpenConns: 2, nestedAcquire: "reject" });
  const outer = watch(
    bench.pool.use(() => {
      bench.pool.suspend();
      return bench.pool.use(async () => "both");
    }),
  );
  await bench.advance(0);
  expect(outer.state).toBe("pending");
  bench.pool.resume();
  await bench.advance(0);
  expect(outer.value).toBe("both");
});

test("whoever is told of a nested acquire may close the pool", async () => {
  const bench: ReturnType<typeof poolBench> = poolBench({
    maxOpenConns: 1,
    nestedAcquire: "warn",
    onWarning: () => void bench.pool.close(),
  });
  const error = await poolErrorOf(bench.pool.use(() => bench.pool.use(async () => "never")));
  expect(error.code).toBe("POOL_CLOSED");
});
