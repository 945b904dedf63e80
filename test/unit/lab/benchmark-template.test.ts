import { describe, expect, test } from "vitest";
import type { ChunkedTurn } from "../../../packages/forebay-cli/src/lab/chunks.ts";
import {
  type BenchArm,
  type BenchRun,
  SLEEP,
} from "../../../packages/forebay-cli/src/lab/scenarios/16-arms.ts";
import { describeBench } from "../../../packages/forebay-cli/src/lab/scenarios/16-findings.ts";
import { eight, madeUpContext, madeUpTurn, plainJudge, saidBy } from "./made-up-turns.ts";

type BenchMeasured = Parameters<typeof describeBench>[1];

const SIZE = 20;

interface Closed {
  readonly callers: number;
  readonly size?: number;
  readonly perS: number;
  readonly waits?: number;
  readonly busy?: number;
  readonly cpuMs?: number;
  readonly sql?: string;
}

/** A run that keeps to the laws of closed systems. */
function closed(run: Closed): BenchRun {
  const { callers, size = SIZE, perS, waits, busy = 1, cpuMs = 30, sql = "SELECT 1" } = run;
  const arm: BenchArm = {
    name: `${callers} callers`,
    role: "variant",
    callers,
    size,
    sql,
    requests: 1000,
    busyMs: 0,
    expectedMs: 1000,
  };
  const durationMs = (1000 / perS) * 1000;
  const responseMs = (callers / perS) * 1000;
  const waiting = Math.max(0, callers - size);
  const turn = madeUpTurn(1000, responseMs, cpuMs);
  return {
    arm,
    turns: eight({
      ...turn,
      utilisationRatio: busy,
      steady: {
        requests: 1000,
        durationMs,
        responseMs: responseMs * 1000,
        waits: waits ?? (waiting > 0 ? 1000 : 0),
        waitMs: waiting * durationMs,
      },
    }),
  };
}

function pieces(cpuMs: number): ChunkedTurn[] {
  const turn = madeUpTurn(100, cpuMs, 100 * cpuMs);
  return eight({ ...turn, timeMs: cpuMs, cpuMs, backendCpuMs: undefined });
}

/** Of a second. */
function processTurn(requests: number) {
  return { requests, tookMs: 1000, cpuMs: 500, waits: 0 };
}

/** SELECT 1 gives as much whatever the pool, a slow query as much as there are connections. */
function measured(changed: Partial<BenchMeasured> = {}): BenchMeasured {
  const slow = { callers: 80, busy: 0.1, sql: SLEEP };
  return {
    rounds: 8,
    statement: { sql: "SELECT 1", name: "SELECT 1", isGiven: false, aloneMs: 0.1 },
    size: SIZE,
    half: SIZE / 2,
    template: [1, 4, 16].map((callers) => closed({ callers, perS: 10_000 })),
    equal: closed({ callers: 20, perS: 10_000 }),
    crowded: closed({ callers: 80, perS: 10_000 }),
    fastHalf: closed({ callers: 80, size: 10, perS: 10_000 }),
    fastWhole: closed({ callers: 80, perS: 10_000 }),
    slowHalf: closed({ ...slow, size: 10, perS: 1000 }),
    slowWhole: closed({ ...slow, perS: 2000 }),
    slowRoomy: closed({ ...slow, callers: 10, size: 10, perS: 1000 }),
    busy: closed({ callers: 80, perS: 3000 }),
    twins: { same: pieces(0.1), twin: pieces(0.1), slowed: pieces(0.12) },
    allocatedBytes: 2000,
    processes: {
      callers: 10,
      sql: "SELECT 1",
      one: eight([processTurn(5000)]),
      two: eight([processTurn(3000), processTurn(3000)]),
    },
    open: [{ ratio: 0.5, perS: 5000, turn: madeUpTurn(100, 0.3, 5), waits: 0, waitMs: 0 }],
    ...changed,
  };
}

describe("what scenario 16 says", () => {
  const says = (changed?: Partial<BenchMeasured>) =>
    describeBench(madeUpContext, measured(changed), plainJudge);

  test("a run that keeps to all laws passes, and refutes the guide by what it shows", () => {
    const { claim, forebay } = says();
    expect(forebay.verdict).toBe("pass");
    expect(claim.parts.map(({ verdict }) => verdict)).toEqual(["refuted", "refuted", "refuted"]);
    expect(claim.why).toContain("waits alone do not tell the bottleneck");
  });

  test("where twice the pool helps, waits are not said to mislead", () => {
    const fastWhole = closed({ callers: 80, perS: 19_000, busy: 0.9 });
    const { claim } = says({ fastWhole });
    expect(claim.parts[1]?.verdict).toBe("holds");
    expect(claim.why).not.toContain("waits alone do not tell");
  });

  test("where a twin differs nothing small is decided; a slow arm that does not show fails", () => {
    const verdictOf = (changed: Partial<BenchMeasured>, name: RegExp) =>
      says(changed).forebay.checks.find((check) => name.test(check.name))?.verdict;
    const same = pieces(0.1);
    const odd = { same, twin: pieces(0.12), slowed: pieces(0.12) };
    expect(verdictOf({ twins: odd }, /identical/)).toBe("inconclusive");
    expect(verdictOf({ twins: odd }, /slowed/)).toBe("inconclusive");
    expect(verdictOf({ twins: { same, twin: same, slowed: same } }, /slowed/)).toBe("fail");
    const early = closed({ callers: 20, perS: 10_000, waits: 3 });
    expect(verdictOf({ equal: early }, /no more callers/)).toBe("fail");
  });

  test("two processes are compared by what they give together", () => {
    const { arms, caveats } = says();
    expect(caveats.join(" ")).toContain(
      "gave 1.2 times the throughput of one of 10: 6,000 against",
    );
    expect(arms.at(-1)?.measures).toMatchObject({ queriesPerS: 6000, requests: 48_000 });
  });

  test("no figure is missing", () => {
    expect(saidBy(says())).not.toMatch(/NaN|unknown|undefined|null/);
  });
});
