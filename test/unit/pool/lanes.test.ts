// The queues of a pool by themselves: which there are, what they keep for themselves, whose turn
// it is.

import { expect, test } from "vitest";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import { Codel } from "../../../packages/forebay/src/pool/codel.ts";
import { type BulkheadLimits, type Lane, Lanes } from "../../../packages/forebay/src/pool/lanes.ts";
import { Waiter } from "../../../packages/forebay/src/pool/state.ts";

const at = (ms: number) => ms as MonotonicMs;
const ignore = () => undefined;
const first = { next: () => 0 };

const share = (limits: Partial<BulkheadLimits> = {}): BulkheadLimits => ({
  maxInUse: Infinity,
  reserved: 0,
  maxWaiting: Infinity,
  priority: 0,
  ...limits,
});

function queue(lanes: Lanes<string>, lane: Lane<string>, deadlineAtMs = Infinity): Waiter<string> {
  const waiter = new Waiter(lane, at(0), deadlineAtMs, ignore, ignore);
  lanes.enqueue(waiter);
  return waiter;
}

test("the pool's own queue is no bulkhead, and is found by no name", () => {
  const lanes = new Lanes<string>("fifo", 3);
  expect(lanes.find("")).toBeUndefined();
  const reports = lanes.add("reports", share());
  expect(lanes.find("reports")).toBe(reports);
  expect(lanes.all).toEqual([lanes.main, reports]);
});

test("there is one bulkhead of a name", () => {
  const lanes = new Lanes<string>("fifo", 3);
  lanes.add("reports", share());
  expect(() => lanes.add("reports", share())).toThrow("a bulkhead is added once");
  expect(lanes.all).toHaveLength(2);
});

test("while nothing is to be had, a bulkhead may not have its reserve either", () => {
  const lanes = new Lanes<string>("fifo", 3);
  const a = lanes.add("a", share({ reserved: 2 }));
  expect(lanes.allowance(a)).toBe(3);
  lanes.setCapacity(0);
  expect(lanes.allowance(a)).toBe(0);
});

test("what is reserved beside a bulkhead leaves out its own reserve", () => {
  const lanes = new Lanes<string>("fifo", 9);
  lanes.add("a", share({ reserved: 1 }));
  lanes.add("b", share({ reserved: 2 }));
  const reserved = ["a", "b", "c"].map((name) => lanes.reservedBeside(name));
  expect(reserved).toEqual([2, 1, 3]);
});

test("a reserve lets its bulkhead have that many and no more", () => {
  const lanes = new Lanes<string>("fifo", 2);
  const [a, b] = [lanes.add("a", share({ reserved: 1 })), lanes.add("b", share())];
  b.inUse = 1;
  expect([lanes.admits(a), lanes.admits(b)]).toEqual([true, false]);
  a.inUse = 1;
  expect([lanes.admits(a), lanes.admits(b)]).toEqual([false, false]);
});

test("among bulkheads of one priority, whoever came first is served first", () => {
  const lanes = new Lanes<string>("fifo", 3);
  const [a, b] = [lanes.add("a", share()), lanes.add("b", share())];
  const served = [queue(lanes, b), queue(lanes, a), queue(lanes, lanes.main)];
  for (const waiter of served) expect(lanes.takeNext(first)).toBe(waiter);
  expect([lanes.takeNext(first), lanes.size]).toEqual([undefined, 0]);
});

test("the next deadline is the earliest of all queues", () => {
  const lanes = new Lanes<string>("fifo", 3);
  const [a, b] = [lanes.add("a", share()), lanes.add("b", share())];
  queue(lanes, a, 50);
  queue(lanes, b, 20);
  expect(lanes.nextDeadlineAtMs(at(0))).toBe(20);
});

test("an overload ends when nobody waited for a whole interval", () => {
  const codel = new Codel({ targetMs: 5, intervalMs: 100 });
  codel.isDue(50, at(0));
  expect(codel.isDue(50, at(200))).toBe(false);
});
