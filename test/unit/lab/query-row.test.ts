import { describe, expect, test } from "vitest";
import { describeQueryRow } from "../../../packages/forebay-cli/src/lab/scenarios/08-findings.ts";
import { QUERY_ROW, WAYS } from "../../../packages/forebay-cli/src/lab/scenarios/08-ways.ts";
import { eight, madeUpContext, madeUpTurn, plainJudge, saidBy } from "./made-up-turns.ts";

type QueryRowMeasured = Parameters<typeof describeQueryRow>[1];

interface Outcome {
  readonly rowNs: number;
  readonly rowBytes: number;
  readonly unscannedHeld: number;
  readonly heldOut: number;
}

/** A run in which all other ways took 500 ns and 1000 bytes. */
function measured({ rowNs, rowBytes, unscannedHeld, heldOut }: Outcome): QueryRowMeasured {
  const left = [{ name: "queryRow that nobody awaits", times: 10, held: heldOut }];
  return {
    rounds: 8,
    instantCalls: 8000,
    realCallsPerRound: 100,
    ways: WAYS.map((way) => ({
      way,
      cpuNs: eight(way.name === QUERY_ROW ? rowNs : 500),
      allocated: way.name === QUERY_ROW ? rowBytes : 1000,
      turns: eight(madeUpTurn(100, 0.1, 5)),
    })),
    watchedNs: eight(9000),
    fakeWaysOut: left,
    realWaysOut: left,
    violations: 0,
    forgotten: { times: 4, warnings: 4, named: 4, held: 4 },
    unscanned: { times: 4, held: unscannedHeld, heldScanned: 0 },
  };
}

const AS_THE_GUIDE_SAYS: Outcome = { rowNs: 450, rowBytes: 900, unscannedHeld: 0, heldOut: 0 };

describe("what scenario 8 says", () => {
  const says = (outcome: Partial<Outcome>) =>
    describeQueryRow(madeUpContext, measured({ ...AS_THE_GUIDE_SAYS, ...outcome }), plainJudge);

  test("as the guide has it, the claim holds and nothing is said to leak", () => {
    const { claim, forebay } = says({});
    expect(claim.verdict).toBe("holds");
    expect(forebay.verdict).toBe("pass");
    expect(says({ rowNs: 500 }).claim.verdict).toBe("refuted");
  });

  test("a row that keeps its connection refutes it, and is the reason given", () => {
    const { claim } = says({ unscannedHeld: 4 });
    expect(claim.verdict).toBe("refuted");
    expect(claim.why).toContain("4 of 4 rows that nobody scanned");
    expect(claim.why).not.toContain("it was not faster");
  });

  test("a slower and larger queryRow is said to be that", () => {
    const findings = says({ rowNs: 700, rowBytes: 2000 });
    expect(findings.headline).toContain("200 ns more a call");
    expect(findings.claim.why).toContain("it was not faster");
    expect(findings.claim.why).toContain("2 times as much");
    expect(findings.forebay.verdict).toBe("fail");
  });

  test("a connection that a way out keeps fails Forebay", () => {
    expect(says({ rowNs: 450, heldOut: 1 }).forebay.checks[0]?.verdict).toBe("fail");
  });

  test("no figure is missing", () => {
    expect(saidBy(says({}))).not.toMatch(/NaN|unknown|undefined|null/);
  });
});
