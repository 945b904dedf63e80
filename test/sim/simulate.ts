// One simulated life, drawn from a seed: a connector and hooks that fail in every way there is,
// under callers that do everything callers do. The same seed gives the same life. What must hold is
// in judge.ts.

import { AsyncResource } from "node:async_hooks";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import type { BulkheadLimits } from "../../packages/forebay/src/pool/lanes.ts";
import { coreOf } from "../../packages/forebay/src/pool/pool.ts";
import { FakeConnector } from "../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";
import { ABORTED, type Caller } from "./caller.ts";
import { HookFaults } from "./hooks.ts";
import { Life } from "./life.ts";
import {
  Dice,
  drawChange,
  drawPlan,
  drawShare,
  faultScript,
  healthyScript,
  type Plan,
} from "./plan.ts";
import { Trace } from "./trace.ts";

/** What a simulated life came to. */
export interface Outcome {
  readonly seed: number;
  /** What happened, line by line. */
  readonly trace: readonly string[];
  /** What went wrong; `undefined` when nothing did. */
  readonly violation: Error | undefined;
}

/** Lives one life. Never throws; what goes wrong is in the outcome. */
export async function simulate(seed: number): Promise<Outcome> {
  const simulation = new Simulation(seed);
  try {
    await simulation.live();
    return { seed, trace: simulation.trace, violation: undefined };
  } catch (error) {
    const violation = error instanceof Error ? error : new Error(String(error));
    return { seed, trace: simulation.trace, violation };
  }
}

const NAMES = ["checkout", "reports", "search"];

class Simulation {
  readonly #trace: Trace;
  readonly #dice: Dice;
  readonly #plan: Plan;
  readonly #faults: HookFaults;
  readonly #life: Life;
  /** Calls from within the context of somebody who held a connection once. */
  readonly #echoes: (() => void)[] = [];
  /** The bulkhead that was changed last; empty for none. */
  #changedLast = "";

  constructor(seed: number) {
    const dice = new Dice(seededRandom(seed));
    const plan = drawPlan(dice);
    this.#dice = dice;
    this.#plan = plan;
    const clock = new VirtualClock();
    const trace = new Trace(clock);
    this.#trace = trace;
    trace.note(`pool ${JSON.stringify(plan.options)} hooks ${plan.hooks.join(" ")}`);
    trace.note(`faults ${JSON.stringify(plan.faults)}`);
    this.#faults = new HookFaults(plan, dice, clock, trace);
    this.#life = new Life({
      setting: plan,
      clock,
      trace,
      connector: new FakeConnector(clock, faultScript(plan, dice)),
      act: (name) => this.#faults.act(name),
      seed: seed + 1,
    });
  }

  get trace(): readonly string[] {
    return this.#trace.lines;
  }

  async live(): Promise<void> {
    for (let step = 0; step < this.#plan.steps; step++) {
      this.#act();
      await this.#life.clock.settle();
      this.#life.judge.verify();
      if (this.#plan.stalls && this.#dice.oneIn(12)) {
        await this.#life.stall(this.#dice.pick(5, 40, 1500, 20_000));
      }
      if (this.#dice.oneIn(3)) await this.#life.pass(this.#dice.below(this.#plan.pauseMsMax));
    }
    // Some end in the middle of everything.
    if (!this.#dice.oneIn(5)) await this.#recover();
    this.#close();
    await this.#life.pass(1000);
    this.#life.assertOver();
  }

  // ---- What callers and operators do ----

  #act(): void {
    const dice = this.#dice;
    const life = this.#life;
    const actions: readonly (readonly [number, () => void])[] = [
      [10, () => this.#acquire(this.#anyBulkhead(), false)],
      [2, () => life.tryAcquire(this.#anyBulkhead())],
      [3, () => this.#use(this.#anyBulkhead())],
      [8, () => this.#withHolder((caller) => life.giveBack(caller, "release"))],
      [1, () => this.#withHolder((caller) => life.giveBack(caller, "discard"))],
      [1, () => this.#withHolder((caller) => life.giveBackTwice(caller))],
      [1, () => dice.anyOf(this.#echoes)?.()],
      [3, () => this.#abort()],
      [2, () => this.#loseOne()],
      [2, () => life.configure(drawChange(dice, life.judge.reservedBeside("")))],
      [2, () => this.#bulkhead()],
      [1, () => life.warmUp(dice.below(Math.min(coreOf(life.pool).maxIdle, 5) + 1))],
      [1, () => life.closeIdle()],
      [dice.below(2), () => life.reset()],
      [1, () => (dice.oneIn(2) ? life.suspend() : life.resume())],
      [this.#plan.mayClose ? 1 : 0, () => this.#close()],
    ];
    let draw = dice.below(actions.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, act] of actions) {
      if (draw < weight) {
        act();
        return;
      }
      draw -= weight;
    }
  }

  #anyBulkhead(): string {
    // The one that was changed last is where something is most likely to go wrong.
    if (this.#dice.oneIn(2)) return this.#changedLast;
    return this.#dice.anyOf([...this.#life.judge.shares.keys()]) ?? "";
  }

  #acquire(bulkhead: string, isInner: boolean): void {
    this.#life.acquire({ bulkhead, isInner, isAbortable: this.#dice.oneIn(2) });
  }

  /** Somebody works with a connection, and may ask for a second. */
  #use(bulkhead: string): void {
    this.#life.use({ bulkhead, isAbortable: this.#dice.oneIn(2) }, (caller) => {
      if (this.#dice.oneIn(3)) this.#acquire(this.#anyBulkhead(), true);
      else if (this.#dice.oneIn(2)) {
        // Something that the work has left running: nested as long as the work goes on.
        this.#echoes.push(
          AsyncResource.bind(() => this.#acquire(this.#anyBulkhead(), caller.held !== undefined)),
        );
      }
    });
  }

  #abort(): void {
    const life = this.#life;
    const warmUp = this.#dice.oneIn(4) ? this.#dice.anyOf([...life.warmUps]) : undefined;
    if (warmUp !== undefined) {
      life.note("a warm-up is given up");
      warmUp.controller.abort(ABORTED);
      return;
    }
    const { waiting } = life;
    const caller = this.#dice.anyOf(waiting.length > 0 ? waiting : life.judge.callers);
    if (caller !== undefined) life.abort(caller);
  }

  #loseOne(): void {
    const conn = this.#dice.anyOf([...this.#life.connector.open]);
    if (conn !== undefined) this.#life.lose(conn);
  }

  #bulkhead(): void {
    const name = this.#dice.anyOf(NAMES.slice(0, this.#plan.bulkheadsMax));
    if (name === undefined) return;
    const { limitNow } = this.#life.judge;
    const left = limitNow - 1 - this.#life.judge.reservedBeside(name);
    const limits: BulkheadLimits = drawShare(this.#dice, left);
    this.#changedLast = name;
    this.#life.limit(name, limits);
  }

  #close(): void {
    if (this.#life.judge.closing !== undefined) return;
    this.#life.close(this.#dice.pick(0, 5, 50));
  }

  // ---- The end ----

  /**
   * The server and the hooks are well again, and all give back what they have: whoever waits must
   * now be served.
   */
  async #recover(): Promise<void> {
    const life = this.#life;
    life.note("the server is well again, and all connections come back");
    life.connector.script = healthyScript;
    life.connector.mayRetry = true;
    this.#faults.isWell = true;
    life.judge.isSuspended = false;
    life.pool.resume();
    await life.clock.settle();
    // As many as these want may not be idle any more.
    const { maxIdle } = coreOf(life.pool);
    for (const { count, controller } of life.warmUps) {
      if (count > maxIdle) controller.abort(ABORTED);
    }
    for (let round = 0; round < 600 && !this.#isAtRest(); round++) {
      for (const caller of life.judge.present) {
        if (caller.held === undefined) continue;
        life.giveBack(caller, "release");
        await life.clock.settle();
      }
      await life.pass(50);
    }
    const ids = life.waiting.map((caller) => caller.id).join();
    life.hold(ids === "", `O12 callers ${ids} wait for ever`);
    life.hold(life.warmUps.size === 0, "O16 every warm-up ends");
    life.hold(this.#isAtRest(), "O12 all is given back, and minIdleConns are idle");
  }

  #isAtRest(): boolean {
    const { judge, pool, warmUps, waiting, holders } = this.#life;
    if (warmUps.size > 0 || waiting.length > 0 || holders.length > 0) return false;
    const stats = pool.stats();
    const isFilled = judge.closing !== undefined || stats.idle >= coreOf(pool).minIdle;
    return stats.inUse === 0 && isFilled;
  }

  #withHolder(act: (caller: Caller) => void): void {
    const caller = this.#dice.anyOf(this.#life.holders);
    if (caller !== undefined) act(caller);
  }
}
