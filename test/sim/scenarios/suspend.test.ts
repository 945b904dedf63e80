import { expect, test } from "vitest";
import { DIAL_MS } from "./server.ts";
import { settledAtMs, Story, tally } from "./story.ts";

test("while suspended under load nobody is served, and then all are, in order", async () => {
  const story = new Story();
  const visits = story.stream({ count: 150, everyMs: 40, holdMs: 200 });
  await story.passUntil(1010);
  story.suspend();
  await story.passUntil(1210);
  // What was in use has come back.
  expect(story.pool.stats()).toMatchObject({ idle: 6, pool: { leased: 0, isSuspended: true } });
  await story.passUntil(3010);
  expect(story.pool.stats().pool.waiting).toBe(50);
  story.resume();
  await story.passUntil(8000);
  expect(tally(visits)).toEqual({ served: 150 });
  const servedAtMs = settledAtMs(visits);
  expect(servedAtMs.filter((ms) => ms > 1010 && ms < 3010)).toEqual([]);
  expect(servedAtMs).toEqual(servedAtMs.toSorted((a, b) => a - b));
  // Six were open, and four more are dialed.
  expect(servedAtMs.filter((ms) => ms === 3010)).toHaveLength(6);
  expect(servedAtMs.filter((ms) => ms === 3010 + DIAL_MS)).toHaveLength(4);
  expect(story.pool.stats().pool.dialCount).toBe(10);
  await story.finish();
});

test("a restart of the server during a suspension fails no dial; deadlines count", async () => {
  const story = new Story({ options: { acquireTimeoutMs: 1500 } });
  const visits = story.stream({ count: 150, everyMs: 40, holdMs: 200 });
  await story.passUntil(1010);
  story.suspend();
  await story.passUntil(1210);
  story.server.refuses();
  for (const conn of story.connector.open) story.lose(conn);
  const dials = story.server.timesOf("connect").length;
  await story.passUntil(2500);
  story.server.isWellAgain();
  await story.passUntil(3010);
  expect(story.server.timesOf("connect")).toHaveLength(dials);
  story.resume();
  await story.passUntil(8000);
  // Who came in the first half second of the suspension has waited for as long as he would.
  expect(tally(visits)).toEqual({ POOL_TIMEOUT: 13, served: 137 });
  const timedOut = visits.filter(({ code }) => code === "POOL_TIMEOUT");
  expect(timedOut.map(({ beganAtMs }) => beganAtMs + 1500)).toEqual(settledAtMs(timedOut));
  const afterwards = settledAtMs(visits).filter((ms) => ms > 3020);
  expect(Math.min(...afterwards)).toBe(3010 + DIAL_MS);
  expect(story.pool.stats().pool.dialErrorCount).toBe(0);
  await story.finish();
});
