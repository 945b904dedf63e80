import { expect, test } from "vitest";
import { CLOSE_MS, DIAL_MS } from "./server.ts";
import { settledAtMs, Story, tally } from "./story.ts";

test("close waits for those who are in time, takes the rest at a deadline, and ends", async () => {
  const story = new Story();
  const holders = Array.from({ length: 10 }, (_, index) => story.visit(1000 * (index + 1)));
  await story.passUntil(500);
  const waiters = story.crowd(40, 10);
  await story.passUntil(600);
  story.close(5000);
  await story.passUntil(1600);
  const late = story.crowd(5, 10);
  await story.passUntil(600 + 5000);
  expect(story.judge.closing).toMatchObject({ isDone: false });
  await story.pass(CLOSE_MS);
  expect(story.judge.closing).toMatchObject({ isDone: true });
  expect(tally(holders)).toEqual({ served: 10 });
  expect(settledAtMs(waiters)).toEqual(Array(40).fill(600));
  expect(tally([...waiters, ...late])).toEqual({ POOL_CLOSED: 45 });
  // Each of those in time as it came back, the others at the deadline.
  const inTime = settledAtMs(holders.slice(0, 5)).map((ms, index) => ms + 1000 * (index + 1));
  expect(story.server.timesOf("close")).toEqual([...inTime, ...Array(5).fill(5600)]);
  // Those give back later what is not theirs any more, without effect.
  await story.passUntil(20_000);
  expect(story.closedBy).toEqual({ draining: 10 });
  expect(story.reports).toEqual([]);
  story.assertOver();
});

test("close gives up dials and connections that hang when time is over, and ends", async () => {
  const options = { closeTimeoutMs: 1000 };
  const story = new Story({ options, leavesRemains: true });
  const holders = story.crowd(6, 1500);
  await story.passUntil(500);
  story.server.does({ connect: "never", close: "never" });
  const waiters = story.crowd(40, 10);
  await story.passUntil(600);
  expect(story.pool.stats().pool).toMatchObject({ dialing: 4, leased: 6, waiting: 40 });
  story.close(5000);
  await story.pass(0);
  expect(tally(waiters)).toEqual({ POOL_CLOSED: 40 });
  // The dials end as they are told to. What comes back is not gone, so the last one is awaited.
  expect(story.pool.stats().pool).toMatchObject({ dialing: 0, leased: 6 });
  await story.passUntil(2 * DIAL_MS + 1500 + 999);
  expect(story.judge.closing).toMatchObject({ isDone: false });
  await story.pass(1);
  expect(story.judge.closing).toMatchObject({ isDone: true });
  expect(tally(holders)).toEqual({ served: 6 });
  expect(story.reports.map(({ task }) => task)).toEqual(Array(6).fill("close"));
  story.assertOver();
});
