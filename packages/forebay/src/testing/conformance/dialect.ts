// What the author of a driver tells the conformance cases about his database.

import type { Connector, DriverConn, IsolationLevel } from "../../driver/driver.ts";

/** A table for the cases alone. Each case that needs it makes it anew, and drops it at its end. */
export interface DialectTable {
  /** Makes the table, empty, for all connections to see. */
  readonly create: string;
  /** Inserts one row; its one argument is a text. */
  readonly insert: string;
  /** Gives one row with one column: how many rows the table has. */
  readonly count: string;
  /** Drops the table; not an error when there is none. */
  readonly drop: string;
}

/** What `copyIn` is tried with. */
export interface DialectCopy {
  /** A statement that takes data into the table. */
  readonly sql: string;
  /** Data for it. */
  readonly data: string;
  /** How many rows that is. */
  readonly rows: number;
}

/**
 * A database in terms of its statements, for `checkDriver` and `driverCases`. Cases whose optional
 * parts are left out are skipped, and the report says so.
 */
export interface DriverDialect<C extends DriverConn = DriverConn> {
  /**
   * A statement without arguments that gives `count` rows of one column, `n`: 1, 2, and so on.
   * Asked for 0 to 5000 rows. A number, a bigint or its text will do.
   */
  readonly series: (count: number) => string;
  /** A statement that gives back, in one row of one column, the text that is its one argument. */
  readonly echo: string;
  /** A statement without arguments that the server refuses, in or out of a transaction. */
  readonly failing: string;
  /**
   * A statement without arguments that takes a minute or longer, unless it is stopped, and gives a
   * row at its end.
   */
  readonly slow: string;
  /** A table that several connections can see. */
  readonly table: DialectTable;
  /** The isolation levels that the database has. The driver must refuse all others. */
  readonly isolationLevels: readonly IsolationLevel[];
  /** Gives one row with one column: the isolation level of the transaction, as text. */
  readonly isolation?: string | undefined;
  /** Whether there are read-only transactions. If not, the driver must refuse to begin one. */
  readonly readOnly: boolean;
  /** Whether there is `deferrable`. If not, the driver must refuse it. */
  readonly deferrable: boolean;
  /**
   * Whether a statement that fails spoils its transaction, so that COMMIT rolls back, as in
   * PostgreSQL.
   */
  readonly errorsSpoilTx: boolean;
  /**
   * A statement without arguments that gives some rows and then fails. What comes before the
   * failure must not look like the whole.
   */
  readonly failingMidway?: string | undefined;
  /**
   * One text of these statements, to be run without arguments, such as `a; b`. Left out where a
   * text is one statement.
   */
  several?(statements: readonly string[]): string;
  /** As `echo`, of an argument with the name `value`; for drivers with `takesNamedArgs`. */
  readonly echoNamed?: string | undefined;
  /** For drivers that can copy. */
  readonly copy?: DialectCopy | undefined;
  /** A statement without arguments that notifies who listens on the channel; for such drivers. */
  readonly notify?: ((channel: string, payload: string) => string) | undefined;
  /**
   * Ends a connection from outside, as an administrator or a broken network does. Resolves when
   * that was asked for; it may take effect later.
   */
  kill?(conn: C): Promise<void> | void;
  /**
   * How many connections the server has of this connector, those being closed not counted. It must
   * not open one that it counts.
   */
  openCount?(): Promise<number> | number;
  /** A connector whose server accepts, and never says anything. */
  readonly silent?: Connector<C> | undefined;
  /** A connector whose server refuses, and whether its `shouldRetryConnect` is to say so. */
  readonly refusing?: { readonly connector: Connector<C>; readonly mayRetry: boolean } | undefined;
}
