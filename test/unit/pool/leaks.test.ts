import { runInNewContext } from "node:vm";
import { setFlagsFromString } from "node:v8";
import { expect, test } from "vitest";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import type { PoolWarning } from "../../../packages/forebay/src/pool/warnings.ts";
import { type PoolBench, poolBench } from "../../support/pool.ts";
import { reports, script, take, takeOne, watch } from "./steps.ts";

function warned(options: PoolOptions): PoolBench & { readonly warnings: PoolWarning[] } {
  const warnings: PoolWarning[] = [];
  const onWarning = (warning: PoolWarning) => {
    warnings.push(warning);
  };
  return { ...poolBench({ onWarning, ...options }), warnings };
}

test("who holds a connection for too long is reported once, with the stack", async () => {
  const bench = warned({ leakAfterMs: 100 });
  const first = await takeOne(bench);
  await bench.advance(60);
  await takeOne(bench);
  await bench.advance(40);
  expect(bench.warnings).toMatchObject([{ kind: "leak", durationMs: 100 }]);
  expect(bench.warnings[0]?.message).toContain("has been out for 100ms (2 of 10 in use");
  expect(bench.warnings[0]?.stack).toContain("steps.ts");
  await bench.advance(59);
  expect(bench.warnings).toHaveLength(1);
  await bench.advance(1);
  expect(bench.warnings).toHaveLength(2);
  await bench.advance(10_000);
  expect(bench.warnings).toHaveLength(2);
  first.release();
});

test("what is given back in time is not reported, however often it goes out", async () => {
  const bench = warned({ leakAfterMs: 100, maxOpenConns: 1 });
  for (let round = 0; round < 5; round++) {
    const lease = await takeOne(bench);
    await bench.advance(99);
    if (round % 2 === 0) lease.release();
    else lease.discard();
  }
  const kept = bench.pool.tryAcquire() ?? (await takeOne(bench));
  await bench.advance(99);
  kept.release();
  await bench.advance(1000);
  expect(bench.warnings).toEqual([]);
  expect(bench.clock.pendingTimerCount).toBe(0);
});

test("a lease that tryAcquire gave is watched too", async () => {
  const bench = warned({ leakAfterMs: 100 });
  (await takeOne(bench)).release();
  const lease = bench.pool.tryAcquire();
  await bench.advance(100);
  expect(bench.warnings).toMatchObject([{ kind: "leak" }]);
  lease?.release();
});

test("a stall makes no leak", async () => {
  const bench = warned({ leakAfterMs: 100, acquireTimeoutMs: 50, maxOpenConns: 1 });
  const lease = await takeOne(bench);
  watch(bench.pool.acquire());
  bench.clock.stall(10_000);
  await bench.advance(0);
  expect(bench.warnings.map(({ kind }) => kind)).toEqual(["stall"]);
  await bench.clock.advance(50);
  expect(bench.warnings.map(({ kind }) => kind)).toEqual(["stall", "leak"]);
  lease.release();
});

test("a closed pool watches nothing, and leaves no timer", async () => {
  const bench = warned({ leakAfterMs: 100 });
  await take(bench, 2);
  const closed = watch(bench.pool.close({ drainTimeoutMs: 10 }));
  await bench.advance(10);
  expect(closed.state).toBe("resolved");
  expect(bench.clock.pendingTimerCount).toBe(0);
  await bench.advance(1000);
  expect(bench.warnings).toEqual([]);
});

test("with a leakAfterMs that is longer than timers are, nothing is timed", async () => {
  const bench = warned({ leakAfterMs: 2 ** 32 });
  const lease = await takeOne(bench);
  expect(bench.clock.pendingTimerCount).toBe(0);
  lease.release();
});

test("a lease that was forgotten is reported when the garbage collector finds it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  let told: (warning: PoolWarning) => void = () => undefined;
  const warning = new Promise<PoolWarning>((resolve) => {
    told = resolve;
  });
  const bench = poolBench({ leakAfterMs: 1000, onWarning: (each) => told(each) });
  const forget = async (): Promise<void> => {
    (await takeOne(bench)).release();
    await takeOne(bench);
  };
  await forget();
  await bench.advance(10);
  collect();
  expect(await warning).toMatchObject({ kind: "lease-collected", durationMs: 10 });
  expect((await warning).message).toContain("a lease was forgotten after 10ms (1 of 10 in use");
  expect((await warning).stack).toContain("steps.ts");
});

test("an acquire that took slowAcquireMs is reported, with the state of the pool", async () => {
  const bench = warned({ slowAcquireMs: 50, maxOpenConns: 1 });
  const lease = await takeOne(bench);
  const acquire = watch(bench.pool.acquire());
  await bench.advance(50);
  lease.release();
  await bench.advance(0);
  expect(acquire.state).toBe("resolved");
  expect(bench.warnings).toMatchObject([{ kind: "slow-acquire", durationMs: 50 }]);
  expect(bench.warnings[0]?.message).toBe("test: an acquire took 50ms (1 of 1 in use, 0 waiting)");
  acquire.value?.release();
  const quick = watch(bench.pool.acquire());
  await bench.advance(0);
  expect(quick.state).toBe("resolved");
  expect(bench.warnings).toHaveLength(1);
});

test("what onWarning throws is reported, and harms nobody", async () => {
  const told = reports();
  const error = new Error("broken logger");
  const bench = poolBench(
    {
      slowAcquireMs: 5,
      onWarning: () => {
        throw error;
      },
      onBackgroundError: told.onBackgroundError,
    },
    script({ connect: () => ({ afterMs: 10 }) }),
  );
  const acquire = watch(bench.pool.acquire());
  await bench.advance(10);
  expect(acquire.state).toBe("resolved");
  expect(told.list).toEqual([{ task: "warning", error }]);
});

test("without onWarning the process is warned, but not of a stall", async () => {
  const seen: Error[] = [];
  const onWarning = (warning: Error) => {
    if (warning.name === "ForebayPoolWarning") seen.push(warning);
  };
  process.on("warning", onWarning);
  const bench = poolBench({ leakAfterMs: 10, acquireTimeoutMs: 10, maxOpenConns: 1 });
  await takeOne(bench);
  watch(bench.pool.acquire());
  bench.clock.stall(5000);
  await bench.clock.advance(50);
  const slow = poolBench({ slowAcquireMs: 5 }, script({ connect: () => ({ afterMs: 10 }) }));
  watch(slow.pool.acquire());
  await slow.advance(10);
  process.off("warning", onWarning);
  expect(seen).toHaveLength(2);
  expect(seen[1]?.message).toContain("an acquire took 10ms");
  expect(seen[0]?.message).toContain("a connection has been out for");
});
