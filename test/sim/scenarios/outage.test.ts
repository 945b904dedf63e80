import { expect, test } from "vitest";
import { BACKOFF_FIRST_MS, BACKOFF_MAX_MS } from "../../../packages/forebay/src/pool/backoff.ts";
import { DIAL_MS } from "./server.ts";
import { settledAtMs, Story, tally } from "./story.ts";

const MINUTE_MS = 60_000;

test("a minute without a server costs it few dials, and a hundred callers only time", async () => {
  const story = new Story({ options: { acquireTimeoutMs: 2 * MINUTE_MS } });
  story.server.refuses();
  const callers = story.crowd(50, 100);
  // More keep coming, which is no reason to try again any sooner.
  const later = story.stream({ count: 50, everyMs: 1000, holdMs: 100 });
  await story.passUntil(MINUTE_MS);
  expect(tally([...callers, ...later])).toEqual({ waiting: 100 });
  const [first, ...probes] = story.server.timesOf("connect").slice(3);
  expect(story.server.timesOf("connect").slice(0, 4)).toEqual([0, 0, 0, 0]);
  let before = first ?? NaN;
  for (const [round, atMs] of probes.entries()) {
    const mostMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** round);
    const pauseMs = atMs - before - DIAL_MS;
    expect(pauseMs).toBeGreaterThanOrEqual(mostMs / 2 - 0.01);
    expect(pauseMs).toBeLessThanOrEqual(mostMs + 0.01);
    before = atMs;
  }
  expect(probes.length).toBeLessThanOrEqual(30);
  story.server.isWellAgain();
  await story.pass(BACKOFF_MAX_MS + DIAL_MS);
  expect(story.pool.stats().pool.dialCount).toBeGreaterThanOrEqual(1);
  await story.pass(2000);
  expect(tally([...callers, ...later])).toEqual({ served: 100 });
  const servedAtMs = settledAtMs([...callers, ...later]);
  expect(servedAtMs).toEqual(servedAtMs.toSorted((a, b) => a - b));
  // Ten at a time, 100 ms each, from the first dial that succeeded.
  const backAtMs = servedAtMs[0] ?? NaN;
  expect(servedAtMs.at(-1)).toBeLessThanOrEqual(backAtMs + 3 * DIAL_MS + 900);
  expect(story.pool.stats().pool.dialCount).toBe(10);
  await story.finish();
});

test("a server that swallows dials without a word has four at most, and then one", async () => {
  const story = new Story({ options: { acquireTimeoutMs: 2 * MINUTE_MS } });
  story.server.does({ connect: "never" });
  const callers = story.crowd(100, 100);
  await story.passUntil(MINUTE_MS);
  const dials = story.server.timesOf("connect");
  expect(dials.slice(0, 4)).toEqual([0, 0, 0, 0]);
  // Each is given up after fifteen seconds.
  expect(dials.slice(4).map((ms) => Math.floor(ms / 15_000))).toEqual([1, 2, 3]);
  expect(tally(callers)).toEqual({ waiting: 100 });
  story.server.isWellAgain();
  // The last that was swallowed is given up soon, and the next is not.
  await story.pass(3000);
  expect(tally(callers)).toEqual({ served: 100 });
  expect(story.pool.stats().pool).toMatchObject({ dialErrorCount: 7, dialCount: 10 });
  await story.finish();
});
