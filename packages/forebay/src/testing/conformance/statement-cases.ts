// Cases of `DriverConn.query`: what goes in, what comes out, and what an error leaves behind.

import type { DriverResult } from "../../driver/driver.ts";
import { isBadConn } from "../../driver/errors.ts";
import { type Bench, check, describe, seriesOf, type Session } from "./bench.ts";
import type { CaseSpec } from "./case.ts";

/** A text in which a driver that pastes arguments into statements would get lost. */
export const AWKWARD = `'); -- "\\'?$1 \u{1F40B} ü\n`;

/** How statements run. */
export const statementCases: readonly CaseSpec[] = [
  {
    name: "gives rows as objects, with their columns and a command",
    rule: "DriverResult has columns, rows, rowsAffected and command; rowMode is object by default",
    run: async (bench) => {
      const { conn } = await bench.connect();
      for (const options of [undefined, {}, { rowMode: "object" as const }]) {
        const result = await bench.does("query", () =>
          conn.query(bench.dialect.series(3), [], options),
        );
        checkColumns(result.columns);
        check(Array.isArray(result.rows), "rows is not an array");
        const got = seriesOf(result.rows).join();
        check(got === "1,2,3", `the column n of three rows reads ${got}, not 1,2,3`);
        check(typeof result.command === "string", "command is not a text");
      }
    },
  },
  {
    name: "gives rows as arrays when asked for",
    rule: "RowMode array: rows are arrays in column order",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const { rows } = await bench.does("query with rowMode array", () =>
        conn.query(bench.dialect.series(3), [], { rowMode: "array" }),
      );
      checkArrays(rows);
    },
  },
  {
    name: "gives no rows, and still the columns, where there are none",
    rule: "DriverResult.columns are those of the statement, whether it gave rows or not",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const result = await bench.does("query", () => conn.query(bench.dialect.series(0), []));
      check(result.rows.length === 0, `a statement without rows gave ${result.rows.length}`);
      checkColumns(result.columns);
    },
  },
  {
    name: "gives many rows, in order",
    rule: "DriverConn.query gathers all rows",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const { rows } = await bench.does("query", () => conn.query(bench.dialect.series(5000), []));
      checkSeries(rows, 5000);
    },
  },
  {
    name: "counts the rows that a statement changed",
    rule: "DriverResult.rowsAffected: rows inserted; 0 for statements without a count",
    run: async (bench) => {
      await bench.makeTable();
      const session = await bench.connect();
      const { rowsAffected } = await bench.does("insert", () => bench.insert(session, "one"));
      check(rowsAffected === 1, `rowsAffected of inserting one row is ${rowsAffected}`);
      const { table } = bench.dialect;
      const dropped = await bench.does("drop", () => session.conn.query(table.drop, []));
      check(dropped.rowsAffected === 0, `rowsAffected of a drop is ${dropped.rowsAffected}`);
    },
  },
  {
    name: "sends texts as they are",
    rule: "Arguments are data, and come to the server as they are",
    run: async (bench) => {
      const session = await bench.connect();
      for (const text of ["plain", "", AWKWARD, "x".repeat(100_000)]) {
        const got = await echo(bench, session, text);
        check(got === text, `sent ${preview(text)}, and got ${preview(got)} back`);
      }
    },
  },
  {
    name: "sends null as null",
    rule: "Arguments are data; null is the database's NULL, both ways",
    run: async (bench) => {
      const got = await echo(bench, await bench.connect(), null);
      check(got === null, `sent null, and got ${preview(got)} back`);
    },
  },
  {
    name: "leaves the arguments as they are",
    rule: "args is readonly: it belongs to the caller",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const args = ["one"];
      await bench.does("query", () => conn.query(bench.dialect.echo, args));
      check(args.join() === "one", `the array of arguments was changed to ${args.join()}`);
    },
  },
  {
    name: "gives each result to its caller for good",
    rule: "DriverResult.rows belongs to the caller: a later call does not change it",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const first = await bench.does("query", () => conn.query(bench.dialect.series(3), []));
      const second = await bench.does("query", () => conn.query(bench.dialect.series(2), []));
      check(first.rows !== second.rows, "two calls gave the same array of rows");
      const got = seriesOf(first.rows).join();
      check(got === "1,2,3", `after a second query the rows of the first read ${got}, not 1,2,3`);
    },
  },
  {
    name: "rejects what the server refuses, and can be used on",
    rule:
      "DriverConn.query rejects with the server's error; a connection that is sound stays valid. " +
      "BadConnError is only for requests of which nothing was sent",
    run: async (bench) => {
      const session = await bench.connect();
      for (let i = 0; i < 2; i++) {
        const error = await bench.rejects("a statement that the server refuses", () =>
          session.conn.query(bench.dialect.failing, []),
        );
        checkServerError(error);
        check(session.conn.isValid?.() ?? true, "isValid is false after the server refused");
        await bench.answers(session, "after one that the server refused");
      }
      check(session.lost.length === 0, "onLost was called because a statement was refused");
    },
  },
  {
    name: "rejects a wrong number of arguments, and can be used on",
    rule: "What cannot be run as it was asked for is rejected, and never repaired silently",
    run: async (bench) => {
      const session = await bench.connect();
      for (const args of [[], ["one", "two"]]) {
        await bench.rejects(`a statement of one argument, given ${args.length},`, () =>
          session.conn.query(bench.dialect.echo, args),
        );
        await bench.answers(session, "after one with a wrong number of arguments");
      }
    },
  },
];

/** The one value that the dialect's `echo` gives back. */
export async function echo(bench: Bench, { conn }: Session, value: unknown): Promise<unknown> {
  const result = await bench.does("query with an argument", () =>
    conn.query(bench.dialect.echo, [value], { rowMode: "array" }),
  );
  return onlyValue(result);
}

/** The value in a result of one row of one column, read as an array. */
export function onlyValue({ rows }: Pick<DriverResult, "rows">): unknown {
  check(rows.length === 1, `one row was expected, and ${rows.length} came`);
  return (rows[0] as readonly unknown[])[0];
}

/** The columns of the dialect's series. */
export function checkColumns(columns: DriverResult["columns"]): void {
  const names = columns.map(({ name }) => name).join();
  check(names === "n", `the columns are "${names}", and should be "n"`);
  for (const { type } of columns) check(typeof type === "string", "a column's type is not a text");
}

/** The rows of a series of three, as arrays. */
export function checkArrays(rows: readonly unknown[]): void {
  check(rows.every(Array.isArray), "with rowMode array a row is no array");
  const got = rows.map((row) => Number((row as readonly unknown[])[0])).join();
  check(got === "1,2,3", `with rowMode array three rows read ${got}, not 1,2,3`);
}

/** The rows of a series. */
export function checkSeries(rows: readonly unknown[], count: number): void {
  check(rows.length === count, `${count} rows were expected, and ${rows.length} came`);
  const wrongAt = seriesOf(rows).findIndex((n, index) => n !== index + 1);
  check(wrongAt === -1, `row ${wrongAt + 1} of ${count} is not in its place`);
}

/** What the server refused must not claim that it never came to the server. */
export function checkServerError(error: unknown): void {
  check(error instanceof Error, `a statement was rejected with ${describe(error)}, not an Error`);
  check(!isBadConn(error), "a statement that the server refused was rejected with BadConnError");
}

function preview(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}… (${text.length} characters)` : text;
}
