import { describe, expect, test } from "vitest";
import { failureKind } from "../../../packages/forebay-cli/src/lab/failures.ts";
import { histogramOf } from "../../../packages/forebay-cli/src/lab/histogram.ts";
import { runClosedLoad, runOpenLoad } from "../../../packages/forebay-cli/src/lab/load.ts";
import { ManualClock } from "./manual-clock.ts";

/** A server that serves one request at a time in 1 ms, and nothing between 100 and 600 ms. */
function stallingServer(clock: ManualClock) {
  let freeAtMs = 0;
  return async () => {
    let beginsAtMs = Math.max(clock.nowMs(), freeAtMs);
    if (beginsAtMs >= 100 && beginsAtMs < 600) beginsAtMs = 600;
    freeAtMs = beginsAtMs + 1;
    await clock.wait(freeAtMs - clock.nowMs());
  };
}

const never = new AbortController().signal;
const every10Ms = Array.from({ length: 100 }, (_, i) => i * 10);

describe("open load", () => {
  test("a stalled server shows in each request due meanwhile", async () => {
    const clock = new ManualClock();
    const running = runOpenLoad({
      clock,
      signal: never,
      arrivalsMs: every10Ms,
      wake: "timer",
      operate: stallingServer(clock),
    });
    await clock.runAll();
    const { responseMs, failed } = await running;
    const slow = [...responseMs].filter((ms) => ms > 10);
    expect(slow.length).toBeGreaterThanOrEqual(50);
    expect(Math.max(...responseMs)).toBeCloseTo(501, 0);
    expect(histogramOf(responseMs).percentileMs(75)).toBeGreaterThan(200);
    expect(failed.some((one) => one === 1)).toBe(false);
  });

  test("one caller in a closed loop hides the same stall: a single slow request", async () => {
    const clock = new ManualClock();
    const serve = stallingServer(clock);
    const running = runClosedLoad({
      clock,
      signal: never,
      callers: 1,
      requests: 100,
      durationMs: Infinity,
      operate: async () => {
        await serve();
        await clock.wait(9);
      },
    });
    await clock.runAll();
    const { response } = await running;
    expect(response.percentileMs(98)).toBeLessThan(11);
    expect(response.maxMs).toBeGreaterThan(400);
  });

  test.each(["timer", "spin"] as const)(
    "a stalled event loop counts as latency too, and what was due is begun at once (%s)",
    async (wake) => {
      const clock = new ManualClock();
      const running = runOpenLoad({
        clock,
        signal: never,
        arrivalsMs: [10, 20, 30, 40],
        wake,
        operate: (index) => {
          if (index === 0) clock.stall(100);
          return clock.wait(1);
        },
      });
      await clock.runAll();
      const { lateMs, responseMs } = await running;
      expect(lateMs[0]).toBeLessThan(0.2);
      expect(lateMs[1]).toBeGreaterThan(89);
      expect(responseMs[1]).toBeGreaterThan(90);
      expect(lateMs[3]).toBeGreaterThan(69);
    },
  );

  test("failures are counted by kind, and their time is known", async () => {
    const clock = new ManualClock();
    const running = runOpenLoad({
      clock,
      signal: never,
      arrivalsMs: [0, 1, 2],
      wake: "timer",
      operate: async (index) => {
        await clock.wait(5);
        if (index < 2) throw Object.assign(new Error("no"), { code: "53300" });
      },
    });
    await clock.runAll();
    const result = await running;
    expect(result.failures).toEqual({ "53300": 2 });
    expect([...result.failed]).toEqual([1, 1, 0]);
    expect([...result.responseMs]).toEqual([5, 5, 5]);
  });

  test("an abort begins nothing more, waits for what runs, and gives its reason", async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    let begun = 0;
    let ended = 0;
    const running = runOpenLoad({
      clock,
      signal: abort.signal,
      arrivalsMs: every10Ms,
      wake: "timer",
      operate: async (index) => {
        begun++;
        if (index === 3) abort.abort(new Error("enough"));
        await clock.wait(5);
        ended++;
      },
    });
    const outcome = Promise.allSettled([running]);
    await clock.runAll();
    expect((await outcome)[0]).toMatchObject({ reason: { message: "enough" } });
    expect(begun).toBe(4);
    expect(ended).toBe(4);
  });
});

describe("closed load", () => {
  test("a failure ends it for every caller", async () => {
    const clock = new ManualClock();
    const running = runClosedLoad({
      clock,
      signal: never,
      callers: 3,
      requests: 1000,
      durationMs: Infinity,
      operate: async (index) => {
        await clock.wait(1);
        if (index === 5) throw new Error("broken");
      },
    });
    const outcome = Promise.allSettled([running]);
    await clock.runAll();
    expect((await outcome)[0]).toMatchObject({ reason: { message: "broken" } });
  });
});

test("the kind of a failure is the code of what caused it", () => {
  const cause = Object.assign(new Error("too many"), { code: "53300" });
  const wrapped = Object.assign(new Error("x", { cause }), { code: "CONNECT_FAILED" });
  expect(failureKind(wrapped)).toBe("53300");
  expect(failureKind(Object.assign(new Error("x"), { code: "POOL_TIMEOUT" }))).toBe("POOL_TIMEOUT");
  expect(failureKind(new TypeError("x"))).toBe("TypeError");
  expect(failureKind("x")).toBe("string");
});
