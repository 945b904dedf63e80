// COPY TO STDOUT on a real server.

import { createReadStream, createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, expect, inject, test } from "vitest";
import { openDB } from "../../packages/forebay/src/index.ts";
import {
  copyFrom,
  copyTo,
  isPgError,
  type PgConnection,
  postgres,
} from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, eventually, rowsOf, untilBusy } from "./wire-session.ts";

const NUMBERS = "COPY (SELECT i, 'name ' || i FROM generate_series(1, 10000) AS i) TO STDOUT";
// In the list of a SELECT a series is not gathered before its first row is given.
const ENDLESS = "COPY (SELECT repeat('x', 100) || generate_series(1, 1000000000)) TO STDOUT";
const SILENT = "COPY (SELECT 1 FROM pg_sleep(100)) TO STDOUT";
const EXPECTED = Array.from({ length: 10_000 }, (_, i) => `${i + 1}\tname ${i + 1}\n`).join("");

async function gathered(pieces: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all).toString();
}

async function listed(rows: AsyncIterable<unknown[]>): Promise<unknown[][]> {
  const all: unknown[][] = [];
  for await (const row of rows) all.push(row);
  return all;
}

/** That the connection is as good as before. */
async function expectFree(conn: PgConnection): Promise<void> {
  expect(await rowsOf(conn, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect(conn.resetSession()).toBeUndefined();
}

describe("a copy out", () => {
  test("gives the data in pieces, each the caller's own, and then the number of rows", async () => {
    const conn = await connect();
    const copy = copyTo(conn, NUMBERS);
    expect(copy.rowsAffected).toBe(0);
    expect(await gathered(copy)).toBe(EXPECTED);
    expect(copy.rowsAffected).toBe(10_000);
    await expectFree(conn);
  });

  test("of no rows gives nothing", async () => {
    const conn = await connect();
    const copy = copyTo(conn, { query: "SELECT 1 WHERE false" });
    expect(await gathered(copy)).toBe("");
    expect(
      await listed(copyTo(conn, { query: "SELECT 1 WHERE false", format: "binary" }).rows()),
    ).toEqual([]);
    await expectFree(conn);
  });

  test("keeps a row that is longer than a piece in one", async () => {
    const conn = await connect();
    const pieces: Buffer[] = [];
    const sql = "COPY (SELECT repeat('x', 3000000 * i) FROM generate_series(1, 3) AS i) TO STDOUT";
    for await (const piece of copyTo(conn, sql)) pieces.push(piece);
    expect(pieces.every((piece) => piece.at(-1) === 0x0a)).toBe(true);
    expect(Buffer.concat(pieces).length).toBe(18_000_003);
  });

  test("of a table names it, its columns and the format", async () => {
    const conn = await connect();
    await conn.query('CREATE TEMP TABLE "t "" t" (id int, "a,b" text)', []);
    const target = { table: 't " t' };
    await copyFrom(conn, target, [
      [1, 'x"y'],
      [2, null],
    ]);
    expect(await gathered(copyTo(conn, target))).toBe('1\tx"y\n2\t\\N\n');
    const csv = { ...target, columns: ["a,b", "id"], format: "csv", header: true } as const;
    expect(await gathered(copyTo(conn, csv))).toBe('"a,b",id\n"x""y",1\n,2\n');
    const binary = copyTo(conn, { ...target, format: "binary" });
    await conn.query("CREATE TEMP TABLE other (id int, name text)", []);
    const all: Buffer[] = [];
    for await (const piece of binary) all.push(piece);
    await copyFrom(conn, "COPY other FROM STDIN (FORMAT binary)", all);
    expect(await listed(copyTo(conn, { table: "other" }).rows())).toEqual([
      [1, 'x"y'],
      [2, null],
    ]);
  });

  test("runs a query with a comment at its end", async () => {
    const conn = await connect();
    expect(await gathered(copyTo(conn, { query: "SELECT 1 -- one" }))).toBe("1\n");
  });

  test("can be read once", async () => {
    const conn = await connect();
    const copy = copyTo(conn, NUMBERS);
    await gathered(copy);
    expect(() => copy[Symbol.asyncIterator]()).toThrow("once");
    expect(() => copy.stream()).toThrow("once");
  });

  test.each([
    "SELECT 1",
    "CREATE TEMP TABLE u ()",
    "COPY pg_class FROM STDIN",
    "",
    `${NUMBERS}; ${NUMBERS}`,
  ])("is refused for another statement: %j", async (sql) => {
    const conn = await connect();
    expect(await errorOf(gathered(copyTo(conn, sql)))).toMatchObject({ code: "ARGUMENT_INVALID" });
    await expectFree(conn);
  });

  test.each([
    [{ table: "t", format: "json" }, "OPTION_INVALID"],
    [{ table: "t", format: "binary", header: true }, "OPTION_INVALID"],
    [{ table: "" }, "ARGUMENT_INVALID"],
  ])("is refused for %j", async (origin, code) => {
    const conn = await connect();
    expect(await errorOf((async () => gathered(copyTo(conn, origin as never)))())).toMatchObject({
      code,
    });
  });
});

describe("rows of a copy", () => {
  const QUERY = `SELECT i::int2 AS a, i * 1000000000000::int8 AS b, i / 4.0::float8 AS c,
      i % 2 = 0 AS d,
      'x' || chr(8) || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || '\\N\\' AS e,
      to_timestamp(i) AS f, decode('5c0a00ff', 'hex') AS g, ARRAY[i, NULL] AS h,
      jsonb_build_object('k', E'a\\\\\\n') AS j, NULL::text AS k, '' AS l, (i / 8.0)::numeric AS m,
      ARRAY[E'a\\\\"\\n', 'NULL', NULL] AS n, uuid 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS o,
      date '2024-02-29' AS p,
      timestamp '2024-02-29 01:02:03.5' AS q, interval '1 day' AS r, '\\N' AS s, E'\\\\' AS t
    FROM generate_series(-3, 3) AS i`;

  test.each(["text", "binary"] as const)("in %s format are those of a query", async (format) => {
    const conn = await connect();
    const expected = (await conn.query(QUERY, [], { rowMode: "array" })).rows;
    expect(await listed(copyTo(conn, { query: QUERY, format }).rows())).toEqual(expected);
    await expectFree(conn);
  });

  test("of a table leave generated columns out, as a copy does", async () => {
    const conn = await connect();
    await conn.query(
      "CREATE TEMP TABLE t (id int, twice int GENERATED ALWAYS AS (id * 2) STORED, name text)",
      [],
    );
    await conn.query("INSERT INTO t VALUES (1, DEFAULT, 'a')", []);
    expect(await listed(copyTo(conn, { table: "t" }).rows())).toEqual([[1, "a"]]);
    expect(await listed(copyTo(conn, { table: "t", columns: ["name"] }).rows())).toEqual([["a"]]);
  });

  test("are not to be had where their types are not known, or the format is another", async () => {
    const conn = await connect();
    expect(() => copyTo(conn, NUMBERS).rows()).toThrow("rows are read from a table or a query");
    expect(() => copyTo(conn, { table: "t", format: "csv" }).rows()).toThrow("text or binary");
    expect(() => copyTo(conn, { table: "t", header: true }).rows()).toThrow("without a header");
  });

  test("end with VALUE_OUT_OF_RANGE where JavaScript has no such value", async () => {
    const conn = await connect({ int8: "number" });
    const origin = { query: "SELECT 9007199254740993 FROM generate_series(1, 100000)" };
    for (const format of ["text", "binary"] as const) {
      const error = await errorOf(listed(copyTo(conn, { ...origin, format }).rows()));
      expect(error).toMatchObject({ code: "VALUE_OUT_OF_RANGE" });
      await expectFree(conn);
    }
  });
});

describe("a stream", () => {
  test("carries the data to a file", async () => {
    const conn = await connect();
    const folder = mkdtempSync(join(tmpdir(), "copy-out-"));
    try {
      const file = join(folder, "numbers");
      const copy = copyTo(conn, NUMBERS);
      await pipeline(copy.stream(), createWriteStream(file));
      expect(await text(createReadStream(file))).toBe(EXPECTED);
      expect(copy.rowsAffected).toBe(10_000);
      await expectFree(conn);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("that is destroyed stops the server, also while it says nothing", async () => {
    const conn = await connect();
    const observer = await connect();
    for (const sql of [ENDLESS, SILENT]) {
      const stream = copyTo(conn, sql).stream();
      const closed = new Promise((resolve) => stream.once("close", resolve));
      stream.on("data", () => stream.destroy());
      if (sql === SILENT) {
        await untilBusy(observer, conn.processId);
        stream.destroy();
      }
      await closed;
      await expectFree(conn);
    }
  });

  test("ends with the server's error", async () => {
    const conn = await connect();
    const stream = copyTo(conn, "COPY (SELECT 1 / 0) TO STDOUT").stream();
    const error = await errorOf(text(stream));
    expect(isPgError(error) && error.sqlstate).toBe("22012");
    await expectFree(conn);
  });

  test("that is destroyed before anything was read leaves nothing behind", async () => {
    const conn = await connect();
    const stream = copyTo(conn, ENDLESS).stream();
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.resume();
    stream.destroy();
    await closed;
    await eventually(
      await connect(),
      "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $1",
      [conn.processId],
    );
    await expectFree(conn);
  });
});

describe("a copy that ends early", () => {
  const FAILING = "COPY (SELECT 1 / (5000 - i) FROM generate_series(1, 9999) AS i) TO STDOUT";

  test("by leaving the loop stops the server", async () => {
    const conn = await connect();
    for await (const piece of copyTo(conn, ENDLESS)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await expectFree(conn);
    const origin = { query: "SELECT generate_series(1, 1000000000)" };
    for await (const [i] of copyTo(conn, origin).rows()) if (i === 20_000) break;
    await expectFree(conn);
  });

  test("by an error in the loop passes that error on", async () => {
    const conn = await connect();
    const mistake = new Error("mine");
    const reading = (async () => {
      for await (const _piece of copyTo(conn, ENDLESS)) throw mistake;
    })();
    expect(await errorOf(reading)).toBe(mistake);
    await expectFree(conn);
  });

  test("by the server's error rejects with it, and not as if it were complete", async () => {
    const conn = await connect();
    const error = await errorOf(gathered(copyTo(conn, FAILING)));
    expect(isPgError(error) && error.sqlstate).toBe("22012");
    await expectFree(conn);
    const missing = await errorOf(gathered(copyTo(conn, { table: "nowhere" })));
    expect(isPgError(missing) && missing.sqlstate).toBe("42P01");
    await expectFree(conn);
  });

  test("by the signal rejects with its reason, also while nothing comes", async () => {
    const conn = await connect();
    const observer = await connect();
    const reason = new Error("enough");
    const aborted = { signal: AbortSignal.abort(reason) };
    expect(await errorOf(gathered(copyTo(conn, NUMBERS, aborted)))).toBe(reason);
    await expectFree(conn);

    const controller = new AbortController();
    const reading = (async () => {
      for await (const _piece of copyTo(conn, ENDLESS, controller)) controller.abort(reason);
    })();
    expect(await errorOf(reading)).toBe(reason);
    await expectFree(conn);

    const second = new AbortController();
    const waiting = errorOf(gathered(copyTo(conn, SILENT, second)));
    await untilBusy(observer, conn.processId);
    second.abort(reason);
    expect(await waiting).toBe(reason);
    await expectFree(conn);
  });

  test("by the loss of the connection says so", async () => {
    const conn = await connect();
    const killer = await connect();
    const reading = (async () => {
      for await (const _piece of copyTo(conn, ENDLESS)) {
        await killer.query("SELECT pg_terminate_backend($1)", [conn.processId]);
      }
    })();
    expect(await errorOf(reading)).toMatchObject({ code: "CONNECTION_LOST" });
  });
});

test("a reader that is slow slows the server down", async () => {
  const conn = await connect();
  const observer = await connect();
  const bytes = 200e6;
  const sql = `COPY (SELECT repeat('x', 999) FROM generate_series(1, ${bytes / 1000})) TO STDOUT`;
  const sizes: number[] = [];
  for await (const piece of copyTo(conn, sql)) {
    if (sizes.length < 3) {
      await eventually(
        observer,
        "SELECT wait_event = 'ClientWrite' FROM pg_stat_activity WHERE pid = $1",
        [conn.processId],
      );
      // All that comes in meanwhile would be in the next piece.
      await observer.query("SELECT pg_sleep(0.3)", []);
    }
    sizes.push(piece.length);
  }
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes);
  expect(Math.max(...sizes)).toBeLessThan(1e6);
});

test("while data is being read the connection takes nothing else", async () => {
  const conn = await connect();
  for await (const _piece of copyTo(conn, ENDLESS)) {
    const error = await errorOf(conn.query("SELECT 1", []));
    expect(error).toMatchObject({ code: "ARGUMENT_INVALID" });
    break;
  }
  await expectFree(conn);
});

test("a connection of a pool is kept after a copy that was left", async () => {
  const db = openDB(postgres(inject("postgresUrl")), { maxOpenConns: 1 });
  try {
    await db.withConn((conn) =>
      conn.raw(async (pg) => {
        for await (const _piece of copyTo(pg, ENDLESS)) break;
      }),
    );
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
    expect(db.stats().pool.dialCount).toBe(1);
  } finally {
    await db.close();
  }
});
