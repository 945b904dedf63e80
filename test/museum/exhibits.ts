// Bugs that connection pools have had, each put back into this one: a place in the sources, and
// what would stand there.
//
// Some have no place here. A waiter that is woken and then gives up cannot swallow its connection
// (sqlx 1211, Go 24445): the grant and its promise are settled in one synchronous step, after which
// no abort is heard. There is no channel to fill up (Go 37178), and the clock cannot go back
// (HikariCP).

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
    find: `if (!mayRetry && !mayYetServe) this.#rejectAll("connect-failed", nowMs);
    this.#dialAsNeeded(nowMs);`,
    replace: 'if (!mayRetry && !mayYetServe) this.#rejectAll("connect-failed", nowMs);',
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
    find: `this.waiters.remove(waiter);
    waiter.kind = "aborted";`,
    replace: 'waiter.kind = "aborted";',
  },
  {
    bug: "an expired connection is handed out (Go 32530)",
    file: "core.ts",
    find: 'if (nowMs >= slot.expiresAtMs) return "lifetime";',
    replace: "",
  },
  {
    bug: "a dial that ends when nobody waits any more is thrown away and made again (sqlx 3132)",
    file: "core.ts",
    find: "if (this.slots.idle.size >= this.maxIdle) {",
    replace: "if (this.slots.idle.size >= this.maxIdle || slot.generation === 0) {",
  },
  {
    bug: "a connection that is being closed is no longer counted (puddle Reset)",
    file: "state.ts",
    find: `if (to === "closed") this.#open -= 1;
    else`,
    replace: `if (to === "closing") this.#open -= 1;
    if (to !== "closed")`,
  },
  {
    bug: "a connection whose session is being reset is counted nowhere (php-async 212)",
    file: "state.ts",
    find: `if (to === "closed") this.#open -= 1;
    else`,
    replace: `if (to === "checking") this.#open -= 1;
    if (from === "checking") this.#open += 1;
    if (to === "closed") this.#open -= 1;
    else`,
  },
  {
    bug:
      "the jitter of the lifetime is drawn at every look, so that the least draw " +
      "counts (pgx 1437)",
    file: "expiry.ts",
    find: "LIFETIME_JITTER_RATIO * slot.jitterRatio",
    replace: "LIFETIME_JITTER_RATIO * Math.random()",
  },
  {
    bug: "a check that hangs keeps the connection for ever (pgx 2394)",
    file: "pool.ts",
    find: 'withinMs(this.#clock, resetTimeoutMs, reset, "resetSession", cancel.signal).then(',
    replace: "reset.then(",
  },
  {
    bug: "a check that ran out of time keeps its place (n8n 32838)",
    file: "pool.ts",
    find: `this.#report("reset", error);
        finish(false);`,
    replace: 'this.#report("reset", error);',
  },
  {
    bug: "the place is given away before the connection is closed (psycopg 1176)",
    file: "pool.ts",
    find: "const closing = (async () => conn.close())();",
    replace: `void (async () => conn.close())().catch(() => undefined);
    const closing = Promise.resolve();`,
  },
  {
    bug: "a close that fails keeps the place for ever (kysely's release)",
    file: "pool.ts",
    find: `.catch((error: unknown) => this.#report("close", error))
      .finally(() => this.#tell(() => this.#core.closed(slot, this.#nowMs())));`,
    replace: `.then(() => this.#tell(() => this.#core.closed(slot, this.#nowMs())))
      .catch((error: unknown) => this.#report("close", error));`,
  },
  {
    bug: "a pool that has come down to nothing is never filled again (HikariCP 1710)",
    file: "core.ts",
    find: "if (wanted <= slots.connecting.size) return;",
    replace: "if (wanted <= slots.connecting.size || slots.open === 0) return;",
  },
  {
    bug: "the waiter that came last is served first (Npgsql's wake-up tokens)",
    file: "waiters.ts",
    find: "bag === undefined ? this.#byArrival.head",
    replace: "bag === undefined ? this.#byArrival.tail",
  },
  {
    bug: "a dial that ends after close is kept idle, and close never ends (puddle TryAcquire)",
    file: "core.ts",
    find: `if (this.#phase !== "open") return "draining";
    if (nowMs`,
    replace: "if (nowMs",
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
    find: "this.counters.abortCount += 1;",
    replace: `this.counters.abortCount += 1;
    const dialing = this.slots.connecting.tail;
    if (dialing !== undefined) this.#effects.push({ kind: "abort-dial", slot: dialing });`,
  },
  {
    bug: "all dial at once after an outage (a stampede; postgres.js 1179)",
    file: "core.ts",
    find: "dialing - slots.connecting.size,",
    replace: "Infinity,",
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
    find: `this.#retireOldestIdle("open-limit");
    this.tick(nowMs);`,
    replace: 'this.#retireOldestIdle("open-limit");',
  },
  {
    bug: "a connection that comes back is parked, and its waiter only woken (php-async 236)",
    file: "core.ts",
    find: `const waiter = this.waiters.takeNext(this.#random);
    if (waiter !== undefined) {`,
    replace: `const waiter = slot.generation > 1 ? undefined : this.waiters.takeNext(this.#random);
    if (waiter !== undefined) {`,
  },
  {
    bug: "more is dialed than is wanted, as dials under way do not count (database/sql)",
    file: "core.ts",
    find: "wanted - slots.connecting.size,",
    replace: "wanted,",
  },
  {
    bug: "a settled acquire leaves its listener on the signal",
    file: "pool.ts",
    find: 'signal.removeEventListener("abort", onAbort);',
    replace: "",
  },
  {
    bug: "a connection that was lost while idle is handed out",
    file: "core.ts",
    find: 'this.#retire(slot, "lost");',
    replace: "",
  },
  {
    bug: "the time spent in a wait that was given up is not counted",
    file: "core.ts",
    find: `this.counters.abortCount += 1;
    this.#endWait(waiter, nowMs);`,
    replace: "this.counters.abortCount += 1;",
  },
  {
    bug: "no more than maxIdleConns are kept, but for one",
    file: "core.ts",
    find: "if (this.slots.idle.size >= this.maxIdle) {",
    replace: "if (this.slots.idle.size > this.maxIdle) {",
  },
  {
    bug: "surplus connections stay after maxOpenConns was lowered (Go 9453)",
    file: "core.ts",
    find: 'return kept > this.#limits.maxOpenConns ? "open-limit" : undefined;',
    replace: "return kept > Infinity ? undefined : undefined;",
  },
  {
    bug: "close does not turn away who waits (peanar 76)",
    file: "core.ts",
    find: 'this.#rejectAll("closed", nowMs);',
    replace: "",
  },
  {
    bug: "close waits for ever for a connection that never comes back (pg 2199)",
    file: "pool.ts",
    find: "this.#tell(() => this.#core.closeByForce());",
    replace: "",
  },
  {
    bug: "a connection that was closed under its holder is asked again when it comes back",
    file: "pool.ts",
    find: 'if (slot.kind !== "leased") return;',
    replace: "",
  },
];
