// What carries out the core's decisions: the driver's calls, the one timer, the promises of those
// who wait. It tells the core what happens, and does what the core asks for; it decides nothing.

import { AsyncResource } from "node:async_hooks";
import { type MonotonicMs, type Timer, TIMER_DELAY_MAX_MS } from "../base/clock.ts";
import type { Connector, PooledConn } from "../driver/driver.ts";
import { type CareEvents, ConnCare } from "./conn-care.ts";
import { PoolCore } from "./core.ts";
import { Dialer } from "./dialer.ts";
import type { Effect, RejectReason } from "./effects.ts";
import { PoolError, type PoolErrorCode } from "./errors.ts";
import { LeakWatch } from "./leak-watch.ts";
import { type LeaseOwner, PoolLease } from "./lease.ts";
import type { BackgroundTask, PoolLimits, PoolSettings } from "./options.ts";
import { SPECIMENS } from "./specimens.ts";
import type { ReturnCondition, Slot } from "./state.ts";
import { poolStats } from "./stats.ts";
import { SteadyClock } from "./steady-clock.ts";
import { WarmUps } from "./warm-up.ts";
import { type PoolWarning, warningMessage } from "./warnings.ts";
import { withinMs } from "./within.ts";

/** While somebody waits, the clock is looked at this often. */
const LOOK_MS = 250;

const REJECT_CODES: Readonly<Record<RejectReason, PoolErrorCode>> = {
  "timed-out": "POOL_TIMEOUT",
  closed: "POOL_CLOSED",
  "connect-failed": "CONNECT_FAILED",
  shed: "POOL_OVERLOADED",
};

/** The shell around one pool's core. */
export class PoolShell<C extends PooledConn> implements LeaseOwner<C>, CareEvents<C> {
  readonly core: PoolCore<C, PoolLease<C>>;
  readonly settings: PoolSettings<C>;
  /** The pool's time. */
  readonly time: SteadyClock;
  readonly care: ConnCare<C>;
  readonly warmUps: WarmUps;
  /** There where leases are watched. */
  readonly leaks: LeakWatch<C> | undefined;
  /** They live as long as there is any pool. */
  readonly specimens: readonly object[] = SPECIMENS;
  readonly #connector: Connector<C>;
  readonly #dialer: Dialer<C>;
  /** Background work runs in this context, not in that of the caller who happened to cause it. */
  readonly #context = new AsyncResource("forebay.pool");
  #carryingOut = false;
  #timer: Timer | undefined;
  #timerAtMs = Infinity;
  #timerKeepsAlive = false;
  #onDrained: (() => void) | undefined;

  constructor(connector: Connector<C>, limits: PoolLimits, settings: PoolSettings<C>) {
    const { clock, random, shedding, leakAfterMs } = settings;
    const isGuarded = settings.hooks.beforeAcquire !== undefined;
    const core = new PoolCore<C, PoolLease<C>>(limits, random, shedding, isGuarded);
    this.core = core;
    this.settings = settings;
    this.#connector = connector;
    this.time = new SteadyClock(clock, (stalledMs) => this.#onStall(stalledMs));
    this.care = new ConnCare(settings, this);
    this.#dialer = new Dialer(connector, settings, {
      dialed: (slot, conn) => {
        this.tell((nowMs) => core.dialed(slot, conn, nowMs));
        this.warmUps.look();
      },
      failed: (slot, error, mayRetry) => {
        const isHeard = core.lanes.size > 0 || core.phase !== "open";
        this.tell((nowMs) => core.dialFailed(slot, error, mayRetry, nowMs));
        if (!isHeard) this.#report("dial", error);
        if (!mayRetry) this.warmUps.rejectAll(this.error("CONNECT_FAILED", 0, error));
      },
      lost: (slot, reason) => this.tell((nowMs) => core.lost(slot, reason, nowMs)),
    });
    this.warmUps = new WarmUps({
      clock,
      kept: () => core.kept,
      warmTo: (count) => this.tell((nowMs) => core.warmTo(count, nowMs)),
      timeoutError: (waitedMs) => this.error("POOL_TIMEOUT", waitedMs),
    });
    if (leakAfterMs !== Infinity) {
      const now = () => this.time.nowMs();
      this.leaks = new LeakWatch(clock, now, leakAfterMs, ({ kind, heldMs, stack }) =>
        this.warn(kind, heldMs, stack),
      );
    }
    this.tell((nowMs) => core.start(nowMs));
  }

  // ---- Of leases ----

  giveBack(slot: Slot<C>, generation: number): void {
    this.leaks?.end(slot);
    this.care.giveBack(slot, generation);
  }

  discard(slot: Slot<C>, generation: number, reason: unknown): void {
    if (reason !== undefined) this.#report("discard", reason);
    this.leaks?.end(slot);
    this.released(slot, generation, "discarded");
  }

  refuse(slot: Slot<C>, generation: number): void {
    this.released(slot, generation, "refused");
  }

  // ---- Of the care of connections ----

  released(slot: Slot<C>, generation: number, condition: ReturnCondition): void {
    this.core.release(slot, generation, condition, this.time.nowMs());
    this.settle();
  }

  checked(slot: Slot<C>, outcome: "fit" | "reset-failed" | "refused"): void {
    this.tell((nowMs) => this.core.checked(slot, outcome, nowMs));
  }

  pinged(slot: Slot<C>, isAlive: boolean): void {
    this.tell((nowMs) => this.core.pinged(slot, isAlive, nowMs));
  }

  closed(slot: Slot<C>): void {
    this.tell((nowMs) => this.core.closed(slot, nowMs));
  }

  // ---- What happens, and what follows ----

  /** Tells the core something, then does what follows from it. */
  tell(event: (nowMs: MonotonicMs) => void): void {
    event(this.time.nowMs());
    this.settle();
  }

  /**
   * Carries out what the core asks for, until it asks no more; then sets the timer. An effect may
   * call a driver that calls back at once: such an event is told to the core, and its effects wait
   * for their turn here.
   */
  settle(): void {
    if (this.#carryingOut) return;
    if (this.core.hasEffects) this.#carryOutAll();
    const keepAlive = this.core.lanes.size > 0;
    if (this.core.wakeAtMs < this.#timerAtMs || keepAlive !== this.#timerKeepsAlive) {
      this.#setTimer(keepAlive);
    }
  }

  #carryOutAll(): void {
    this.#carryingOut = true;
    try {
      for (;;) {
        const effect = this.core.takeEffect();
        if (effect === undefined) break;
        this.#carryOut(effect);
      }
    } finally {
      this.#carryingOut = false;
    }
  }

  #carryOut(effect: Effect<C, PoolLease<C>>): void {
    // By far the most frequent, and on its own, so that it stays short.
    if (effect.kind === "grant") effect.waiter.resolve(new PoolLease(this, effect.slot));
    else this.#carryOutRare(effect);
  }

  #carryOutRare(effect: Exclude<Effect<C, PoolLease<C>>, { readonly kind: "grant" }>): void {
    switch (effect.kind) {
      case "reject": {
        const { waiter, why, dialError } = effect;
        const waitedMs = this.time.nowMs() - waiter.enqueuedAtMs;
        waiter.reject(this.error(REJECT_CODES[why], waitedMs, dialError, waiter.lane.name));
        return;
      }
      case "dial":
        this.#context.runInAsyncScope(() => this.#dialer.dial(effect.slot));
        return;
      case "abort-dial":
        this.#dialer.abort(effect.slot, this.error("POOL_CLOSED", 0));
        return;
      case "ping":
        this.#context.runInAsyncScope(() => void this.care.ping(effect.slot, effect.conn));
        return;
      case "close":
        this.#context.runInAsyncScope(() => void this.care.close(effect.slot, effect.conn));
        return;
      case "drained":
        this.#onDrained?.();
        return;
      default:
        effect satisfies never;
    }
  }

  /**
   * One timer for everything that is due. It is moved forward only: an early tick finds nothing to
   * do, and sets the next. While somebody waits it comes often, so that little of a stall of the
   * event loop is taken for waiting.
   */
  #setTimer(keepAlive: boolean): void {
    // Looked at first: it may find a stall, which may set the timer.
    const nowMs = this.time.nowMs();
    const { wakeAtMs } = this.core;
    const isLong = keepAlive && wakeAtMs < Infinity;
    const atMs = isLong ? Math.min(wakeAtMs, nowMs + LOOK_MS) : wakeAtMs;
    if (atMs < this.#timerAtMs) {
      this.#timer?.cancel();
      this.#timerAtMs = atMs;
      this.#timerKeepsAlive = true;
      const delayMs = Math.min(Math.max(0, atMs - nowMs), TIMER_DELAY_MAX_MS);
      this.time.expectBy(nowMs + delayMs);
      this.#timer = this.#context.runInAsyncScope(() =>
        this.settings.clock.setTimer(delayMs, () => this.#onTimer()),
      );
    }
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
    this.settings.clock.afterIo(() => {
      this.tell((nowMs) => {
        // Not before: to look at the time may find a stall, which is not to set another timer.
        this.#timerAtMs = Infinity;
        this.time.expectBy(Infinity);
        this.core.tick(nowMs);
      });
    });
  }

  /** See `Pool.close`. */
  async shutDown(drainTimeoutMs: number): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    this.tell((nowMs) => this.core.drain(nowMs));
    this.warmUps.rejectAll(this.error("POOL_CLOSED", 0));
    const { clock, closeTimeoutMs } = this.settings;
    try {
      await withinMs(clock, drainTimeoutMs, drained, "drain");
    } catch {
      this.tell(() => this.core.closeByForce());
      await drained;
    }
    this.#timer?.cancel();
    this.time.expectBy(Infinity);
    this.leaks?.stop();
    try {
      const closing = (async () => this.#connector.close?.())();
      await withinMs(clock, closeTimeoutMs, closing, "the connector's close");
    } catch (error) {
      this.#report("close", error);
    }
  }

  /** An error of the pool as it is now. */
  error(
    code: PoolErrorCode,
    waitedMs: number,
    dialError: unknown = this.core.backoff.lastError,
    bulkhead = "",
  ): PoolError {
    const { slots, limits } = this.core;
    const oldest = slots.leased.head;
    return new PoolError(code, {
      phase: slots.open < limits.maxOpenConns || slots.connecting.size > 0 ? "connect" : "wait",
      waitedMs,
      stats: poolStats(this.core, this.settings.name),
      oldestLeaseMs: oldest === undefined ? undefined : this.time.nowMs() - oldest.leasedAtMs,
      lastDialError: code === "POOL_CLOSED" ? undefined : dialError,
      isHopeless: limits.dialErrors === "wait",
      bulkhead,
    });
  }

  /** The pool's time goes on where it stopped; what it kept may have died meanwhile. */
  #onStall(stalledMs: number): void {
    this.tell((nowMs) => this.core.suspect(nowMs));
    // Later, since whoever is told may do anything, and this is in the middle of something else.
    this.settings.clock.afterIo(() => this.warn("stall", stalledMs, undefined));
  }

  /** Tells of something that was noticed. */
  warn(kind: PoolWarning["kind"], durationMs: number, stack: string | undefined): void {
    const stats = poolStats(this.core, this.settings.name);
    const message = warningMessage(kind, this.settings.name, durationMs, stats);
    try {
      this.settings.onWarning({ kind, message, durationMs, stack, stats });
    } catch (error) {
      this.#report("warning", error);
    }
  }

  #report(what: BackgroundTask, error: unknown): void {
    this.settings.onBackgroundError(error, what);
  }
}
