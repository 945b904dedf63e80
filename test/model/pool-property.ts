// The comparison of the core with the naive model, as a property of random sequences of events.

import assert from "node:assert/strict";
import fc from "fast-check";
import type { MonotonicMs } from "../../packages/forebay/src/base/clock.ts";
import type { PooledConn } from "../../packages/forebay/src/driver/driver.ts";
import { Audit } from "../../packages/forebay/src/pool/audit.ts";
import { PoolCore } from "../../packages/forebay/src/pool/core.ts";
import type { Lane } from "../../packages/forebay/src/pool/lanes.ts";
import { resolveOptions } from "../../packages/forebay/src/pool/option-checks.ts";
import { type Slot, type SlotKind, Waiter } from "../../packages/forebay/src/pool/state.ts";
import { type ModelConn, type ModelLog, PoolModel } from "./pool-model.ts";

const TIMEOUT_MS = 40;

/**
 * The real core, driven by hand: effects are noted, and carried out only when a command says so.
 */
class Real {
  readonly core: PoolCore<PooledConn, number>;
  readonly audit: Audit<PooledConn, number>;
  readonly slots = new Map<number, Slot<PooledConn>>();
  readonly waiters = new Map<number, Waiter<number>>();
  readonly log: ModelLog = [];
  readonly #ids = new Map<Waiter<number>, number>();

  constructor(model: PoolModel) {
    const { maxOpen, maxIdle, minIdle, maxDialing } = model.limits;
    const { limits } = resolveOptions(
      {
        maxOpenConns: maxOpen,
        maxIdleConns: maxIdle,
        maxDialing,
        connMaxLifetimeMs: Infinity,
        connMaxIdleTimeMs: Infinity,
      },
      "model",
    );
    this.core = new PoolCore({ ...limits, minIdleConns: minIdle }, { next: () => 0 });
    this.core.start(0 as MonotonicMs);
    this.audit = new Audit(this.core);
    this.noteEffects();
  }

  lane(name: string): Lane<number> {
    const { main } = this.core.lanes;
    return name === "" ? main : (this.core.lanes.find(name) ?? main);
  }

  acquire(id: number, name: string, nowMs: MonotonicMs): void {
    const lane = this.lane(name);
    const slot = this.core.acquireIdle(lane, nowMs);
    if (slot !== undefined) {
      this.log.push(`grant ${id} on ${slot.id}`);
      return;
    }
    const ignore = () => undefined;
    const waiter = new Waiter<number>(lane, nowMs, nowMs + TIMEOUT_MS, ignore, ignore);
    this.waiters.set(id, waiter);
    this.#ids.set(waiter, id);
    this.core.enqueue(waiter, nowMs);
  }

  noteEffects(): void {
    for (
      let effect = this.core.takeEffect();
      effect !== undefined;
      effect = this.core.takeEffect()
    ) {
      if (effect.kind === "dial") this.slots.set(effect.slot.id, effect.slot);
      if (effect.kind === "grant") {
        this.log.push(`grant ${this.#ids.get(effect.waiter)} on ${effect.slot.id}`);
      }
      if (effect.kind === "reject") {
        this.log.push(`${effect.why} ${this.#ids.get(effect.waiter)}`);
      }
    }
  }

  slot(id: number): Slot<PooledConn> {
    const slot = this.slots.get(id);
    if (slot === undefined) throw new Error(`the core never dialed ${id}`);
    return slot;
  }
}

type State = ModelConn["state"];

/** An event that needs a connection in a given state; `pick` chooses which. */
class ConnEvent implements fc.Command<PoolModel, Real> {
  readonly #name: string;
  readonly #state: readonly State[];
  readonly #pick: number;
  readonly #onModel: (model: PoolModel, conn: ModelConn) => void;
  readonly #onReal: (real: Real, slot: Slot<PooledConn>, nowMs: MonotonicMs) => void;

  constructor(
    name: string,
    state: readonly State[],
    pick: number,
    onModel: (model: PoolModel, conn: ModelConn) => void,
    onReal: (real: Real, slot: Slot<PooledConn>, nowMs: MonotonicMs) => void,
  ) {
    this.#name = name;
    this.#state = state;
    this.#pick = pick;
    this.#onModel = onModel;
    this.#onReal = onReal;
  }

  check(model: Readonly<PoolModel>): boolean {
    return this.#candidates(model).length > 0;
  }

  run(model: PoolModel, real: Real): void {
    const candidates = this.#candidates(model);
    const conn = candidates[this.#pick % candidates.length];
    if (conn === undefined) throw new Error("checked before");
    this.#onModel(model, conn);
    this.#onReal(real, real.slot(conn.id), model.nowMs as MonotonicMs);
    compare(model, real);
  }

  toString(): string {
    return `${this.#name}(${this.#pick})`;
  }

  #candidates(model: Readonly<PoolModel>): ModelConn[] {
    return model.conns.filter(({ state }) => this.#state.includes(state));
  }
}

/** An event of the pool as a whole. */
class PoolEvent implements fc.Command<PoolModel, Real> {
  readonly #name: string;
  readonly #run: (model: PoolModel, real: Real, nowMs: MonotonicMs) => void;
  readonly #check: (model: Readonly<PoolModel>) => boolean;

  constructor(
    name: string,
    run: (model: PoolModel, real: Real, nowMs: MonotonicMs) => void,
    check: (model: Readonly<PoolModel>) => boolean = () => true,
  ) {
    this.#name = name;
    this.#run = run;
    this.#check = check;
  }

  check(model: Readonly<PoolModel>): boolean {
    return this.#check(model);
  }

  run(model: PoolModel, real: Real): void {
    this.#run(model, real, model.nowMs as MonotonicMs);
    compare(model, real);
  }

  toString(): string {
    return this.#name;
  }
}

function compare(model: PoolModel, real: Real): void {
  real.noteEffects();
  real.audit.check(model.nowMs as MonotonicMs);
  const byState = (list: Iterable<Slot<PooledConn>>) =>
    [...list].map(({ id }) => id).toSorted((a, b) => a - b);
  const kinds: readonly Exclude<SlotKind, "closed">[] = [
    "connecting",
    "idle",
    "leased",
    "checking",
    "closing",
  ];
  for (const kind of kinds) {
    const expected = model.conns.filter(({ state }) => state === kind).map(({ id }) => id);
    assert.deepEqual(
      byState(real.core.slots[kind]),
      expected.toSorted((a, b) => a - b),
      kind,
    );
  }
  assert.deepEqual(
    [...real.core.slots.idle].map(({ id }) => id),
    model.idle,
    "idle, in order",
  );
  assert.deepEqual(real.log, model.log, "what became of acquires");
  assert.equal(real.core.lanes.size, model.waiters.length, "waiting");
  assert.equal(real.core.totals().waitCount, model.waitCount, "waitCount");
  assert.equal(real.core.totals().waitDurationMs, model.waitDurationMs, "waitDurationMs");
}

let acquireIdLast = 0;

const connEvent = (
  name: string,
  state: readonly State[],
  onModel: (model: PoolModel, conn: ModelConn) => void,
  onReal: (real: Real, slot: Slot<PooledConn>, nowMs: MonotonicMs) => void,
) => fc.nat(7).map((pick) => new ConnEvent(name, state, pick, onModel, onReal));

const giveBack = (condition: "fit" | "bad" | "discarded" | "check") =>
  connEvent(
    `release ${condition}`,
    ["leased"],
    (model, conn) => {
      if (condition === "fit") model.offer(conn);
      else conn.state = condition === "check" ? "checking" : "closing";
      model.serve();
    },
    (real, slot, nowMs) => real.core.release(slot, slot.generation, condition, nowMs),
  );

const NAMES = ["", "a", "b"] as const;

const acquire = fc.constantFrom(...NAMES).map(
  (name) =>
    new PoolEvent(
      `acquire ${name}`,
      (model, real, nowMs) => {
        acquireIdLast += 1;
        model.acquire(acquireIdLast, TIMEOUT_MS, model.shares.has(name) ? name : "");
        real.acquire(acquireIdLast, name, nowMs);
      },
      (model) => !model.closed,
    ),
);

const share = fc
  .record({
    name: fc.constantFrom("a", "b"),
    maxInUse: fc.constantFrom(1, 2, Infinity),
    reserved: fc.nat(2),
    priority: fc.integer({ min: -1, max: 1 }),
  })
  .map(({ name, ...drawn }) => {
    const limits = { ...drawn, maxInUse: Math.max(drawn.maxInUse, drawn.reserved, 1) };
    return new PoolEvent(
      `share ${name} ${JSON.stringify(limits)}`,
      (model, real, nowMs) => {
        model.setShare(name, limits);
        real.core.setBulkhead(name, { ...limits, maxWaiting: Infinity }, nowMs);
      },
      (model) => model.reservedBeside(name) + limits.reserved < model.limits.maxOpen,
    );
  });

const operator = (
  name: string,
  onModel: (model: PoolModel) => void,
  onReal: (core: PoolCore<PooledConn, number>, nowMs: MonotonicMs) => void,
) =>
  fc.constant(
    new PoolEvent(name, (model, real, nowMs) => {
      onModel(model);
      onReal(real.core, nowMs);
    }),
  );

const operators = [
  operator(
    "suspend",
    (model) => model.suspend(),
    (core) => core.suspend(),
  ),
  operator(
    "resume",
    (model) => model.resume(),
    (core, nowMs) => core.resume(nowMs),
  ),
  operator(
    "reset",
    (model) => model.reset(),
    (core, nowMs) => core.reset(nowMs),
  ),
  operator(
    "closeIdle",
    (model) => model.closeIdle(),
    (core, nowMs) => core.closeIdle(nowMs),
  ),
];

const abort = fc.nat(9).map(
  (pick) =>
    new PoolEvent(
      `abort(${pick})`,
      (model, real, nowMs) => {
        const { id } = model.waiters[pick % model.waiters.length] ?? { id: 0 };
        model.abort(id);
        const waiter = real.waiters.get(id);
        assert(waiter !== undefined && real.core.abort(waiter, nowMs), "who waits can give up");
      },
      (model) => model.waiters.length > 0,
    ),
);

const dialed = connEvent(
  "dialed",
  ["connecting"],
  (model, { id }) => model.dialed(id),
  (real, slot, nowMs) => real.core.dialed(slot, { close: () => undefined }, nowMs),
);

const dialFailed = connEvent(
  "dial failed",
  ["connecting"],
  (model, { id }) => model.dialFailed(id),
  (real, slot, nowMs) => real.core.dialFailed(slot, new Error("refused"), true, nowMs),
);

const lost = connEvent(
  "lost",
  ["connecting", "idle", "leased", "checking", "closing"],
  (model, { id }) => model.lose(id),
  (real, slot, nowMs) => real.core.lost(slot, new Error("lost"), nowMs),
);

const madeFit = connEvent(
  "made fit",
  ["checking"],
  (model, conn) => {
    model.offer(conn);
    model.dial();
  },
  (real, slot, nowMs) => real.core.checked(slot, "fit", nowMs),
);

const notMadeFit = connEvent(
  "not made fit",
  ["checking"],
  (model, conn) => {
    conn.state = "closing";
    model.dial();
  },
  (real, slot, nowMs) => real.core.checked(slot, "reset-failed", nowMs),
);

const gone = connEvent(
  "gone",
  ["closing"],
  (model, { id }) => model.gone(id),
  (real, slot, nowMs) => real.core.closed(slot, nowMs),
);

const limit = (name: "maxOpen" | "maxIdle" | "minIdle", least: number, most: number) =>
  fc.integer({ min: least, max: most }).map(
    (value) =>
      new PoolEvent(
        `${name} ${value}`,
        (model, real, nowMs) => {
          model.configure({ [name]: value });
          real.core.configure({ [`${name}Conns`]: value }, nowMs);
        },
        (model) => name !== "maxOpen" || value > model.reservedBeside(""),
      ),
  );

const advance = fc.integer({ min: 1, max: 60 }).map(
  (byMs) =>
    new PoolEvent(`advance ${byMs}`, (model, real) => {
      model.nowMs += byMs;
      model.tick();
      real.core.tick(model.nowMs as MonotonicMs);
    }),
);

/** Once in a while only, since little happens afterwards. */
const close = fc.nat(15).map(
  (chance) =>
    new PoolEvent(
      "close",
      (model, real, nowMs) => {
        model.close();
        real.core.drain(nowMs);
      },
      (model) => chance === 0 && !model.closed,
    ),
);

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

const commands = fc.commands(
  [
    ...times(8, acquire),
    ...times(6, dialed),
    ...times(6, giveBack("fit")),
    ...times(3, gone),
    ...times(2, advance),
    ...times(2, abort),
    giveBack("bad"),
    giveBack("discarded"),
    giveBack("check"),
    madeFit,
    notMadeFit,
    dialFailed,
    lost,
    limit("maxOpen", 1, 4),
    limit("maxIdle", 0, 4),
    limit("minIdle", 0, 2),
    ...times(2, share),
    ...operators,
    close,
  ],
  { maxCommands: 120, size: "max" },
);

/**
 * Throws fast-check's report when the core differs from the model, or breaks an invariant, in one
 * of `numRuns` lives.
 */
export function assertCoreMatchesModel(numRuns: number): void {
  const limits = fc.record({
    maxOpen: fc.integer({ min: 1, max: 4 }),
    maxIdle: fc.nat(4),
    minIdle: fc.nat(2),
    maxDialing: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(limits, commands, (drawn, run) => {
      acquireIdLast = 0;
      const model = new PoolModel({ ...drawn });
      const real = new Real(model);
      fc.modelRun(() => ({ model, real }), run);
    }),
    { numRuns },
  );
}
