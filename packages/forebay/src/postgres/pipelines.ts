// Many callers on few connections: their statements are sent one behind the other, and none waits
// for another's answer. Only for statements that stand alone; what needs a session of its own goes
// to the pool as ever. ARCHITECTURE.md has the states and the invariants.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { UsageError } from "../base/errors.ts";
import { type Linked, LinkedList } from "../base/linked-list.ts";
import type { DriverResult, StatementOptions } from "../driver/driver.ts";
import { isBadConn } from "../driver/errors.ts";
import { PoolError } from "../pool/errors.ts";
import type { Lease } from "../pool/lease.ts";
import { coreOf, isDueBack, type Pool, waiterCount } from "../pool/pool.ts";
import { SteadyClock } from "../pool/steady-clock.ts";
import { fitArgs } from "../sql/args.ts";
import { doneOf, firstRowOf } from "../sql/runner.ts";
import type { ExecResult } from "../sql/types.ts";
import type { Channel } from "./wire/channel.ts";
import { type Ask, type Ending, type ResultCall, WHOLE_RESULT } from "./wire/call.ts";
import { channelOf, type PgConnection, statementsOf } from "./wire/connection.ts";
import type { Request } from "./wire/request.ts";
import type { Statements } from "./wire/statements.ts";
import { changesSession } from "./wire/session-dirt.ts";
import { hasSeveralStatements, isPreparable } from "./wire/sql-text.ts";

/** How statements of many callers share connections. */
export interface PipeliningOptions {
  /**
   * How many statements may be under way on one connection; one more waits, for acquireTimeoutMs at
   * most. A whole number from 1.
   * @defaultValue 64
   */
  readonly depth?: number | undefined;
  /**
   * How many of the pool's connections may be shared at once. They are the pool's: who waits for
   * one of his own gets it as soon as the statements on it are answered. A whole number from 1.
   * @defaultValue maxOpenConns
   */
  readonly maxConns?: number | undefined;
  /**
   * A statement that takes longer than this keeps those behind it waiting: from then on its text
   * gets a connection of its own, for 10 seconds, and twice as long each further time. In
   * milliseconds, above 0. @defaultValue 50
   */
  readonly slowMs?: number | undefined;
}

const DEPTH = 64;
const SLOW_MS = 50;
/** How often it is looked how long the first of each pipeline has been under way. */
const LOOK_MS = 10;
/** So many texts are remembered; then all are forgotten, and learnt again. */
const TEXTS_MAX = 4096;
/**
 * So long a text counts as slow that has proved so once. It may have been the server that stood
 * still for a moment, so it gets another chance; each time that it proves slow again, after twice as
 * long.
 */
const SLOW_FOR_MS = 10_000;
/** A call of which nothing was sent is made again so often, as on any other connection. */
const RETRIES = 2;

/** A text that has proved slow. */
interface SlowText {
  readonly untilMs: number;
  readonly forMs: number;
}

/** One connection that several callers share. */
interface Pipeline {
  readonly lease: Lease<PgConnection>;
  readonly conn: PgConnection;
  readonly channel: Channel;
  readonly statements: Statements;
  /** It takes no more statements, and is given back when those on it are answered. */
  isDraining: boolean;
  /** The first of those under way at the last look, and how often it has been that. */
  head: Request | undefined;
  headLooks: number;
}

/** A call that waits for room. */
interface WaitingCall extends Linked<WaitingCall> {
  readonly sendOn: (pipeline: Pipeline) => void;
  readonly reject: (error: unknown) => void;
  readonly beganAtMs: number;
  readonly timeoutMs: number;
}

/** The shared connections of one `PostgresDB`. */
export class Pipelines {
  readonly #pool: Pool<PgConnection>;
  readonly #clock: Clock;
  /** For those who wait: a stall of the event loop is not their patience. */
  readonly #time: SteadyClock;
  readonly #depth: number;
  readonly #maxConns: () => number;
  readonly #slowLooks: number;
  readonly #open: Pipeline[] = [];
  /** In order of arrival. */
  readonly #waiting: LinkedList<WaitingCall> = new LinkedList();
  /** Whether a text may be sent with others; absent where that has not been asked. */
  #texts = new Map<string, boolean | SlowText>();
  /** Acquires under way. */
  #opening = 0;
  #sweepIsDue = false;
  #timer: Timer | undefined;

  /** Throws `OPTION_INVALID`. */
  constructor(pool: Pool<PgConnection>, clock: Clock, options: PipeliningOptions) {
    this.#pool = pool;
    this.#clock = clock;
    this.#time = new SteadyClock(clock, () => {});
    this.#depth = checkCount("depth", options.depth ?? DEPTH);
    const { maxConns } = options;
    if (maxConns !== undefined) checkCount("maxConns", maxConns);
    this.#maxConns = () => Math.min(maxConns ?? Infinity, coreOf(pool).limits.maxOpenConns);
    const slowMs = options.slowMs ?? SLOW_MS;
    if (!(slowMs > 0)) throw invalid("slowMs must be above 0; Infinity turns it off");
    this.#slowLooks = Math.ceil(slowMs / LOOK_MS);
  }

  /**
   * Whether a text is for this: a query or a change of rows that stands alone, and is not known to
   * be slow.
   */
  takes(sql: string): boolean {
    const known = this.#texts.get(sql);
    if (typeof known === "boolean") return known;
    if (known !== undefined) return this.#clock.nowMs() >= known.untilMs;
    const isTaken = isPreparable(sql) && !hasSeveralStatements(sql) && !changesSession(sql);
    this.#note(sql, isTaken);
    return isTaken;
  }

  /**
   * Runs a statement on a connection that others use too; rejects as `DB.query` does. An aborted
   * one that is under way is passed over, and runs to its end unless it is alone.
   */
  run(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    return this.#run({ sql, args, options, ending: this.#whole, tries: 0 });
  }

  /** As `run`, for the first row. Rejects with `NoRowsError` where there is none. */
  runForRow(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<unknown> {
    return this.#run({ sql, args, options, ending: this.#firstRow, tries: 0 });
  }

  /** As `run`, for what was done. */
  runForCount(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<ExecResult> {
    return this.#run({ sql, args, options, ending: this.#count, tries: 0 });
  }

  #run<T>(ask: Ask<T>): Promise<T> {
    const signal = ask.options?.signal;
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const pipeline = this.#pick();
    return pipeline === undefined ? this.#wait(ask) : send(pipeline, ask);
  }

  /** A call of which nothing was sent is made again. */
  readonly #retry = <T>(call: ResultCall<T>): Promise<T> | undefined => {
    const { ask } = call;
    if (ask.tries >= RETRIES || !isBadConn(call.error)) return undefined;
    return this.#run({ ...ask, tries: ask.tries + 1 });
  };

  readonly #whole: Ending<DriverResult> = { ...WHOLE_RESULT, recover: this.#retry };

  readonly #firstRow: Ending<unknown> = {
    finish: firstRowOf,
    recover: this.#retry,
  };

  readonly #count: Ending<ExecResult> = {
    finish: doneOf,
    recover: this.#retry,
  };

  /** The pipeline for the next statement; `undefined` when none has room. */
  #pick(): Pipeline | undefined {
    let best: Pipeline | undefined;
    let fewest = this.#depth;
    for (const pipeline of this.#open) {
      const { pending } = pipeline.channel.session;
      if (pending >= fewest || !isOpen(pipeline)) continue;
      best = pipeline;
      fewest = pending;
    }
    if (fewest === 0 || this.#opening > 0) return best;
    return this.#grow() ?? best;
  }

  /** One more pipeline, at once where a connection is idle; else it is acquired. */
  #grow(): Pipeline | undefined {
    if (this.#open.length >= this.#maxConns()) return undefined;
    const lease = this.#pool.tryAcquire();
    if (lease !== undefined) return this.#begin(lease);
    if (this.#open.length === 0 || waiterCount(this.#pool) === 0) void this.#acquire();
    return undefined;
  }

  async #acquire(): Promise<void> {
    this.#opening += 1;
    try {
      this.#begin(await this.#pool.acquire());
    } catch (error) {
      // Whoever waits was waiting for this, if there is nothing else.
      if (this.#open.length === 0) this.#rejectAll(error);
    } finally {
      this.#opening -= 1;
      this.#serve();
    }
  }

  #begin(lease: Lease<PgConnection>): Pipeline {
    const { conn } = lease;
    const channel = channelOf(conn);
    const pipeline: Pipeline = {
      lease,
      conn,
      channel,
      statements: statementsOf(conn),
      isDraining: false,
      head: undefined,
      headLooks: 0,
    };
    channel.isShared = true;
    channel.onProgress = () => this.#onProgress(pipeline);
    this.#open.push(pipeline);
    this.#sweepSoon();
    this.#look();
    return pipeline;
  }

  /** Gives a pipeline back on which nothing is under way. */
  #end(pipeline: Pipeline): void {
    const { channel } = pipeline;
    channel.isShared = false;
    channel.onProgress = undefined;
    this.#open.splice(this.#open.indexOf(pipeline), 1);
    pipeline.lease.release();
  }

  /** Something has been answered, or the connection is lost. */
  #onProgress(pipeline: Pipeline): void {
    this.#giveWay();
    if (pipeline.channel.session.pending === 0) this.#sweepSoon();
    if (this.#waiting.size > 0) this.#serve();
  }

  /** Where somebody waits for a connection of his own, one pipeline is on its way to him. */
  #giveWay(): void {
    if (waiterCount(this.#pool) <= this.#opening) return;
    if (this.#open.some(({ isDraining }) => isDraining)) return;
    const [first] = this.#open;
    if (first !== undefined) first.isDraining = true;
  }

  /** At the end of this turn, when all who got an answer have had their say. */
  #sweepSoon(): void {
    if (this.#sweepIsDue) return;
    this.#sweepIsDue = true;
    this.#clock.afterIo(() => {
      this.#sweepIsDue = false;
      const isOver = ({ channel }: Pipeline) => channel.session.pending === 0;
      for (const pipeline of this.#open.filter(isOver)) this.#end(pipeline);
      this.#serve();
    });
  }

  // ---- Waiting ----

  #wait<T>(ask: Ask<T>): Promise<T> {
    const signal = ask.options?.signal;
    return new Promise<T>((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.remove(call);
        if (signal !== undefined) removeAbortListener(signal, onAbort);
      };
      const onAbort = (): void => {
        settle();
        reject(signal?.reason);
      };
      const call: WaitingCall = {
        sendOn: (pipeline) => {
          settle();
          resolve(send(pipeline, ask));
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        beganAtMs: this.#time.nowMs(),
        timeoutMs: coreOf(this.#pool).limits.acquireTimeoutMs,
        list: undefined,
        previous: undefined,
        next: undefined,
      };
      if (signal !== undefined) addAbortListener(signal, onAbort);
      this.#waiting.append(call);
      this.#look();
    });
  }

  /** Sends what waits, as far as there is room. */
  #serve(): void {
    for (let { head } = this.#waiting; head !== undefined; { head } = this.#waiting) {
      const pipeline = this.#pick();
      if (pipeline === undefined) return;
      head.sendOn(pipeline);
    }
  }

  #rejectAll(error: unknown): void {
    for (const call of this.#waiting) call.reject(error);
  }

  /** Who gets no room gives up when he would give up waiting for a connection. */
  #expire(): void {
    // Where there is no connection, the acquire under way says when to give up, and why.
    if (this.#open.length === 0) return;
    const nowMs = this.#time.nowMs();
    for (const call of this.#waiting) {
      const waitedMs = nowMs - call.beganAtMs;
      if (waitedMs < call.timeoutMs) return;
      call.reject(this.#timeoutError(waitedMs));
    }
  }

  #timeoutError(waitedMs: number): PoolError {
    const oldest = coreOf(this.#pool).slots.leased.head;
    return new PoolError("POOL_TIMEOUT", {
      phase: "wait",
      waitedMs,
      stats: this.#pool.stats(),
      oldestLeaseMs: oldest === undefined ? undefined : this.#clock.nowMs() - oldest.leasedAtMs,
      lastDialError: undefined,
      isHopeless: false,
      bulkhead: "",
    });
  }

  // ---- From time to time ----

  #look(): void {
    if (this.#timer !== undefined) return;
    if (this.#open.length === 0 && this.#waiting.size === 0) return;
    this.#time.expectBy(this.#time.nowMs() + LOOK_MS);
    this.#timer = this.#clock.setTimer(LOOK_MS, () => {
      this.#timer = undefined;
      // Behind the answers that have come in meanwhile.
      if (this.#waiting.size > 0) this.#clock.afterIo(() => this.#expire());
      for (const pipeline of this.#open) this.#lookAt(pipeline);
      this.#giveWay();
      this.#serve();
      this.#look();
    });
  }

  #lookAt(pipeline: Pipeline): void {
    const { head } = pipeline.channel.session;
    pipeline.headLooks = head !== undefined && head === pipeline.head ? pipeline.headLooks + 1 : 0;
    pipeline.head = head;
    if (pipeline.headLooks === this.#slowLooks && head?.sql !== undefined) {
      this.#noteSlow(head.sql);
    }
    if (isDueBack(this.#pool, pipeline.lease)) pipeline.isDraining = true;
  }

  #noteSlow(sql: string): void {
    const known = this.#texts.get(sql);
    const forMs = typeof known === "object" ? 2 * known.forMs : SLOW_FOR_MS;
    this.#note(sql, { untilMs: this.#clock.nowMs() + forMs, forMs });
  }

  #note(sql: string, known: boolean | SlowText): void {
    if (this.#texts.size >= TEXTS_MAX) this.#texts = new Map();
    this.#texts.set(sql, known);
  }
}

/**
 * Sends a statement. The channel's gate is passed: an open pipeline is usable, has nothing that
 * must settle first, and never rows that are still being read.
 */
function send<T>({ conn, statements }: Pipeline, ask: Ask<T>): Promise<T> {
  let args: readonly unknown[];
  try {
    args = fitArgs(ask.args, conn);
  } catch (error) {
    return Promise.reject(error);
  }
  return statements.query(args === ask.args ? ask : { ...ask, args });
}

/** Whether it takes one more. One whose first statement has not moved for a while does not. */
function isOpen({ isDraining, headLooks, channel }: Pipeline): boolean {
  return !isDraining && headLooks < 2 && channel.isUsable && channel.unsettled === undefined;
}

function checkCount(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw invalid(`${name} must be a whole number from 1`);
}

function invalid(reason: string): UsageError {
  return new UsageError("OPTION_INVALID", `pipelining: ${reason}`);
}
