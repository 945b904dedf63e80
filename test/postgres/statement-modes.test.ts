// How the statements of `query` are run: what is kept, what goes, and that each mode means the
// same.

import { describe, expect, test } from "vitest";
import { json, type StatementMode } from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, rowsOf } from "./wire-session.ts";

const MODES: readonly StatementMode[] = [
  "cache-statement",
  "cache-describe",
  "describe-exec",
  "exec",
  "simple",
];

/** What the server keeps of this session, asked in a way that keeps nothing itself. */
async function kept(conn: Awaited<ReturnType<typeof connect>>): Promise<string[]> {
  const sql = "SELECT statement FROM pg_prepared_statements ORDER BY prepare_time; SELECT 1 AS one";
  const rows = await conn.stream(sql, []);
  const first = (await rows.next()) as { statement: string }[] | undefined;
  await rows.close();
  return (first ?? []).map(({ statement }) => statement);
}

describe.each(MODES)("in mode %s", (statementMode) => {
  test("a text gives the same at its first run and at later ones", async () => {
    const conn = await connect({ statementMode });
    const sql = `SELECT $1::int4 AS i, $2::text AS t, $3::float8 AS f, $4::bool AS b,
      $5::timestamptz AS at, $6::bytea AS bytes, $7::int8 AS big, $8::numeric AS n,
      $9::jsonb AS j, $10::int4[] AS list, $11::text AS none`;
    const at = new Date("2024-02-29T12:34:56.789Z");
    const args = [
      -7,
      "it's $1 \\ \u{1f600}",
      1.5e300,
      true,
      at,
      Buffer.from([0, 255, 39]),
      2n ** 60n,
      "12345678901234567890.5",
      { a: [1, null] },
      [1, 2, 3],
      null,
    ];
    const expected = {
      i: -7,
      t: "it's $1 \\ \u{1f600}",
      f: 1.5e300,
      b: true,
      at,
      bytes: Buffer.from([0, 255, 39]),
      big: 2n ** 60n,
      n: "12345678901234567890.5",
      j: { a: [1, null] },
      list: [1, 2, 3],
      none: null,
    };
    for (let run = 0; run < 3; run++) expect(await rowsOf(conn, sql, args)).toEqual([expected]);
  });

  test("an error leaves the connection in step, and the text runs again", async () => {
    const conn = await connect({ statementMode });
    const sql = "SELECT 10 / $1::int AS q";
    expect(await rowsOf(conn, sql, [5])).toEqual([{ q: 2 }]);
    for (let run = 0; run < 3; run++) {
      expect(await errorOf(conn.query(sql, [0]))).toMatchObject({ sqlstate: "22012" });
      expect(await rowsOf(conn, sql, [2])).toEqual([{ q: 5 }]);
    }
  });

  test("a text whose columns change goes on with the new ones", async () => {
    const conn = await connect({ statementMode });
    await conn.query("CREATE TEMP TABLE shape (a int)", []);
    await conn.query("INSERT INTO shape VALUES (1)", []);
    const sql = "SELECT * FROM shape WHERE a >= $1";
    for (let run = 0; run < 2; run++) expect(await rowsOf(conn, sql, [0])).toEqual([{ a: 1 }]);
    await conn.query("ALTER TABLE shape ADD b text DEFAULT 'x'", []);
    expect(await rowsOf(conn, sql, [0])).toEqual([{ a: 1, b: "x" }]);
    await conn.query("ALTER TABLE shape ALTER a TYPE float8", []);
    expect(await rowsOf(conn, sql, [0])).toEqual([{ a: 1, b: "x" }]);
  });

  test("a wrong number of arguments is refused", async () => {
    const conn = await connect({ statementMode });
    for (let run = 0; run < 2; run++) {
      const error = await errorOf(conn.query("SELECT $1::int AS i", [1, 2]));
      expect(String(error)).toMatch(/ARGUMENT_INVALID|08P01|parameters/);
      expect(await rowsOf(conn, "SELECT $1::int AS i", [1])).toEqual([{ i: 1 }]);
    }
  });
});

test.each(MODES.slice(0, 3))(
  "in mode %s an array is JSON to a JSON type, and an array to an array type",
  async (statementMode) => {
    const conn = await connect({ statementMode });
    for (let run = 0; run < 2; run++) {
      expect(await rowsOf(conn, "SELECT $1::jsonb AS j", [[1, [2]]])).toEqual([{ j: [1, [2]] }]);
      expect(await rowsOf(conn, "SELECT $1::jsonb AS j", [json([])])).toEqual([{ j: [] }]);
      expect(await rowsOf(conn, "SELECT $1::int[] AS l", [[1, 2]])).toEqual([{ l: [1, 2] }]);
    }
  },
);

describe("kept statements", () => {
  test("are prepared at the first run of a query, and of nothing else", async () => {
    const conn = await connect();
    await conn.query("SELECT $1::int", [1]);
    await conn.query("SELECT $1::int", [2]);
    await conn.query("SET work_mem = '4MB'", []);
    await conn.query("SELECT 2; SELECT 3", []);
    await errorOf(conn.query("SELECT nothing", []));
    await conn.query("/* c */ WITH x AS (SELECT 1) SELECT * FROM x", []);
    expect(await kept(conn)).toEqual([
      "SELECT $1::int",
      "/* c */ WITH x AS (SELECT 1) SELECT * FROM x",
    ]);
  });

  test("are never more than statementCacheMax, and the one used goes last", async () => {
    const conn = await connect({ statementCacheMax: 3 });
    for (let n = 0; n < 3; n++) await conn.query(`SELECT ${n}`, []);
    for (let n = 3; n < 20; n++) {
      await conn.query(`SELECT ${n}`, []);
      await conn.query("SELECT 0", []);
    }
    await conn.ping();
    const texts = await kept(conn);
    expect(texts).toHaveLength(3);
    expect(texts).toContain("SELECT 0");
  });

  test("that the server has forgotten are prepared again, outside of a transaction", async () => {
    const conn = await connect();
    await conn.query("SELECT $1::int AS i", [1]);
    await conn.query("DEALLOCATE ALL", []);
    expect(await rowsOf(conn, "SELECT $1::int AS i", [2])).toEqual([{ i: 2 }]);
    await conn.query("DEALLOCATE ALL", []);
    await conn.begin({});
    expect(await errorOf(conn.query("SELECT $1::int AS i", [3]))).toMatchObject({
      sqlstate: "26000",
    });
    await conn.rollback();
    expect(await rowsOf(conn, "SELECT $1::int AS i", [4])).toEqual([{ i: 4 }]);
  });

  test("are freed by clearStatementCache", async () => {
    const conn = await connect();
    await conn.query("SELECT $1::int AS i", [1]);
    conn.clearStatementCache();
    await conn.ping();
    expect(await kept(conn)).toEqual([]);
    expect(await rowsOf(conn, "SELECT $1::int AS i", [2])).toEqual([{ i: 2 }]);
  });

  test("survive that their first run is aborted", async () => {
    const conn = await connect();
    const controller = new AbortController();
    const running = conn.query("SELECT pg_sleep(5), $1::int AS i", [1], controller);
    setTimeout(() => controller.abort("enough"), 20);
    expect(await errorOf(running)).toBe("enough");
    expect(await rowsOf(conn, "SELECT $1::int AS i", [2])).toEqual([{ i: 2 }]);
  });
});
