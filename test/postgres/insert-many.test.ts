// Many rows in few statements, on a real server.

import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type DB, openDB, type Querier } from "../../packages/forebay/src/index.ts";
import {
  insertMany,
  type InsertManyOptions,
  insertValues,
  isPgError,
  json,
  PgPoint,
  type PgConnection,
  postgres,
} from "../../packages/forebay/src/postgres/index.ts";
import { errorOf } from "./wire-session.ts";

const TARGET = { table: "users", schema: "bulk", columns: ["id", "name"] };

let db: DB<PgConnection>;

beforeEach(async () => {
  db = openDB(postgres(inject("postgresUrl"), { env: {} }), { maxOpenConns: 2 });
  await db.exec("CREATE SCHEMA bulk");
  await db.exec("CREATE TABLE bulk.users (id int PRIMARY KEY, name text, at timestamptz)");
});

afterEach(async () => {
  await db.exec("DROP SCHEMA bulk CASCADE");
  await db.close();
});

async function count(): Promise<unknown> {
  return (await db.queryRow("SELECT count(*)::int AS n FROM bulk.users"))["n"];
}

function rowsTo(last: number): [number, string | null][] {
  return Array.from({ length: last }, (_, i) => [i + 1, i % 3 === 0 ? null : `name "${i + 1}"`]);
}

const WAYS = [
  ["insertMany", insertMany],
  ["insertValues", insertValues],
] as const;

describe.each(WAYS)("%s", (_name, insert) => {
  test("inserts nothing, one row, and more than fit into one statement", async () => {
    expect(await insert(db, TARGET, [])).toEqual({ rowsAffected: 0, rows: [] });
    expect(await insert(db, TARGET, [[0, "zero"]])).toEqual({ rowsAffected: 1, rows: [] });
    expect(await insert(db, TARGET, rowsTo(25_000))).toEqual({ rowsAffected: 25_000, rows: [] });
    const rows = await db.query("SELECT id, name FROM bulk.users WHERE id > 0 ORDER BY id", [], {
      rowMode: "array",
    });
    expect(rows.rows).toEqual(rowsTo(25_000));
  });

  test("takes objects, generators, and sources that give later", async () => {
    const rows = rowsTo(10);
    await insert(
      db,
      TARGET,
      rows.map(([id, name]) => ({ name, id, other: 1 })),
    );
    await insert(db, TARGET, Readable.from(rows.map(([id, name]) => [id + 10, name])));
    await insert(db, TARGET, rows.map(([id, name]) => [id + 20, name]).values());
    expect(await count()).toBe(30);
  });

  test("gives back what is asked for, of all statements", async () => {
    const options = { returning: ["id"], batchRows: 2 };
    const { rows } = await insert<{ id: number }>(db, TARGET, rowsTo(5), options);
    expect(rows.map((row) => row.id).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
    const all = await insert(db, TARGET, [[6, "f"]], { returning: "*" });
    expect(all.rows).toEqual([{ id: 6, name: "f", at: null }]);
  });

  test("passes over rows that are there, or overwrites them", async () => {
    await insert(db, TARGET, [[1, "one"]]);
    const both = [
      [1, "new"],
      [2, "two"],
    ];
    expect(await errorOf(insert(db, TARGET, both))).toMatchObject({ sqlstate: "23505" });
    expect(await insert(db, TARGET, both, { onConflict: "nothing" })).toMatchObject({
      rowsAffected: 1,
    });
    const none = { onConflict: { columns: ["id"] } };
    expect(await insert(db, TARGET, both, none)).toMatchObject({ rowsAffected: 0 });
    const update = { onConflict: { columns: ["id"], update: ["name"] } };
    expect(await insert(db, TARGET, both, update)).toMatchObject({ rowsAffected: 2 });
    const { rows } = await db.query("SELECT name FROM bulk.users ORDER BY id");
    expect(rows).toEqual([{ name: "new" }, { name: "two" }]);
  });

  test("inserts all rows or none", async () => {
    const twice = [...rowsTo(10), [1, "again"]];
    expect(await errorOf(insert(db, TARGET, twice, { batchRows: 2 }))).toMatchObject({
      sqlstate: "23505",
    });
    expect(await count()).toBe(0);
    expect(db.stats().inUse).toBe(0);
  });

  test("within a transaction undoes no more than its own", async () => {
    await db.transaction(async (tx) => {
      await insert(tx, TARGET, [[1, "kept"]]);
      const twice = [...rowsTo(10).slice(1), [1, "again"]];
      await errorOf(insert(tx, TARGET, twice, { batchRows: 2 }));
      await insert(tx, TARGET, rowsTo(9).slice(1), { batchRows: 3 });
    });
    expect(await count()).toBe(9);
  });

  test("works on one connection", async () => {
    await db.withConn((conn) => insert(conn, TARGET, rowsTo(10), { batchRows: 3 }));
    expect(await count()).toBe(10);
  });

  test.each([
    ["no value", [5, undefined]],
    ["a function", [5, () => "secret"]],
    ["a NUL", [5, "secret\0"]],
    ["too few values", [5]],
    ["what is no row", "secret"],
  ])("refuses %s by row, without the value", async (_what, bad) => {
    for (const rowsBefore of [0, 4, 200]) {
      const rows = [...rowsTo(rowsBefore), bad] as [number, string][];
      const error = (await errorOf(
        insert(db, TARGET, rows, { batchRows: 3 * rowsBefore + 1 }),
      )) as Error;
      expect(error).toMatchObject({ code: "ARGUMENT_INVALID" });
      expect(error.message).toMatch(new RegExp(`^row ${rowsBefore + 1}(, column name)?: `));
      expect(error.message).not.toContain("secret");
    }
    expect(await count()).toBe(0);
  });

  test("passes the error of a source on, and inserts nothing", async () => {
    const mistake = new Error("no more");
    function* source() {
      yield* rowsTo(10);
      throw mistake;
    }
    expect(await errorOf(insert(db, TARGET, source(), { batchRows: 2 }))).toBe(mistake);
    expect(await errorOf(insert(db, TARGET, Readable.from(source()), { batchRows: 2 }))).toBe(
      mistake,
    );
    expect(await count()).toBe(0);
  });

  test("lets a source go when a statement fails", async () => {
    let isOver = false;
    function* source(): Generator<[number, string]> {
      try {
        for (;;) yield [1, "a"];
      } finally {
        isOver = true;
      }
    }
    await errorOf(insert(db, TARGET, source(), { batchRows: 2 }));
    expect(isOver).toBe(true);
  });

  test("stops by the signal, before and in the middle", async () => {
    const reason = new Error("enough");
    const aborted = AbortSignal.abort(reason);
    expect(await errorOf(insert(db, TARGET, rowsTo(1), { signal: aborted }))).toBe(reason);
    const controller = new AbortController();
    function* source() {
      yield* rowsTo(5);
      controller.abort(reason);
      yield [6, "f"];
    }
    const options = { batchRows: 2, signal: controller.signal };
    expect(await errorOf(insert(db, TARGET, source(), options))).toBe(reason);
    expect(await count()).toBe(0);
  });

  test.each([0, 1.5, -1, Number.NaN])("refuses batches of %d rows", async (batchRows) => {
    expect(await errorOf(insert(db, TARGET, [], { batchRows }))).toMatchObject({
      code: "OPTION_INVALID",
    });
  });

  test("closes a batch that has become large", async () => {
    const name = "x".repeat(3_000_000);
    const rows = Array.from({ length: 7 }, (_, id) => [id, name]);
    let statements = 0;
    const counting = watched(db, () => statements++);
    expect(await insert(counting, TARGET, rows)).toMatchObject({ rowsAffected: 7 });
    // Three in each of two, and the seventh.
    expect(statements).toBe(3);
  });
});

/** A querier that tells of each INSERT. */
function watched(on: Querier, onInsert: () => void): Querier {
  return {
    query: (sql, args, options) => {
      if (sql.startsWith("INSERT")) onInsert();
      return on.query(sql, args, options);
    },
    queryRow: (sql, args, options) => on.queryRow(sql, args, options),
    exec: (sql, args, options) => on.exec(sql, args, options),
    rows: (sql, args, options) => on.rows(sql, args, options),
    prepare: (sql, options) => {
      if (sql.startsWith("INSERT")) onInsert();
      return on.prepare(sql, options);
    },
    transaction: (fn) => on.transaction((tx) => fn(watched(tx, onInsert) as typeof tx)),
  };
}

describe("values of every kind", () => {
  const COLUMNS = `a int2, b int8, c float8, d bool, e timestamptz, f bytea, g uuid, h jsonb,
    i json, j int4[], k text[], l numeric, m date, n bulk.mood, o char(3), p bulk.small,
    q bulk.moods, r "char", s bit(4), t inet, u point, v varchar(5), w bulk.list`;
  const UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  const ROW = [
    1,
    2n ** 60n,
    0.1,
    true,
    new Date(1e12),
    Buffer.from("\\x\t"),
    UUID,
    [1, { a: "\n" }],
    json("x"),
    [
      [1, null],
      [3, 4],
    ],
    ['a,"b', null, "\\N"],
    "12.50",
    "2024-02-29",
    "ok",
    "abc",
    8,
    "{ok,sad}",
    "x",
    "0101",
    "10.0.0.1",
    "(1,2)",
    "five!",
    [1, 2],
  ];

  beforeEach(async () => {
    await db.exec("CREATE TYPE bulk.mood AS ENUM ('sad', 'ok')");
    await db.exec("CREATE DOMAIN bulk.small AS int CHECK (VALUE < 9)");
    await db.exec("CREATE DOMAIN bulk.moods AS bulk.mood[]");
    await db.exec("CREATE DOMAIN bulk.list AS int[]");
    await db.exec(`CREATE TABLE bulk.kinds (${COLUMNS})`);
  });

  test.each([1, 200])("arrive in all of %d rows, and as they were", async (rowCount) => {
    const nulls = ROW.map(() => null);
    const rows = Array.from({ length: rowCount }, (_, i) => (i % 2 === 0 ? ROW : nulls));
    const { rowsAffected } = await insertMany(db, { table: "kinds", schema: "bulk" }, rows);
    expect(rowsAffected).toBe(rowCount);
    const expected: unknown[] = [...ROW];
    expected[8] = "x";
    expected[20] = new PgPoint(1, 2);
    const { rows: stored } = await db.query("SELECT * FROM bulk.kinds WHERE a IS NOT NULL", [], {
      rowMode: "array",
    });
    expect(stored).toHaveLength(Math.ceil(rowCount / 2));
    for (const row of stored) expect(row).toEqual(expected);
  });

  test.each([
    ["a fraction for an integer", "a", 1.5],
    ["a big integer", "a", 2 ** 15],
    ["an array for an integer", "a", [1]],
    ["an object for an integer", "p", {}],
    ["a number for an array", "j", 5],
    ["an uneven array", "j", [[1], [1, 2]]],
    ["a number that JSON lacks", "h", Number.NaN],
  ])("are refused by row and column: %s", async (_what, column, value) => {
    const target = { table: "kinds", schema: "bulk", columns: ["b", column] };
    for (const rowsBefore of [0, 200]) {
      const rows = [...Array.from({ length: rowsBefore }, () => [1, null]), [2, value]];
      const error = await errorOf(insertMany(db, target, rows));
      expect((error as Error).message).toMatch(
        new RegExp(`^row ${rowsBefore + 1}, column ${column}: .* \\[ARGUMENT_INVALID\\]$`),
      );
    }
  });
});

describe("the types of the columns", () => {
  async function looksFor(
    on: Querier,
    options: InsertManyOptions,
    ids: readonly number[],
  ): Promise<number> {
    let looks = 0;
    const counting: Querier = {
      ...watched(on, () => undefined),
      query: (sql, args, opts) => {
        if (sql.includes("pg_attribute")) looks++;
        return on.query(sql, args, opts);
      },
    };
    for (const id of ids) await insertMany(counting, TARGET, [[id, "a"]], options);
    return looks;
  }

  test("are looked up once, and not at all where they are given", async () => {
    expect(await looksFor(db, {}, [1, 2, 3])).toBe(1);
    expect(await looksFor(db, { types: ["int4", "text"] }, [4, 5])).toBe(0);
  });

  test("are looked up again after a failure, such as one from a change of the table", async () => {
    await insertMany(db, TARGET, [[1, "a"]]);
    await db.exec("ALTER TABLE bulk.users ALTER id TYPE uuid USING gen_random_uuid()");
    const id = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    const error = await errorOf(insertMany(db, TARGET, [[id, "b"]]));
    expect(isPgError(error)).toBe(true);
    expect(await insertMany(db, TARGET, [[id, "b"]])).toMatchObject({ rowsAffected: 1 });
  });

  test("must be as many as the columns", async () => {
    for (const types of [[], ["int4"], ["int4", "text", "text"]]) {
      const error = await errorOf(insertMany(db, TARGET, [[1, "a"]], { types }));
      expect(error).toMatchObject({ code: "ARGUMENT_INVALID" });
    }
  });

  test("may be given for arrays, too", async () => {
    await db.exec("CREATE TABLE bulk.lists (id int, list int[])");
    const target = { table: "lists", schema: "bulk", columns: ["id", "list"] };
    const rows = [
      [1, [1, 2]],
      [2, [[3], [4]]],
    ];
    await insertMany(db, target, rows, { types: ["int4", "int4[]"] });
    expect(
      (await db.query("SELECT id, list FROM bulk.lists", [], { rowMode: "array" })).rows,
    ).toEqual(rows);
  });
});

test("a list of values has no more parameters than a statement can", async () => {
  const columns = Array.from({ length: 7 }, (_, i) => `c${i}`);
  await db.exec(`CREATE TABLE bulk.wide (${columns.map((name) => `${name} int`).join(", ")})`);
  const rows = Array.from({ length: 10_000 }, (_, i) => columns.map((_name, c) => i * 7 + c));
  const target = { table: "wide", schema: "bulk", columns };
  expect(await insertValues(db, target, rows, { batchRows: 1_000_000 })).toMatchObject({
    rowsAffected: 10_000,
  });
  expect(await db.queryRow("SELECT max(c6) AS max FROM bulk.wide")).toEqual({ max: 69_999 });
});
