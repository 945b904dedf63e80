import { expect, test } from "vitest";
import { CLOSE_MS, DIAL_MS, PING_MS } from "./server.ts";
import { Story, tally, waitsMs } from "./story.ts";

test("after a warm-up to twenty a burst of twenty needs no dial; the next must wait", async () => {
  const story = new Story({ options: { maxOpenConns: 20, minIdleConns: 5 } });
  const warmUp = story.warmUp(20);
  await story.passUntil(1000);
  // Four dials at a time.
  expect(warmUp).toMatchObject({ endedAtMs: 5 * DIAL_MS, error: undefined });
  const burst = story.crowd(20, 50);
  const late = story.crowd(1, 50);
  await story.pass(1000);
  expect(waitsMs(burst)).toEqual(Array(20).fill(0));
  expect(waitsMs(late)).toEqual([50]);
  expect(story.server.timesOf("connect")).toHaveLength(20);
  await story.finish();
});

test("minIdleConns stay when others are idle too long, and are replaced when lost", async () => {
  const options = { maxOpenConns: 20, minIdleConns: 5, connMaxIdleTimeMs: 60_000 };
  const story = new Story({ options });
  story.crowd(20, 50);
  await story.passUntil(62_000);
  expect(story.pool.stats().idle).toBe(5);
  expect(story.closedBy).toEqual({ "idle-time": 15 });
  // Five are asked whether they live, beside the dials, and come back for a second use.
  const burst = story.crowd(20, 50);
  await story.passUntil(124_000);
  expect(waitsMs(burst)).toEqual([
    ...Array<number>(5).fill(PING_MS),
    ...Array<number>(4).fill(DIAL_MS),
    ...Array<number>(4).fill(2 * DIAL_MS),
    ...Array<number>(5).fill(PING_MS + 50),
    ...Array<number>(2).fill(3 * DIAL_MS),
  ]);
  expect(story.pool.stats().idle).toBe(5);
  for (const conn of story.connector.open) story.lose(conn);
  await story.pass(CLOSE_MS + 2 * DIAL_MS);
  expect(story.pool.stats().idle).toBe(5);
  // Each is replaced when its lifetime is over, not all at once.
  await story.pass(40 * 60_000);
  expect(story.pool.stats().idle).toBe(5);
  expect(story.closedBy["lifetime"]).toBe(5);
  expect(new Set(story.server.timesOf("connect").slice(-5)).size).toBe(5);
  await story.finish();
});

test("a warm-up against a server that starts late goes on until it has started", async () => {
  const story = new Story();
  story.server.refuses();
  const warmUp = story.warmUp(10);
  await story.passUntil(3000);
  // Four dials together, then one after each pause: of 50, 100, 200, 400, 800 and 1600 ms at most.
  expect(story.pool.stats().pool).toMatchObject({ dialErrorCount: 4 + 6, dialCount: 0 });
  story.server.isWellAgain();
  await story.passUntil(10_000);
  expect(warmUp).toMatchObject({ error: undefined });
  const dials = story.server.timesOf("connect").slice(-10);
  // One at a time: that a dial succeeds does not show yet that its connection is of use.
  expect(warmUp.endedAtMs).toBeCloseTo((dials[0] ?? NaN) + 10 * DIAL_MS);
  const burst = story.crowd(10, 50);
  await story.pass(100);
  expect(waitsMs(burst)).toEqual(Array(10).fill(0));
  await story.finish();
});

test("a warm-up whose time is over is told so, and nothing more is dialed for it", async () => {
  const story = new Story();
  story.server.refuses();
  const warmUp = story.warmUp(10);
  await story.passUntil(10_000);
  expect(warmUp).toMatchObject({ endedAtMs: 10_000, error: { code: "POOL_TIMEOUT" } });
  const dials = story.server.timesOf("connect").length;
  expect(dials).toBeLessThanOrEqual(4 + 9);
  await story.passUntil(60_000);
  expect(story.server.timesOf("connect")).toHaveLength(dials);
  story.server.isWellAgain();
  const burst = story.crowd(10, 50);
  await story.pass(1000);
  expect(tally(burst)).toEqual({ served: 10 });
  await story.finish();
});
