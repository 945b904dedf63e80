// Several statements in one text: what their results look like, and how they are fetched.

import { afterEach, describe, expect, inject, test } from "vitest";
import { type DB, openDB } from "../../packages/forebay/src/sql/db.ts";
import {
  namedArgs,
  type PgConnection,
  postgres,
} from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, rowsOf } from "./wire-session.ts";

const open: DB<PgConnection>[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});

function single(): DB<PgConnection> {
  const db = openDB(postgres(inject("postgresUrl"), { env: {} }), { maxOpenConns: 1 });
  open.push(db);
  return db;
}

describe("several statements in one text", () => {
  test("give a result each, and the connection back after the last", async () => {
    const db = single();
    const rows = db.rows<Record<string, unknown>>(`
      CREATE TEMP TABLE t (n int);
      INSERT INTO t SELECT generate_series(1, 3);
      SELECT n FROM t ORDER BY n; -- the rows
      SELECT count(*) AS all, 'x; y' AS text FROM t;
      SELECT 1 AS none WHERE false`);
    const seen: unknown[] = [];
    do {
      const of: unknown[] = [];
      for await (const row of rows) of.push(row);
      seen.push([rows.columns.map((column) => column.name), of, rows.rowsAffected]);
    } while (await rows.nextResultSet());
    expect(seen).toEqual([
      [[], [], 0],
      [[], [], 3],
      [["n"], [{ n: 1 }, { n: 2 }, { n: 3 }], 3],
      [["all", "text"], [{ all: 3, text: "x; y" }], 1],
      [["none"], [], 0],
    ]);
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  test("a failure rejects where its result would be, and undoes what came before", async () => {
    const db = single();
    await db.exec("CREATE TABLE IF NOT EXISTS result_sets_undone (n int)");
    const rows = db.rows("INSERT INTO result_sets_undone VALUES (1); SELECT 1/0; SELECT 2");
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(rows.rowsAffected).toBe(1);
    const step = async () => {
      while (await rows.nextResultSet()) await rows.next();
    };
    expect(await errorOf(step())).toMatchObject({ code: "22012" });
    expect(await db.queryRow("SELECT count(*) AS n FROM result_sets_undone")).toEqual({ n: 0 });
    await db.exec("DROP TABLE result_sets_undone");
  });

  test("a failure of the first statement rejects the first read", async () => {
    const db = single();
    const rows = db.rows("SELECT 1/0; SELECT 1");
    const all = async () => {
      do {
        for await (const _row of rows) continue;
      } while (await rows.nextResultSet());
    };
    expect(await errorOf(all())).toMatchObject({ code: "22012" });
    expect(await errorOf(rows.next())).toMatchObject({ code: "22012" });
    expect(await errorOf(db.rows("SELECT 1; SELEC").next())).toMatchObject({ code: "42601" });
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  test("a value that cannot be read fails its result, after those before it", async () => {
    const db = single();
    const rows = db.rows("SELECT 1 AS a; SELECT '290000-01-01'::timestamptz AS b; SELECT 2");
    expect(await rows.next()).toEqual({ done: false, value: { a: 1 } });
    const step = async () => {
      while (await rows.nextResultSet()) await rows.next();
    };
    expect(await errorOf(step())).toMatchObject({ code: "VALUE_OUT_OF_RANGE" });
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  test("make the server wait for a reader who is slow", async () => {
    const db = single();
    const observer = await connect();
    const { pid } = await db.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const sql = "SELECT repeat('x', 1000) AS x FROM generate_series(1, 100000)";
    const rows = db.rows<{ x: string }>(`SELECT 1; ${sql}; SELECT 2 AS last`);
    expect(await rows.nextResultSet()).toBe(true);
    await rows.next();
    // Long enough for all of it to arrive, if nothing held it back.
    await observer.query("SELECT pg_sleep(1.5)", []);
    const stalled = "SELECT wait_event FROM pg_stat_activity WHERE pid = $1";
    expect(await rowsOf(observer, stalled, [pid])).toEqual([{ wait_event: "ClientWrite" }]);
    let count = 1;
    for await (const { x } of rows) count += x.length / 1000;
    expect(count).toBe(100_000);
    expect(await rows.nextResultSet()).toBe(true);
    expect(await rows.next()).toEqual({ done: false, value: { last: 2 } });
    expect(await rows.nextResultSet()).toBe(false);
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  test("can be closed early, and aborted, at any point", async () => {
    const db = single();
    const sql =
      "SELECT 1 AS a; SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n; SELECT 3";
    const pid = await db.queryRow("SELECT pg_backend_pid()");
    for (let steps = 0; steps < 6; steps++) {
      for (const how of ["close", "abort"] as const) {
        const controller = new AbortController();
        const rows = db.rows(sql, [], { signal: controller.signal });
        for (let step = 0; step < steps; step++) {
          if (step % 2 === 0) await rows.next();
          else await rows.nextResultSet();
        }
        if (how === "close") await rows.close();
        else controller.abort("enough");
        const after = String(await errorOf(rows.next()));
        expect(after).toContain(how === "close" ? "ROWS_CLOSED" : "enough");
        expect(await db.queryRow("SELECT 7 AS seven")).toEqual({ seven: 7 });
      }
    }
    expect(await db.queryRow("SELECT pg_backend_pid()")).toEqual(pid);
  });

  test("an abort while the server works on the next statement stops it", async () => {
    const db = single();
    const controller = new AbortController();
    const rows = db.rows("SELECT 1 AS a; SELECT pg_sleep(3600)", [], { signal: controller.signal });
    const first = errorOf(
      (async () => {
        while (await rows.nextResultSet()) await rows.next();
      })(),
    );
    setImmediate(() => controller.abort("enough"));
    expect(await first).toBe("enough");
    expect(await db.queryRow("SELECT 7 AS seven")).toEqual({ seven: 7 });
  });

  test("a COPY among them is refused, and the connection stays usable", async () => {
    const db = single();
    await db.withConn(async (conn) => {
      await conn.exec("CREATE TEMP TABLE c (n int)");
      const rows = conn.rows("SELECT 1 AS a; COPY c FROM STDIN; SELECT 2");
      const all = async () => {
        do {
          for await (const _row of rows) continue;
        } while (await rows.nextResultSet());
      };
      expect(await errorOf(all())).toMatchObject({ code: "ARGUMENT_INVALID" });
      expect(await conn.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
    });
  });

  test("run in a transaction that is open", async () => {
    const db = single();
    await db.transaction(async (tx) => {
      const rows = tx.rows("CREATE TEMP TABLE in_tx (n int) ON COMMIT DROP; SELECT 1 AS one");
      expect(await rows.nextResultSet()).toBe(true);
      expect(await rows.next()).toEqual({ done: false, value: { one: 1 } });
      expect(await rows.nextResultSet()).toBe(false);
      expect(await tx.queryRow("SELECT count(*) AS n FROM in_tx")).toEqual({ n: 0 });
    });
  });

  test("a body with semicolons is one statement, whoever counts them", async () => {
    const db = single();
    const rows = db.rows(`CREATE FUNCTION pg_temp.two() RETURNS int LANGUAGE SQL
      BEGIN ATOMIC SELECT 1; SELECT 2; END`);
    expect(await rows.next()).toEqual({ done: true, value: undefined });
    expect(await rows.nextResultSet()).toBe(false);
  });
});

test("columns tell the length and the digits that they were declared with", async () => {
  const db = single();
  const types = {
    v: "varchar(20)",
    c: "char(3)",
    t: "text",
    plain: "varchar",
    money: "numeric(12,2)",
    round: "numeric(4,-2)",
    any: "numeric",
    i: "int4",
    ts: "timestamp(3)",
  };
  const list = Object.entries(types).map(([name, type]) => `NULL::${type} AS ${name}`);
  const expected = [
    { name: "v", type: "varchar", length: 20 },
    { name: "c", type: "bpchar", length: 3 },
    { name: "t", type: "text" },
    { name: "plain", type: "varchar" },
    { name: "money", type: "numeric", precision: 12, scale: 2 },
    { name: "round", type: "numeric", precision: 4, scale: -2 },
    { name: "any", type: "numeric" },
    { name: "i", type: "int4" },
    { name: "ts", type: "timestamp" },
  ];
  const sql = `SELECT ${list.join(", ")}`;
  expect((await db.query(sql)).columns).toStrictEqual(expected);
  expect((await db.query(`${sql} WHERE $1::bool`, [true])).columns).toStrictEqual(expected);
  await using stmt = await db.prepare(sql);
  expect((await stmt.query()).columns).toStrictEqual(expected);
});

test("names become positions on the server too", async () => {
  const db = single();
  const [sql, args] = namedArgs(
    "SELECT @n::int + 1 AS a, '@n' AS b, $$@n$$ AS c, ARRAY[1] <@ ARRAY[@n::int, 1] AS d /* @x */",
    { n: 41 },
  );
  expect(await db.queryRow(sql, args)).toEqual({ a: 42, b: "@n", c: "@n", d: true });
});

test("an argument that PostgreSQL cannot take is named by its number", async () => {
  const db = single();
  await using stmt = await db.prepare("SELECT $1::int4 + $2::int4");
  const error = await errorOf(stmt.query([1, 1.5]));
  expect(error).toMatchObject({ code: "ARGUMENT_INVALID" });
  expect(String(error)).toContain("argument 2: cannot send a number as int4");
});
