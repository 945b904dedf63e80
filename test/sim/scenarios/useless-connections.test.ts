// Servers that accept every dial and whose connections are of no use: each must be dialed as
// seldom as one that refuses.

import { expect, test } from "vitest";
import { FakeConnector } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { Story, tally } from "./story.ts";

const TEN_SECONDS_MS = 10_000;
/** Four dials at once, then pauses that double from 50 ms to 5 s. */
const DIALS_MAX = 24;

test("a hook that refuses every connection costs few dials, and callers only time", async () => {
  let isUseful = false;
  const story = new Story({
    hooks: { beforeAcquire: () => isUseful },
    options: { acquireTimeoutMs: 60_000 },
  });
  const callers = story.crowd(50, 10);
  await story.passUntil(TEN_SECONDS_MS);
  expect(tally(callers)).toEqual({ waiting: 50 });
  expect(story.server.timesOf("connect").length).toBeLessThanOrEqual(DIALS_MAX);
  isUseful = true;
  await story.pass(6000);
  expect(tally(callers)).toEqual({ served: 50 });
  await story.finish();
});

test("a server that hangs up on idle connections is not dialed all the time", async () => {
  const connector = new FakeConnector(new VirtualClock());
  const options = { minIdleConns: 4, maxIdleConns: 10 };
  const story = new Story({ connector, options });
  for (let ms = 0; ms < TEN_SECONDS_MS; ms += 5) {
    for (const conn of connector.open) story.lose(conn);
    await story.pass(5);
  }
  expect(story.server.timesOf("connect").length).toBeGreaterThanOrEqual(8);
  expect(story.server.timesOf("connect").length).toBeLessThanOrEqual(DIALS_MAX);
  await story.pass(6000);
  expect(story.pool.stats()).toMatchObject({ idle: 4 });
  await story.finish();
});

test("a full server, which serves what is open and refuses more, is not pressed", async () => {
  const story = new Story({ options: { maxOpenConns: 10, acquireTimeoutMs: 60_000 } });
  const first = story.crowd(4, 1);
  await story.pass(100);
  expect(tally(first)).toEqual({ served: 4 });
  const dialsBefore = story.server.timesOf("connect").length;
  story.server.refuses(new Error("sorry, too many clients already"));
  const busy = story.workers(20, 5, TEN_SECONDS_MS);
  await story.passUntil(TEN_SECONDS_MS + 100);
  expect(busy.length).toBeGreaterThan(5000);
  expect(tally(busy)).toEqual({ served: busy.length });
  expect(story.server.timesOf("connect").length - dialsBefore).toBeLessThanOrEqual(DIALS_MAX);
  await story.finish();
});
