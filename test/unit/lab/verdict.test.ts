import { describe, expect, test } from "vitest";
import type { Check } from "../../../packages/forebay-cli/src/lab/scenario.ts";
import {
  isClose,
  judge,
  type Threshold,
  verdictOf,
} from "../../../packages/forebay-cli/src/lab/verdict.ts";

const verdict = (low: number, high: number, threshold: Threshold) =>
  judge({ name: "c", estimate: { value: (low + high) / 2, low, high }, threshold }).verdict;

describe("one check", () => {
  test("passes when the whole interval is within, fails when all of it is beyond", () => {
    expect(verdict(0.2, 0.35, { atMost: 0.35 })).toBe("pass");
    expect(verdict(0.36, 0.5, { atMost: 0.35 })).toBe("fail");
    expect(verdict(10, 12, { atLeast: 10 })).toBe("pass");
    expect(verdict(8, 9.9, { atLeast: 10 })).toBe("fail");
    expect(verdict(0.95, 1.05, { from: 0.9, to: 1.1 })).toBe("pass");
    expect(verdict(1.2, 1.3, { from: 0.9, to: 1.1 })).toBe("fail");
    expect(verdict(0.5, 0.8, { from: 0.9, to: 1.1 })).toBe("fail");
  });

  test("is inconclusive when the threshold lies inside the interval", () => {
    expect(verdict(0.3, 0.36, { atMost: 0.35 })).toBe("inconclusive");
    expect(verdict(9.9, 30, { atLeast: 10 })).toBe("inconclusive");
    expect(verdict(0.8, 1.2, { from: 0.9, to: 1.1 })).toBe("inconclusive");
  });

  test("without a figure is inconclusive, not passed", () => {
    expect(verdict(Number.NaN, Number.NaN, { atMost: 1 })).toBe("inconclusive");
  });

  test("that is void is inconclusive and says why", () => {
    const check = judge({
      name: "c",
      estimate: { value: 1, low: 1, high: 1 },
      threshold: { atMost: 2 },
      voidedBy: "the machine was busy.",
    });
    expect(check).toMatchObject({ verdict: "inconclusive", pass: false });
    expect(check.note).toContain("the machine was busy");
  });

  test("shows its interval only when there is one, and its threshold in words", () => {
    const counted = judge({
      name: "c",
      estimate: { value: 3, low: 3, high: 3 },
      threshold: { atMost: 4 },
    });
    expect(counted).toEqual({
      name: "c",
      value: 3,
      threshold: "<= 4",
      pass: true,
      verdict: "pass",
    });
    expect(
      judge({ name: "c", estimate: { value: 3, low: 2, high: 4 }, threshold: { from: 1, to: 5 } }),
    ).toMatchObject({
      low: 2,
      high: 4,
      threshold: "1 to 5",
    });
  });
});

describe("several checks", () => {
  const of = (...verdicts: Check["verdict"][]) =>
    verdictOf(
      verdicts.map((verdict) => ({
        name: "c",
        value: 1,
        threshold: "",
        pass: verdict === "pass",
        verdict,
      })),
    );

  test("pass together only when every one passes", () => {
    expect(of("pass", "pass")).toBe("pass");
    expect(of("pass", "inconclusive")).toBe("inconclusive");
    expect(of("inconclusive", "fail", "pass")).toBe("fail");
    expect(of()).toBe("inconclusive");
  });
});

describe("a disturbed machine", () => {
  const close = (low: number, high: number, threshold: Threshold, isRobust = false) =>
    isClose({ name: "c", estimate: { value: (low + high) / 2, low, high }, threshold, isRobust });

  test("puts in doubt what comes close to a threshold, on either side of it", () => {
    expect(close(0.98, 1.02, { from: 0.9, to: 1.1 })).toBe(true);
    expect(close(0.2, 0.3, { atMost: 0.35 })).toBe(true);
    expect(close(0.45, 0.6, { atMost: 0.35 })).toBe(true);
  });

  test("leaves alone what is far away, what was counted, and what does not depend on speed", () => {
    expect(close(0.1, 0.2, { atMost: 0.35 })).toBe(false);
    expect(close(40, 60, { atLeast: 10 })).toBe(false);
    expect(close(1, 1, { atLeast: 1 })).toBe(false);
    expect(close(0.98, 1.02, { from: 0.9, to: 1.1 }, true)).toBe(false);
  });
});
