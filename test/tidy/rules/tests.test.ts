import { expect, test } from "vitest";
import { foundIn } from "./examples.ts";
import { narrowed, sleeps } from "./tests.ts";

test.each([
  ["setTimeout(a, 1);", "setTimeout()"],
  ["await sleep(1);", "sleep()"],
  ["globalThis.setTimeout(a, 1);", "setTimeout()"],
  ["await vi.waitFor(a);", "waitFor()"],
  ["AbortSignal.timeout(1);", "timeout()"],
  ['import { setTimeout as a } from "node:timers/promises";', "node:timers/promises"],
])("%s waits for real time", (text, what) => {
  expect(foundIn(sleeps, "test/unit/a.test.ts", text)).toEqual([`1 ${what}`]);
  expect(foundIn(sleeps, "test/sim/a.ts", text)).toHaveLength(1);
});

test.each([
  "await clock.advance(1);",
  "clock.setTimer(1, a);",
  "// sleep()",
  'const a = "sleep(1)";',
])("%s does not", (text) => {
  expect(foundIn(sleeps, "test/unit/a.test.ts", text)).toEqual([]);
});

test("tests on a real server may wait", () => {
  expect(foundIn(sleeps, "test/postgres/a.test.ts", "setTimeout(a, 1);")).toEqual([]);
});

test.each(["test.only(a);", "it.only(a);", "describe.only(a);", "test.concurrent.only(a);"])(
  "%s shuts out the others",
  (text) => {
    expect(foundIn(narrowed, "test/cli/a.test.ts", text)).toHaveLength(1);
  },
);

test.each(["test.skipIf(a)(b);", "rows.only;", "// test.only(a)"])("%s does not", (text) => {
  expect(foundIn(narrowed, "test/cli/a.test.ts", text)).toEqual([]);
});
