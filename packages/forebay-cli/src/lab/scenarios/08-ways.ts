// Scenario 8, the ways to read one row, and the ways to leave rows half-read.

import type { Querier } from "forebay";
import type { ArmRole } from "../scenario.ts";

/** One way to read the single row that a statement gives. */
export interface ReadWay {
  readonly name: string;
  readonly role: ArmRole;
  /** The code, as the report shows it. */
  readonly code: string;
  read(on: Querier, sql: string, args: readonly unknown[]): Promise<unknown>;
}

/** The name of the way that the guide recommends. */
export const QUERY_ROW = "queryRow";
/** The guide's code before, word by word. */
export const QUERY_CLOSE = "rows, next, close";
/** The negative control: the same call of the driver. */
export const QUERY = "query, first of rows";

/** The ways that are compared. */
export const WAYS: readonly ReadWay[] = [
  {
    name: QUERY_CLOSE,
    role: "baseline",
    code: "const rows = db.rows(sql); try { await rows.next() } finally { await rows.close() }",
    read: async (on, sql, args) => {
      const rows = on.rows(sql, args);
      try {
        const first = await rows.next();
        return first.value;
      } finally {
        await rows.close();
      }
    },
  },
  {
    name: QUERY_ROW,
    role: "change",
    code: "await db.queryRow(sql)",
    read: async (on, sql, args) => {
      const row = await on.queryRow(sql, args);
      return row;
    },
  },
  {
    name: QUERY,
    role: "negative control",
    code: "(await db.query(sql)).rows[0]",
    read: async (on, sql, args) => {
      const { rows } = await on.query(sql, args);
      return rows[0];
    },
  },
  {
    name: "for await over rows",
    role: "variant",
    code: "for await (const row of db.rows(sql)) …",
    read: async (on, sql, args) => {
      let last: unknown;
      for await (const row of on.rows(sql, args)) last = row;
      return last;
    },
  },
  {
    name: "for await, left by break",
    role: "variant",
    code: "for await (const row of db.rows(sql)) break",
    read: async (on, sql, args) => {
      let first: unknown;
      for await (const row of on.rows(sql, args)) {
        first = row;
        break;
      }
      return first;
    },
  },
];

/** A way in which code leaves a query behind. */
export interface WayOut {
  readonly name: string;
  /** Settles when the code that left is gone; what it rejects with is of no account. */
  leave(on: Querier, sql: string): Promise<unknown>;
}

class Thrown extends Error {}

/** The ways out that Forebay promises to bear. */
export const WAYS_OUT: readonly WayOut[] = [
  { name: "queryRow", leave: (on, sql) => on.queryRow(sql) },
  {
    name: "queryRow that nobody awaits",
    leave: async (on, sql) => {
      void on.queryRow(sql).catch(() => undefined);
    },
  },
  { name: "queryRow of a statement that fails", leave: (on) => on.queryRow("SELECT nonsense") },
  {
    name: "queryRow that is aborted at once",
    leave: (on, sql) => {
      const abort = new AbortController();
      const row = on.queryRow(sql, [], { signal: abort.signal });
      abort.abort();
      return row;
    },
  },
  { name: "rows that are never read", leave: async (on, sql) => on.rows(sql) },
  {
    name: "a loop over rows, to its end",
    leave: async (on, sql) => {
      for await (const row of on.rows(sql)) void row;
    },
  },
  {
    name: "a loop over rows, left by break",
    leave: async (on, sql) => {
      for await (const row of on.rows(sql)) {
        void row;
        break;
      }
    },
  },
  {
    name: "a loop over rows, left by a throw",
    leave: async (on, sql) => {
      for await (const row of on.rows(sql)) throw new Thrown(typeof row);
    },
  },
  {
    name: "rows with await using",
    leave: async (on, sql) => {
      await using rows = on.rows(sql);
      await rows.next();
    },
  },
  {
    name: "rows that are aborted between two reads",
    leave: async (on, sql) => {
      const abort = new AbortController();
      await on.rows(sql, [], { signal: abort.signal }).next();
      abort.abort();
    },
  },
];

/**
 * Reads a row and forgets the rest: the leak. Its name is looked for in the stack that the warning
 * has.
 */
export async function forgetRows(on: Querier, sql: string): Promise<void> {
  await on.rows(sql).next();
}

/** A row as database/sql hands it out: the statement runs at once, and `scan` alone ends it. */
export interface GoRow {
  scan(): Promise<unknown>;
}

/**
 * `QueryRow` by database/sql's rules: the query has begun and holds its connection when this
 * resolves (`Row` has open `Rows` in it), and only `Scan` closes them.
 */
export async function goQueryRow(on: Querier, sql: string): Promise<GoRow> {
  const rows = on.rows(sql);
  const first = await rows.next();
  return {
    scan: async () => {
      await rows.close();
      return first.value;
    },
  };
}
