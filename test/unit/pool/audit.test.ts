// The audit finds each invariant broken, and names it. The state is broken by hand, past the core.

import { expect, test } from "vitest";
import { BugError } from "../../../packages/forebay/src/base/assert.ts";
import type { MonotonicMs } from "../../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../../packages/forebay/src/driver/driver.ts";
import { Audit } from "../../../packages/forebay/src/pool/audit.ts";
import { expiresAtMs } from "../../../packages/forebay/src/pool/expiry.ts";
import { PoolCore } from "../../../packages/forebay/src/pool/core.ts";
import { resolveOptions } from "../../../packages/forebay/src/pool/option-checks.ts";
import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { Slot, Waiter } from "../../../packages/forebay/src/pool/state.ts";

const now = (ms: number) => ms as MonotonicMs;
const conn: PooledConn = { close: () => undefined };

/** A core with one idle connection and one in use, and its audit. */
class Patient {
  readonly core: PoolCore<PooledConn, string>;
  readonly audit: Audit<PooledConn, string>;
  readonly idle: Slot<PooledConn>;
  readonly leased: Slot<PooledConn>;
  #slotId = 100;

  constructor(options: PoolOptions) {
    const { limits } = resolveOptions(options, "patient");
    this.core = new PoolCore(limits, { next: () => 0 });
    this.audit = new Audit(this.core);
    this.leased = this.slot("leased");
    this.idle = this.slot("idle");
    this.core.counters.dialCount = 2;
    this.core.lanes.main.counters.acquireCount = 1;
    this.core.tick(now(0));
    this.audit.check(now(0));
  }

  /** Puts another slot into the lists. */
  slot(kind: "connecting" | "idle" | "leased"): Slot<PooledConn> {
    this.#slotId += 1;
    const slot = new Slot<PooledConn>(this.#slotId, now(0), 0, 0);
    this.core.slots.add(slot);
    if (kind === "connecting") return slot;
    slot.conn = conn;
    slot.openedAtMs = now(0);
    slot.idleSinceMs = now(0);
    slot.aliveAtMs = now(0);
    slot.expiresAtMs = expiresAtMs(slot, this.core.limits);
    this.core.slots.move(slot, kind);
    if (kind === "leased") this.use(slot);
    return slot;
  }

  /** Counts the slot as in use. */
  use(slot: Slot<PooledConn>): void {
    slot.lane = this.core.lanes.main;
    slot.lane.inUse += 1;
  }

  /** Puts a waiter into the queue. */
  waiter(enqueuedAtMs: number, deadlineAtMs = Infinity): Waiter<string> {
    const ignore = () => undefined;
    const waiter = new Waiter<string>(
      this.core.lanes.main,
      now(enqueuedAtMs),
      deadlineAtMs,
      ignore,
      ignore,
    );
    this.core.lanes.enqueue(waiter);
    return waiter;
  }

  /** Takes the idle connection out of the way, and fills the pool. */
  fill(): void {
    this.core.slots.move(this.idle, "leased");
    this.use(this.idle);
  }

  /** Closes everything, as the core does it. */
  close(): void {
    this.core.drain(now(0));
    this.core.closeByForce();
    for (const slot of this.core.slots.closing) this.core.closed(slot, now(0));
    this.audit.check(now(0));
  }
}

const WOUNDS: readonly (readonly [string, string, PoolOptions, (patient: Patient) => void])[] = [
  [
    "I1",
    "one more is open than may be",
    { maxOpenConns: 2 },
    (patient) => {
      patient.slot("leased");
    },
  ],
  [
    "I2",
    "a slot is in the list of another state",
    {},
    ({ leased }) => {
      leased.kind = "idle";
    },
  ],
  [
    "I2",
    "an idle slot has no connection",
    {},
    ({ idle }) => {
      idle.conn = undefined;
    },
  ],
  [
    "I2",
    "a slot has a connection before its dial has ended",
    {},
    (patient) => {
      patient.slot("connecting").conn = conn;
    },
  ],
  [
    "I2",
    "two slots have the same number",
    {},
    ({ core, idle }) => {
      core.slots.add(new Slot<PooledConn>(idle.id, now(0), 0, 0));
    },
  ],
  [
    "I3",
    "the count of the open is wrong",
    {},
    ({ core }) => {
      Object.defineProperty(core.slots, "open", { value: 5 });
    },
  ],
  [
    "I3",
    "the count of one state is wrong",
    {},
    ({ core }) => {
      Object.defineProperty(core.slots.idle, "size", { value: 5 });
    },
  ],
  [
    "I3",
    "the count of those who wait is wrong",
    {},
    ({ core }) => {
      Object.defineProperty(core.lanes, "size", { value: 1 });
    },
  ],
  [
    "I4",
    "a lost connection is idle",
    {},
    ({ idle }) => {
      idle.lost = { reason: "ended" };
    },
  ],
  [
    "I4",
    "more are idle than may be",
    { maxIdleConns: 1 },
    (patient) => {
      patient.slot("idle");
    },
  ],
  [
    "I5",
    "a waiter that was granted is queued",
    {},
    (patient) => {
      patient.waiter(0).kind = "granted";
    },
  ],
  [
    "I6",
    "one that came later stands before one that came earlier",
    { maxOpenConns: 2 },
    (patient) => {
      patient.fill();
      patient.waiter(4);
      patient.waiter(5).arrival = 1;
    },
  ],
  [
    "I7",
    "somebody waits while a connection is idle",
    {},
    (patient) => {
      patient.waiter(0);
    },
  ],
  [
    "I7",
    "somebody waits for a ping while another connection is ready",
    {},
    (patient) => {
      patient.core.slots.move(patient.slot("idle"), "pinging");
      patient.waiter(0);
    },
  ],
  [
    "I8",
    "nobody wakes the pool for a deadline",
    { maxOpenConns: 2 },
    (patient) => {
      patient.fill();
      patient.core.tick(now(0));
      patient.waiter(0, 50);
    },
  ],
  [
    "I8",
    "somebody waits, there is room, and nothing is dialed",
    {},
    (patient) => {
      patient.fill();
      patient.core.tick(now(0));
      patient.waiter(0);
    },
  ],
  [
    "I9",
    "somebody waits for a closed pool",
    {},
    (patient) => {
      patient.close();
      patient.waiter(0);
    },
  ],
  [
    "I9",
    "a closed pool has a connection",
    {},
    (patient) => {
      patient.close();
      patient.slot("leased");
    },
  ],
  [
    "I10",
    "a counter goes back",
    {},
    ({ core }) => {
      core.lanes.main.counters.acquireCount = 0;
    },
  ],
  [
    "I10",
    "a connection was opened that is neither kept nor retired",
    {},
    ({ core }) => {
      core.counters.dialCount += 1;
    },
  ],
  [
    "I11",
    "more are dialed at once than may be",
    { maxDialing: 1 },
    (patient) => {
      patient.slot("connecting");
      patient.slot("connecting");
    },
  ],
  [
    "I13",
    "a bulkhead uses more than it may",
    {},
    ({ core, leased }) => {
      const lane = core.lanes.add("few", { ...core.lanes.main.limits, maxInUse: 0 });
      core.lanes.main.inUse -= 1;
      leased.lane = lane;
      lane.inUse += 1;
    },
  ],
  [
    "I13",
    "the reserve of a bulkhead is used by others",
    { maxOpenConns: 2 },
    (patient) => {
      const { core } = patient;
      core.lanes.add("sure", { ...core.lanes.main.limits, reserved: 1 });
      patient.audit.check(now(0));
      patient.fill();
    },
  ],
  [
    "I14",
    "somebody is served while the pool is suspended",
    {},
    ({ core, audit }) => {
      core.suspend();
      audit.check(now(0));
      core.lanes.main.counters.acquireCount += 1;
      core.suspend();
    },
  ],
  [
    "I15",
    "the pool does not wake when an idle connection is too old",
    { connMaxLifetimeMs: 1000 },
    ({ core }) => {
      Object.defineProperty(core, "wakeAtMs", { value: 2000 });
    },
  ],
  [
    "I12",
    "a connection's jitter changes",
    { connMaxLifetimeMs: 1000 },
    ({ idle }) => {
      let jitterRatio = 0;
      Object.defineProperty(idle, "jitterRatio", { get: () => (jitterRatio += 0.1) });
    },
  ],
];

test.each(WOUNDS)("the audit finds %s broken where %s", (invariant, _, options, wound) => {
  const patient = new Patient(options);
  patient.audit.check(now(0));
  wound(patient);
  expect(() => patient.audit.check(now(0))).toThrow(BugError);
  expect(() => patient.audit.check(now(0))).toThrow(`${invariant} is broken: `);
});

test("above a limit that was lowered, no more may be open or dialed than before", () => {
  const patient = new Patient({ maxOpenConns: 6, maxDialing: 2, maxIdleConns: 1 });
  patient.fill();
  patient.slot("connecting");
  patient.slot("connecting");
  patient.audit.check(now(0));
  patient.core.configure({ maxOpenConns: 1, maxDialing: 1 }, now(0));
  patient.audit.check(now(0));
  patient.slot("connecting");
  expect(() => patient.audit.check(now(0))).toThrow("I1 is broken");
});

test("a waiter may wait while places are taken by what is being closed", () => {
  const patient = new Patient({ maxOpenConns: 2 });
  patient.core.closeIdle(now(0));
  patient.core.release(patient.leased, 0, "discarded", now(0));
  const ignore = () => undefined;
  const { core } = patient;
  const waiter = new Waiter<string>(core.lanes.main, now(0), Infinity, ignore, ignore);
  core.enqueue(waiter, now(0));
  patient.audit.check(now(0));
  expect(patient.core.slots.closing.size).toBe(2);
});
