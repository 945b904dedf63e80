// When a connection's time is up. Pure.

import type { PooledConn } from "../driver/driver.ts";
import type { PoolLimits } from "./options.ts";
import type { Slot } from "./state.ts";

/**
 * When the connection is too old: connMaxLifetimeMs after it was opened, less its own part of the
 * jitter. That is fixed at creation; drawn anew at each look, the least of many draws would count.
 */
export function expiresAtMs(slot: Slot<PooledConn>, limits: PoolLimits): number {
  const { connMaxLifetimeMs, lifetimeJitterRatio } = limits;
  return slot.openedAtMs + connMaxLifetimeMs * (1 - lifetimeJitterRatio * slot.jitterRatio);
}

/** When the connection has been idle for too long. Means something only while it is idle. */
export function idleDueAtMs(slot: Slot<PooledConn>, limits: PoolLimits): number {
  return slot.idleSinceMs + limits.connMaxIdleTimeMs;
}
