import { describe, expect, test } from "vitest";
import { CliError } from "../../../packages/forebay-cli/src/errors.ts";
import { answerSize, type SizeAnswer } from "../../../packages/forebay-cli/src/size/answer.ts";
import { workloadOf, type WorkloadTexts } from "../../../packages/forebay-cli/src/size/workload.ts";

const GUIDE = { qps: "2000", p50Ms: "2", p99Ms: "30" } as const;

function answer(texts: WorkloadTexts): SizeAnswer {
  return answerSize(workloadOf({ ...GUIDE, ...texts }));
}

describe("the guide's load", () => {
  test("needs 16 connections, of which 0.8 % of the requests wait", () => {
    const { load, loadByMedian, need, connections, binding, expected } = answer({});
    expect(load).toBeCloseTo(7.88, 2);
    expect(loadByMedian).toBeCloseTo(4, 12);
    expect({ need, connections, binding }).toEqual({ need: 16, connections: 16, binding: "load" });
    expect(expected.waitedRatio).toBeCloseTo(0.0078, 4);
  });

  test("needs fewer where more may wait, and more where fewer may", () => {
    expect(answer({ targetWait: "0.05" }).need).toBe(14);
    expect(answer({ targetWait: "0.003" }).need).toBe(18);
  });

  test("is spread over the instances", () => {
    const { load, need } = answer({ instances: "10" });
    expect(load).toBeCloseTo(0.788, 3);
    expect(need).toBe(4);
  });

  test("has the chosen size and those around it in the table, in order", () => {
    const sizes = answer({}).table.map((row) => row.connections);
    expect(sizes).toContain(16);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(sizes.length).toBeLessThanOrEqual(9);
  });

  test("gets settings: no churn, a bounded wait, a queue that can be served in time", () => {
    const { settings } = answer({});
    expect(settings).toEqual({
      maxOpenConns: 16,
      maxIdleConns: 16,
      acquireTimeoutMs: 1000,
      maxWaiters: 4000,
    });
    expect(answer({ p99Ms: "100" }).settings.acquireTimeoutMs).toBe(2000);
    expect(answer({ qps: "10", p99Ms: "2000" }).settings.acquireTimeoutMs).toBe(10_000);
  });
});

describe("the fleet", () => {
  test("shares what is not reserved among the instances of a deployment", () => {
    const { fleet } = answer({ maxConnections: "200", instances: "10", surge: "0.25" });
    expect(fleet).toEqual({ connections: 15, usable: 197, instancesMost: 13 });
  });

  test("a whole number of instances is not rounded up for a fault of arithmetic", () => {
    const { fleet } = answer({ maxConnections: "200", instances: "50", surge: "0.1" });
    // 50 × 1.1 is 55.00000000000001.
    expect(fleet?.instancesMost).toBe(55);
  });

  test("decides where it leaves less than the load needs", () => {
    const { connections, binding, expected } = answer({ maxConnections: "15" });
    expect({ connections, binding }).toEqual({ connections: 12, binding: "fleet" });
    expect(expected.waitedRatio).toBeCloseTo(0.128, 3);
  });

  test("that leaves no more than the load itself is an error that says what to do", () => {
    const asked = (): SizeAnswer => answer({ maxConnections: "10" });
    expect(asked).toThrow(CliError);
    expect(asked).toThrow(/leaves 7 connections for each instance .+ keeps 7\.88 busy on average/);
    expect(asked).toThrow(expect.objectContaining({ code: "LOAD_UNSTABLE" }));
  });
});

describe("the cores", () => {
  test("do not limit a load that seldom needs more than 2 × cores + 1", () => {
    expect(answer({ cores: "8" }).cores).toMatchObject({ activeMost: 17, state: "fits" });
    expect(answer({ cores: "8" }).binding).toBe("load");
  });

  test("decide where it often needs more", () => {
    const { connections, binding, cores } = answer({ cores: "5" });
    expect(cores).toMatchObject({ activeMost: 11, activeP99: 15, state: "shared" });
    expect({ connections, binding }).toEqual({ connections: 11, binding: "cores" });
  });

  test("are not shared out where a share would not carry a pool's own load", () => {
    const { connections, binding, cores } = answer({ cores: "5", instances: "20" });
    expect(cores).toMatchObject({ state: "indivisible" });
    expect(cores).not.toHaveProperty("connections");
    expect({ connections, binding }).toEqual({ connections: 3, binding: "load" });
  });

  test("too few for the average are an error, whatever the pool", () => {
    expect(() => answer({ cores: "3" })).toThrow(
      expect.objectContaining({ code: "LOAD_UNSTABLE" }),
    );
    expect(() => answer({ cores: "3" })).toThrow(/more than 7 at once are of no use to 3 cores/);
  });
});
