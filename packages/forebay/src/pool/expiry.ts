// When a connection's time is up. Pure.

import type { PooledConn } from "../driver/driver.ts";
import { LIFETIME_JITTER_RATIO, type PoolLimits } from "./options.ts";
import type { Slot } from "./state.ts";

/**
 * When the connection is too old: connMaxLifetimeMs after it was opened, less up to 10 % by its own
 * jitter. The jitter is fixed at creation; drawn anew at each look, the least of many draws would
 * count.
 */
export function expiresAtMs(slot: Slot<PooledConn>, limits: PoolLimits): number {
  return (
    slot.openedAtMs + limits.connMaxLifetimeMs * (1 - LIFETIME_JITTER_RATIO * slot.jitterRatio)
  );
}

/** When the connection has been idle for too long. Means something only while it is idle. */
export function idleDueAtMs(slot: Slot<PooledConn>, limits: PoolLimits): number {
  return slot.idleSinceMs + limits.connMaxIdleTimeMs;
}
