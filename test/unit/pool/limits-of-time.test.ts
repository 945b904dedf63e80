// Work that is waited for no longer than a limit, or than a signal lets it.

import { describe, expect, test } from "vitest";
import { orAborted, setLimit, withinMs } from "../../../packages/forebay/src/pool/within.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { reasonOf, watch } from "./steps.ts";

const never = new Promise<never>(() => undefined);

/** A signal that tells how many listen to it. */
function countedSignal(): { abort: () => void; signal: AbortSignal; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count += 1;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count -= 1;
    remove.apply(signal, args);
  };
  return { abort: () => controller.abort("enough"), signal, listeners: () => count };
}

describe("a limit", () => {
  test("that is cancelled when its time has come, before it is told, is not told", async () => {
    const clock = new VirtualClock();
    const put: (() => void)[] = [];
    clock.afterIo = (run) => put.push(run);
    const told: string[] = [];
    const limit = setLimit(clock, 10, () => told.push("limit"));
    await clock.advance(10);
    expect(put).toHaveLength(1);
    limit?.cancel();
    for (const run of put) run();
    expect(told).toEqual([]);
  });

  test("keeps the process alive or not, as it is told", () => {
    const clock = new VirtualClock();
    const told: boolean[] = [];
    const setTimer = clock.setTimer.bind(clock);
    clock.setTimer = (delayMs, fire) => ({
      ...setTimer(delayMs, fire),
      keepAlive: (on) => told.push(on),
    });
    const limit = setLimit(clock, 10, () => undefined);
    limit?.keepAlive(false);
    limit?.keepAlive(true);
    limit?.cancel();
    expect(told).toEqual([false, true]);
  });
});

describe("work within a limit", () => {
  test("that is cancelled has no limit any more, and no timer", async () => {
    const clock = new VirtualClock();
    const cancel = new AbortController();
    const seen = watch(withinMs(clock, 10, never, "the work", cancel.signal));
    cancel.abort();
    expect(clock.pendingTimerCount).toBe(0);
    await clock.advance(20);
    expect(seen.state).toBe("pending");
  });

  test("that has no limit can be cancelled, and settles as the work does", async () => {
    const clock = new VirtualClock();
    const cancel = new AbortController();
    const work = withinMs(clock, Infinity, Promise.resolve("done"), "the work", cancel.signal);
    cancel.abort();
    expect(await work).toBe("done");
  });

  test("says what did not end, and that it was not for the caller to try again", async () => {
    const clock = new VirtualClock();
    const reason = reasonOf(withinMs(clock, 10, never, "the work"));
    await clock.advance(10);
    expect(await reason).toMatchObject({ code: "DRIVER_TIMEOUT", retryable: false });
    expect(String(await reason)).toContain("the work did not end within 10ms");
  });
});

describe("work that may be aborted", () => {
  test("is the work itself where there is no signal", () => {
    const work = Promise.resolve();
    expect(orAborted(work, undefined)).toBe(work);
  });

  test("settles as the work does, and leaves no listener", async () => {
    const { signal, listeners } = countedSignal();
    const work = orAborted(Promise.resolve(7), signal);
    expect(listeners()).toBe(1);
    expect(await work).toBe(7);
    await new VirtualClock().settle();
    expect(listeners()).toBe(0);
    expect(await reasonOf(orAborted(Promise.reject(new Error("no")), signal))).toEqual(
      new Error("no"),
    );
  });

  test("rejects with the signal's reason as soon as that is aborted", async () => {
    const { signal, abort } = countedSignal();
    const seen = watch(orAborted(never, signal));
    await new VirtualClock().settle();
    expect(seen.state).toBe("pending");
    abort();
    await new VirtualClock().settle();
    expect(seen).toMatchObject({ state: "rejected", reason: "enough" });
  });

  test("rejects at once where the signal was aborted before", async () => {
    expect(await reasonOf(orAborted(never, AbortSignal.abort("before")))).toBe("before");
  });
});
