// A small driver that keeps the contract, on a `FakeDatabase`, which watches how it is called. It
// has a table, transactions that an error spoils, and a clock for deadlines alone: what is slow
// never ends. Tests break it one rule at a time.

import { ForebayError } from "../../../packages/forebay/src/base/errors.ts";
import type {
  Column,
  ConnectOptions,
  Connector,
  DriverConn,
  DriverResult,
  DriverRows,
  DriverStmt,
  ExecOptions,
  OperationOptions,
  RowMode,
  StatementOptions,
  TxOptions,
} from "../../../packages/forebay/src/driver/driver.ts";
import { isNamedArg } from "../../../packages/forebay/src/driver/args.ts";
import type {
  Capability,
  CopyData,
  PipelinedStatement,
} from "../../../packages/forebay/src/driver/capabilities.ts";
import { BadConnError } from "../../../packages/forebay/src/driver/errors.ts";
import {
  type DriverCall,
  type DriverDialect,
  FakeDatabase,
  type FakeDbConn,
  type Hang,
  trackedSignal,
  VirtualClock,
} from "../../../packages/forebay/src/testing/index.ts";

/** The statements of the toy. */
export const TOY_DIALECT: DriverDialect<ToyConn> = {
  series: (count) => `SERIES ${count}`,
  echo: "ECHO ?",
  failing: "FAIL",
  slow: "SLOW",
  table: { create: "CREATE", insert: "INSERT ?", count: "COUNT", drop: "DROP" },
  isolationLevels: ["read committed", "serializable"],
  isolation: "ISOLATION",
  readOnly: true,
  deferrable: false,
  errorsSpoilTx: true,
  failingMidway: "MIDWAY",
  several: (statements) => statements.join("; "),
  echoNamed: "ECHO @value",
  copy: { sql: "COPY", data: "one\nzw\u00f6lf\n", rows: 2 },
  notify: (channel, payload) => `NOTIFY ${channel} ${payload}`,
};

/** What the toy can be told by the tests, beyond its statements. */
export function toyDialect(toy: Toy): DriverDialect<ToyConn> {
  return {
    ...TOY_DIALECT,
    kill: (conn) => conn.kill(),
    openCount: () => toy.database.openCount - toy.uncounted,
    silent: { name: "silent toy", connect: (options) => toy.connectToSilence(options) },
    refusing: {
      connector: {
        name: "refusing toy",
        connect: (options) => toy.connectRefused(options),
        shouldRetryConnect: () => toy.retriesRefused,
      },
      mayRetry: false,
    },
  };
}

/** The connector, and the server. */
export class Toy implements Connector<ToyConn> {
  name = "toy";
  readonly database: FakeDatabase = new FakeDatabase();
  /** The rows that were committed. */
  table: unknown[] = [];
  /** Is given every connection before its user. */
  patch: (conn: ToyConn) => void = () => undefined;
  /** Who listens, by channel. */
  readonly listeners = new Map<string, Map<ToyConn, (payload: string) => void>>();
  /** On which deadlines are. */
  readonly clock = new VirtualClock();
  uncounted = 0;
  retriesRefused = false;

  async connect(options: ConnectOptions): Promise<ToyConn> {
    options.signal.throwIfAborted();
    const conn = new ToyConn(await this.database.connect(options), this);
    this.patch(conn);
    return conn;
  }

  connectToSilence(options: ConnectOptions): Promise<ToyConn> {
    this.database.hangNext("connect");
    return this.connect(options);
  }

  connectRefused(options: ConnectOptions): Promise<ToyConn> {
    this.database.failNext("connect", new Error("wrong password"));
    return this.connect(options);
  }
}

/** What a statement gives, before it is put into the form that was asked for. */
interface Answer {
  readonly column?: string;
  readonly values?: unknown[];
  readonly rowsAffected?: number;
  /** Comes after the values. */
  readonly error?: Error;
}

/** A transaction that is open. */
interface ToyTx {
  readonly isolation: string;
  readonly readOnly: boolean;
  readonly inserted: unknown[];
  isSpoilt: boolean;
}

/** A connection. */
export class ToyConn implements DriverConn {
  readonly inner: FakeDbConn;
  readonly toy: Toy;
  readonly capabilities: readonly Capability[] = ["cancel", "deadline", "loss"];
  readonly takesNamedArgs = true;
  tx: ToyTx | undefined;
  #hang: Hang | undefined;

  constructor(inner: FakeDbConn, toy: Toy) {
    this.inner = inner;
    this.toy = toy;
  }

  checkArg(value: unknown): unknown {
    return value instanceof Date ? value.toISOString() : undefined;
  }

  query(sql: string, args: readonly unknown[], options?: StatementOptions): Promise<DriverResult> {
    return this.run("query", sql, options, () => {
      const [last, ...before] = sql.split("; ").toReversed();
      for (const one of before.toReversed()) this.result(one, args, options);
      return this.result(last ?? "", args, options);
    });
  }

  stream(sql: string, args: readonly unknown[], options?: StatementOptions): Promise<DriverRows> {
    return this.openRows("stream", sql, args, options);
  }

  prepare(sql: string, options?: OperationOptions): Promise<DriverStmt> {
    return this.run("prepare", sql, options, () => new ToyStmt(this, sql), "quick");
  }

  begin(tx: TxOptions, options?: OperationOptions): Promise<void> {
    return this.run("begin", "", options, () => this.beginNow(tx));
  }

  commit(options?: OperationOptions): Promise<void> {
    return this.run("commit", "", options, () => this.commitNow());
  }

  rollback(options?: OperationOptions): Promise<void> {
    return this.run("rollback", "", options, () => this.rollbackNow());
  }

  async ping(options?: OperationOptions): Promise<void> {
    await this.run("ping", "", options, () => undefined);
  }

  isValid(): boolean {
    return this.inner.isValid();
  }

  resetSession(): Promise<void> | undefined {
    return this.inner.resetSession()?.then(() => this.rollbackNow());
  }

  async close(): Promise<void> {
    this.inner.close();
  }

  /** Ends the connection from the server's side. */
  kill(): void {
    this.inner.lose(new Error("the toy was killed"));
    this.#hang?.release();
  }

  pipeline(
    statements: readonly PipelinedStatement[],
    options?: OperationOptions,
  ): Promise<readonly DriverResult[]> {
    return this.run("query", "", options, () => {
      const isOwn = this.tx === undefined;
      if (isOwn) this.beginNow({});
      try {
        const results = statements.map(({ sql, args = [] }) => this.result(sql, args));
        if (isOwn) this.commitNow();
        return results;
      } catch (error) {
        if (isOwn) this.rollbackNow();
        throw error;
      }
    });
  }

  clearStatementCache(): void {
    // The toy keeps none.
  }

  async copyIn(
    sql: string,
    source: CopyData,
    options?: OperationOptions,
  ): Promise<{ readonly rowsAffected: number }> {
    const pieces: Uint8Array[] = [];
    for await (const piece of source) pieces.push(Buffer.from(piece));
    const text = Buffer.concat(pieces).toString();
    const values = text.split("\n").filter((line) => line !== "");
    return this.run("query", sql, options, () => {
      for (const value of values) this.result("INSERT ?", [value]);
      return { rowsAffected: values.length };
    });
  }

  async listen(channel: string, onNotification: (payload: string) => void): Promise<void> {
    await this.run("query", "LISTEN", undefined, () => {
      const { listeners } = this.toy;
      const known = listeners.get(channel) ?? new Map<ToyConn, (payload: string) => void>();
      listeners.set(channel, known.set(this, onNotification));
    });
  }

  async unlisten(channel: string): Promise<void> {
    await this.run("query", "UNLISTEN", undefined, () => {
      this.toy.listeners.get(channel)?.delete(this);
    });
  }

  beginNow(tx: TxOptions): void {
    const { isolation = "read committed", readOnly = false, deferrable = false } = tx;
    if (!TOY_DIALECT.isolationLevels.includes(isolation)) throw new Error("no such level");
    if (deferrable) throw new Error("nothing is deferrable here");
    this.tx = { isolation, readOnly, inserted: [], isSpoilt: false };
    this.inner.isInTx = true;
  }

  commitNow(): void {
    const { tx } = this;
    this.rollbackNow();
    if (tx?.isSpoilt === true) {
      throw new ForebayError("operating", "COMMIT_ROLLED_BACK", "a statement had failed", {
        retryable: false,
      });
    }
    this.toy.table.push(...(tx?.inserted ?? []));
  }

  rollbackNow(): void {
    this.tx = undefined;
    this.inner.isInTx = false;
  }

  /** Carries out one call. */
  async run<T>(
    call: DriverCall,
    sql: string,
    options: ExecOptions | undefined,
    answer: () => T,
    speed: "slow" | "quick" = sql === "SLOW" ? "slow" : "quick",
  ): Promise<T> {
    options?.signal?.throwIfAborted();
    const { timeoutMs = Infinity } = options ?? {};
    if (timeoutMs !== Infinity) return this.#within(timeoutMs, call, sql, answer);
    if (this.inner.isDead) throw new BadConnError("the connection had been lost");
    if (speed === "slow") {
      this.#hang = this.toy.database.hangNext(call, new Error("the connection was lost"));
    }
    return this.inner.perform(call, sql, options, answer);
  }

  async #within<T>(ms: number, call: DriverCall, sql: string, answer: () => T): Promise<T> {
    const { signal, abort } = trackedSignal();
    const timer = this.toy.clock.setTimer(ms, () =>
      abort(new ForebayError("operating", "STATEMENT_TIMEOUT", "too slow", { retryable: true })),
    );
    try {
      return await this.run(call, sql, { signal }, answer);
    } finally {
      timer.cancel();
    }
  }

  async openRows(
    call: "stream" | "stmt.stream",
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverRows> {
    const open = (): DriverRows => new ToyRows(this, sql.split("; "), args, options);
    return this.run(call, sql, options, open, "quick");
  }

  result(sql: string, args: readonly unknown[], options?: StatementOptions): DriverResult {
    const { column, values = [], rowsAffected = 0, error } = this.answer(sql, args);
    if (error !== undefined) throw error;
    return {
      columns: columnsOf(column),
      rows: rowsOf(column, values, options?.rowMode),
      rowsAffected,
      command: sql.split(" ")[0] ?? "",
    };
  }

  answer(sql: string, args: readonly unknown[]): Answer {
    const { tx } = this;
    try {
      if (tx?.isSpoilt === true) throw new Error("the transaction is spoilt");
      const expected = /[?@]/.test(sql) ? 1 : 0;
      if (args.length !== expected) throw new Error(`${expected} arguments expected`);
      const [arg] = args;
      return this.#evaluate(sql, isNamedArg(arg) ? arg.value : arg);
    } catch (error) {
      if (tx !== undefined) tx.isSpoilt = true;
      throw error;
    }
  }

  #evaluate(sql: string, arg: unknown): Answer {
    const { toy, tx } = this;
    const [word = "", count = "0", payload = ""] = sql.split(" ");
    const series = (to: number): number[] => Array.from({ length: to }, (_, i) => i + 1);
    switch (word) {
      case "SERIES":
        return { column: "n", values: series(Number(count)), rowsAffected: Number(count) };
      case "ECHO":
        return { column: "value", values: [arg] };
      case "COUNT":
        return { column: "count", values: [toy.table.length + (tx?.inserted.length ?? 0)] };
      case "ISOLATION":
        return { column: "isolation", values: [tx?.isolation] };
      case "MIDWAY":
        return { column: "n", values: series(150), error: new Error("failed midway") };
      case "INSERT":
        if (tx?.readOnly === true) throw new Error("the transaction is read-only");
        (tx?.inserted ?? toy.table).push(arg);
        return { rowsAffected: 1 };
      case "CREATE":
      case "DROP":
        toy.table = [];
        return {};
      case "NOTIFY":
        for (const hear of toy.listeners.get(count)?.values() ?? []) hear(payload);
        return {};
      case "SLOW":
        return { column: "slow", values: [1] };
      default:
        throw new Error(`the server refuses ${word}`);
    }
  }
}

/** A prepared statement. */
export class ToyStmt implements DriverStmt {
  readonly conn: ToyConn;
  readonly sql: string;

  constructor(conn: ToyConn, sql: string) {
    this.conn = conn;
    this.sql = sql;
  }

  query(args: readonly unknown[], options?: StatementOptions): Promise<DriverResult> {
    const { conn, sql } = this;
    return conn.run("stmt.query", sql, options, () => conn.result(sql, args, options));
  }

  stream(args: readonly unknown[], options?: StatementOptions): Promise<DriverRows> {
    return this.conn.openRows("stmt.stream", this.sql, args, options);
  }

  async close(): Promise<void> {
    // The toy keeps nothing of it.
  }
}

/** Rows that are being read, a hundred at a time, of one statement after the other. */
export class ToyRows implements DriverRows {
  readonly conn: ToyConn;
  readonly #statements: string[];
  readonly #args: readonly unknown[];
  readonly #options: StatementOptions | undefined;
  #answer: Answer;
  #read = 0;
  #isAtEnd = false;

  constructor(
    conn: ToyConn,
    statements: string[],
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ) {
    this.conn = conn;
    this.#statements = statements;
    this.#args = args;
    this.#options = options;
    this.#answer = conn.answer(statements[0] ?? "", args);
    conn.inner.openRows = this;
  }

  get columns(): readonly Column[] {
    return columnsOf(this.#answer.column);
  }

  get rowsAffected(): number {
    return this.#isAtEnd ? (this.#answer.rowsAffected ?? 0) : 0;
  }

  get hasNextResultSet(): boolean {
    return this.#isOpen && this.#statements.length > 1;
  }

  async next(): Promise<unknown[] | undefined> {
    if (!this.#isOpen || this.#isAtEnd) return undefined;
    const speed = this.#statements[0] === "SLOW" ? "slow" : "quick";
    return this.#call("next", () => this.#take(), speed);
  }

  async nextResultSet(): Promise<boolean> {
    if (!this.#isOpen) return false;
    return this.#call("nextResultSet", () => this.#advance(), "quick");
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    try {
      await this.conn.run("rows.close", "", undefined, () => undefined);
    } catch {
      // Nobody wants the rows any more.
    }
    this.#end();
  }

  async #call<T>(call: DriverCall, answer: () => T, speed: "slow" | "quick"): Promise<T> {
    try {
      return await this.conn.run(call, "", this.#options, answer, speed);
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #take(): unknown[] | undefined {
    const { column, values = [], error } = this.#answer;
    const portion = values.slice(this.#read, this.#read + 100);
    this.#read += portion.length;
    if (portion.length > 0) return rowsOf(column, portion, this.#options?.rowMode);
    if (error !== undefined) throw error;
    this.#isAtEnd = true;
    if (this.#statements.length === 1) this.#end();
    return undefined;
  }

  #advance(): boolean {
    this.#statements.shift();
    const [sql] = this.#statements;
    if (sql === undefined) {
      this.#end();
      return false;
    }
    this.#answer = this.conn.answer(sql, this.#args);
    this.#read = 0;
    this.#isAtEnd = false;
    return true;
  }

  get #isOpen(): boolean {
    return this.conn.inner.openRows === this;
  }

  #end(): void {
    if (this.#isOpen) this.conn.inner.openRows = undefined;
  }
}

function columnsOf(name: string | undefined): Column[] {
  return name === undefined ? [] : [{ name, type: "any" }];
}

function rowsOf(name = "", values: readonly unknown[], mode: RowMode = "object"): unknown[] {
  return values.map((value) => (mode === "array" ? [value] : { [name]: value }));
}
