import { expect, test } from "vitest";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import {
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  DialBackoff,
} from "../../../packages/forebay/src/pool/backoff.ts";
import { poolBench } from "../../support/pool.ts";
import { script, takeOne, watch } from "./steps.ts";

const at = (ms: number) => ms as MonotonicMs;
const REFUSED = new Error("refused");

/** The pauses after each of `rounds` failures, where the random number is always the same. */
function pauses(rounds: number, random: number): number[] {
  const backoff = new DialBackoff({ next: () => random });
  let nowMs = 0;
  return Array.from({ length: rounds }, () => {
    const dialedAtMs = nowMs;
    nowMs += 1;
    backoff.noteFailure(at(dialedAtMs), REFUSED, at(nowMs));
    const pauseMs = backoff.untilMs - nowMs;
    nowMs = backoff.untilMs;
    return pauseMs;
  });
}

test("each pause is twice as long as the one before, up to the longest", () => {
  expect([BACKOFF_FIRST_MS, BACKOFF_MAX_MS]).toEqual([50, 5000]);
  expect(pauses(9, 1)).toEqual([50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
});

test("a pause is drawn from the upper half of its range", () => {
  expect(pauses(9, 0)).toEqual([25, 50, 100, 200, 400, 800, 1600, 2500, 2500]);
  expect(pauses(2, 0.5)).toEqual([37.5, 75]);
});

test("hundreds of failures do not make the pause overflow", () => {
  expect(pauses(3000, 1).at(-1)).toBe(5000);
});

test("dials that were under way at the same time fail as one round", () => {
  const backoff = new DialBackoff({ next: () => 1 });
  backoff.noteFailure(at(0), REFUSED, at(10));
  const last = new Error("refused last");
  backoff.noteFailure(at(5), last, at(12));
  expect(backoff.untilMs).toBe(60);
  expect(backoff.lastError).toBe(last);
  backoff.noteFailure(at(60), REFUSED, at(61));
  expect(backoff.untilMs).toBe(161);
});

test("the use of a newer connection ends the pause and forgets the failure", () => {
  const backoff = new DialBackoff({ next: () => 1 });
  expect(backoff).toMatchObject({ isFailing: false, untilMs: -Infinity, lastError: undefined });
  backoff.noteFailure(at(0), REFUSED, at(10));
  backoff.noteFailure(at(60), REFUSED, at(70));
  expect(backoff).toMatchObject({ isFailing: true, untilMs: 170, lastError: REFUSED });
  backoff.noteUse(at(70));
  expect(backoff).toMatchObject({ isFailing: true, untilMs: 170, lastError: REFUSED });
  backoff.noteUse(at(71));
  expect(backoff).toMatchObject({ isFailing: false, untilMs: -Infinity, lastError: undefined });
  backoff.noteUse(at(71));
  backoff.noteFailure(at(200), REFUSED, at(210));
  expect(backoff.untilMs).toBe(260);
});

test("after a failure the pool pauses, and then sends one prober ahead", async () => {
  let up = false;
  const bench = poolBench(
    { maxOpenConns: 8, maxDialing: 4, random: { next: () => 0 } },
    script({ connect: () => (up ? { afterMs: 10 } : { fail: REFUSED, afterMs: 10 }) }),
  );
  const waiters = Array.from({ length: 8 }, () => watch(bench.pool.acquire()));
  expect(bench.connector.dialing).toBe(4);
  await bench.advance(10);
  expect([bench.connector.dialing, bench.connector.dialCount]).toEqual([0, 4]);
  await bench.advance(24);
  expect(bench.connector.dialing).toBe(0);
  await bench.advance(1);
  expect(bench.connector.dialing).toBe(1);
  await bench.advance(10 + 50);
  expect([bench.connector.dialing, bench.connector.dialCount]).toEqual([1, 6]);
  up = true;
  await bench.advance(10 + 100);
  expect([bench.connector.dialing, bench.connector.dialCount]).toEqual([1, 7]);
  await bench.advance(10);
  // The prober came through: the others follow at once, and several at a time.
  expect([bench.connector.dialing, bench.connector.dialCount]).toEqual([4, 11]);
  await bench.advance(20);
  expect(waiters.every(({ state }) => state === "resolved")).toBe(true);
});

test("a success while others pause ends the pause for all", async () => {
  const bench = poolBench(
    { maxOpenConns: 4, maxDialing: 2, random: { next: () => 0 } },
    script({
      connect: (_, connId) => (connId === 1 ? { fail: REFUSED, afterMs: 5 } : { afterMs: 10 }),
    }),
  );
  for (let count = 0; count < 4; count++) watch(bench.pool.acquire());
  await bench.advance(5);
  expect(bench.connector.dialing).toBe(1);
  await bench.advance(5);
  expect(bench.connector.dialing).toBe(2);
});

test("the use of an older connection does not end the pause of a full server", async () => {
  const bench = poolBench(
    { maxOpenConns: 2 },
    script({ connect: (_, connId) => (connId === 1 ? "ok" : { fail: REFUSED, afterMs: 1 }) }),
  );
  let holder = await takeOne(bench);
  let next = watch(bench.pool.acquire());
  for (let use = 0; use < 1000; use++) {
    const later = watch(bench.pool.acquire());
    await bench.advance(10);
    holder.release();
    await bench.advance(0);
    if (next.value === undefined) throw new Error("the connection was not handed on");
    holder = next.value;
    next = later;
  }
  expect(bench.connector.dialCount).toBeLessThan(14);
});

test("an idle connection that is older than the failure does not end the pause", async () => {
  const bench = poolBench(
    { random: { next: () => 0 } },
    script({ connect: (_, connId) => (connId === 1 ? "ok" : { fail: REFUSED }) }),
  );
  const holder = await takeOne(bench);
  holder.release();
  await bench.advance(1);
  watch(bench.pool.warmUp(2));
  await bench.advance(1);
  expect(bench.pool.tryAcquire()).toBeDefined();
  await bench.advance(23);
  expect(bench.connector.dialCount).toBe(2);
  await bench.advance(1);
  expect(bench.connector.dialCount).toBe(3);
});

test("when the pause ends, nobody is dialed for whom an idle connection is there", async () => {
  const bench = poolBench(
    { maxOpenConns: 4 },
    script({ connect: (_, connId) => (connId === 1 ? { fail: REFUSED } : "ok") }),
  );
  const warmUp = watch(bench.pool.warmUp(2));
  await bench.advance(1000);
  expect(warmUp.state).toBe("resolved");
  expect(bench.connector.dialCount).toBe(3);
  bench.pool.suspend();
  const waiters = [1, 2].map(() => watch(bench.pool.acquire()));
  bench.pool.resume();
  await bench.advance(0);
  expect(waiters.map(({ state }) => state)).toEqual(["resolved", "resolved"]);
  expect(bench.connector.dialCount).toBe(3);
});

test("a newcomer does not cut the pause short", async () => {
  const bench = poolBench(
    { random: { next: () => 0 } },
    script({ connect: () => ({ fail: REFUSED }) }),
  );
  watch(bench.pool.acquire());
  await bench.advance(10);
  watch(bench.pool.acquire());
  await bench.advance(10);
  expect(bench.connector.dialCount).toBe(1);
  await bench.advance(5);
  expect(bench.connector.dialCount).toBe(2);
});

test("nobody dials after the pause if nobody waits any more", async () => {
  const bench = poolBench({}, script({ connect: () => ({ fail: REFUSED }) }));
  const controller = new AbortController();
  watch(bench.pool.acquire({ signal: controller.signal }));
  await bench.advance(0);
  controller.abort();
  await bench.advance(60_000);
  expect(bench.connector.dialCount).toBe(1);
});

test("who waits through an outage is served when it is over", async () => {
  let up = false;
  const bench = poolBench(
    { maxOpenConns: 2 },
    script({ connect: () => (up ? "ok" : { fail: REFUSED }) }),
  );
  const waiter = watch(bench.pool.acquire());
  await bench.advance(60_000);
  expect(waiter.state).toBe("pending");
  // 50 ms doubled to 5 s: about 7 rounds to get there, then one every 2.5 to 5 s.
  expect(bench.connector.dialCount).toBeGreaterThan(15);
  expect(bench.connector.dialCount).toBeLessThan(32);
  up = true;
  await bench.advance(5000);
  expect(waiter.state).toBe("resolved");
});

test("a server that ends connections before they are ready is paused for too", async () => {
  const bench = poolBench({ maxOpenConns: 1, random: { next: () => 0 } });
  const { connector } = bench;
  const connect = connector.connect.bind(connector);
  let losing = true;
  connector.connect = async (options) => {
    const conn = await connect(options);
    if (losing) conn.lose("ended at once");
    return conn;
  };
  const waiter = watch(bench.pool.acquire());
  await bench.advance(24);
  expect(connector.dialCount).toBe(1);
  expect(bench.pool.stats().pool).toMatchObject({ dialCount: 1, dialErrorCount: 1 });
  await bench.advance(1);
  expect(connector.dialCount).toBe(2);
  losing = false;
  await bench.advance(50);
  expect(waiter.state).toBe("resolved");
  expect(bench.pool.stats().pool.closedBy.lost).toBe(2);
});

test("a connection in use that comes back serves who waits through an outage", async () => {
  const bench = poolBench(
    { maxOpenConns: 2 },
    script({ connect: (_, connId) => (connId === 1 ? "ok" : { fail: REFUSED }) }),
  );
  const holder = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  await bench.advance(10);
  holder.release();
  await bench.advance(0);
  expect(waiter.value?.conn.id).toBe(1);
});
