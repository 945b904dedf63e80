// The contract between a database driver and the layers above it. Types only.
//
// Whoever calls a connection keeps these rules, and the conformance cases check that a driver may
// rely on them:
//   1. One call at a time on a connection, except that a call may follow one whose signal was
//      aborted and which has been rejected already, although its work on the server is not yet
//      settled: the driver makes the new call wait. `isValid` and `close` may be called at any
//      time.
//   2. Nothing is called after `close`.
// Capabilities marked optional are found at run time by their presence; capabilities.ts names them
// all.

import type { Capability } from "./capabilities.ts";

/** Options that every operation takes. */
export interface OperationOptions {
  /** Aborting stops the operation; it rejects with `signal.reason` unchanged. */
  readonly signal?: AbortSignal | undefined;
}

/** How rows are handed out: as objects keyed by column name, or as arrays in column order. */
export type RowMode = "object" | "array";

/** Options of a statement. */
export interface ExecOptions extends OperationOptions {
  /**
   * How long it may take, from when the connection gets it: then it is stopped on the server, and
   * rejects with `STATEMENT_TIMEOUT`. In milliseconds, above 0; `Infinity` for no limit. For
   * drivers with the capability `deadline`, and not for rows that are read as they come.
   * @defaultValue the driver's own option
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of a statement that may give rows. */
export interface StatementOptions extends ExecOptions {
  /** @defaultValue `"object"` */
  readonly rowMode?: RowMode | undefined;
}

/** One column of a result. */
export interface Column {
  readonly name: string;
  /**
   * The database's own name for the type, such as `int4`; for one that the driver does not know,
   * its number as text.
   */
  readonly type: string;
  /** Whether it may be NULL; absent where the driver does not know. */
  readonly nullable?: boolean | undefined;
  /**
   * The longest value of a type that was declared with a length, such as `varchar(20)`: in
   * characters for text, in bytes for binary. Absent for other types, and where not known.
   */
  readonly length?: number | undefined;
  /** All the digits of a decimal type such as `numeric(12,2)`; absent as `length` is. */
  readonly precision?: number | undefined;
  /** The digits after the decimal point; may be negative. There whenever `precision` is. */
  readonly scale?: number | undefined;
}

/** What a statement gave, with all its rows in memory. */
export interface DriverResult {
  readonly columns: readonly Column[];
  readonly rows: unknown[];
  /**
   * Rows inserted, updated, deleted or, where the server counts them, selected; 0 for statements
   * without a count.
   */
  readonly rowsAffected: number;
  /** The server's word for what was done, such as `INSERT`; empty when the server gives none. */
  readonly command: string;
  /**
   * The key that the server made for the row inserted last, of databases that tell; PostgreSQL does
   * not, and has `RETURNING`.
   */
  readonly lastInsertId?: bigint | number | undefined;
}

/**
 * Rows that are fetched while they are read. Memory is bounded whatever the size of the result.
 *
 * A text of several statements may give several results, one behind the other. A driver that can
 * read them has both `hasNextResultSet` and `nextResultSet`; without them there is one.
 */
export interface DriverRows {
  /** Of the present result. */
  readonly columns: readonly Column[];
  /**
   * The next rows of the present result, at least one; `undefined` at its end, and from then on.
   * Rejects as the statement does. After a rejection the rows are closed.
   */
  next(): Promise<unknown[] | undefined>;
  /**
   * Ends the statement early, and resolves once the connection can take another call. No effect at
   * the end or on a second call. Never rejects for what the server said about rows that nobody
   * wants; a lost connection shows in `isValid`.
   */
  close(): Promise<void>;
  /** Of the present result. Known at its end only; 0 before. */
  readonly rowsAffected: number;
  /**
   * Whether another result follows. Asked when `next` has given `undefined`: `false` means that all
   * has ended and the connection can take another call. (`driver.RowsNextResultSet`.)
   */
  readonly hasNextResultSet?: boolean;
  /**
   * Goes to the next result, past what is left of the present one; `columns`, `next` and
   * `rowsAffected` are that one's from then on. `false` when there is none: all has ended. Rejects
   * as its statement does; after a rejection the rows are closed.
   */
  nextResultSet?(): Promise<boolean>;
}

/** A statement prepared on one connection, and bound to it. */
export interface DriverStmt {
  query(args: readonly unknown[], options?: StatementOptions): Promise<DriverResult>;
  stream(args: readonly unknown[], options?: StatementOptions): Promise<DriverRows>;
  /**
   * Frees the statement on the server, now or with the next request. Never rejects; no effect on a
   * second call.
   */
  close(): Promise<void>;
  /**
   * Whether it may be used again; `false` once the server has shown that it does not know the
   * statement any more, or not in this form. Then it is closed, and prepared again when it is
   * needed. Synchronous. @defaultValue always valid
   */
  isValid?(): boolean;
  /** As `DriverConn.checkArg`, for this statement; goes before it. */
  checkArg?(value: unknown, index: number): unknown;
}

/** Isolation levels of the SQL standard, lower case. */
export type IsolationLevel =
  | "read uncommitted"
  | "read committed"
  | "repeatable read"
  | "serializable";

/**
 * How a transaction begins. A driver rejects what its database does not have; it never ignores it.
 */
export interface TxOptions {
  /** @defaultValue the server's own default */
  readonly isolation?: IsolationLevel | undefined;
  /** @defaultValue `false` */
  readonly readOnly?: boolean | undefined;
  /**
   * PostgreSQL: wait for a snapshot that cannot fail; only with serializable and read-only.
   * @defaultValue `false`
   */
  readonly deferrable?: boolean | undefined;
}

/**
 * What a pool asks of anything that it pools. Every method but `close` is optional.
 * `forebay/pool` pools any resource that has this much.
 */
export interface PooledConn {
  /**
   * Closes for good, also in the middle of a call. Resolves once the resource is really gone (the
   * socket is closed): until then the pool counts it. Called once. A rejection is reported and
   * counts as closed.
   */
  close(): Promise<void> | void;
  /**
   * Whether the connection may be used again. Synchronous, no I/O: what is known by now. Called
   * when the connection comes back. (`driver.Validator`.) @defaultValue always valid
   */
  isValid?(): boolean;
  /**
   * Called once, when the connection has been set up (the pool's `afterConnect` hook has ended) and
   * before anyone has it: as the session is now, `resetSession` is to leave it. Synchronous.
   */
  rememberSession?(): void;
  /**
   * Makes the session fit for its next user: waits for what an abort left unsettled, ends an open
   * transaction. Called when the connection comes back, before anyone else can have it. `undefined`
   * means that there was nothing to do, which should be the usual case; a rejection retires the
   * connection. (`driver.SessionResetter`.)
   */
  resetSession?(): Promise<void> | undefined;
  /**
   * Proves that the other side answers; rejects when it does not. The pool bounds it in time,
   * aborts the signal then, and closes the connection. (`driver.Pinger`.) @defaultValue that a
   * connection can be had counts as proof
   */
  ping?(options?: OperationOptions): Promise<void>;
}

/** One connection to a database. */
export interface DriverConn extends PooledConn {
  /**
   * Whether `args` may hold a `NamedArg`, beside values by position. @defaultValue `false`: whoever
   * names an argument is told that this driver takes none
   */
  readonly takesNamedArgs?: boolean;
  /**
   * Looks at one argument before anything is sent: the value itself, of a `NamedArg` the value in
   * it. Gives the value to send in its place, throws to refuse it, and gives `undefined` where it
   * has no opinion: then the ordinary check decides, which refuses `undefined`, functions, symbols
   * and invalid dates. `index` counts from 0. Synchronous. What it throws reaches the caller as the
   * `cause` of an `ARGUMENT_INVALID` that says which argument it was. (`driver.NamedValueChecker`.)
   */
  checkArg?(value: unknown, index: number): unknown;
  /**
   * What it can do that no member of its own shows: `cancel` and `loss`. See `capabilitiesOf`.
   * @defaultValue neither
   */
  readonly capabilities?: readonly Capability[];
  /**
   * Runs a statement and gathers its rows. Without arguments, some drivers allow several
   * statements: the last result counts.
   */
  query(sql: string, args: readonly unknown[], options?: StatementOptions): Promise<DriverResult>;
  /** Runs a statement whose rows are read as they come. Resolves when the columns are known. */
  stream(sql: string, args: readonly unknown[], options?: StatementOptions): Promise<DriverRows>;
  /** Prepares a statement on this connection. */
  prepare(sql: string, options?: OperationOptions): Promise<DriverStmt>;
  /** Begins a transaction. */
  begin(tx: TxOptions, options?: OperationOptions): Promise<void>;
  /**
   * Commits. Rejects with a `ForebayError` of code `COMMIT_ROLLED_BACK` when the server rolled back
   * instead, and of code `OUTCOME_UNKNOWN` when the connection was lost, or the signal aborted,
   * after the request was sent.
   */
  commit(options?: OperationOptions): Promise<void>;
  /** Rolls back. */
  rollback(options?: OperationOptions): Promise<void>;
}

/** What a connector is told when it is to make a connection. */
export interface ConnectOptions {
  /**
   * Aborted when the connection is not wanted any more or takes too long. The connector must then
   * reject, and leave nothing open.
   */
  readonly signal: AbortSignal;
  /**
   * What the pool's `beforeConnect` hook gave: settings for this one connection, such as a password
   * that is valid for minutes only. A connector says which it takes, and rejects what it does not
   * know. @defaultValue `undefined`
   */
  readonly settings?: unknown;
  /**
   * To be called, at most once, as soon as the connection is known to be lost (closed by the
   * server, a fatal message, a socket error) and `close` was not called: also while it is idle, for
   * which the connection must always be reading. It is never called before `connect` has resolved.
   */
  readonly onLost: (reason: unknown) => void;
}

/** Makes connections to one database. */
export interface Connector<C extends PooledConn = DriverConn> {
  /**
   * The kind of thing it connects to and where, for messages; without secrets. `postgres
   * app@localhost:5432/app`
   */
  readonly name: string;
  /** Makes one connection. Called several times at once. */
  connect(options: ConnectOptions): Promise<C>;
  /**
   * Whether trying again may help after `connect` rejected with `error`. `false` for what only a
   * person can mend: a wrong password, a database that does not exist. @defaultValue `true`
   */
  shouldRetryConnect?(error: unknown): boolean;
  /** Called once, after the last connection of a closed pool is gone. */
  close?(): Promise<void> | void;
}

/**
 * A kind of database, to be opened by name: see `register` and `open` of the main entry point.
 * (`driver.Driver` and `driver.DriverContext`.)
 */
export interface Driver<C extends DriverConn = DriverConn> {
  /**
   * Reads a connection string, once, and makes the connector for it. Opens nothing. Throws a
   * `UsageError` of code `OPTION_INVALID` for one that it does not understand.
   */
  openConnector(dsn: string): Connector<C>;
}
