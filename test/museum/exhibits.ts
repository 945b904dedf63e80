// Bugs that connection pools have had, each put back into this one: a place in the sources, and
// what would stand there.
//
// Some have no place here. A waiter that is woken and then gives up cannot swallow its connection
// (sqlx 1211, Go 24445): the grant and its promise are settled in one synchronous step, after which
// no abort is heard. There is no channel to fill up (Go 37178). The clock cannot go back
// (HikariCP). A count cannot run below 0 (risingwave 24991): it is the length of a list. The dial
// is the pool's, so a caller that gives up early leaks none (go-sql-driver 1023). A late cancel
// that hits the next user (go-pg 1161) is the wire's; see its tests.

/** One bug. */
export interface Exhibit {
  /** What goes wrong, and where it has been seen. */
  readonly bug: string;
  /** The file in packages/forebay/src/pool. */
  readonly file: string;
  /** Text that stands exactly once in the file. */
  readonly find: string;
  /** What stands there when the bug is back. */
  readonly replace: string;
}

/** All of them. Each must be caught by the simulation or by the model. */
export const exhibits: readonly Exhibit[] = [
  {
    bug: "a timeout keeps the waiters that are due, and turns away the others (pg-pool 85)",
    file: "waiters.ts",
    find: "if (waiter.deadlineAtMs > nowMs) continue;",
    replace: "if (waiter.deadlineAtMs <= nowMs) continue;",
  },
  {
    bug: "a waiter is never served after a failed dial (pg-pool 48, node-pool 51)",
    file: "core.ts",
    find: `if (!mayRetry && !mayYetServe) this.#rejectAll("connect-failed", error, nowMs);
    this.#dialAsNeeded(nowMs);`,
    replace: 'if (!mayRetry && !mayYetServe) this.#rejectAll("connect-failed", error, nowMs);',
  },
  {
    bug: "dials that are owed to waiters are not made when a place comes free (Go 10886)",
    file: "core.ts",
    find: `slot.conn = undefined;
    this.#dialAsNeeded(nowMs);`,
    replace: "slot.conn = undefined;",
  },
  {
    bug:
      "a waiter that gave up is served all the same, and its connection is lost " +
      "(ClickHouse-go 1759, psycopg 1123)",
    file: "core.ts",
    find: `this.lanes.remove(waiter);
    waiter.kind = "aborted";`,
    replace: 'waiter.kind = "aborted";',
  },
  {
    bug: "an expired connection is handed out (Go 32530)",
    file: "facts.ts",
    find: `if (nowMs >= slot.expiresAtMs) return "lifetime";
    const kept`,
    replace: "const kept",
  },
  {
    bug: "a dial that ends when nobody waits any more is thrown away and made again (sqlx 3132)",
    file: "core.ts",
    find: "if (idle >= this.maxIdle) {",
    replace: "if (idle >= this.maxIdle || slot.generation === 0) {",
  },
  {
    bug: "a connection that is being closed is no longer counted (puddle Reset)",
    file: "state.ts",
    find: `if (to === "closed") this.#open -= 1;
    // A ping`,
    replace: `if (to === "closing") this.#open -= 1;
    if (to === "closed") return;
    // A ping`,
  },
  {
    bug: "a connection whose session is being reset is counted nowhere (php-async 212)",
    file: "state.ts",
    find: `if (to === "closed") this.#open -= 1;
    // A ping`,
    replace: `if (to === "checking") this.#open -= 1;
    if (from === "checking") this.#open += 1;
    if (to === "closed") this.#open -= 1;
    // A ping`,
  },
  {
    bug:
      "the jitter of the lifetime is drawn at every look, so that the least draw " +
      "counts (pgx 1437)",
    file: "expiry.ts",
    find: "lifetimeJitterRatio * slot.jitterRatio",
    replace: "lifetimeJitterRatio * Math.random()",
  },
  {
    bug: "a check that hangs keeps the connection for ever (pgx 2394)",
    file: "conn-care.ts",
    find: 'await this.#bounded(slot, resetTimeoutMs, "resetSession", () => reset);',
    replace: "await reset;",
  },
  {
    bug: "a check that ran out of time keeps its place (n8n 32838)",
    file: "conn-care.ts",
    find: 'this.#events.checked(slot, "reset-failed");',
    replace: "",
  },
  {
    bug: "the place is given away before the connection is closed (psycopg 1176)",
    file: "conn-care.ts",
    find: 'await withinMs(this.#clock, closeTimeoutMs, (async () => conn.close())(), "close");',
    replace: "void (async () => conn.close())().catch(() => undefined);",
  },
  {
    bug: "a close that fails keeps the place for ever (kysely's release)",
    file: "conn-care.ts",
    find: `onBackgroundError(error, "close");
    }`,
    replace: `onBackgroundError(error, "close");
      return;
    }`,
  },
  {
    bug: "a pool that has come down to nothing is never filled again (HikariCP 1710)",
    file: "facts.ts",
    find: "if (wanted <= 0) return 0;",
    replace: "if (wanted <= 0 || slots.open === 0) return 0;",
  },
  {
    bug: "the waiter that came last is served first (Npgsql's wake-up tokens)",
    file: "waiters.ts",
    find: "bag === undefined ? this.#byArrival.head",
    replace: "bag === undefined ? this.#byArrival.tail",
  },
  {
    bug: "a dial that ends after close is kept idle, and close never ends (puddle TryAcquire)",
    file: "facts.ts",
    find: 'if (this.phase !== "open") return "draining";',
    replace: "",
  },
  {
    bug: "a second release gives the next holder's connection back (puddle)",
    file: "lease.ts",
    find: 'if (this.#ended) throw stale("released");',
    replace: "",
  },
  {
    bug: "aborting an acquire aborts the dial that it caused (pgx 1287, 1259)",
    file: "core.ts",
    find: "waiter.lane.counters.abortCount += 1;",
    replace: `waiter.lane.counters.abortCount += 1;
    const dialing = this.slots.connecting.tail;
    if (dialing !== undefined) this.ask({ kind: "abort-dial", slot: dialing });`,
  },
  {
    bug: "all dial at once after an outage (a stampede; postgres.js 1179)",
    file: "facts.ts",
    find: "Math.min(wanted, atOnce - connecting, maxOpenConns - slots.open)",
    replace: "Math.min(wanted, maxOpenConns - slots.open)",
  },
  {
    bug: "a server that refuses is dialed without a pause (generic-pool 161)",
    file: "backoff.ts",
    find: "BACKOFF_FIRST_MS * 2 ** (this.#rounds - 1)",
    replace: "0",
  },
  {
    bug: "a raised limit does not wake those who wait (database/sql)",
    file: "core.ts",
    find: `idle.size > 0) this.#retireOldestIdle("open-limit");
    this.tick(nowMs);`,
    replace: 'idle.size > 0) this.#retireOldestIdle("open-limit");',
  },
  {
    bug: "a connection that comes back is parked, and its waiter only woken (php-async 236)",
    file: "core.ts",
    find: "if (this.lanes.size > 0 && this.#grantNext(slot, nowMs)) return;",
    replace:
      "if (this.lanes.size > 0 && slot.generation < 2 && this.#grantNext(slot, nowMs)) return;",
  },
  {
    bug: "more is dialed than is wanted, as dials under way do not count (database/sql)",
    file: "facts.ts",
    find: "Math.max(served + ahead, warmer) - connecting;",
    replace: "Math.max(served + ahead, warmer);",
  },
  {
    bug: "a settled acquire leaves its listener on the signal",
    file: "pool.ts",
    find: "removeAbortListener(signal, onAbort);",
    replace: "",
  },
  {
    bug: "a connection that was lost while idle is handed out",
    file: "core.ts",
    find: 'if (slot.kind === "idle" || slot.kind === "pinging") {',
    replace: 'if (slot.kind === "pinging") {',
  },
  {
    bug: "the time spent in a wait that was given up is not counted",
    file: "core.ts",
    find: `waiter.lane.counters.abortCount += 1;
    this.#endWait(waiter, nowMs);`,
    replace: "waiter.lane.counters.abortCount += 1;",
  },
  {
    bug: "no more than maxIdleConns are kept, but for one",
    file: "core.ts",
    find: "if (idle >= this.maxIdle) {",
    replace: "if (idle > this.maxIdle) {",
  },
  {
    bug: "surplus connections stay after maxOpenConns was lowered (Go 9453)",
    file: "facts.ts",
    find: 'return kept > this.limits.maxOpenConns ? "open-limit" : undefined;',
    replace: "return kept > Infinity ? undefined : undefined;",
  },
  {
    bug: "close does not turn away who waits (peanar 76)",
    file: "core.ts",
    find: 'this.#rejectAll("closed", undefined, nowMs);',
    replace: "",
  },
  {
    bug: "close waits for ever for a connection that never comes back (pg 2199)",
    file: "shell.ts",
    find: "this.tell(() => this.core.closeByForce());",
    replace: "",
  },
  {
    bug: "a connection that was closed under its holder is asked again when it comes back",
    file: "conn-care.ts",
    find: 'if (slot.kind !== "leased" || conn === undefined) return;',
    replace: "if (conn === undefined) return;",
  },
  {
    bug: "a ping that hangs keeps its place (pgx 2394)",
    file: "conn-care.ts",
    find: 'await this.#bounded(slot, pingTimeoutMs, "ping", (with_) => conn.ping?.(with_));',
    replace: "await conn.ping?.();",
  },
  {
    bug: "a ping that failed keeps its place (n8n 32838)",
    file: "conn-care.ts",
    find: "this.#events.pinged(slot, isAlive);",
    replace: "if (isAlive) this.#events.pinged(slot, isAlive);",
  },
  {
    bug: "connections under suspicion are handed out unasked (HikariCP's half-open storm)",
    file: "facts.ts",
    find: "return (isQuiet || slot.outlived !== this.suspicions) && slot.conn?.ping !== undefined;",
    replace: "return isQuiet && slot.conn?.ping !== undefined;",
  },
  {
    bug: "a ping in the background makes a connection young again (tarn's idle time)",
    file: "core.ts",
    find: "if (!wasPinged) slot.idleSinceMs = nowMs;",
    replace: "slot.idleSinceMs = nowMs;",
  },
  {
    bug: "a hook that throws loses the place (r2d2's on_acquire)",
    file: "pool.ts",
    find: `const isTakenBack = slot.kind !== "leased";
      refuse(lease);`,
    replace: 'const isTakenBack = slot.kind !== "leased";',
  },
  {
    bug: "a connection that a hook refuses is lost",
    file: "pool.ts",
    find: `if (isRefused) {
      refuse(lease);`,
    replace: "if (isRefused) {",
  },
  {
    bug: "what is lost or reset while its hook is running is handed out",
    file: "pool.ts",
    find: "slot.lost === undefined && slot.epoch === core.epoch) return true;",
    replace: "slot.id > 0) return true;",
  },
  {
    bug: "an acquire whose hook hangs outlives a pool that is closed by force",
    file: "conn-care.ts",
    find: "orAborted((async () => hooks.beforeAcquire?.(conn, with_))(), with_.signal),",
    replace: "hooks.beforeAcquire?.(conn, with_),",
  },
  {
    bug: "a hook that fails after the release keeps the place",
    file: "conn-care.ts",
    find: `onBackgroundError(error, "hook");
      verdict = false;`,
    replace: `onBackgroundError(error, "hook");
      return;`,
  },
  {
    bug: "a hook that hangs before the close keeps the connection for ever",
    file: "conn-care.ts",
    find: `await this.#bounded(slot, hookTimeoutMs, "beforeClose", (with_) =>
          hooks.beforeClose?.(conn, with_),
        );`,
    replace: "await hooks.beforeClose?.(conn, {});",
  },
  {
    bug: "what a bulkhead used is not given back when it is closed by force",
    file: "core.ts",
    find: "for (const slot of this.slots.leased) this.#endUse(slot);",
    replace: "",
  },
  {
    bug: "what a bulkhead used is not given back when it is discarded",
    file: "core.ts",
    find: `this.#endUse(slot);
    this.holdTimes`,
    replace: `if (condition !== "discarded") this.#endUse(slot);
    this.holdTimes`,
  },
  {
    bug: "what a bulkhead has reserved is given to others",
    file: "lanes.ts",
    find: "return lane.inUse < lane.limits.reserved || this.#common > 0;",
    replace: "return lane.inUse >= 0;",
  },
  {
    bug: "a reserve is not dialed for while others use more than is left to them",
    file: "lanes.ts",
    find: "return fromReserves + Math.min(others, Math.max(0, this.#common));",
    replace: "return fromReserves + Math.min(others, this.#common);",
  },
  {
    bug: "a bulkhead's raised limit does not wake those who wait",
    file: "core.ts",
    find: `lane.limits = limits;
    this.#follow(nowMs);`,
    replace: "lane.limits = limits;",
  },
  {
    bug: "a higher priority is passed over",
    file: "lanes.ts",
    find: "return priority > other.limits.priority;",
    replace: "return priority < other.limits.priority;",
  },
  {
    bug: "a connection from before a reset is handed out again",
    file: "facts.ts",
    find: 'if (slot.epoch !== this.epoch) return "reset";',
    replace: "",
  },
  {
    bug: "a dial that ends after a reset is kept (puddle's Reset)",
    file: "facts.ts",
    find: 'if (slot.epoch !== this.epoch) return "reset";',
    replace: 'if (slot.epoch !== this.epoch && slot.generation > 0) return "reset";',
  },
  {
    bug: "a suspended pool hands out what is idle (HikariCP's suspension)",
    file: "lanes.ts",
    find: "if (this.#capacity === 0 || lane.inUse >= lane.limits.maxInUse) return false;",
    replace: "if (lane.inUse >= lane.limits.maxInUse) return false;",
  },
  {
    bug: "resume serves nobody who waits",
    file: "core.ts",
    find: `this.isSuspended = false;
    this.deriveLimits();
    this.#follow(nowMs);`,
    replace: `this.isSuspended = false;
    this.deriveLimits();`,
  },
  {
    bug: "a warm-up never ends when the pool closes",
    file: "shell.ts",
    find: 'this.warmUps.rejectAll(this.error("POOL_CLOSED", 0));',
    replace: "",
  },
  {
    bug: "a warm-up leaves its listener on the signal",
    file: "warm-up.ts",
    find: "if (signal !== undefined) removeAbortListener(signal, onAbort);",
    replace: "",
  },
  {
    bug: "a waiter that was shed is served as well, and its connection is lost",
    file: "core.ts",
    find: 'this.#reject(waiter, "shed", undefined, nowMs);',
    replace: `this.#reject(waiter, "shed", undefined, nowMs);
      return waiter;`,
  },
  {
    bug: "a failed dial is told to nobody, and made again at once (Go 39449)",
    file: "core.ts",
    find: 'if (this.limits.dialErrors === "wait") return;',
    replace: "if (this.limits.maxOpenConns > 0) return;",
  },
  {
    bug: "a stall of the event loop turns everybody away (HikariCP's thread starvation)",
    file: "steady-clock.ts",
    find: "if (nowMs > this.#dueAtMs + STALL_MS) this.#skip(nowMs);",
    replace: "if (nowMs > this.#dueAtMs + STALL_MS && nowMs < 0) this.#skip(nowMs);",
  },
  {
    bug: "a leak is reported again and again",
    file: "leak-watch.ts",
    find: "watched.reported = true;",
    replace: "",
  },
  {
    bug: "an acquire is taken for a nested one after its outer has ended",
    file: "nesting.ts",
    find: "holding.isOver = true;",
    replace: "",
  },
  {
    bug: "who holds the last connection waits for a second one for ever (Go 16873, 13327)",
    file: "nesting.ts",
    find: "if (at.pool === pool && !at.isOver) return true;",
    replace: "if (at.pool === pool && !at.isOver) return false;",
  },
];
