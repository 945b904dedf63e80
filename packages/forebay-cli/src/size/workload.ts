// The load that a pool is to be sized for: from the user's figures to a rate and a distribution of
// hold times. Finds figures that cannot all be true.

import { CliError } from "../errors.ts";
import { lognormalFrom } from "../lab/queueing.ts";
import { duration, figure } from "../lab/words.ts";
import { numberNeeded, numberOf, numberOr } from "./options.ts";

/** The options of the load, as the command line has them. */
export interface WorkloadTexts {
  readonly qps?: string;
  readonly p50Ms?: string;
  readonly p99Ms?: string;
  readonly meanMs?: string;
  readonly targetWait?: string;
  readonly maxConnections?: string;
  readonly reserved?: string;
  readonly instances?: string;
  readonly surge?: string;
  readonly cores?: string;
}

/** How long a request holds its connection: lognormal. */
export interface HoldTimes {
  readonly medianMs: number;
  /** Standard deviation of the logarithm. */
  readonly sigma: number;
  readonly meanMs: number;
  /** Squared coefficient of variation. */
  readonly cv2: number;
  /** Where the mean comes from. */
  readonly meanFrom: "percentiles" | "given";
}

/** Everything that the user says of the load and of its surroundings. */
export interface Workload {
  /** Requests a second, of all instances together. */
  readonly ratePerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly hold: HoldTimes;
  /** The share of requests that may wait for a connection. */
  readonly targetWaitRatio: number;
  /** Processes with a pool each, among which the requests are spread evenly. */
  readonly instances: number;
  /** How many more there are while a new version replaces the old one, as a share. */
  readonly surgeRatio: number;
  /** The server's max_connections; undefined where it is not to be looked at. */
  readonly maxConnections: number | undefined;
  /** How many of these are not for this service. */
  readonly reserved: number;
  /** The server's cores; undefined where they are not to be looked at. */
  readonly cores: number | undefined;
}

/** `superuser_reserved_connections`, unless it was changed. */
export const RESERVED_DEFAULT = 3;

const EXAMPLE = "forebay size --qps 2000 --p50-ms 2 --p99-ms 30";

/** Reads the load. Throws a `CliError` when a figure is missing, wrong, or against another one. */
export function workloadOf(texts: WorkloadTexts): Workload {
  const positive = { above: 0 };
  const ratePerS = numberNeeded("--qps", texts.qps, positive, EXAMPLE);
  const p50Ms = numberNeeded("--p50-ms", texts.p50Ms, positive, EXAMPLE);
  const p99Ms = numberNeeded("--p99-ms", texts.p99Ms, positive, EXAMPLE);
  const count = { atLeast: 1, kind: "whole" } as const;
  const optional = (option: string, text: string | undefined): number | undefined =>
    text === undefined ? undefined : numberOf(option, text, count);
  const workload = {
    ratePerS,
    p50Ms,
    p99Ms,
    hold: holdTimes(p50Ms, p99Ms, texts.meanMs),
    targetWaitRatio: numberOr("--target-wait", texts.targetWait, { above: 0, below: 1 }, 0.01),
    instances: numberOr("--instances", texts.instances, count, 1),
    surgeRatio: numberOr("--surge", texts.surge, { atLeast: 0, atMost: 1 }, 0),
    maxConnections: optional("--max-connections", texts.maxConnections),
    reserved: numberOr(
      "--reserved",
      texts.reserved,
      { atLeast: 0, kind: "whole" },
      RESERVED_DEFAULT,
    ),
    cores: optional("--cores", texts.cores),
  };
  checkLoad((ratePerS * workload.hold.meanMs) / 1000 / workload.instances);
  return workload;
}

/** More connections than one pool ever has: a unit was mistaken. */
const LOAD_MAX = 1000;

function checkLoad(load: number): void {
  if (load <= LOAD_MAX) return;
  throw new CliError(
    "LOAD_IMPOSSIBLE",
    `this load keeps ${figure(load)} connections of one pool busy on average`,
    "Check the units: --qps is a second, and the times are milliseconds.",
  );
}

/**
 * The lognormal distribution through both percentiles. A mean that the user has measured scales it:
 * the mean decides how many connections are in use, and the shape how unevenly.
 */
function holdTimes(p50Ms: number, p99Ms: number, meanText: string | undefined): HoldTimes {
  if (p99Ms < p50Ms) {
    throw new CliError(
      "LOAD_IMPOSSIBLE",
      `the p99 of ${duration(p99Ms)} is below the p50 of ${duration(p50Ms)}`,
      "Give --p50-ms the median and --p99-ms the 99th percentile of the same requests.",
    );
  }
  const { sigma, mean, cv2 } = lognormalFrom(p50Ms, p99Ms);
  if (meanText === undefined) {
    if (Number.isFinite(mean) && Number.isFinite(cv2)) {
      return { medianMs: p50Ms, sigma, meanMs: mean, cv2, meanFrom: "percentiles" };
    }
    throw new CliError(
      "LOAD_IMPOSSIBLE",
      `the p99 is ${figure(p99Ms / p50Ms)} times the p50, and no mean follows from that`,
      "Check the units of both, or size fast and slow requests as two pools.",
    );
  }
  const meanMs = numberOf("--mean-ms", meanText, { above: 0 });
  checkMean(meanMs, p50Ms, p99Ms);
  return { medianMs: (p50Ms * meanMs) / mean, sigma, meanMs, cv2, meanFrom: "given" };
}

/**
 * Half of all requests take the p50 or longer, and one in a hundred the p99 or longer: that is the
 * least that a mean can be. Upwards there is no such limit, but a mean above the p99 has always
 * been a mistake of units.
 */
function checkMean(meanMs: number, p50Ms: number, p99Ms: number): void {
  const leastMs = 0.49 * p50Ms + 0.01 * p99Ms;
  if (meanMs >= leastMs && meanMs <= p99Ms) return;
  const given = `a mean of ${duration(meanMs)}`;
  const what =
    meanMs < leastMs
      ? `${given} cannot be: half of the requests take ${duration(p50Ms)} or longer, and one in ` +
        `a hundred ${duration(p99Ms)}, so that the mean is at least ${duration(leastMs)}`
      : `${given} is above the p99 of ${duration(p99Ms)}`;
  throw new CliError(
    "LOAD_IMPOSSIBLE",
    what,
    "Take all three figures from the same requests, in milliseconds; or leave --mean-ms out.",
  );
}
