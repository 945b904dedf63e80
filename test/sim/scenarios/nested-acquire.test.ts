import { AsyncResource } from "node:async_hooks";
import { expect, test } from "vitest";
import type { NestedAcquire } from "../../../packages/forebay/src/pool/options.ts";
import type { Caller } from "../caller.ts";
import { DIAL_MS } from "./server.ts";
import { settledAtMs, Story, tally, waitsMs } from "./story.ts";

/**
 * So many callers come at once to ten connections. Each works for 10 ms, then asks for a second
 * one, for 10 ms more, and gives both back.
 */
async function nestedCallers(nestedAcquire: NestedAcquire, count = 50) {
  const story = new Story({ options: { nestedAcquire } });
  const inner: Caller[] = [];
  const askForSecond = (outer: Caller): void => {
    const onSettled = (caller: Caller): void => {
      story.clock.setTimer(caller.held === undefined ? 0 : 10, () => {
        story.giveBack(caller);
        story.giveBack(outer);
      });
    };
    inner.push(story.acquire({ isInner: true, onSettled }));
  };
  const outer = Array.from({ length: count }, () =>
    story.use({}, (caller) => {
      story.clock.setTimer(
        10,
        AsyncResource.bind(() => askForSecond(caller)),
      );
    }),
  );
  await story.passUntil(60_000);
  await story.finish();
  return { story, outer, inner };
}

test("where nested acquires are refused at the limit, fifty callers are soon done", async () => {
  const { outer, inner } = await nestedCallers("reject");
  expect(tally(outer)).toEqual({ served: 50 });
  // The last few ask when nobody waits any more, and get a second one.
  expect(tally(inner)).toEqual({ POOL_NESTED_ACQUIRE: 46, served: 4 });
  expect(Math.max(...settledAtMs([...outer, ...inner]))).toBe(90);
});

test("below the limit, who holds one and has to wait for a dial is not refused", async () => {
  const { story, outer, inner } = await nestedCallers("reject", 5);
  expect(tally([...outer, ...inner])).toEqual({ served: 10 });
  // All of them had to wait, and four dials are made at a time.
  expect(Math.min(...waitsMs(inner))).toBeGreaterThan(0);
  expect(Math.max(...waitsMs(inner))).toBe(DIAL_MS + 10);
  expect(story.warnings).toEqual([]);
});

for (const [setting, warnings] of [
  ["allow", []],
  ["warn", Array(10).fill("nested-acquire")],
] as const) {
  test(`with "${setting}" ten of them wait for each other until their deadline`, async () => {
    const { story, outer, inner } = await nestedCallers(setting);
    expect(tally(outer)).toEqual({ served: 10, POOL_TIMEOUT: 40 });
    // As soon as some give up, there is enough for the rest.
    expect(tally(inner)).toEqual({ POOL_TIMEOUT: 4, served: 6 });
    expect(Math.min(...settledAtMs(inner))).toBe(10_000 + 30);
    expect(settledAtMs(outer.slice(10))).toEqual(Array(40).fill(10_000));
    expect(story.warnings.map(({ kind }) => kind)).toEqual(warnings);
    for (const { stack } of story.warnings) expect(stack).toContain("askForSecond");
  });
}
