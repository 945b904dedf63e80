// The pools that are explored: each small, and each with other rules in play.

import type { Setting } from "./world.ts";

/** All of them. The limits of time differ, so that each may be the next to pass. */
export const settings: readonly Setting[] = [
  {
    name: "plain",
    options: { maxOpenConns: 2, connMaxLifetimeMs: 400, connMaxIdleTimeMs: 150 },
    callers: [{ timeoutMs: 100 }, { timeoutMs: 100 }, { timeoutMs: 60 }],
    faults: 1,
    operatorEvents: 1,
    operator: ["lower", "suspend", "reset", "close idle", "stall"],
    pings: false,
  },
  {
    name: "bulkheads",
    options: { maxOpenConns: 3, maxIdleConns: 1 },
    bulkheads: {
      kept: { maxInUse: 2, reserved: 2, maxWaiting: Infinity, priority: 0 },
      fast: { maxInUse: 1, reserved: 0, maxWaiting: 0, priority: 1 },
    },
    callers: [
      { timeoutMs: 100 },
      { timeoutMs: 100, bulkhead: "kept" },
      { timeoutMs: 100, bulkhead: "fast" },
    ],
    faults: 1,
    operatorEvents: 1,
    operator: ["lower", "share"],
    pings: false,
  },
  {
    name: "pings",
    options: {
      maxOpenConns: 2,
      minIdleConns: 1,
      pingAfterIdleMs: 90,
      keepaliveMs: 60,
      connMaxIdleTimeMs: 150,
      connMaxLifetimeMs: 400,
    },
    callers: [{ timeoutMs: 100 }, { timeoutMs: 100 }],
    faults: 1,
    operatorEvents: 1,
    operator: ["reset", "warm up", "lower", "suspect", "stall"],
    pings: true,
  },
  {
    name: "told",
    options: {
      maxOpenConns: 2,
      maxDialing: 1,
      maxWaiters: 1,
      idleOrder: "fifo",
      waiterOrder: "random",
      dialErrors: "reject",
      shedding: { targetMs: 20, intervalMs: 50 },
      connMaxIdleTimeMs: 150,
    },
    callers: [{ timeoutMs: 100 }, { timeoutMs: 100 }, { timeoutMs: 60 }],
    faults: 2,
    operatorEvents: 1,
    operator: ["lower", "warm up", "stall"],
    pings: false,
  },
];
