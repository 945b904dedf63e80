// How a transaction begins and ends on a driver connection: by the driver's own means, or as a
// savepoint of another.

import type { DriverConn, OperationOptions, TxOptions } from "../driver/driver.ts";
import { NO_ARGS } from "./runner.ts";

/** The three calls that make a transaction. */
export interface TxControl {
  /** How many transactions there are around this one. */
  readonly depth: number;
  begin(conn: DriverConn, options: OperationOptions | undefined): Promise<void>;
  commit(conn: DriverConn, options: OperationOptions | undefined): Promise<void>;
  rollback(conn: DriverConn, options: OperationOptions | undefined): Promise<void>;
}

/** A transaction of its own. */
export function wholeTx(txOptions: TxOptions): TxControl {
  return {
    depth: 0,
    begin: (conn, options) => conn.begin(txOptions, options),
    commit: (conn, options) => conn.commit(options),
    rollback: (conn, options) => conn.rollback(options),
  };
}

/**
 * A part of another transaction, by the statements that PostgreSQL, MySQL and SQLite share.
 * Savepoints at one depth follow one another, so that the depth is name enough; each is released,
 * as those of one name would pile up.
 */
export function savepoint(depth: number): TxControl {
  const name = `forebay_${depth}`;
  return {
    depth,
    begin: async (conn, options) => {
      await conn.query(`SAVEPOINT ${name}`, NO_ARGS, options);
    },
    commit: async (conn, options) => {
      await conn.query(`RELEASE SAVEPOINT ${name}`, NO_ARGS, options);
    },
    rollback: async (conn, options) => {
      await conn.query(`ROLLBACK TO SAVEPOINT ${name}`, NO_ARGS, options);
      await conn.query(`RELEASE SAVEPOINT ${name}`, NO_ARGS, options);
    },
  };
}
