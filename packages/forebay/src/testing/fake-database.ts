// A database for tests of code that uses the SQL layer: it does what it is told, call by call,
// keeps a log, and checks from its side that the rules of the driver contract are kept.

import { ForebayError } from "../base/errors.ts";
import type {
  Column,
  ConnectOptions,
  Connector,
  DriverConn,
  DriverResult,
  DriverRows,
  DriverStmt,
  OperationOptions,
  TxOptions,
} from "../driver/driver.ts";

/** A call of the driver that can be told to fail or to hang. */
export type DriverCall =
  | "connect"
  | "query"
  | "stream"
  | "next"
  | "nextResultSet"
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
  /** Lets the call go on. No effect on a second call, or when the call has ended already. */
  release(): void;
}

/** What the next call of a kind has to do. */
interface Order {
  readonly error?: unknown;
  /** Whether the connection is of no use after the error. */
  readonly dead?: boolean;
  readonly hang?: { reach(): void; readonly released: Promise<void> };
}

/** What may be called while rows are open. */
const OF_ROWS: ReadonlySet<DriverCall> = new Set(["next", "nextResultSet", "rows.close"]);

const COLUMNS: readonly Column[] = [{ name: "n", type: "int4" }];

/**
 * A database in memory, and the connector to it, for tests of code that uses a `DB`. Every
 * statement succeeds with one row unless `answer` says otherwise; `failNext` and `hangNext` script
 * the next call of a kind. Nothing takes time: a call ends in a later microtask, unless it hangs.
 *
 * Its connections check that the rules of the driver contract are kept, and note in `violations`
 * what was broken: a call during another, a call after close, a connection given back with open
 * rows. A test of a layer above the driver ends by looking that there are none.
 *
 * @example
 * ```ts
 * import { openDB } from "forebay";
 * import { FakeDatabase } from "forebay/testing";
 *
 * const database = new FakeDatabase();
 * database.answer = (sql) => ({ rows: sql.startsWith("SELECT") ? [{ id: 7 }] : [] });
 * const db = openDB(database);
 * const hang = database.hangNext("query");
 * const query = db.queryRow<{ id: number }>("SELECT id FROM users");
 * await hang.reached;
 * hang.release();
 * console.log((await query).id, database.log); // 7 [ '1 query SELECT id FROM users' ]
 * await db.close();
 * ```
 */
export class FakeDatabase implements Connector<FakeDbConn> {
  /** The connector's name in messages. */
  readonly name = "fake";
  /** Every call that was begun: `2 query SELECT 1` is a query on the second connection. */
  readonly log: string[] = [];
  /** Rules of the contract that were broken. Empty at the end of a good test. */
  readonly violations: string[] = [];
  /** Every connection that was ever made, in order. */
  readonly conns: FakeDbConn[] = [];
  /** What every statement answers, beyond one row `{ n: 1 }`. */
  answer: (sql: string, args: readonly unknown[]) => Partial<DriverResult> = () => ({});
  /** What every stream gives, a batch at a time. */
  batches: readonly (readonly unknown[])[] = [[{ n: 1 }, { n: 2 }], [{ n: 3 }]];
  /** What every stream gives after that: further results, each in batches. */
  moreResults: readonly (readonly (readonly unknown[])[])[] = [];
  /** Whether streams know of further results at all. */
  hasResultSets = true;
  /** Whether connections take `NamedArg`s. */
  takesNamedArgs = false;
  /** `DriverConn.checkArg` of the connections that are made from now on. */
  checkArg: ((value: unknown, index: number) => unknown) | undefined;
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

  /**
   * The order that the next call of this kind has to follow, if there is one. For the database's
   * own connections.
   */
  takeOrder(call: DriverCall): Order | undefined {
    return this.#orders.get(call)?.shift();
  }

  /** As `Connector.connect`. */
  async connect(options?: Partial<ConnectOptions>): Promise<FakeDbConn> {
    const order = this.takeOrder("connect");
    if (order?.hang !== undefined) await hangUntil(order.hang, options?.signal, () => {});
    if (order?.error !== undefined) throw order.error;
    const conn = new FakeDbConn(this, this.conns.length + 1, options?.onLost);
    this.conns.push(conn);
    return conn;
  }

  #order(call: DriverCall, order: Order): void {
    const orders = this.#orders.get(call) ?? [];
    orders.push(order);
    this.#orders.set(call, orders);
  }
}

/** A connection to a `FakeDatabase`, which makes it. */
export class FakeDbConn implements DriverConn {
  readonly database: FakeDatabase;
  /** Its number, from 1, in the order of making; the log begins its lines with it. */
  readonly id: number;
  /** There if the database's `canPing` was true when the connection was made. */
  readonly ping?: (options?: OperationOptions) => Promise<void>;
  /** The database's, as of when the connection was made. */
  readonly checkArg?: (value: unknown, index: number) => unknown;
  /** As `checkArg`. */
  readonly takesNamedArgs: boolean;
  /** Whether `close` has been called. */
  isClosed = false;
  /** Whether it is of no use any more: `isValid` says so when it is given back. */
  isDead = false;
  /** Whether a transaction is open. */
  isInTx = false;
  /** Prepared and not closed. */
  readonly prepared: Set<string> = new Set();
  /** Of these, what the server does not know any more: `isValid` of the statement says so. */
  readonly forgotten: Set<string> = new Set();
  /** Rows that were opened and have not ended. */
  openRows: DriverRows | undefined;
  readonly #onLost: ((reason: unknown) => void) | undefined;
  #running: string | undefined;
  #onClose: (() => void)[] = [];

  /** For `FakeDatabase.connect`. */
  constructor(database: FakeDatabase, id: number, onLost?: (reason: unknown) => void) {
    this.database = database;
    this.id = id;
    this.#onLost = onLost;
    this.takesNamedArgs = database.takesNamedArgs;
    if (database.checkArg !== undefined) this.checkArg = database.checkArg;
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

  async commit(options?: OperationOptions): Promise<void> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    try {
      await this.perform("commit", "", options, () => {
        if (!this.isInTx) this.violate("commit without a transaction");
        this.isInTx = false;
      });
    } catch (error) {
      if (signal?.aborted !== true || error !== signal.reason) throw error;
      const message = "the commit was sent, and no answer came";
      const details = { retryable: false, cause: error };
      throw new ForebayError("operating", "OUTCOME_UNKNOWN", message, details);
    }
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

  /** Ends the connection from the server's side, and tells the pool. */
  lose(reason: unknown): void {
    if (this.isClosed || this.isDead) return;
    this.isDead = true;
    this.#onLost?.(reason);
  }

  /** What a statement gives. */
  result(sql: string, args: readonly unknown[]): DriverResult {
    const answer = this.database.answer(sql, args);
    return { columns: COLUMNS, rows: [{ n: 1 }], rowsAffected: 1, command: "SELECT", ...answer };
  }

  /** Notes a rule that was broken, and throws. */
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
    if (this.openRows !== undefined && !OF_ROWS.has(call)) {
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
    if (hang === undefined) await Promise.resolve();
    else await hangUntil(hang, signal, (onClose) => this.#onClose.push(onClose));
    if (order?.dead === true) this.isDead = true;
    if (order?.error !== undefined) throw order.error;
  }
}

/**
 * Reports that the call has begun; resolves when it is released, rejects when it is aborted or its
 * connection closed.
 */
function hangUntil(
  hang: NonNullable<Order["hang"]>,
  signal: AbortSignal | undefined,
  whenClosed: (onClose: () => void) => void,
): Promise<void> {
  hang.reach();
  return new Promise<void>((resolve, reject) => {
    const end = (settle: () => void): void => {
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = (): void => end(() => reject(signal?.reason));
    signal?.addEventListener("abort", onAbort, { once: true });
    whenClosed(() => end(() => reject(new Error("the connection was closed"))));
    void hang.released.then(() => end(resolve));
  });
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

  isValid(): boolean {
    return !this.#conn.forgotten.has(this.#sql);
  }

  close(): Promise<void> {
    return this.#conn.perform("stmt.close", this.#sql, undefined, () => {
      this.#assertOpen();
      this.#isClosed = true;
      this.#conn.prepared.delete(this.#sql);
      this.#conn.forgotten.delete(this.#sql);
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) this.#conn.violate("use of a closed statement");
  }
}

class FakeRows implements DriverRows {
  readonly columns = COLUMNS;
  readonly nextResultSet?: () => Promise<boolean>;
  readonly #conn: FakeDbConn;
  readonly #options: OperationOptions | undefined;
  /** What is left of the present result, and the results behind it. */
  #batches: (readonly unknown[])[];
  readonly #more: (readonly (readonly unknown[])[])[];
  #count: number;
  #isAtEnd = false;

  constructor(conn: FakeDbConn, options: OperationOptions | undefined) {
    this.#conn = conn;
    this.#options = options;
    this.#batches = [...conn.database.batches];
    this.#more = [...conn.database.moreResults];
    this.#count = this.#batches.flat().length;
    conn.openRows = this;
    if (conn.database.hasResultSets) this.nextResultSet = () => this.#goToNext();
  }

  get rowsAffected(): number {
    return this.#isAtEnd ? this.#count : 0;
  }

  get hasNextResultSet(): boolean {
    return this.#isOpen && this.#more.length > 0;
  }

  async next(): Promise<unknown[] | undefined> {
    if (!this.#isOpen || this.#isAtEnd) return undefined;
    const batch = await this.#perform("next", () => this.#batches.shift());
    if (batch !== undefined) return [...batch];
    this.#isAtEnd = true;
    if (this.#more.length === 0) this.#end();
    return undefined;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    try {
      await this.#conn.perform("rows.close", "", undefined, () => undefined);
    } finally {
      this.#end();
    }
  }

  async #goToNext(): Promise<boolean> {
    if (!this.#isOpen) return false;
    const batches = await this.#perform("nextResultSet", () => this.#more.shift());
    if (batches === undefined) {
      this.#end();
      return false;
    }
    this.#batches = [...batches];
    this.#count = this.#batches.flat().length;
    this.#isAtEnd = false;
    return true;
  }

  async #perform<T>(call: "next" | "nextResultSet", answer: () => T): Promise<T> {
    try {
      return await this.#conn.perform(call, "", this.#options, answer);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  get #isOpen(): boolean {
    return this.#conn.openRows === this;
  }

  #end(): void {
    this.#conn.openRows = undefined;
  }
}
