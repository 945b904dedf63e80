// What the pool stands on: assertions, errors, the process's own clock and random numbers, the
// state tables.

import { describe, expect, test } from "vitest";
import { assert, BugError, unreachable } from "../../../packages/forebay/src/base/assert.ts";
import {
  type Clock,
  type MonotonicMs,
  systemClock,
  TIMER_DELAY_MAX_MS,
} from "../../../packages/forebay/src/base/clock.ts";
import {
  ForebayError,
  isForebayError,
  UsageError,
} from "../../../packages/forebay/src/base/errors.ts";
import { systemRandom } from "../../../packages/forebay/src/base/random.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { Slot, type SlotKind, SlotLists } from "../../../packages/forebay/src/pool/state.ts";
import { withinMs } from "../../../packages/forebay/src/pool/within.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import { watch } from "./steps.ts";

const now = (ms: number) => ms as MonotonicMs;

describe("assertions", () => {
  test("a failed one is a bug of ours, and asks to be reported", () => {
    expect(() => assert(true, "fine")).not.toThrow();
    const fail = () => assert(Number.isNaN(1), "one is not a number");
    expect(fail).toThrow(BugError);
    expect(fail).toThrow(
      expect.objectContaining({
        name: "BugError",
        code: "BUG",
        message: "bug in forebay: one is not a number. Please report this with the stack. [BUG]",
      }),
    );
  });

  test("an unreachable place names the value that reached it", () => {
    expect(() => unreachable("surprise" as never)).toThrow("unreachable value surprise");
  });
});

describe("errors", () => {
  test("the code ends the message, and a cause is there only when given", () => {
    const details = { retryable: false };
    const error = new ForebayError("operating", "DRIVER_TIMEOUT", "too slow", details);
    expect(error).toMatchObject({ message: "too slow [DRIVER_TIMEOUT]", name: "ForebayError" });
    expect("cause" in error).toBe(false);
    const cause = new Error("below");
    const caused = new ForebayError("operating", "DRIVER_TIMEOUT", "x", { ...details, cause });
    expect(caused.cause).toBe(cause);
  });

  test("the brand tells our errors from others, also those of another copy of the library", () => {
    expect(isForebayError(new UsageError("LEASE_STALE", "late"))).toBe(true);
    expect(isForebayError({ [Symbol.for("forebay.error")]: true })).toBe(true);
    for (const other of [new Error("x"), undefined, null, "text", 5, { code: "POOL_TIMEOUT" }]) {
      expect(isForebayError(other)).toBe(false);
    }
    expect(Object.keys(new UsageError("LEASE_STALE", "late"))).not.toContain("forebay.error");
  });
});

describe("the process's own clock", () => {
  const fired = (clock: Clock, delayMs: number) =>
    new Promise<void>((resolve) => {
      clock.setTimer(delayMs, resolve);
    });

  test("never goes back, and fires timers after setTimer has returned", async () => {
    const beforeMs = systemClock.nowMs();
    let returned = false;
    const timer = new Promise<boolean>((resolve) => {
      systemClock.setTimer(0, () => resolve(returned));
    });
    returned = true;
    expect(await timer).toBe(true);
    expect(systemClock.nowMs()).toBeGreaterThanOrEqual(beforeMs);
  });

  test("takes a delay below 0 as 0, and fractions", async () => {
    await fired(systemClock, -5);
    await fired(systemClock, 0.4);
    expect(systemClock.nowMs()).toBeGreaterThan(0);
  });

  test("a cancelled timer does not fire, and cancelling twice does no harm", async () => {
    let count = 0;
    const timer = systemClock.setTimer(0, () => {
      count += 1;
    });
    timer.cancel();
    timer.cancel();
    await fired(systemClock, 1);
    expect(count).toBe(0);
  });

  test("a delay of more than a timer takes does not fire at once", async () => {
    let isFired = false;
    const timer = systemClock.setTimer(TIMER_DELAY_MAX_MS * 10, () => {
      isFired = true;
    });
    timer.keepAlive(false);
    await fired(systemClock, 3);
    expect(isFired).toBe(false);
    timer.cancel();
  });

  test("a timer that was told not to keep the process alive can be told otherwise", async () => {
    await new Promise<void>((resolve) => {
      const timer = systemClock.setTimer(1, resolve);
      timer.keepAlive(false);
      timer.keepAlive(true);
    });
    expect(TIMER_DELAY_MAX_MS).toBe(2_147_483_647);
  });

  test("afterIo comes after the microtasks", async () => {
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      systemClock.afterIo(() => {
        order.push("after");
        resolve();
      });
      void Promise.resolve().then(() => order.push("microtask"));
    });
    expect(order).toEqual(["microtask", "after"]);
  });
});

test("the process's own random numbers are from [0, 1)", () => {
  for (let draw = 0; draw < 100; draw++) {
    const number = systemRandom.next();
    expect(number >= 0 && number < 1).toBe(true);
  }
});

describe("the limit of time on a promise", () => {
  test("settles as the work does, and leaves no timer", async () => {
    const clock = new VirtualClock();
    expect(await withinMs(clock, 10, Promise.resolve("done"), "work")).toBe("done");
    await expect(withinMs(clock, 10, Promise.reject(new Error("no")), "work")).rejects.toThrow(
      "no",
    );
    await clock.settle();
    expect(clock.pendingTimerCount).toBe(0);
  });

  test("rejects after the limit, and ignores what the work comes to afterwards", async () => {
    const clock = new VirtualClock();
    let end: (value: string) => void = () => undefined;
    const work = new Promise<string>((resolve) => {
      end = resolve;
    });
    const seen = watch(withinMs(clock, 10, work, "work"));
    await clock.advance(9);
    expect(seen.state).toBe("pending");
    await clock.advance(1);
    expect(seen.reason).toMatchObject({ code: "DRIVER_TIMEOUT" });
    end("late");
    await clock.settle();
    expect(seen.state).toBe("rejected");
  });

  test("beyond what a timer takes there is no limit", () => {
    const clock = new VirtualClock();
    const work = new Promise<void>(() => undefined);
    void withinMs(clock, TIMER_DELAY_MAX_MS + 1, work, "work");
    expect(clock.pendingTimerCount).toBe(0);
    void withinMs(clock, TIMER_DELAY_MAX_MS, work, "work");
    expect(clock.pendingTimerCount).toBe(1);
  });
});

describe("the slots", () => {
  const MOVES: Readonly<Record<SlotKind, readonly SlotKind[]>> = {
    connecting: ["idle", "leased", "closing", "closed"],
    idle: ["leased", "pinging", "closing"],
    leased: ["leased", "idle", "checking", "closing"],
    checking: ["leased", "idle", "closing"],
    pinging: ["leased", "idle", "closing"],
    closing: ["closed"],
    closed: [],
  };
  const KINDS = Object.keys(MOVES) as SlotKind[];
  const PATHS: Readonly<Record<SlotKind, readonly SlotKind[]>> = {
    connecting: [],
    idle: ["idle"],
    leased: ["leased"],
    checking: ["leased", "checking"],
    pinging: ["idle", "pinging"],
    closing: ["closing"],
    closed: ["closed"],
  };

  const PAIRS = KINDS.flatMap((from) => KINDS.map((to) => ({ from, to })));
  const isLegal = ({ from, to }: (typeof PAIRS)[number]) => MOVES[from].includes(to);

  function slotIn(kind: SlotKind): { lists: SlotLists<PooledConn>; slot: Slot<PooledConn> } {
    const lists = new SlotLists<PooledConn>();
    const slot = new Slot<PooledConn>(1, now(0), 0, 0);
    lists.add(slot);
    for (const step of PATHS[kind]) lists.move(slot, step);
    return { lists, slot };
  }

  test.each(PAIRS.filter(isLegal))("may move from $from to $to", ({ from, to }) => {
    const { lists, slot } = slotIn(from);
    lists.move(slot, to);
    expect(slot.kind).toBe(to);
    expect(lists.open).toBe(to === "closed" ? 0 : 1);
    expect(slot.list).toBe(to === "closed" ? undefined : lists[to]);
  });

  test.each(PAIRS.filter((pair) => !isLegal(pair)))(
    "may not move from $from to $to",
    ({ from, to }) => {
      const { lists, slot } = slotIn(from);
      const move = () => lists.move(slot, to);
      expect(move).toThrow(BugError);
      expect(move).toThrow(`slot: ${from} to ${to}`);
      expect(slot.kind).toBe(from);
    },
  );

  test("only a new slot may be added", () => {
    const lists = new SlotLists<PooledConn>();
    const slot = new Slot<PooledConn>(1, now(0), 0, 0);
    lists.add(slot);
    lists.move(slot, "closed");
    expect(() => lists.add(slot)).toThrow(BugError);
  });
});
