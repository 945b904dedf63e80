import { expect, test } from "vitest";
import { CLOSE_MS, closeAll } from "../../../packages/forebay-cli/src/lab/closers.ts";
import { ManualClock } from "./manual-clock.ts";

test("what was opened last is closed first, also behind one that fails", async () => {
  const clock = new ManualClock();
  const closed: string[] = [];
  const closing = closeAll(clock, [
    async () => void closed.push("server"),
    async () => {
      closed.push("proxy");
      throw new Error("it was closed already");
    },
    async () => void closed.push("session"),
  ]);
  await closing;
  expect(closed).toEqual(["session", "proxy", "server"]);
  expect(clock.nowMs()).toBe(0);
});

test("one that never closes holds nobody up for longer than is allowed", async () => {
  const clock = new ManualClock();
  const closing = closeAll(clock, [() => new Promise(() => undefined)]);
  await clock.runAll();
  await closing;
  expect(clock.nowMs()).toBe(CLOSE_MS);
});

test("no timer is left when all are closed", async () => {
  const clock = new ManualClock();
  await closeAll(clock, []);
  await clock.runAll();
  expect(clock.nowMs()).toBe(0);
});
