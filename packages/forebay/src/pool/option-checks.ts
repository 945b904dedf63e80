// The values of the pool's options: the defaults of each preset, and the checks that throw
// `OPTION_INVALID` on a bad value. A bad value is never repaired.

import { systemClock } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { SheddingOptions } from "./codel.ts";
import { HOOK_NAMES } from "./hooks.ts";
import type { BulkheadLimits } from "./lanes.ts";
import type { PoolLimits, PoolOptions, PoolPreset, PoolSettings } from "./options.ts";
import type { PoolWarning } from "./warnings.ts";

type Check = (value: unknown) => string | undefined;

const atLeast =
  (least: number, wants: string): Check =>
  (value) =>
    value === Infinity || (Number.isInteger(value) && Number(value) >= least) ? undefined : wants;

const finiteFrom =
  (least: number, wants: string): Check =>
  (value) =>
    value === Infinity ? wants : atLeast(least, wants)(value);

const duration: Check = (value) =>
  typeof value === "number" && value > 0
    ? undefined
    : "a number of milliseconds above 0, or Infinity";

const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    allowed.includes(String(value)) && typeof value === "string"
      ? undefined
      : allowed.map((word) => `"${word}"`).join(" or ");

function withMethods(...names: readonly string[]): Check {
  return (value) => {
    const object = Object(value) as Record<string, unknown>;
    const has = names.every((name) => typeof object[name] === "function");
    return has ? undefined : `an object with the methods ${names.join(", ")}`;
  };
}

const aFunction: Check = (value) => (typeof value === "function" ? undefined : "a function");

const shedding: Check = (value) => {
  const { targetMs, intervalMs } = Object(value) as Partial<SheddingOptions>;
  const has = [targetMs, intervalMs].every((ms) => Number.isFinite(ms) && Number(ms) > 0);
  return has ? undefined : "{ targetMs, intervalMs }, both numbers of milliseconds above 0";
};

const hooks: Check = (value) => {
  const wants = `an object with functions from ${HOOK_NAMES.join(", ")}`;
  if (typeof value !== "object" || value === null) return wants;
  const known: readonly string[] = HOOK_NAMES;
  const bad = Object.entries(value).find(
    ([name, hook]) => !known.includes(name) || (hook !== undefined && typeof hook !== "function"),
  );
  return bad === undefined ? undefined : wants;
};

const CHECKS: Readonly<Record<keyof (PoolLimits & PoolSettings) | "preset", Check>> = {
  maxOpenConns: atLeast(1, "a whole number from 1, or Infinity for no limit"),
  maxIdleConns: atLeast(0, "a whole number from 0 (0 keeps none), or Infinity"),
  minIdleConns: finiteFrom(0, "a whole number from 0"),
  connMaxLifetimeMs: duration,
  lifetimeJitterRatio: (value) =>
    typeof value === "number" && value >= 0 && value <= 1 ? undefined : "a number from 0 to 1",
  connMaxIdleTimeMs: duration,
  acquireTimeoutMs: duration,
  maxWaiters: atLeast(0, "a whole number from 0, or Infinity for no limit"),
  maxDialing: atLeast(1, "a whole number from 1, or Infinity for no limit"),
  idleOrder: oneOf("lifo", "fifo"),
  waiterOrder: oneOf("fifo", "random"),
  pingAfterIdleMs: duration,
  keepaliveMs: duration,
  dialErrors: oneOf("wait", "reject"),
  dialTimeoutMs: duration,
  resetTimeoutMs: duration,
  closeTimeoutMs: duration,
  pingTimeoutMs: duration,
  hookTimeoutMs: duration,
  shedding,
  leakAfterMs: duration,
  slowAcquireMs: duration,
  nestedAcquire: oneOf("allow", "warn", "reject"),
  preset: oneOf("default", "go"),
  hooks,
  name: (value) => (typeof value === "string" ? undefined : "a string"),
  onBackgroundError: aFunction,
  onWarning: aFunction,
  clock: withMethods("nowMs", "setTimer", "afterIo"),
  random: withMethods("next"),
};

const BULKHEAD_CHECKS: Readonly<Record<keyof BulkheadLimits, Check>> = {
  maxInUse: atLeast(1, "a whole number from 1, or Infinity for what the pool has"),
  reserved: finiteFrom(0, "a whole number from 0"),
  maxWaiting: atLeast(0, "a whole number from 0, or Infinity for no limit"),
  priority: (value) => (Number.isSafeInteger(value) ? undefined : "a whole number"),
};

const LIMITS: Readonly<Record<PoolPreset, Omit<PoolLimits, "minIdleConns">>> = {
  default: {
    maxOpenConns: 10,
    maxIdleConns: Infinity,
    connMaxLifetimeMs: 30 * 60_000,
    lifetimeJitterRatio: 0.1,
    connMaxIdleTimeMs: 10 * 60_000,
    acquireTimeoutMs: 10_000,
    maxWaiters: Infinity,
    maxDialing: 4,
    idleOrder: "lifo",
    waiterOrder: "fifo",
    pingAfterIdleMs: 30_000,
    keepaliveMs: Infinity,
    dialErrors: "wait",
  },
  go: {
    maxOpenConns: Infinity,
    maxIdleConns: 2,
    connMaxLifetimeMs: Infinity,
    lifetimeJitterRatio: 0,
    connMaxIdleTimeMs: Infinity,
    acquireTimeoutMs: Infinity,
    maxWaiters: Infinity,
    maxDialing: Infinity,
    idleOrder: "lifo",
    waiterOrder: "random",
    pingAfterIdleMs: Infinity,
    keepaliveMs: Infinity,
    dialErrors: "reject",
  },
};

/**
 * Throws `OPTION_INVALID` unless each limit may have its new value, and what the bulkheads reserve
 * leaves something to the others.
 */
export function checkLimits(
  change: Partial<PoolLimits>,
  present: PoolLimits,
  reserved: number,
): void {
  for (const [name, value] of Object.entries(change)) {
    if (!Object.hasOwn(present, name)) {
      const known = Object.keys(present).join(", ");
      throw new UsageError("OPTION_INVALID", `${name} cannot be changed. Known: ${known}`);
    }
    check(CHECKS, name, value);
  }
  checkReserved(reserved, change.maxOpenConns ?? present.maxOpenConns);
}

/** Throws `OPTION_INVALID` unless `count` is a whole number from 0 to `most`. */
export function checkCount(what: string, count: unknown, most: number): void {
  if (Number.isInteger(count) && Number(count) >= 0 && Number(count) <= most) return;
  const wants = `a whole number from 0 to ${most}, which is as many as may be idle`;
  throw new UsageError("OPTION_INVALID", `the count of ${what} must be ${wants}`);
}

/**
 * Throws `OPTION_INVALID` unless the value may be a drainTimeoutMs, which unlike other durations
 * may be 0.
 */
export function checkDrainTimeout(value: unknown): void {
  const wants = value === 0 ? undefined : duration(value);
  if (wants === undefined) return;
  throw new UsageError("OPTION_INVALID", `drainTimeoutMs must be 0 or ${wants}`);
}

/**
 * Fills in the defaults. Throws `OPTION_INVALID` on an unknown option, a bad value, or values that
 * contradict each other.
 */
export function resolveOptions<C extends PooledConn>(
  options: PoolOptions<C>,
  connectorName: string,
): { limits: PoolLimits; settings: PoolSettings<C> } {
  checkAll("pool option", CHECKS, options);
  const given = withoutUndefined(options);
  const { preset = "default" } = given;
  const limits: PoolLimits = {
    ...LIMITS[preset],
    minIdleConns: 0,
    ...only(Object.keys(LIMITS.default).concat("minIdleConns"), given),
  };
  checkTogether(limits);
  const settings: PoolSettings<C> = {
    name: connectorName,
    dialTimeoutMs: 15_000,
    resetTimeoutMs: 5000,
    closeTimeoutMs: 15_000,
    pingTimeoutMs: 2000,
    hookTimeoutMs: 5000,
    hooks: {},
    shedding: undefined,
    leakAfterMs: Infinity,
    slowAcquireMs: Infinity,
    nestedAcquire: "allow",
    clock: systemClock,
    random: systemRandom,
    onWarning: warnProcess,
    ...given,
    onBackgroundError: neverThrowing(options.onBackgroundError),
  };
  return { limits, settings };
}

/**
 * Fills in the limits of a bulkhead: first from `present`, then the defaults. Throws
 * `OPTION_INVALID` on an unknown limit, a bad value, values that contradict each other, or a
 * reserve that leaves the others nothing of maxOpenConns.
 */
export function resolveBulkhead(
  change: Partial<BulkheadLimits>,
  present: BulkheadLimits | undefined,
  reservedBeside: number,
  maxOpenConns: number,
): BulkheadLimits {
  checkAll("bulkhead limit", BULKHEAD_CHECKS, change);
  const limits: BulkheadLimits = {
    maxInUse: Infinity,
    reserved: 0,
    maxWaiting: Infinity,
    priority: 0,
    ...present,
    ...withoutUndefined(change),
  };
  const { reserved, maxInUse } = limits;
  if (reserved > maxInUse) {
    const message = `reserved ${reserved} can never be used with maxInUse ${maxInUse}`;
    throw new UsageError("OPTION_INVALID", `${message}. Lower it, or raise maxInUse`);
  }
  checkReserved(reservedBeside + reserved, maxOpenConns);
  return limits;
}

/** Throws `OPTION_INVALID` unless the reserves leave at least one connection to all others. */
export function checkReserved(reserved: number, maxOpenConns: number): void {
  if (reserved < maxOpenConns) return;
  throw new UsageError(
    "OPTION_INVALID",
    `the bulkheads reserve ${reserved} of ${maxOpenConns} connections, which leaves none to all ` +
      "else. Reserve less, or raise maxOpenConns",
  );
}

function checkAll(
  what: string,
  checks: Readonly<Record<string, Check>>,
  values: Readonly<object>,
): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Object.hasOwn(checks, name)) {
      const known = Object.keys(checks).join(", ");
      throw new UsageError("OPTION_INVALID", `no ${what} is called ${name}. Known: ${known}`);
    }
    if (value !== undefined) check(checks, name, value);
  }
}

function check(checks: Readonly<Record<string, Check>>, name: string, value: unknown): void {
  const wants = checks[name]?.(value);
  if (wants !== undefined) {
    throw new UsageError("OPTION_INVALID", `${name} must be ${wants}, not ${describe(value)}`);
  }
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  const names = typeof value === "object" && !Array.isArray(value) ? Object.keys(value ?? {}) : [];
  if (names.length > 0) return `{ ${names.join(", ")} }`;
  return typeof value === "number" || typeof value === "bigint" ? String(value) : typeof value;
}

/** The properties that are there; one that is `undefined` counts as left out. */
type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(values: T): Given<T> {
  const there = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(there) as Given<T>;
}

function only<T extends object>(names: readonly string[], values: T): Partial<T> {
  const named = Object.entries(values).filter(([name]) => names.includes(name));
  return Object.fromEntries(named) as Partial<T>;
}

function warnProcess({ kind, message, stack }: PoolWarning): void {
  // A stall is nobody's mistake, and happens to every process once in a while.
  if (kind !== "stall")
    process.emitWarning(message, { type: "ForebayPoolWarning", detail: stack ?? "" });
}

/** The pool must be able to report in the middle of anything. */
function neverThrowing(
  report: PoolSettings["onBackgroundError"] | undefined,
): PoolSettings["onBackgroundError"] {
  return (error, task) => {
    try {
      report?.(error, task);
    } catch (thrown) {
      process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
    }
  };
}

function checkTogether(limits: PoolLimits): void {
  const { minIdleConns, maxIdleConns, maxOpenConns } = limits;
  if (minIdleConns > Math.min(maxIdleConns, maxOpenConns)) {
    throw new UsageError(
      "OPTION_INVALID",
      `minIdleConns ${minIdleConns} can never be kept with maxIdleConns ${maxIdleConns} ` +
        `and maxOpenConns ${maxOpenConns}. Lower it, or raise those`,
    );
  }
}
