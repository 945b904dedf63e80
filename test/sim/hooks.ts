// Hooks that see to it that they are called as is promised, and those of random lives, which
// refuse, throw, hang and take their time.

import type { OperationOptions, PooledConn } from "../../packages/forebay/src/driver/driver.ts";
import type { PoolHooks } from "../../packages/forebay/src/pool/hooks.ts";
import { FakeConn } from "../../packages/forebay/src/testing/fake-connector.ts";
import type { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";
import type { Dice, Plan } from "./plan.ts";
import type { Trace } from "./trace.ts";

/** The name of a hook. */
export type HookName = keyof PoolHooks;

/** What a hook does when it is called; there is a connection in all but `beforeConnect`. */
export type HookAct = (name: HookName, conn: PooledConn | undefined) => unknown;

/** The hooks of one life. */
export class WatchedHooks {
  /** How often beforeAcquire was called. */
  acquireCalls = 0;
  /** Calls of beforeConnect under way: dials that the server does not know of yet. */
  beforeConnects = 0;
  readonly #names: readonly HookName[];
  readonly #act: HookAct;
  readonly #clock: VirtualClock;
  readonly #hold: (condition: boolean, what: string) => void;
  readonly #refused = new WeakSet<PooledConn>();
  readonly #busy = new WeakMap<PooledConn, HookName>();

  constructor(
    names: readonly HookName[],
    act: HookAct,
    clock: VirtualClock,
    hold: (condition: boolean, what: string) => void,
  ) {
    this.#names = names;
    this.#act = act;
    this.#clock = clock;
    this.#hold = hold;
  }

  /** Whether acquires end in a hook. */
  get guardAcquires(): boolean {
    return this.#names.includes("beforeAcquire");
  }

  /** Whether a hook would not have the connection used again. */
  hasRefused(conn: PooledConn): boolean {
    return this.#refused.has(conn);
  }

  /** Whether a hook is busy with the connection. */
  isBusyWith(conn: PooledConn): boolean {
    return this.#busy.has(conn);
  }

  /** Those that there are. */
  asOptions(): PoolHooks {
    const all: PoolHooks = {
      beforeConnect: (options) => this.#beforeConnect(options),
      afterConnect: (conn, options) => this.#onConn("afterConnect", conn, options),
      beforeAcquire: (conn, options) => {
        this.acquireCalls += 1;
        return this.#onConn("beforeAcquire", conn, options);
      },
      afterRelease: (conn, options) => this.#onConn("afterRelease", conn, options),
      beforeClose: (conn, options) => this.#onConn("beforeClose", conn, options),
    };
    return Object.fromEntries(this.#names.map((name) => [name, all[name]]));
  }

  async #beforeConnect({ signal }: OperationOptions): Promise<unknown> {
    this.beforeConnects += 1;
    let isOver = false;
    const over = (): void => {
      if (!isOver) this.beforeConnects -= 1;
      isOver = true;
    };
    // A pool that has given up the dial does not wait for its hook.
    signal?.addEventListener("abort", over, { once: true });
    try {
      return await this.#act("beforeConnect", undefined);
    } finally {
      over();
    }
  }

  #onConn(name: HookName, conn: PooledConn, { signal }: OperationOptions): unknown {
    const isLast = name === "beforeClose";
    // Only close takes a connection away from whoever holds it.
    const isFree = conn instanceof FakeConn && conn.owner === undefined;
    this.#hold(isFree || isLast, `O17 ${name}: it is free`);
    this.#hold(isLast || !this.#busy.has(conn), `O17 ${name}: one hook at a time`);
    this.#hold(isLast || !this.hasRefused(conn), `O17 ${name}: none is asked again`);
    const free = (): void => {
      if (this.#busy.get(conn) === name) this.#busy.delete(conn);
    };
    const refuse = (): void => {
      if (!isLast) this.#refused.add(conn);
    };
    this.#busy.set(conn, name);
    signal?.addEventListener("abort", () => {
      refuse();
      free();
    });
    const ended = (value: unknown): unknown => {
      free();
      if (conn instanceof FakeConn) conn.aliveAtMs = this.#clock.nowMs();
      if (value === false && (name === "beforeAcquire" || name === "afterRelease")) refuse();
      return value;
    };
    const failed = (error: unknown): never => {
      free();
      refuse();
      throw error;
    };
    try {
      const result = this.#act(name, conn);
      return result instanceof Promise ? result.then(ended, failed) : ended(result);
    } catch (error) {
      return failed(error);
    }
  }
}

/** The hooks of a random life, which fail as its plan says. */
export class HookFaults {
  /** Once true, every hook is well. */
  isWell = false;
  readonly #plan: Plan;
  readonly #dice: Dice;
  readonly #clock: VirtualClock;
  readonly #trace: Trace;

  constructor(plan: Plan, dice: Dice, clock: VirtualClock, trace: Trace) {
    this.#plan = plan;
    this.#dice = dice;
    this.#clock = clock;
    this.#trace = trace;
  }

  /** What a hook does when it is called. */
  act(name: HookName): unknown {
    const { faults, slowMsMax } = this.#plan;
    const dice = this.#dice;
    if (this.isWell) return undefined;
    const error = new Error(`${name} fails`);
    if (dice.happens(faults.hookHangs)) {
      this.#trace.note(`${name} hangs`);
      return new Promise(() => undefined);
    }
    const fails = dice.happens(faults.hookFails);
    const result = dice.happens(faults.hookRefuses) ? false : undefined;
    if (fails || result === false) this.#trace.note(`${name} ${fails ? "fails" : "says no"}`);
    if (!dice.happens(faults.hookSlow)) {
      if (fails) throw error;
      return result;
    }
    return new Promise((resolve, reject) => {
      this.#clock.setTimer(dice.upTo(slowMsMax), () => {
        if (fails) reject(error);
        else resolve(result);
      });
    });
  }
}
