// What the tests of the core by itself do again and again: make one, let somebody wait, see what it
// asks for.

import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import type { SheddingOptions } from "../../../packages/forebay/src/pool/codel.ts";
import { PoolCore } from "../../../packages/forebay/src/pool/core.ts";
import type { Effect } from "../../../packages/forebay/src/pool/effects.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { type Slot, Waiter } from "../../../packages/forebay/src/pool/state.ts";

export type Core = PoolCore<PooledConn, string>;

export const now = (ms: number) => ms as MonotonicMs;
export const conn: PooledConn = { close: () => undefined };
/** A connection that can be pinged. */
export const pingable: PooledConn = { ...conn, ping: async () => undefined };
const ignore = () => undefined;

/** A core without a lifetime or an idle time, unless `options` say so, that has been started. */
export function coreOf(options: PoolOptions = {}, shedding?: SheddingOptions): Core {
  const { limits } = resolveOptions(
    { connMaxLifetimeMs: Infinity, connMaxIdleTimeMs: Infinity, ...options },
    "core",
  );
  const core: Core = new PoolCore(limits, { next: () => 0 }, shedding);
  core.start(now(0));
  return core;
}

export const waiter = (core: Core, atMs = 0, deadlineAtMs = Infinity): Waiter<string> =>
  new Waiter<string>(core.lanes.main, now(atMs), deadlineAtMs, ignore, ignore);

/** Queues one waiter. */
export function wait(core: Core, atMs = 0, deadlineAtMs = Infinity): Waiter<string> {
  const queued = waiter(core, atMs, deadlineAtMs);
  core.enqueue(queued, now(atMs));
  return queued;
}

/** The effects so far. */
export function effectsOf(core: Core): Effect<PooledConn, string>[] {
  const effects = [];
  for (let next = core.takeEffect(); next !== undefined; next = core.takeEffect()) {
    effects.push(next);
  }
  return effects;
}

/** The effects so far, by their kinds. */
export const kindsOf = (core: Core) => effectsOf(core).map(({ kind }) => kind);

/** Queues one waiter, and gives the slot that is dialed for it. */
export function dial(core: Core, atMs = 0): Slot<PooledConn> {
  wait(core, atMs);
  for (const effect of effectsOf(core)) if (effect.kind === "dial") return effect.slot;
  throw new Error("nothing was dialed");
}

/** Opens a connection for a new waiter, who has it then. */
export function lease(core: Core, atMs = 0, opened: PooledConn = conn): Slot<PooledConn> {
  const slot = dial(core, atMs);
  core.dialed(slot, opened, now(atMs));
  effectsOf(core);
  return slot;
}
