// Several statements in one round trip.

import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import {
  openPostgres,
  type PostgresDB,
  type StatementMode,
} from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, rowsOf } from "./wire-session.ts";

let db: PostgresDB;

beforeEach(async () => {
  db = openPostgres(inject("postgresUrl"), {
    maxOpenConns: 1,
    connection: { env: {}, sessionReset: "off" },
  });
  await db.exec("CREATE TEMP TABLE item (id int PRIMARY KEY, name text)");
});

afterEach(() => db.close());

const INSERT = "INSERT INTO item VALUES ($1, $2)";

async function count(): Promise<unknown> {
  return (await db.queryRow<{ n: number }>("SELECT count(*)::int AS n FROM item")).n;
}

describe("a batch", () => {
  test("gives the results in order, at the first run and at later ones", async () => {
    for (let run = 0; run < 3; run++) {
      const results = await db.batch([
        { sql: "DELETE FROM item" },
        { sql: INSERT, args: [1, "one"] },
        { sql: INSERT, args: [2, null] },
        { sql: "SELECT id, name FROM item ORDER BY id" },
        { sql: "SET LOCAL work_mem = '5MB'" },
        { sql: "SELECT $1::jsonb AS j", args: [[1, 2]] },
        { sql: "" },
        { sql: "SELECT 1 AS a, 2 AS b WHERE false" },
      ]);
      expect(results.map(({ rows }) => rows)).toEqual([
        [],
        [],
        [],
        [
          { id: 1, name: "one" },
          { id: 2, name: null },
        ],
        [],
        [{ j: [1, 2] }],
        [],
        [],
      ]);
      expect(results.map(({ command }) => command)).toEqual([
        "DELETE",
        "INSERT",
        "INSERT",
        "SELECT",
        "SET",
        "SELECT",
        "",
        "SELECT",
      ]);
      expect(results[7]?.columns.map(({ name }) => name)).toEqual(["a", "b"]);
    }
  });

  test("is all or nothing", async () => {
    const error = await errorOf(
      db.batch([
        { sql: INSERT, args: [1, "one"] },
        { sql: INSERT, args: [1, "again"] },
        { sql: INSERT, args: [2, "two"] },
      ]),
    );
    expect(error).toMatchObject({ sqlstate: "23505" });
    expect(await count()).toBe(0);
    await db.batch([{ sql: INSERT, args: [3, "three"] }]);
    expect(await count()).toBe(1);
  });

  test("takes part in a transaction that is open", async () => {
    const undone = db.transaction(async (tx) => {
      await tx.raw((pg) => pg.pipeline([{ sql: INSERT, args: [1, "one"] }]));
      throw new Error("undo");
    });
    expect(await errorOf(undone)).toMatchObject({ message: "undo" });
    expect(await count()).toBe(0);
  });

  test("leaves no statement behind that nobody knows", async () => {
    const conn = await connect();
    for (let run = 0; run < 5; run++) {
      await errorOf(
        conn.pipeline([{ sql: "SELECT 1" }, { sql: `SELECT 1 / ${run * 0}` }, { sql: "SELECT 2" }]),
      );
    }
    await conn.ping();
    const kept = "SELECT count(*)::int AS n FROM pg_prepared_statements; SELECT 1";
    const rows = await conn.stream(kept, []);
    expect(await rows.next()).toEqual([{ n: 1 }]);
    await rows.close();
  });

  test("with statements that the server has forgotten is made again", async () => {
    await db.batch([{ sql: "SELECT 1 AS a" }, { sql: INSERT, args: [1, "one"] }]);
    await db.exec("DEALLOCATE ALL");
    await db.batch([{ sql: INSERT, args: [2, "two"] }, { sql: "SELECT 1 AS a" }]);
    expect(await count()).toBe(2);
  });

  test("can be aborted, and then nothing has happened", async () => {
    const controller = new AbortController();
    const running = db.batch([{ sql: INSERT, args: [1, "one"] }, { sql: "SELECT pg_sleep(10)" }], {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort("enough"), 30);
    expect(await errorOf(running)).toBe("enough");
    expect(await count()).toBe(0);
  });

  test("gives rows as arrays where that is asked for", async () => {
    const [result] = await db.batch([{ sql: "SELECT 1, 2" }], { rowMode: "array" });
    expect(result?.rows).toEqual([[1, 2]]);
  });

  test("of nothing gives nothing", async () => {
    expect(await db.batch([])).toEqual([]);
  });

  test.each([
    ["no array", "SELECT 1"],
    ["no statement", [{ text: "SELECT 1" }]],
    ["an end of its transaction", [{ sql: "/* now */ COMMIT" }]],
    ["an argument that cannot be sent", [{ sql: "SELECT $1", args: [Symbol("no")] }]],
  ])("refuses %s", async (_what, statements) => {
    const error = errorOf(db.batch(statements as { sql: string }[]));
    expect(await error).toMatchObject({ code: "ARGUMENT_INVALID" });
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  test("of COPY is refused, and leaves the connection in step", async () => {
    const error = errorOf(db.batch([{ sql: "COPY item FROM STDIN" }, { sql: "SELECT 1" }]));
    expect(await error).toMatchObject({ code: "ARGUMENT_INVALID" });
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });
});

describe("a batch of transactions", () => {
  test("tells for each what became of it", async () => {
    const outcomes = await db.batchSettled([
      { sql: INSERT, args: [1, "one"] },
      { sql: INSERT, args: [1, "again"] },
      { sql: INSERT, args: [2, "two"] },
    ]);
    expect(outcomes).toMatchObject([
      { status: "fulfilled", value: { rowsAffected: 1 } },
      { status: "rejected", reason: { sqlstate: "23505" } },
      { status: "fulfilled", value: { rowsAffected: 1 } },
    ]);
    expect(await count()).toBe(2);
  });
});

test.each<StatementMode>(["cache-statement", "cache-describe", "describe-exec", "exec"])(
  "in mode %s a batch means the same",
  async (statementMode) => {
    const conn = await connect({ statementMode });
    for (let run = 0; run < 3; run++) {
      const results = await conn.pipeline([
        { sql: "SELECT $1::int + 1 AS n", args: [run] },
        { sql: "SELECT $1::int + 1 AS n", args: [run + 1] },
        { sql: "SELECT $1::text AS t", args: ["x"] },
      ]);
      expect(results.map(({ rows }) => rows[0])).toEqual([
        { n: run + 1 },
        { n: run + 2 },
        { t: "x" },
      ]);
    }
    expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  },
);
