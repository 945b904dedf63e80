import { expect, test } from "vitest";
import { DIAL_MS } from "./server.ts";
import { longestWaitMs, Story, tally, waitsMs } from "./story.ts";

const MINUTE_MS = 60_000;

/** A hundred connections, opened together, and kept open whatever is done with them. */
async function hundred(lifetimeJitterRatio: number | undefined) {
  const story = new Story({
    options: {
      maxOpenConns: 100,
      minIdleConns: 100,
      maxDialing: Infinity,
      pingAfterIdleMs: Infinity,
      lifetimeJitterRatio,
    },
  });
  await story.passUntil(26 * MINUTE_MS);
  expect(story.server.timesOf("connect")).toEqual(Array(100).fill(0));
  return story;
}

test("connections opened together go one by one, and nobody waits for a new one", async () => {
  const story = await hundred(undefined);
  const callers = [];
  while (story.clock.nowMs() < 31 * MINUTE_MS) {
    callers.push(...story.crowd(10, 50));
    await story.pass(15_000);
  }
  expect(tally(callers)).toEqual({ served: 200 });
  expect(longestWaitMs(callers)).toBe(0);
  expect(story.closedBy).toEqual({ lifetime: 100 });
  const ages = story.server.timesOf("close").map((ms) => ms - DIAL_MS);
  expect(Math.min(...ages)).toBeGreaterThan(27 * MINUTE_MS);
  expect(Math.max(...ages)).toBeLessThanOrEqual(30 * MINUTE_MS + 50);
  // Over three minutes: about six in each ten seconds.
  const spans = ages.map((ms) => Math.floor(ms / 10_000));
  const counts = [...new Set(spans)].map((span) => spans.filter((each) => each === span).length);
  expect(counts).toHaveLength(18);
  expect(Math.max(...counts)).toBeLessThanOrEqual(15);
  await story.finish();
});

test("without jitter they all go at once, and whoever comes then waits for a dial", async () => {
  const story = await hundred(0);
  const overAtMs = DIAL_MS + 30 * MINUTE_MS;
  await story.passUntil(overAtMs + 10);
  const callers = story.crowd(50, 50);
  await story.passUntil(31 * MINUTE_MS);
  expect(story.server.timesOf("close")).toEqual(Array(100).fill(overAtMs));
  expect(Math.min(...waitsMs(callers))).toBeGreaterThan(0);
  await story.finish();
});
