import { expect, test } from "vitest";
import type { Caller } from "../caller.ts";
import { DIAL_MS } from "./server.ts";
import { settledAtMs, Story, tally, waitsMs } from "./story.ts";

const LIMITS = { maxInUse: Infinity, reserved: 0, maxWaiting: Infinity, priority: 0 };

/** Fifty reports of 8 s each come at once; a second later web requests come, for 5 s. */
async function reportsBesideWeb(maxInUse: number) {
  const story = new Story();
  story.limit("reports", { ...LIMITS, maxInUse });
  const reports = story.crowd(50, 8000, { bulkhead: "reports" });
  await story.passUntil(1000);
  const web = story.stream({ count: 250, everyMs: 20, holdMs: 50 });
  await story.passUntil(30_000);
  await story.finish();
  return { reports, web };
}

test("reports of eight seconds keep no web request waiting: they may use four of ten", async () => {
  const { reports, web } = await reportsBesideWeb(4);
  expect(tally(reports)).toEqual({ served: 2 * 4, POOL_TIMEOUT: 42 });
  expect(tally(web)).toEqual({ served: 250 });
  // The first few wait for dials, the last of them until the first gives back. Then nobody waits.
  const waits = waitsMs(web);
  expect(waits.slice(0, 4)).toEqual([DIAL_MS, DIAL_MS, DIAL_MS, DIAL_MS + 50 - 3 * 20]);
  expect(waits.slice(4).every((ms) => ms === 0)).toBe(true);
});

test("without a limit of their own, the same reports starve every web request", async () => {
  const { reports, web } = await reportsBesideWeb(Infinity);
  expect(tally(reports)).toEqual({ served: 2 * 10, POOL_TIMEOUT: 30 });
  expect(tally(web)).toEqual({ POOL_TIMEOUT: 250 });
});

test("what is reserved is had at once under full load, and nobody else ever has it", async () => {
  const story = new Story();
  story.limit("health", { ...LIMITS, reserved: 2, priority: -1 });
  const load = story.crowd(100, 1000);
  const checks = story.stream({ bulkhead: "health", count: 40, everyMs: 250, holdMs: 300 });
  await story.passUntil(20_000);
  // Two overlap now and then; once both connections are open, none of the checks waits.
  expect(tally(checks)).toEqual({ served: 40 });
  expect(waitsMs(checks).filter((ms) => ms > 0)).toHaveLength(2);
  // Eight at a time, a second each, until those who are left have waited for ten seconds.
  expect(tally(load)).toEqual({ served: 80, POOL_TIMEOUT: 20 });
  await story.finish();
});

test("a higher priority is served first, and a full queue refuses who comes next", async () => {
  const story = new Story({ options: { maxOpenConns: 4 } });
  story.limit("checkout", { ...LIMITS, priority: 1 });
  story.limit("batch", { ...LIMITS, priority: -1, maxWaiting: 20 });
  story.crowd(4, 1000);
  await story.passUntil(500);
  const batch = story.crowd(50, 10, { bulkhead: "batch" });
  const checkout = story.crowd(50, 10, { bulkhead: "checkout" });
  await story.passUntil(2000);
  expect(tally(batch)).toEqual({ POOL_QUEUE_FULL: 30, served: 20 });
  expect(settledAtMs(batch.slice(20))).toEqual(Array(30).fill(500));
  // Four at a time once the first four come back, the checkouts first although they came later.
  const inLine = settledAtMs([...checkout, ...batch.slice(0, 20)]);
  const backAtMs = DIAL_MS + 1000;
  expect(inLine).toEqual(inLine.map((_, place) => backAtMs + 10 * Math.floor(place / 4)));
  await story.finish();
});

test("after an outage the queues are served by reserve, then by priority, as before", async () => {
  const story = new Story({ options: { maxOpenConns: 4 } });
  story.limit("checkout", { ...LIMITS, priority: 1 });
  story.limit("alarms", { ...LIMITS, priority: -1, reserved: 1 });
  story.crowd(3, 1000);
  await story.passUntil(500);
  story.server.refuses();
  for (const conn of story.connector.open) story.lose(conn);
  const alarms = story.crowd(3, 10, { bulkhead: "alarms" });
  const plain = story.crowd(10, 10);
  const checkout = story.crowd(20, 10, { bulkhead: "checkout" });
  await story.passUntil(6000);
  expect(tally([...alarms, ...plain, ...checkout])).toEqual({ waiting: 33 });
  story.server.isWellAgain();
  await story.passUntil(12_000);
  expect(tally([...alarms, ...plain, ...checkout])).toEqual({ served: 33 });
  // One dial feels the way. Then there are four connections, three of them for the common good.
  const backAtMs = Math.min(...settledAtMs(checkout));
  const after = (callers: Caller[]) => settledAtMs(callers).map((ms) => ms - backAtMs);
  expect(after(alarms)).toEqual([20, 30, 40]);
  const threes = Array.from({ length: 28 }, (_, place) => 20 + 10 * Math.floor(place / 3));
  expect(after([...checkout, ...plain])).toEqual([0, 10, ...threes]);
  await story.finish();
});
