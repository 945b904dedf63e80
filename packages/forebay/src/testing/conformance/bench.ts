// What one conformance case works with: connections that are closed after it, signals that know
// their listeners, and a bound on every wait. Cases say what must hold; how long they wait for it,
// and what is cleaned up, is decided here.

import type { Clock } from "../../base/clock.ts";
import type { Connector, DriverConn, DriverResult, DriverRows } from "../../driver/driver.ts";
import { trackedSignal } from "../tracked-signal.ts";
import type { DriverDialect } from "./dialect.ts";

/** What a driver did against the contract, in words. */
export class Breach extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "Breach";
  }
}

/** Ends a case that does not apply to this driver or dialect. */
export class Skip extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "Skip";
  }
}

/** Throws `Breach` unless `condition` holds. */
export function check(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Breach(otherwise);
}

/** Gives `value`, or ends the case as skipped when there is none. */
export function need<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Skip(otherwise);
  return value;
}

/** Ends the case as skipped unless there is something to try. */
export function skipUnless(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Skip(otherwise);
}

/** An error, or what else was thrown, in a few words. */
export function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `the value ${String(error)}`;
}

/** How a call ended. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** A connection of a case, and what its driver has told about it. */
export interface Session<C extends DriverConn = DriverConn> {
  readonly conn: C;
  /** The reasons that `onLost` was called with. */
  readonly lost: readonly unknown[];
  /** Resolves when `onLost` is called. */
  readonly whenLost: Promise<void>;
}

/** One row of a dialect's series, as far as it can be read. */
export function seriesOf(rows: readonly unknown[]): number[] {
  return rows.map((row) => Number((row as { readonly n?: unknown } | null)?.n));
}

/** How a bench is set up. */
export interface BenchOptions {
  readonly clock: Clock;
  /** How long one call may take, in milliseconds. */
  readonly callTimeoutMs: number;
  /** How often an abort is tried against the calls that follow it. */
  readonly abortRounds: number;
}

/** What a case is given. One bench for each run of a case. */
export class Bench<C extends DriverConn = DriverConn> {
  readonly connector: Connector<C>;
  readonly dialect: DriverDialect<C>;
  readonly clock: Clock;
  readonly callTimeoutMs: number;
  readonly abortRounds: number;
  /** Open sessions, and those that a case may have closed itself. */
  readonly #open = new Set<Session<C>>();
  /** Connects under way. */
  readonly #connecting = new Set<Promise<unknown>>();
  #admin: Session<C> | undefined;
  #isEnded = false;

  constructor(
    connector: Connector<C>,
    dialect: DriverDialect<C>,
    { clock, callTimeoutMs, abortRounds }: BenchOptions,
  ) {
    this.connector = connector;
    this.dialect = dialect;
    this.clock = clock;
    this.callTimeoutMs = callTimeoutMs;
    this.abortRounds = abortRounds;
  }

  /** A connection, which is closed at the end of the case. */
  connect(signal?: AbortSignal, connector: Connector<C> = this.connector): Promise<Session<C>> {
    return this.does("connect", () => this.dial(signal, connector));
  }

  /** As `connect`, without a bound, and with whatever the driver rejects with. */
  async dial(
    signal: AbortSignal = trackedSignal().signal,
    connector: Connector<C> = this.connector,
  ): Promise<Session<C>> {
    if (this.#isEnded) throw new Breach("the case had ended before");
    const lost: unknown[] = [];
    let tell = (): void => undefined;
    const whenLost = new Promise<void>((resolve) => {
      tell = resolve;
    });
    const dialing = connector.connect({
      signal,
      onLost: (reason) => {
        lost.push(reason);
        tell();
      },
    });
    this.#connecting.add(dialing);
    try {
      const session = { conn: await dialing, lost, whenLost };
      if (this.#isEnded) await session.conn.close();
      else this.#open.add(session);
      return session;
    } finally {
      this.#connecting.delete(dialing);
    }
  }

  /** Closes a session, which is then not closed again. */
  async close(session: Session<C>): Promise<void> {
    this.#open.delete(session);
    await this.does("close", async () => session.conn.close());
  }

  /** What a call gives; it must not fail. */
  async does<T>(what: string, call: () => Promise<T>): Promise<T> {
    const outcome = await this.outcome(what, call);
    if (outcome.ok) return outcome.value;
    if (outcome.error instanceof Breach || outcome.error instanceof Skip) throw outcome.error;
    throw new Breach(`${what} failed: ${describe(outcome.error)}`, outcome.error);
  }

  /** What a call rejects with; it must not succeed. */
  async rejects(what: string, call: () => Promise<unknown>): Promise<unknown> {
    const outcome = await this.outcome(what, call);
    check(!outcome.ok, `${what} succeeded, and should have been rejected`);
    return outcome.error;
  }

  /** How a call ends; it must end in time, and reject rather than throw. */
  async outcome<T>(what: string, call: () => Promise<T>): Promise<Outcome<T>> {
    let promise: Promise<T>;
    try {
      promise = call();
    } catch (error) {
      throw new Breach(`${what} threw, and did not reject: ${describe(error)}`, error);
    }
    const outcome = promise.then(
      (value): Outcome<T> => ({ ok: true, value }),
      (error: unknown): Outcome<T> => ({ ok: false, error }),
    );
    return this.inTime(what, outcome);
  }

  /** Waits for what must happen within the bound of one call. */
  inTime<T>(what: string, promise: Promise<T>): Promise<T> {
    return inTime(this.clock, this.callTimeoutMs, what, promise);
  }

  /** Lets some time pass, in which a driver may do what it should not. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.setTimer(delayMs, resolve);
    });
  }

  /** Lets input and output that waits be handled, `times` times. */
  async turns(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      await new Promise<void>((resolve) => {
        this.clock.afterIo(resolve);
      });
    }
  }

  /** The connection answers a statement, as it should. `when` says after what. */
  async answers({ conn }: Session<C>, when: string): Promise<void> {
    const what = `a query ${when}`;
    const { rows } = await this.does(what, () => conn.query(this.dialect.series(2), []));
    const got = seriesOf(rows).join();
    check(got === "1,2", `${what} gave the rows ${got}, and should have given 1,2`);
  }

  /** The connection answers a statement, or `isValid` says that it is of no use any more. */
  async answersOrIsInvalid(session: Session<C>, when: string): Promise<void> {
    const { conn } = session;
    if (conn.isValid?.() === false) return;
    try {
      await this.answers(session, when);
    } catch (error) {
      if (conn.isValid?.() !== false) throw error;
    }
  }

  /** Makes the table of the dialect, empty; it is dropped at the end of the case. */
  async makeTable(): Promise<void> {
    const { create, drop } = this.dialect.table;
    const { conn } = (this.#admin ??= await this.connect());
    await this.does("dropping the table", () => conn.query(drop, []));
    await this.does("creating the table", () => conn.query(create, []));
  }

  /** Inserts a row. */
  insert({ conn }: Session<C>, value: string): Promise<DriverResult> {
    return conn.query(this.dialect.table.insert, [value]);
  }

  /** How many rows of the table another connection sees. */
  async count(): Promise<number> {
    const { conn } = (this.#admin ??= await this.connect());
    const result = await this.does("counting the rows of the table", () =>
      conn.query(this.dialect.table.count, [], { rowMode: "array" }),
    );
    return Number((result.rows[0] as readonly unknown[] | undefined)?.[0]);
  }

  /** Reads rows to their end. */
  async readAll(what: string, rows: DriverRows): Promise<unknown[]> {
    const all: unknown[] = [];
    for (;;) {
      const batch = await this.does(what, () => rows.next());
      if (batch === undefined) return all;
      check(batch.length > 0, `${what} gave an empty portion, which is neither rows nor the end`);
      all.push(...batch);
    }
  }

  /** Waits until the server has `expected` connections; no effect when it cannot be asked. */
  async untilOpen(expected: number, when: string): Promise<void> {
    const { dialect } = this;
    const untilMs = this.clock.nowMs() + this.callTimeoutMs;
    for (;;) {
      const now = await this.openCount();
      if (now === undefined || now === expected) return;
      const what = `${when} the server has ${now} connections, and should have ${expected}`;
      check(this.clock.nowMs() < untilMs && dialect.openCount !== undefined, what);
      await this.pause(20);
    }
  }

  /** How many connections the server has; `undefined` when it cannot be asked. */
  async openCount(): Promise<number | undefined> {
    const { dialect } = this;
    if (dialect.openCount === undefined) return undefined;
    return this.does("the dialect's openCount", async () => dialect.openCount?.());
  }

  /** Closes what is open. Never rejects: how `close` works is for its own cases to find. */
  async cleanUp(): Promise<void> {
    this.#isEnded = true;
    const boundMs = Math.min(1000, this.callTimeoutMs);
    const attempt = async (what: string, call: () => Promise<unknown>): Promise<void> => {
      try {
        await inTime(this.clock, boundMs, what, call());
      } catch {
        // The case has said what there is to say.
      }
    };
    await attempt("connect", () => Promise.allSettled(this.#connecting));
    const admin = this.#admin;
    const others = [...this.#open].filter((session) => session !== admin);
    await Promise.all(others.map(({ conn }) => attempt("close", async () => conn.close())));
    if (admin === undefined) return;
    await attempt("drop", () => admin.conn.query(this.dialect.table.drop, []));
    await attempt("close", async () => admin.conn.close());
  }
}

/** Settles as `promise` does, or throws `Breach` when that takes longer than `boundMs`. */
export function inTime<T>(
  clock: Clock,
  boundMs: number,
  what: string,
  promise: Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(boundMs, () => {
      reject(new Breach(`${what} did not end within ${boundMs}ms`));
    });
    void promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
