import { expect, test } from "vitest";
import { DelayLine } from "../../../packages/forebay-cli/src/lab/delay-line.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/index.ts";

/** A line that notes what came out of it, and when. */
function lineWithLog() {
  const clock = new VirtualClock();
  const line = new DelayLine(clock);
  const beganAtMs = clock.nowMs();
  const log: string[] = [];
  const put = (name: string, delayMs: number): void =>
    line.put(delayMs, () => log.push(`${name} ${clock.nowMs() - beganAtMs}`));
  return { clock, line, log, put };
}

test("what is put in comes out after its delay, in order", async () => {
  const { clock, log, put } = lineWithLog();
  put("a", 2);
  await clock.advance(1);
  put("b", 2);
  await clock.advance(10);
  expect(log).toEqual(["a 2", "b 3"]);
});

test("without a delay it comes out at once", () => {
  const { log, put } = lineWithLog();
  put("a", 0);
  expect(log).toEqual(["a 0"]);
});

test("a delay that has been shortened lets nothing overtake", async () => {
  const { clock, log, put } = lineWithLog();
  put("a", 5);
  put("b", 0);
  expect(log).toEqual([]);
  await clock.advance(10);
  expect(log).toEqual(["a 5", "b 5"]);
});

test("a line that is cleared delivers nothing of what was on its way, and goes on", async () => {
  const { clock, line, log, put } = lineWithLog();
  put("a", 5);
  line.clear();
  put("b", 7);
  expect(line.length).toBe(1);
  await clock.advance(10);
  expect(log).toEqual(["b 7"]);
});

test("what is put in by a delivery comes out after its own delay", async () => {
  const { clock, line, log, put } = lineWithLog();
  line.put(1, () => put("b", 1));
  await clock.advance(5);
  expect(log).toEqual(["b 2"]);
});
