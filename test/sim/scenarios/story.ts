// A life that is written by hand: a pool under many callers, over minutes of virtual time, with a
// definite end. What must hold of every life is judged at each moment at which something happens.

import type { PoolOptions } from "../../../packages/forebay/src/pool/options.ts";
import { FakeConnector } from "../../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../../packages/forebay/src/testing/virtual-clock.ts";
import type { Caller } from "../caller.ts";
import type { HookAct, HookName } from "../hooks.ts";
import { type Call, Life } from "../life.ts";
import { Trace } from "../trace.ts";
import { type Behaviours, Server } from "./server.ts";

/** What a story begins with. */
export interface StorySetting {
  readonly options?: PoolOptions;
  /** What the hooks do; those that are left out are not there. */
  readonly hooks?: Partial<Record<HookName, HookAct>>;
  /** What the server does from the beginning. By default it is well. */
  readonly server?: Behaviours;
  /** Whether the event loop is going to stand still. */
  readonly stalls?: boolean;
  /** Whether the connector says that a failed dial may be tried again. By default it does. */
  readonly mayRetry?: boolean;
  /** Whether connections that cannot be closed are left at the server in the end. */
  readonly leavesRemains?: boolean;
  /** A connector of its own. */
  readonly connector?: FakeConnector;
}

/** Callers who come one after the other, whatever becomes of those before. */
export interface Stream extends Call {
  readonly everyMs: number;
  readonly count: number;
  readonly holdMs: number;
}

/** How many lines of the trace an error shows. */
const LINES_SHOWN = 25;

/** A hand-written life. The pool has its defaults, but for what the setting says. */
export class Story extends Life {
  readonly server: Server;
  readonly #lines: readonly string[];

  constructor(setting: StorySetting = {}) {
    const { options = {}, hooks = {} } = setting;
    const { stalls = false, mayRetry = true, leavesRemains = false } = setting;
    const connector = setting.connector ?? new FakeConnector(new VirtualClock());
    const clock = connector.clock as VirtualClock;
    const server = new Server(clock, setting.server);
    connector.script = server.script;
    const trace = new Trace(clock);
    super({
      setting: {
        // The judge reckons with limits of time, so they are spelled out.
        options: {
          name: "test",
          dialTimeoutMs: 15_000,
          resetTimeoutMs: 5000,
          pingTimeoutMs: 2000,
          hookTimeoutMs: 5000,
          closeTimeoutMs: 15_000,
          ...options,
        },
        hooks: Object.keys(hooks) as HookName[],
        stalls,
        mayRetry,
        leavesRemains,
      },
      clock,
      trace,
      connector,
      act: (name, conn) => hooks[name]?.(name, conn),
      seed: 1,
    });
    this.server = server;
    this.#lines = trace.lines;
  }

  // ---- Callers ----

  /** Somebody acquires, and gives back `holdMs` after he was served. */
  visit(holdMs: number, call: Call = {}): Caller {
    const onSettled = (caller: Caller): void => {
      call.onSettled?.(caller);
      if (caller.held !== undefined) this.clock.setTimer(holdMs, () => this.giveBack(caller));
    };
    return this.acquire({ ...call, onSettled });
  }

  /** So many visit at once. */
  crowd(count: number, holdMs: number, call: Call = {}): Caller[] {
    return Array.from({ length: count }, () => this.visit(holdMs, call));
  }

  /** So many visit, the first at once. The array fills as they come. */
  stream({ everyMs, count, holdMs, ...call }: Stream): Caller[] {
    const callers: Caller[] = [];
    const next = (): void => {
      callers.push(this.visit(holdMs, call));
      if (callers.length < count) this.clock.setTimer(everyMs, next);
    };
    next();
    return callers;
  }

  /**
   * So many come again as soon as they have given back, and 1 ms after they were turned away, until
   * `untilMs` on the clock. The array fills with their visits.
   */
  workers(count: number, holdMs: number, untilMs: number): Caller[] {
    const callers: Caller[] = [];
    const come = (): void => {
      if (this.clock.nowMs() >= untilMs) return;
      const onSettled = (caller: Caller): void => {
        this.clock.setTimer(caller.held === undefined ? 1 : holdMs, () => {
          this.giveBack(caller);
          come();
        });
      };
      callers.push(this.acquire({ onSettled }));
    };
    for (let worker = 0; worker < count; worker++) come();
    return callers;
  }

  // ---- Time ----

  override async pass(forMs: number): Promise<void> {
    try {
      await super.pass(forMs);
    } catch (error) {
      const lines = this.#lines.slice(-LINES_SHOWN).join("\n");
      throw new Error(`${String(error)}\n${lines}`, { cause: error });
    }
  }

  /** Lets time pass until then. */
  async passUntil(atMs: number): Promise<void> {
    await this.pass(atMs - this.clock.nowMs());
  }

  /** Ends the story, in which nobody waits or holds anything any more. Nothing may be left. */
  async finish(): Promise<void> {
    this.hold(this.waiting.length === 0, "nobody waits when a story ends");
    this.hold(this.holders.length === 0, "nobody holds anything when a story ends");
    this.close(0);
    await this.pass(100);
    this.assertOver();
  }

  // ---- How it stands ----

  /** How many connections were retired, by reason, without those of none. */
  get closedBy(): Record<string, number> {
    const counts = Object.entries(this.pool.stats().pool.closedBy);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  /** Connections that the server has, numbered in the order of their dials. */
  get openIds(): number[] {
    return [...this.connector.open].map(({ id }) => id).toSorted((a, b) => a - b);
  }
}

/** How many of these callers were served, wait, or were turned away, by code. */
export function tally(callers: readonly Caller[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { settled, code, error } of callers) {
    const what = settled === "granted" ? "served" : settled === undefined ? "waiting" : code;
    const name = what === "" ? String(error) : what;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** How long each of those who were served has waited, in order of arrival. */
export function waitsMs(callers: readonly Caller[]): number[] {
  const served = callers.filter(({ settled }) => settled === "granted");
  return served.map(({ beganAtMs, settledAtMs = NaN }) => rounded(settledAtMs - beganAtMs));
}

/** The longest wait of those who were served. */
export function longestWaitMs(callers: readonly Caller[]): number {
  return Math.max(...waitsMs(callers));
}

/** When each of them was served or turned away, in order of arrival. */
export function settledAtMs(callers: readonly Caller[]): number[] {
  return callers.map(({ settledAtMs = NaN }) => rounded(settledAtMs));
}

/** Without what sums of fractions leave behind. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
