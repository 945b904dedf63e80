import { expect, test } from "vitest";
import { CLOSE_MS, DIAL_MS } from "./server.ts";
import { longestWaitMs, settledAtMs, Story, tally } from "./story.ts";

test("a reset under load replaces every connection, and costs nobody more than dials", async () => {
  const story = new Story();
  const visits = story.workers(40, 50, 2000);
  await story.passUntil(1000);
  expect(story.openIds).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const before = visits.length;
  story.reset();
  // Those in use come back, and are closed then.
  await story.pass(50 + CLOSE_MS);
  expect(story.closedBy).toEqual({ reset: 10 });
  await story.passUntil(4000);
  expect(story.openIds).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  const after = visits.filter((_, index) => index >= before);
  const ids = after.map(({ connId = NaN }) => connId);
  expect(Math.min(...ids)).toBe(11);
  expect(tally(visits)).toEqual({ served: visits.length });
  // Four workers to a connection: three others first, and once the close and three rounds of dials.
  expect(longestWaitMs(after)).toBeLessThanOrEqual(3 * 50 + CLOSE_MS + 3 * DIAL_MS);
  await story.finish();
});

test("a connection that was being dialed at the reset is closed unused", async () => {
  const story = new Story();
  const callers = story.crowd(20, 50);
  await story.pass(DIAL_MS / 2);
  story.reset();
  await story.pass(1000);
  expect(tally(callers)).toEqual({ served: 20 });
  expect(callers.slice(0, 4).map(({ connId }) => connId)).toEqual([5, 6, 7, 8]);
  expect(story.closedBy).toEqual({ reset: 4 });
  await story.finish();
});

test("with the server away at the reset, nobody gets an old connection instead", async () => {
  const story = new Story();
  const visits = story.workers(40, 50, 4000);
  await story.passUntil(1000);
  story.server.refuses();
  story.reset();
  story.reset();
  await story.passUntil(3000);
  expect(story.openIds).toEqual([]);
  expect(story.closedBy).toEqual({ reset: 10 });
  // Those who were in line before the reset wait, and so do those who come back from old ones.
  expect(tally(visits)["waiting"]).toBe(40);
  expect(Math.max(...settledAtMs(visits).filter((ms) => ms > 0))).toBeLessThanOrEqual(1000);
  story.server.isWellAgain();
  await story.passUntil(6000);
  expect(tally(visits)).toEqual({ served: visits.length });
  expect(story.openIds).toHaveLength(10);
  await story.finish();
});
