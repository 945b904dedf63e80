import { describe, expect, test } from "vitest";
import { LatencyHistogram } from "../../../packages/forebay-cli/src/lab/histogram.ts";
import type { FailoverKind } from "../../../packages/forebay-cli/src/lab/scenarios/11-arms.ts";
import { claimOfFailover } from "../../../packages/forebay-cli/src/lab/scenarios/11-claim.ts";
import type { Fault, FaultRun } from "../../../packages/forebay-cli/src/lab/scenarios/11-faults.ts";
import { deriveFigures } from "../../../packages/forebay-cli/src/lab/scenarios/11-figures.ts";
import { Ledger, toldBy } from "../../../packages/forebay-cli/src/lab/scenarios/11-ledger.ts";
import { planFailover } from "../../../packages/forebay-cli/src/lab/scenarios/11-plan.ts";
import { BadConnError, ForebayError } from "../../../packages/forebay/src/index.ts";
import { PgError, type PgMessageFields } from "../../../packages/forebay/src/postgres/index.ts";

describe("the ledger of writes", () => {
  test("finds what is there twice, what is missing, and what was denied", () => {
    const ledger = new Ledger();
    const told = ["done", "done", "done", "not sent", "refused", "unknown", "unknown"] as const;
    const tokens = told.map((what) => {
      const token = ledger.token();
      ledger.note(token, what);
      return token;
    });
    const [done, twice, , notSent, , unknown] = tokens;
    const there = [done, twice, twice, notSent, unknown].filter((token) => token !== undefined);
    expect(ledger.audit(there)).toEqual({
      writes: 7,
      told: { done: 3, "not sent": 1, refused: 1, unknown: 2 },
      duplicates: 1,
      missing: 1,
      denied: 1,
      unacknowledged: 2,
    });
  });

  test("takes an error by its word", () => {
    const fields = { severity: "ERROR", sqlstate: "25006", message: "no" } as PgMessageFields;
    const refusal = new PgError(fields);
    expect(toldBy(new BadConnError("lost before the request"))).toBe("not sent");
    const unknown = new ForebayError("operating", "OUTCOME_UNKNOWN", "lost", { retryable: false });
    expect(toldBy(unknown)).toBe("unknown");
    expect(toldBy(refusal)).toBe("refused");
    expect(toldBy(new Error("the deadline"))).toBe("unknown");
  });
});

/** A run in which `errors` requests of ten fail, and `stale` connections are handed out dead. */
function run(fault: Fault, kind: FailoverKind, errors: number, stale: number): FaultRun {
  const response = new LatencyHistogram();
  response.recordMs(10);
  return {
    fault,
    kind,
    arm: { name: kind, role: "change", settings: {} },
    requests: 10,
    served: 10 - errors,
    failures: {},
    response,
    stale,
    recoveryMs: 100,
    dialingMax: 4,
    downMs: 500,
    acquires: 10,
    dials: 20,
    dialErrors: 0,
    lost: 20,
    pings: 0,
    pingsFailed: 0,
  };
}

function claim(silentErrors: number) {
  const plan = { ...planFailover(false), rounds: 1 };
  const loud = ["fast restart", "immediate restart", "switch"] as const;
  const runs = [
    ...loud.map((fault) => run(fault, "naive", 0, 20)),
    ...loud.map((fault) => run(fault, "detection", 0, 0)),
    run("silence", "naive", 10, 10),
    run("silence", "detection", silentErrors, 0),
    run("silence", "ping", 0, 0),
  ];
  const audit = new Ledger().audit([]);
  return claimOfFailover(
    plan,
    deriveFigures({ plan, runs, readOnly: [], audit, writeFailures: {} }),
  );
}

test("what only hears of ends fails in silence, which refutes that nobody sees a failure", () => {
  const refuted = (errors: number) =>
    claim(errors)
      .parts.filter((part) => part.verdict === "refuted")
      .map((part) => part.text);
  expect(refuted(0)).toEqual(["p99 goes to about 3 s because of them."]);
  expect(refuted(5)).toEqual([
    "p99 goes to about 3 s because of them.",
    "With validation no user sees a failure (connections that go silent).",
  ]);
});
