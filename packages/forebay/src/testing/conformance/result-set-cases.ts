// Cases of several statements in one text: `DriverRows.nextResultSet` and `hasNextResultSet`.

import type { DriverRows } from "../../driver/driver.ts";
import { type Bench, check, need, type Session, skipUnless } from "./bench.ts";
import type { CaseSpec } from "./case.ts";
import { checkColumns, checkSeries, checkServerError } from "./statement-cases.ts";

/** How the results of several statements are read. */
export const resultSetCases: readonly CaseSpec[] = [
  {
    name: "has both members for several results, or neither, and tells the end of one",
    rule: "DriverRows has both hasNextResultSet and nextResultSet; without them there is one",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const rows = await bench.does("stream", () => conn.stream(bench.dialect.series(3), []));
      const has = rows.hasNextResultSet !== undefined;
      const goes = rows.nextResultSet !== undefined;
      check(has === goes, "the rows have one of hasNextResultSet and nextResultSet only");
      checkSeries(await bench.readAll("next", rows), 3);
      check(rows.hasNextResultSet !== true, "hasNextResultSet is true after the only result");
    },
  },
  {
    name: "gives several results, one behind the other",
    rule:
      "DriverRows.nextResultSet goes to the next result; hasNextResultSet, at the end of one, " +
      "says whether another follows. At the end of all, the connection can take another call",
    run: async (bench) => {
      const session = await bench.connect();
      const counts = [2, 0, 1000];
      const rows = await several(bench, session, counts.map(bench.dialect.series));
      for (const [index, count] of counts.entries()) {
        const isLast = index === counts.length - 1;
        checkColumns(rows.columns);
        check(rows.rowsAffected === 0, `rowsAffected is ${rows.rowsAffected} before the end`);
        checkSeries(await bench.readAll("next", rows), count);
        const again = await bench.does("next at the end of a result", () => rows.next());
        check(again === undefined, "next went on to the next result by itself");
        const says = String(rows.hasNextResultSet);
        check(rows.hasNextResultSet === !isLast, `hasNextResultSet is ${says} after ${index + 1}`);
        if (!isLast) await advance(bench, rows, "there");
      }
      await advance(bench, rows, "at its end");
      await bench.answers(session, "after several results");
    },
  },
  {
    name: "passes over what is left of a result",
    rule: "DriverRows.nextResultSet goes past what is left of the present result",
    run: async (bench) => {
      const session = await bench.connect();
      for (const portions of [0, 1]) {
        const { series } = bench.dialect;
        const rows = await several(bench, session, [series(5000), series(3)]);
        for (let i = 0; i < portions; i++) await bench.does("next", () => rows.next());
        await advance(bench, rows, "there");
        checkSeries(await bench.readAll("next", rows), 3);
        await advance(bench, rows, "at its end");
        await bench.answers(session, "after results that were passed over");
      }
    },
  },
  {
    name: "closes several results early, and can be used on",
    rule: "DriverRows.close ends all results, and resolves once the connection can take a call",
    run: async (bench) => {
      const session = await bench.connect();
      const { series } = bench.dialect;
      const rows = await several(bench, session, [series(5000), series(5000)]);
      await bench.does("next", () => rows.next());
      await bench.does("closing rows early", () => rows.close());
      await bench.answers(session, "after several results that were closed early");
      const there = await bench.does("nextResultSet after close", async () =>
        rows.nextResultSet?.(),
      );
      check(there === false, "nextResultSet went on after close");
    },
  },
  {
    name: "rejects the result of a statement that fails, and can be used on",
    rule: "DriverRows.nextResultSet rejects as its statement does; then the rows are closed",
    run: async (bench) => {
      const session = await bench.connect();
      const { series, failing } = bench.dialect;
      const rows = await several(bench, session, [series(2), failing]);
      const error = await bench.rejects("reading a result whose statement fails", async () => {
        do while ((await rows.next()) !== undefined);
        while (await rows.nextResultSet?.());
      });
      checkServerError(error);
      await bench.answers(session, "after a result whose statement failed");
    },
  },
  {
    name: "gives the last result of several to query",
    rule: "DriverConn.query: of several statements the last result counts",
    run: async (bench) => {
      const { conn } = await bench.connect();
      const { dialect } = bench;
      skipUnless(dialect.several !== undefined, NO_SEVERAL);
      const sql = dialect.several([dialect.series(5), dialect.series(3)]);
      const result = await bench.does("query of several statements", () => conn.query(sql, []));
      checkSeries(result.rows, 3);
    },
  },
];

const NO_SEVERAL = "the dialect has no several: one statement to a text";

async function several(
  bench: Bench,
  { conn }: Session,
  statements: readonly string[],
): Promise<DriverRows> {
  const { dialect } = bench;
  skipUnless(dialect.several !== undefined, NO_SEVERAL);
  const sql = dialect.several(statements);
  const rows = await bench.does("streaming several statements", () => conn.stream(sql, []));
  if (rows.nextResultSet === undefined) await rows.close();
  skipUnless(rows.nextResultSet !== undefined, "the rows have no nextResultSet");
  return rows;
}

async function advance(bench: Bench, rows: DriverRows, to: "there" | "at its end"): Promise<void> {
  const there = need(
    await bench.does("nextResultSet", async () => rows.nextResultSet?.()),
    "the rows have no nextResultSet",
  );
  check(there === (to === "there"), `nextResultSet gives ${String(there)}`);
}
