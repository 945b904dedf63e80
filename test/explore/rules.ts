// What a pool must do and must not, seen from outside: judged by the world's own account, and by
// nothing that the core has worked out.

import assert from "node:assert/strict";
import type { Lane } from "../../packages/forebay/src/pool/lanes.ts";
import type { Caller, Conn, World } from "./world.ts";

/** The draw of all random numbers. */
export const DRAW = 0.5;

/** Throws when a dial must not begin now. */
export function checkDial(world: World): void {
  const { limits, phase, minIdle, warmTarget } = world.core;
  const present = world.conns.filter(({ state }) => state !== "gone").length;
  const dialing = world.count("dialing") + 1;
  assert(present < limits.maxOpenConns, "more are dialed than may be open");
  assert(phase === "open", "nothing is dialed for a pool that closes");
  assert(dialing <= limits.maxDialing, "more are dialed at once than may be");
  const waiting = world.callers.filter(({ state }) => state === "waiting").length;
  // Where dial errors are told, nobody waits for the end of a pause.
  const isTold = limits.dialErrors === "reject" && waiting > 0;
  assert(isTold || world.nowMs >= world.pausedUntilMs, "nothing is dialed in a pause");
  assert(
    isTold || world.failedRounds === 0 || dialing === 1,
    "while dials fail, there is one at a time",
  );
  const spare = world.count("free") + world.count("pinging");
  const kept = spare + world.count("held") + world.count("checking");
  const lacking = Math.max(0, waiting - likelyPings(world)) + Math.max(0, minIdle - spare);
  const wanted = Math.max(lacking, warmTarget - kept);
  assert(dialing <= wanted, "more are dialed than are wanted");
}

/** Throws when this connection must not go to this caller. */
export function checkGrant(world: World, caller: Caller, conn: Conn): void {
  const { core, nowMs } = world;
  assert.equal(conn.state, "free", "what is granted is free");
  assert(!conn.isLost, "what is granted is not lost");
  assert(conn.resets === world.resets, "what is granted was opened after the last reset");
  assert(core.phase === "open" && !core.isSuspended, "only a working pool grants");
  assert(mayHave(world, caller.lane), "its bulkhead may have one more");
  const { connMaxLifetimeMs, lifetimeJitterRatio } = core.limits;
  const lifetimeMs = connMaxLifetimeMs * (1 - lifetimeJitterRatio * DRAW);
  assert(nowMs < conn.openedAtMs + lifetimeMs, "what is granted is not too old");
  assert(!needsPing(world, conn), "what was idle for long, or is suspect, is pinged first");
  const kept = world.conns.filter(({ state }) => state !== "gone" && state !== "closing").length;
  assert(kept <= core.limits.maxOpenConns, "what is too much is not granted");
}

/** Throws when somebody else is to be served before this caller. */
export function checkTurn(world: World, caller: Caller): void {
  const { arrival = 0 } = caller.waiter ?? {};
  for (const other of world.callers) {
    if (other.state !== "waiting" || other === caller) continue;
    const cameFirst = (other.waiter?.arrival ?? 0) < arrival;
    if (other.lane === caller.lane) {
      const isFree = world.core.limits.waiterOrder === "random";
      assert(isFree || !cameFirst, "who came first is served first");
    } else if (mayHave(world, other.lane)) {
      const rank = other.lane.limits.priority - caller.lane.limits.priority;
      assert(rank <= 0, "a higher priority is served first");
      assert(rank < 0 || !cameFirst, "among bulkheads too, who came first is served first");
    }
  }
}

/** Throws when somebody waits who may have a connection, and there is one, or room for one. */
export function checkServed(world: World): void {
  const { core, nowMs } = world;
  if (core.wakeAtMs <= nowMs || !mayAnyHave(world)) return;
  const hasFit = world.conns.some((conn) => conn.state === "free" && !needsPing(world, conn));
  assert(!hasFit, "somebody waits who may have what is idle");
  if (world.count("dialing") + world.count("pinging") > 0) return;
  assert(world.count("free") === 0, "somebody waits who may have what can be pinged");
  const present = world.conns.filter(({ state }) => state !== "gone").length;
  const isPausing = nowMs < core.backoff.untilMs && core.limits.dialErrors === "wait";
  const hasRoom = present < core.limits.maxOpenConns && !isPausing;
  assert(!hasRoom, "somebody waits for whom a connection may be dialed");
}

/** Throws when there is no reason to ping this connection. */
export function checkPing(world: World, conn: Conn): void {
  const { core, nowMs, setting } = world;
  const { aliveAtMs, outlived } = conn.slot;
  assert(setting.pings && core.phase === "open", "what is pinged can be, and is of use");
  assert(conn.state === "free" && !conn.isLost, "what is pinged is free");
  const waiting = world.callers.filter(({ state }) => state === "waiting").length;
  const isWanted = needsPing(world, conn) && waiting > likelyPings(world);
  const isSuspect = outlived !== core.suspicions;
  const isQuietest = world.conns.every(
    ({ state, slot }) => state !== "free" || slot.aliveAtMs >= aliveAtMs,
  );
  const isDue = nowMs >= aliveAtMs + core.limits.keepaliveMs && world.count("pinging") === 0;
  assert(isWanted || isSuspect || (isDue && isQuietest), "what is pinged is to be pinged");
}

/** Throws when a tick has left a connection idle for too long, or quiet and not pinged. */
export function checkQuiet({ core, conns, nowMs, setting }: World): void {
  if (core.phase !== "open") return;
  const { keepaliveMs, connMaxIdleTimeMs } = core.limits;
  const free = conns.filter(({ state }) => state === "free");
  const isLongIdle = free.some(({ usedAtMs }) => nowMs >= usedAtMs + connMaxIdleTimeMs);
  assert(free.length <= core.minIdle || !isLongIdle, "what was idle for too long is closed");
  const isQuiet = free.some(({ slot }) => nowMs >= slot.aliveAtMs + keepaliveMs);
  const isPinging = conns.some(({ state }) => state === "pinging");
  assert(!setting.pings || isPinging || !isQuiet, "what was quiet for too long is pinged");
}

/** Whether anybody waits who may have a connection. */
export function mayAnyHave(world: World): boolean {
  const { core, callers } = world;
  if (core.phase !== "open" || core.isSuspended) return false;
  return callers.some(({ state, lane }) => state === "waiting" && mayHave(world, lane));
}

/** Pings under way of connections that are not under suspicion. */
function likelyPings({ core, conns }: World): number {
  return conns.filter(({ state, slot }) => state === "pinging" && slot.outlived === core.suspicions)
    .length;
}

/** Whether the bulkhead may have one more, counted from the callers. */
function mayHave(world: World, lane: Lane<Caller>): boolean {
  const used = (of: Lane<Caller>) =>
    world.callers.filter(({ state, lane }) => state === "holding" && lane === of).length;
  if (used(lane) >= lane.limits.maxInUse) return false;
  if (used(lane) < lane.limits.reserved) return true;
  const claimed = world.core.lanes.all.reduce(
    (sum, each) => sum + Math.max(used(each), each.limits.reserved),
    0,
  );
  return claimed < world.core.limits.maxOpenConns;
}

function needsPing(world: World, { slot }: Conn): boolean {
  if (!world.setting.pings) return false;
  const { limits, suspicions } = world.core;
  const isQuiet = world.nowMs - slot.aliveAtMs >= limits.pingAfterIdleMs;
  return isQuiet || slot.outlived !== suspicions;
}
