// Ways to lay hands on the toy driver: its connections, statements and rows, each made wrong in one
// point.

import type {
  ConnectOptions,
  DriverResult,
  DriverRows,
  DriverStmt,
  OperationOptions,
} from "../../../packages/forebay/src/driver/driver.ts";
import type { Toy, ToyConn } from "./toy-driver.ts";

/** Breaks one rule. */
export type Break = (toy: Toy) => void;

/** A promise that never settles. */
export function never(): Promise<never> {
  return new Promise(() => undefined);
}

/** Has every connection made wrong by `change`, before it is handed over. */
export function conns(change: (conn: ToyConn, options: ConnectOptions) => void): Break {
  return (toy) => {
    const connect = toy.connect.bind(toy);
    toy.connect = async (options) => {
      const conn = await connect(options);
      change(conn, options);
      return conn;
    };
  };
}

/** What a broken call is given: the real call, and what it was called with. */
export interface Called<A, R> {
  readonly conn: ToyConn;
  readonly sql: string;
  /** What comes after the statement. */
  readonly args: A;
  readonly options: OperationOptions | undefined;
  /** The real call, with other arguments if given. */
  readonly real: (args?: A) => Promise<R>;
}

type Args = readonly unknown[];

/** Has `DriverConn.query` go wrong; `change` may answer with the real result or something else. */
export function queries(
  change: (call: Called<Args, DriverResult>) => Promise<DriverResult>,
): Break {
  return conns((conn) => {
    const query = conn.query.bind(conn);
    conn.query = (sql, args, options) => {
      const real = (other = args) => query(sql, other, options);
      return change({ conn, sql, args, options, real });
    };
  });
}

/** Has the results of `DriverConn.query` changed. */
export function results(
  change: (result: DriverResult, sql: string, conn: ToyConn) => Partial<DriverResult>,
): Break {
  return queries(async ({ real, sql, conn }) => {
    const result = await real();
    return { ...result, ...change(result, sql, conn) };
  });
}

/** Has `DriverConn.stream` go wrong. */
export function streams(change: (call: Called<Args, DriverRows>) => Promise<DriverRows>): Break {
  return conns((conn) => {
    const stream = conn.stream.bind(conn);
    conn.stream = (sql, args, options) => {
      const real = (other = args) => stream(sql, other, options);
      return change({ conn, sql, args, options, real });
    };
  });
}

/** Has `DriverRows.next` of `DriverConn.stream` go wrong. */
export function nexts(
  change: (
    next: () => Promise<unknown[] | undefined>,
    call: Called<Args, DriverRows>,
  ) => Promise<unknown[] | undefined>,
): Break {
  return streams(async (call) => {
    const rows = await call.real();
    const next = rows.next.bind(rows);
    rows.next = () => change(next, call);
    return rows;
  });
}

/** Has every prepared statement made wrong. */
export function stmts(change: (stmt: DriverStmt, sql: string, conn: ToyConn) => void): Break {
  return conns((conn) => {
    const prepare = conn.prepare.bind(conn);
    conn.prepare = async (sql, options) => {
      const stmt = await prepare(sql, options);
      change(stmt, sql, conn);
      return stmt;
    };
  });
}

/** Has `DriverStmt.query` go wrong. */
export function stmtQueries(
  change: (call: Called<Args, DriverResult>) => Promise<DriverResult>,
): Break {
  return stmts((stmt, sql, conn) => {
    const query = stmt.query.bind(stmt);
    stmt.query = (args, options) => {
      const real = (other = args) => query(other, options);
      return change({ conn, sql, args, options, real });
    };
  });
}

/** The names of the operations that take a signal. */
export const OPERATIONS = [
  "query",
  "stream",
  "prepare",
  "stmt.query",
  "stmt.stream",
  "begin",
  "commit",
  "rollback",
  "ping",
] as const;

/** Has one operation answer `instead` when there is an answer. */
export function operation(
  name: (typeof OPERATIONS)[number],
  instead: (
    options: OperationOptions | undefined,
    real: () => Promise<unknown>,
  ) => Promise<never> | undefined,
): Break {
  const through =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>): ((...args: A) => Promise<R>) =>
    (...args) => {
      const options = args.at(-1) as OperationOptions | undefined;
      return instead(options, () => call(...args)) ?? call(...args);
    };
  if (name === "stmt.query" || name === "stmt.stream") {
    return stmts((stmt) => {
      stmt.query = name === "stmt.query" ? through(stmt.query.bind(stmt)) : stmt.query;
      stmt.stream = name === "stmt.stream" ? through(stmt.stream.bind(stmt)) : stmt.stream;
    });
  }
  return conns((conn) => {
    const call = conn[name].bind(conn) as (...args: unknown[]) => Promise<never>;
    Object.assign(conn, { [name]: through(call) });
  });
}
