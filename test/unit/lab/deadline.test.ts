import { expect, test } from "vitest";
import { DeadlineError, withDeadline } from "../../../packages/forebay-cli/src/lab/deadline.ts";
import { failureKind } from "../../../packages/forebay-cli/src/lab/failures.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/index.ts";

function labClock() {
  return Object.assign(new VirtualClock(), { date: () => new Date(0) });
}

/** Rejects as soon as its signal is aborted. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
}

test("what takes too long is aborted, and fails as a deadline", async () => {
  const clock = labClock();
  const failed = withDeadline(clock, 100, new AbortController().signal, untilAborted).catch(
    (error: unknown) => error,
  );
  await clock.advance(100);
  expect(await failed).toBeInstanceOf(DeadlineError);
  expect(failureKind(await failed)).toBe("DeadlineError");
});

test("what ends in time leaves no timer and no listener", async () => {
  const clock = labClock();
  const own = await withDeadline(clock, 100, new AbortController().signal, (signal) =>
    Promise.resolve(signal),
  );
  expect(clock.pendingTimerCount).toBe(0);
  await clock.advance(1000);
  expect(own.aborted).toBe(false);
});

test("an abort from outside passes with its reason", async () => {
  const outside = new AbortController();
  const failed = withDeadline(labClock(), 100, outside.signal, untilAborted);
  outside.abort(new Error("stopped"));
  await expect(failed).rejects.toThrow("stopped");
});
