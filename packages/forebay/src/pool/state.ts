// The pool's records: a Slot for each physical connection, a Waiter for each acquire that waits;
// the legal moves of each, and the one function that makes them. Which list a slot is in is its
// state: there is no second count to drift.

import { assert, BugError } from "../base/assert.ts";
import type { MonotonicMs } from "../base/clock.ts";
import { type Linked, LinkedList } from "../base/linked-list.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { Lane } from "./lanes.ts";

/**
 * Where a slot is in its life. ARCHITECTURE.md has the table.
 *
 * `connecting` a dial is under way · `idle` free, and being watched for loss · `leased` somebody
 * has it · `checking` given back, its session being made fit · `pinging` was idle, and is being
 * asked whether it lives · `closing` never to be used again, not yet gone · `closed` gone, and
 * counted no more.
 */
export type SlotKind =
  | "connecting"
  | "idle"
  | "leased"
  | "checking"
  | "pinging"
  | "closing"
  | "closed";

/**
 * Why a connection is never used again.
 *
 * `lifetime` older than connMaxLifetimeMs · `idle-time` idle for longer than connMaxIdleTimeMs ·
 * `idle-limit` more idle than maxIdleConns · `open-limit` more open than maxOpenConns, after that
 * was lowered · `lost` the server or the network ended it · `bad` the driver calls it invalid ·
 * `reset-failed` its session could not be made fit · `ping-failed` it did not answer a ping ·
 * `refused` a hook refused it · `discarded` its holder gave it up · `suspect` closed on suspicion
 * after others proved dead · `reset` opened before the pool was reset · `draining` the pool closes.
 */
export type RetireReason =
  | "lifetime"
  | "idle-time"
  | "idle-limit"
  | "open-limit"
  | "lost"
  | "bad"
  | "reset-failed"
  | "ping-failed"
  | "refused"
  | "discarded"
  | "suspect"
  | "reset"
  | "draining";

/** Every retire reason, in the order in which statistics list them. */
export const RETIRE_REASONS: readonly RetireReason[] = [
  "lifetime",
  "idle-time",
  "idle-limit",
  "open-limit",
  "lost",
  "bad",
  "reset-failed",
  "ping-failed",
  "refused",
  "discarded",
  "suspect",
  "reset",
  "draining",
];

/**
 * How a connection came back: ready for the next user, of no use, or with a session still to be
 * made fit.
 */
export type ReturnCondition = "fit" | "bad" | "refused" | "discarded" | "check";

/** The legal moves. A switch: it is asked twice for each lease, and a table by name costs more. */
function mayMove(from: SlotKind, to: SlotKind): boolean {
  switch (from) {
    case "connecting":
      return to === "idle" || to === "leased" || to === "closing" || to === "closed";
    case "idle":
      return to === "leased" || to === "pinging" || to === "closing";
    case "leased":
      return to === "leased" || to === "idle" || to === "checking" || to === "closing";
    case "checking":
    case "pinging":
      return to === "leased" || to === "idle" || to === "closing";
    case "closing":
      return to === "closed";
    case "closed":
      return false;
    default:
      return from satisfies never;
  }
}

function illegalMove(from: SlotKind, to: SlotKind): BugError {
  return new BugError(`slot: ${from} to ${to}`);
}

/** What a lease counts against. The core alone writes it. */
export interface LaneUse {
  /** How many connections are leased by its acquires. */
  inUse: number;
}

/**
 * What a moment is until it is first written. A number from the start: V8 then keeps the field as
 * one, and need not allocate a new box at each write.
 */
const NOT_YET_MS = -Infinity as MonotonicMs;

/** The pool's record of one physical connection. Written by the core alone. */
export class Slot<C extends PooledConn> implements Linked<Slot<C>> {
  readonly id: number;
  /** When the dial began. */
  readonly dialedAtMs: MonotonicMs;
  /** Drawn once from [0, 1): how much of the lifetime jitter this connection gets. */
  readonly jitterRatio: number;
  /** How often the pool had been reset when the dial began. */
  readonly epoch: number;
  kind: SlotKind = "connecting";
  /** Valid from the end of `connecting` to the end of `closing`. */
  conn: C | undefined;
  /** When the dial ended. Valid with `conn`. */
  openedAtMs: MonotonicMs = NOT_YET_MS;
  /** When it is too old, by the present limits; `Infinity` for never. Valid with `conn`. */
  expiresAtMs: number = Infinity;
  /** When it last became idle. Valid while idle or pinging. */
  idleSinceMs: MonotonicMs = NOT_YET_MS;
  /** When it last showed that it lives: at the end of its dial, of a use, of a ping. */
  aliveAtMs: MonotonicMs = NOT_YET_MS;
  /** The last suspicion after which it has shown that it lives. */
  outlived = -1;
  /** When it was last granted. Valid while leased. */
  leasedAtMs: MonotonicMs = NOT_YET_MS;
  /** Counts grants; a lease is the current one if it has this number and the slot is leased. */
  generation = 0;
  /** Whose use of it counts. Valid while leased. */
  lane: LaneUse | undefined;
  /** Set when the driver said that the connection is lost. */
  lost: { readonly reason: unknown } | undefined;

  list: LinkedList<Slot<C>> | undefined;
  previous: Slot<C> | undefined;
  next: Slot<C> | undefined;

  constructor(id: number, nowMs: MonotonicMs, jitterRatio: number, epoch: number) {
    this.id = id;
    this.dialedAtMs = nowMs;
    this.jitterRatio = jitterRatio;
    this.epoch = epoch;
  }
}

/**
 * All slots of a pool, each in the list of its kind; in every list, the one that came first is at
 * the head.
 */
export class SlotLists<C extends PooledConn> {
  readonly connecting: LinkedList<Slot<C>> = new LinkedList();
  readonly idle: LinkedList<Slot<C>> = new LinkedList();
  readonly leased: LinkedList<Slot<C>> = new LinkedList();
  readonly checking: LinkedList<Slot<C>> = new LinkedList();
  readonly pinging: LinkedList<Slot<C>> = new LinkedList();
  readonly closing: LinkedList<Slot<C>> = new LinkedList();
  #open = 0;

  /** Slots that count against maxOpenConns: all but the closed. O(1). */
  get open(): number {
    return this.#open;
  }

  /** Takes a new slot into account. */
  add(slot: Slot<C>): void {
    assert(slot.kind === "connecting", "slot: a new one is connecting");
    this.connecting.append(slot);
    this.#open += 1;
  }

  /** Moves a slot to another state. The only function that writes `slot.kind`. */
  move(slot: Slot<C>, to: SlotKind): void {
    const from = slot.kind;
    // Not an assert: its message would be put together at each move.
    if (!mayMove(from, to)) throw illegalMove(from, to);
    slot.list?.remove(slot);
    slot.kind = to;
    if (to === "closed") this.#open -= 1;
    // A ping is no use: it leaves the order in which connections became idle as it was.
    else if (from === "pinging" && to === "idle") this.#returnToIdle(slot);
    else this.#listOf(to)?.append(slot);
  }

  #returnToIdle(slot: Slot<C>): void {
    let before = this.idle.head;
    while (before !== undefined && before.idleSinceMs <= slot.idleSinceMs) before = before.next;
    this.idle.insertBefore(slot, before);
  }

  #listOf(kind: Exclude<SlotKind, "closed">): LinkedList<Slot<C>> | undefined {
    switch (kind) {
      case "idle":
        return this.idle;
      case "leased":
        return this.leased;
      case "checking":
        return this.checking;
      case "pinging":
        return this.pinging;
      case "closing":
        return this.closing;
      // No move leads to a new dial.
      case "connecting":
        return undefined;
      default:
        return kind satisfies never;
    }
  }
}

/**
 * Where an acquire that could not be served at once is in its life. Every kind but `queued` is an
 * end.
 */
export type WaiterKind = "queued" | "granted" | "timed-out" | "aborted" | "rejected" | "shed";

/**
 * The ends of a waiter's promise. Methods, so that a pool of some kind of connection is one of any.
 */
interface Settle<L> {
  resolve(lease: L): void;
  reject(reason: unknown): void;
}

/**
 * An acquire that waits. Written by the core alone; `resolve` and `reject` are the shell's, and the
 * core never calls them.
 */
export class Waiter<L> implements Linked<Waiter<L>> {
  /** The queue that it is for. */
  readonly lane: Lane<L>;
  readonly enqueuedAtMs: MonotonicMs;
  /** When it is given up; `Infinity` for never. */
  readonly deadlineAtMs: number;
  readonly resolve: Settle<L>["resolve"];
  readonly reject: Settle<L>["reject"];
  kind: WaiterKind;
  /**
   * Whether it waited for lack of a slot, which database/sql counts, or only for a dial, which it
   * does not.
   */
  atLimit: boolean;
  /**
   * Its place in the unordered queue. Valid while queued, and only for the waiter order `random`.
   */
  place: number;
  /** Its number among all that ever queued. Valid while queued. */
  arrival: number;

  list: LinkedList<Waiter<L>> | undefined;
  previous: Waiter<L> | undefined;
  next: Waiter<L> | undefined;

  constructor(
    lane: Lane<L>,
    nowMs: MonotonicMs,
    deadlineAtMs: number,
    resolve: Settle<L>["resolve"],
    reject: Settle<L>["reject"],
  ) {
    this.lane = lane;
    this.enqueuedAtMs = nowMs;
    this.deadlineAtMs = deadlineAtMs;
    this.resolve = resolve;
    this.reject = reject;
    this.kind = "queued";
    this.atLimit = false;
    this.place = -1;
    this.arrival = 0;
    this.list = undefined;
    this.previous = undefined;
    this.next = undefined;
  }
}

/**
 * The pool's own life: `open` it works · `draining` it was told to close: nothing new, what is out
 * may come back · `closed` every slot is gone.
 */
export type PoolPhase = "open" | "draining" | "closed";
