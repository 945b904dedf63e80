// The pool's options: what each means, its default and the reason for it. option-checks.ts has the
// values.

import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { SheddingOptions } from "./codel.ts";
import type { PoolHooks } from "./hooks.ts";
import type { WaiterOrder } from "./waiters.ts";
import type { PoolWarning } from "./warnings.ts";

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
   * A connection this old is closed as soon as nobody uses it; never one in use. `Infinity` for
   * never (0 in Go).
   * @defaultValue 30 minutes: soon enough to follow a change of address or of secret
   */
  readonly connMaxLifetimeMs: number;
  /**
   * Each connection gets a lifetime of its own, shorter by up to this share, so that connections
   * opened together do not expire together. From 0 to 1.
   * @defaultValue 0.1
   */
  readonly lifetimeJitterRatio: number;
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
  /**
   * A connection that has not shown for this long that it lives is pinged before it is handed out,
   * where the driver can ping: a firewall or proxy may have dropped it without a word. `Infinity`
   * for never.
   * @defaultValue 30 seconds: less than the idle timeout of most firewalls and proxies, more than
   * the gaps of a busy service
   */
  readonly pingAfterIdleMs: number;
  /**
   * An idle connection that has not shown for this long that it lives is pinged in the background,
   * one at a time, where the driver can ping: to find the dead before they are needed, and to keep
   * a proxy from cutting the line. It counts as idle all the while. `Infinity` for never.
   * @defaultValue `Infinity`: the operating system's keepalive does for most
   */
  readonly keepaliveMs: number;
  /**
   * What becomes of acquires when a dial fails. `wait`: they wait on until their deadline, and the
   * pool dials again after a pause. `reject`: each failed dial ends one acquire, with the dial's
   * error as its cause, as in database/sql.
   * @defaultValue `"wait"`
   */
  readonly dialErrors: DialErrors;
}

/** What becomes of acquires when a dial fails. */
export type DialErrors = "wait" | "reject";

/** What becomes of an acquire that waits for what its own caller may be holding. */
export type NestedAcquire = "allow" | "warn" | "reject";

/**
 * What the pool does in the background, where a failure has no caller to be told: `reset` making a
 * returned session fit, or asking whether it is valid · `ping` · `close` closing a connection or
 * the connector · `discard` the reason that a holder gave · `hook` an `afterRelease` or
 * `beforeClose` · `warning` an `onWarning` that threw · `dial` a `shouldRetryConnect` that threw.
 * A failed dial itself is not reported: it is counted, and is the cause of what acquires reject
 * with.
 */
export type BackgroundTask = "dial" | "reset" | "ping" | "close" | "discard" | "hook" | "warning";

/** The options that are fixed when the pool is made. */
export interface PoolSettings<C extends PooledConn = PooledConn> {
  /** For messages and metrics. @defaultValue the connector's name */
  readonly name: string;
  /** How long one dial may take, with its hooks. @defaultValue 15 seconds */
  readonly dialTimeoutMs: number;
  /**
   * How long making a returned session fit may take; then the connection is closed. @defaultValue 5
   * seconds
   */
  readonly resetTimeoutMs: number;
  /** How long a ping may take; then the connection counts as dead. @defaultValue 2 seconds */
  readonly pingTimeoutMs: number;
  /**
   * How long a hook may take; those of a dial count towards dialTimeoutMs instead. @defaultValue 5
   * seconds
   */
  readonly hookTimeoutMs: number;
  /** See `PoolHooks`. @defaultValue none */
  readonly hooks: PoolHooks<C>;
  /**
   * Turns acquires away with `POOL_OVERLOADED` while everybody waits for too long: CoDel. A target
   * of 5 ms over an interval of 100 ms suits most services.
   * @defaultValue `undefined`: nobody is turned away
   */
  readonly shedding: SheddingOptions | undefined;
  /**
   * Whoever holds a connection for longer than this is reported to `onWarning`, once, with the
   * stack of its acquire; so is a lease that was forgotten, when the garbage collector finds it.
   * Taking the stacks costs about ten microseconds for each acquire. `Infinity` for never.
   * @defaultValue `Infinity`
   */
  readonly leakAfterMs: number;
  /**
   * An acquire that is served only after this long is reported to `onWarning`. `Infinity` for
   * never.
   * @defaultValue `Infinity`
   */
  readonly slowAcquireMs: number;
  /**
   * What becomes of an acquire made within `use`, or within `transaction` or `withConn` of a `DB`,
   * that must wait while all connections are in use: its own caller holds one, and where all do the
   * same nobody will ever be served. `warn` reports it to `onWarning`; `reject` refuses it with
   * `POOL_NESTED_ACQUIRE`. Both use AsyncLocalStorage, which before Node 24 makes every promise of
   * the process a little slower.
   * @defaultValue `"allow"`
   */
  readonly nestedAcquire: NestedAcquire;
  /**
   * How long closing one connection may take. After that the pool counts it as gone and gives its
   * slot away, so that a connection that cannot be closed costs no capacity for ever. @defaultValue
   * 15 seconds
   */
  readonly closeTimeoutMs: number;
  /**
   * Told of errors that no caller can be told: a dial that failed while nobody waited, a session
   * that could not be made fit, a connection that could not be closed, or was discarded for a
   * reason. Statistics count what followed. What
   * it throws becomes a warning of the process. @defaultValue nothing is done
   */
  readonly onBackgroundError: (error: unknown, task: BackgroundTask) => void;
  /**
   * Told of what the pool noticed in the way it is used; see `PoolWarning`. What it throws is
   * reported to `onBackgroundError`.
   * @defaultValue a warning of the process, of type `ForebayPoolWarning`, without the stack; a
   * stall is not told
   */
  readonly onWarning: (warning: PoolWarning) => void;
  /** @defaultValue the process's own */
  readonly clock: Clock;
  /** @defaultValue the process's own */
  readonly random: Random;
}

/**
 * Which defaults hold. `default`: what we would choose. `go`: those of database/sql: no limit of
 * connections or dials, 2 idle, none too old or idle for too long, no pings, random waiters, no
 * acquire timeout, and a failed dial ends an acquire.
 */
export type PoolPreset = "default" | "go";

/** Everything that a pool can be told. All may be left out. */
export type PoolOptions<C extends PooledConn = PooledConn> = {
  readonly [K in keyof (PoolLimits & PoolSettings<C>)]?:
    | (PoolLimits & PoolSettings<C>)[K]
    | undefined;
} & {
  /** Which defaults hold for what is left out. @defaultValue `"default"` */
  readonly preset?: PoolPreset | undefined;
};
