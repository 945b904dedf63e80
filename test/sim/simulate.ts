// One simulated life of a pool: the real shell and core, on a virtual clock, with a connector that
// fails in every way there is, under callers that do everything callers do. The same seed gives the
// same life.

import { getEventListeners } from "node:events";
import { type Random, randomBelow, seededRandom } from "../../packages/forebay/src/base/random.ts";
import { BugError } from "../../packages/forebay/src/base/assert.ts";
import { Audit } from "../../packages/forebay/src/pool/audit.ts";
import type { Lease, PoolLease } from "../../packages/forebay/src/pool/lease.ts";
import { coreOf, Pool } from "../../packages/forebay/src/pool/pool.ts";
import { type FakeConn, FakeConnector } from "../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";
import { drawPlan, faultScript, healthyScript, type Plan } from "./plan.ts";

/** What a simulated life came to. */
export interface Outcome {
  readonly seed: number;
  /** What happened, line by line. */
  readonly trace: readonly string[];
  /** What went wrong; `undefined` when nothing did. */
  readonly violation: Error | undefined;
}

interface Caller {
  readonly id: number;
  readonly controller: AbortController;
  /** Whether it found nothing idle and queued. */
  queued: boolean;
  aborted: boolean;
  settled: "granted" | "rejected" | undefined;
  lease: Lease<FakeConn> | undefined;
}

const ABORTED = new Error("the caller gave up");

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

class Simulation {
  readonly trace: string[] = [];
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #clock = new VirtualClock();
  readonly #connector: FakeConnector;
  readonly #pool: Pool<FakeConn>;
  readonly #audit: Audit<FakeConn, PoolLease<FakeConn>>;
  readonly #callers: Caller[] = [];
  #limitNow: number;
  #serverCountBefore = 0;
  #lastGrantedId = 0;
  #orderWasRandom: boolean;
  #violation: unknown;
  #closed: Promise<void> | undefined;
  #closedBy: { readonly deadlineMs: number; done: boolean } | undefined;
  readonly #counts = { granted: 0, timedOut: 0, aborted: 0, full: 0 };

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#plan = drawPlan(this.#random);
    this.#connector = new FakeConnector(this.#clock, faultScript(this.#plan, this.#random));
    this.#connector.mayRetry = this.#plan.mayRetry;
    this.#connector.onDialAborted = (afterMs) =>
      this.#guard(() => {
        const inTime = afterMs < (this.#plan.options.dialTimeoutMs ?? 0) - 1e-6;
        const closing = coreOf(this.#pool).phase !== "open";
        this.#hold(closing || !inTime, "a dial survives the caller that caused it");
      });
    this.#limitNow = this.#plan.options.maxOpenConns ?? 10;
    this.#orderWasRandom = this.#plan.options.waiterOrder === "random";
    this.#note(
      `pool ${JSON.stringify(this.#plan.options)} faults ${JSON.stringify(this.#plan.faults)}`,
    );
    this.#pool = new Pool(this.#connector, {
      ...this.#plan.options,
      // What the fake finds against the contract is thrown into the pool, which reports it here.
      onBackgroundError: (error) => {
        if (error instanceof BugError) this.#violation ??= error;
      },
      clock: this.#clock,
      random: seededRandom(seed + 1),
    });
    this.#audit = new Audit(coreOf(this.#pool));
    this.#serverCountBefore = this.#connector.serverCount;
  }

  async live(): Promise<void> {
    for (let step = 0; step < this.#plan.steps; step++) {
      this.#act();
      await this.#check();
      if (this.#below(3) === 0) await this.#pass(this.#below(this.#plan.pauseMsMax));
    }
    await this.#recover();
    await this.#end();
  }

  // ---- What callers and operators do ----

  #act(): void {
    const actions: readonly (readonly [number, () => void])[] = [
      [10, () => this.#acquire()],
      [8, () => this.#withHolder((caller) => this.#giveBack(caller, "release"))],
      [1, () => this.#withHolder((caller) => this.#giveBack(caller, "discard"))],
      [1, () => this.#withHolder((caller) => this.#giveBackTwice(caller))],
      [3, () => this.#abort()],
      [2, () => this.#loseOne()],
      [2, () => this.#configure()],
      [1, () => this.#tell("closeIdle", () => this.#pool.closeIdle())],
      [this.#plan.mayClose ? 1 : 0, () => this.#close()],
    ];
    let draw = this.#below(actions.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, act] of actions) {
      if (draw < weight) {
        act();
        return;
      }
      draw -= weight;
    }
  }

  #acquire(): void {
    const caller: Caller = {
      id: this.#callers.length + 1,
      controller: new AbortController(),
      queued: false,
      aborted: false,
      settled: undefined,
      lease: undefined,
    };
    this.#callers.push(caller);
    const before = this.#pool.stats().pool.waiting;
    const signal = this.#below(2) === 0 ? caller.controller.signal : undefined;
    const acquire = this.#pool.acquire({ signal });
    caller.queued = this.#pool.stats().pool.waiting > before;
    this.#note(`caller ${caller.id} acquires${caller.queued ? ", and waits" : ""}`);
    acquire.then(
      (lease) => this.#guard(() => this.#granted(caller, lease)),
      (error: unknown) => this.#guard(() => this.#rejected(caller, error)),
    );
  }

  #granted(caller: Caller, lease: Lease<FakeConn>): void {
    const { conn } = lease;
    this.#note(`caller ${caller.id} gets connection ${conn.id}`);
    this.#hold(caller.settled === undefined, "an acquire settles once");
    this.#hold(conn.owner === undefined, `connection ${conn.id} has one owner`);
    const byForce = this.#closed !== undefined;
    this.#hold(byForce || !conn.isClosing, "no closed connection is handed out");
    this.#hold(!conn.isLost, "no lost connection is handed out");
    this.#hold(!conn.isResetting, "no connection is handed out before it is fit");
    const { connMaxLifetimeMs } = coreOf(this.#pool).limits;
    const ageMs = this.#clock.nowMs() - conn.openedAtMs;
    this.#hold(ageMs < connMaxLifetimeMs, "no expired connection is handed out");
    if (caller.queued && !this.#orderWasRandom) {
      this.#hold(caller.id > this.#lastGrantedId, "waiters are served in order of arrival");
      this.#lastGrantedId = caller.id;
    }
    caller.settled = "granted";
    caller.lease = lease;
    conn.owner = `caller ${caller.id}`;
    this.#counts.granted += 1;
  }

  #rejected(caller: Caller, error: unknown): void {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    this.#note(`caller ${caller.id} is rejected: ${code}`);
    this.#hold(caller.settled === undefined, "an acquire settles once");
    caller.settled = "rejected";
    if (error === ABORTED) {
      this.#hold(caller.aborted, "only the aborted are rejected with the signal's reason");
      this.#counts.aborted += 1;
    } else if (code === "POOL_TIMEOUT") this.#counts.timedOut += 1;
    else if (code === "POOL_QUEUE_FULL") this.#counts.full += 1;
    else if (code === "POOL_CLOSED") this.#hold(this.#closed !== undefined, "the pool is closed");
    else if (code === "CONNECT_FAILED") this.#hold(!this.#plan.mayRetry, "a hopeless dial is told");
    else throw error;
  }

  #giveBack(caller: Caller, how: "release" | "discard"): void {
    const { lease } = caller;
    if (lease === undefined) return;
    this.#note(`caller ${caller.id} ${how}s connection ${lease.conn.id}`);
    lease.conn.owner = undefined;
    caller.lease = undefined;
    lease[how]();
  }

  #giveBackTwice(caller: Caller): void {
    const { lease } = caller;
    this.#giveBack(caller, "release");
    let code: unknown;
    try {
      lease?.release();
    } catch (error) {
      code = (error as { readonly code?: unknown }).code;
    }
    this.#hold(code === "LEASE_STALE", "a second release is refused");
  }

  #abort(): void {
    const waiting = this.#callers.filter((caller) => caller.settled === undefined);
    const caller = this.#pick(waiting.length > 0 ? waiting : this.#callers);
    if (caller === undefined || caller.aborted) return;
    this.#note(`caller ${caller.id} gives up`);
    caller.aborted = true;
    caller.controller.abort(ABORTED);
  }

  #loseOne(): void {
    const conn = this.#pick([...this.#connector.open]);
    if (conn === undefined) return;
    this.#note(`the server ends connection ${conn.id}`);
    conn.lose(new Error("ended by the server"));
  }

  #configure(): void {
    const pool = this.#pool;
    const changes: readonly (() => void)[] = [
      () => {
        const max = 1 + this.#below(6);
        this.#note(`maxOpenConns becomes ${max}`);
        this.#limitNow = max;
        pool.setMaxOpenConns(max);
      },
      () => this.#set("maxIdleConns", this.#below(6), (value) => pool.setMaxIdleConns(value)),
      () => this.#set("minIdleConns", this.#below(3), (value) => pool.setMinIdleConns(value)),
      () => this.#set("connMaxLifetimeMs", this.#time(), (ms) => pool.setConnMaxLifetimeMs(ms)),
      () => this.#set("connMaxIdleTimeMs", this.#time(), (ms) => pool.setConnMaxIdleTimeMs(ms)),
      () => this.#set("acquireTimeoutMs", this.#time(), (ms) => pool.setAcquireTimeoutMs(ms)),
      () => this.#set("maxWaiters", this.#below(8), (value) => pool.setMaxWaiters(value)),
      () => this.#set("maxDialing", 1 + this.#below(4), (value) => pool.setMaxDialing(value)),
      () => this.#tell("idleOrder fifo", () => pool.setIdleOrder("fifo")),
      () => {
        this.#orderWasRandom = true;
        this.#tell("waiterOrder random", () => pool.setWaiterOrder("random"));
      },
    ];
    this.#pick(changes)?.();
  }

  #close(): void {
    if (this.#closed !== undefined) return;
    const drainTimeoutMs = this.#pick([0, 5, 50]) ?? 0;
    this.#note(`the pool closes, and waits for ${drainTimeoutMs} ms`);
    // What is out may come back; then every connection and dial has closeTimeoutMs to go.
    const { closeTimeoutMs = 0 } = this.#plan.options;
    const closedBy = {
      deadlineMs: this.#clock.nowMs() + drainTimeoutMs + closeTimeoutMs + 1,
      done: false,
    };
    this.#closedBy = closedBy;
    this.#closed = this.#pool.close({ drainTimeoutMs });
    void this.#closed.then(() => {
      closedBy.done = true;
    });
  }

  // ---- What must hold ----

  async #check(): Promise<void> {
    await this.#clock.settle();
    this.#verify();
  }

  /** Lets time pass, looking at every moment at which something happens. */
  async #pass(forMs: number): Promise<void> {
    const untilMs = this.#clock.nowMs() + forMs;
    for (;;) {
      const nextMs = Math.min(untilMs, Math.max(this.#clock.nextTimerAtMs, this.#clock.nowMs()));
      await this.#clock.advance(nextMs - this.#clock.nowMs());
      this.#verify();
      if (nextMs >= untilMs) return;
    }
  }

  #verify(): void {
    const violation = this.#violation ?? this.#connector.breach;
    if (violation !== undefined) throw violation;
    const closedBy = this.#closedBy;
    const late = closedBy !== undefined && this.#clock.nowMs() > closedBy.deadlineMs;
    this.#hold(!late || closedBy.done, "close ends in time, whatever comes back");
    const core = coreOf(this.#pool);
    this.#audit.check(this.#clock.nowMs());
    const { serverCount } = this.#connector;
    if (!this.#plan.leavesRemains) {
      this.#hold(
        serverCount <= Math.max(this.#limitNow, this.#serverCountBefore),
        `I1 is broken: ${serverCount} connections at the server, maxOpenConns is ${this.#limitNow}`,
      );
      this.#hold(core.slots.open === serverCount, "the pool counts what the server counts");
    }
    this.#serverCountBefore = serverCount;
    const counters = core.totals();
    this.#hold(counters.timeoutCount === this.#counts.timedOut, "every timeout is counted");
    this.#hold(counters.abortCount === this.#counts.aborted, "every abort is counted");
    this.#hold(counters.queueFullCount === this.#counts.full, "every refusal is counted");
    this.#hold(counters.acquireCount === this.#counts.granted, "every grant is counted");
    for (const caller of this.#callers) {
      if (caller.settled === undefined) continue;
      const listeners = getEventListeners(caller.controller.signal, "abort").length;
      this.#hold(listeners === 0, "a settled acquire leaves no listener");
    }
  }

  /**
   * The server is well again, and all give back what they have: whoever waits must now be served.
   */
  async #recover(): Promise<void> {
    this.#note("the server is well again, and all connections come back");
    this.#connector.script = healthyScript;
    this.#connector.mayRetry = true;
    for (let round = 0; round < 600 && !this.#isAtRest(); round++) {
      for (const caller of this.#callers) this.#giveBack(caller, "release");
      await this.#pass(50);
    }
    const left = this.#callers.filter((caller) => caller.settled === undefined);
    this.#hold(
      left.length === 0,
      `callers ${left.map((caller) => caller.id).join()} wait for ever`,
    );
    this.#hold(this.#isAtRest(), "all is given back, and minIdleConns are idle, after an outage");
  }

  #isAtRest(): boolean {
    if (this.#callers.some(({ settled, lease }) => settled === undefined || lease !== undefined)) {
      return false;
    }
    const stats = this.#pool.stats();
    const enough = this.#closed !== undefined || stats.idle >= coreOf(this.#pool).minIdle;
    return stats.inUse === 0 && enough;
  }

  async #end(): Promise<void> {
    this.#close();
    await this.#pass(1000);
    this.#hold(this.#closedBy?.done === true, "close ends");
    this.#hold(this.#connector.closed, "the connector is closed with the pool");
    if (!this.#plan.leavesRemains) this.#hold(this.#connector.serverCount === 0, "all is gone");
    const { pendingTimerCount } = this.#clock;
    this.#hold(pendingTimerCount === 0, `${pendingTimerCount} timers are left behind`);
  }

  // ---- Small things ----

  #withHolder(act: (caller: Caller) => void): void {
    const caller = this.#pick(this.#callers.filter(({ lease }) => lease !== undefined));
    if (caller !== undefined) act(caller);
  }

  #set(name: string, value: number, set: (value: number) => void): void {
    this.#tell(`${name} becomes ${value}`, () => set(value));
  }

  #tell(what: string, act: () => void): void {
    this.#note(what);
    act();
  }

  #time(): number {
    return this.#below(4) === 0 ? Infinity : 1 + this.#below(100);
  }

  #below(bound: number): number {
    return randomBelow(this.#random, Math.max(1, bound));
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#below(from.length)];
  }

  #note(what: string): void {
    this.trace.push(`${this.#clock.nowMs().toFixed(1).padStart(9)}  ${what}`);
  }

  /** Keeps what a callback throws for the next check, where it ends the life. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#violation ??= error;
    }
  }

  #hold(condition: boolean, what: string): void {
    if (!condition) throw new Error(`violated: ${what}`);
  }
}
