// The method itself: how often a difference that is there is seen, and how often one is seen that
// is not there. On synthetic turns, as a shared machine makes them: the machine gets slower and
// faster over minutes, each turn has noise of its own, and some turns are hit by something else
// altogether. Every run is seeded, so that the rates are what they are.

import { describe, expect, test } from "vitest";
import { medianRatio, takeTurns } from "../../../packages/forebay-cli/src/lab/compare.ts";
import { judgeUnder } from "../../../packages/forebay-cli/src/lab/conditions.ts";
import {
  type LabRandom,
  lognormal,
  normal,
  seededLabRandom,
} from "../../../packages/forebay-cli/src/lab/random.ts";

const REPETITIONS = 500;
const ROUNDS = 8;

/** How a machine makes figures of the same work differ. */
interface Noise {
  /** Standard deviation of a turn, as a share. */
  readonly turnRatio: number;
  /** How much faster or slower the machine gets from one turn to the next. */
  readonly driftRatio: number;
  /** How often something else hits a turn, which then takes up to three times as long. */
  readonly hitRatio: number;
}

const QUIET: Noise = { turnRatio: 0.02, driftRatio: 0.01, hitRatio: 0.005 };
const BUSY: Noise = { turnRatio: 0.06, driftRatio: 0.03, hitRatio: 0.1 };

class Machine {
  readonly #random: LabRandom;
  readonly #noise: Noise;
  #speed = 1;

  constructor(random: LabRandom, noise: Noise) {
    this.#random = random;
    this.#noise = noise;
  }

  /** What a turn of this work is measured to take. */
  measure(workMs: number): number {
    const { turnRatio, driftRatio, hitRatio } = this.#noise;
    this.#speed *= Math.exp(driftRatio * normal(this.#random));
    const isHit = this.#random.next() < hitRatio;
    const hit = isHit ? 1 + 2 * this.#random.next() : 1;
    return lognormal(this.#random, workMs * this.#speed, turnRatio) * hit;
  }
}

/** One comparison, as a scenario makes it: arms in turns, the median ratio with its interval. */
async function compare(random: LabRandom, noise: Noise, ratio: number) {
  const machine = new Machine(random, noise);
  const [before = [], after = []] = await takeTurns({
    rounds: ROUNDS,
    signal: new AbortController().signal,
    arms: [
      () => Promise.resolve(machine.measure(10)),
      () => Promise.resolve(machine.measure(10 * ratio)),
    ],
  });
  return medianRatio(before, after, random);
}

/** No slower than by what two identical arms may differ. */
const NO_REGRESSION = { atMost: 1.05 };
/** The same, as negative controls are asked. */
const SAME = { from: 0.9, to: 1.1 };

/** How often comparisons of work in this ratio come out each way. */
async function rates(noise: Noise, ratio: number) {
  const random = seededLabRandom(2_026);
  const judge = judgeUnder([]);
  const counts = { regressions: 0, same: 0, different: 0, inconclusive: 0 };
  for (let run = 0; run < REPETITIONS; run++) {
    const estimate = await compare(random, noise, ratio);
    const name = "A over B";
    const regression = judge({ name, estimate, threshold: NO_REGRESSION }).verdict;
    const same = judge({ name, estimate, threshold: SAME }).verdict;
    if (regression === "fail") counts.regressions++;
    if (same === "pass") counts.same++;
    else counts[same === "fail" ? "different" : "inconclusive"]++;
  }
  return {
    regressionsRatio: counts.regressions / REPETITIONS,
    sameRatio: counts.same / REPETITIONS,
    differentRatio: counts.different / REPETITIONS,
  };
}

/** Thousands of bootstraps. */
const TIMEOUT_MS = 120_000;

describe("on a quiet machine", () => {
  test(
    "a regression of 20 % is reported in 95 % of the runs, and never taken for none",
    async () => {
      const { regressionsRatio, sameRatio } = await rates(QUIET, 1.2);
      expect(regressionsRatio).toBeGreaterThanOrEqual(0.95);
      expect(sameRatio).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    "two identical arms are found the same in 90 % of the runs, and never different",
    async () => {
      const { regressionsRatio, sameRatio, differentRatio } = await rates(QUIET, 1);
      expect(sameRatio).toBeGreaterThanOrEqual(0.9);
      expect(regressionsRatio).toBe(0);
      expect(differentRatio).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe("on a busy machine", () => {
  test(
    "a regression of 20 % is reported in 40 % of the runs, and never taken for none",
    async () => {
      const { regressionsRatio, sameRatio } = await rates(BUSY, 1.2);
      expect(regressionsRatio).toBeGreaterThanOrEqual(0.4);
      expect(sameRatio).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    "two identical arms are found different in 1 % of the runs at most",
    async () => {
      const { regressionsRatio, differentRatio } = await rates(BUSY, 1);
      expect(regressionsRatio).toBeLessThanOrEqual(0.01);
      expect(differentRatio).toBeLessThanOrEqual(0.01);
    },
    TIMEOUT_MS,
  );

  test(
    "twice as much work is reported in 90 % of the runs, and never taken for none",
    async () => {
      const { regressionsRatio, sameRatio } = await rates(BUSY, 2);
      expect(regressionsRatio).toBeGreaterThanOrEqual(0.9);
      expect(sameRatio).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe("what the order of turns is for", () => {
  /** A machine that gets slower with every turn, and nothing else. */
  async function driftOnly(arms: "ABBA" | "ABAB"): Promise<number> {
    let turn = 0;
    const measure = () => Promise.resolve(10 + turn++);
    const given =
      arms === "ABBA"
        ? await takeTurns({
            rounds: ROUNDS,
            signal: new AbortController().signal,
            arms: [measure, measure],
          })
        : [[], []].map(() => [] as number[]);
    const [before = [], after = []] = given;
    if (arms === "ABAB") {
      for (let round = 0; round < ROUNDS; round++) {
        before.push(await measure());
        after.push(await measure());
      }
    }
    return medianRatio(before, after, seededLabRandom(1)).value;
  }

  test("a steady drift favours neither arm, as it would without turning back", async () => {
    expect(Math.abs((await driftOnly("ABBA")) - 1)).toBeLessThan(0.01);
    expect((await driftOnly("ABAB")) - 1).toBeGreaterThan(0.04);
  });
});

describe("a judge that was warned of a busy machine", () => {
  const warned = judgeUnder(["other programs took 40 % of the machine's CPU time."]);

  test("leaves close comparisons undecided, and others not", async () => {
    const random = seededLabRandom(3);
    const close = await compare(random, QUIET, 1.3);
    const far = await compare(random, QUIET, 5);
    const name = "A over B";
    expect(warned({ name, estimate: close, threshold: SAME }).verdict).toBe("inconclusive");
    expect(judgeUnder([])({ name, estimate: close, threshold: SAME }).verdict).toBe("fail");
    expect(warned({ name, estimate: far, threshold: SAME }).verdict).toBe("fail");
  });
});
