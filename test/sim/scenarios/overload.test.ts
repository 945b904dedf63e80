import { expect, test } from "vitest";
import type { SheddingOptions } from "../../../packages/forebay/src/pool/codel.ts";
import { longestWaitMs, Story, tally, waitsMs } from "./story.ts";

const SHEDDING = { targetMs: 5, intervalMs: 100 };

/**
 * Ten connections serve 100 callers a second, 100 ms each. For two seconds twice as many come, then
 * half as many.
 */
async function overloaded(shedding: SheddingOptions | undefined) {
  const story = new Story({ options: { shedding, acquireTimeoutMs: 1000 } });
  story.warmUp(10);
  await story.passUntil(1000);
  const during = story.stream({ count: 400, everyMs: 5, holdMs: 100 });
  await story.passUntil(3000);
  const after = story.stream({ count: 50, everyMs: 20, holdMs: 100 });
  await story.passUntil(6000);
  await story.finish();
  return { during, after };
}

test("of twice the load, shedding serves half in good time, and nobody is shed afterwards", async () => {
  const { during, after } = await overloaded(SHEDDING);
  const { served = 0, POOL_OVERLOADED: shed = 0, ...others } = tally(during);
  expect(others).toEqual({});
  expect(served + shed).toBe(400);
  expect(served).toBeGreaterThanOrEqual(200);
  expect(served).toBeLessThanOrEqual(200 + 10);
  // An interval has to pass before it shows; from then on nobody waits for more than two targets.
  expect(longestWaitMs(during)).toBeLessThanOrEqual(SHEDDING.intervalMs / 2);
  const late = during.filter(({ beganAtMs }) => beganAtMs >= 1000 + 3 * SHEDDING.intervalMs);
  expect(longestWaitMs(late)).toBeLessThanOrEqual(2 * SHEDDING.targetMs);
  // Who was turned away was told soon, too.
  const told = during.map(({ beganAtMs, settledAtMs = NaN }) => settledAtMs - beganAtMs);
  expect(Math.max(...told)).toBeLessThanOrEqual(SHEDDING.intervalMs);
  expect(tally(after)).toEqual({ served: 50 });
  expect(longestWaitMs(after.slice(10))).toBe(0);
});

test("without shedding the same load has everybody wait until the deadline, then and after", async () => {
  const { during, after } = await overloaded(undefined);
  const { served = 0, POOL_TIMEOUT: timedOut = 0, ...others } = tally(during);
  expect(others).toEqual({});
  expect(served + timedOut).toBe(400);
  // A second's worth is in line when the load ends, and is served yet.
  expect(served).toBe(300);
  expect(Math.min(...waitsMs(during).slice(-100))).toBeGreaterThan(990);
  expect(tally(after)).toEqual({ served: 50 });
  expect(longestWaitMs(after)).toBe(1000);
});
