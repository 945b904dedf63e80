// The pool, as its users see it. What is decided is decided in core.ts, what is done is done by
// shell.ts; here is how connections are acquired.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import type { MonotonicMs } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import type { Connector, OperationOptions, PooledConn } from "../driver/driver.ts";
import { type Acquirer, Bulkhead, type BulkheadPool } from "./bulkhead.ts";
import type { PoolCore } from "./core.ts";
import type { PoolError } from "./errors.ts";
import { Knobs } from "./knobs.ts";
import type { BulkheadLimits, Lane } from "./lanes.ts";
import { stackHere } from "./leak-watch.ts";
import { type Lease, PoolLease, refuse, slotOf } from "./lease.ts";
import { isHolding, whileHolding } from "./nesting.ts";
import {
  checkCount,
  checkDrainTimeout,
  checkLimits,
  resolveBulkhead,
  resolveOptions,
} from "./option-checks.ts";
import type { PoolLimits, PoolOptions, PoolSettings } from "./options.ts";
import { PoolShell } from "./shell.ts";
import { Waiter } from "./state.ts";
import type { SteadyClock } from "./steady-clock.ts";
import { type PoolHistograms, type PoolStats, poolStats } from "./stats.ts";

/** Options of one acquire. */
export interface AcquireOptions extends OperationOptions {
  /**
   * When to give up, on the pool's clock, instead of acquireTimeoutMs from now: to keep one
   * deadline over several tries.
   */
  readonly deadlineAtMs?: number | undefined;
}

/** How to close a pool. */
export interface CloseOptions {
  /**
   * How long connections in use may take to come back; then they are closed under their holders. 0
   * does so at once, `Infinity` waits for ever. @defaultValue 10 seconds
   */
  readonly drainTimeoutMs?: number | undefined;
}

let coreOfPool: <C extends PooledConn>(pool: Pool<C>) => PoolCore<C, PoolLease<C>>;
let nowOfPool: <C extends PooledConn>(pool: Pool<C>) => MonotonicMs;

/** The core of a pool, for tests that look at every state. Not exported from the package. */
export function coreOf<C extends PooledConn>(pool: Pool<C>): PoolCore<C, PoolLease<C>> {
  return coreOfPool(pool);
}

/**
 * How many wait for a connection of the pool, in all its queues. For those who hold connections for
 * many callers, and give way to others. Not exported from the package.
 */
export function waiterCount<C extends PooledConn>(pool: Pool<C>): number {
  return coreOfPool(pool).lanes.size;
}

/** Whether a connection in use will be closed when it comes back. Not exported from the package. */
export function isDueBack<C extends PooledConn>(pool: Pool<C>, lease: Lease<C>): boolean {
  const slot = slotOf(lease as PoolLease<C>);
  const nowMs = nowOfPool(pool);
  return slot.kind !== "leased" || coreOfPool(pool).reasonToRetire(slot, nowMs) !== undefined;
}

/**
 * A pool of connections, or of anything else that can be opened and closed. Every method may be
 * called concurrently.
 *
 * @example
 * ```ts
 * import { type Connector, Pool, type PooledConn } from "forebay/pool";
 *
 * interface Worker extends PooledConn {
 *   run(task: string): Promise<string>;
 * }
 *
 * async function runOnce(connector: Connector<Worker>, task: string): Promise<string> {
 *   const pool = new Pool(connector, { maxOpenConns: 16 });
 *   const lease = await pool.acquire({ signal: AbortSignal.timeout(1000) });
 *   try {
 *     return await lease.conn.run(task);
 *   } finally {
 *     lease.release();
 *     await pool.close();
 *   }
 * }
 * ```
 */
export class Pool<C extends PooledConn> extends Knobs implements Acquirer<C>, AsyncDisposable {
  static {
    coreOfPool = (pool) => pool.#core;
    nowOfPool = (pool) => pool.#time.nowMs();
  }

  readonly #shell: PoolShell<C>;
  readonly #core: PoolCore<C, PoolLease<C>>;
  readonly #time: SteadyClock;
  readonly #settings: PoolSettings<C>;
  readonly #bulkheads = new Map<string, Bulkhead<C>>();
  /** Whether an acquire is more than to take a connection. */
  readonly #isAttended: boolean;
  #closing: Promise<void> | undefined;

  /** Opens nothing yet, unless minIdleConns asks for it. Throws `OPTION_INVALID`. */
  constructor(connector: Connector<C>, options: PoolOptions<NoInfer<C>> = {}) {
    super();
    const { limits, settings } = resolveOptions(options, connector.name);
    this.#shell = new PoolShell(connector, limits, settings);
    this.#core = this.#shell.core;
    this.#time = this.#shell.time;
    this.#settings = settings;
    const { hooks, leakAfterMs, slowAcquireMs } = settings;
    const isWatched = leakAfterMs !== Infinity || slowAcquireMs !== Infinity;
    this.#isAttended = isWatched || hooks.beforeAcquire !== undefined;
  }

  /** The pool's name, for messages and metrics. */
  get name(): string {
    return this.#settings.name;
  }

  /** When an acquire that began now would give up, on the pool's clock; `Infinity` for never. */
  acquireDeadlineAtMs(): number {
    return this.#time.nowMs() + this.#core.limits.acquireTimeoutMs;
  }

  /**
   * Takes a connection; waits, in order of arrival, while none is free. The wait ends with a
   * connection that comes back or with one that is opened, whichever is first. Aborting stops the
   * wait, not a dial already begun: the new connection serves the next, since a server slower than
   * every caller's patience would otherwise never be reached.
   *
   * Rejects with `signal.reason` unchanged, or a `PoolError`: `POOL_TIMEOUT` after
   * acquireTimeoutMs, `POOL_QUEUE_FULL`, `POOL_CLOSED`, `POOL_OVERLOADED` and `POOL_NESTED_ACQUIRE`
   * where the options ask for them, or `CONNECT_FAILED` where no connection can be had and trying
   * again cannot help. Throws `ARGUMENT_INVALID` where deadlineAtMs is NaN.
   */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    return this.#acquire(this.#core.lanes.main, options);
  }

  /**
   * Takes an idle connection; `undefined` when there is none that can be had at once, or the pool
   * is closed. Never waits: so always `undefined` where there is a `beforeAcquire` hook.
   */
  tryAcquire(): Lease<C> | undefined {
    return this.#tryAcquire(this.#core.lanes.main);
  }

  /**
   * Takes a connection, runs `fn` with it, and releases it when its promise has settled. Resolves
   * and rejects as `fn` does; as `acquire`, where none can be had.
   */
  use<T>(fn: (conn: C) => Promise<T>, options?: AcquireOptions): Promise<T> {
    return this.#use(this.#core.lanes.main, fn, options);
  }

  /**
   * Runs `fn` as the work of somebody who holds a connection of this pool, so that `nestedAcquire`
   * can find those it asks for besides. `use` does so by itself.
   */
  holding<T>(fn: () => Promise<T>): Promise<T> {
    return this.#settings.nestedAcquire === "allow" ? fn() : whileHolding(this, fn);
  }

  /**
   * A share of the pool, with a queue of its own. The same name gives the same bulkhead, with its
   * limits changed. Throws `OPTION_INVALID`.
   */
  bulkhead(name: string, limits: Partial<BulkheadLimits> = {}): Bulkhead<C> {
    if (typeof name !== "string" || name === "") {
      throw new UsageError("OPTION_INVALID", "a bulkhead's name must be a string, not empty");
    }
    const lane = this.#limit(name, limits);
    let bulkhead = this.#bulkheads.get(name);
    if (bulkhead === undefined) {
      bulkhead = new Bulkhead(this.#asBulkheadPool(), lane);
      this.#bulkheads.set(name, bulkhead);
    }
    return bulkhead;
  }

  /**
   * Opens connections until there are `count`, in use or idle, and resolves then; they are not kept
   * for longer than any others. Rejects after acquireTimeoutMs with `POOL_TIMEOUT`, and as
   * `acquire` does. Throws `OPTION_INVALID` where `count` is more than may be idle.
   */
  warmUp(count: number, options?: OperationOptions): Promise<void> {
    checkCount("warmUp", count, this.#core.maxIdle);
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#core.phase !== "open") return Promise.reject(this.#shell.error("POOL_CLOSED", 0));
    return this.#shell.warmUps.run(count, this.#core.limits.acquireTimeoutMs, signal);
  }

  /**
   * Has every connection replaced that is open or being opened now: an idle one is closed at once,
   * one in use when it comes back. For after a failover, a change of secrets or of the schema. New
   * ones are opened as they are needed.
   */
  reset(): void {
    if (this.#core.phase === "open") this.#shell.tell((nowMs) => this.#core.reset(nowMs));
  }

  /**
   * Closes every idle connection, for when others have proved dead and those are suspect. New ones
   * are opened as they are needed.
   */
  closeIdle(): void {
    this.#shell.tell((nowMs) => this.#core.closeIdle(nowMs));
  }

  /**
   * Hands out nothing more until `resume`; who acquires meanwhile waits, as long as
   * acquireTimeoutMs lets him. What is in use may come back. No effect on a suspended pool.
   */
  suspend(): void {
    this.#shell.tell(() => this.#core.suspend());
  }

  /** Ends `suspend`: serves those who wait. No effect on a pool that is not suspended. */
  resume(): void {
    this.#shell.tell((nowMs) => this.#core.resume(nowMs));
  }

  /** A consistent snapshot. Constant time whatever the size of the pool. */
  stats(): PoolStats {
    return poolStats(this.#core, this.#settings.name);
  }

  /**
   * How long waits, holds and dials have taken; see `PoolHistograms`. Copies some hundred numbers.
   */
  histograms(): PoolHistograms {
    const { waitTimes, holdTimes, dialTimes } = this.#core;
    return {
      wait: waitTimes.snapshot(),
      hold: holdTimes.snapshot(),
      dial: dialTimes.snapshot(),
    };
  }

  configure(change: Partial<PoolLimits>): void {
    const { limits, lanes } = this.#core;
    checkLimits(change, limits, lanes.reservedBeside(""));
    this.#shell.tell((nowMs) => this.#core.configure(change, nowMs));
  }

  /**
   * Closes the pool: turns away who waits with `POOL_CLOSED`, aborts dials, closes what is idle,
   * and gives what is in use drainTimeoutMs to come back. Resolves when the last connection is
   * gone; never rejects. Later calls return the same promise. Throws `OPTION_INVALID`.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const { drainTimeoutMs = 10_000 } = options;
    checkDrainTimeout(drainTimeoutMs);
    this.#closing ??= this.#shell.shutDown(drainTimeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- Acquiring ----

  #acquire(lane: Lane<PoolLease<C>>, options: AcquireOptions | undefined): Promise<Lease<C>> {
    if (Number.isNaN(options?.deadlineAtMs)) {
      throw new UsageError("ARGUMENT_INVALID", "deadlineAtMs must be a number, not NaN");
    }
    if (this.#isAttended) return this.#acquireAttended(lane, options);
    return this.#take(lane, options);
  }

  #tryAcquire(lane: Lane<PoolLease<C>>): Lease<C> | undefined {
    if (this.#core.phase !== "open") return undefined;
    if (this.#settings.hooks.beforeAcquire !== undefined) return undefined;
    const lease = this.#takeIdle(lane, this.#time.nowMs());
    if (lease !== undefined) this.#shell.leaks?.begin(lease, stackHere());
    else if (this.#core.hasEffects) this.#shell.settle();
    return lease;
  }

  async #use<T>(
    lane: Lane<PoolLease<C>>,
    fn: (conn: C) => Promise<T>,
    options: AcquireOptions | undefined,
  ): Promise<T> {
    const lease = await this.#acquire(lane, options);
    try {
      return await this.holding(() => fn(lease.conn));
    } finally {
      lease.release();
    }
  }

  /** Takes a connection with all that the options want done about it. */
  async #acquireAttended(
    lane: Lane<PoolLease<C>>,
    options: AcquireOptions | undefined,
  ): Promise<Lease<C>> {
    const stack = this.#shell.leaks === undefined ? undefined : stackHere();
    const startedAtMs = this.#time.nowMs();
    const { slowAcquireMs, hooks } = this.#settings;
    const { acquireTimeoutMs } = this.#core.limits;
    const deadlineAtMs = options?.deadlineAtMs ?? startedAtMs + acquireTimeoutMs;
    for (;;) {
      const lease = await this.#take(lane, { signal: options?.signal, deadlineAtMs });
      if (hooks.beforeAcquire !== undefined && !(await this.#isAdmitted(lease, options?.signal))) {
        continue;
      }
      const waitedMs = this.#time.nowMs() - startedAtMs;
      if (waitedMs >= slowAcquireMs) this.#shell.warn("slow-acquire", waitedMs, stack);
      this.#shell.leaks?.begin(lease, stack);
      return lease;
    }
  }

  async #isAdmitted(lease: PoolLease<C>, signal: AbortSignal | undefined): Promise<boolean> {
    const core = this.#core;
    const slot = slotOf(lease);
    let isRefused: boolean;
    try {
      isRefused = !(await this.#shell.care.mayHandOut(slot, lease.conn, signal));
    } catch (error) {
      const isTakenBack = slot.kind !== "leased";
      refuse(lease);
      throw isTakenBack ? this.#shell.error("POOL_CLOSED", 0) : error;
    }
    if (isRefused) {
      refuse(lease);
      // Where dial errors are told, a new connection that is of no use is one.
      if (core.limits.dialErrors === "wait" || slot.generation > 1) return false;
      throw this.#shell.error("CONNECT_FAILED", 0, core.backoff.lastError);
    }
    if (core.backoff.isFailing) this.#shell.tell((nowMs) => core.admitted(slot, nowMs));
    // Much may have happened while the hook was running.
    if (core.phase === "open" && slot.lost === undefined && slot.epoch === core.epoch) return true;
    lease.release();
    return false;
  }

  #take(lane: Lane<PoolLease<C>>, options: AcquireOptions | undefined): Promise<PoolLease<C>> {
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#core.phase !== "open") return Promise.reject(this.#shell.error("POOL_CLOSED", 0));
    const nowMs = this.#time.nowMs();
    const lease = this.#takeIdle(lane, nowMs);
    return lease === undefined ? this.#wait(lane, options, nowMs) : Promise.resolve(lease);
  }

  /** Waits for a connection, where none could be had at once. */
  #wait(
    lane: Lane<PoolLease<C>>,
    options: AcquireOptions | undefined,
    nowMs: MonotonicMs,
  ): Promise<PoolLease<C>> {
    const core = this.#core;
    const signal = options?.signal;
    // Between the look at what is idle and the queueing nothing may happen: effects come after it.
    const isPlain = this.#settings.nestedAcquire === "allow" && core.hasRoomToWait(lane);
    const refusal = isPlain ? undefined : this.#refusal(lane);
    if (refusal !== undefined) {
      this.#shell.settle();
      return Promise.reject(refusal);
    }
    const isToBeTold = this.#settings.nestedAcquire === "warn" && this.#isNested(lane);
    const deadlineAtMs = options?.deadlineAtMs ?? nowMs + core.limits.acquireTimeoutMs;
    const acquired = new Promise<PoolLease<C>>((resolve, reject) => {
      const waiter =
        signal === undefined
          ? new Waiter(lane, nowMs, deadlineAtMs, resolve, reject)
          : this.#abortable(lane, nowMs, deadlineAtMs, resolve, reject, signal);
      core.enqueue(waiter, nowMs);
      this.#shell.settle();
    });
    // Whoever is told may do anything, so this comes last.
    if (isToBeTold) this.#shell.warn("nested-acquire", 0, stackHere());
    return acquired;
  }

  #takeIdle(lane: Lane<PoolLease<C>>, nowMs: MonotonicMs): PoolLease<C> | undefined {
    const slot = this.#core.acquireIdle(lane, nowMs);
    if (slot === undefined) return undefined;
    const lease = new PoolLease(this.#shell, slot);
    if (this.#core.hasEffects) this.#shell.settle();
    return lease;
  }

  /** Why an acquire must not even wait; `undefined` when it may. */
  #refusal(lane: Lane<PoolLease<C>>): PoolError | undefined {
    const core = this.#core;
    if (!core.hasRoomToWait(lane)) {
      core.refuse(lane);
      return this.#shell.error("POOL_QUEUE_FULL", 0, undefined, lane.name);
    }
    if (this.#settings.nestedAcquire !== "reject" || !this.#isNested(lane)) return undefined;
    return this.#shell.error("POOL_NESTED_ACQUIRE", 0, undefined, lane.name);
  }

  /** Whether the caller would wait for a connection that he may himself be holding. */
  #isNested(lane: Lane<PoolLease<C>>): boolean {
    return !this.#core.isSuspended && this.#core.wouldWait(lane) && isHolding(this);
  }

  #abortable(
    lane: Lane<PoolLease<C>>,
    nowMs: MonotonicMs,
    deadlineAtMs: number,
    resolve: (lease: PoolLease<C>) => void,
    reject: (reason: unknown) => void,
    signal: AbortSignal,
  ): Waiter<PoolLease<C>> {
    const onAbort = () => {
      if (this.#core.abort(waiter, this.#time.nowMs())) waiter.reject(signal.reason);
      this.#shell.settle();
    };
    const settled =
      <T>(settle: (value: T) => void) =>
      (value: T) => {
        removeAbortListener(signal, onAbort);
        settle(value);
      };
    const waiter = new Waiter(lane, nowMs, deadlineAtMs, settled(resolve), settled(reject));
    addAbortListener(signal, onAbort);
    return waiter;
  }

  #limit(name: string, change: Partial<BulkheadLimits>): Lane<PoolLease<C>> {
    const { lanes, limits } = this.#core;
    const present = lanes.find(name)?.limits;
    const reserved = lanes.reservedBeside(name);
    const resolved = resolveBulkhead(change, present, reserved, limits.maxOpenConns);
    const lane = this.#core.setBulkhead(name, resolved, this.#time.nowMs());
    this.#shell.settle();
    return lane;
  }

  #asBulkheadPool(): BulkheadPool<C> {
    return {
      acquire: (lane, options) => this.#acquire(lane, options),
      tryAcquire: (lane) => this.#tryAcquire(lane),
      use: (lane, fn, options) => this.#use(lane, fn, options),
      limit: (name, change) => {
        this.#limit(name, change);
      },
    };
  }
}
