import { expect, test } from "vitest";
import type { Caller } from "../caller.ts";
import { DIAL_MS } from "./server.ts";
import { Story, tally } from "./story.ts";

const LEAK_AFTER_MS = 30_000;

/** Acquires, and does not give back. */
function forgetfulCaller(story: Story): Caller {
  return story.acquire();
}

test("each of three leaks under load is told once, with its stack; others are served", async () => {
  const story = new Story({ options: { leakAfterMs: LEAK_AFTER_MS } });
  const visits = story.stream({ count: 150, everyMs: 400, holdMs: 1000 });
  const leaks: Caller[] = [];
  for (const atMs of [5000, 6000, 7000]) {
    await story.passUntil(atMs);
    leaks.push(forgetfulCaller(story));
  }
  await story.passUntil(10 * 60_000);
  expect(tally([...visits, ...leaks])).toEqual({ served: 153 });
  const leak = { kind: "leak", durationMs: LEAK_AFTER_MS };
  expect(story.warnings).toMatchObject([leak, leak, leak]);
  for (const { stack } of story.warnings) expect(stack).toContain("forgetfulCaller");
  expect(story.pool.stats().pool.leased).toBe(3);
  // What comes back at last is as good as any other.
  for (const caller of leaks) story.giveBack(caller);
  const all = story.crowd(10, 1000);
  await story.pass(10_000);
  expect(tally(all)).toEqual({ served: 10 });
  expect(story.warnings).toHaveLength(3);
  await story.finish();
});

test("when all have leaked, who waits is told so, and close takes them by force", async () => {
  const story = new Story({ options: { leakAfterMs: LEAK_AFTER_MS } });
  const leaks = Array.from({ length: 10 }, () => forgetfulCaller(story));
  await story.passUntil(60_000);
  expect(story.warnings.map(({ kind }) => kind)).toEqual(Array(10).fill("leak"));
  const callers = story.crowd(20, 10);
  await story.pass(20_000);
  expect(tally(callers)).toEqual({ POOL_TIMEOUT: 20 });
  const heldFor = `the longest-held one has been out for ${70_000 - DIAL_MS}ms`;
  for (const { error } of callers) expect(String(error)).toContain(heldFor);
  story.close(5000);
  await story.pass(6000);
  story.assertOver();
  expect(story.closedBy).toEqual({ draining: 10 });
  expect(tally(leaks)).toEqual({ served: 10 });
});
