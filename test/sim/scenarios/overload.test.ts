import { expect, test } from "vitest";
import type { SheddingOptions } from "../../../packages/forebay/src/pool/codel.ts";
import type { Caller } from "../caller.ts";
import { longestWaitMs, Story, tally, waitsMs } from "./story.ts";

const SHEDDING = { targetMs: 5, intervalMs: 100 };

/**
 * Ten connections serve 100 callers a second, 100 ms each. For two seconds twice as many come one
 * by one. After that there are bursts of fifteen, one each half second, which is less than a third.
 */
async function overloaded(shedding: SheddingOptions | undefined) {
  const story = new Story({ options: { shedding, acquireTimeoutMs: 1000 } });
  story.warmUp(10);
  await story.passUntil(1000);
  const during = story.stream({ count: 400, everyMs: 5, holdMs: 100 });
  await story.passUntil(3000);
  const after: Caller[] = [];
  for (let burst = 0; burst < 6; burst++) {
    await story.pass(500);
    after.push(...story.crowd(15, 100));
  }
  await story.pass(1000);
  await story.finish();
  return { during, after };
}

test("of twice the load, shedding serves half in good time, and later sheds nobody", async () => {
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
  // A wait in a burst is no overload: others are served at once.
  expect(tally(after)).toEqual({ served: 90 });
  const places = Array.from({ length: 90 }, (_, caller) => caller % 15);
  expect(waitsMs(after)).toEqual(places.map((place) => (place < 10 ? 0 : 100)));
});

test("without shedding the same load has everybody wait, also when it is over", async () => {
  const { during, after } = await overloaded(undefined);
  const { served = 0, POOL_TIMEOUT: timedOut = 0, ...others } = tally(during);
  expect(others).toEqual({});
  expect(served + timedOut).toBe(400);
  // A second's worth is in line when the load ends, and is served yet.
  expect(served).toBe(300);
  expect(Math.min(...waitsMs(during).slice(-100))).toBeGreaterThan(990);
  // Half of those are left when the first burst comes, and served before it.
  expect(tally(after)).toEqual({ served: 90 });
  expect(Math.min(...waitsMs(after.slice(0, 15)))).toBe(500);
});
