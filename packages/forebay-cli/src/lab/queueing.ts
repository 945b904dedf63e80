// Queueing theory: what the measured arms are predicted to show. Pure functions. Loads are in
// erlangs (requests in service on average), times in any one unit.

import type { LabRandom } from "./random.ts";

/** The lognormal distribution that has this median and this 99th percentile. */
export interface LognormalShape {
  readonly sigma: number;
  readonly mean: number;
  /** Squared coefficient of variation: variance divided by the square of the mean. */
  readonly cv2: number;
}

const Z_99 = 2.3263478740408408;

/**
 * The lognormal distribution with the given median and 99th percentile: sigma = ln(p99 / p50) /
 * 2.326, mean = p50 e^(sigma^2 / 2), cv^2 = e^(sigma^2) - 1. Johnson, Kotz, Balakrishnan,
 * Continuous Univariate Distributions 1 (1994), ch. 14.
 */
export function lognormalFrom(p50: number, p99: number): LognormalShape {
  const sigma = Math.log(p99 / p50) / Z_99;
  return { sigma, mean: p50 * Math.exp(sigma ** 2 / 2), cv2: Math.exp(sigma ** 2) - 1 };
}

/**
 * Erlang's loss formula B(c, a): the share of requests turned away by `servers` servers without a
 * queue. By the recursion B(n) = a B(n-1) / (n + a B(n-1)), which is stable. A. K. Erlang (1917);
 * Cooper, Introduction to Queueing Theory, 2nd ed. (1981), sec. 3.2 and 5.3.
 */
export function erlangB(servers: number, load: number): number {
  let blocked = 1;
  for (let count = 1; count <= servers; count++) {
    blocked = (load * blocked) / (count + load * blocked);
  }
  return blocked;
}

/**
 * Erlang's delay formula C(c, a): the share of requests that must wait in M/M/c. 1 where the load
 * is not below the number of servers. C = B / (1 - rho (1 - B)), rho = a / c. Exact for Poisson
 * arrivals and exponential service, and for the share that waits, close for any service time.
 * Erlang (1917); Cooper (1981), sec. 3.5.
 */
export function erlangC(servers: number, load: number): number {
  if (load <= 0) return 0;
  if (load >= servers) return 1;
  const blocked = erlangB(servers, load);
  return blocked / (1 - (load / servers) * (1 - blocked));
}

/**
 * The mean wait in a queue with general arrivals and service, by Allen and Cunneen: that of M/M/c,
 * times the mean of the squared coefficients of variation of arrivals and of service. A. O. Allen,
 * Probability, Statistics and Queueing Theory, 2nd ed. (1990), sec. 5.3. Exact for M/G/1; usually
 * within 10 to 20 per cent elsewhere. Infinity where the load is not below the number of servers.
 */
export function meanWait(
  servers: number,
  load: number,
  service: { readonly mean: number; readonly cv2: number },
  arrivalCv2 = 1,
): number {
  if (load >= servers) return Infinity;
  const waits = erlangC(servers, load);
  const exponential = (waits * service.mean) / (servers - load);
  return (exponential * (arrivalCv2 + service.cv2)) / 2;
}

/**
 * The mean wait with Poisson arrivals and lognormal service, by Tijms, van Hoorn and Federgruen,
 * "Approximations for the steady-state probabilities in the M/G/c queue", Adv. Appl. Prob. 13
 * (1981): between `meanWait`, which it becomes near saturation, and what is exact in light traffic,
 * where who waits waits for the first of `servers` requests to end. Within a few per cent, where
 * Allen and Cunneen are off by a third and more at low utilisation.
 */
export function meanWaitLognormal(
  servers: number,
  load: number,
  service: { readonly mean: number; readonly sigma: number },
): number {
  if (load >= servers) return Infinity;
  const exponential = (erlangC(servers, load) * service.mean) / (servers - load);
  const heavy = Math.exp(service.sigma ** 2) / 2;
  const light = servers * leastResidual(servers, service.sigma);
  const utilisationRatio = load / servers;
  return exponential * ((1 - utilisationRatio) * light + utilisationRatio * heavy);
}

const RESIDUAL_STEPS = 2000;

/**
 * The mean of the least of `count` residual service times of requests that are met at random, for
 * lognormal service with a mean of 1: the integral of P(residual > x)^count, on a logarithmic axis.
 */
function leastResidual(count: number, sigma: number): number {
  if (sigma === 0) return 1 / (count + 1);
  const mu = -(sigma ** 2) / 2;
  const from = Math.min(-14, mu);
  const step = (mu + sigma * (sigma + 8) + 2 - from) / RESIDUAL_STEPS;
  let sum = Math.exp(from);
  for (let at = from + step / 2, done = 0; done < RESIDUAL_STEPS; at += step, done++) {
    const z = (at - mu) / sigma;
    const beyond = Math.max(0, normalCdf(sigma - z) - Math.exp(at) * normalCdf(-z));
    sum += beyond ** count * Math.exp(at) * step;
  }
  return sum;
}

/**
 * The standard normal distribution function, to seven figures of its smaller tail: Press et al.,
 * Numerical Recipes, 2nd ed. (1992), `erfcc`.
 */
function normalCdf(value: number): number {
  const x = Math.abs(value) / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const terms = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
    1.48851587, -0.82215223, 0.17087277,
  ];
  const tail = (t * Math.exp(-x * x + terms.reduceRight((sum, term) => sum * t + term, 0))) / 2;
  return value >= 0 ? 1 - tail : tail;
}

/**
 * The wait that a share `quantile` of the requests does not exceed, taking the waits of those that
 * wait as exponential: exact for M/M/c, elsewhere as good as `meanWait`. 0 where fewer than that
 * share wait at all.
 */
export function waitQuantile(
  servers: number,
  load: number,
  service: { readonly mean: number; readonly cv2: number },
  quantile: number,
): number {
  return quantileOfWaits(erlangC(servers, load), meanWait(servers, load, service), quantile);
}

/**
 * The wait that a share `quantile` of the requests does not exceed, when a share `waitedRatio`
 * waits, the mean over all is `mean`, and the waits of those that wait are exponential.
 */
export function quantileOfWaits(waitedRatio: number, mean: number, quantile: number): number {
  if (waitedRatio <= 1 - quantile) return 0;
  return (mean / waitedRatio) * Math.log(waitedRatio / (1 - quantile));
}

/**
 * The fewest servers with which at most a share `target` of the requests waits, by Erlang's delay
 * formula.
 */
export function serversFor(load: number, target: number): number {
  let servers = Math.max(1, Math.floor(load) + 1);
  while (erlangC(servers, load) > target) servers++;
  return servers;
}

/**
 * The share of time in which more than `count` requests are in service when none ever waits: those
 * of M/G/infinity are Poisson-distributed, whatever the service time. Cooper (1981), sec. 5.2.
 */
export function poissonTail(load: number, count: number): number {
  // In logarithms, since factorials are soon beyond every number.
  let below = 0;
  let logFactorial = 0;
  for (let at = 0; at <= count; at++) {
    if (at > 0) logFactorial += Math.log(at);
    below += Math.exp(at * Math.log(load) - load - logFactorial);
  }
  return Math.max(0, 1 - below);
}

/** What a burst above capacity leads to, in the fluid model: work as a liquid, no randomness. */
export interface FluidBurst {
  /** Requests that wait when the burst ends. */
  readonly backlog: number;
  /** The wait of the last request of the burst. */
  readonly longestWait: number;
  /** From the end of the burst until nothing waits, if nothing more arrives. */
  readonly drain: number;
}

/**
 * The backlog that a burst leaves: (rate - capacity) times its duration, and how long it takes to
 * serve. Newell, Applications of Queueing Theory, 2nd ed. (1982), ch. 2. Rates per unit of time.
 */
export function fluidBurst(arrivalRate: number, serviceRate: number, burst: number): FluidBurst {
  const backlog = Math.max(0, (arrivalRate - serviceRate) * burst);
  return { backlog, longestWait: backlog / serviceRate, drain: backlog / serviceRate };
}

/** What the ideal queue did with given arrivals. */
export interface IdealQueue {
  /** The wait of each request. */
  readonly waits: Float64Array;
  /** The share of requests that waited. */
  readonly waitedRatio: number;
}

/**
 * The waits of given requests in an ideal queue: first come first served, `servers` servers, no
 * overhead. By the recursion of Kiefer and Wolfowitz, "On the theory of queues with many servers",
 * Trans. AMS 78 (1955), on the moments at which each server is next free. `arrivals` must be in
 * order. A wait below `negligible` counts as none.
 */
export function idealQueue(
  servers: number,
  arrivals: ArrayLike<number>,
  services: ArrayLike<number>,
  negligible = 0,
): IdealQueue {
  const freeAt = new Float64Array(servers).fill(-Infinity);
  const waits = new Float64Array(arrivals.length);
  let waited = 0;
  for (let index = 0; index < arrivals.length; index++) {
    const at = arrivals[index] ?? 0;
    let earliest = 0;
    for (let server = 1; server < servers; server++) {
      if ((freeAt[server] ?? 0) < (freeAt[earliest] ?? 0)) earliest = server;
    }
    const begins = Math.max(at, freeAt[earliest] ?? 0);
    freeAt[earliest] = begins + (services[index] ?? 0);
    waits[index] = begins - at;
    if (begins - at > negligible) waited++;
  }
  return { waits, waitedRatio: arrivals.length === 0 ? 0 : waited / arrivals.length };
}

/**
 * The share of requests that waits in the long run in the ideal queue with Poisson arrivals, when
 * the service times are like the given ones: by simulation of `requests` requests, the first tenth
 * left out. `meanGap` is the mean time between arrivals.
 */
export function longRunWaitedRatio(
  servers: number,
  meanGap: number,
  services: ArrayLike<number>,
  random: LabRandom,
  requests = 400_000,
): number {
  const arrivals = new Float64Array(requests);
  const drawn = new Float64Array(requests);
  let at = 0;
  for (let index = 0; index < requests; index++) {
    at += -meanGap * Math.log(1 - random.next());
    arrivals[index] = at;
    drawn[index] = services[Math.floor(random.next() * services.length)] ?? 0;
  }
  const { waits } = idealQueue(servers, arrivals, drawn);
  const settled = waits.subarray(Math.floor(requests / 10));
  return settled.reduce((count, wait) => count + (wait > 0 ? 1 : 0), 0) / settled.length;
}

/** A fit of Gunther's law of scalability. */
export interface UslFit {
  /** Throughput of one server. */
  readonly single: number;
  /** Contention. */
  readonly sigma: number;
  /** Coherency. */
  readonly kappa: number;
  /**
   * The size beyond which throughput falls: sqrt((1 - sigma) / kappa); Infinity when kappa is 0.
   */
  readonly peak: number;
}

/**
 * Fits the Universal Scalability Law X(n) = g n / (1 + sigma (n - 1) + kappa n (n - 1)) to points
 * [n, X], of which one must have n = 1. By Gunther's own transformation, n / (X(n) / X(1)) - 1 =
 * (sigma + kappa)(n - 1) + kappa (n - 1)^2, least squares through the origin. N. J. Gunther,
 * Guerrilla Capacity Planning (2007), ch. 5. Describes; do not extrapolate. sigma and kappa are at
 * least 0.
 */
export function fitUsl(points: readonly (readonly [number, number])[]): UslFit | undefined {
  const single = points.find(([size]) => size === 1)?.[1];
  const rest = points.filter(([size]) => size > 1);
  if (single === undefined || rest.length < 2) return undefined;
  let xx = 0;
  let xz = 0;
  let zz = 0;
  let xy = 0;
  let zy = 0;
  for (const [size, throughput] of rest) {
    const x = size - 1;
    const z = x * x;
    const y = size / (throughput / single) - 1;
    xx += x * x;
    xz += x * z;
    zz += z * z;
    xy += x * y;
    zy += z * y;
  }
  const determinant = xx * zz - xz * xz;
  const quadratic = Math.max(0, determinant === 0 ? 0 : (xx * zy - xz * xy) / determinant);
  const linear = (xy - quadratic * xz) / xx;
  const kappa = quadratic;
  const sigma = Math.max(0, linear - kappa);
  return { single, sigma, kappa, peak: kappa === 0 ? Infinity : Math.sqrt((1 - sigma) / kappa) };
}

/**
 * The mean wait for a connection in a closed load without think time: those of the `callers` who
 * have none of the `size` connections wait, so that a request waits (callers - size) / throughput.
 * 0 where there are connections for all.
 */
export function closedWaitMs(run: {
  readonly callers: number;
  readonly size: number;
  readonly requests: number;
  readonly durationMs: number;
}): number {
  return (Math.max(0, run.callers - run.size) * run.durationMs) / run.requests;
}
