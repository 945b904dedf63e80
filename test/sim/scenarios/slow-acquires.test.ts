import { expect, test } from "vitest";
import { DIAL_MS } from "./server.ts";
import { Story, tally, waitsMs } from "./story.ts";

const SLOW_MS = 500;

test("of fifty in line for five connections, each who waited too long is told of", async () => {
  const story = new Story({ options: { maxOpenConns: 5, slowAcquireMs: SLOW_MS } });
  const callers = story.crowd(50, 100);
  await story.pass(5000);
  expect(tally(callers)).toEqual({ served: 50 });
  // Five at a time each 100 ms: the first of the second half has waited for 500 ms and a dial.
  const slow = waitsMs(callers).filter((ms) => ms >= SLOW_MS);
  expect(slow).toHaveLength(25);
  expect(Math.min(...slow)).toBe(DIAL_MS + 500);
  expect(story.warnings.map(({ kind }) => kind)).toEqual(Array(25).fill("slow-acquire"));
  expect(story.warnings.map(({ durationMs }) => Math.round(durationMs))).toEqual(slow);
  expect(story.warnings[0]?.message).toContain("(5 of 5 in use, 24 waiting)");
  await story.finish();
});

test("of those who were not served at all nobody is told as slow", async () => {
  const options = { maxOpenConns: 5, slowAcquireMs: SLOW_MS, acquireTimeoutMs: 600 };
  const story = new Story({ options });
  const callers = story.crowd(50, 100);
  await story.pass(5000);
  expect(tally(callers)).toEqual({ served: 30, POOL_TIMEOUT: 20 });
  expect(story.warnings).toHaveLength(5);
  await story.finish();
});

test("a server that takes long to connect is told of by everybody who waits for it", async () => {
  const story = new Story({ options: { slowAcquireMs: SLOW_MS } });
  story.server.does({ connect: { afterMs: 800 } });
  const callers = story.crowd(4, 100);
  await story.pass(5000);
  expect(waitsMs(callers)).toEqual(Array(4).fill(800));
  expect(story.warnings.map(({ durationMs }) => durationMs)).toEqual(Array(4).fill(800));
  // Once they are open, nobody waits any more.
  const later = story.crowd(4, 100);
  await story.pass(5000);
  expect(waitsMs(later)).toEqual(Array(4).fill(0));
  expect(story.warnings).toHaveLength(4);
  await story.finish();
});
