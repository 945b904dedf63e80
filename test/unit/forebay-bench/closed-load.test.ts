import { describe, expect, test } from "vitest";
import { lawError, runClosedBench } from "../../../packages/forebay-cli/src/bench/closed-load.ts";
import type { LabClock } from "../../../packages/forebay-cli/src/lab/clock.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/index.ts";

const never = new AbortController().signal;

function bench(clock: VirtualClock): { readonly clock: LabClock; wait(ms: number): Promise<void> } {
  return {
    clock: {
      nowMs: () => clock.nowMs(),
      date: () => new Date(0),
      setTimer: (ms, fire) => clock.setTimer(ms, fire),
      afterIo: (run) => clock.afterIo(run),
    },
    wait: (ms) => new Promise((resolve) => clock.setTimer(ms, resolve)),
  };
}

describe("callers that ask again as soon as they are served", () => {
  test("are all counted, and the interactive law holds", async () => {
    const virtual = new VirtualClock();
    const { clock, wait } = bench(virtual);
    const responses: number[] = [];
    let call = 0;
    const running = runClosedBench({
      clock,
      signal: never,
      callers: 3,
      durationMs: 100,
      operate: () => wait((call++ % 3) + 1),
      onAnswer: (ms) => responses.push(ms),
    });
    await virtual.advance(200);
    const result = await running;
    expect(result.ops).toBe(responses.length);
    expect(result.ops).toBeGreaterThan(140);
    expect(result.responseMs).toBeCloseTo(
      responses.reduce((sum, ms) => sum + ms, 0),
      9,
    );
    expect(lawError(result)).toBeCloseTo(0, 9);
  });

  test("time that is lost between requests shows in the law", () => {
    expect(lawError({ ops: 10, activeMs: 110, responseMs: 100 })).toBeCloseTo(0.1, 12);
    expect(lawError({ ops: 0, activeMs: 0, responseMs: 0 })).toBe(0);
  });

  test("when stopped give what was measured, without the request that was cut off", async () => {
    const virtual = new VirtualClock();
    const { clock } = bench(virtual);
    const abort = new AbortController();
    const operate = (): Promise<void> =>
      new Promise((resolve, reject) => {
        virtual.setTimer(10, resolve);
        abort.signal.addEventListener("abort", () => reject(new Error("cut off")));
      });
    const running = runClosedBench({
      clock,
      signal: abort.signal,
      callers: 2,
      durationMs: 1000,
      operate,
      onAnswer: () => undefined,
    });
    await virtual.advance(35);
    abort.abort();
    expect(await running).toMatchObject({ ops: 6, activeMs: 60, responseMs: 60 });
  });

  test("end with the first failure", async () => {
    const virtual = new VirtualClock();
    const { clock } = bench(virtual);
    const running = runClosedBench({
      clock,
      signal: never,
      callers: 2,
      durationMs: 1000,
      operate: () => Promise.reject(new Error("no such table")),
      onAnswer: () => undefined,
    });
    await expect(running).rejects.toThrow("no such table");
  });
});
