// Whether everything comes to an end: from any state, with all that is under way going well from
// then on, everybody who waits is served, and the pool can be closed.

import assert from "node:assert/strict";
import type { World } from "./world.ts";

const UNDO = "what the operator did is undone";

/** No life needs more events to come to rest. */
const STEPS_MAX = 200;

/** One more thing that goes well; `undefined` when nothing is under way. */
function nextGood(world: World): string | undefined {
  const { core, conns, callers, nowMs } = world;
  if (core.isSuspended) {
    world.undo();
    return UNDO;
  }
  for (const conn of conns) {
    const { id } = conn.slot;
    if (conn.state === "dialing") {
      world.dialed(conn);
      return `connection ${id} is opened`;
    }
    if (conn.answers !== undefined) {
      world.answered(conn, true);
      return `connection ${id} answers`;
    }
    if (conn.state === "closing") {
      world.gone(conn);
      return `connection ${id} is gone`;
    }
  }
  const holder = callers.findIndex(({ state }) => state === "holding");
  const caller = callers[holder];
  if (caller !== undefined) {
    world.release(caller, "fit");
    return `caller ${holder + 1} releases`;
  }
  if (core.phase !== "open" || core.wakeAtMs > nowMs) return undefined;
  world.tick();
  assert(core.wakeAtMs > nowMs, "the pool was woken, and wants to be woken again at once");
  return "the pool is woken";
}

/**
 * Brings a world to rest, and closes its pool; the world is of no use afterwards. Notes in `life`
 * what happens. Throws when somebody waits for nothing, or the pool does not end.
 */
export function bringToRest(world: World, life: string[] = []): void {
  const { core } = world;
  for (let left = STEPS_MAX; ; left--) {
    assert(left > 0, "it goes on and on, and never comes to rest");
    const event = nextGood(world);
    if (event !== undefined) {
      life.push(event);
      continue;
    }
    if (core.phase !== "open") break;
    const lacking = core.lanes.size > 0 ? "somebody waits" : lackOf(world);
    if (lacking === undefined) {
      life.push("the pool is closed");
      world.drain();
      continue;
    }
    const { untilMs } = core.backoff;
    const isPausing = world.nowMs < untilMs && core.wakeAtMs <= untilMs;
    assert(isPausing, `${lacking}, and nothing that is under way changes it`);
    life.push("time passes");
    world.pass();
  }
  assert(world.isDrained && core.phase === "closed", "a pool that is told to close does not end");
  assert(!core.hasEffects && core.wakeAtMs === Infinity, "nothing is left to do");
}

/** What the pool is to keep, and does not. */
function lackOf({ core }: World): string | undefined {
  if (core.slots.idle.size < core.minIdle) return "fewer are idle than minIdleConns";
  const warm = Math.min(core.warmTarget, core.maxIdle);
  return core.kept < warm ? "fewer are open than the warm-up wants" : undefined;
}
