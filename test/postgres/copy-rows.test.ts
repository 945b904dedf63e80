// Rows copied into a table on a real server.

import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  copyFrom,
  type CopyResult,
  type CopyRow,
  isPgError,
  json,
  type PgConnection,
  type PgError,
} from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, eventually, rowsOf } from "./wire-session.ts";

const USERS = { table: "t", columns: ["id", "name"] };

async function withTable(columns = "id int, name text") {
  const conn = await connect();
  await conn.query(`CREATE TEMP TABLE t (${columns})`, []);
  return conn;
}

async function countOf(conn: PgConnection, table = "t"): Promise<unknown> {
  return (await rowsOf(conn, `SELECT count(*)::int AS n FROM ${table}`))[0]?.["n"];
}

async function stored(conn: PgConnection): Promise<unknown[]> {
  return (await conn.query("SELECT * FROM t ORDER BY id", [], { rowMode: "array" })).rows;
}

async function* later<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}

function versionOf(conn: PgConnection): number {
  return Number.parseInt(conn.serverParameter("server_version") ?? "", 10);
}

/** What a copy has done, or the SQLSTATE of its error. */
function outcomeOf(copy: Promise<CopyResult>): Promise<CopyResult | string> {
  return copy.catch((error: PgError) => error.sqlstate);
}

const ROWS = Array.from({ length: 1000 }, (_, i) => [i, i % 7 === 0 ? null : `name\t${i}`]);
const OBJECTS = ROWS.map(([id, name]) => ({ name, id, other: true }));

describe.each(["text", "binary"] as const)("rows in %s format", (format) => {
  test.each([
    ["arrays", () => ROWS],
    ["objects", () => OBJECTS],
    ["a generator of arrays", () => ROWS.values()],
    ["an asynchronous generator", () => later(OBJECTS)],
    ["a stream of node", () => Readable.from(ROWS)],
    ["a web stream", () => ReadableStream.from(ROWS)],
  ])("come from %s", async (_what, source) => {
    const conn = await withTable();
    expect(await copyFrom(conn, { ...USERS, format }, source())).toEqual({ rowsAffected: 1000 });
    expect(await stored(conn)).toEqual(ROWS);
  });

  test("fill columns in any order, and all but the generated ones by default", async () => {
    const conn = await withTable(
      "id int, twice int GENERATED ALWAYS AS (id * 2) STORED, name text",
    );
    await copyFrom(conn, { table: "t", format }, [[1, "a"]]);
    await copyFrom(conn, { table: "t", columns: ["name", "id"], format }, [["b", 2]]);
    await copyFrom(conn, { table: "t", columns: ["id"], format }, [[3]]);
    expect(await stored(conn)).toEqual([
      [1, 2, "a"],
      [2, 4, "b"],
      [3, 6, null],
    ]);
  });

  test("keep values of every kind", async () => {
    const conn = await withTable(
      `id int2, a int8, b float8, c bool, d timestamptz, e bytea, f uuid, g jsonb, h json,
       i int4[], j text[], k varchar(5), l float4`,
    );
    const uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    const rows = [
      [
        1,
        2 ** 40,
        0.1,
        true,
        new Date(1e12),
        Buffer.from("\\x\t"),
        uuid,
        { a: ["\n"] },
        [1],
        [[1], [2]],
        ["a,b", null, "\\"],
        "five!",
        0.1,
      ],
      [2, 2n ** 62n, -0, false, Infinity, Buffer.alloc(0), uuid, "[]", json("x"), [], [], "", -1.5],
      [3, ...Array.from({ length: 12 }, () => null)],
    ];
    await copyFrom(conn, { table: "t", format }, rows);
    const expected = rows.map((row) => [...row]);
    expected[1]?.splice(7, 2, [], "x");
    expect(await stored(conn)).toEqual(expected);
  });

  test("are undone when a value cannot be sent, which says where and not what", async () => {
    const conn = await withTable();
    const rows = [...ROWS, [1000, "secret\0"]];
    for (const source of [rows, later(rows), Readable.from(rows)]) {
      const error = await errorOf(copyFrom(conn, { ...USERS, format }, source));
      expect(error).toMatchObject({ code: "ARGUMENT_INVALID" });
      expect((error as Error).message).toMatch(/^row 1001, column name: .*NUL/);
      expect((error as Error).message).not.toContain("secret");
      expect(await countOf(conn)).toBe(0);
    }
  });
});

describe("names", () => {
  test("are taken as they are, whatever is in them", async () => {
    const conn = await connect();
    await conn.query('CREATE SCHEMA "s.""1"', []);
    try {
      await conn.query('CREATE TABLE "s.""1"."a"" b;" ("select" int, "É\t" text)', []);
      const target = { table: 'a" b;', schema: 's."1', columns: ["É\t", "select"] };
      expect(await copyFrom(conn, target, [["x", 1]])).toEqual({ rowsAffected: 1 });
      expect(await copyFrom(conn, { table: 'a" b;', schema: 's."1' }, [[2, "y"]])).toEqual({
        rowsAffected: 1,
      });
      expect(await countOf(conn, '"s.""1"."a"" b;"')).toBe(2);
    } finally {
      await conn.query('DROP SCHEMA "s.""1" CASCADE', []);
    }
  });

  test.each([
    ["no such column", { table: "t", columns: ["nope"] }],
    ["a column that is generated", { table: "t", columns: ["twice"] }],
    ["a column named twice", { table: "t", columns: ["id", "id"] }],
    ["no column", { table: "t", columns: [] }],
    ["an empty name", { table: "" }],
    ["a name with a NUL", { table: "t\0" }],
  ])("%s is refused", async (_what, target) => {
    const conn = await withTable("id int, twice int GENERATED ALWAYS AS (id * 2) STORED");
    expect(await errorOf(copyFrom(conn, target, [[1]]))).toMatchObject({
      code: "ARGUMENT_INVALID",
    });
    expect(await countOf(conn)).toBe(0);
  });

  test("of a table that is not there are the server's to refuse", async () => {
    const conn = await connect();
    const error = await errorOf(copyFrom(conn, { table: "nowhere" }, []));
    expect(isPgError(error) && error.sqlstate).toBe("42P01");
  });
});

describe("what the statement can be told", () => {
  const BAD = ["1", "two", "three", "4"].map((id) => [id, null]);

  test("a condition", async () => {
    const conn = await withTable();
    const rows = [1, 4, 5].map((id) => [id, null]);
    const target = { ...USERS, where: "id <> 4" };
    expect(await copyFrom(conn, target, rows)).toEqual({ rowsAffected: 2 });
    expect(await stored(conn)).toEqual([rows[0], rows[2]]);
  });

  test("to freeze the rows, of a table that the transaction has emptied", async () => {
    const conn = await withTable();
    const copy = () => copyFrom(conn, { ...USERS, freeze: true }, ROWS);
    expect(await outcomeOf(copy())).toBe("55000");
    await conn.query("BEGIN; TRUNCATE t", []);
    expect(await copy()).toEqual({ rowsAffected: 1000 });
    await conn.query("COMMIT", []);
    expect(await stored(conn)).toEqual(ROWS);
  });

  test("to pass over rows that the server cannot read, from version 17 on", async () => {
    const conn = await withTable();
    const strict = await errorOf(copyFrom(conn, USERS, BAD));
    expect(isPgError(strict) && strict.sqlstate).toBe("22P02");
    const lenient = copyFrom(conn, { ...USERS, onError: "ignore" }, BAD);
    expect(await outcomeOf(lenient)).toEqual(versionOf(conn) < 17 ? "42601" : { rowsAffected: 2 });
  });

  test("how many of them there may be, from version 18 on", async () => {
    const conn = await withTable();
    const lenient = { ...USERS, onError: "ignore" as const };
    const isKnown = versionOf(conn) >= 18;
    const enough = copyFrom(conn, { ...lenient, rejectMax: 2 }, BAD);
    expect(await outcomeOf(enough)).toEqual(isKnown ? { rowsAffected: 2 } : "42601");
    const tooFew = copyFrom(conn, { ...lenient, rejectMax: 1 }, BAD);
    expect(await outcomeOf(tooFew)).toBe(isKnown ? "22P02" : "42601");
  });

  test.each([
    { format: "csv" },
    { onError: "skip" },
    { onError: "ignore", format: "binary" },
    { rejectMax: 1 },
    { onError: "ignore", rejectMax: 0 },
    { onError: "ignore", rejectMax: 1.5 },
  ])("%j means nothing, and is refused", async (options) => {
    const conn = await withTable();
    const target = { ...USERS, ...options } as typeof USERS;
    expect(await errorOf(copyFrom(conn, target, []))).toMatchObject({ code: "OPTION_INVALID" });
  });
});

test("any text comes back from the server as it was", async () => {
  const conn = await withTable("id int, name text, more text");
  const text = fc.option(fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", "")));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(text, text), { maxLength: 50 }), async (pairs) => {
      const rows = pairs.map(([name, more], id) => [id, name, more]);
      for (const format of ["text", "binary"] as const) {
        await conn.query("TRUNCATE t", []);
        await copyFrom(conn, { table: "t", format }, rows);
        expect(await stored(conn)).toEqual(rows);
      }
    }),
    { numRuns: 50 },
  );
});

describe("200 MB of rows", () => {
  const BYTES = 200e6;
  const LINE = "x".repeat(990);

  function* rows(seen: (row: number) => void): Generator<CopyRow> {
    for (let id = 0; id < BYTES / 1000; id++) {
      seen(id);
      yield [id, LINE];
    }
  }

  test("take no more memory than a few buffers", { timeout: 120_000 }, async () => {
    const conn = await withTable();
    const used = () => {
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = used();
    let most = 0;
    const source = rows((row) => {
      if (row % 1000 === 0) most = Math.max(most, used() - before);
    });
    // The server reads every row, and stores none.
    const target = { ...USERS, where: "id < 0" };
    expect(await copyFrom(conn, target, source)).toEqual({ rowsAffected: 0 });
    expect(most).toBeLessThan(BYTES / 3);
  });

  test("are not read while the server takes nothing", async () => {
    const conn = await connect();
    const blocker = await connect();
    await conn.query(
      `CREATE TABLE copy_rows_pressure (id int, name text);
       CREATE FUNCTION copy_rows_pressure() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN PERFORM pg_advisory_xact_lock(4712); RETURN NULL; END';
       CREATE TRIGGER wait BEFORE INSERT ON copy_rows_pressure
         EXECUTE FUNCTION copy_rows_pressure()`,
      [],
    );
    try {
      await blocker.query("SELECT pg_advisory_lock(4712)", []);
      let given = 0;
      const source = rows(() => {
        given++;
      });
      const target = { table: "copy_rows_pressure", where: "id < 0" };
      const copy = copyFrom(conn, target, source);
      await eventually(
        blocker,
        "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1",
        [conn.processId],
      );
      // The buffers are full once nothing is added during several round trips.
      for (let last = -1; last !== given; ) {
        last = given;
        await blocker.query("SELECT pg_sleep(0.1)", []);
      }
      expect(given).toBeLessThan(BYTES / 1000 / 4);
      await blocker.query("SELECT pg_advisory_unlock(4712)", []);
      expect(await copy).toEqual({ rowsAffected: 0 });
      expect(given).toBe(BYTES / 1000);
    } finally {
      await blocker.query("DROP TABLE copy_rows_pressure; DROP FUNCTION copy_rows_pressure", []);
    }
  });
});

describe("a copy that ends early", () => {
  const mistake = new Error("no more");

  function* failing(): Generator<CopyRow> {
    yield* ROWS;
    throw mistake;
  }

  test.each([
    ["a generator", () => failing()],
    ["an asynchronous one", () => later(failing())],
    ["a stream", () => Readable.from(failing())],
  ])("by an error of %s is undone, with that error", async (_what, source) => {
    const conn = await withTable();
    expect(await errorOf(copyFrom(conn, USERS, source()))).toBe(mistake);
    expect(await countOf(conn)).toBe(0);
    expect(await copyFrom(conn, USERS, ROWS)).toEqual({ rowsAffected: 1000 });
  });

  test("by the signal does not wait for a source that gives nothing", async () => {
    const conn = await withTable();
    const controller = new AbortController();
    const reason = new Error("enough");
    let isAsked: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    let rowsGiven = 0;
    const source = new Readable({
      objectMode: true,
      read() {
        if (rowsGiven++ === 0) this.push([1, "a"]);
        else isAsked();
      },
    });
    const copy = errorOf(copyFrom(conn, USERS, source, controller));
    await asked;
    controller.abort(reason);
    expect(await copy).toBe(reason);
    expect(source.destroyed).toBe(true);
    expect(await countOf(conn)).toBe(0);
  });

  test("by the server's error does not wait for the source, and stops it", async () => {
    const conn = await withTable("id int PRIMARY KEY, name text");
    const source = new Readable({ objectMode: true, read: () => {} });
    for (let id = 0; id < 30_000; id++) source.push([id % 20_000, "a"]);
    const error = await errorOf(copyFrom(conn, USERS, source));
    expect(isPgError(error) && error.sqlstate).toBe("23505");
    expect(source.destroyed).toBe(true);
    expect(await countOf(conn)).toBe(0);
  });

  test("lets the source go, also a generator of rows", async () => {
    const conn = await withTable("id int PRIMARY KEY, name text");
    let isOver = false;
    function* source(): Generator<CopyRow> {
      try {
        for (;;) yield [1, "a"];
      } finally {
        isOver = true;
      }
    }
    const error = await errorOf(copyFrom(conn, USERS, source()));
    expect(isPgError(error) && error.sqlstate).toBe("23505");
    expect(isOver).toBe(true);
  });
});

test("while rows are being copied the connection takes nothing else", async () => {
  const conn = await withTable();
  let refusal: unknown;
  async function* source(): AsyncGenerator<CopyRow> {
    yield [1, "a"];
    refusal = await errorOf(conn.query("SELECT 1", []));
    yield [2, "b"];
  }
  expect(await copyFrom(conn, USERS, source())).toEqual({ rowsAffected: 2 });
  expect(refusal).toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("a text of several statements is refused before it is sent", async () => {
  const conn = await withTable();
  const sql = "COPY t (id) FROM STDIN; COPY t (id) FROM STDIN";
  expect(await errorOf(copyFrom(conn, sql, ["1\n"]))).toMatchObject({ code: "ARGUMENT_INVALID" });
  expect(await countOf(conn)).toBe(0);
});

test("the columns of domains and enumerations are those of their types", async () => {
  const conn = await connect();
  await conn.query(
    `CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok');
     CREATE DOMAIN pg_temp.small AS int CHECK (VALUE < 9);
     CREATE DOMAIN pg_temp.tiny AS pg_temp.small;
     CREATE TEMP TABLE t (id pg_temp.tiny, m pg_temp.mood)`,
    [],
  );
  for (const format of ["text", "binary"] as const) {
    expect(await copyFrom(conn, { table: "t", format }, [[1, "ok"]])).toEqual({ rowsAffected: 1 });
    const error = await errorOf(copyFrom(conn, { table: "t", format }, [[1.5, "ok"]]));
    expect((error as Error).message).toMatch(/^row 1, column id: .*int4/);
  }
  const error = await errorOf(copyFrom(conn, { table: "t" }, [[9, "ok"]]));
  expect(isPgError(error) && error.sqlstate).toBe("23514");
});
