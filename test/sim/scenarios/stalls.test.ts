import { expect, test } from "vitest";
import { PING_MS } from "./server.ts";
import { settledAtMs, Story, tally } from "./story.ts";

const HOUR_MS = 3_600_000;

/**
 * Ten connections, three of which reports may use: three reports run, twenty wait, seven
 * connections are idle. After five seconds of that the process is frozen for an hour.
 */
async function frozenForAnHour(dead: readonly number[]) {
  const story = new Story({ stalls: true });
  story.limit("reports", { maxInUse: 3, reserved: 0, maxWaiting: Infinity, priority: 0 });
  story.crowd(10, 100);
  await story.passUntil(1000);
  const reports = story.crowd(23, 60_000, { bulkhead: "reports" });
  await story.passUntil(6000);
  expect(story.pool.stats()).toMatchObject({ idle: 7, pool: { leased: 3, waiting: 20 } });
  story.server.does({ ping: (connId) => (dead.includes(connId) ? "never" : undefined) });
  await story.stall(HOUR_MS);
  return { story, reports };
}

test("an hour in which the process was frozen expires nothing, and turns nobody away", async () => {
  const { story, reports } = await frozenForAnHour([]);
  // What came back meanwhile serves the next three; the other seventeen have their time left.
  expect(tally(reports)).toEqual({ served: 6, waiting: 17 });
  expect(story.warnings.map(({ kind }) => kind)).toEqual(["stall"]);
  expect(story.closedBy).toEqual({});
  expect(story.server.timesOf("ping")).toEqual(Array(7).fill(6000 + HOUR_MS));
  await story.pass(PING_MS);
  expect(story.pool.stats()).toMatchObject({ idle: 7, pool: { pinging: 0 } });
  await story.pass(10_000);
  expect(tally(reports)).toEqual({ served: 6, POOL_TIMEOUT: 17 });
  // Of their ten seconds count the five before the stall, and the quarter of a second until the
  // pool's next timer, which was the first that did not come in time.
  const lastMs = settledAtMs(reports.slice(6)).map((ms) => ms - 6000 - HOUR_MS);
  expect(lastMs).toEqual(Array(17).fill(4750));
  await story.pass(120_000);
  expect(story.closedBy).toEqual({});
  await story.finish();
});

test("of connections that died while the process was frozen, nobody gets one", async () => {
  const dead = [1, 2, 3, 4, 5];
  const { story } = await frozenForAnHour(dead);
  expect(story.openIds).toEqual([...dead, 6, 7, 8, 9, 10]);
  const callers = story.crowd(40, 50);
  await story.pass(PING_MS);
  // All were asked when the stall showed, so the two that live serve as soon as they answer.
  expect(callers.map(({ connId }) => connId).slice(0, 3)).toEqual([6, 7, undefined]);
  await story.pass(60_000);
  expect(tally(callers)).toEqual({ served: 40 });
  expect(callers.filter(({ connId = NaN }) => dead.includes(connId))).toEqual([]);
  expect(story.closedBy).toEqual({ "ping-failed": 5 });
  await story.pass(60_000);
  await story.finish();
});
