// The state of a world in one line, such that worlds with the same line go on alike as far as can
// be seen: who has what, and of time only the order of the moments still to come. The core hides
// some of its state, and lengths of time are left out, so a few lives are taken for others and
// never lived. No counterexample is false for that.

import type { Caller, Conn, World } from "./world.ts";

/** The state of `world`. */
export function canonical(world: World): string {
  const { core, callers, nowMs } = world;
  const present = world.conns.filter(
    (conn) => conn.state !== "gone" || conn.answers !== undefined || holderOf(world, conn),
  );
  const rank = ranking(
    [
      nowMs,
      core.wakeAtMs,
      core.backoff.untilMs,
      ...present.flatMap((conn) => momentsOf(world, conn)),
      ...callers.map(({ waiter }) => waiter?.deadlineAtMs ?? nowMs),
    ],
    nowMs,
  );
  const rankIdle = ranking(
    present.filter(isSpare).map(({ slot }) => slot.idleSinceMs),
    -Infinity,
  );
  const lines = new Map(
    present.map((conn) => {
      const moments = momentsOf(world, conn).map(rank);
      const idleSince = isSpare(conn) ? rankIdle(conn.slot.idleSinceMs) : "";
      return [conn.slot, `${lineOf(world, conn)} ${moments.join()} ${idleSince}`] as const;
    }),
  );
  const flags = [
    core.phase,
    core.isSuspended,
    world.isForced,
    core.limits.maxOpenConns,
    core.warmTarget,
    world.failedRounds,
    world.faultsLeft,
    world.operatorEventsLeft,
    rank(core.wakeAtMs),
    rank(core.backoff.untilMs),
    ...core.lanes.all.map(({ limits }) => limits.maxInUse),
  ];
  // Among the idle alone the order matters.
  const idle = [...core.slots.idle].map((slot) => lines.get(slot));
  const others = present.filter(({ state }) => state !== "free");
  const waiting = callers
    .filter(({ state }) => state === "waiting")
    .toSorted((a, b) => (a.waiter?.arrival ?? 0) - (b.waiter?.arrival ?? 0))
    .map((caller) => `${sortOf(caller)}${rank(caller.waiter?.deadlineAtMs ?? nowMs)}`);
  const away = callers.filter(({ state }) => state === "away").map(sortOf);
  return [
    flags.join(),
    idle.join("|"),
    others
      .map(({ slot }) => lines.get(slot))
      .toSorted()
      .join("|"),
    waiting.join(),
    away.join(),
  ].join(";");
}

function sortOf({ lane, timeoutMs }: Caller): string {
  return `${lane.name}${timeoutMs}/`;
}

function holderOf({ callers }: World, { slot }: Conn): Caller | undefined {
  return callers.find((caller) => caller.slot === slot);
}

function isSpare({ state }: Conn): boolean {
  return state === "free" || state === "pinging";
}

/** What is so of a connection, but for the time. */
function lineOf(world: World, conn: Conn): string {
  const { slot, state, answers = "", isLost, resets, dialedAtMs } = conn;
  const holder = holderOf(world, conn);
  const flags = [isLost, answers, holder === undefined ? "" : sortOf(holder)];
  if (state === "closing" || state === "gone") return `${state} ${flags.join()}`;
  const { aliveAtMs, outlived } = slot;
  const isNew = slot.generation === 0;
  flags.push(isNew, isNew && dialedAtMs <= world.failedAtMs, resets === world.resets);
  if (world.setting.pings && state !== "dialing") {
    flags.push(aliveAtMs === world.nowMs, outlived !== world.core.suspicions);
  }
  return `${state} ${flags.map((flag) => (flag === true ? 1 : flag === false ? 0 : flag)).join()}`;
}

/** The moments from which on something else holds of a connection. */
function momentsOf({ core, setting }: World, { slot, state }: Conn): number[] {
  if (state === "dialing" || state === "closing" || state === "gone") return [];
  const { connMaxIdleTimeMs, pingAfterIdleMs, keepaliveMs } = core.limits;
  const moments = [slot.expiresAtMs];
  if (state === "free" || state === "pinging") moments.push(slot.idleSinceMs + connMaxIdleTimeMs);
  if (setting.pings && (state === "free" || state === "pinging")) {
    moments.push(slot.aliveAtMs + pingAfterIdleMs, slot.aliveAtMs + keepaliveMs);
  }
  return moments;
}

/** Gives each moment its place among all; what is before `sinceMs` counts as then. */
function ranking(moments: readonly number[], sinceMs: number): (atMs: number) => number {
  const clamped = moments.map((atMs) => Math.max(atMs, sinceMs));
  const order = [...new Set(clamped)].toSorted((a, b) => a - b);
  return (atMs) => (atMs === Infinity ? -1 : order.indexOf(Math.max(atMs, sinceMs)));
}
