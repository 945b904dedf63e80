// A database for tests of the SQL layer: it does what it is told, call by call, keeps a log, and
// checks from its side that the rules of the driver contract are kept.

import { getEventListeners } from "node:events";
import { expect } from "vitest";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import type {
  Column,
  Connector,
  DriverConn,
  DriverResult,
  DriverRows,
  DriverStmt,
  OperationOptions,
  TxOptions,
} from "../../packages/forebay/src/driver/driver.ts";
import type { PoolOptions } from "../../packages/forebay/src/pool/options.ts";
import { type DB, openDB } from "../../packages/forebay/src/sql/db.ts";
import { VirtualClock } from "../../packages/forebay/src/testing/virtual-clock.ts";

/** A call of the driver that can be told to fail or to hang. */
export type DriverCall =
  | "connect"
  | "query"
  | "stream"
  | "next"
  | "rows.close"
  | "prepare"
  | "stmt.query"
  | "stmt.stream"
  | "stmt.close"
  | "begin"
  | "commit"
  | "rollback"
  | "ping"
  | "reset";

/** A call that hangs until it is released, its signal is aborted, or its connection closed. */
export interface Hang {
  /** Resolves when the call has begun. */
  readonly reached: Promise<void>;
  release(): void;
}

interface Order {
  readonly error?: unknown;
  /** Whether the connection is of no use after the error. */
  readonly dead?: boolean;
  readonly hang?: { reach(): void; readonly released: Promise<void> };
}

const COLUMNS: readonly Column[] = [{ name: "n", type: "int4" }];

/** The database, and the connector to it. */
export class FakeDatabase implements Connector<FakeDbConn> {
  readonly name = "fake";
  /** Every call that was begun: `2 query SELECT 1` is a query on the second connection. */
  readonly log: string[] = [];
  /** Rules of the contract that were broken. */
  readonly violations: string[] = [];
  readonly conns: FakeDbConn[] = [];
  /** What every statement answers. */
  answer: (sql: string, args: readonly unknown[]) => Partial<DriverResult> = () => ({});
  /** What every stream gives. */
  batches: readonly (readonly unknown[])[] = [[{ n: 1 }, { n: 2 }], [{ n: 3 }]];
  /** Whether connections can end an open transaction when they are given back. */
  canReset = true;
  /** Whether connections can be pinged. */
  canPing = true;
  readonly #orders = new Map<DriverCall, Order[]>();

  /** How many connections are open. */
  get openCount(): number {
    return this.conns.filter((conn) => !conn.isClosed).length;
  }

  /** Lets the next call of this kind fail; `dead`: and the connection be of no use from then on. */
  failNext(call: DriverCall, error: unknown, dead: "alive" | "dead" = "alive"): void {
    this.#order(call, { error, dead: dead === "dead" });
  }

  /**
   * Lets the next call of this kind hang, and fail with `error`, if there is one, when it is
   * released.
   */
  hangNext(call: DriverCall, error?: unknown): Hang {
    let reach = (): void => undefined;
    let release = (): void => undefined;
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#order(call, { error, hang: { reach, released } });
    return { reached, release };
  }

  /** The log without the numbers of the connections. */
  get calls(): string[] {
    return this.log.map((line) => line.replace(/^\d+ /, ""));
  }

  /** The order that the next call of this kind has to follow, if there is one. */
  takeOrder(call: DriverCall): Order | undefined {
    return this.#orders.get(call)?.shift();
  }

  async connect(): Promise<FakeDbConn> {
    const order = this.takeOrder("connect");
    if (order?.hang !== undefined) {
      order.hang.reach();
      await order.hang.released;
    }
    if (order?.error !== undefined) throw order.error;
    const conn = new FakeDbConn(this, this.conns.length + 1);
    this.conns.push(conn);
    return conn;
  }

  #order(call: DriverCall, order: Order): void {
    const orders = this.#orders.get(call) ?? [];
    orders.push(order);
    this.#orders.set(call, orders);
  }
}

/** A connection to a `FakeDatabase`. */
export class FakeDbConn implements DriverConn {
  readonly database: FakeDatabase;
  readonly id: number;
  readonly ping?: (options?: OperationOptions) => Promise<void>;
  isClosed = false;
  isDead = false;
  isInTx = false;
  /** Prepared and not closed. */
  readonly prepared = new Set<string>();
  /** Rows that were opened and have not ended. */
  openRows: FakeRows | undefined;
  #running: string | undefined;
  #onClose: (() => void)[] = [];

  constructor(database: FakeDatabase, id: number) {
    this.database = database;
    this.id = id;
    if (database.canPing) {
      this.ping = async (options) => this.perform("ping", "", options, () => undefined);
    }
  }

  query(sql: string, args: readonly unknown[], options?: OperationOptions): Promise<DriverResult> {
    return this.perform("query", sql, options, () => this.result(sql, args));
  }

  stream(sql: string, _args: readonly unknown[], options?: OperationOptions): Promise<DriverRows> {
    return this.perform("stream", sql, options, () => new FakeRows(this, options));
  }

  prepare(sql: string, options?: OperationOptions): Promise<DriverStmt> {
    return this.perform("prepare", sql, options, () => {
      this.prepared.add(sql);
      return new FakeStmt(this, sql);
    });
  }

  begin(tx: TxOptions, options?: OperationOptions): Promise<void> {
    const how = [tx.isolation, tx.readOnly === true ? "read only" : undefined];
    return this.perform("begin", how.filter(Boolean).join(" "), options, () => {
      if (this.isInTx) this.violate("begin in a transaction");
      this.isInTx = true;
    });
  }

  commit(options?: OperationOptions): Promise<void> {
    return this.perform("commit", "", options, () => {
      if (!this.isInTx) this.violate("commit without a transaction");
      this.isInTx = false;
    });
  }

  rollback(options?: OperationOptions): Promise<void> {
    return this.perform("rollback", "", options, () => {
      this.isInTx = false;
    });
  }

  isValid(): boolean {
    if (this.isClosed) this.violate("isValid after close");
    return !this.isDead;
  }

  resetSession(): Promise<void> | undefined {
    if (this.isClosed) this.violate("resetSession after close");
    if (this.openRows !== undefined) this.violate("given back with open rows");
    if (!this.isInTx) return undefined;
    if (!this.database.canReset) this.violate("given back in a transaction");
    return this.perform("reset", "", undefined, () => {
      this.isInTx = false;
    });
  }

  close(): void {
    if (this.isClosed) this.violate("close twice");
    this.isClosed = true;
    for (const onClose of this.#onClose) onClose();
  }

  /** What a statement gives. */
  result(sql: string, args: readonly unknown[]): DriverResult {
    const answer = this.database.answer(sql, args);
    return { columns: COLUMNS, rows: [{ n: 1 }], rowsAffected: 1, command: "SELECT", ...answer };
  }

  violate(what: string): never {
    this.database.violations.push(`${this.id}: ${what}`);
    throw new Error(`driver contract broken on connection ${this.id}: ${what}`);
  }

  /** Carries out one call: logs it, checks the rules, follows the order for it. */
  async perform<T>(
    call: DriverCall,
    detail: string,
    options: OperationOptions | undefined,
    answer: () => T,
  ): Promise<T> {
    const line = detail === "" ? call : `${call} ${detail}`;
    this.database.log.push(`${this.id} ${line}`);
    if (this.isClosed) this.violate(`${line} after close`);
    if (this.#running !== undefined) this.violate(`${line} during ${this.#running}`);
    if (this.openRows !== undefined && call !== "next" && call !== "rows.close") {
      this.violate(`${line} while rows are open`);
    }
    this.#running = line;
    try {
      await this.#follow(this.database.takeOrder(call), options?.signal);
      return answer();
    } finally {
      this.#running = undefined;
    }
  }

  async #follow(order: Order | undefined, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { hang } = order ?? {};
    if (hang !== undefined) {
      hang.reach();
      await new Promise<void>((resolve, reject) => {
        const onAbort = () => reject(signal?.reason);
        signal?.addEventListener("abort", onAbort, { once: true });
        const onClose = () => reject(new Error("the connection was closed"));
        this.#onClose.push(onClose);
        void hang.released.then(resolve).finally(() => {
          signal?.removeEventListener("abort", onAbort);
        });
      });
    } else {
      await Promise.resolve();
    }
    if (order?.dead === true) this.isDead = true;
    if (order?.error !== undefined) throw order.error;
  }
}

class FakeStmt implements DriverStmt {
  readonly #conn: FakeDbConn;
  readonly #sql: string;
  #isClosed = false;

  constructor(conn: FakeDbConn, sql: string) {
    this.#conn = conn;
    this.#sql = sql;
  }

  query(args: readonly unknown[], options?: OperationOptions): Promise<DriverResult> {
    const conn = this.#conn;
    return conn.perform("stmt.query", this.#sql, options, () => {
      this.#assertOpen();
      return conn.result(this.#sql, args);
    });
  }

  stream(_args: readonly unknown[], options?: OperationOptions): Promise<DriverRows> {
    return this.#conn.perform("stmt.stream", this.#sql, options, () => {
      this.#assertOpen();
      return new FakeRows(this.#conn, options);
    });
  }

  close(): Promise<void> {
    return this.#conn.perform("stmt.close", this.#sql, undefined, () => {
      this.#assertOpen();
      this.#isClosed = true;
      this.#conn.prepared.delete(this.#sql);
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) this.#conn.violate("use of a closed statement");
  }
}

class FakeRows implements DriverRows {
  readonly columns = COLUMNS;
  readonly #conn: FakeDbConn;
  readonly #options: OperationOptions | undefined;
  readonly #batches: (readonly unknown[])[];
  readonly #count: number;

  constructor(conn: FakeDbConn, options: OperationOptions | undefined) {
    this.#conn = conn;
    this.#options = options;
    this.#batches = [...conn.database.batches];
    this.#count = this.#batches.flat().length;
    conn.openRows = this;
  }

  get rowsAffected(): number {
    return this.#isOpen ? 0 : this.#count;
  }

  async next(): Promise<unknown[] | undefined> {
    if (!this.#isOpen) return undefined;
    try {
      const batch = await this.#conn.perform("next", "", this.#options, () =>
        this.#batches.shift(),
      );
      if (batch === undefined) this.#end();
      return batch === undefined ? undefined : [...batch];
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    try {
      await this.#conn.perform("rows.close", "", undefined, () => undefined);
    } finally {
      this.#end();
    }
  }

  get #isOpen(): boolean {
    return this.#conn.openRows === this;
  }

  #end(): void {
    this.#conn.openRows = undefined;
  }
}

/** A `DB` over a fake database, on a virtual clock. */
export interface SqlBench {
  readonly db: DB<FakeDbConn>;
  readonly database: FakeDatabase;
  readonly clock: VirtualClock;
  /** Connections in somebody's hands. */
  leased(): number;
  /** A signal, whose listeners are all to be gone in the end. */
  abortable(): AbortController;
  /**
   * Checks that nothing is held and no rule was broken, closes the `DB`, and checks that nothing is
   * left.
   */
  done(): Promise<void>;
}

/** Makes a `DB` of at most two connections, unless `options` say otherwise. */
export function sqlBench(options: PoolOptions = {}): SqlBench {
  const clock = new VirtualClock();
  const database = new FakeDatabase();
  const controllers: AbortController[] = [];
  const db = openDB(database, { maxOpenConns: 2, clock, random: seededRandom(1), ...options });
  return {
    db,
    database,
    clock,
    leased: () => db.stats().pool.leased,
    abortable: () => {
      const controller = new AbortController();
      controllers.push(controller);
      return controller;
    },
    done: async () => {
      await clock.settle();
      expect(db.stats().pool).toMatchObject({ leased: 0, waiting: 0, checking: 0 });
      await db.close();
      expect(database.violations).toEqual([]);
      expect(database.openCount).toBe(0);
      expect(clock.pendingTimerCount).toBe(0);
      const listeners = controllers.flatMap(({ signal }) => getEventListeners(signal, "abort"));
      expect(listeners).toEqual([]);
    },
  };
}

/** What a promise rejects with. Fails when it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection");
}

/**
 * A promise's outcome, for one that is not awaited at once: its rejection is handled from now on.
 */
export function outcome(promise: Promise<unknown>): Promise<{ value?: unknown; error?: unknown }> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}
