// One life of a small pool, event by event: the core, and around it the callers, the connections
// and the clock that it works with. The world keeps its own account of who has what, made from
// effects alone, and checks each effect against it; `rest` sees that everything comes to an end.

import assert from "node:assert/strict";
import type { MonotonicMs } from "../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../packages/forebay/src/driver/driver.ts";
import { PoolCore } from "../../packages/forebay/src/pool/core.ts";
import type { Effect } from "../../packages/forebay/src/pool/effects.ts";
import type { BulkheadLimits, Lane } from "../../packages/forebay/src/pool/lanes.ts";
import { resolveOptions } from "../../packages/forebay/src/pool/option-checks.ts";
import type { PoolOptions } from "../../packages/forebay/src/pool/options.ts";
import { type Slot, Waiter } from "../../packages/forebay/src/pool/state.ts";
import { checkCounts } from "./counts.ts";
import {
  checkDial,
  checkGrant,
  checkPing,
  checkQuiet,
  checkServed,
  checkTurn,
  DRAW,
  mayAnyHave,
} from "./rules.ts";

/** What the operator may do, each time at the cost of one of `operatorEvents`. */
export type OperatorEvent =
  | "lower"
  | "suspend"
  | "reset"
  | "close idle"
  | "warm up"
  | "suspect"
  | "stall"
  | "share";

/** A pool to explore, and how much may happen to it. */
export interface Setting {
  readonly name: string;
  readonly options: PoolOptions;
  /** Bulkheads by name. */
  readonly bulkheads?: Readonly<Record<string, BulkheadLimits>>;
  /** Each caller: how long it waits, and in which bulkhead; "" for none. */
  readonly callers: readonly { readonly timeoutMs: number; readonly bulkhead?: string }[];
  /** How many dials fail or connections are lost, in all. */
  readonly faults: number;
  /** How much the operator does, in all; closing the pool not counted. */
  readonly operatorEvents: number;
  readonly operator: readonly OperatorEvent[];
  /** Whether connections can be pinged. */
  readonly pings: boolean;
}

/** Who acquires. */
export interface Caller {
  readonly lane: Lane<Caller>;
  readonly timeoutMs: number;
  state: "away" | "waiting" | "holding";
  waiter: Waiter<Caller> | undefined;
  slot: Slot<PooledConn> | undefined;
  generation: number;
}

/** A connection as the driver knows it. */
export interface Conn {
  readonly slot: Slot<PooledConn>;
  readonly dialedAtMs: number;
  /** How often the pool had been reset when the dial began. */
  readonly resets: number;
  openedAtMs: number;
  /** When it was last of use to anybody, or opened. */
  usedAtMs: number;
  /**
   * `free` nobody has it, `spoiled` it has failed and must be closed now; the rest as in a slot.
   */
  state: "dialing" | "free" | "held" | "checking" | "pinging" | "spoiled" | "closing" | "gone";
  isLost: boolean;
  /** A check or a ping is under way, and will end whatever becomes of the connection. */
  answers: "check" | "ping" | undefined;
}

/** The least pause after dials have failed once; each further time it is twice as long. */
const PAUSE_MS_FIRST = 25;
/** Why callers give a connection back that nobody is to have again. */
const REASONS = ["bad", "discarded", "refused"] as const;
/** The share of a bulkhead that may have everything. */
const UNSHARED: BulkheadLimits = {
  maxInUse: Infinity,
  reserved: 0,
  maxWaiting: Infinity,
  priority: 0,
};
/** More than any limit of time in the settings. */
const STALL_MS = 10_000;
/** In one event, nothing can lead to more effects than this. */
const EFFECTS_MAX = 100;

type Resolved = ReturnType<typeof resolveOptions>;

/** Each setting makes many worlds. */
const resolvedOptions = new WeakMap<PoolOptions, Resolved>();

/** What the settings leave open is unlimited. */
function resolved(options: PoolOptions): Resolved {
  const known = resolvedOptions.get(options);
  if (known !== undefined) return known;
  const unlimited = { connMaxLifetimeMs: Infinity, connMaxIdleTimeMs: Infinity };
  const fresh = resolveOptions({ ...unlimited, ...options }, "explored");
  resolvedOptions.set(options, fresh);
  return fresh;
}

/** The world. Methods are events; each throws when the core did what it must not. */
export class World {
  readonly setting: Setting;
  readonly core: PoolCore<PooledConn, Caller>;
  readonly callers: readonly Caller[];
  readonly conns: Conn[] = [];
  readonly seen = {
    acquired: 0,
    aborted: 0,
    refused: 0,
    dials: 0,
    dialErrors: 0,
    pings: 0,
    closes: 0,
    "timed-out": 0,
    shed: 0,
    closed: 0,
    "connect-failed": 0,
    waitedMs: 0,
  };
  nowMs = 0 as MonotonicMs;
  faultsLeft: number;
  operatorEventsLeft: number;
  resets = 0;
  /** When dialing may go on, by the outside's account. */
  pausedUntilMs = -Infinity;
  failedAtMs = -Infinity;
  failedRounds = 0;
  isForced = false;
  isDrained = false;
  /** Whether counts are compared after each event; there is no need where that was done before. */
  isCounting = false;
  readonly #conn: PooledConn;

  constructor(setting: Setting) {
    this.setting = setting;
    this.faultsLeft = setting.faults;
    this.operatorEventsLeft = setting.operatorEvents;
    const { limits, settings } = resolved(setting.options);
    this.core = new PoolCore(limits, { next: () => DRAW }, settings.shedding);
    const close = () => undefined;
    this.#conn = setting.pings ? { close, ping: async () => undefined } : { close };
    for (const [name, share] of Object.entries(setting.bulkheads ?? {})) {
      this.core.setBulkhead(name, share, this.nowMs);
    }
    this.callers = setting.callers.map(({ timeoutMs, bulkhead = "" }) => ({
      lane: this.core.lanes.find(bulkhead) ?? this.core.lanes.main,
      timeoutMs,
      state: "away",
      waiter: undefined,
      slot: undefined,
      generation: 0,
    }));
    this.core.start(this.nowMs);
    this.#settle();
  }

  // ---- Callers ----

  acquire(caller: Caller): void {
    const { core, nowMs } = this;
    const slot = core.acquireIdle(caller.lane, nowMs);
    if (slot !== undefined) {
      const isFirst = !this.callers.some(
        (other) => other.state === "waiting" && other.lane === caller.lane,
      );
      assert(isFirst, "a new caller has overtaken one that waits");
      this.#granted(caller, slot);
    } else if (core.hasRoomToWait(caller.lane)) {
      const ignore = () => undefined;
      const { lane, timeoutMs } = caller;
      caller.waiter = new Waiter<Caller>(lane, nowMs, nowMs + timeoutMs, ignore, ignore);
      caller.state = "waiting";
      core.enqueue(caller.waiter, nowMs);
    } else {
      core.refuse(caller.lane);
      this.seen.refused += 1;
    }
    this.#settle();
  }

  abort(caller: Caller): void {
    const { waiter } = caller;
    assert(waiter !== undefined);
    assert(this.core.abort(waiter, this.nowMs), "who waits can give up");
    assert(!this.core.abort(waiter, this.nowMs), "nobody gives up twice");
    this.seen.aborted += 1;
    this.#leave(caller);
    this.#settle();
  }

  release(caller: Caller, condition: "fit" | "of no use" | "check"): void {
    const { slot, generation } = caller;
    // Each caller has a reason of its own, so that all come up.
    const ownReason = REASONS[this.callers.indexOf(caller) % REASONS.length] ?? "bad";
    assert(slot !== undefined);
    const conn = this.#connOf(slot);
    this.#leave(caller);
    conn.usedAtMs = this.nowMs;
    if (conn.state === "held") {
      conn.state = condition === "fit" ? "free" : condition === "check" ? "checking" : "spoiled";
      if (condition === "check") conn.answers = "check";
    }
    const reason = condition === "of no use" ? ownReason : condition;
    // A connection that nobody is to have is no better than one that nobody can have.
    const isRefusal = reason === "refused" && generation === 1;
    if (isRefusal && slot.kind === "leased") this.#pauseAfter(conn);
    this.core.release(slot, generation, reason, this.nowMs);
    this.#settle();
  }

  // ---- The driver ----

  dialed(conn: Conn): void {
    conn.state = "free";
    conn.openedAtMs = this.nowMs;
    conn.usedAtMs = this.nowMs;
    this.seen.dials += 1;
    if (conn.isLost) this.#noteFailure(conn);
    this.core.dialed(conn.slot, this.#conn, this.nowMs);
    this.#settle();
  }

  dialFailed(conn: Conn, mayRetry: boolean): void {
    conn.state = "gone";
    if (this.core.phase === "open") this.#noteFailure(conn);
    const mustTell = this.core.limits.dialErrors === "reject" && mayAnyHave(this);
    const told = this.seen["connect-failed"];
    this.core.dialFailed(conn.slot, "refused", mayRetry, this.nowMs);
    this.#settle();
    assert(!mustTell || this.seen["connect-failed"] > told, "somebody is told of a failed dial");
  }

  lost(conn: Conn): void {
    conn.isLost = true;
    const isUnused = conn.slot.generation === 0;
    if (isUnused && (conn.state === "free" || conn.state === "pinging")) this.#noteFailure(conn);
    this.core.lost(conn.slot, "lost", this.nowMs);
    this.#settle();
  }

  /** A check or a ping has ended. */
  answered(conn: Conn, isFit: boolean): void {
    const { answers } = conn;
    conn.answers = undefined;
    if (answers === "check") conn.usedAtMs = this.nowMs;
    if (conn.state === "checking" || conn.state === "pinging") {
      conn.state = isFit ? "free" : "spoiled";
    }
    if (answers === "ping") this.core.pinged(conn.slot, isFit, this.nowMs);
    else this.core.checked(conn.slot, isFit ? "fit" : "reset-failed", this.nowMs);
    this.#settle();
  }

  gone(conn: Conn): void {
    conn.state = "gone";
    this.core.closed(conn.slot, this.nowMs);
    this.#settle();
  }

  // ---- The clock and the operator ----

  /** Time goes by up to the moment by which the core wants to be woken, and nobody has woken it. */
  pass(): void {
    this.nowMs = this.core.wakeAtMs as MonotonicMs;
  }

  tick(): void {
    this.core.tick(this.nowMs);
    for (const { state, waiter } of this.callers) {
      const isDue = state === "waiting" && (waiter?.deadlineAtMs ?? Infinity) <= this.nowMs;
      assert(!isDue || waiter?.kind !== "queued", "whose time is up is told by the next tick");
    }
    this.#settle();
    checkQuiet(this);
  }

  operate(event: OperatorEvent): void {
    const { core, nowMs } = this;
    this.operatorEventsLeft -= 1;
    if (event === "lower") {
      // The least that the bulkheads let it be.
      core.configure({ maxOpenConns: 1 + core.lanes.reservedBeside("") }, nowMs);
    } else if (event === "suspend") core.suspend();
    else if (event === "reset") {
      this.resets += 1;
      core.reset(nowMs);
    } else if (event === "close idle") core.closeIdle(nowMs);
    else if (event === "warm up") core.warmTo(this.setting.options.maxOpenConns ?? 1, nowMs);
    else if (event === "suspect") core.suspect(nowMs);
    else if (event === "stall") this.nowMs = (nowMs + STALL_MS) as MonotonicMs;
    else this.#share(UNSHARED);
    this.#settle();
  }

  /** What the operator did is undone: the limits are the first ones, and nothing is suspended. */
  undo(): void {
    const { core, nowMs, setting } = this;
    const { maxOpenConns } = resolved(setting.options).limits;
    if (core.isSuspended) core.resume(nowMs);
    if (core.limits.maxOpenConns !== maxOpenConns) core.configure({ maxOpenConns }, nowMs);
    if (core.warmTarget > 0) core.warmTo(0, nowMs);
    this.#share(undefined);
    this.#settle();
  }

  /** Whether there is anything to undo. */
  get isChanged(): boolean {
    const { core, setting } = this;
    const { maxOpenConns } = resolved(setting.options).limits;
    const isLow = core.limits.maxOpenConns !== maxOpenConns;
    return isLow || core.isSuspended || core.warmTarget > 0 || this.#isUnshared;
  }

  get #isUnshared(): boolean {
    return this.core.lanes.all.some(({ limits }) => limits === UNSHARED);
  }

  /** Changes the share of the first bulkhead; `undefined` gives it back its own. */
  #share(limits: BulkheadLimits | undefined): void {
    const [first] = Object.entries(this.setting.bulkheads ?? {});
    if (first === undefined || (limits === undefined && !this.#isUnshared)) return;
    const [name, own] = first;
    this.core.setBulkhead(name, limits ?? own, this.nowMs);
  }

  drain(): void {
    this.core.drain(this.nowMs);
    this.#settle();
  }

  closeByForce(): void {
    this.isForced = true;
    this.core.closeByForce();
    this.#settle();
  }

  // ---- Effects ----

  #settle(): void {
    const { core } = this;
    for (let left = EFFECTS_MAX; ; left--) {
      assert(left > 0, "the core asks for more and more");
      const effect = core.takeEffect();
      if (effect === undefined) break;
      assert(!this.isDrained, "nothing is done after the end");
      this.#carryOut(effect);
    }
    for (const { slot, state, isLost } of this.conns) {
      assert(state !== "spoiled", `connection ${slot.id} has failed, and is not closed`);
      assert(state !== "free" || !isLost, `connection ${slot.id} is lost, and is not closed`);
    }
    if (!this.isCounting) return;
    checkCounts(this);
    checkServed(this);
  }

  #carryOut(effect: Effect<PooledConn, Caller>): void {
    if (effect.kind === "dial") this.#dial(effect.slot);
    else if (effect.kind === "grant") {
      const caller = this.#callerOf(effect.waiter);
      checkTurn(this, caller);
      this.#leave(caller);
      this.#granted(caller, effect.slot);
    } else if (effect.kind === "reject") this.#rejected(effect.waiter, effect.why);
    else if (effect.kind === "close") this.#close(this.#connOf(effect.slot));
    else if (effect.kind === "ping") {
      const conn = this.#connOf(effect.slot);
      checkPing(this, conn);
      conn.state = "pinging";
      conn.answers = "ping";
      this.seen.pings += 1;
    } else if (effect.kind === "drained") {
      this.isDrained = true;
      assert(
        this.conns.every(({ state }) => state === "gone"),
        "a pool is closed when the last connection is gone",
      );
    } else assert(this.core.phase !== "open", "a dial is aborted only when the pool closes");
  }

  #dial(slot: Slot<PooledConn>): void {
    checkDial(this);
    this.conns.push({
      slot,
      dialedAtMs: this.nowMs,
      resets: this.resets,
      openedAtMs: NaN,
      usedAtMs: NaN,
      state: "dialing",
      isLost: false,
      answers: undefined,
    });
  }

  #close(conn: Conn): void {
    const mayBe = this.isForced || (conn.state !== "held" && conn.state !== "checking");
    assert(mayBe, "what is in use is not closed");
    const isOpen = conn.state !== "closing" && conn.state !== "gone" && conn.state !== "dialing";
    assert(isOpen, "a connection is closed once");
    conn.state = "closing";
    this.seen.closes += 1;
  }

  #granted(caller: Caller, slot: Slot<PooledConn>): void {
    const conn = this.#connOf(slot);
    checkGrant(this, caller, conn);
    conn.state = "held";
    if (conn.openedAtMs > this.failedAtMs) {
      this.failedRounds = 0;
      this.pausedUntilMs = -Infinity;
    }
    caller.state = "holding";
    caller.slot = slot;
    caller.generation = slot.generation;
    this.seen.acquired += 1;
  }

  #rejected(waiter: Waiter<Caller>, why: "timed-out" | "closed" | "connect-failed" | "shed"): void {
    const caller = this.#callerOf(waiter);
    this.#leave(caller);
    this.seen[why] += 1;
    if (why === "timed-out") assert(waiter.deadlineAtMs <= this.nowMs, "nobody times out early");
    if (why === "closed") assert(this.core.phase !== "open", "the pool has closed");
    if (why === "connect-failed") assert(this.seen.dialErrors > 0, "a dial has failed");
  }

  // ---- The outside's own account ----

  count(state: Conn["state"]): number {
    return this.conns.filter((conn) => conn.state === state).length;
  }

  #noteFailure(conn: Conn): void {
    this.seen.dialErrors += 1;
    this.#pauseAfter(conn);
  }

  #pauseAfter({ dialedAtMs }: Conn): void {
    if (dialedAtMs <= this.failedAtMs) return;
    this.failedRounds += 1;
    this.failedAtMs = this.nowMs;
    this.pausedUntilMs = this.nowMs + PAUSE_MS_FIRST * 2 ** (this.failedRounds - 1);
  }

  #leave(caller: Caller): void {
    const { waiter } = caller;
    if (waiter?.atLimit === true) this.seen.waitedMs += this.nowMs - waiter.enqueuedAtMs;
    caller.state = "away";
    caller.waiter = undefined;
    caller.slot = undefined;
  }

  #callerOf(waiter: Waiter<Caller>): Caller {
    const caller = this.callers.find((each) => each.waiter === waiter);
    assert(caller !== undefined && caller.state === "waiting", "who is told, waits");
    return caller;
  }

  #connOf(slot: Slot<PooledConn>): Conn {
    const conn = this.conns.find((each) => each.slot === slot);
    assert(conn !== undefined, "a connection was dialed");
    return conn;
  }
}
