import { describe, expect, test } from "vitest";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import { type Random, seededRandom } from "../../../packages/forebay/src/base/random.ts";
import { Lanes } from "../../../packages/forebay/src/pool/lanes.ts";
import { Waiter } from "../../../packages/forebay/src/pool/state.ts";
import { type WaiterOrder, Waiters } from "../../../packages/forebay/src/pool/waiters.ts";
import { poolBench } from "../../support/pool.ts";
import { leaseOf, poolErrorOf, queue, script, take, takeOne, watch } from "./steps.ts";

/** Random numbers that are always the same one. */
const always = (value: number): Random => ({ next: () => value });

/**
 * Queues `names` on a pool of one, then lets each in turn release; says who was served in which
 * order.
 */
async function serve(order: WaiterOrder, random: Random, change?: WaiterOrder): Promise<string[]> {
  const bench = poolBench({ maxOpenConns: 1, waiterOrder: order, random });
  const holder = await takeOne(bench);
  const served: string[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    void bench.pool.acquire().then((lease) => {
      served.push(name);
      lease.release();
    });
  }
  if (change !== undefined) bench.pool.setWaiterOrder(change);
  holder.release();
  await bench.advance(0);
  return served;
}

test("waiters are served in order of arrival", async () => {
  expect(await serve("fifo", always(0.99))).toEqual(["a", "b", "c", "d"]);
});

test("with the order random, any waiter may be next", async () => {
  expect(await serve("random", always(0.99))).toEqual(["d", "c", "b", "a"]);
  expect(await serve("random", always(0.5))).toEqual(["c", "b", "d", "a"]);
  const seen = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    seen.add((await serve("random", seededRandom(seed)))[0] ?? "");
  }
  expect([...seen].toSorted()).toEqual(["a", "b", "c", "d"]);
});

test("a change of the order counts for who waits already", async () => {
  expect(await serve("fifo", always(0.99), "random")).toEqual(["d", "c", "b", "a"]);
  expect(await serve("random", always(0.99), "fifo")).toEqual(["a", "b", "c", "d"]);
  expect(await serve("random", always(0.99), "random")).toEqual(["d", "c", "b", "a"]);
});

test("maxWaiters refuses one more at once, and counts it", async () => {
  const bench = poolBench({ maxOpenConns: 1, maxWaiters: 2 });
  const holder = await takeOne(bench);
  const first = watch(bench.pool.acquire());
  watch(bench.pool.acquire());
  const error = await poolErrorOf(bench.pool.acquire());
  expect(error).toMatchObject({ code: "POOL_QUEUE_FULL", retryable: true, waitedMs: 0 });
  expect(bench.pool.stats()).toMatchObject({
    waitCount: 2,
    pool: { waiting: 2, queueFullCount: 1, timeoutCount: 0 },
  });
  holder.release();
  await bench.advance(0);
  expect(first.state).toBe("resolved");
  expect(watch(bench.pool.acquire()).state).toBe("pending");
  expect(bench.pool.stats().pool.waiting).toBe(2);
});

test("those for whom a connection is or could be opened do not count as waiters", async () => {
  const bench = poolBench(
    { maxOpenConns: 3, maxWaiters: 0, maxDialing: 1 },
    script({ connect: () => ({ afterMs: 10 }) }),
  );
  const waiters = Array.from({ length: 3 }, () => watch(bench.pool.acquire()));
  expect((await poolErrorOf(bench.pool.acquire())).code).toBe("POOL_QUEUE_FULL");
  await bench.advance(30);
  expect(waiters.map(({ state }) => state)).toEqual(["resolved", "resolved", "resolved"]);
  expect((await poolErrorOf(bench.pool.acquire())).code).toBe("POOL_QUEUE_FULL");
});

test("with maxWaiters 0 a caller gets what is idle, or is refused", async () => {
  const bench = poolBench({ maxOpenConns: 1, maxWaiters: 0 });
  const lease = await takeOne(bench);
  expect((await poolErrorOf(bench.pool.acquire())).code).toBe("POOL_QUEUE_FULL");
  lease.release();
  expect((await takeOne(bench)).conn.id).toBe(1);
});

test("a waiter that leaves makes room for another", async () => {
  const bench = poolBench({ maxOpenConns: 1, maxWaiters: 1 });
  await takeOne(bench);
  const controller = new AbortController();
  const first = watch(bench.pool.acquire({ signal: controller.signal }));
  expect((await poolErrorOf(bench.pool.acquire())).code).toBe("POOL_QUEUE_FULL");
  controller.abort();
  const second = watch(bench.pool.acquire());
  await bench.advance(0);
  expect([first.state, second.state]).toEqual(["rejected", "pending"]);
});

test("a queue that is served while others leave keeps its order", async () => {
  const bench = poolBench({ maxOpenConns: 2 });
  const holders = await take(bench, 2);
  const served: string[] = [];
  const leaver = new AbortController();
  const { signal } = leaver;
  const a = queue(bench, served, "a");
  queue(bench, served, "b", { signal });
  queue(bench, served, "c");
  queue(bench, served, "d");
  queue(bench, served, "e", { signal });
  leaver.abort();
  for (const holder of holders) holder.release();
  await bench.advance(0);
  leaseOf(a).release();
  await bench.advance(0);
  expect(served).toEqual(["b rejected", "e rejected", "a", "c", "d"]);
});

describe.each(["fifo", "random"] as const)("the queue in order %s", (order) => {
  const ignore = () => undefined;
  const lane = new Lanes<string>(order, 1).main;
  const waiter = (enqueuedAtMs: number, deadlineAtMs: number): Waiter<string> =>
    new Waiter<string>(lane, enqueuedAtMs as MonotonicMs, deadlineAtMs, ignore, ignore);
  const now = (ms: number) => ms as MonotonicMs;

  test("gives each waiter once, and then none", () => {
    const queue = new Waiters<string>(order);
    const all = Array.from({ length: 50 }, (_, index) => waiter(index, Infinity));
    for (const each of all) queue.add(each);
    const random = seededRandom(3);
    const taken = all.map(() => queue.takeNext(random));
    expect(new Set(taken)).toEqual(new Set(all));
    expect(taken.includes(undefined)).toBe(false);
    expect(queue.takeNext(random)).toBeUndefined();
    expect(queue.size).toBe(0);
  });

  test("takes a waiter out wherever it stands, and goes on with the others", () => {
    const queue = new Waiters<string>(order);
    const all = Array.from({ length: 5 }, (_, index) => waiter(index, Infinity));
    for (const each of all) queue.add(each);
    for (const at of [4, 0, 2]) queue.remove(all[at] ?? waiter(0, 0));
    expect([...queue]).toEqual([all[1], all[3]]);
    const random = always(0.99);
    const rest = [queue.takeNext(random), queue.takeNext(random)];
    expect(new Set(rest)).toEqual(new Set([all[1], all[3]]));
  });

  test("gives up whose deadline has come, in order of arrival, and nobody else", () => {
    const queue = new Waiters<string>(order);
    const patient = waiter(0, 1000);
    const hasty = waiter(1, 11);
    const endless = waiter(2, Infinity);
    const late = waiter(3, 13);
    for (const each of [patient, hasty, endless, late]) queue.add(each);
    expect(queue.takeExpired(now(10))).toEqual([]);
    expect(queue.takeExpired(now(13))).toEqual([hasty, late]);
    expect(queue.takeExpired(now(999))).toEqual([]);
    expect(queue.takeExpired(now(1000))).toEqual([patient]);
    expect([...queue]).toEqual([endless]);
  });

  test("knows a moment before which no deadline passes, and which is not long before one", () => {
    const queue = new Waiters<string>(order);
    expect(queue.nextDeadlineAtMs(now(0))).toBe(Infinity);
    queue.add(waiter(0, 100));
    expect(queue.nextDeadlineAtMs(now(0))).toBe(100);
    queue.add(waiter(5, 15));
    expect(queue.nextDeadlineAtMs(now(5))).toBeLessThanOrEqual(15);
    expect(queue.nextDeadlineAtMs(now(14))).toBe(15);
    queue.takeExpired(now(15));
    expect(queue.nextDeadlineAtMs(now(15))).toBe(100);
    queue.takeExpired(now(100));
    queue.add(waiter(200, Infinity));
    expect(queue.nextDeadlineAtMs(now(200))).toBe(Infinity);
  });
});
