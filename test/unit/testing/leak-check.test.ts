// The leak check, and the signal that knows its listeners.

import { expect, test } from "vitest";
import { openDB } from "../../../packages/forebay/src/index.ts";
import { Pool } from "../../../packages/forebay/src/pool/index.ts";
import {
  FakeConnector,
  FakeDatabase,
  type LeakCheck,
  leakCheck,
  LeakError,
  trackedSignal,
  VirtualClock,
} from "../../../packages/forebay/src/testing/index.ts";

function kindsHeld(leaks: LeakCheck): string[] {
  return leaks.held().map(({ kind }) => kind);
}

function kindsLeft(leaks: LeakCheck): string[] {
  return leaks.left().map(({ kind }) => kind);
}

test("finds nothing after code that gives everything back", async () => {
  const clock = new VirtualClock();
  const connector = new FakeDatabase();
  const db = openDB(connector, { clock });
  const request = trackedSignal();
  const leaks = leakCheck({ pool: db, clock, connector, signals: [request] });
  await db.transaction((tx) => tx.query("SELECT 1"), { signal: request.signal });
  for await (const row of db.rows("SELECT 1", [], { signal: request.signal })) {
    expect(row).toBeDefined();
    break;
  }
  await clock.settle();
  leaks.assertNoneHeld();
  await db.close();
  leaks.assertNone();
});

test("finds rows and a transaction that are open, and their connections", async () => {
  const connector = new FakeDatabase();
  const clock = new VirtualClock();
  const db = openDB(connector, { clock });
  const leaks = leakCheck({ pool: db, connector });
  const tx = await db.begin();
  expect(kindsHeld(leaks)).toEqual(["lease", "transaction"]);
  const rows = tx.rows("SELECT 1")[Symbol.asyncIterator]();
  await rows.next();
  expect(kindsHeld(leaks)).toEqual(["lease", "transaction", "rows"]);
  await rows.return?.();
  await tx.rollback();
  await clock.settle();
  expect(kindsHeld(leaks)).toEqual([]);
  await db.close();
});

test("finds a call that still waits, and a lease", async () => {
  const clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  const pool = new Pool(connector, { clock, maxOpenConns: 1 });
  const leaks = leakCheck({ pool, clock, connector });
  const lease = await pool.acquire();
  const waiting = pool.acquire();
  expect(kindsHeld(leaks)).toEqual(["lease", "waiter"]);
  lease.release();
  (await waiting).release();
  expect(kindsHeld(leaks)).toEqual([]);
  await pool.close();
  leaks.assertNone();
});

test("finds connections and timers that are left after the end", async () => {
  const clock = new VirtualClock();
  const connector = new FakeConnector(clock);
  const pool = new Pool(connector, { clock });
  (await pool.acquire()).release();
  const leaks = leakCheck({ pool, clock, connector });
  expect(kindsHeld(leaks)).toEqual([]);
  expect(kindsLeft(leaks)).toEqual(["connection", "connection", "timer"]);
  await pool.close();
  expect(kindsLeft(leaks)).toEqual([]);
  const timer = clock.setTimer(1, () => undefined);
  expect(kindsLeft(leaks)).toEqual(["timer"]);
  timer.cancel();
});

test("finds what broke the rules of the driver", async () => {
  const connector = new FakeDatabase();
  const conn = await connector.connect();
  conn.close();
  await expect(conn.query("SELECT 1", [])).rejects.toThrow("after close");
  expect(leakCheck({ connector }).held()).toEqual([
    { kind: "rule", message: "1: query SELECT 1 after close" },
  ]);
});

test("throws one error that lists everything, with its code", () => {
  const leaks = leakCheck({
    pool: {
      stats: () => ({ openConnections: 2, pool: { name: "orders", leased: 1, waiting: 2 } }),
    },
  });
  let thrown: unknown;
  try {
    leaks.assertNone();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(LeakError);
  const { code, message, leaks: list } = thrown as LeakError;
  expect(code).toBe("LEAKED");
  expect(list.map(({ kind }) => kind)).toEqual(["lease", "waiter", "connection"]);
  expect(message).toContain("1 connection of pool orders not given back: look for rows");
  expect(message).toContain("2 calls still in the queue");
  expect(() => leaks.assertNoneHeld()).toThrow("2 left behind");
});

test("a tracked signal says where its listeners were added, and forgets who is gone", () => {
  const tracked = trackedSignal();
  const listener = (): void => undefined;
  expect([tracked.listenerCount, tracked.listenedAt]).toEqual([0, []]);
  tracked.signal.addEventListener("abort", listener);
  tracked.signal.addEventListener("abort", { handleEvent: listener }, { once: true });
  expect(tracked.listenerCount).toBe(2);
  expect(tracked.listenedAt[0]).toMatch(/^ +at .*leak-check\.test\.ts/);
  const leaks = leakCheck({ signals: [tracked] });
  expect(() => leaks.assertNoneHeld()).toThrow("leak-check.test.ts");
  tracked.signal.removeEventListener("abort", listener);
  expect(tracked.listenerCount).toBe(1);
  tracked.abort("enough");
  expect(tracked.signal.reason).toBe("enough");
  expect(tracked.listenerCount).toBe(0);
  tracked.signal.addEventListener("abort", listener);
  expect(tracked.listenerCount).toBe(1);
});
