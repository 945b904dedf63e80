// The asynchronous shell of the pool: it tells the core what happens, and carries out what the core
// asks for. It owns the promises, the one timer, the abort listeners and the calls of the driver;
// it decides nothing.

import { AsyncResource } from "node:async_hooks";
import { type Clock, type MonotonicMs, type Timer, TIMER_DELAY_MAX_MS } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import type { Connector, OperationOptions, PooledConn } from "../driver/driver.ts";
import { PoolCore, type ReturnCondition } from "./core.ts";
import { Dialer } from "./dialer.ts";
import type { Effect, RejectReason } from "./effects.ts";
import { PoolError, type PoolErrorCode } from "./errors.ts";
import { type Lease, type LeaseOwner, PoolLease } from "./lease.ts";
import {
  type BackgroundTask,
  checkDrainTimeout,
  checkOption,
  type IdleOrder,
  type PoolLimits,
  type PoolOptions,
  type PoolSettings,
  resolveOptions,
} from "./options.ts";
import { type Slot, Waiter } from "./state.ts";
import type { PoolStats } from "./stats.ts";
import { withinMs } from "./within.ts";
import type { WaiterOrder } from "./waiters.ts";

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

const REJECT_CODES: Readonly<Record<RejectReason, PoolErrorCode>> = {
  "timed-out": "POOL_TIMEOUT",
  closed: "POOL_CLOSED",
  "connect-failed": "CONNECT_FAILED",
};

let coreOfPool: <C extends PooledConn>(pool: Pool<C>) => PoolCore<C, Lease<C>>;

/** The core of a pool, for tests that look at every state. Not exported from the package. */
export function coreOf<C extends PooledConn>(pool: Pool<C>): PoolCore<C, Lease<C>> {
  return coreOfPool(pool);
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
export class Pool<C extends PooledConn> implements AsyncDisposable {
  static {
    coreOfPool = (pool) => pool.#core;
  }

  readonly #connector: Connector<C>;
  readonly #settings: PoolSettings;
  readonly #clock: Clock;
  readonly #core: PoolCore<C, Lease<C>>;
  readonly #dialer: Dialer<C>;
  readonly #owner: LeaseOwner<C>;
  /** Background work runs in this context, not in that of the caller who happened to cause it. */
  readonly #context = new AsyncResource("forebay.pool");
  /** The resets under way; aborted when their connection is closed meanwhile. */
  readonly #resets = new Map<Slot<C>, AbortController>();
  #carryingOut = false;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #timerKeepsAlive = false;
  #closing: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  /** Opens nothing yet, unless minIdleConns asks for it. Throws `OPTION_INVALID`. */
  constructor(connector: Connector<C>, options: PoolOptions = {}) {
    const { limits, settings } = resolveOptions(options, connector.name);
    this.#connector = connector;
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#core = new PoolCore(limits, settings.random);
    this.#owner = {
      giveBack: (slot, generation) => this.#giveBack(slot, generation),
      discard: (slot, generation, reason) => {
        if (reason !== undefined) this.#report("discard", reason);
        this.#tell(() => this.#core.release(slot, generation, "discarded", this.#nowMs()));
      },
    };
    this.#dialer = new Dialer(connector, settings, {
      dialed: (slot, conn) => this.#tell(() => this.#core.dialed(slot, conn, this.#nowMs())),
      failed: (slot, error, mayRetry) =>
        this.#tell(() => this.#core.dialFailed(slot, error, mayRetry, this.#nowMs())),
      lost: (slot, reason) => this.#tell(() => this.#core.lost(slot, reason, this.#nowMs())),
    });
    this.#core.start(this.#nowMs());
    this.#settle();
  }

  /** The pool's name, for messages and metrics. */
  get name(): string {
    return this.#settings.name;
  }

  /** When an acquire that began now would give up, on the pool's clock; `Infinity` for never. */
  acquireDeadlineAtMs(): number {
    return this.#nowMs() + this.#core.limits.acquireTimeoutMs;
  }

  /**
   * Takes a connection; waits, in order of arrival, while none is free. The wait ends with a
   * connection that comes back or with one that is opened, whichever is first. Aborting stops the
   * wait, not a dial already begun: the new connection serves the next, since a server slower than
   * every caller's patience would otherwise never be reached.
   *
   * Rejects with `signal.reason` unchanged, or a `PoolError`: `POOL_TIMEOUT` after
   * acquireTimeoutMs, `POOL_QUEUE_FULL`, `POOL_CLOSED`, or `CONNECT_FAILED` where no connection can
   * be had and trying again cannot help. Throws `ARGUMENT_INVALID` where deadlineAtMs is NaN.
   */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    if (Number.isNaN(options?.deadlineAtMs)) {
      throw new UsageError("ARGUMENT_INVALID", "deadlineAtMs must be a number, not NaN");
    }
    const signal = options?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#core.phase !== "open") return Promise.reject(this.#error("POOL_CLOSED", 0));
    const nowMs = this.#nowMs();
    const lease = this.#acquireIdle(nowMs);
    if (lease !== undefined) return Promise.resolve(lease);
    // Between the look at what is idle and the queueing nothing may happen: effects come after it.
    if (!this.#core.hasRoomToWait) {
      this.#core.refuse();
      const full = this.#error("POOL_QUEUE_FULL", 0);
      this.#settle();
      return Promise.reject(full);
    }
    const deadlineAtMs = options?.deadlineAtMs ?? nowMs + this.#core.limits.acquireTimeoutMs;
    return new Promise((resolve, reject) => {
      const waiter =
        signal === undefined
          ? new Waiter(nowMs, deadlineAtMs, resolve, reject)
          : this.#abortable(nowMs, deadlineAtMs, resolve, reject, signal);
      this.#core.enqueue(waiter, nowMs);
      this.#settle();
    });
  }

  /**
   * Takes an idle connection; `undefined` when there is none, or the pool is closed. Never waits.
   */
  tryAcquire(): Lease<C> | undefined {
    if (this.#core.phase !== "open") return undefined;
    const lease = this.#acquireIdle(this.#nowMs());
    if (lease === undefined && this.#core.hasEffects) this.#settle();
    return lease;
  }

  /**
   * Closes every idle connection, for when others have proved dead and those are suspect. New ones
   * are opened as they are needed.
   */
  closeIdle(): void {
    this.#core.closeIdle();
    this.#settle();
  }

  /** A consistent snapshot. Constant time whatever the size of the pool. */
  stats(): PoolStats {
    return this.#core.stats(this.#settings.name);
  }

  /**
   * See `PoolLimits.maxOpenConns`. Raised, it serves at once who waits; lowered, it closes what is
   * idle beyond it now, and what is in use when it comes back.
   */
  setMaxOpenConns(count: number): void {
    this.#configure({ maxOpenConns: count });
  }

  /** See `PoolLimits.maxIdleConns`. Lowered, it closes now those idle longest. */
  setMaxIdleConns(count: number): void {
    this.#configure({ maxIdleConns: count });
  }

  /** See `PoolLimits.minIdleConns`. Raised, it opens connections in the background now. */
  setMinIdleConns(count: number): void {
    this.#configure({ minIdleConns: count });
  }

  /** See `PoolLimits.connMaxLifetimeMs`. Counts for open connections too. */
  setConnMaxLifetimeMs(lifetimeMs: number): void {
    this.#configure({ connMaxLifetimeMs: lifetimeMs });
  }

  /** See `PoolLimits.connMaxIdleTimeMs`. Counts for idle connections too. */
  setConnMaxIdleTimeMs(idleTimeMs: number): void {
    this.#configure({ connMaxIdleTimeMs: idleTimeMs });
  }

  /** See `PoolLimits.acquireTimeoutMs`. Who waits already keeps its deadline. */
  setAcquireTimeoutMs(timeoutMs: number): void {
    this.#configure({ acquireTimeoutMs: timeoutMs });
  }

  /** See `PoolLimits.maxWaiters`. Turns nobody away who waits already. */
  setMaxWaiters(count: number): void {
    this.#configure({ maxWaiters: count });
  }

  /** See `PoolLimits.maxDialing`. */
  setMaxDialing(count: number): void {
    this.#configure({ maxDialing: count });
  }

  /** See `PoolLimits.idleOrder`. */
  setIdleOrder(order: IdleOrder): void {
    this.#configure({ idleOrder: order });
  }

  /** See `PoolLimits.waiterOrder`. Counts for those who wait already too. */
  setWaiterOrder(order: WaiterOrder): void {
    this.#configure({ waiterOrder: order });
  }

  /**
   * Closes the pool: turns away who waits with `POOL_CLOSED`, aborts dials, closes what is idle,
   * and gives what is in use drainTimeoutMs to come back. Resolves when the last connection is
   * gone; never rejects. Later calls return the same promise. Throws `OPTION_INVALID`.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const { drainTimeoutMs = 10_000 } = options;
    checkDrainTimeout(drainTimeoutMs);
    this.#closing ??= this.#shutDown(drainTimeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #nowMs(): MonotonicMs {
    return this.#clock.nowMs();
  }

  #acquireIdle(nowMs: MonotonicMs): Lease<C> | undefined {
    const slot = this.#core.acquireIdle(nowMs);
    if (slot === undefined) return undefined;
    const lease = new PoolLease(this.#owner, slot);
    if (this.#core.hasEffects) this.#settle();
    return lease;
  }

  #abortable(
    nowMs: MonotonicMs,
    deadlineAtMs: number,
    resolve: (lease: Lease<C>) => void,
    reject: (reason: unknown) => void,
    signal: AbortSignal,
  ): Waiter<Lease<C>> {
    const onAbort = () => {
      if (this.#core.abort(waiter, this.#nowMs())) waiter.reject(signal.reason);
      this.#settle();
    };
    const settled =
      <T>(settle: (value: T) => void) =>
      (value: T) => {
        signal.removeEventListener("abort", onAbort);
        settle(value);
      };
    const waiter = new Waiter(nowMs, deadlineAtMs, settled(resolve), settled(reject));
    signal.addEventListener("abort", onAbort);
    return waiter;
  }

  #giveBack(slot: Slot<C>, generation: number): void {
    // It may have been closed by force under its holder: then nothing may be called on it.
    if (slot.kind !== "leased") return;
    let condition: ReturnCondition = "fit";
    let reset: Promise<void> | undefined;
    try {
      if (slot.conn?.isValid?.() === false) condition = "bad";
      else reset = resetSession(slot.conn);
    } catch (error) {
      condition = "bad";
      this.#report("reset", error);
    }
    if (reset !== undefined) condition = "check";
    this.#core.release(slot, generation, condition, this.#nowMs());
    if (reset !== undefined) this.#awaitReset(slot, reset);
    this.#settle();
  }

  #awaitReset(slot: Slot<C>, reset: Promise<void>): void {
    const cancel = new AbortController();
    this.#resets.set(slot, cancel);
    const finish = (fit: boolean) => {
      this.#resets.delete(slot);
      this.#tell(() => this.#core.checked(slot, fit, this.#nowMs()));
    };
    const { resetTimeoutMs } = this.#settings;
    withinMs(this.#clock, resetTimeoutMs, reset, "resetSession", cancel.signal).then(
      () => finish(true),
      (error: unknown) => {
        this.#report("reset", error);
        finish(false);
      },
    );
  }

  #configure(change: Partial<PoolLimits>): void {
    for (const [option, value] of Object.entries(change)) checkOption(option, value);
    this.#tell(() => this.#core.configure(change, this.#nowMs()));
  }

  /** Tells the core something, then does what follows from it. */
  #tell(event: () => void): void {
    event();
    this.#settle();
  }

  /**
   * Carries out what the core asks for, until it asks no more; then sets the timer. An effect may
   * call a driver that calls back at once: such an event is told to the core, and its effects wait
   * for their turn here.
   */
  #settle(): void {
    if (this.#carryingOut) return;
    this.#carryingOut = true;
    try {
      for (;;) {
        const effect = this.#core.takeEffect();
        if (effect === undefined) break;
        this.#carryOut(effect);
      }
    } finally {
      this.#carryingOut = false;
    }
    this.#setTimer();
  }

  #carryOut(effect: Effect<C, Lease<C>>): void {
    switch (effect.kind) {
      case "grant":
        effect.waiter.resolve(new PoolLease(this.#owner, effect.slot));
        return;
      case "reject": {
        const waitedMs = this.#nowMs() - effect.waiter.enqueuedAtMs;
        effect.waiter.reject(this.#error(REJECT_CODES[effect.why], waitedMs));
        return;
      }
      case "dial":
        this.#context.runInAsyncScope(() => this.#dialer.dial(effect.slot));
        return;
      case "abort-dial":
        this.#dialer.abort(effect.slot, this.#error("POOL_CLOSED", 0));
        return;
      case "close":
        this.#context.runInAsyncScope(() => this.#closeConn(effect.slot, effect.conn));
        return;
      case "drained":
        this.#onDrained?.();
        return;
      default:
        effect satisfies never;
    }
  }

  #closeConn(slot: Slot<C>, conn: C): void {
    // It may be closed by force while it is being reset.
    this.#resets.get(slot)?.abort();
    const closing = (async () => conn.close())();
    withinMs(this.#clock, this.#settings.closeTimeoutMs, closing, "close")
      .catch((error: unknown) => this.#report("close", error))
      .finally(() => this.#tell(() => this.#core.closed(slot, this.#nowMs())));
  }

  /**
   * One timer for everything that is due. It is moved forward only: an early tick finds nothing to
   * do, and sets the next.
   */
  #setTimer(): void {
    const atMs = this.#core.wakeAtMs;
    if (atMs < this.#timerAtMs) {
      this.#timer?.cancel();
      this.#timerAtMs = atMs;
      this.#timerKeepsAlive = true;
      this.#timer = this.#context.runInAsyncScope(() =>
        this.#clock.setTimer(Math.min(atMs - this.#nowMs(), TIMER_DELAY_MAX_MS), () =>
          this.#onTimer(),
        ),
      );
    }
    const keepAlive = this.#core.waiters.size > 0;
    if (keepAlive === this.#timerKeepsAlive) return;
    this.#timerKeepsAlive = keepAlive;
    this.#timer?.keepAlive(keepAlive);
  }

  /**
   * After a stall of the event loop, answers that have arrived in time come before the deadlines
   * that passed meanwhile.
   */
  #onTimer(): void {
    this.#timer = undefined;
    this.#clock.afterIo(() => {
      this.#timerAtMs = Infinity;
      this.#tell(() => this.#core.tick(this.#nowMs()));
    });
  }

  async #shutDown(drainTimeoutMs: number): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    this.#tell(() => this.#core.drain(this.#nowMs()));
    try {
      await withinMs(this.#clock, drainTimeoutMs, drained, "drain");
    } catch {
      this.#tell(() => this.#core.closeByForce());
      await drained;
    }
    this.#timer?.cancel();
    try {
      const closing = (async () => this.#connector.close?.())();
      await withinMs(this.#clock, this.#settings.closeTimeoutMs, closing, "the connector's close");
    } catch (error) {
      this.#report("close", error);
    }
  }

  #error(code: PoolErrorCode, waitedMs: number): PoolError {
    const { slots, limits, backoff } = this.#core;
    const oldest = slots.leased.head;
    return new PoolError(code, {
      phase: slots.open < limits.maxOpenConns || slots.connecting.size > 0 ? "connect" : "wait",
      waitedMs,
      stats: this.stats(),
      oldestLeaseMs: oldest === undefined ? undefined : this.#nowMs() - oldest.leasedAtMs,
      lastDialError: code === "POOL_CLOSED" ? undefined : backoff.lastError,
    });
  }

  #report(what: BackgroundTask, error: unknown): void {
    this.#settings.onBackgroundError(error, what);
  }
}

/** A driver that throws at once fails like one that rejects. */
function resetSession(conn: PooledConn | undefined): Promise<void> | undefined {
  try {
    return conn?.resetSession?.();
  } catch (error) {
    return Promise.reject(error);
  }
}
