import { expect, test } from "vitest";
import { BugError } from "../../../packages/forebay/src/base/assert.ts";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import { PoolLease } from "../../../packages/forebay/src/pool/lease.ts";
import { Slot } from "../../../packages/forebay/src/pool/state.ts";
import { poolBench } from "../../support/pool.ts";
import { closedBy, reports, take, takeOne, watch } from "./steps.ts";

const ignore = () => undefined;

const stale = (what: string) =>
  expect.objectContaining({
    name: "UsageError",
    code: "LEASE_STALE",
    family: "usage",
    retryable: false,
    message:
      `a lease was ${what} after it had been given back: the connection may be somebody ` +
      "else's by now. Give each lease back once, and do not use it after that [LEASE_STALE]",
  });

test.each(["release", "discard"] as const)(
  "after %s the lease throws LEASE_STALE, whatever is asked of it",
  async (end) => {
    const lease = await takeOne(poolBench());
    lease[end]();
    expect(() => lease.conn).toThrow(stale("used"));
    expect(() => lease.release()).toThrow(stale("released"));
    expect(() => lease.discard()).toThrow(stale("discarded"));
  },
);

test("a second release does not disturb the next holder", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const first = await takeOne(bench);
  const next = bench.pool.acquire();
  first.release();
  const second = await next;
  const third = watch(bench.pool.acquire());
  expect(() => first.release()).toThrow(stale("released"));
  expect(() => first.discard()).toThrow(stale("discarded"));
  await bench.advance(0);
  expect(third.state).toBe("pending");
  expect(second.conn.isClosing).toBe(false);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, pool: { leased: 1, waiting: 1 } });
});

test("disposal releases, and has no effect after a release or a discard", async () => {
  const bench = poolBench();
  const lease = await takeOne(bench);
  await lease[Symbol.asyncDispose]();
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { leased: 0 } });
  expect(() => lease.conn).toThrow(stale("used"));
  await lease[Symbol.asyncDispose]();
  const discarded = await takeOne(bench);
  discarded.discard();
  await discarded[Symbol.asyncDispose]();
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0 });
});

test("the same connection is another lease for its next holder", async () => {
  const bench = poolBench();
  const first = await takeOne(bench);
  const { conn } = first;
  first.release();
  const second = await takeOne(bench);
  expect(second.conn).toBe(conn);
  expect(second).not.toBe(first);
  expect(() => first.conn).toThrow(stale("used"));
});

test("a discard for a reason reports it; one without reports nothing", async () => {
  const { list, onBackgroundError } = reports();
  const bench = poolBench({ onBackgroundError });
  const [first, second] = await take(bench, 2);
  first?.discard();
  second?.discard("the session is in doubt");
  await bench.advance(0);
  expect(list).toEqual([{ task: "discard", error: "the session is in doubt" }]);
  expect(closedBy(bench)).toEqual({ discarded: 2 });
});

test("a lease of a slot without a connection is a bug", () => {
  const slot = new Slot(1, 0 as MonotonicMs, 0, 0);
  expect(() => new PoolLease({ giveBack: ignore, discard: ignore, refuse: ignore }, slot)).toThrow(
    BugError,
  );
});
