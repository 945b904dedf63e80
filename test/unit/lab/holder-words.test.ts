// What scenarios say when a run comes out in one way or the other.

import { describe, expect, test } from "vitest";
import type { ProcessMemory } from "../../../packages/forebay-cli/src/lab/backend-memory.ts";
import { LatencyHistogram } from "../../../packages/forebay-cli/src/lab/histogram.ts";
import { claimOfIdleTime } from "../../../packages/forebay-cli/src/lab/scenarios/04-claim.ts";
import type {
  IdleTimeMeasured,
  IdleTimeRun,
} from "../../../packages/forebay-cli/src/lab/scenarios/04-idle-time.ts";
import { claimOfHolders } from "../../../packages/forebay-cli/src/lab/scenarios/14-claim.ts";
import type {
  AllFigures,
  HolderFigures,
} from "../../../packages/forebay-cli/src/lab/scenarios/14-findings.ts";

function holder(removed: number, isIdle = false): HolderFigures {
  return {
    leastRemoved: removed,
    mostRemoved: removed,
    growth: removed > 0.5 ? 2 : 9,
    scanMs: 1,
    looks: 24,
    idle: isIdle ? 24 : 0,
    states: [isIdle ? "idle" : "idle in transaction"],
    withXid: 0,
    withXmin: removed > 0.5 ? 0 : 24,
    processes: 1,
    isDdlFree: isIdle,
  };
}

function figures(change: Partial<AllFigures> = {}): AllFigures {
  return {
    nobody: holder(1),
    conn: holder(1, true),
    read: holder(0),
    again: holder(1),
    simple: holder(1),
    rows: holder(0),
    write: holder(0),
    repeatable: holder(0),
    ...change,
  };
}

const HELD = { pooler: undefined } as Parameters<typeof claimOfHolders>[0];

describe("a Conn or a Tx", () => {
  test("holds where transactions keep vacuum from its work and the Conn does not", () => {
    const claim = claimOfHolders(HELD, figures());
    expect(claim.verdict).toBe("holds");
    expect(claim.why).toContain("0 % (only read, resting)");
  });

  test("is refuted where a transaction that has only read keeps vacuum from nothing", () => {
    const claim = claimOfHolders(HELD, figures({ read: holder(1) }));
    expect(claim.verdict).toBe("refuted");
    expect(claim.why).toContain("read and rested 100 %");
  });

  test("says nothing about holders where vacuum is held up without any", () => {
    const claim = claimOfHolders(HELD, figures({ nobody: holder(0), conn: holder(0, true) }));
    expect(claim.verdict).toBe("inconclusive");
    expect(claim.parts.filter((part) => part.verdict === "inconclusive")).toHaveLength(4);
  });
});

function idleRun(atRest: number, closed: number): IdleTimeRun {
  const nextPeak = new LatencyHistogram();
  nextPeak.recordMs(300);
  return {
    arm: {},
    turn: { atPeak: 30, atRest, atNextPeak: 30, nextPeak, maxIdleTimeClosed: closed },
  } as unknown as IdleTimeRun;
}

function idleMeasured(left: number): IdleTimeMeasured {
  return {
    plan: { peak: 30, idleTimeMs: 2000, quietMs: 5000 },
    fresh: undefined as ProcessMemory | undefined,
    none: idleRun(30, 0),
    lifo: idleRun(left, 30 - left),
    fifo: idleRun(30, 0),
    fifoSlow: undefined,
    kept: idleRun(5, 25),
    pruned: idleRun(2, 28),
  };
}

describe("idle time", () => {
  const memory = {
    rssEach: 21e6,
    pssEach: 3.4e6,
    ownEach: 2.9e6,
    freshRss: 14e6,
    freshOwn: 1.2e6,
    ownAtPeak: 87e6,
    ownAtRest: 3e6,
    ownAtRestWithoutIdleTime: 87e6,
  };

  test("holds where the pool shrinks, and says what a closed connection gives back", () => {
    const claim = claimOfIdleTime(idleMeasured(1), memory);
    expect(claim.verdict).toBe("holds");
    expect(claim.why).toContain("gives back is 2.9 MB, not the 21 MB");
  });

  test("is refuted where the pool keeps more than a tenth", () => {
    expect(claimOfIdleTime(idleMeasured(12), memory).verdict).toBe("refuted");
  });

  test("is not decided where the memory cannot be read, and says that it is missing", () => {
    const claim = claimOfIdleTime(idleMeasured(1), undefined);
    expect(claim.verdict).toBe("inconclusive");
    expect(claim.why).toContain("could not be read");
  });
});
