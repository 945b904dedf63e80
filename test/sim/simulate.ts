// One simulated life of a pool: the real shell and core, on a virtual clock, with a connector and
// hooks that fail in every way there is, under callers that do everything callers do. The same seed
// gives the same life. What must hold is in judge.ts.

import { AsyncResource } from "node:async_hooks";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import type { BulkheadLimits } from "../../packages/forebay/src/pool/lanes.ts";
import { type AcquireOptions, coreOf, Pool } from "../../packages/forebay/src/pool/pool.ts";
import type { Acquirer } from "../../packages/forebay/src/pool/bulkhead.ts";
import { type FakeConn, FakeConnector } from "../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";
import { FaultyHooks } from "./hooks.ts";
import { ABORTED, type Caller, deadlineAtMs, type Held, Judge } from "./judge.ts";
import {
  Dice,
  drawChange,
  drawPlan,
  drawShare,
  faultScript,
  healthyScript,
  type Plan,
} from "./plan.ts";

/** What a simulated life came to. */
export interface Outcome {
  readonly seed: number;
  /** What happened, line by line. */
  readonly trace: readonly string[];
  /** What went wrong; `undefined` when nothing did. */
  readonly violation: Error | undefined;
}

/** Lives one life. Never throws; what goes wrong is in the outcome. */
export async function simulate(seed: number): Promise<Outcome> {
  const simulation = new Simulation(seed);
  try {
    await simulation.live();
    return { seed, trace: simulation.trace, violation: undefined };
  } catch (error) {
    const violation = error instanceof Error ? error : new Error(String(error));
    return { seed, trace: simulation.trace, violation };
  }
}

const NAMES = ["checkout", "reports", "search"];

class Simulation {
  readonly trace: string[] = [];
  readonly #dice: Dice;
  readonly #plan: Plan;
  readonly #clock = new VirtualClock();
  readonly #connector: FakeConnector;
  readonly #hooks: FaultyHooks;
  readonly #pool: Pool<FakeConn>;
  readonly #judge: Judge;
  readonly #warmUps = new Map<AbortController, number>();
  /** Calls from within the context of somebody who held a connection once. */
  readonly #echoes: (() => void)[] = [];
  #enqueued = 0;
  /** The bulkhead that was changed last; empty for none. */
  #changedLast = "";

  constructor(seed: number) {
    this.#dice = new Dice(seededRandom(seed));
    this.#plan = drawPlan(this.#dice);
    const { options, faults, hooks } = this.#plan;
    this.#connector = new FakeConnector(this.#clock, faultScript(this.#plan, this.#dice));
    this.#connector.mayRetry = this.#plan.mayRetry;
    this.#hooks = new FaultyHooks(this.#plan, this.#dice, this.#clock, (condition, what) => {
      if (!condition) this.#judge.violation ??= new Error(`violated: ${what}`);
    });
    this.#hooks.note = (what) => this.#note(what);
    this.#note(`pool ${JSON.stringify(options)} hooks ${hooks.join(" ")}`);
    this.#note(`faults ${JSON.stringify(faults)}`);
    this.#pool = new Pool(this.#connector, {
      ...options,
      hooks: this.#hooks.asOptions(),
      onBackgroundError: (error, task) => this.#judge.reported(error, task),
      onWarning: (warning) => {
        this.#note(`the pool warns: ${warning.kind}`);
        this.#judge.warned(warning);
      },
      clock: this.#clock,
      random: seededRandom(seed + 1),
    });
    const judge = new Judge(this.#plan, this.#clock, this.#connector, this.#pool, this.#hooks);
    this.#judge = judge;
    // No count tells it: who queues may, in the same step, have somebody else served.
    const { lanes } = coreOf(this.#pool);
    const enqueue = lanes.enqueue.bind(lanes);
    lanes.enqueue = (waiter) => {
      this.#enqueued += 1;
      return enqueue(waiter);
    };
  }

  async live(): Promise<void> {
    for (let step = 0; step < this.#plan.steps; step++) {
      this.#act();
      await this.#clock.settle();
      this.#judge.verify();
      if (this.#plan.stalls && this.#dice.oneIn(12)) await this.#stall();
      if (this.#dice.oneIn(3)) await this.#pass(this.#dice.below(this.#plan.pauseMsMax));
    }
    // Some end in the middle of everything.
    if (!this.#dice.oneIn(5)) await this.#recover();
    await this.#end();
  }

  // ---- What callers and operators do ----

  #act(): void {
    const dice = this.#dice;
    const actions: readonly (readonly [number, () => void])[] = [
      [10, () => this.#acquire(this.#anyBulkhead(), false)],
      [2, () => this.#tryAcquire(this.#anyBulkhead())],
      [3, () => this.#use(this.#anyBulkhead())],
      [8, () => this.#withHolder((caller) => this.#giveBack(caller, "release"))],
      [1, () => this.#withHolder((caller) => this.#giveBack(caller, "discard"))],
      [1, () => this.#withHolder((caller) => this.#giveBackTwice(caller))],
      [1, () => dice.anyOf(this.#echoes)?.()],
      [3, () => this.#abort()],
      [2, () => this.#loseOne()],
      [2, () => this.#configure()],
      [2, () => this.#bulkhead()],
      [1, () => this.#warmUp()],
      [1, () => this.#tell("closeIdle", () => this.#pool.closeIdle())],
      [dice.below(2), () => this.#reset()],
      [1, () => this.#suspendOrResume()],
      [this.#plan.mayClose ? 1 : 0, () => this.#close()],
    ];
    let draw = dice.below(actions.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, act] of actions) {
      if (draw < weight) {
        act();
        return;
      }
      draw -= weight;
    }
  }

  #anyBulkhead(): string {
    // The one that was changed last is where something is most likely to go wrong.
    if (this.#dice.oneIn(2)) return this.#changedLast;
    return this.#dice.anyOf([...this.#judge.shares.keys()]) ?? "";
  }

  #from(bulkhead: string): Acquirer<FakeConn> {
    return bulkhead === "" ? this.#pool : this.#pool.bulkhead(bulkhead);
  }

  #newCaller(bulkhead: string, isInner: boolean): Caller {
    const caller: Caller = {
      id: this.#judge.callers.length + 1,
      bulkhead,
      controller: new AbortController(),
      beganAtMs: this.#judge.nowMs,
      timeoutMs: coreOf(this.#pool).limits.acquireTimeoutMs,
      isInner,
      look: this.#judge.looks,
      queued: false,
      aborted: false,
      settled: undefined,
      code: "",
      held: undefined,
    };
    this.#judge.begins(caller);
    return caller;
  }

  /** Calls something that acquires, and sees whether it has to wait. */
  #begin<T>(caller: Caller, what: string, call: (options: AcquireOptions) => Promise<T>): void {
    const signal = this.#dice.oneIn(2) ? caller.controller.signal : undefined;
    const before = this.#enqueued;
    const waitedBefore = coreOf(this.#pool).totals().waitCount;
    const acquire = call({ signal });
    caller.queued = this.#enqueued > before;
    const isNested =
      caller.isInner && caller.queued && this.#plan.options.nestedAcquire === "reject";
    const { open } = coreOf(this.#pool).slots;
    const isAtLimit = coreOf(this.#pool).totals().waitCount > waitedBefore;
    if (isNested && isAtLimit && !this.#judge.isSuspended && open <= this.#judge.limitNow) {
      this.#judge.violation ??= new Error("violated: O19 nobody waits for himself");
    }
    const where = caller.bulkhead === "" ? "" : ` of ${caller.bulkhead}`;
    this.#note(`caller ${caller.id}${where} ${what}${caller.queued ? ", and waits" : ""}`);
    acquire.catch((error: unknown) => this.#guard(() => this.#rejected(caller, error)));
  }

  #acquire(bulkhead: string, isInner: boolean): void {
    const caller = this.#newCaller(bulkhead, isInner);
    this.#begin(caller, "acquires", async (options) => {
      const acquire = this.#from(bulkhead).acquire(options);
      const lease = await acquire;
      this.#granted(caller, lease.conn, (how) => {
        lease[how]();
        this.#refuses(() => lease.conn);
      });
    });
  }

  #tryAcquire(bulkhead: string): void {
    const caller = this.#newCaller(bulkhead, false);
    this.#note(`caller ${caller.id} tries to acquire`);
    const lease = this.#from(bulkhead).tryAcquire();
    if (lease === undefined) caller.settled = "rejected";
    else this.#guard(() => this.#granted(caller, lease.conn, (how) => lease[how]()));
  }

  /** Somebody works with a connection, and may ask for a second. */
  #use(bulkhead: string): void {
    const caller = this.#newCaller(bulkhead, false);
    this.#begin(caller, "uses", (options) =>
      this.#from(bulkhead).use((conn) => this.#work(caller, conn), options),
    );
  }

  #work(caller: Caller, conn: FakeConn): Promise<void> {
    return new Promise((resolve) => {
      this.#guard(() => this.#granted(caller, conn, () => resolve()));
      if (this.#dice.oneIn(3)) {
        this.#judge.inner(() => this.#acquire(this.#anyBulkhead(), true));
      } else if (this.#dice.oneIn(2)) {
        // Something that the work has left running: nested as long as the work goes on.
        const later = AsyncResource.bind(() => {
          const isInner = caller.held !== undefined;
          const call = (): void => this.#acquire(this.#anyBulkhead(), isInner);
          if (isInner) this.#judge.inner(call);
          else call();
        });
        this.#echoes.push(later);
      }
    });
  }

  #granted(caller: Caller, conn: FakeConn, end: Held["end"]): void {
    this.#note(`caller ${caller.id} gets connection ${conn.id}`);
    this.#judge.granted(caller, conn);
    caller.held = { conn, sinceMs: this.#judge.nowMs, end };
  }

  #rejected(caller: Caller, error: unknown): void {
    this.#note(`caller ${caller.id} is rejected: ${String(error).slice(0, 60)}`);
    this.#judge.rejected(caller, error);
  }

  #giveBack(caller: Caller, how: "release" | "discard"): void {
    const { held } = caller;
    if (held === undefined) return;
    this.#note(`caller ${caller.id} ${how}s connection ${held.conn.id}`);
    this.#judge.ended(caller);
    caller.held = undefined;
    held.end(how);
  }

  #giveBackTwice(caller: Caller): void {
    const { held } = caller;
    this.#giveBack(caller, "release");
    if (held !== undefined) this.#refuses(() => held.end("release"));
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

  #abort(): void {
    const { callers } = this.#judge;
    const warmUp = this.#dice.oneIn(4) ? this.#dice.anyOf([...this.#warmUps.keys()]) : undefined;
    if (warmUp !== undefined) {
      this.#tell("a warm-up is given up", () => warmUp.abort(ABORTED));
      return;
    }
    const waiting = callers.filter((caller) => caller.settled === undefined);
    const caller = this.#dice.anyOf(waiting.length > 0 ? waiting : callers);
    if (caller === undefined || caller.aborted) return;
    this.#note(`caller ${caller.id} gives up`);
    caller.aborted = true;
    caller.controller.abort(ABORTED);
  }

  #loseOne(): void {
    const conn = this.#dice.anyOf([...this.#connector.open]);
    if (conn === undefined) return;
    this.#note(`the server ends connection ${conn.id}`);
    const wasInUse = conn.owner !== undefined && !conn.isLost && !conn.isClosing;
    if (wasInUse && this.#judge.closing === undefined) this.#judge.suspect();
    conn.lose(new Error("ended by the server"));
  }

  #configure(): void {
    const change = drawChange(this.#dice, this.#judge.reservedBeside(""));
    const { maxOpenConns = this.#judge.limitNow, waiterOrder, dialErrors } = change;
    this.#judge.limitNow = maxOpenConns;
    // Those who wait already may have been served in any order.
    if (waiterOrder === "random") this.#judge.isOrdered = false;
    if (dialErrors === "reject") this.#judge.tellsDialErrors = true;
    if (change.keepaliveMs !== undefined) this.#judge.isChanged = true;
    this.#tell(`the limits become ${JSON.stringify(change)}`, () => this.#pool.configure(change));
  }

  #bulkhead(): void {
    const name = this.#dice.anyOf(NAMES.slice(0, this.#plan.bulkheadsMax));
    if (name === undefined) return;
    const { limitNow } = this.#judge;
    const left = limitNow - 1 - this.#judge.reservedBeside(name);
    const limits: BulkheadLimits = drawShare(this.#dice, left);
    this.#judge.limit(name, limits);
    this.#changedLast = name;
    this.#tell(`bulkhead ${name} becomes ${JSON.stringify(limits)}`, () =>
      this.#pool.bulkhead(name).configure(limits),
    );
  }

  #warmUp(): void {
    const { maxIdle } = coreOf(this.#pool);
    const count = this.#dice.below(Math.min(maxIdle, 5) + 1);
    const controller = new AbortController();
    this.#warmUps.set(controller, count);
    this.#note(`a warm-up to ${count}`);
    const ended = (error: unknown): void => {
      this.#note(
        `the warm-up to ${count} ends${error instanceof Error ? `: ${error.message}` : ""}`,
      );
      this.#warmUps.delete(controller);
      this.#guard(() => this.#judge.warmed(count, error, controller));
    };
    this.#pool.warmUp(count, { signal: controller.signal }).then(() => ended(undefined), ended);
  }

  #reset(): void {
    if (this.#judge.closing === undefined) this.#judge.resets += 1;
    this.#tell("reset", () => this.#pool.reset());
  }

  #suspendOrResume(): void {
    const suspends = this.#dice.oneIn(2);
    this.#judge.isSuspended = suspends;
    if (suspends) this.#tell("suspend", () => this.#pool.suspend());
    else this.#tell("resume", () => this.#pool.resume());
  }

  #close(): void {
    if (this.#judge.closing !== undefined) return;
    const drainTimeoutMs = this.#dice.pick(0, 5, 50);
    this.#note(`the pool closes, and waits for ${drainTimeoutMs} ms`);
    // What is out may come back; then a hook has its time, and every connection and dial.
    const { closeTimeoutMs = 0, hookTimeoutMs = 0 } = this.#plan.options;
    const lastMs = closeTimeoutMs + (this.#plan.hooks.includes("beforeClose") ? hookTimeoutMs : 0);
    const byMs = this.#clock.nowMs() + drainTimeoutMs + lastMs + 1;
    const closing = { byMs, isDone: false, isOpen: false };
    this.#judge.closing = closing;
    void this.#pool.close({ drainTimeoutMs }).then(() => {
      closing.isDone = true;
    });
  }

  // ---- How time passes ----

  async #stall(): Promise<void> {
    const forMs = this.#dice.pick(5, 40, 1500, 20_000);
    this.#note(`the event loop stands still for ${forMs} ms`);
    const { wakeAtMs } = coreOf(this.#pool);
    const spared = this.#judge.callers.filter(
      (caller) => caller.settled === undefined && deadlineAtMs(caller) > wakeAtMs + 1e-6,
    );
    this.#clock.stall(forMs);
    if (this.#judge.closing !== undefined) this.#judge.closing.byMs += forMs;
    await this.#clock.advance(0);
    this.#judge.verify();
    // Shorter ones are not told from timers that are late.
    for (const { id, code } of forMs > 1400 ? spared : []) {
      this.#hold(code !== "POOL_TIMEOUT", `O7 caller ${id} is turned away for a stall`);
    }
  }

  /** Lets time pass, looking at every moment at which something happens. */
  async #pass(forMs: number): Promise<void> {
    const untilMs = this.#clock.nowMs() + forMs;
    for (;;) {
      const nextMs = Math.min(untilMs, Math.max(this.#clock.nextTimerAtMs, this.#clock.nowMs()));
      await this.#clock.advance(nextMs - this.#clock.nowMs());
      this.#judge.verify();
      if (nextMs >= untilMs) return;
    }
  }

  /**
   * The server and the hooks are well again, and all give back what they have: whoever waits must
   * now be served.
   */
  async #recover(): Promise<void> {
    this.#note("the server is well again, and all connections come back");
    this.#connector.script = healthyScript;
    this.#connector.mayRetry = true;
    this.#hooks.isWell = true;
    this.#judge.isSuspended = false;
    this.#pool.resume();
    await this.#clock.settle();
    // As many as these want may not be idle any more.
    const { maxIdle } = coreOf(this.#pool);
    for (const [warmUp, count] of this.#warmUps) if (count > maxIdle) warmUp.abort(ABORTED);
    for (let round = 0; round < 600 && !this.#isAtRest(); round++) {
      for (const caller of this.#judge.callers) {
        if (caller.held === undefined) continue;
        this.#giveBack(caller, "release");
        await this.#clock.settle();
      }
      await this.#pass(50);
    }
    const left = this.#judge.callers.filter((caller) => caller.settled === undefined);
    const ids = left.map((caller) => caller.id).join();
    this.#hold(left.length === 0, `O12 callers ${ids} wait for ever`);
    this.#hold(this.#warmUps.size === 0, "O16 every warm-up ends");
    this.#hold(this.#isAtRest(), "O12 all is given back, and minIdleConns are idle");
  }

  #isAtRest(): boolean {
    const { callers, closing } = this.#judge;
    if (this.#warmUps.size > 0) return false;
    if (callers.some(({ settled, held }) => settled === undefined || held !== undefined)) {
      return false;
    }
    const stats = this.#pool.stats();
    const isFilled = closing !== undefined || stats.idle >= coreOf(this.#pool).minIdle;
    return stats.inUse === 0 && isFilled;
  }

  async #end(): Promise<void> {
    this.#close();
    await this.#pass(1000);
    this.#hold(this.#judge.closing?.isDone === true, "O10 close ends");
    this.#hold(this.#connector.closed, "O10 the connector is closed with the pool");
    const left = this.#judge.callers.filter((caller) => caller.settled === undefined);
    const ids = left.map((caller) => caller.id).join();
    this.#hold(left.length === 0, `O3 callers ${ids} wait for a closed pool`);
    this.#hold(this.#warmUps.size === 0, "O16 no warm-up waits for a closed pool");
    const isGone = this.#connector.serverCount === 0;
    this.#hold(this.#plan.leavesRemains || isGone, "O10 all is gone after close");
    const { pendingTimerCount } = this.#clock;
    this.#hold(pendingTimerCount === 0, `O9 ${pendingTimerCount} timers are left behind`);
  }

  // ---- Small things ----

  #withHolder(act: (caller: Caller) => void): void {
    const caller = this.#dice.anyOf(this.#judge.callers.filter(({ held }) => held !== undefined));
    if (caller !== undefined) act(caller);
  }

  #tell(what: string, act: () => void): void {
    this.#note(what);
    act();
  }

  #note(what: string): void {
    this.trace.push(`${this.#clock.nowMs().toFixed(1).padStart(9)}  ${what}`);
  }

  /** Keeps what a callback throws for the next look, where it ends the life. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#judge.violation ??= error;
    }
  }

  #hold(condition: boolean, what: string): void {
    if (!condition) throw new Error(`violated: ${what}`);
  }
}
