// COPY FROM STDIN on a real server.

import { describe, expect, inject, test } from "vitest";
import { openDB } from "../../packages/forebay/src/index.ts";
import { copyFrom, isPgError, postgres } from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, rowsOf } from "./wire-session.ts";

const TABLE = "CREATE TEMP TABLE t (id int PRIMARY KEY, name text)";
const COPY = "COPY t (id, name) FROM STDIN";

function* lines(count: number): Generator<string> {
  for (let id = 1; id <= count; id++) yield `${id}\tname ${id}\n`;
}

/** Each line by itself, at a later moment. */
async function* lateLines(count: number): AsyncGenerator<string> {
  for (const line of lines(count)) yield await Promise.resolve(line);
}

async function table() {
  const conn = await connect();
  await conn.query(TABLE, []);
  const count = async () => (await rowsOf(conn, "SELECT count(*)::int AS n FROM t"))[0]?.["n"];
  return { conn, count };
}

describe("a copy", () => {
  test("takes text and bytes, from iterables of both kinds, cut anywhere", async () => {
    const { conn, count } = await table();
    expect(await copyFrom(conn, COPY, lines(1000))).toEqual({ rowsAffected: 1000 });
    await conn.query("TRUNCATE t", []);
    expect(await copyFrom(conn, COPY, lateLines(1000))).toEqual({ rowsAffected: 1000 });
    await conn.query("TRUNCATE t", []);
    const bytes = Buffer.from([...lines(1000)].join(""));
    const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) =>
      bytes.subarray(at * 7, at * 7 + 7),
    );
    expect(await copyFrom(conn, COPY, pieces)).toEqual({ rowsAffected: 1000 });
    expect(await count()).toBe(1000);
    expect((await rowsOf(conn, "SELECT name FROM t WHERE id = 500"))[0]?.["name"]).toBe("name 500");
  });

  test("of nothing copies nothing", async () => {
    const { conn, count } = await table();
    expect(await copyFrom(conn, COPY, [])).toEqual({ rowsAffected: 0 });
    expect(await count()).toBe(0);
  });

  test("reads the source no faster than the server takes the data", async () => {
    const { conn } = await table();
    const blocker = await connect();
    // The first row that the server stores makes it wait, with the copy under way.
    await conn.query(
      `CREATE TABLE copy_pressure (name text);
       CREATE FUNCTION copy_pressure() RETURNS trigger LANGUAGE plpgsql AS
         'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN new; END';
       CREATE TRIGGER wait BEFORE INSERT ON copy_pressure EXECUTE FUNCTION copy_pressure()`,
      [],
    );
    try {
      await blocker.query("SELECT pg_advisory_lock(4711)", []);
      let given = 0;
      const line = `${"x".repeat(999)}\n`;
      const source = (function* () {
        for (; given < 50_000; given++) yield line;
      })();
      const copy = copyFrom(conn, "COPY copy_pressure FROM STDIN", source);
      await blocker.query("SELECT pg_sleep(0.3)", []);
      expect(given).toBeGreaterThan(0);
      expect(given).toBeLessThan(50_000);
      await blocker.query("SELECT pg_advisory_unlock(4711)", []);
      expect(await copy).toEqual({ rowsAffected: 50_000 });
    } finally {
      await blocker.query("DROP TABLE copy_pressure; DROP FUNCTION copy_pressure", []);
    }
  });

  test("is undone when the source throws, with the source's error", async () => {
    const { conn, count } = await table();
    const mistake = new Error("no more");
    const source = (function* () {
      yield* lines(50_000);
      throw mistake;
    })();
    expect(await errorOf(copyFrom(conn, COPY, source))).toBe(mistake);
    expect(await count()).toBe(0);
  });

  test("is undone when a piece is no text and no bytes", async () => {
    const { conn, count } = await table();
    const source = ["1\ta\n", 2] as unknown as string[];
    expect(await errorOf(copyFrom(conn, COPY, source))).toMatchObject({ code: "ARGUMENT_INVALID" });
    expect(await count()).toBe(0);
  });

  test("rejects with the server's error, and stops reading the source", async () => {
    const { conn, count } = await table();
    let ended = false;
    async function* source() {
      try {
        yield "1\ta\n1\tb\n";
        yield* lateLines(10_000_000);
      } finally {
        ended = true;
      }
    }
    const error = await errorOf(copyFrom(conn, COPY, source()));
    expect(isPgError(error) && error.sqlstate).toBe("23505");
    expect(await count()).toBe(0);
    expect(ended).toBe(true);
  });

  test("stops when the signal is aborted, before, at the start and in the middle", async () => {
    const { conn, count } = await table();
    const reason = new Error("enough");
    const aborted = AbortSignal.abort(reason);
    expect(await errorOf(copyFrom(conn, COPY, lines(10), { signal: aborted }))).toBe(reason);
    for (const after of [0, 1, 500]) {
      const controller = new AbortController();
      const source = (async function* () {
        for (let id = 1; ; id++) {
          if (id > after) controller.abort(reason);
          yield await Promise.resolve(`${id}\tx\n`);
        }
      })();
      expect(await errorOf(copyFrom(conn, COPY, source, controller))).toBe(reason);
      expect(await count()).toBe(0);
    }
    const controller = new AbortController();
    const copy = errorOf(copyFrom(conn, COPY, lines(10), controller));
    controller.abort(reason);
    expect(await copy).toBe(reason);
    expect(await count()).toBe(0);
  });

  test.each(["SELECT 1", "UPDATE t SET id = id", "COPY t TO STDOUT", ""])(
    "is refused for another statement: %j",
    async (sql) => {
      const { conn, count } = await table();
      expect(await errorOf(copyFrom(conn, sql, lines(10)))).toMatchObject({
        code: "ARGUMENT_INVALID",
      });
      expect(await count()).toBe(0);
    },
  );

  test("rejects when the connection is lost in the middle", async () => {
    const { conn } = await table();
    const killer = await connect();
    async function* source() {
      yield* lateLines(10);
      await killer.query("SELECT pg_terminate_backend($1)", [conn.processId]);
      yield* lateLines(10_000_000);
    }
    const error = await errorOf(copyFrom(conn, COPY, source()));
    expect(error).toMatchObject({ code: "CONNECTION_LOST" });
  });

  test("runs on a connection of a pool, which is kept when the copy fails", async () => {
    // The temporary table is to be there for the next user.
    const connector = postgres(inject("postgresUrl"), { sessionReset: "off" });
    const db = openDB(connector, { maxOpenConns: 1 });
    try {
      await db.exec(TABLE);
      const copy = (source: Iterable<string>) =>
        db.withConn((conn) => conn.raw((pg) => copyFrom(pg, COPY, source)));
      expect(await copy(lines(100))).toEqual({ rowsAffected: 100 });
      expect(await errorOf(copy(["1\tagain\n"]))).toMatchObject({ sqlstate: "23505" });
      expect(await db.queryRow("SELECT count(*) AS n FROM t")).toEqual({ n: 100 });
      expect(db.stats().pool.dialCount).toBe(1);
    } finally {
      await db.close();
    }
  });
});
