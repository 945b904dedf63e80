// The life of a pool: the real shell and core on a virtual clock, with a connector that does what
// its script says, the callers, and the judge, who sees whatever they do. What happens in it is
// told from outside: drawn from a seed in simulate.ts, written by hand in scenarios.

import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import type { Acquirer } from "../../packages/forebay/src/pool/bulkhead.ts";
import type { BulkheadLimits } from "../../packages/forebay/src/pool/lanes.ts";
import type { BackgroundTask, PoolLimits } from "../../packages/forebay/src/pool/options.ts";
import { type AcquireOptions, coreOf, Pool } from "../../packages/forebay/src/pool/pool.ts";
import type { PoolWarning } from "../../packages/forebay/src/pool/warnings.ts";
import type { FakeConn, FakeConnector } from "../../packages/forebay/src/testing/fake-connector.ts";
import type { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";
import { ABORTED, type Caller, deadlineAtMs, type Held } from "./caller.ts";
import { type HookAct, WatchedHooks } from "./hooks.ts";
import { Judge } from "./judge.ts";
import type { Setting } from "./plan.ts";
import type { Trace } from "./trace.ts";

/** What a life is made of. */
export interface LifeParts {
  readonly setting: Setting;
  readonly clock: VirtualClock;
  readonly trace: Trace;
  readonly connector: FakeConnector;
  /** What the hooks do. */
  readonly act: HookAct;
  /** Of the pool's random numbers. */
  readonly seed: number;
}

/** How somebody asks for a connection. */
export interface Call {
  /** From which bulkhead. By default from the pool itself. */
  readonly bulkhead?: string;
  /** Whether it comes with a signal. */
  readonly isAbortable?: boolean;
  /** Whether it is made by somebody who holds a connection. */
  readonly isInner?: boolean;
  /** Called when it has been served or turned away. */
  readonly onSettled?: (caller: Caller) => void;
}

/** A warm-up, and how it ended. */
export interface WarmUp {
  readonly count: number;
  readonly controller: AbortController;
  /** When it ended, by the clock; `undefined` as long as it has not. */
  endedAtMs: number | undefined;
  /** What it was rejected with, if it was. */
  error: unknown;
}

/** A pool, and all who have to do with it. */
export class Life {
  readonly clock: VirtualClock;
  readonly connector: FakeConnector;
  readonly hooks: WatchedHooks;
  readonly pool: Pool<FakeConn>;
  readonly judge: Judge;
  /** Those that have not ended. */
  readonly warmUps = new Set<WarmUp>();
  readonly warnings: PoolWarning[] = [];
  readonly reports: { readonly error: unknown; readonly task: BackgroundTask }[] = [];
  readonly #setting: Setting;
  readonly #trace: Trace;
  #enqueued = 0;

  constructor({ setting, clock, trace, connector, act, seed }: LifeParts) {
    this.#setting = setting;
    this.clock = clock;
    this.#trace = trace;
    this.connector = connector;
    this.connector.mayRetry = setting.mayRetry;
    this.hooks = new WatchedHooks(setting.hooks, act, clock, (condition, what) => {
      if (!condition) this.judge.violation ??= new Error(`violated: ${what}`);
    });
    this.pool = new Pool(connector, {
      ...setting.options,
      hooks: this.hooks.asOptions(),
      onBackgroundError: (error, task) => {
        this.reports.push({ error, task });
        this.judge.reported(error, task);
      },
      onWarning: (warning) => {
        this.note(`the pool warns: ${warning.kind}`);
        this.warnings.push(warning);
        this.judge.warned(warning);
      },
      clock,
      random: seededRandom(seed),
    });
    this.judge = new Judge(setting, clock, connector, this.pool, this.hooks);
    // No count tells it: who queues may, in the same step, have somebody else served.
    const { lanes, slots } = coreOf(this.pool);
    const enqueue = lanes.enqueue.bind(lanes);
    lanes.enqueue = (waiter) => {
      this.#enqueued += 1;
      return enqueue(waiter);
    };
    const move = slots.move.bind(slots);
    slots.move = (slot, kind) => {
      if (kind === "closing") this.judge.retiredAtMs = clock.nowMs();
      move(slot, kind);
    };
  }

  // ---- What callers do ----

  /** Somebody acquires. */
  acquire(call: Call = {}): Caller {
    const caller = this.#newCaller(call);
    this.#begin(caller, "acquires", call, async (options) => {
      const acquire = this.#from(caller.bulkhead).acquire(options);
      const lease = await acquire;
      this.#granted(caller, lease.conn, (how) => {
        lease[how]();
        this.#refuses(() => lease.conn);
      });
      this.#guard(() => call.onSettled?.(caller));
    });
    return caller;
  }

  /** Somebody takes what is idle, or nothing. */
  tryAcquire(bulkhead: string): Caller {
    const caller = this.#newCaller({ bulkhead });
    this.note(`caller ${caller.id} tries to acquire`);
    const lease = this.#from(bulkhead).tryAcquire();
    if (lease === undefined) caller.settled = "rejected";
    else this.#guard(() => this.#granted(caller, lease.conn, (how) => lease[how]()));
    return caller;
  }

  /** Somebody runs `work` with a connection, which goes on until it is given back. */
  use(call: Call, work: (caller: Caller) => void): Caller {
    const caller = this.#newCaller(call);
    const run = (conn: FakeConn): Promise<void> =>
      new Promise((resolve) => {
        this.#guard(() => this.#granted(caller, conn, () => resolve()));
        work(caller);
      });
    this.#begin(caller, "uses", call, (options) => this.#from(caller.bulkhead).use(run, options));
    return caller;
  }

  /** Gives back what a caller holds, if he holds anything. */
  giveBack(caller: Caller, how: "release" | "discard" = "release"): void {
    const { held } = caller;
    if (held === undefined) return;
    this.note(`caller ${caller.id} ${how}s connection ${held.conn.id}`);
    this.judge.ended(caller);
    caller.held = undefined;
    held.end(how);
  }

  /** Gives back twice, which must be refused. */
  giveBackTwice(caller: Caller): void {
    const { held } = caller;
    this.giveBack(caller, "release");
    if (held !== undefined) this.#refuses(() => held.end("release"));
  }

  /** A caller gives up, with his signal. */
  abort(caller: Caller): void {
    if (caller.aborted) return;
    this.note(`caller ${caller.id} gives up`);
    caller.aborted = true;
    caller.controller.abort(ABORTED);
  }

  // ---- What the server and the operator do ----

  /** The server ends a connection. */
  lose(conn: FakeConn): void {
    this.note(`the server ends connection ${conn.id}`);
    const wasInUse = conn.owner !== undefined && !conn.isLost && !conn.isClosing;
    if (wasInUse && this.judge.closing === undefined) this.judge.suspect();
    conn.lose(new Error("ended by the server"));
  }

  configure(change: Partial<PoolLimits>): void {
    const { maxOpenConns = this.judge.limitNow, waiterOrder, dialErrors } = change;
    this.judge.limitNow = maxOpenConns;
    // Those who wait already may have been served in any order.
    if (waiterOrder === "random") this.judge.isOrdered = false;
    if (dialErrors === "reject") this.judge.tellsDialErrors = true;
    if (change.keepaliveMs !== undefined) this.judge.isChanged = true;
    this.note(`the limits become ${JSON.stringify(change)}`);
    this.pool.configure(change);
  }

  /** Gives a bulkhead these limits. */
  limit(name: string, limits: BulkheadLimits): void {
    this.judge.limit(name, limits);
    this.note(`bulkhead ${name} becomes ${JSON.stringify(limits)}`);
    this.pool.bulkhead(name).configure(limits);
  }

  warmUp(count: number): WarmUp {
    const controller = new AbortController();
    const warmUp: WarmUp = { count, controller, endedAtMs: undefined, error: undefined };
    this.warmUps.add(warmUp);
    this.note(`a warm-up to ${count}`);
    const ended = (error: unknown): void => {
      this.note(
        `the warm-up to ${count} ends${error instanceof Error ? `: ${error.message}` : ""}`,
      );
      this.warmUps.delete(warmUp);
      warmUp.endedAtMs = this.clock.nowMs();
      warmUp.error = error;
      this.#guard(() => this.judge.warmed(count, error, controller));
    };
    this.pool.warmUp(count, { signal: controller.signal }).then(() => ended(undefined), ended);
    return warmUp;
  }

  closeIdle(): void {
    this.note("closeIdle");
    this.pool.closeIdle();
  }

  reset(): void {
    if (this.judge.closing === undefined) this.judge.resets += 1;
    this.note("reset");
    this.pool.reset();
  }

  suspend(): void {
    this.judge.isSuspended = true;
    this.note("suspend");
    this.pool.suspend();
  }

  resume(): void {
    this.judge.isSuspended = false;
    this.note("resume");
    this.pool.resume();
  }

  close(drainTimeoutMs: number): void {
    this.note(`the pool closes, and waits for ${drainTimeoutMs} ms`);
    // What is out may come back; then a hook has its time, and every connection and dial.
    const { options, hooks } = this.#setting;
    const { closeTimeoutMs = 0, hookTimeoutMs = 0 } = options;
    const lastMs = closeTimeoutMs + (hooks.includes("beforeClose") ? hookTimeoutMs : 0);
    const byMs = this.clock.nowMs() + drainTimeoutMs + lastMs + 1;
    const closing = { byMs, isDone: false };
    this.judge.closing = closing;
    void this.pool.close({ drainTimeoutMs }).then(() => {
      closing.isDone = true;
    });
  }

  // ---- How time passes ----

  /** Lets time pass, looking at every moment at which something happens. */
  async pass(forMs: number): Promise<void> {
    const untilMs = this.clock.nowMs() + forMs;
    for (;;) {
      const nextMs = Math.min(untilMs, Math.max(this.clock.nextTimerAtMs, this.clock.nowMs()));
      await this.clock.advance(nextMs - this.clock.nowMs());
      this.judge.verify();
      if (nextMs >= untilMs) return;
    }
  }

  /** The event loop stands still. */
  async stall(forMs: number): Promise<void> {
    this.note(`the event loop stands still for ${forMs} ms`);
    const { wakeAtMs } = coreOf(this.pool);
    const spared = this.waiting.filter((caller) => deadlineAtMs(caller) > wakeAtMs + 1e-6);
    this.clock.stall(forMs);
    if (this.judge.closing !== undefined) this.judge.closing.byMs += forMs;
    await this.clock.advance(0);
    this.judge.verify();
    // Shorter ones are not told from timers that are late.
    for (const { id, code } of forMs > 1400 ? spared : []) {
      this.hold(code !== "POOL_TIMEOUT", `O7 caller ${id} is turned away for a stall`);
    }
  }

  /** Throws unless everything is over after `close`, and nothing is left. */
  assertOver(): void {
    this.hold(this.judge.closing?.isDone === true, "O10 close ends");
    this.hold(this.connector.closed, "O10 the connector is closed with the pool");
    const ids = this.waiting.map((caller) => caller.id).join();
    this.hold(ids === "", `O3 callers ${ids} wait for a closed pool`);
    this.hold(this.warmUps.size === 0, "O16 no warm-up waits for a closed pool");
    const isGone = this.connector.serverCount === 0;
    this.hold(this.#setting.leavesRemains || isGone, "O10 all is gone after close");
    const { pendingTimerCount } = this.clock;
    this.hold(pendingTimerCount === 0, `O9 ${pendingTimerCount} timers are left behind`);
  }

  // ---- Small things ----

  /** Those who have been neither served nor turned away. */
  get waiting(): Caller[] {
    return [...this.judge.present].filter(({ settled }) => settled === undefined);
  }

  /** Those who have a connection. */
  get holders(): Caller[] {
    return [...this.judge.present].filter(({ held }) => held !== undefined);
  }

  /** Notes something in the trace. */
  note(what: string): void {
    this.#trace.note(what);
  }

  /** Throws where something does not hold. */
  hold(condition: boolean, what: string): void {
    if (!condition) throw new Error(`violated: ${what}`);
  }

  #from(bulkhead: string): Acquirer<FakeConn> {
    return bulkhead === "" ? this.pool : this.pool.bulkhead(bulkhead);
  }

  #newCaller({ bulkhead = "", isInner = false }: Call): Caller {
    const caller: Caller = {
      id: this.judge.callers.length + 1,
      bulkhead,
      controller: new AbortController(),
      beganAtMs: this.judge.nowMs,
      timeoutMs: coreOf(this.pool).limits.acquireTimeoutMs,
      isInner,
      look: this.judge.looks,
      queued: false,
      aborted: false,
      settled: undefined,
      settledAtMs: undefined,
      connId: undefined,
      code: "",
      error: undefined,
      held: undefined,
    };
    this.judge.begins(caller);
    return caller;
  }

  /** Calls something that acquires, and sees whether it has to wait. */
  #begin<T>(
    caller: Caller,
    what: string,
    { isAbortable = false, onSettled }: Call,
    call: (options: AcquireOptions) => Promise<T>,
  ): void {
    const signal = isAbortable ? caller.controller.signal : undefined;
    const before = this.#enqueued;
    const waitedBefore = coreOf(this.pool).totals().waitCount;
    const begin = (): Promise<T> => call({ signal });
    const acquire = caller.isInner ? this.judge.inner(begin) : begin();
    caller.queued = this.#enqueued > before;
    const isToRefuse = this.#setting.options.nestedAcquire === "reject";
    const isNested = caller.isInner && caller.queued && isToRefuse;
    const { open } = coreOf(this.pool).slots;
    const isAtLimit = coreOf(this.pool).totals().waitCount > waitedBefore;
    if (isNested && isAtLimit && !this.judge.isSuspended && open <= this.judge.limitNow) {
      this.judge.violation ??= new Error("violated: O19 nobody waits for himself");
    }
    const where = caller.bulkhead === "" ? "" : ` of ${caller.bulkhead}`;
    this.note(`caller ${caller.id}${where} ${what}${caller.queued ? ", and waits" : ""}`);
    acquire.catch((error: unknown) => {
      this.note(`caller ${caller.id} is rejected: ${String(error).slice(0, 60)}`);
      this.#guard(() => this.judge.rejected(caller, error));
      this.#guard(() => onSettled?.(caller));
    });
  }

  #granted(caller: Caller, conn: FakeConn, end: Held["end"]): void {
    this.note(`caller ${caller.id} gets connection ${conn.id}`);
    this.judge.granted(caller, conn);
    caller.held = { conn, sinceMs: this.judge.nowMs, end };
  }

  #refuses(call: () => unknown): void {
    let code: unknown = "LEASE_STALE";
    try {
      // What was `use` ends with its work, and has no lease that could be ended twice.
      if (call() !== undefined) code = undefined;
    } catch (error) {
      code = (error as { readonly code?: unknown }).code;
    }
    if (code !== "LEASE_STALE") throw new Error("violated: O4 a lease that has ended says so");
  }

  /** Keeps what a callback throws for the next look, where it ends the life. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.judge.violation ??= error;
    }
  }
}
