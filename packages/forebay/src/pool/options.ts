// The pool's options: what each means, its default and the reason for it, and the check that throws
// on a bad value.

import { type Clock, systemClock } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { type Random, systemRandom } from "../base/random.ts";
import type { WaiterOrder } from "./waiters.ts";

/** Which idle connection is handed out: the one used last, or the one idle longest. */
export type IdleOrder = "lifo" | "fifo";

/** The options that may be changed while the pool works, each by its setter. */
export interface PoolLimits {
  /**
   * At most this many connections at once, counting those being opened and those not yet closed.
   * `Infinity` for no limit (0 in Go). At least 1.
   * @defaultValue 10: what a PostgreSQL server of a few cores serves best, and what Node users know
   * from other pools
   */
  readonly maxOpenConns: number;
  /**
   * At most this many idle connections; one more is closed when it comes back. Never more than
   * maxOpenConns in effect, whatever is set here. 0 keeps none.
   * @defaultValue maxOpenConns: closing a connection only to dial it again costs about ninety
   * queries
   */
  readonly maxIdleConns: number;
  /**
   * Keeps at least this many idle, opened in the background. In effect never more than
   * maxIdleConns.
   * @defaultValue 0
   */
  readonly minIdleConns: number;
  /**
   * A connection this old is closed as soon as nobody uses it; never one in use. Each gets its own
   * limit, up to 10 % earlier, so that connections opened together do not expire together.
   * `Infinity` for never (0 in Go).
   * @defaultValue 30 minutes: soon enough to follow a change of address or of secret
   */
  readonly connMaxLifetimeMs: number;
  /**
   * A connection idle for this long is closed, unless minIdleConns needs it. `Infinity` for never
   * (0 in Go).
   * @defaultValue 10 minutes
   */
  readonly connMaxIdleTimeMs: number;
  /**
   * How long an acquire waits, for a connection to come back or to be opened. `Infinity` for ever;
   * 0 is not allowed. A change counts for acquires that begin after it.
   * @defaultValue 10 seconds: less patience than most HTTP clients have
   */
  readonly acquireTimeoutMs: number;
  /**
   * At most this many acquires wait for a connection to come back; one more is refused at once.
   * Those for which a connection is being opened, or could be, do not count. A change turns nobody
   * away who waits already.
   * @defaultValue `Infinity`: the timeout is limit enough for most
   */
  readonly maxWaiters: number;
  /**
   * At most this many connections are being opened at once. While the server refuses, one only.
   * @defaultValue 4: enough to come back at once after a restart, too few to stampede
   */
  readonly maxDialing: number;
  /**
   * `lifo` lets a pool shrink after a burst, as the rest stay idle; `fifo` spreads use over all.
   * @defaultValue `"lifo"`
   */
  readonly idleOrder: IdleOrder;
  /**
   * `fifo` bounds how long anyone waits; `random` is what database/sql does.
   * @defaultValue `"fifo"`
   */
  readonly waiterOrder: WaiterOrder;
}

/** What the pool does in the background, where a failure has no caller to be told. */
export type BackgroundTask = "dial" | "reset" | "close" | "discard";

/** The options that are fixed when the pool is made. */
export interface PoolSettings {
  /** For messages and metrics. @defaultValue the connector's name */
  readonly name: string;
  /** How long one dial may take. @defaultValue 15 seconds */
  readonly dialTimeoutMs: number;
  /**
   * How long making a returned session fit may take; then the connection is closed. @defaultValue 5
   * seconds
   */
  readonly resetTimeoutMs: number;
  /**
   * How long closing one connection may take. After that the pool counts it as gone and gives its
   * slot away, so that a connection that cannot be closed costs no capacity for ever. @defaultValue
   * 15 seconds
   */
  readonly closeTimeoutMs: number;
  /**
   * Told of errors that no caller can be told: a session that could not be made fit, a connection
   * that could not be closed, or was discarded for a reason. Statistics count what followed. What
   * it throws becomes a warning of the process. @defaultValue nothing is done
   */
  readonly onBackgroundError: (error: unknown, task: BackgroundTask) => void;
  /** @defaultValue the process's own */
  readonly clock: Clock;
  /** @defaultValue the process's own */
  readonly random: Random;
}

/** Everything that a pool can be told. All may be left out. */
export type PoolOptions = {
  readonly [K in keyof (PoolLimits & PoolSettings)]?: (PoolLimits & PoolSettings)[K] | undefined;
};

/** The share of the lifetime by which a connection may expire early. */
export const LIFETIME_JITTER_RATIO: number = 0.1;

type Check = (value: unknown) => string | undefined;

const atLeast =
  (least: number, wants: string): Check =>
  (value) =>
    value === Infinity || (Number.isInteger(value) && Number(value) >= least) ? undefined : wants;

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

const CHECKS: Readonly<Record<keyof PoolLimits, Check>> & Readonly<Record<string, Check>> = {
  maxOpenConns: atLeast(1, "a whole number from 1, or Infinity for no limit"),
  maxIdleConns: atLeast(0, "a whole number from 0 (0 keeps none), or Infinity"),
  minIdleConns: (value) =>
    value === Infinity ? "a whole number from 0" : atLeast(0, "a whole number from 0")(value),
  connMaxLifetimeMs: duration,
  connMaxIdleTimeMs: duration,
  acquireTimeoutMs: duration,
  maxWaiters: atLeast(0, "a whole number from 0, or Infinity for no limit"),
  maxDialing: atLeast(1, "a whole number from 1, or Infinity for no limit"),
  idleOrder: oneOf("lifo", "fifo"),
  waiterOrder: oneOf("fifo", "random"),
  dialTimeoutMs: duration,
  resetTimeoutMs: duration,
  closeTimeoutMs: duration,
  name: (value) => (typeof value === "string" ? undefined : "a string"),
  onBackgroundError: (value) => (typeof value === "function" ? undefined : "a function"),
  clock: withMethods("nowMs", "setTimer", "afterIo"),
  random: withMethods("next"),
};

/** Throws `OPTION_INVALID` unless the value is one that the option may have. */
export function checkOption(option: string, value: unknown): void {
  const wants = CHECKS[option]?.(value);
  if (wants !== undefined) {
    throw new UsageError("OPTION_INVALID", `${option} must be ${wants}, not ${describe(value)}`);
  }
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

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  return typeof value === "number" || typeof value === "bigint" ? String(value) : typeof value;
}

/**
 * Fills in the defaults. Throws `OPTION_INVALID` on an unknown option, a bad value, or values that
 * contradict each other.
 */
export function resolveOptions(
  options: PoolOptions,
  connectorName: string,
): { limits: PoolLimits; settings: PoolSettings } {
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(CHECKS, option)) {
      const known = Object.keys(CHECKS).join(", ");
      throw new UsageError("OPTION_INVALID", `no pool option is called ${option}. Known: ${known}`);
    }
    if (value !== undefined) checkOption(option, value);
  }
  const maxOpenConns = options.maxOpenConns ?? 10;
  const limits: PoolLimits = {
    maxOpenConns,
    maxIdleConns: options.maxIdleConns ?? Infinity,
    minIdleConns: options.minIdleConns ?? 0,
    connMaxLifetimeMs: options.connMaxLifetimeMs ?? 30 * 60_000,
    connMaxIdleTimeMs: options.connMaxIdleTimeMs ?? 10 * 60_000,
    acquireTimeoutMs: options.acquireTimeoutMs ?? 10_000,
    maxWaiters: options.maxWaiters ?? Infinity,
    maxDialing: options.maxDialing ?? 4,
    idleOrder: options.idleOrder ?? "lifo",
    waiterOrder: options.waiterOrder ?? "fifo",
  };
  checkTogether(limits);
  const settings: PoolSettings = {
    name: options.name ?? connectorName,
    dialTimeoutMs: options.dialTimeoutMs ?? 15_000,
    resetTimeoutMs: options.resetTimeoutMs ?? 5000,
    closeTimeoutMs: options.closeTimeoutMs ?? 15_000,
    onBackgroundError: neverThrowing(options.onBackgroundError),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
  return { limits, settings };
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
