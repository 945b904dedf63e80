import { describe, expect, test } from "vitest";
import { CliError } from "../../../packages/forebay-cli/src/errors.ts";
import { workloadOf, type WorkloadTexts } from "../../../packages/forebay-cli/src/size/workload.ts";

const GUIDE = { qps: "2000", p50Ms: "2", p99Ms: "30" } as const;

function refusal(texts: WorkloadTexts): CliError {
  try {
    workloadOf(texts);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("the mean of a load", () => {
  test("is that of the lognormal distribution through both percentiles", () => {
    const { hold } = workloadOf(GUIDE);
    expect(hold.meanMs).toBeCloseTo(3.94, 2);
    expect(hold.cv2).toBeCloseTo(2.88, 2);
    expect(hold).toMatchObject({ medianMs: 2, meanFrom: "percentiles" });
  });

  test("is the given one where there is one, and the shape stays", () => {
    const { hold } = workloadOf({ ...GUIDE, meanMs: "5" });
    expect(hold.meanMs).toBe(5);
    expect(hold.cv2).toBeCloseTo(2.88, 2);
    expect(hold.medianMs * Math.exp(hold.sigma ** 2 / 2)).toBeCloseTo(5, 12);
  });

  test("equal percentiles are a constant hold time", () => {
    expect(workloadOf({ ...GUIDE, p99Ms: "2" }).hold).toMatchObject({ meanMs: 2, cv2: 0 });
  });
});

describe("what is not a number, or out of range, is refused by its option", () => {
  const cases: (readonly [WorkloadTexts, string])[] = [
    [{ ...GUIDE, qps: "-5" }, '--qps is "-5"'],
    [{ ...GUIDE, qps: "0" }, "--qps"],
    [{ ...GUIDE, qps: "many" }, "--qps"],
    [{ ...GUIDE, qps: "" }, "--qps"],
    [{ ...GUIDE, qps: "Infinity" }, "--qps"],
    [{ ...GUIDE, p50Ms: "-1" }, "--p50-ms"],
    [{ ...GUIDE, p99Ms: "30ms" }, "--p99-ms"],
    [{ ...GUIDE, meanMs: "0" }, "--mean-ms"],
    [{ ...GUIDE, targetWait: "0" }, "--target-wait"],
    [{ ...GUIDE, targetWait: "1" }, "--target-wait"],
    [{ ...GUIDE, maxConnections: "1.5" }, "--max-connections"],
    [{ ...GUIDE, reserved: "-1" }, "--reserved"],
    [{ ...GUIDE, instances: "0" }, "--instances"],
    [{ ...GUIDE, surge: "25" }, "--surge"],
    [{ ...GUIDE, cores: "0" }, "--cores"],
  ];
  for (const [texts, option] of cases) {
    test(`${option} in ${JSON.stringify(texts)}`, () => {
      const error = refusal(texts);
      expect(error.code).toBe("NUMBER_INVALID");
      expect(error.message).toContain(option);
      expect(error.nextStep).toMatch(/^It must be a .+\.$/);
    });
  }
});

test.each(["qps", "p50Ms", "p99Ms"])("without %s there is nothing to size", (name) => {
  const error = refusal({ ...GUIDE, [name]: undefined });
  expect(error.code).toBe("USAGE");
  expect(error.message).toMatch(/^--[a-z0-9-]+ is missing$/);
});

describe("figures that cannot all be true are refused", () => {
  const cases: (readonly [WorkloadTexts, RegExp])[] = [
    [{ ...GUIDE, p50Ms: "40" }, /p99 of 30 ms is below the p50 of 40 ms/],
    // Half take 2 ms or more, one in a hundred 30 ms or more: at least 0.49 × 2 + 0.01 × 30 = 1.28.
    [{ ...GUIDE, meanMs: "1.27" }, /at least 1\.28 ms/],
    [{ ...GUIDE, meanMs: "31" }, /mean of 31 ms is above the p99 of 30 ms/],
    [{ ...GUIDE, p50Ms: "1e-200", p99Ms: "1e200" }, /no mean follows/],
    [{ ...GUIDE, qps: "1e9" }, /keeps 3,9\d\d,\d\d\d connections of one pool busy/],
  ];
  for (const [texts, words] of cases) {
    test(`with the words ${String(words)}`, () => {
      const error = refusal(texts);
      expect(error.code).toBe("LOAD_IMPOSSIBLE");
      expect(error.message).toMatch(words);
    });
  }

  test("the least mean that there can be is accepted", () => {
    expect(workloadOf({ ...GUIDE, meanMs: "1.28" }).hold.meanMs).toBe(1.28);
  });
});
