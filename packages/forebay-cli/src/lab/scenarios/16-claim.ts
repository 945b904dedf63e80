// Scenario 16, what the guide claims, and what the figures make of it.

import { claimOf, estimatedPart, part } from "../claim.ts";
import type { Claim } from "../scenario.ts";
import { duration, figure, listed, percent, times, withInterval } from "../words.ts";
import { SLEEP_MS } from "./16-arms.ts";
import type { BenchMeasured } from "./16-benchmark-template.ts";
import type { BenchFigures } from "./16-findings.ts";

/** From this gain on, a pool of twice the size has been the remedy. */
const GAIN_LEAST = 1.3;

/** Judges the guide's claim, part by part. */
export function claimOfBench(measured: BenchMeasured, figures: BenchFigures): Claim {
  const { widest, widestCallers, crowded } = figures;
  const ratio = widest.meanMs / widest.betweenEndsMs;
  const parts = [
    part(
      "-cpu=1,4,16 measures the pool contended.",
      figures.templateWaits > 0,
      `RunParallel starts as many goroutines as -cpu says. With ` +
        `${listed(figures.templateCallers.map(String))} callers on ${measured.size} connections ` +
        `${figure(figures.templateWaits)} of ${figure(figures.templateRequests)} queries waited; ` +
        `with ${measured.crowded.arm.callers} callers ` +
        `${percent(Math.min(1, crowded.waitsPerRequest))} did.`,
    ),
    estimatedPart(
      "Waits mean that the pool is the bottleneck.",
      figures.fastGain,
      { from: GAIN_LEAST },
      `With ${measured.statement.name} ${percent(Math.min(1, figures.fastWaits))} of the ` +
        `queries waited, and twice the pool gave ${withInterval(figures.fastGain)} times the ` +
        `throughput; with a query of ${SLEEP_MS} ms ${percent(Math.min(1, figures.slowWaits))} ` +
        `waited, and it gave ${withInterval(figures.slowGain)} times. (From ${GAIN_LEAST} ` +
        "times on counts as holding.)",
    ),
    part(
      "ns/op, as the template prints it, tells how long a query takes.",
      ratio <= 1.5,
      `With ${widestCallers} callers ns/op was ${duration(widest.betweenEndsMs)}, the mean ` +
        `response time ${duration(widest.meanMs)}: ${times(ratio)} as long. ns/op is one over ` +
        "the throughput.",
    ),
  ];
  const whys = [
    ...(parts[0]?.verdict === "refuted" ? ["the template has too few callers to wait"] : []),
    ...(parts[1]?.verdict === "refuted" ? ["waits alone do not tell the bottleneck"] : []),
    ...(parts[2]?.verdict === "refuted" ? ["ns/op is no response time"] : []),
  ];
  return claimOf(
    "go test -cpu=1,4,16 on this template measures single-thread and contended throughput; " +
      "WaitCount and WaitDuration beside ns/op tell whether the bottleneck is the pool or the " +
      "query.",
    parts,
    {
      refuted:
        `It cannot show what it is for: ${listed(whys)}. Twice the pool gave ` +
        `${withInterval(figures.fastGain)} times the throughput of ${measured.statement.name} ` +
        `and ${withInterval(figures.slowGain)} times that of a query of ${SLEEP_MS} ms, and ` +
        `waits were ${figure(figures.fastWaits)} and ${figure(figures.slowWaits)} a query.`,
      holds: `Twice the pool gave ${withInterval(figures.fastGain)} times the throughput.`,
      inconclusive:
        `Twice the pool gave ${withInterval(figures.fastGain)} times the throughput ` +
        `of ${measured.statement.name}.`,
    },
  );
}
