// Cases of `DriverConn.stream` and `DriverRows`.

import { check, need } from "./bench.ts";
import type { CaseSpec } from "./case.ts";
import { checkArrays, checkColumns, checkSeries, checkServerError } from "./statement-cases.ts";

/** How rows are streamed. */
export const rowsCases: readonly CaseSpec[] = [
  {
    name: "streams all rows, in order, and their columns before them",
    rule: "DriverConn.stream resolves when the columns are known; next gives at least one row",
    run: async (bench) => {
      const session = await bench.connect();
      const rows = await bench.does("stream", () =>
        session.conn.stream(bench.dialect.series(5000), []),
      );
      checkColumns(rows.columns);
      checkSeries(await bench.readAll("next", rows), 5000);
      await bench.answers(session, "after rows that were read to the end");
    },
  },
  {
    name: "streams rows as arrays when asked for",
    rule: "RowMode array: rows are arrays in column order",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const rows = await bench.does("stream with rowMode array", () =>
        conn.stream(bench.dialect.series(3), [], { rowMode: "array" }),
      );
      checkArrays(await bench.readAll("next", rows));
    },
  },
  {
    name: "says that rows are at their end each time it is asked",
    rule: "DriverRows.next gives undefined at the end, and from then on; close then has no effect",
    run: async (bench) => {
      const session = await bench.connect();
      for (const count of [0, 3]) {
        const rows = await bench.does("stream", () =>
          session.conn.stream(bench.dialect.series(count), []),
        );
        checkSeries(await bench.readAll("next", rows), count);
        const again = await bench.does("next at the end", () => rows.next());
        check(again === undefined, "next gave rows after the end");
        await bench.does("close at the end", () => rows.close());
        await bench.answers(session, "after rows that were closed at their end");
      }
    },
  },
  {
    name: "knows the count of streamed rows at the end only",
    rule: "DriverRows.rowsAffected is known at the end only, and 0 before",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const counted = await bench.does("query", () => conn.query(bench.dialect.series(5000), []));
      const rows = await bench.does("stream", () => conn.stream(bench.dialect.series(5000), []));
      check(rows.rowsAffected === 0, `rowsAffected is ${rows.rowsAffected} before the first row`);
      await bench.readAll("next", rows);
      const { rowsAffected } = rows;
      const expected = counted.rowsAffected;
      check(
        rowsAffected === expected,
        `rowsAffected is ${rowsAffected} at the end, and query says ${expected}`,
      );
    },
  },
  {
    name: "closes rows early, and can be used on",
    rule:
      "DriverRows.close ends the statement early, and resolves once the connection can take " +
      "another call; no effect on a second call",
    run: async (bench) => {
      const session = await bench.connect();
      for (const portions of [0, 1]) {
        const rows = await bench.does("stream", () =>
          session.conn.stream(bench.dialect.series(5000), []),
        );
        for (let i = 0; i < portions; i++) await bench.does("next", () => rows.next());
        await bench.does("closing rows early", () => rows.close());
        await bench.answers(session, "after rows that were closed early");
        await bench.does("closing rows again", () => rows.close());
        const after = await bench.does("next after close", () => rows.next());
        check(after === undefined, "next gave rows after close");
      }
    },
  },
  {
    name: "rejects a stream that the server refuses, and can be used on",
    rule: "DriverConn.stream, or the first next, rejects as query does",
    run: async (bench) => {
      const session = await bench.connect();
      const error = await bench.rejects(
        "streaming a statement that the server refuses",
        async () => {
          const rows = await session.conn.stream(bench.dialect.failing, []);
          await rows.next();
        },
      );
      checkServerError(error);
      await bench.answers(session, "after a stream that the server refused");
    },
  },
  {
    name: "rejects in the middle of rows, and never ends them as if they were whole",
    rule: "DriverRows.next rejects as the statement does; after a rejection the rows are closed",
    run: async (bench) => {
      const sql = need(bench.dialect.failingMidway, "the dialect has no failingMidway");
      const session = await bench.connect();
      const error = await bench.rejects(
        "reading rows of a statement that fails midway",
        async () => {
          const rows = await session.conn.stream(sql, []);
          while ((await rows.next()) !== undefined);
        },
      );
      checkServerError(error);
      await bench.answers(session, "after rows that failed midway");
    },
  },
  {
    name: "rejects a stream with a wrong number of arguments, and can be used on",
    rule: "What cannot be run as it was asked for is rejected, and never repaired silently",
    run: async (bench) => {
      const session = await bench.connect();
      for (const args of [[], ["one", "two"]]) {
        await bench.rejects(
          `streaming a statement of one argument, given ${args.length},`,
          async () => {
            const rows = await session.conn.stream(bench.dialect.echo, args);
            await rows.next();
          },
        );
        await bench.answers(session, "after a stream with a wrong number of arguments");
      }
    },
  },
];
