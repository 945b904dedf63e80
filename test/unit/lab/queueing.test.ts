import { describe, expect, test } from "vitest";
import {
  closedWaitMs,
  erlangB,
  erlangC,
  fitUsl,
  fluidBurst,
  idealQueue,
  lognormalFrom,
  longRunWaitedRatio,
  meanWait,
  meanWaitLognormal,
  poissonTail,
  serversFor,
  waitQuantile,
} from "../../../packages/forebay-cli/src/lab/queueing.ts";
import {
  exponential,
  lognormal,
  poissonArrivals,
  seededLabRandom,
} from "../../../packages/forebay-cli/src/lab/random.ts";

describe("Erlang's formulas", () => {
  test("the loss formula agrees with the published table: 4.461 erlangs on 10 lose 1 %", () => {
    expect(erlangB(10, 4.461)).toBeCloseTo(0.01, 4);
    expect(erlangB(20, 12.03)).toBeCloseTo(0.01, 3);
  });

  test("the delay formula agrees with the published example: 10 on 14, 17.4 % wait", () => {
    expect(erlangC(14, 10)).toBeCloseTo(0.174, 3);
  });

  test("one server makes the share that waits equal to the load", () => {
    expect(erlangC(1, 0.7)).toBeCloseTo(0.7, 12);
  });

  test.each([
    [9, 0.62],
    [10, 0.38],
    [12, 0.13],
    [15, 0.017],
    [16, 0.008],
    [18, 0.0014],
  ])("at 7.88 erlangs, %i connections make a share of %f wait", (c, share) => {
    expect(erlangC(c, 7.88) / share).toBeGreaterThan(0.93);
    expect(erlangC(c, 7.88) / share).toBeLessThan(1.07);
  });

  test("everybody waits where the load is not below the number of servers", () => {
    expect(erlangC(4, 7.88)).toBe(1);
    expect(meanWait(4, 7.88, { mean: 4, cv2: 1 })).toBe(Infinity);
  });

  test("the fewest servers for one per cent of waits is 16 at 7.88 erlangs", () => {
    expect(serversFor(7.88, 0.01)).toBe(16);
  });
});

describe("waiting times", () => {
  test("one server agrees with Pollaczek and Khinchine: rho S (1 + cv^2) / (2 (1 - rho))", () => {
    expect(meanWait(1, 0.8, { mean: 2, cv2: 3 })).toBeCloseTo((0.8 * 2 * (1 + 3)) / (2 * 0.2), 10);
  });

  test("M/M/c's mean wait is the share that waits times service time by servers to spare", () => {
    expect(meanWait(16, 7.88, { mean: 3.94, cv2: 1 })).toBeCloseTo(
      (erlangC(16, 7.88) * 3.94) / (16 - 7.88),
      12,
    );
  });

  test("with one server Tijms' formula is that of Pollaczek and Khinchine, too", () => {
    for (const [load, sigma] of [
      [0.2, 0.5],
      [0.9, 1.164],
      [0.5, 2],
    ] as const) {
      const exact = (load * 2 * Math.exp(sigma ** 2)) / (2 * (1 - load));
      expect(meanWaitLognormal(1, load, { mean: 2, sigma }) / exact).toBeCloseTo(1, 4);
    }
  });

  test("Tijms' formula agrees with the ideal queue, where Allen and Cunneen's is off", () => {
    const random = seededLabRandom(4);
    const sigma = lognormalFrom(2, 30).sigma;
    const count = 300_000;
    let at = 0;
    const arrivals = Float64Array.from({ length: count }, () => (at += exponential(random, 5)));
    const services = Float64Array.from({ length: count }, () => lognormal(random, 2, sigma));
    const { waits } = idealQueue(3, arrivals, services);
    const measured = waits.reduce((sum, wait) => sum + wait, 0) / count;
    const mean = lognormalFrom(2, 30).mean;
    const load = mean / 5;
    const offRatio = Math.abs(meanWaitLognormal(3, load, { mean, sigma }) / measured - 1);
    expect(offRatio).toBeLessThan(0.08);
    expect(meanWait(3, load, { mean, cv2: lognormalFrom(2, 30).cv2 }) / measured).toBeGreaterThan(
      1.25,
    );
  });

  test("constant service waits half of what exponential service does, near saturation", () => {
    const constant = meanWaitLognormal(8, 7.9, { mean: 1, sigma: 0 });
    expect(constant / meanWait(8, 7.9, { mean: 1, cv2: 1 })).toBeCloseTo(0.5, 1);
    expect(meanWaitLognormal(8, 8, { mean: 1, sigma: 0 })).toBe(Infinity);
  });

  test("a quantile is 0 where fewer than its share wait, and exact for M/M/1", () => {
    expect(waitQuantile(16, 7.88, { mean: 3.94, cv2: 1 }, 0.99)).toBe(0);
    const rho = 0.9;
    expect(waitQuantile(1, rho, { mean: 1, cv2: 1 }, 0.99)).toBeCloseTo(
      Math.log(rho / 0.01) / (1 - rho),
      10,
    );
  });

  test("a burst leaves what exceeds the capacity", () => {
    expect(fluidBurst(4000, 800, 0.5)).toEqual({ backlog: 1600, longestWait: 2, drain: 2 });
    expect(fluidBurst(400, 800, 1).backlog).toBe(0);
  });
});

test("the tail of a Poisson distribution agrees with the published table", () => {
  expect(poissonTail(10, 15)).toBeCloseTo(0.0487, 4);
  expect(poissonTail(1, 0)).toBeCloseTo(1 - Math.exp(-1), 12);
  expect(poissonTail(900, 900)).toBeGreaterThan(0.45);
  expect(poissonTail(900, 900)).toBeLessThan(0.5);
});

describe("the lognormal distribution of the guide", () => {
  test("median 2 ms and p99 30 ms have a mean of 3.94 ms and a squared variation of 2.88", () => {
    const shape = lognormalFrom(2, 30);
    expect(shape.mean).toBeCloseTo(3.94, 2);
    expect(shape.cv2).toBeCloseTo(2.88, 1);
  });

  test("draws have the median and the mean that they should", () => {
    const random = seededLabRandom(1);
    const shape = lognormalFrom(2, 30);
    const drawn = Array.from({ length: 100_000 }, () => lognormal(random, 2, shape.sigma)).sort(
      (a, b) => a - b,
    );
    expect(drawn[50_000]).toBeCloseTo(2, 1);
    expect(drawn.reduce((a, b) => a + b) / drawn.length / shape.mean).toBeCloseTo(1, 1);
  });
});

describe("the ideal queue", () => {
  test("requests are served in order, by whichever server is free first", () => {
    const { waits, waitedRatio } = idealQueue(2, [0, 1, 2, 3], [10, 4, 1, 1]);
    expect([...waits]).toEqual([0, 0, 3, 3]);
    expect(waitedRatio).toBe(0.5);
  });

  test("with exponential service its long run is Erlang's delay formula", () => {
    const random = seededLabRandom(2);
    const services = Array.from({ length: 50_000 }, () => exponential(random, 1));
    const measured = longRunWaitedRatio(12, 1 / 7.88, services, random, 400_000);
    expect(measured / erlangC(12, 7.88)).toBeGreaterThan(0.9);
    expect(measured / erlangC(12, 7.88)).toBeLessThan(1.1);
  });

  test("Poisson arrivals come at their rate, in order, and all before the end", () => {
    const arrivals = poissonArrivals(seededLabRandom(3), 400, 50_000);
    expect(arrivals.length / 20_000).toBeCloseTo(1, 1);
    expect(arrivals.every((at, i) => at >= (arrivals[i - 1] ?? 0) && at < 50_000)).toBe(true);
  });
});

describe("the law of scalability", () => {
  test("a fit finds again the parameters that made the points", () => {
    const points = [1, 2, 4, 8, 16, 32].map((n): [number, number] => [
      n,
      (500 * n) / (1 + 0.3 * (n - 1) + 0.002 * n * (n - 1)),
    ]);
    const fit = fitUsl(points);
    expect(fit?.sigma).toBeCloseTo(0.3, 6);
    expect(fit?.kappa).toBeCloseTo(0.002, 8);
    expect(fit?.peak).toBeCloseTo(Math.sqrt(0.7 / 0.002), 4);
  });

  test("too few points give no fit", () => {
    expect(fitUsl([[1, 500]])).toBeUndefined();
  });
});

describe("closed loads", () => {
  test("those without a connection wait, and none where there are enough", () => {
    const run = { callers: 80, size: 20, requests: 10_000, durationMs: 1000 };
    expect(closedWaitMs(run)).toBeCloseTo(6);
    expect(closedWaitMs({ ...run, callers: 20 })).toBe(0);
    expect(closedWaitMs({ ...run, callers: 4 })).toBe(0);
  });
});
