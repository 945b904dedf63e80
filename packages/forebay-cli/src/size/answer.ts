// The arithmetic of a pool's size: how many connections the load needs, what the fleet and the
// server's cores leave, and which of the three decides. Pure.

import { CliError } from "../errors.ts";
import {
  erlangC,
  meanWait,
  meanWaitLognormal,
  poissonTail,
  quantileOfWaits,
  serversFor,
} from "../lab/queueing.ts";
import { counted, figure } from "../lab/words.ts";
import type { Workload } from "./workload.ts";

/** What theory expects of one size. */
export interface Expectation {
  readonly connections: number;
  /** The share of requests that waits: Erlang's delay formula. */
  readonly waitedRatio: number;
  /** Over all requests, also those that do not wait: Tijms, van Hoorn and Federgruen. */
  readonly meanWaitMs: number;
  /**
   * The same by Allen and Cunneen, which is what textbooks give: the farther off, the more uneven
   * the hold times and the lower the utilisation.
   */
  readonly allenCunneenMs: number;
  readonly waitP99Ms: number;
}

/** What the server's max_connections leaves for each pool. */
export interface FleetCap {
  /** Connections for each pool. */
  readonly connections: number;
  /** Connections for all pools together. */
  readonly usable: number;
  /** Instances while a new version replaces the old one. */
  readonly instancesMost: number;
}

/** What the server's cores say. */
export interface CoresCap {
  /** So many connections at once make the server faster; more only take turns. */
  readonly activeMost: number;
  /** How many are in use at once in 99 of 100 moments, in all pools, if nobody has to wait. */
  readonly activeP99: number;
  /** On average. */
  readonly activeMean: number;
  /**
   * `fits`: the load seldom needs more. `shared`: it does, and each pool gets its share.
   * `indivisible`: it does, and a share would be less than a pool's own load.
   */
  readonly state: "fits" | "shared" | "indivisible";
  /** Connections for each pool; only where `state` is `shared`. */
  readonly connections?: number;
}

/** What decides the size. */
export type Binding = "load" | "fleet" | "cores";

/** The answer. */
export interface SizeAnswer {
  /** Connections in use on average, in one pool: Little's law. */
  readonly load: number;
  /** What comes of the median in place of the mean: the usual mistake. */
  readonly loadByMedian: number;
  /** The fewest connections with which no more than the target waits. */
  readonly need: number;
  readonly fleet: FleetCap | undefined;
  readonly cores: CoresCap | undefined;
  readonly binding: Binding;
  /** The size to set. */
  readonly connections: number;
  readonly expected: Expectation;
  /** Sizes around the needed and the chosen one. */
  readonly table: readonly Expectation[];
  readonly settings: Settings;
}

/** Settings to copy. */
export interface Settings {
  readonly maxOpenConns: number;
  readonly maxIdleConns: number;
  readonly acquireTimeoutMs: number;
  readonly maxWaiters: number;
}

/** Sizes the pool. Throws a `CliError` of code `LOAD_UNSTABLE` where no size can carry the load. */
export function answerSize(workload: Workload): SizeAnswer {
  const { targetWaitRatio } = workload;
  const load = loadOf(workload);
  const need = serversFor(load, targetWaitRatio);
  const fleet = fleetCap(workload, load);
  const cores = coresCap(workload, load);
  const caps: (readonly [Binding, number])[] = [["load", need]];
  if (fleet !== undefined) caps.push(["fleet", fleet.connections]);
  if (cores?.connections !== undefined) caps.push(["cores", cores.connections]);
  const [binding, connections] = caps.reduce((least, cap) => (cap[1] < least[1] ? cap : least));
  const sizes = new Set([...aroundNeed(load, need), connections]);
  return {
    load,
    loadByMedian: (load * workload.p50Ms) / workload.hold.meanMs,
    need,
    fleet,
    cores,
    binding,
    connections,
    expected: expectationOf(workload, connections),
    table: [...sizes].sort((a, b) => a - b).map((size) => expectationOf(workload, size)),
    settings: settingsFor(workload, connections),
  };
}

/** Connections of one pool in use on average, were there enough: Little's law. */
export function loadOf({ ratePerS, hold, instances }: Workload): number {
  return (ratePerS * hold.meanMs) / 1000 / instances;
}

/** What theory expects of a pool of this size. Waits are `Infinity` where they grow without end. */
export function expectationOf(workload: Workload, connections: number): Expectation {
  const { hold } = workload;
  const load = loadOf(workload);
  const service = { mean: hold.meanMs, cv2: hold.cv2, sigma: hold.sigma };
  const waitedRatio = erlangC(connections, load);
  const meanWaitMs = meanWaitLognormal(connections, load, service);
  return {
    connections,
    waitedRatio,
    meanWaitMs,
    allenCunneenMs: meanWait(connections, load, service),
    waitP99Ms: quantileOfWaits(waitedRatio, meanWaitMs, 0.99),
  };
}

const TABLE_ROWS = 7;

/** Some sizes from the least that is stable to a little above the needed one. */
function aroundNeed(load: number, need: number): number[] {
  const least = Math.floor(load) + 1;
  const most = need + Math.max(1, Math.round((need - load) / 4));
  const step = Math.max(1, Math.ceil((most - least) / (TABLE_ROWS - 1)));
  const sizes: number[] = [];
  for (let size = need; size >= least; size -= step) sizes.unshift(size);
  return [...sizes, most];
}

function fleetCap(workload: Workload, load: number): FleetCap | undefined {
  const { maxConnections, reserved, instances, surgeRatio } = workload;
  if (maxConnections === undefined) return undefined;
  const usable = Math.max(0, maxConnections - reserved);
  // The fraction of an instance is one more; a rounding error of a product is not.
  const instancesMost = Math.ceil(instances * (1 + surgeRatio) - 1e-9);
  const connections = Math.floor(usable / instancesMost);
  if (connections > load) return { connections, usable, instancesMost };
  throw new CliError(
    "LOAD_UNSTABLE",
    `max_connections leaves ${counted(connections, "connection")} for each instance (` +
      `${figure(usable)} for ${counted(instancesMost, "instance")}), and its load keeps ` +
      `${figure(load)} busy on average`,
    "With any pool of that size, waits grow without end: raise max_connections, put a pooler " +
      "such as PgBouncer in between, or hold connections for less time.",
  );
}

/**
 * Connections that are of use at once to a server of so many cores: twice the cores, and one for
 * the disk. The PostgreSQL wiki, "Number Of Database Connections", after Kevin Grittner:
 * "((core_count
 * * 2) + effective_spindle_count)", with one for solid-state storage.
 */
export function activeMostFor(cores: number): number {
  return 2 * cores + 1;
}

/** How seldom more than that many may be wanted before the cores count as a limit. */
const ACTIVE_TAIL_RATIO = 0.01;

/**
 * The rule speaks of connections that are active at once, not of those that are open. With as many
 * connections as anybody wants, the number in use is Poisson-distributed, whatever the distribution
 * of hold times (M/G/infinity): so it can be said how often the rule is exceeded.
 */
function coresCap(workload: Workload, load: number): CoresCap | undefined {
  const { cores, instances } = workload;
  if (cores === undefined) return undefined;
  const activeMost = activeMostFor(cores);
  const activeMean = load * instances;
  if (activeMean >= activeMost) throw tooFewCores(activeMean, cores);
  let activeP99 = Math.floor(activeMean);
  while (poissonTail(activeMean, activeP99) > ACTIVE_TAIL_RATIO) activeP99++;
  const about = { activeMost, activeP99, activeMean };
  if (activeP99 <= activeMost) return { ...about, state: "fits" };
  const connections = Math.floor(activeMost / instances);
  if (connections <= load) return { ...about, state: "indivisible" };
  return { ...about, state: "shared", connections };
}

function tooFewCores(activeMean: number, cores: number): CliError {
  return new CliError(
    "LOAD_UNSTABLE",
    `all instances together keep ${counted(activeMean, "connection")} busy on average, and more ` +
      `than ${activeMostFor(cores)} at once are of no use to ${counted(cores, "core")}`,
    "If the time is spent computing in the server, no pool helps: make the queries cheaper, or " +
      "add cores. If it is spent waiting (locks, network, code that holds a connection), leave " +
      "--cores out.",
  );
}

const ACQUIRE_TIMEOUT_MS = { least: 1000, most: 10_000, p99s: 20 } as const;

/**
 * The wait for a connection ends after twenty times the p99 of a request, within 1 and 10 seconds:
 * no steady load waits so long, and a dial fits in. The queue is as long as can be served by then.
 */
export function settingsFor(workload: Workload, connections: number): Settings {
  const { least, most, p99s } = ACQUIRE_TIMEOUT_MS;
  const wantedMs = Math.ceil((p99s * workload.p99Ms) / 500) * 500;
  const acquireTimeoutMs = Math.min(Math.max(wantedMs, least), most);
  const servedMeanwhile = (connections * acquireTimeoutMs) / workload.hold.meanMs;
  return {
    maxOpenConns: connections,
    maxIdleConns: connections,
    acquireTimeoutMs,
    maxWaiters: Math.max(connections, roundDown(servedMeanwhile)),
  };
}

/**
 * Rounds down to two figures: a limit of 4,062 would look as if the last figure meant something.
 */
function roundDown(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, value))) - 1);
  return Math.floor(value / unit) * unit;
}
