// What the core asks the shell to do. Data, so that the core stays free of promises and drivers,
// and tests can read it.

import type { PooledConn } from "../driver/driver.ts";
import type { Slot, Waiter } from "./state.ts";

/**
 * Why a waiter was turned away. An abort is not among them: the shell knows the reason that the
 * signal carries.
 */
export type RejectReason = "timed-out" | "closed" | "connect-failed" | "shed";

/** One thing to do, in the order in which they were asked for. */
export type Effect<C extends PooledConn, L> =
  /** Dial; then call `dialed` or `dialFailed` with the slot. */
  | { readonly kind: "dial"; readonly slot: Slot<C> }
  /** Nobody wants the dial any more: abort it. It still ends in `dialed` or `dialFailed`. */
  | { readonly kind: "abort-dial"; readonly slot: Slot<C> }
  /** Ask the connection whether it lives; then call `pinged` with the slot. */
  | { readonly kind: "ping"; readonly slot: Slot<C>; readonly conn: C }
  /** Close the connection; then call `closed` with the slot. */
  | { readonly kind: "close"; readonly slot: Slot<C>; readonly conn: C }
  /** Tell the waiter that the slot is leased to it. */
  | { readonly kind: "grant"; readonly waiter: Waiter<L>; readonly slot: Slot<C> }
  /** Tell the waiter that it gets nothing; with what a dial failed, if that is why. */
  | {
      readonly kind: "reject";
      readonly waiter: Waiter<L>;
      readonly why: RejectReason;
      readonly dialError: unknown;
    }
  /** The pool has closed, and its last connection is gone. */
  | { readonly kind: "drained" };
