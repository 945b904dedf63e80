// One waiter and one lease that live as long as the process.
//
// V8 throws compiled code away when a full collection finds no object alive of a shape that the
// code was compiled for. Between two bursts nobody waits and nothing is leased, so each burst after
// a collection would begin on the interpreter: an acquire with others in the queue then takes 1.7
// times as long on average over the next 100 000 (bench/README.md, P4). Of slots some are alive as
// long as anything is to be had quickly.

import type { MonotonicMs } from "../base/clock.ts";
import type { PooledConn } from "../driver/driver.ts";
import { Lane, UNLIMITED } from "./lanes.ts";
import { type LeaseOwner, PoolLease } from "./lease.ts";
import { Slot, Waiter } from "./state.ts";

const NOW_MS = 0 as MonotonicMs;
const ignore = () => undefined;
const owner: LeaseOwner<PooledConn> = { giveBack: ignore, discard: ignore, refuse: ignore };
const slot = new Slot<PooledConn>(0, NOW_MS, 0, 0);
slot.conn = { close: ignore };

/** Kept for their shapes alone. Nobody uses them. */
export const SPECIMENS: readonly object[] = [
  new PoolLease(owner, slot),
  new Waiter(new Lane("", UNLIMITED, "fifo"), NOW_MS, Infinity, ignore, ignore),
];
