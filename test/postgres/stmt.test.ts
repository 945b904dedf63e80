// Prepared statements that the server forgets, or whose table changes under them.

import { afterEach, expect, inject, test } from "vitest";
import { type PgConnection, postgres } from "../../packages/forebay/src/postgres/index.ts";
import { type DB, openDB } from "../../packages/forebay/src/sql/db.ts";
import { errorOf } from "./wire-session.ts";

const open: DB<PgConnection>[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});

function single(maxStmtsPerConn?: number): DB<PgConnection> {
  const connector = postgres(inject("postgresUrl"), {
    env: {},
    statementMode: "exec",
    sessionReset: "off",
  });
  const db = openDB(connector, { maxOpenConns: 1, maxStmtsPerConn });
  open.push(db);
  return db;
}

test("a statement whose columns change fails once, and is then prepared anew", async () => {
  const db = single();
  await db.exec("CREATE TEMP TABLE changing (a int); INSERT INTO changing VALUES (1)");
  const stmt = await db.prepare("SELECT * FROM changing");
  expect(await stmt.queryRow()).toEqual({ a: 1 });
  await db.exec("ALTER TABLE changing ADD b int DEFAULT 2");
  expect(await errorOf(stmt.query())).toMatchObject({ code: "0A000" });
  expect(await stmt.queryRow()).toEqual({ a: 1, b: 2 });
  await db.exec("ALTER TABLE changing DROP a");
  expect(await errorOf(stmt.rows().next())).toMatchObject({ code: "0A000" });
  await using rows = stmt.rows();
  expect(await rows.next()).toEqual({ done: false, value: { b: 2 } });
});

test("a statement that was deallocated fails once, and is then prepared anew", async () => {
  const db = single();
  const stmt = await db.prepare("SELECT 1 AS one");
  await db.exec("DEALLOCATE ALL");
  expect(await errorOf(stmt.query())).toMatchObject({ code: "26000" });
  expect(await stmt.queryRow()).toEqual({ one: 1 });
});

test("the server never has more statements than maxStmtsPerConn", async () => {
  const db = single(3);
  const stmts = [];
  for (let n = 0; n < 8; n++) stmts.push(await db.prepare(`SELECT ${n} AS n`));
  for (const [n, stmt] of stmts.entries()) expect(await stmt.queryRow()).toEqual({ n });
  const { count } = await db.queryRow<{ count: number }>(
    "SELECT count(*)::int FROM pg_prepared_statements",
  );
  expect(count).toBe(3);
});
