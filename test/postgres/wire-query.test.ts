// Statements on a real server: simple, parameterised, prepared, streamed, and in transactions.

import { describe, expect, test } from "vitest";
import {
  isPgError,
  type PgConnection,
  type PgNotice,
} from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, openSession, rowsOf } from "./wire-session.ts";

/** A table whose second row of the same value is refused at the commit only. */
const LATE = `CREATE TEMP TABLE late (i int UNIQUE DEFERRABLE INITIALLY DEFERRED);
  INSERT INTO late VALUES (1)`;

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return ((await errorOf(promise)) as { readonly code?: unknown }).code;
}

/** A column's value in the only row. */
async function valueOf(conn: PgConnection, sql: string, args: readonly unknown[] = []) {
  const { rows } = await conn.query(sql, args, { rowMode: "array" });
  return (rows as unknown[][])[0]?.[0];
}

describe("a statement", () => {
  test("gives columns, rows, a count and a command", async () => {
    const conn = await connect();
    const text = "SELECT i AS n, 'x' || i AS s FROM generate_series(1, 3) i";
    const expected = {
      columns: [
        { name: "n", type: "int4" },
        { name: "s", type: "text" },
      ],
      rows: [
        { n: 1, s: "x1" },
        { n: 2, s: "x2" },
        { n: 3, s: "x3" },
      ],
      rowsAffected: 3,
      command: "SELECT",
    };
    expect(await conn.query(text, [])).toEqual(expected);
    expect(await conn.query(`${text} WHERE i > $1`, [0])).toEqual(expected);
    expect(await (await conn.prepare(text)).query([])).toEqual(expected);
  });

  test.each([
    ["CREATE TEMP TABLE t (i int)", "CREATE TABLE", 0],
    ["INSERT INTO t VALUES (1), (2)", "INSERT", 2],
    ["UPDATE t SET i = i + 1", "UPDATE", 2],
    ["DELETE FROM t WHERE i = 2", "DELETE", 1],
    ["SET search_path TO pg_temp", "SET", 0],
    ["", "", 0],
  ])("%j says %s and counts %d", async (sql, command, rowsAffected) => {
    const conn = await connect();
    await conn.query("CREATE TEMP TABLE IF NOT EXISTS t (i int)", []);
    if (sql.startsWith("CREATE")) await conn.query("DROP TABLE t", []);
    if (/UPDATE|DELETE/u.test(sql)) await conn.query("INSERT INTO t VALUES (1), (2)", []);
    expect(await conn.query(sql, [])).toEqual({ columns: [], rows: [], rowsAffected, command });
  });

  test("of several, the last one's result counts", async () => {
    const conn = await connect();
    const last = await conn.query("SELECT 1 AS a; SELECT 2 AS b, 3 AS c", []);
    expect(last.rows).toEqual([{ b: 2, c: 3 }]);
    const none = await conn.query("SELECT 1 AS a; SET search_path TO public", []);
    expect(none).toEqual({ columns: [], rows: [], rowsAffected: 0, command: "SET" });
  });

  test("that fails keeps the connection, and its error has the server's fields", async () => {
    const conn = await connect();
    await conn.query("CREATE TEMP TABLE pets (name text CONSTRAINT named CHECK (name <> ''))", []);
    const error = await errorOf(conn.query("INSERT INTO pets VALUES ($1)", [""]));
    expect(isPgError(error)).toBe(true);
    expect(error).toMatchObject({
      code: "23514",
      sqlstate: "23514",
      severity: "ERROR",
      table: "pets",
      constraint: "named",
      detail: "Failing row contains ().",
    });
    const syntax = await errorOf(conn.query("SELEC 1", []));
    expect(syntax).toMatchObject({ code: "42601", position: 1, routine: "scanner_yyerror" });
    expect(conn.isValid()).toBe(true);
    expect(await valueOf(conn, "SELECT 1")).toBe(1);
  });

  test("that fails after rows gives no rows, whichever protocol it went by", async () => {
    const conn = await connect();
    const sql = "SELECT 10 / (5 - i) FROM generate_series(1, 10) i WHERE i > $1::int";
    expect(await codeOf(conn.query(sql, [0]))).toBe("22012");
    expect(await codeOf(conn.query(sql.replace("$1::int", "0"), []))).toBe("22012");
    expect(await codeOf((await conn.prepare(sql)).query([0]))).toBe("22012");
    expect(await valueOf(conn, "SELECT 1")).toBe(1);
  });

  test("with columns named like properties of Object.prototype gives plain data", async () => {
    const conn = await connect();
    const sql = `SELECT 1 AS __proto__, 2 AS constructor, 3 AS "toString", 4 AS "hasOwnProperty"`;
    for (const result of [await conn.query(sql, []), await (await conn.prepare(sql)).query([])]) {
      const row = result.rows[0] as object;
      expect(Object.entries(row)).toEqual([
        ["__proto__", 1],
        ["constructor", 2],
        ["toString", 3],
        ["hasOwnProperty", 4],
      ]);
      expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    }
    expect(({} as Record<string, unknown>)["constructor"]).toBe(Object);
  });

  test("with two columns of one name gives the last one, and both in an array", async () => {
    const conn = await connect();
    expect(await rowsOf(conn, "SELECT 1 AS x, 2 AS x")).toEqual([{ x: 2 }]);
    const { rows } = await conn.query("SELECT 1 AS x, 2 AS x", [], { rowMode: "array" });
    expect(rows).toEqual([[1, 2]]);
  });

  test("takes a value that is larger than any buffer on the way", async () => {
    const conn = await connect();
    const big = "é".repeat(3_000_000);
    expect(await valueOf(conn, "SELECT $1::text", [big])).toBe(big);
    expect(await valueOf(conn, "SELECT repeat('x', 20000000)")).toHaveLength(20_000_000);
  });

  test("refuses arguments that cannot be sent, and sends nothing", async () => {
    const conn = await connect();
    const stmt = await conn.prepare("SELECT $1::int4");
    expect(await codeOf(conn.query("SELECT $1", [Symbol("no")]))).toBe("ARGUMENT_INVALID");
    expect(await codeOf(conn.query("SELECT 1\0", []))).toBe("ARGUMENT_INVALID");
    expect(await codeOf(stmt.query([1, 2]))).toBe("ARGUMENT_INVALID");
    expect(await codeOf(stmt.query([2 ** 40]))).toBe("ARGUMENT_INVALID");
    expect(await codeOf(stmt.stream([]))).toBe("ARGUMENT_INVALID");
    const many = Array.from({ length: 70_000 }, () => 1);
    expect(await codeOf(conn.query("SELECT 1", many))).toBe("ARGUMENT_INVALID");
    expect((await stmt.query([7])).rows).toEqual([{ int4: 7 }]);
  });

  test("that copies is refused, and the connection goes on", async () => {
    const conn = await connect();
    await conn.query("CREATE TEMP TABLE copied (i int)", []);
    for (const sql of [
      "COPY copied FROM STDIN",
      "COPY copied TO STDOUT",
      "COPY (SELECT 1) TO STDOUT",
    ]) {
      expect(await codeOf(conn.query(sql, []))).toBe("ARGUMENT_INVALID");
      const stmt = await conn.prepare(sql);
      expect(await codeOf(stmt.query([]))).toBe("ARGUMENT_INVALID");
      const rows = await stmt.stream([]);
      expect(await codeOf(rows.next())).toBe("ARGUMENT_INVALID");
      await rows.close();
      expect(await valueOf(conn, "SELECT count(*) FROM copied")).toBe(0);
    }
  });

  test("may be followed by others before it is answered", async () => {
    const conn = await connect();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => valueOf(conn, "SELECT $1::int", [i])),
    );
    expect(answers).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test("can notify the connection that listens", async () => {
    const conn = await connect();
    const heard: unknown[] = [];
    conn.onNotification((notification) => heard.push(notification));
    await conn.query("LISTEN news; NOTIFY news, 'hello'", []);
    expect(heard).toEqual([{ processId: conn.processId, channel: "news", payload: "hello" }]);
  });

  test("that raises a notice gives it to the one who asked for notices", async () => {
    const notices: PgNotice[] = [];
    const conn = await connect({ onNotice: (notice) => notices.push(notice) });
    await conn.query("DO $$ BEGIN RAISE WARNING 'mind the %', 'gap'; END $$", []);
    expect(notices).toMatchObject([{ severity: "WARNING", message: "mind the gap" }]);
  });

  test("keeps the parameters that the server reports up to date", async () => {
    const conn = await connect();
    await conn.query("SET application_name = 'renamed'", []);
    expect(conn.serverParameter("application_name")).toBe("renamed");
  });
});

describe("a prepared statement", () => {
  test("gives the same values as text does, for every policy of int8", async () => {
    const sql = `SELECT 42::int8 AS small, 9007199254740993 AS large, 1.5::float8 AS f, true AS b,
      'é'::text AS t, '\\x00ff'::bytea AS y, '{"a":[1]}'::jsonb AS j, ARRAY[1,NULL,3] AS a,
      '2026-02-03 04:05:06.789+00'::timestamptz AS at, 123.4500::numeric AS n,
      NULL::int AS nothing`;
    for (const int8 of ["auto", "bigint", "string"] as const) {
      const conn = await connect({ int8 });
      const stmt = await conn.prepare(sql);
      expect((await stmt.query([])).rows).toStrictEqual(await rowsOf(conn, sql));
    }
    const conn = await connect();
    const [row] = await rowsOf(conn, sql);
    expect(row).toMatchObject({ small: 42, large: 9007199254740993n, a: [1, null, 3], b: true });
  });

  test("that meets a value without room in a number fails alone", async () => {
    const conn = await connect({ int8: "number" });
    const sql = "SELECT i + 9007199254740990 AS big FROM generate_series(1, 10) i";
    expect(await codeOf(conn.query(sql, []))).toBe("VALUE_OUT_OF_RANGE");
    const stmt = await conn.prepare(sql);
    expect(await codeOf(stmt.query([]))).toBe("VALUE_OUT_OF_RANGE");
    const rows = await stmt.stream([]);
    expect(await codeOf(rows.next())).toBe("VALUE_OUT_OF_RANGE");
    await rows.close();
    expect(await valueOf(conn, "SELECT 1")).toBe(1);
  });

  test("is closed with the next request, and its name is never used again", async () => {
    const conn = await connect({ statementMode: "exec" });
    const count = "SELECT count(*)::int FROM pg_prepared_statements";
    const first = await conn.prepare("SELECT 1");
    const second = await conn.prepare("SELECT 2");
    expect(await valueOf(conn, count)).toBe(2);
    await first.close();
    await first.close();
    expect(await valueOf(conn, count)).toBe(1);
    expect(await codeOf(first.query([]))).toBe("ARGUMENT_INVALID");
    expect((await second.query([])).rows).toHaveLength(1);
    const third = await conn.prepare("SELECT 3");
    await second.close();
    expect((await third.query([])).rows).toHaveLength(1);
    const names = await rowsOf(conn, "SELECT name FROM pg_prepared_statements");
    expect(names).toHaveLength(1);
  });

  test("that does not parse leaves nothing behind", async () => {
    const conn = await connect({ statementMode: "exec" });
    expect(await codeOf(conn.prepare("SELECT FROM nowhere"))).toBe("42P01");
    expect(await valueOf(conn, "SELECT count(*) FROM pg_prepared_statements")).toBe(0);
  });

  test("whose table has changed says so in a way that can be told", async () => {
    const conn = await connect();
    await conn.query("CREATE TEMP TABLE shape (a int)", []);
    const stmt = await conn.prepare("SELECT * FROM shape");
    await stmt.query([]);
    await conn.query("ALTER TABLE shape ADD b int", []);
    const error = await errorOf(stmt.query([]));
    expect(isPgError(error) && [error.code, error.routine]).toEqual([
      "0A000",
      "RevalidateCachedQuery",
    ]);
  });
});

describe("a transaction", () => {
  test.each([
    [{}, "read committed", "off", "off"],
    [{ isolation: "repeatable read" }, "repeatable read", "off", "off"],
    [{ isolation: "read uncommitted", readOnly: true }, "read uncommitted", "on", "off"],
    [{ isolation: "serializable", readOnly: true, deferrable: true }, "serializable", "on", "on"],
  ] as const)("begins as %j asks", async (tx, isolation, readOnly, deferrable) => {
    const conn = await connect();
    await conn.begin(tx);
    expect(conn.txStatus).toBe("T");
    const [row] = await rowsOf(
      conn,
      `SELECT current_setting('transaction_isolation') AS isolation,
        current_setting('transaction_read_only') AS "readOnly",
        current_setting('transaction_deferrable') AS deferrable`,
    );
    expect(row).toEqual({ isolation, readOnly, deferrable });
    await conn.commit();
    expect(conn.txStatus).toBe("I");
  });

  test("that PostgreSQL does not have is refused", async () => {
    const conn = await connect();
    const level = "snapshot" as "serializable";
    expect(await codeOf(conn.begin({ isolation: level }))).toBe("OPTION_INVALID");
    expect(await codeOf(conn.begin({ deferrable: true }))).toBe("OPTION_INVALID");
    expect(conn.txStatus).toBe("I");
  });

  test("that has failed is not committed, and commit says so", async () => {
    const conn = await connect();
    await conn.begin({});
    expect(await codeOf(conn.query("SELECT 1 / 0", []))).toBe("22012");
    expect(conn.txStatus).toBe("E");
    expect(await codeOf(conn.query("SELECT 1", []))).toBe("25P02");
    expect(await codeOf(conn.commit())).toBe("COMMIT_ROLLED_BACK");
    expect(conn.txStatus).toBe("I");
  });

  test("whose commit the server refuses gets the server's error", async () => {
    const conn = await connect();
    await conn.query(LATE, []);
    await conn.begin({});
    await conn.query("INSERT INTO late VALUES (1)", []);
    expect(await codeOf(conn.commit())).toBe("23505");
  });

  test("that was left open, or left failed, is rolled back by the reset", async () => {
    const conn = await connect();
    expect(conn.resetSession()).toBeUndefined();
    for (const sql of ["SELECT 1", "SELECT 1 / 0"]) {
      await conn.begin({});
      await conn.query(sql, []).catch(() => {});
      await conn.resetSession();
      expect(conn.txStatus).toBe("I");
    }
  });
});

describe("rows that are streamed", () => {
  const series = "SELECT i, repeat('x', 100) AS pad FROM generate_series(1, $1::int) i";

  test("come complete and in order, with memory that does not grow with them", async () => {
    const conn = await connect();
    const total = 300_000;
    const stmt = await conn.prepare(series);
    for (const open of [() => conn.stream(series, [total]), () => stmt.stream([total])]) {
      const rows = await open();
      expect(rows.columns.map((column) => column.name)).toEqual(["i", "pad"]);
      let expected = 1;
      let largest = 0;
      for (let portion = await rows.next(); portion; portion = await rows.next()) {
        largest = Math.max(largest, portion.length);
        for (const row of portion as { i: number }[]) {
          if (row.i !== expected++) throw new Error("out of order");
        }
      }
      expect(expected - 1).toBe(total);
      expect(largest).toBeLessThanOrEqual(1000);
      expect(rows.rowsAffected).toBe(total);
      expect(await rows.next()).toBeUndefined();
      await rows.close();
    }
    expect(await valueOf(conn, "SELECT 1")).toBe(1);
  });

  test("come in smaller portions when they are long", async () => {
    const conn = await connect();
    const rows = await conn.stream("SELECT repeat('x', 100000) FROM generate_series(1, 300)", []);
    const sizes: number[] = [];
    for (let portion = await rows.next(); portion; portion = await rows.next()) {
      sizes.push(portion.length);
    }
    expect(sizes[1]).toBe(5);
    expect(sizes.reduce((a, b) => a + b)).toBe(300);
  });

  test("can be few, none, or without columns", async () => {
    const conn = await connect();
    const few = await conn.stream(series, [2]);
    expect(await few.next()).toHaveLength(2);
    expect(await few.next()).toBeUndefined();
    const none = await conn.stream(series, [0]);
    expect(await none.next()).toBeUndefined();
    expect(none.rowsAffected).toBe(0);
    const blank = await conn.stream("CREATE TEMP TABLE streamed (i int)", []);
    expect(blank.columns).toEqual([]);
    expect(await blank.next()).toBeUndefined();
    const inserted = await conn.stream(
      "INSERT INTO streamed SELECT generate_series(1, 2000) RETURNING i",
      [],
    );
    let count = 0;
    for (let part = await inserted.next(); part; part = await inserted.next()) count += part.length;
    expect([count, inserted.rowsAffected]).toEqual([2000, 2000]);
    const empty = await conn.stream("", []);
    expect(await empty.next()).toBeUndefined();
    expect(await valueOf(conn, "SELECT count(*) FROM streamed")).toBe(2000);
  });

  test("can be closed at any point, and the connection takes the next call", async () => {
    const conn = await connect();
    for (const portions of [0, 1, 2, 5]) {
      const rows = await conn.stream(series, [100_000]);
      for (let i = 0; i < portions; i++) expect((await rows.next())?.length).toBeGreaterThan(0);
      await rows.close();
      await rows.close();
      expect(await rows.next()).toBeUndefined();
      expect(await valueOf(conn, "SELECT $1::int", [portions])).toBe(portions);
    }
  });

  test("that the server takes its time over do not hold up their closing", async () => {
    const conn = await connect();
    const rows = await conn.stream("SELECT pg_sleep(60)", []);
    await rows.close();
    expect(await valueOf(conn, "SELECT 1")).toBe(1);
    expect(conn.isValid()).toBe(true);
  });

  test("fail as the statement does, before or after the first portion", async () => {
    const conn = await connect();
    expect(await codeOf(conn.stream("SELECT * FROM nowhere", []))).toBe("42P01");
    const sql = "SELECT 10 / (2500 - i) FROM generate_series(1, 5000) i";
    const rows = await conn.stream(sql, []);
    let count = 0;
    const read = async () => {
      for (let part = await rows.next(); part; part = await rows.next()) count += part.length;
    };
    expect(await codeOf(read())).toBe("22012");
    expect(count).toBeLessThan(2500);
    expect(await codeOf(rows.next())).toBe("22012");
    await rows.close();
    expect(await valueOf(conn, "SELECT 1")).toBe(1);
  });

  test("see what happens at their own commit", async () => {
    const conn = await connect();
    await conn.query(LATE, []);
    const rows = await conn.stream("INSERT INTO late VALUES (1) RETURNING i", []);
    const read = async () => {
      while ((await rows.next()) !== undefined);
    };
    expect(await codeOf(read())).toBe("23505");
  });

  test("keep others from the connection while they are open", async () => {
    const conn = await connect();
    const rows = await conn.stream(series, [100_000]);
    expect(await codeOf(conn.query("SELECT 1", []))).toBe("ARGUMENT_INVALID");
    expect(await rows.next()).toHaveLength(128);
    await rows.close();
  });

  test("work inside a transaction", async () => {
    const conn = await connect();
    await conn.begin({ readOnly: true });
    const rows = await conn.stream(series, [10_000]);
    await rows.next();
    await rows.close();
    expect(conn.txStatus).toBe("T");
    await conn.rollback();
  });
});

test("ping proves that the server answers", async () => {
  const conn = await connect();
  await conn.ping();
  expect(conn.isValid()).toBe(true);
});

test("close ends the session on the server", async () => {
  const { conn } = await openSession();
  const observer = await connect();
  await conn.close();
  expect(conn.isValid()).toBe(false);
  const error = await errorOf(conn.query("SELECT 1", []));
  expect((error as { code: string }).code).toBe("BAD_CONN");
  const alive = "SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1";
  while ((await valueOf(observer, alive, [conn.processId])) !== 0);
});
