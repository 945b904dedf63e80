// What a client and a server have said to each other once, by name. The same calls are made when
// the server's side is recorded (scripts/capture-golden.ts) and when the record is played to a
// client.

import {
  copyTo,
  type PgConnection,
  type PostgresOptions,
} from "../../packages/forebay/src/postgres/index.ts";
import { MORE_TYPES_SQL, RECORDS_SQL, TYPES_SQL } from "./types-sql.ts";

/** What came of one call: its value, or its error. */
export type Told = { readonly value: unknown } | { readonly error: unknown };

/** Takes the outcome of a call, whichever it is. */
export type Tell = (call: Promise<unknown>) => Promise<unknown>;

/** A session after its beginning. */
export interface Conversation {
  readonly name: string;
  /** What there is to see in it. */
  readonly about: string;
  readonly options?: PostgresOptions;
  run(conn: PgConnection, tell: Tell): Promise<void>;
}

async function bytesOf(pieces: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString("latin1");
}

async function rowsOf(rows: AsyncIterable<unknown[]>): Promise<unknown[][]> {
  const all: unknown[][] = [];
  for await (const row of rows) all.push(row);
  return all;
}

/** The rows of each result of a stream; of the first portions only, where a number is given. */
async function results(conn: PgConnection, sql: string, count = Infinity): Promise<unknown[][]> {
  const rows = await conn.stream(sql, []);
  const all: unknown[][] = [[]];
  try {
    for (let portions = 0; portions < count; ) {
      const portion = await rows.next();
      if (portion !== undefined) {
        all.at(-1)?.push(...portion);
        portions++;
      } else if ((await rows.nextResultSet?.()) === true) all.push([]);
      else break;
    }
  } finally {
    await rows.close();
  }
  return all;
}

const FUNCTIONS = `
CREATE FUNCTION pg_temp.both(IN a int, OUT half numeric, INOUT b text) LANGUAGE sql
  AS 'SELECT a / 2.0, b || ''!''';
CREATE PROCEDURE pg_temp.change(INOUT a int, OUT b text) LANGUAGE plpgsql
  AS 'BEGIN a := a + 1; b := ''done''; END'`;

const RAISE = `DO $$ BEGIN RAISE EXCEPTION 'message' USING DETAIL = 'detail', HINT = 'hint',
  ERRCODE = '22012', COLUMN = 'column', CONSTRAINT = 'constraint', DATATYPE = 'type',
  TABLE = 'table', SCHEMA = 'schema'; END $$`;

/** Those that begin with what every session begins with. */
export const CONVERSATIONS: readonly Conversation[] = [
  {
    name: "simple-several-results",
    about: "one Query with several statements, each with a result, one without, one empty",
    run: async (conn, tell) => {
      await tell(
        conn.query("SELECT 1 AS a; SELECT 'x' AS b, NULL AS c WHERE true; ; SET a.b = 1", []),
      );
      await tell(results(conn, "SELECT 1 AS a; SET a.b = 2; SELECT 2 AS b UNION SELECT 3"));
    },
  },
  {
    name: "types",
    about: "the extended query, with every built-in type: as text at first, then in binary",
    run: async (conn, tell) => {
      await tell(conn.query(TYPES_SQL, [], { rowMode: "array" }));
      await tell(conn.query(TYPES_SQL, [], { rowMode: "array" }));
      await tell(conn.query(MORE_TYPES_SQL, []));
      await tell(conn.query(MORE_TYPES_SQL, []));
    },
  },
  {
    name: "records",
    about: "rows as values, with every built-in type in binary",
    run: async (conn, tell) => {
      await tell(prepared(conn, RECORDS_SQL, []));
    },
  },
  {
    name: "parameters",
    about: "parameters of several types, as text at first, then in binary",
    run: async (conn, tell) => {
      const sql =
        "SELECT $1::int + 1 AS n, $2::text[] AS list, $3::timestamptz AS at, $4::jsonb AS j";
      const args = [41, ["a", null, "c"], new Date(0), { a: [1] }];
      await tell(conn.query(sql, args));
      await tell(conn.query(sql, args));
    },
  },
  {
    name: "errors",
    about: "an error with every field that a function can set, one with a position, one inside",
    run: async (conn, tell) => {
      await tell(conn.query(RAISE, []));
      await tell(conn.query("SELECT 1 + nothing", []));
      await tell(conn.query("DO $$ BEGIN EXECUTE 'SELECT 1 +'; END $$", []));
      await tell(conn.query("CREATE TEMP TABLE t (id int NOT NULL CHECK (id > 0))", []));
      await tell(conn.query("INSERT INTO t VALUES (NULL)", []));
      await tell(conn.query("INSERT INTO t VALUES ($1)", [0]));
    },
  },
  {
    name: "changes",
    about: "the tags of statements that change rows, with rows to return and without",
    run: async (conn, tell) => {
      await tell(conn.query("CREATE TEMP TABLE t AS SELECT n FROM generate_series(1, 12) n", []));
      await tell(conn.query("INSERT INTO t VALUES ($1), (14) RETURNING n", [13]));
      await tell(conn.query("UPDATE t SET n = n + 100 WHERE n > 2", []));
      await tell(conn.query("DELETE FROM t", []));
      await tell(conn.query("INSERT INTO t SELECT 1; TRUNCATE t", []));
    },
  },
  {
    name: "notices",
    about: "notices before the end of a statement, and a parameter of the session that changes",
    options: { onNotice: () => undefined },
    run: async (conn, tell) => {
      const raise = "RAISE WARNING 'told' USING DETAIL = 'detail', ERRCODE = '01F00'";
      await tell(conn.query(`DO $$ BEGIN ${raise}; RAISE NOTICE 'too'; END $$`, []));
      await tell(conn.query("DROP TABLE IF EXISTS nothing", []));
      await tell(conn.query("SET application_name = 'other'", []));
      await tell(conn.query("SET TimeZone = 'Asia/Tokyo'", []));
    },
  },
  {
    name: "notifications",
    about: "notifications of the session itself, with a payload and without",
    run: async (conn, tell) => {
      const heard: unknown[] = [];
      conn.onNotification((notification) => heard.push(notification));
      await tell(conn.query('LISTEN news; LISTEN "Other News"', []));
      await tell(conn.query("NOTIFY news, 'first'; NOTIFY \"Other News\"", []));
      await tell(conn.query("SELECT pg_notify('news', $1)", ["née"]));
      await tell(Promise.resolve(heard));
    },
  },
  {
    name: "copy-in",
    about: "COPY from the client: whole, of nothing, refused by the server, given up by the source",
    run: async (conn, tell) => {
      await tell(conn.query("CREATE TEMP TABLE t (id int PRIMARY KEY, name text)", []));
      await tell(conn.copyIn("COPY t FROM STDIN", ["1\ta\n2\t", Buffer.from("b\n")]));
      await tell(conn.copyIn("COPY t FROM STDIN", []));
      await tell(conn.copyIn("COPY t FROM STDIN", ["3\tc\nx\ty\n"]));
      const broken = (function* () {
        yield "4\td\n";
        throw new RefusedSource();
      })();
      await tell(conn.copyIn("COPY t FROM STDIN", broken));
      await tell(conn.query("SELECT * FROM t", []));
      await tell(conn.query("COPY t FROM STDIN", []));
    },
  },
  {
    name: "copy-out",
    about: "COPY to the client: as text, as rows of both formats, of nothing",
    run: async (conn, tell) => {
      const query = "SELECT n AS id, 'a\tb' AS name, NULL::text AS no FROM generate_series(1, 3) n";
      await tell(bytesOf(conn.copyOut(`COPY (${query}) TO STDOUT`)));
      await tell(bytesOf(copyTo(conn, { query, format: "csv", header: true })));
      await tell(rowsOf(copyTo(conn, { query }).rows()));
      await tell(rowsOf(copyTo(conn, { query, format: "binary" }).rows()));
      await tell(bytesOf(conn.copyOut(`COPY (${query} WHERE false) TO STDOUT`)));
      await tell(conn.query(`COPY (${query}) TO STDOUT`, []));
    },
  },
  {
    name: "empty-query",
    about: "a query of nothing, in both protocols",
    run: async (conn, tell) => {
      await tell(conn.ping());
      await tell(conn.query("-- nothing", []));
      await tell(conn.pipeline([{ sql: "" }, { sql: "SELECT 1 AS one" }]));
    },
  },
  {
    name: "portal-suspended",
    about: "rows in portions: to the end, given up, and with an error in the third portion",
    options: { fetchRowsMax: 2 },
    run: async (conn, tell) => {
      await tell(results(conn, "SELECT n FROM generate_series(1, 5) n"));
      await tell(results(conn, "SELECT n FROM generate_series(1, 50) n", 1));
      await tell(results(conn, "SELECT 1 / (5 - n) FROM generate_series(1, 6) n"));
    },
  },
  {
    name: "prepare-describe",
    about: "statements that are prepared and described: with parameters, without columns, wrong",
    run: async (conn, tell) => {
      await tell(
        prepared(conn, "SELECT $1::int AS a, $2::text AS b, $3 || 'x' AS c", [1, "b", "c"]),
      );
      await tell(prepared(conn, "SET a.b = 1", []));
      await tell(prepared(conn, "SELECT nothing", []));
    },
  },
  {
    name: "out-parameters",
    about: "a function and a procedure that give their results in OUT parameters",
    run: async (conn, tell) => {
      await tell(conn.query(FUNCTIONS, []));
      await tell(conn.query("SELECT * FROM pg_temp.both($1, $2)", [3, "b"]));
      await tell(conn.query("SELECT pg_temp.both(3, 'b')", []));
      await tell(conn.query("CALL pg_temp.change($1, NULL)", [1]));
    },
  },
  {
    name: "batch-with-error",
    about:
      "statements that are sent together, with an error in the middle, under one Sync and many",
    run: async (conn, tell) => {
      const batch = [{ sql: "SELECT 1 AS a" }, { sql: "SELECT 1 / 0" }, { sql: "SELECT 2 AS b" }];
      await tell(conn.pipeline(batch));
      await tell(conn.pipelineSettled(batch));
      await tell(
        conn.pipeline([{ sql: "SELECT $1::int AS c", args: [3] }, { sql: "SELECT 4 AS d" }]),
      );
    },
  },
  {
    name: "transaction-states",
    about: "ReadyForQuery in each of its three states",
    run: async (conn, tell) => {
      await tell(conn.begin({}));
      await tell(conn.query("SELECT 1 AS a", []));
      await tell(conn.query("SELECT 1 / 0", []));
      await tell(conn.query("SELECT 1", []));
      await tell(conn.commit());
      await tell(conn.query("SELECT 2 AS b", []));
    },
  },
  {
    name: "fatal-error",
    about: "the server ends the session in the middle of a statement",
    run: async (conn, tell) => {
      await tell(conn.query("SELECT 1 AS a", []));
      await tell(conn.query("SELECT pg_terminate_backend(pg_backend_pid())", []));
      await tell(conn.query("SELECT 2 AS b", []));
    },
  },
];

/** What a source gives in place of data. */
export class RefusedSource extends Error {
  readonly code = "SOURCE_REFUSED";
}

async function prepared(
  conn: PgConnection,
  sql: string,
  args: readonly unknown[],
): Promise<unknown> {
  const statement = await conn.prepare(sql);
  const first = await statement.query(args);
  const second = await statement.query(args);
  await statement.close();
  return [first, second];
}
