// What the pool noticed in the way it is used. Nothing has failed: somebody ought to look.

import type { PoolStats } from "./stats.ts";

/**
 * What the pool noticed. Each has a `message` that says what to do, and the stack of the acquire in
 * question where it is known.
 *
 * `leak` a connection has been out for longer than leakAfterMs · `lease-collected` a lease was
 * forgotten: nobody can ever release it, and its place is lost · `slow-acquire` an acquire was
 * served after more than slowAcquireMs · `nested-acquire` a caller who holds a connection waits for
 * a second, while all are in use · `stall` the event loop stood still.
 */
export interface PoolWarning {
  readonly kind: "leak" | "lease-collected" | "slow-acquire" | "nested-acquire" | "stall";
  readonly message: string;
  /** How long it has lasted: the lease, the wait, the stall. */
  readonly durationMs: number;
  /** Where the connection was asked for. Known where leakAfterMs or nestedAcquire is set. */
  readonly stack: string | undefined;
  /** The pool at that moment. */
  readonly stats: PoolStats;
}

/** What to say of it. */
export function warningMessage(
  kind: PoolWarning["kind"],
  name: string,
  durationMs: number,
  { pool, maxOpenConnections }: PoolStats,
): string {
  const lasted = `${Math.round(durationMs)}ms`;
  const state = `${pool.leased} of ${maxOpenConnections} in use, ${pool.waiting} waiting`;
  switch (kind) {
    case "leak":
      return (
        `${name}: a connection has been out for ${lasted} (${state}). Look for a missing release ` +
        "or a long transaction where it was acquired: see the stack"
      );
    case "lease-collected":
      return (
        `${name}: a lease was forgotten after ${lasted} (${state}): its connection can never ` +
        "come back. Release it on every way out of the code that acquired it: see the stack"
      );
    case "slow-acquire":
      return `${name}: an acquire took ${lasted} (${state})`;
    case "nested-acquire":
      return (
        `${name}: a caller who holds a connection waits for a second, while all are in use ` +
        `(${state}). Make the inner call on the Tx, the Conn or the connection that is held: see ` +
        "the stack"
      );
    case "stall":
      return (
        `${name}: the event loop stood still for ${lasted}. That time counts as not passed, and ` +
        "idle connections are pinged before their next use"
      );
    default:
      return kind satisfies never;
  }
}
