// What must hold of a pool, seen from outside: by its callers, by the server, by the clock. The
// numbers are those of ARCHITECTURE.md.

import { getEventListeners } from "node:events";
import { BugError } from "../../packages/forebay/src/base/assert.ts";
import { Audit } from "../../packages/forebay/src/pool/audit.ts";
import type { BulkheadLimits } from "../../packages/forebay/src/pool/lanes.ts";
import type { PoolLease } from "../../packages/forebay/src/pool/lease.ts";
import { coreOf, type Pool } from "../../packages/forebay/src/pool/pool.ts";
import type { BackgroundTask } from "../../packages/forebay/src/pool/options.ts";
import type { PoolWarning } from "../../packages/forebay/src/pool/warnings.ts";
import type { MonotonicMs } from "../../packages/forebay/src/base/clock.ts";
import type { FakeConn, FakeConnector } from "../../packages/forebay/src/testing/fake-connector.ts";
import type { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";
import { ABORTED, type Caller, deadlineAtMs } from "./caller.ts";
import type { WatchedHooks } from "./hooks.ts";
import { Overdue, ROUNDING_MS } from "./overdue.ts";
import type { Setting } from "./plan.ts";

interface Share extends BulkheadLimits {
  inUse: number;
}

const WHOLE: BulkheadLimits = {
  maxInUse: Infinity,
  reserved: 0,
  maxWaiting: Infinity,
  priority: 0,
};

/** Judges one life. */
export class Judge {
  readonly callers: Caller[] = [];
  /** Those of them who wait or hold a connection, or did so at the last look. */
  readonly present: Set<Caller> = new Set();
  readonly shares: Map<string, Share> = new Map([["", { ...WHOLE, inUse: 0 }]]);
  limitNow: number;
  isSuspended = false;
  /** How often the pool has been reset. */
  resets = 0;
  closing: { byMs: number; isDone: boolean } | undefined;
  /** Whether a failed dial may have ended an acquire. */
  tellsDialErrors: boolean;
  isOrdered: boolean;
  violation: unknown;
  /** How often the pool has been looked at. */
  looks = 0;
  readonly #setting: Setting;
  readonly #clock: VirtualClock;
  readonly #connector: FakeConnector;
  readonly #pool: Pool<FakeConn>;
  readonly #hooks: WatchedHooks;
  readonly #audit: Audit<FakeConn, PoolLease<FakeConn>>;
  readonly #resetsAtDial = new Map<number, number>();
  readonly #counts = { granted: 0, timedOut: 0, aborted: 0, full: 0, shed: 0 };
  readonly #warned = { leak: 0, slow: 0 };
  readonly #slow = new Overdue();
  readonly #leaks = new Overdue();
  /** When a connection was last given up, on the clock. */
  retiredAtMs = -Infinity;
  #innerCallsNow = 0;
  #stalledMs = 0;
  #serverCountBefore: number;
  #dialErrorsBefore = 0;
  /** How many acquires were ended by a failed dial since the last look. */
  #told = 0;
  /** When a connection last proved dead. */
  #suspectAtMs = -Infinity;
  /** When each connection was given back, by its number, in the pool's time. */
  readonly #restSince = new Map<number, number>();
  /** To be judged when it is known how long the event loop stood still. */
  #later: (() => void)[] = [];

  constructor(
    setting: Setting,
    clock: VirtualClock,
    connector: FakeConnector,
    pool: Pool<FakeConn>,
    hooks: WatchedHooks,
  ) {
    const { limits } = coreOf(pool);
    this.#setting = setting;
    this.#clock = clock;
    this.#connector = connector;
    this.#pool = pool;
    this.#hooks = hooks;
    this.#audit = new Audit(coreOf(pool));
    this.limitNow = limits.maxOpenConns;
    this.isOrdered = limits.waiterOrder === "fifo";
    this.tellsDialErrors = limits.dialErrors === "reject";
    this.#serverCountBefore = connector.serverCount + hooks.beforeConnects;
    connector.onDialed = (id) => this.#resetsAtDial.set(id, this.resets);
    connector.onDialAborted = (afterMs) => {
      const inTime = afterMs < (setting.options.dialTimeoutMs ?? 0) - ROUNDING_MS;
      const isOpen = this.closing === undefined;
      // Its time has run since its hook began.
      const isExact = !this.#hasStalled && !setting.hooks.includes("beforeConnect");
      this.#note(!isOpen || !inTime || !isExact, "O11 a dial survives its caller");
    };
  }

  /** The pool's time, as far as stalls are known. */
  get nowMs(): number {
    return this.#clock.nowMs() - this.#stalledMs;
  }

  /** Somebody acquires. */
  begins(caller: Caller): void {
    this.callers.push(caller);
    this.present.add(caller);
    const atMs = this.#clock.nowMs();
    this.#later.push(() => {
      caller.beganAtMs = atMs - this.#stalledMs;
    });
  }

  /** A connection has proved dead. */
  suspect(): void {
    this.#suspectAtMs = this.#clock.nowMs();
  }

  /** What all bulkheads but this one keep for themselves. */
  reservedBeside(name: string): number {
    let reserved = 0;
    for (const [each, share] of this.shares) if (each !== name) reserved += share.reserved;
    return reserved;
  }

  /** A bulkhead has other limits. */
  limit(name: string, limits: BulkheadLimits): void {
    this.shares.set(name, { ...limits, inUse: this.shares.get(name)?.inUse ?? 0 });
  }

  /** Somebody who holds a connection asks for a second, in `call`. */
  inner<T>(call: () => T): T {
    this.#innerCallsNow += 1;
    try {
      return call();
    } finally {
      this.#innerCallsNow -= 1;
    }
  }

  /** The pool gives somebody a connection. */
  granted(caller: Caller, conn: FakeConn): void {
    this.#hold(caller.settled === undefined, "O3 an acquire settles once");
    this.#hold(conn.owner === undefined, `O2 connection ${conn.id} has one owner`);
    const isClosing = this.closing !== undefined;
    this.#hold(isClosing || !conn.isClosing, "O2 no closed connection is handed out");
    this.#hold(!conn.isLost, "O2 no lost connection is handed out");
    const isBusy = conn.isResetting || conn.isPinging || this.#hooks.isBusyWith(conn);
    this.#hold(!isBusy, "O2 no connection is handed out before it is fit");
    this.#hold(!this.#hooks.hasRefused(conn), "O17 none is handed out that a hook refused");
    this.#hold(
      (this.#resetsAtDial.get(conn.id) ?? 0) === this.resets,
      "O2 none from before a reset",
    );
    const isTrusted = conn.aliveAtMs >= this.#suspectAtMs || this.#hooks.guardAcquires;
    this.#hold(isTrusted, "O21 none is handed out unasked after others proved dead");
    const share = this.#shareOf(caller);
    if (!this.#hooks.guardAcquires) {
      const { connMaxLifetimeMs } = coreOf(this.#pool).limits;
      const ageMs = this.#clock.nowMs() - conn.openedAtMs;
      // Its age counts from the end of its dial, with the hook.
      const isExact = !this.#hasStalled && !this.#setting.hooks.includes("afterConnect");
      const isFresh = ageMs < connMaxLifetimeMs || !isExact;
      this.#hold(isFresh, "O2 no expired connection is handed out");
      this.#hold(!this.isSuspended, "O15 a suspended pool hands out nothing");
      this.#judgeTurn(caller, share);
    }
    share.inUse += 1;
    // With a hook, it may have been lowered since this was decided.
    const isWithin = share.inUse <= share.maxInUse || this.#hooks.guardAcquires;
    this.#hold(isWithin, "O14 no bulkhead uses more than its maxInUse");
    caller.settled = "granted";
    caller.settledAtMs = this.#clock.nowMs();
    caller.connId = conn.id;
    conn.owner = `caller ${caller.id}`;
    this.#counts.granted += 1;
    const atMs = this.#clock.nowMs();
    const { slowAcquireMs = Infinity } = this.#setting.options;
    this.#later.push(() => {
      const sinceMs = atMs - this.#stalledMs;
      if (caller.held !== undefined) caller.held.sinceMs = sinceMs;
      const waitedMs = sinceMs - caller.beganAtMs;
      this.#slow.note(waitedMs, slowAcquireMs);
    });
  }

  /** Nobody is passed over who waits, may have a connection, and comes first. */
  #judgeTurn(caller: Caller, share: Share): void {
    for (const other of this.present) {
      if (other === caller || other.settled !== undefined || !other.queued) continue;
      // It may have come after this was decided.
      if (other.look === this.looks) continue;
      const theirs = this.#shareOf(other);
      const isEarlier = this.isOrdered && other.id < caller.id;
      const isHigher = theirs.priority > share.priority;
      const comesFirst = isHigher || (theirs.priority === share.priority && isEarlier);
      const mayHave = theirs === share || this.#mayHave(theirs);
      if (!mayHave || (caller.queued && !comesFirst)) continue;
      // It may have been turned away in the same step, and not know it yet.
      this.#later.push(() => {
        const isPassed = other.settled !== "rejected";
        this.#hold(!isPassed, `O6 caller ${caller.id} is served before ${other.id}`);
      });
    }
    this.#hold(this.#mayHave(share), "O14 what a bulkhead reserves is left to it");
  }

  #mayHave(share: Share): boolean {
    if (share.inUse >= share.maxInUse) return false;
    let common = this.limitNow;
    for (const { inUse, reserved } of this.shares.values()) common -= Math.max(inUse, reserved);
    return share.inUse < share.reserved || common > 0;
  }

  /** A connection comes back from its user. */
  ended({ held, bulkhead }: Caller): void {
    if (held === undefined) return;
    held.conn.owner = undefined;
    held.conn.aliveAtMs = this.#clock.nowMs();
    this.#restSince.set(held.conn.id, this.nowMs);
    const share = this.shares.get(bulkhead);
    if (share !== undefined) share.inUse -= 1;
    const { leakAfterMs = Infinity } = this.#setting.options;
    this.#leaks.note(this.nowMs - held.sinceMs, leakAfterMs);
  }

  /** The pool turns somebody away. Throws what nobody may be told. */
  rejected(caller: Caller, error: unknown): void {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const { mayRetry, options } = this.#setting;
    this.#hold(caller.settled === undefined, "O3 an acquire settles once");
    caller.settled = "rejected";
    caller.settledAtMs = this.#clock.nowMs();
    caller.code = code;
    caller.error = error;
    const counts = this.#counts;
    if (error === ABORTED) {
      this.#hold(caller.aborted, "O3 only the aborted are rejected with the signal's reason");
      if (!this.#hooks.guardAcquires) counts.aborted += 1;
    } else if (code === "POOL_TIMEOUT") {
      counts.timedOut += 1;
      const atMs = this.#clock.nowMs();
      this.#later.push(() => {
        const isDue = atMs - this.#stalledMs >= deadlineAtMs(caller) - ROUNDING_MS;
        this.#hold(isDue, `O7 caller ${caller.id} is given up before its deadline`);
      });
    } else if (code === "POOL_QUEUE_FULL") counts.full += 1;
    else if (code === "POOL_OVERLOADED") {
      this.#hold(options.shedding !== undefined, "O3 none is shed unless that is asked for");
      counts.shed += 1;
    } else if (code === "POOL_CLOSED") {
      this.#hold(this.closing !== undefined, "O3 the pool is closed");
    } else if (code === "CONNECT_FAILED") {
      this.#told += 1;
      this.#hold(!mayRetry || this.tellsDialErrors, "O18 only a hopeless dial is told");
    } else if (code === "POOL_NESTED_ACQUIRE") {
      const isAsked = options.nestedAcquire === "reject";
      this.#hold(isAsked && caller.isInner, "O19 only who holds a connection is nested");
    } else if (!this.#hooks.guardAcquires) throw error;
  }

  /** A warm-up has ended well, or with an error. */
  warmed(count: number, error: unknown, controller: AbortController): void {
    const { openConnections, pool } = this.#pool.stats();
    const open = openConnections - pool.closing - pool.dialing;
    const code = (error as { readonly code?: unknown } | undefined)?.code;
    const listeners = getEventListeners(controller.signal, "abort").length;
    this.#hold(listeners === 0, "O9 a warm-up that has ended leaves no listener");
    // One that had to go between the end and the news of it is no fault.
    const isExact = !this.#hooks.guardAcquires && this.retiredAtMs !== this.#clock.nowMs();
    if (error === undefined) this.#hold(open >= count || !isExact, `O16 ${count} are open`);
    else if (code === "POOL_CLOSED") this.#hold(this.closing !== undefined, "O16 it is closed");
    else if (code === "CONNECT_FAILED") this.#hold(!this.#setting.mayRetry, "O16 it is hopeless");
    else this.#hold(error === ABORTED || code === "POOL_TIMEOUT", "O16 a warm-up is told why");
  }

  /** The pool warns. */
  warned({ kind, durationMs }: PoolWarning): void {
    if (kind === "stall") this.#stalledMs += durationMs;
    else if (kind === "leak") this.#warned.leak += 1;
    else if (kind === "slow-acquire") this.#warned.slow += 1;
    else if (kind === "nested-acquire") {
      // Refused by a hook, it may be told a second time, for its second try.
      const isInner = this.#innerCallsNow > 0 || this.#hooks.guardAcquires;
      this.#note(isInner, "O19 only who holds a connection is nested");
    } else this.#note(false, "nothing is forgotten in a life");
  }

  /** The pool tells of something that nobody else can be told of. */
  reported(error: unknown, task: BackgroundTask): void {
    if (task === "ping" && this.closing === undefined) this.suspect();
    // What the fakes find against the contract is thrown into the pool, which reports it.
    if (error instanceof BugError) this.violation ??= error;
  }

  /** Throws where something does not hold. */
  verify(): void {
    this.looks += 1;
    const later = this.#later;
    this.#later = [];
    for (const judge of later) judge();
    const violation = this.violation ?? this.#connector.breach;
    if (violation !== undefined) throw violation;
    this.#audit.check(this.nowMs as MonotonicMs);
    this.#verifyServer();
    this.#verifyCallers();
    this.#verifyDialErrors();
    this.#verifyCounters();
    this.#verifyIdle();
    this.#verifyNobodyIsForgotten();
    const { closing } = this;
    const isLate = closing !== undefined && this.#clock.nowMs() > closing.byMs;
    this.#hold(!isLate || closing.isDone, "O10 close ends in time, whatever comes back");
  }

  #verifyServer(): void {
    const { serverCount } = this.#connector;
    const { open } = coreOf(this.#pool).slots;
    const counted = serverCount + this.#hooks.beforeConnects;
    if (!this.#setting.leavesRemains) {
      const bound = Math.max(this.limitNow, this.#serverCountBefore);
      this.#hold(counted <= bound, `O1 ${counted} at the server, ${this.limitNow} allowed`);
      this.#hold(open === counted, `O1 the pool counts ${open}, the server ${counted}`);
    }
    this.#serverCountBefore = counted;
  }

  #verifyCallers(): void {
    const core = coreOf(this.#pool);
    let holders = 0;
    for (const caller of this.present) {
      if (caller.held !== undefined) holders += 1;
      if (caller.settled === undefined) {
        const isLate = this.nowMs > deadlineAtMs(caller) + ROUNDING_MS;
        const mayBeLate = this.#hooks.guardAcquires || this.closing?.isDone === true;
        this.#hold(!isLate || mayBeLate, `O7 caller ${caller.id} waits beyond its deadline`);
        continue;
      }
      const listeners = getEventListeners(caller.controller.signal, "abort").length;
      this.#hold(listeners === 0, "O9 a settled acquire leaves no listener");
      if (caller.held === undefined) this.present.delete(caller);
    }
    const isExact = !this.#hooks.guardAcquires && this.closing === undefined;
    const { leased } = core.slots;
    this.#hold(!isExact || leased.size === holders, "O5 what is leased is in somebody's hands");
  }

  /** Where dial errors are told, each ends an acquire, if there is one that the dial was for. */
  #verifyDialErrors(): void {
    const { limits, counters, isSuspended } = coreOf(this.#pool);
    const failed = counters.dialErrorCount - this.#dialErrorsBefore;
    this.#dialErrorsBefore = counters.dialErrorCount;
    const told = this.#told;
    this.#told = 0;
    const isAsked = limits.dialErrors === "reject" && !isSuspended && !this.#hooks.guardAcquires;
    if (!isAsked || told >= failed || this.closing !== undefined) return;
    for (const caller of this.present) {
      if (caller.settled !== undefined || caller.look === this.looks - 1) continue;
      const isMeant = this.#mayHave(this.#shareOf(caller));
      this.#hold(!isMeant, "O18 a failed dial is told to whom it was for");
    }
  }

  #verifyCounters(): void {
    const core = coreOf(this.#pool);
    const { acquireCount, timeoutCount, abortCount, queueFullCount, shedCount } = core.totals();
    const { granted, timedOut, aborted, full, shed } = this.#counts;
    const hasHook = this.#hooks.guardAcquires;
    const handedOut = hasHook ? this.#hooks.acquireCalls : granted;
    this.#hold(acquireCount === handedOut, "O8 every grant is counted");
    this.#hold(timeoutCount === timedOut, "O8 every timeout is counted");
    this.#hold(hasHook || abortCount === aborted, "O8 every abort is counted");
    this.#hold(queueFullCount === full, "O8 every refusal is counted");
    this.#hold(shedCount === shed, "O8 everybody who is shed is counted");
    const { pingCount } = core.counters;
    this.#hold(pingCount === this.#connector.pingCount, "O8 every ping is counted");
    for (const lane of core.lanes.all) {
      const share = this.shares.get(lane.name);
      const isExact = !hasHook && this.closing === undefined;
      const isCounted = !isExact || share?.inUse === lane.inUse;
      this.#hold(isCounted, `O8 what bulkhead "${lane.name}" uses is counted`);
    }
    const { slow, leak } = this.#warned;
    this.#hold(this.#slow.mayBe(slow), "O20 every slow acquire is told, once");
    if (this.closing !== undefined) return;
    const { leakAfterMs = Infinity } = this.#setting.options;
    const leaks = this.#leaks.copy();
    for (const { held } of this.present) {
      if (held !== undefined) leaks.note(this.nowMs - held.sinceMs, leakAfterMs);
    }
    this.#hold(leaks.mayBe(leak), `O20 ${leak} of ${leaks.most} leaks are told`);
  }

  /** Whoever may have a connection, while there is room for one, has one on its way. */
  #verifyNobodyIsForgotten(): void {
    const { slots, backoff, isSuspended, phase } = coreOf(this.#pool);
    if (phase !== "open" || isSuspended || this.#hooks.guardAcquires) return;
    const isComing = slots.connecting.size + slots.pinging.size > 0;
    if (isComing || slots.open >= this.limitNow || this.nowMs < backoff.untilMs) return;
    if (this.#clock.nextTimerAtMs <= this.#clock.nowMs()) return;
    for (const caller of this.present) {
      if (caller.settled !== undefined) continue;
      const isForgotten = this.#mayHave(this.#shareOf(caller));
      this.#hold(!isForgotten, `O22 caller ${caller.id} may have a connection, and none comes`);
    }
  }

  /** What is idle is closed, and pinged, when it is time. */
  #verifyIdle(): void {
    if (this.#clock.nextTimerAtMs <= this.#clock.nowMs()) return;
    const core = coreOf(this.#pool);
    const { idle, pinging } = core.slots;
    const { connMaxIdleTimeMs, keepaliveMs } = core.limits;
    const { pingTimeoutMs = 0, resetTimeoutMs = 0, hookTimeoutMs = 0 } = this.#setting.options;
    const isSpare = idle.size > core.minIdle;
    for (const slot of idle) {
      const isOld = this.nowMs > slot.expiresAtMs + ROUNDING_MS;
      this.#hold(!isOld, "O13 what is too old is closed when it is time");
      const idleMs = this.nowMs - slot.idleSinceMs;
      const isIdleTooLong = isSpare && idleMs > connMaxIdleTimeMs + ROUNDING_MS;
      this.#hold(!isIdleTooLong, "O13 what is idle for too long is closed when it is time");
      // Seen from outside, it may first have been made fit, and pinged at last.
      const restMs = this.nowMs - (this.#restSince.get(slot.conn?.id ?? 0) ?? this.nowMs);
      const careMs = resetTimeoutMs + hookTimeoutMs + pingTimeoutMs;
      const isRestedTooLong =
        isSpare && !this.#setting.stalls && restMs > connMaxIdleTimeMs + careMs + ROUNDING_MS;
      this.#hold(!isRestedTooLong, "O13 a ping does not make a connection younger");
      // One at a time, so each may have to wait for all others.
      const quietMaxMs = keepaliveMs + (idle.size + pinging.size) * pingTimeoutMs + ROUNDING_MS;
      const isQuiet = this.nowMs - slot.aliveAtMs > quietMaxMs && !this.#setting.stalls;
      this.#hold(!isQuiet || this.isChanged, "O13 what is quiet is pinged when it is time");
    }
  }

  /** Whether limits of time have changed, so that what is quiet may wait for its turn. */
  isChanged = false;

  get #hasStalled(): boolean {
    return this.#setting.stalls;
  }

  #shareOf({ bulkhead }: Caller): Share {
    const share = this.shares.get(bulkhead);
    if (share === undefined) throw new Error(`there is no bulkhead ${bulkhead}`);
    return share;
  }

  /** Notes what does not hold, where throwing would not end the life. */
  #note(condition: boolean, what: string): void {
    if (!condition) this.violation ??= new Error(`violated: ${what}`);
  }

  #hold(condition: boolean, what: string): void {
    if (!condition) throw new Error(`violated: ${what}`);
  }
}
