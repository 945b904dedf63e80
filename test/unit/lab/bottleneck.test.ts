import { describe, expect, test } from "vitest";
import {
  bottleneckOf,
  closedWaitMs,
  responseLawError,
} from "../../../packages/forebay-cli/src/lab/bottleneck.ts";

describe("what limits a closed load", () => {
  test.each([
    ["pool", 1, 0.2],
    ["query", 0, 0.2],
    ["loop", 0, 0.95],
  ] as const)(
    "%s, with %d waits a request and the event loop busy for %d",
    (limit, waits, busy) => {
      expect(bottleneckOf({ waitsPerRequest: waits, utilisationRatio: busy })).toBe(limit);
    },
  );

  test("where the event loop is full, waits do not make it the pool", () => {
    expect(bottleneckOf({ waitsPerRequest: 1, utilisationRatio: 0.95 })).toBe("loop");
  });
});

describe("laws of a closed load", () => {
  const run = { callers: 80, size: 20, requests: 10_000, durationMs: 1000 };

  test("the response time is callers over throughput", () => {
    expect(responseLawError({ ...run, meanMs: 8 })).toBeCloseTo(0);
    expect(responseLawError({ ...run, meanMs: 10 })).toBeCloseTo(0.2);
  });

  test("those without a connection wait, and none where there are enough", () => {
    expect(closedWaitMs(run)).toBeCloseTo(6);
    expect(closedWaitMs({ ...run, callers: 20 })).toBe(0);
    expect(closedWaitMs({ ...run, callers: 4 })).toBe(0);
  });
});
