import fc from "fast-check";
import { expect, test } from "vitest";
import {
  DEADLINE_GRAIN_MS,
  type Deadline,
  Deadlines,
} from "../../packages/forebay/src/base/deadlines.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/index.ts";

test("a deadline is told once, never early, and no later than its grain", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ startMs: fc.nat(500), afterMs: fc.integer({ min: 1, max: 300 }) }), {
        maxLength: 40,
      }),
      async (wanted) => {
        const clock = new VirtualClock();
        const deadlines = new Deadlines(clock);
        const told = wanted.map(() => [] as number[]);
        for (const [i, { startMs, afterMs }] of wanted.entries()) {
          clock.setTimer(startMs, () => {
            deadlines.add(afterMs, () => told[i]?.push(clock.nowMs()));
          });
        }
        await clock.advance(2000);
        for (const [i, { startMs, afterMs }] of wanted.entries()) {
          expect(told[i]).toHaveLength(1);
          const lateMs = (told[i]?.[0] ?? 0) - startMs - afterMs;
          expect(lateMs).toBeGreaterThanOrEqual(0);
          expect(lateMs).toBeLessThanOrEqual(DEADLINE_GRAIN_MS);
        }
        expect(clock.pendingTimerCount).toBe(0);
      },
    ),
    { numRuns: 50 },
  );
});

test("one that was cancelled is never told, and keeps no timer running", async () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  let told = 0;
  const all = Array.from({ length: 100 }, (_, n) => deadlines.add(50 + (n % 3), () => (told += 1)));
  for (const deadline of all) deadline.cancel();
  all[0]?.cancel();
  expect(clock.pendingTimerCount).toBe(1);
  await clock.advance(DEADLINE_GRAIN_MS);
  expect(clock.pendingTimerCount).toBe(0);
  await clock.advance(1000);
  expect(told).toBe(0);
});

test("many deadlines share one timer", () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  for (let n = 0; n < 1000; n++) deadlines.add(1000, () => undefined);
  expect(clock.pendingTimerCount).toBe(1);
});

test("who is told may add and cancel others", async () => {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock);
  const told: string[] = [];
  deadlines.add(10, () => {
    told.push("first");
    other.cancel();
    deadlines.add(10, () => told.push("third"));
  });
  const other: Deadline = deadlines.add(10, () => told.push("second"));
  await clock.advance(200);
  expect(told).toEqual(["first", "third"]);
  expect(clock.pendingTimerCount).toBe(0);
});
