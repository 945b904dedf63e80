// Cases of `DriverConn.prepare` and `DriverStmt`.

import { check } from "./bench.ts";
import type { CaseSpec } from "./case.ts";
import {
  AWKWARD,
  checkArrays,
  checkColumns,
  checkSeries,
  checkServerError,
  onlyValue,
} from "./statement-cases.ts";

/** How prepared statements run. */
export const preparedCases: readonly CaseSpec[] = [
  {
    name: "runs a prepared statement again and again",
    rule: "DriverStmt.query runs the statement with other arguments each time",
    run: async (bench) => {
      const session = await bench.connect();
      const stmt = await bench.does("prepare", () => session.conn.prepare(bench.dialect.echo));
      for (const text of ["one", AWKWARD, "", null]) {
        const result = await bench.does("running a prepared statement", () =>
          stmt.query([text], { rowMode: "array" }),
        );
        const got = onlyValue(result);
        check(got === text, `sent ${JSON.stringify(text)}, and got ${JSON.stringify(got)} back`);
        await bench.answers(session, "between two runs of a prepared statement");
      }
    },
  },
  {
    name: "gives the rows of a prepared statement as query does",
    rule: "DriverStmt.query and stream take the options of statements, and give the same results",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.series(3)));
      const result = await bench.does("running a prepared statement", () => stmt.query([]));
      checkColumns(result.columns);
      checkSeries(result.rows, 3);
      const arrays = await bench.does("running a prepared statement", () =>
        stmt.query([], { rowMode: "array" }),
      );
      checkArrays(arrays.rows);
    },
  },
  {
    name: "streams the rows of a prepared statement",
    rule: "DriverStmt.stream is as DriverConn.stream",
    run: async (bench) => {
      const session = await bench.connect();
      const { conn } = session;
      const stmt = await bench.does("prepare", () => conn.prepare(bench.dialect.series(5000)));
      const rows = await bench.does("streaming a prepared statement", () => stmt.stream([]));
      checkColumns(rows.columns);
      checkSeries(await bench.readAll("next", rows), 5000);
      const early = await bench.does("streaming it again", () => stmt.stream([]));
      await bench.does("next", () => early.next());
      await bench.does("closing rows early", () => early.close());
      await bench.answers(session, "after rows of a prepared statement that were closed early");
      const all = await bench.does("streaming it once more", () => stmt.stream([]));
      checkSeries(await bench.readAll("next", all), 5000);
    },
  },
  {
    name: "keeps several prepared statements apart",
    rule: "DriverConn.prepare prepares any number of statements on one connection",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const three = await bench.does("prepare", () => conn.prepare(bench.dialect.series(3)));
      const five = await bench.does("prepare", () => conn.prepare(bench.dialect.series(5)));
      const again = await bench.does("prepare", () => conn.prepare(bench.dialect.series(3)));
      const run = (stmt: typeof three) =>
        bench.does("running a prepared statement", () => stmt.query([]));
      checkSeries((await run(three)).rows, 3);
      checkSeries((await run(five)).rows, 5);
      await bench.does("closing a prepared statement", () => three.close());
      checkSeries((await run(again)).rows, 3);
      checkSeries((await run(five)).rows, 5);
    },
  },
  {
    name: "closes a prepared statement, once or twice, and can be used on",
    rule: "DriverStmt.close never rejects; no effect on a second call",
    run: async (bench) => {
      const session = await bench.connect();
      const stmt = await bench.does("prepare", () => session.conn.prepare(bench.dialect.echo));
      await bench.does("closing a prepared statement", () => stmt.close());
      await bench.does("closing it again", () => stmt.close());
      await bench.answers(session, "after a prepared statement was closed");
    },
  },
  {
    name: "rejects a prepared statement that the server refuses, and can be used on",
    rule: "DriverConn.prepare, or the first run, rejects with the server's error",
    run: async (bench) => {
      const session = await bench.connect();
      const error = await bench.rejects(
        "preparing and running what the server refuses",
        async () => {
          const stmt = await session.conn.prepare(bench.dialect.failing);
          await stmt.query([]);
        },
      );
      checkServerError(error);
      await bench.answers(session, "after a prepared statement that the server refused");
    },
  },
  {
    name: "keeps a prepared statement that was run with a wrong number of arguments",
    rule: "What cannot be run as it was asked for is rejected, and leaves the statement usable",
    run: async (bench) => {
      const session = await bench.connect();
      const stmt = await bench.does("prepare", () => session.conn.prepare(bench.dialect.echo));
      for (const args of [[], ["one", "two"]]) {
        await bench.rejects(`a prepared statement of one argument, given ${args.length},`, () =>
          stmt.query(args),
        );
        await bench.answers(session, "after a wrong number of arguments");
        const result = await bench.does("the prepared statement afterwards", () =>
          stmt.query(["one"], { rowMode: "array" }),
        );
        check(onlyValue(result) === "one", "the prepared statement gives something else now");
      }
    },
  },
];
