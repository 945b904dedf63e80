// The core's own counts, compared with what was seen from outside.

import assert from "node:assert/strict";
import type { World } from "./world.ts";

/** Sums of fractions may differ by this much. */
const ROUNDING_MS = 1e-6;

/** Throws when a gauge or a counter is not the number of what it counts. */
export function checkCounts({ core, seen, callers, conns, setting }: World): void {
  const { acquireCount, abortCount, timeoutCount, queueFullCount, shedCount, waitDurationMs } =
    core.totals();
  const { dialCount, dialErrorCount, pingCount, retired } = core.counters;
  assert.equal(acquireCount, seen.acquired, "acquireCount");
  assert.equal(abortCount, seen.aborted, "abortCount");
  assert.equal(timeoutCount, seen["timed-out"], "timeoutCount");
  assert.equal(queueFullCount, seen.refused, "queueFullCount");
  assert.equal(shedCount, seen.shed, "shedCount");
  assert(Math.abs(waitDurationMs - seen.waitedMs) < ROUNDING_MS, "waitDurationMs");
  assert.equal(dialCount, seen.dials, "dialCount");
  assert.equal(dialErrorCount, seen.dialErrors, "dialErrorCount");
  assert.equal(pingCount, seen.pings, "pingCount");
  let closes = 0;
  for (const reason in retired) closes += retired[reason as keyof typeof retired];
  assert.equal(closes, seen.closes, "closedBy");

  const { connecting, idle, leased, checking, pinging, closing } = core.slots;
  const count = { dialing: 0, free: 0, held: 0, checking: 0, pinging: 0, closing: 0 };
  for (const { state } of conns) {
    if (state !== "gone" && state !== "spoiled") count[state] += 1;
  }
  assert.equal(connecting.size, count.dialing, "connecting");
  assert.equal(idle.size, count.free, "idle");
  assert.equal(leased.size, count.held, "leased");
  assert.equal(checking.size, count.checking, "checking");
  assert.equal(pinging.size, count.pinging, "pinging");
  assert.equal(closing.size, count.closing, "closing");
  let waiting = 0;
  for (const { state } of callers) if (state === "waiting") waiting += 1;
  assert.equal(core.lanes.size, waiting, "waiting");
  assert(setting.pings || pingCount === 0, "what cannot be pinged is not");
}
