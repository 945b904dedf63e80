import { expect, test } from "vitest";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { CLOSE_MS, DIAL_MS, PING_MS } from "./server.ts";
import { settledAtMs, Story, tally, waitsMs } from "./story.ts";

const PING_TIMEOUT_MS = 2000;
const TEN = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/** A pool with ten idle connections, which then say nothing more, for a minute. */
async function tenDied(options: PoolOptions) {
  const story = new Story({ options });
  story.crowd(10, 100);
  await story.pass(1000);
  expect(story.openIds).toEqual(TEN);
  story.server.does({ ping: (connId) => (connId <= 10 ? "never" : undefined) });
  await story.passUntil(60_000);
  return story;
}

test("fifty callers on ten connections that died in silence never see one of them", async () => {
  const story = await tenDied({});
  const callers = story.crowd(50, 100);
  await story.pass(60_000);
  expect(tally(callers)).toEqual({ served: 50 });
  expect(Math.min(...callers.map(({ connId = NaN }) => connId))).toBe(11);
  // Ten pings at once, which time out together, then ten dials, four at a time.
  expect(story.server.timesOf("ping")).toEqual(Array(10).fill(60_000));
  const dials = story.server.timesOf("connect").slice(10);
  const goneAtMs = 60_000 + PING_TIMEOUT_MS + CLOSE_MS;
  expect(dials.map((ms) => ms - goneAtMs)).toEqual([0, 0, 0, 0, 20, 20, 20, 20, 40, 40]);
  expect(story.closedBy).toEqual({ "ping-failed": 10 });
  await story.finish();
});

test("the first dead connection has all others asked at once, and dials begin beside", async () => {
  const story = await tenDied({ maxOpenConns: 20 });
  const [first] = story.crowd(1, 100);
  await story.pass(1000);
  // Nine could still be alive, and nobody else has come who would need one.
  expect(story.server.timesOf("ping")).toEqual([60_000]);
  await story.pass(60_000);
  const foundAtMs = 60_000 + PING_TIMEOUT_MS;
  const pings = story.server.timesOf("ping").slice(1);
  expect(pings.slice(0, 9)).toEqual(Array(9).fill(foundAtMs));
  // As nine more have proved dead then, the new one is asked too.
  expect(pings.slice(9)).toEqual([foundAtMs + PING_TIMEOUT_MS]);
  expect(first).toMatchObject({ connId: 11, settledAtMs: foundAtMs + DIAL_MS });
  expect(story.closedBy).toEqual({ "ping-failed": 10 });
  await story.finish();
});

test("with keepalive the dead are found while nobody needs them, and replaced", async () => {
  const story = await tenDied({ keepaliveMs: 20_000, minIdleConns: 10 });
  // One did not answer in the background; the others were asked at once then.
  const [firstAtMs = NaN, ...others] = story.server.timesOf("ping").slice(0, 10);
  expect(firstAtMs).toBeLessThanOrEqual(1000 + 20_000);
  expect(others).toEqual(Array(9).fill(firstAtMs + PING_TIMEOUT_MS));
  expect(story.closedBy).toEqual({ "ping-failed": 10 });
  const callers = story.crowd(10, 100);
  await story.pass(1000);
  expect(waitsMs(callers)).toEqual(Array(10).fill(0));
  expect(Math.min(...callers.map(({ connId = NaN }) => connId))).toBe(11);
  await story.finish();
});

test("when one is lost in use, those that are idle must show first that they live", async () => {
  const story = new Story();
  story.crowd(10, 100);
  await story.pass(1000);
  // Five are in use all the time; of the five that are idle, three die when the host of all does.
  const holders = story.crowd(5, 5000);
  await story.pass(500);
  const held = holders.map(({ connId = NaN }) => connId);
  const idle = TEN.filter((id) => !held.includes(id));
  const dead = idle.slice(0, 3);
  story.server.does({ ping: (connId) => (dead.includes(connId) ? "never" : undefined) });
  const [lost] = holders;
  if (lost?.held !== undefined) story.lose(lost.held.conn);
  const callers = story.crowd(20, 100);
  await story.pass(20_000);
  const pings = story.server.timesOf("ping");
  expect(pings.slice(0, 5)).toEqual(Array(5).fill(1500));
  // When three have not answered, those two that have been used since are asked once more.
  expect(pings.slice(5)).toEqual(Array(2).fill(1500 + PING_TIMEOUT_MS));
  expect(tally(callers)).toEqual({ served: 20 });
  expect(callers.filter(({ connId = NaN }) => dead.includes(connId))).toEqual([]);
  // The two that live take turns from the first answer on.
  const pairs = callers.map((_, place) => 1500 + PING_MS + 100 * Math.floor(place / 2));
  expect(settledAtMs(callers)).toEqual(pairs);
  expect(story.closedBy).toEqual({ "ping-failed": 3, lost: 1 });
  await story.finish();
});
