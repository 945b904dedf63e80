// Random lives of a pool, for the properties that hold whatever happens: callers, operators and
// faults drawn from a seed, on the virtual clock. It acts and keeps account; it judges nothing.

import { type Random, randomBelow, seededRandom } from "../../packages/forebay/src/base/random.ts";
import type { Lease } from "../../packages/forebay/src/pool/lease.ts";
import type { PoolOptions } from "../../packages/forebay/src/pool/options.ts";
import { Pool } from "../../packages/forebay/src/pool/pool.ts";
import {
  type FakeCall,
  type FakeConn,
  FakeConnector,
  type FakeOutcome,
} from "../../packages/forebay/src/testing/fake-connector.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";

/** How long a caller waits, in restless lives. */
const PATIENCE_MS = 80;

/** One acquire, and what came of it. */
export interface Caller {
  readonly id: number;
  readonly controller: AbortController;
  /** How often its promise was settled. */
  settled: number;
  reason: unknown;
  lease: Lease<FakeConn> | undefined;
  /** Whether it had a lease and gave it back. */
  gaveBack: boolean;
}

/** What may go wrong in a life. */
export interface Faults {
  /** Whether dials fail, connections are lost, and sessions cannot be reset. */
  readonly broken: boolean;
  /** Whether callers give up and operators change limits. */
  readonly restless: boolean;
}

/** A pool with everything around it. */
export class Life {
  readonly random: Random;
  readonly clock: VirtualClock = new VirtualClock();
  readonly connector: FakeConnector;
  readonly pool: Pool<FakeConn>;
  readonly callers: Caller[] = [];
  /** The numbers of the callers, in the order in which they were served. */
  readonly served: number[] = [];
  /** The limits as they are now. */
  readonly limits = { maxOpenConns: 0, maxIdleConns: 0 };
  /** Whoever has each connection now, and what had two owners. */
  readonly owners = new Map<FakeConn, number>();
  readonly overlaps: string[] = [];
  /** What the driver was seen to do. */
  readonly seen = { dialed: 0, dialFailed: 0, closed: 0 };
  /** Called at each call of the driver, when it begins. */
  onDriverCall: (call: FakeCall, connId: number) => void = () => undefined;
  #faults: Faults;

  constructor(seed: number, faults: Faults, options: PoolOptions = {}) {
    this.random = seededRandom(seed);
    this.#faults = faults;
    this.limits.maxOpenConns = 1 + this.below(4);
    this.limits.maxIdleConns = this.below(this.limits.maxOpenConns + 1);
    const drawn: PoolOptions = {
      ...this.limits,
      maxDialing: 1 + this.below(3),
      acquireTimeoutMs: faults.restless ? PATIENCE_MS : Infinity,
      connMaxLifetimeMs: this.below(2) === 0 ? Infinity : 200,
      connMaxIdleTimeMs: this.below(2) === 0 ? Infinity : 60,
    };
    this.connector = new FakeConnector(this.clock, (call, connId) => this.#outcome(call, connId));
    const { connect } = this.connector;
    this.connector.connect = async (how) => {
      try {
        const conn = await connect.call(this.connector, how);
        this.seen.dialed += 1;
        return conn;
      } catch (error) {
        this.seen.dialFailed += 1;
        throw error;
      }
    };
    this.pool = new Pool(this.connector, {
      ...drawn,
      ...options,
      clock: this.clock,
      random: seededRandom(seed + 1),
    });
  }

  /** A number from 0 to below `limit`. */
  below(limit: number): number {
    return randomBelow(this.random, limit);
  }

  /** Callers that were served and have not given back. */
  holders(): Caller[] {
    return this.callers.filter(({ lease, gaveBack }) => lease !== undefined && !gaveBack);
  }

  /** Callers whose promise is pending. */
  waiting(): Caller[] {
    return this.callers.filter(({ settled }) => settled === 0);
  }

  /** One thing that somebody does, and sometimes time that passes. */
  async step(): Promise<void> {
    const { restless, broken } = this.#faults;
    const acts: (() => void)[] = [
      () => this.acquire(),
      () => this.acquire(),
      () => this.acquire(),
      () => this.giveBack(),
      () => this.giveBack(),
    ];
    if (restless)
      acts.push(
        () => this.#abort(),
        () => this.#configure(),
      );
    if (broken) acts.push(() => this.#lose());
    acts[this.below(acts.length)]?.();
    await this.clock.settle();
    if (this.below(2) === 0) await this.clock.advance(this.below(40));
  }

  /** A caller comes. */
  acquire(): Caller {
    const controller = new AbortController();
    const caller: Caller = {
      id: this.callers.length,
      controller,
      settled: 0,
      reason: undefined,
      lease: undefined,
      gaveBack: false,
    };
    this.callers.push(caller);
    this.pool.acquire({ signal: controller.signal }).then(
      (lease) => {
        caller.settled += 1;
        caller.lease = lease;
        this.served.push(caller.id);
        const { conn } = lease;
        const owner = this.owners.get(conn);
        if (owner !== undefined) this.overlaps.push(`${conn.id}: ${owner} and ${caller.id}`);
        this.owners.set(conn, caller.id);
      },
      (reason: unknown) => {
        caller.settled += 1;
        caller.reason = reason;
      },
    );
    return caller;
  }

  /** Somebody gives back, if anybody holds. */
  giveBack(): void {
    const holders = this.holders();
    const holder = holders[this.below(Math.max(1, holders.length))];
    if (holder?.lease === undefined) return;
    holder.gaveBack = true;
    this.owners.delete(holder.lease.conn);
    if (this.#faults.broken && this.below(6) === 0) holder.lease.discard();
    else holder.lease.release();
  }

  /** No faults any more, all is given back, and time passes until nothing happens. */
  async quiet(): Promise<void> {
    this.#faults = { broken: false, restless: false };
    // Of those who wait only as many are served at a time as the limit lets.
    for (let round = 0; round < 60; round++) {
      while (this.holders().length > 0) this.giveBack();
      await this.clock.advance(200);
    }
  }

  #abort(): void {
    const waiting = this.waiting();
    waiting[this.below(Math.max(1, waiting.length))]?.controller.abort("enough");
  }

  #configure(): void {
    if (this.below(2) === 0) {
      this.limits.maxIdleConns = this.below(5);
      this.pool.setMaxIdleConns(this.limits.maxIdleConns);
    } else {
      this.limits.maxOpenConns = 1 + this.below(4);
      this.pool.setMaxOpenConns(this.limits.maxOpenConns);
    }
  }

  #lose(): void {
    const inUse = this.holders();
    inUse[this.below(Math.max(1, inUse.length))]?.lease?.conn.lose(new Error("lost"));
  }

  #outcome(call: FakeCall, connId: number): FakeOutcome {
    this.onDriverCall(call, connId);
    if (call === "close") this.seen.closed += 1;
    const { broken } = this.#faults;
    const fails = broken && this.below(6) === 0;
    if (call === "connect") {
      return fails ? { fail: new Error("refused"), afterMs: 5 } : { afterMs: this.below(30) };
    }
    if (call === "isValid") return fails ? { fail: false } : "ok";
    if (call === "resetSession") {
      if (fails) return { fail: new Error("cannot reset"), afterMs: 5 };
      return this.below(3) === 0 ? { afterMs: this.below(15) } : "ok";
    }
    return call === "close" ? { afterMs: this.below(20) } : "ok";
  }
}

/** How many lives a property is looked at in, and how long each is. */
const LIVES = 25;
const STEPS = 100;

/** Lives lives from seeds that follow one another; `look` is called after each step. */
export async function manyLives(
  faults: Faults,
  options: PoolOptions,
  begin: (life: Life) => {
    readonly look?: () => void;
    readonly end?: () => void | Promise<void>;
  },
): Promise<void> {
  for (let seed = 1; seed <= LIVES; seed++) {
    const life = new Life(seed, faults, options);
    const { look, end } = begin(life);
    for (let step = 0; step < STEPS; step++) {
      await life.step();
      look?.();
    }
    await life.quiet();
    await end?.();
    const closed = life.pool.close();
    await life.clock.advance(1000);
    await closed;
  }
}
