// Proves that code under test has left nothing behind. It knows a pool by the shape of its
// statistics alone, so that it works on a `DB`, a `Pool` and anything that looks like them.

import type { TrackedSignal } from "./tracked-signal.ts";

/** A `DB`, a `Pool`, or anything else with their statistics. */
export interface HasPoolStats {
  /** As of `DB` and `Pool`. */
  stats(): {
    readonly openConnections: number;
    readonly pool: { readonly name: string; readonly leased: number; readonly waiting: number };
  };
}

/** What a fake database knows of one of its connections. */
export interface WatchedConn {
  readonly id: number;
  readonly isClosed?: boolean;
  readonly isInTx?: boolean;
  /** Rows that were opened and not closed, if any. */
  readonly openRows?: unknown;
}

/** A fake at the other end: a `FakeConnector`, a `FakeDatabase`, or one of your own. */
export interface WatchedConnector {
  /** Connections that are open at the fake. */
  readonly openCount: number;
  /** Rules of the driver contract that were broken. */
  readonly violations?: readonly string[];
  /** All connections that were made. */
  readonly conns?: readonly WatchedConn[];
}

/** What is to be looked at; each part may be left out. */
export interface LeakSources {
  readonly pool?: HasPoolStats | undefined;
  readonly connector?: WatchedConnector | undefined;
  /** A `VirtualClock`, on which the code under test sets its timers. */
  readonly clock?: { readonly pendingTimerCount: number } | undefined;
  readonly signals?: readonly TrackedSignal[] | undefined;
}

/** One thing that was left behind. */
export interface Leak {
  /**
   * `rule`: the driver contract was broken. `connection` and `timer` count only after the pool was
   * closed.
   */
  readonly kind:
    | "lease"
    | "waiter"
    | "transaction"
    | "rows"
    | "listener"
    | "rule"
    | "connection"
    | "timer";
  /** What was found, and where to look. */
  readonly message: string;
}

/** Something was left behind. `leaks` has each, and the message all of them. */
export class LeakError extends Error {
  readonly code = "LEAKED";
  readonly leaks: readonly Leak[];

  constructor(leaks: readonly Leak[]) {
    const list = leaks.map(({ kind, message }) => `\n  ${kind}: ${message}`).join("");
    super(`${leaks.length} left behind:${list}\n[LEAKED]`);
    this.name = "LeakError";
    this.leaks = leaks;
  }
}

/** Looks for what was left behind. Synchronous: let promises settle first. */
export interface LeakCheck {
  /**
   * While the pool is open: what code still holds of it. Nothing is leased, nobody waits, no
   * transaction or rows are open, no signal is listened to, no rule of the driver was broken.
   */
  held(): Leak[];
  /** After the pool was closed: what is left at all. As `held`, and no connection, no timer. */
  left(): Leak[];
  /** Throws `LeakError` if `held` finds anything. */
  assertNoneHeld(): void;
  /** Throws `LeakError` if `left` finds anything. To be called after `close` has resolved. */
  assertNone(): void;
}

/**
 * Checks that nothing is left behind of what `sources` names.
 *
 * @example
 * ```ts
 * import { openDB } from "forebay";
 * import { FakeDatabase, leakCheck, trackedSignal, VirtualClock } from "forebay/testing";
 *
 * const clock = new VirtualClock();
 * const connector = new FakeDatabase();
 * const db = openDB(connector, { clock });
 * const request = trackedSignal();
 * const leaks = leakCheck({ pool: db, clock, connector, signals: [request] });
 *
 * await db.query("SELECT 1", [], { signal: request.signal }); // the code under test
 *
 * await clock.settle();
 * leaks.assertNoneHeld();
 * await db.close();
 * leaks.assertNone();
 * ```
 */
export function leakCheck(sources: LeakSources): LeakCheck {
  const held = (): Leak[] => heldOf(sources);
  const left = (): Leak[] => [...heldOf(sources), ...openOf(sources)];
  return {
    held,
    left,
    assertNoneHeld: () => throwIfAny(held()),
    assertNone: () => throwIfAny(left()),
  };
}

function throwIfAny(leaks: readonly Leak[]): void {
  if (leaks.length > 0) throw new LeakError(leaks);
}

function heldOf({ pool, connector, signals = [] }: LeakSources): Leak[] {
  const leaks: Leak[] = [];
  const add = (kind: Leak["kind"], message: string): void => void leaks.push({ kind, message });
  if (pool !== undefined) {
    const { name, leased, waiting } = pool.stats().pool;
    if (leased > 0) {
      add(
        "lease",
        `${count(leased, "connection")} of pool ${name} not given back: look for rows that are ` +
          "neither read to the end nor closed, a missing release, a Conn or Tx without its end",
      );
    }
    if (waiting > 0) {
      add(
        "waiter",
        `${count(waiting, "call")} still in the queue of pool ${name}: look for a promise that ` +
          "nobody awaits",
      );
    }
  }
  for (const { id, isClosed, isInTx, openRows } of connector?.conns ?? []) {
    if (isClosed === true) continue;
    if (isInTx === true) {
      add("transaction", `open on connection ${id}: look for a way out without commit or rollback`);
    }
    if (openRows !== undefined) {
      add("rows", `open on connection ${id}: read them to the end, or close them`);
    }
  }
  for (const [index, { listenedAt }] of signals.entries()) {
    for (const stack of listenedAt) {
      add("listener", `still on signal ${index}: remove it on every way out; added\n${stack}`);
    }
  }
  for (const violation of connector?.violations ?? []) add("rule", violation);
  return leaks;
}

function openOf({ pool, connector, clock }: LeakSources): Leak[] {
  const leaks: Leak[] = [];
  const add = (kind: Leak["kind"], message: string): void => void leaks.push({ kind, message });
  if (pool !== undefined) {
    const { openConnections, pool: details } = pool.stats();
    if (openConnections > 0) {
      const what = `${count(openConnections, "connection")} in pool ${details.name}`;
      add("connection", `${what}: close the pool, and await it, before this check`);
    }
  }
  if (connector !== undefined && connector.openCount > 0) {
    add(
      "connection",
      `${count(connector.openCount, "connection")} open at the fake: look for a second pool, or ` +
        "a connect that nobody closed",
    );
  }
  if (clock !== undefined && clock.pendingTimerCount > 0) {
    add(
      "timer",
      `${count(clock.pendingTimerCount, "timer")} pending: look for a setTimer without its cancel`,
    );
  }
  return leaks;
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
