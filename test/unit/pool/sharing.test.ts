// What those are told who hold connections for many callers, and give way to others.

import { expect, test } from "vitest";
import { isDueBack, waiterCount } from "../../../packages/forebay/src/pool/pool.ts";
import { poolBench } from "../../support/pool.ts";
import { takeOne, watch } from "./steps.ts";

test("how many wait, in all queues", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const lease = await takeOne(bench);
  expect(waiterCount(bench.pool)).toBe(0);
  watch(bench.pool.acquire());
  watch(bench.pool.bulkhead("reports").acquire());
  expect(waiterCount(bench.pool)).toBe(2);
  lease.release();
  expect(waiterCount(bench.pool)).toBe(1);
});

test("a connection is due back when its return would close it, and once it is back", async () => {
  const bench = poolBench({ maxOpenConns: 2 });
  const lease = await takeOne(bench);
  const other = await takeOne(bench);
  expect(isDueBack(bench.pool, lease)).toBe(false);
  bench.pool.reset();
  expect(isDueBack(bench.pool, lease)).toBe(true);
  other.release();
  expect(isDueBack(bench.pool, other)).toBe(true);
});
