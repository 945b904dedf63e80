import { describe, expect, test } from "vitest";
import { BugError } from "../../../packages/forebay/src/base/assert.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";

/** A clock, and what has fired on it: each name with its moment. */
function noting() {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const note = (name: string) => () => {
    fired.push(`${name}@${clock.nowMs()}`);
  };
  return { clock, fired, note };
}

describe("time", () => {
  test("starts at 0, and passes in advance only", async () => {
    const clock = new VirtualClock();
    expect(clock.nowMs()).toBe(0);
    await clock.settle();
    expect(clock.nowMs()).toBe(0);
    await clock.advance(12.5);
    await clock.advance(0);
    expect(clock.nowMs()).toBe(12.5);
  });

  test("is, for each timer, the moment at which it is due", async () => {
    const { clock, fired, note } = noting();
    clock.setTimer(30, note("c"));
    clock.setTimer(10, note("a"));
    clock.setTimer(20, note("b"));
    await clock.advance(25);
    expect(fired).toEqual(["a@10", "b@20"]);
    await clock.advance(5);
    expect(fired).toEqual(["a@10", "b@20", "c@30"]);
  });
});

describe("timers", () => {
  test("due at the same moment fire in the order in which they were set", async () => {
    const { clock, fired, note } = noting();
    clock.setTimer(5, note("a"));
    await clock.advance(2);
    clock.setTimer(3, note("b"));
    clock.setTimer(3, note("c"));
    await clock.advance(3);
    expect(fired).toEqual(["a@5", "b@5", "c@5"]);
  });

  test("of 0 or less fire at the present moment, never before setTimer has returned", async () => {
    const { clock, fired, note } = noting();
    clock.setTimer(0, note("zero"));
    clock.setTimer(-10, note("past"));
    expect(fired).toEqual([]);
    await clock.advance(0);
    expect(fired).toEqual(["zero@0", "past@0"]);
  });

  test("set by a timer fire in the same advance when they are due", async () => {
    const { clock, fired, note } = noting();
    clock.setTimer(10, () => {
      clock.setTimer(5, note("inner"));
      clock.setTimer(50, note("later"));
    });
    await clock.advance(20);
    expect(fired).toEqual(["inner@15"]);
  });

  test("that were cancelled do not fire, not even by one due at the same moment", async () => {
    const { clock, fired, note } = noting();
    const cancelled = clock.setTimer(10, note("cancelled"));
    cancelled.cancel();
    clock.setTimer(10, () => second.cancel());
    const second = clock.setTimer(10, note("second"));
    await clock.advance(20);
    expect(fired).toEqual([]);
    second.cancel();
    second.keepAlive(true);
  });

  test("are counted while they are pending, and the earliest can be asked for", async () => {
    const { clock, note } = noting();
    expect([clock.pendingTimerCount, clock.nextTimerAtMs]).toEqual([0, Infinity]);
    const far = clock.setTimer(100, note("far"));
    clock.setTimer(10, note("near"));
    expect([clock.pendingTimerCount, clock.nextTimerAtMs]).toEqual([2, 10]);
    await clock.advance(10);
    expect([clock.pendingTimerCount, clock.nextTimerAtMs]).toEqual([1, 100]);
    far.cancel();
    expect([clock.pendingTimerCount, clock.nextTimerAtMs]).toEqual([0, Infinity]);
  });

  test("that set themselves again while no time passes are a bug, and are stopped", async () => {
    const clock = new VirtualClock();
    const again = () => void clock.setTimer(0, again);
    again();
    await expect(clock.advance(1)).rejects.toThrow(BugError);
  });

  test("that set themselves again later may go on for as long as time passes", async () => {
    const clock = new VirtualClock();
    let count = 0;
    const again = () => {
      count += 1;
      clock.setTimer(1, again);
    };
    again();
    await clock.advance(100);
    expect(count).toBe(101);
  });
});

describe("between timers", () => {
  test("promises settle, however long their chain", async () => {
    const { clock, fired, note } = noting();
    const chain = async (name: string) => {
      for (let step = 0; step < 50; step++) await Promise.resolve();
      note(name)();
    };
    clock.setTimer(10, () => void chain("chain"));
    clock.setTimer(20, note("timer"));
    await clock.advance(20);
    expect(fired).toEqual(["chain@10", "timer@20"]);
  });

  test("what was put off until after input and output runs in order, to the last", async () => {
    const { clock, fired, note } = noting();
    clock.setTimer(10, () => {
      clock.afterIo(() => {
        note("first")();
        clock.afterIo(note("inner"));
      });
      clock.afterIo(note("second"));
    });
    clock.setTimer(10, note("timer"));
    await clock.advance(10);
    expect(fired).toEqual(["first@10", "second@10", "inner@10", "timer@10"]);
  });

  test("settle lets promises settle without any time passing", async () => {
    const { clock, fired, note } = noting();
    clock.setTimer(0, note("timer"));
    clock.afterIo(note("io"));
    void Promise.resolve().then(note("promise"));
    await clock.settle();
    expect(fired).toEqual(["io@0", "promise@0"]);
    expect(clock.pendingTimerCount).toBe(1);
  });
});
