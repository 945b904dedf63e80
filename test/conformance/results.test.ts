import { expect, test } from "vitest";
import type { Column } from "../../packages/forebay/src/driver/driver.ts";
import { scan, type Scanner } from "../../packages/forebay/src/sql/scan.ts";
import { connOf, outcome, rejection, sqlBench } from "./support.ts";

const NO_ROWS = { code: "NO_ROWS", family: "operating" };

test("TestQuery: rows read to the end give the connection back, after one call", async () => {
  const { db, database, leased, done } = sqlBench();
  const seen: unknown[] = [];
  const rows = db.rows("a");
  for (let read = await rows.next(); read.done !== true; read = await rows.next()) {
    seen.push(read.value);
  }
  expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(leased()).toBe(0);
  expect(database.calls.filter((call) => call !== "next")).toEqual(["stream a"]);
  await done();
});

test("TestQueryRow: the first row, or NO_ROWS; the connection is back", async () => {
  const { db, database, leased, done } = sqlBench();
  database.answer = () => ({ rows: [{ n: 7 }, { n: 8 }] });
  expect(await db.queryRow("a")).toEqual({ n: 7 });
  database.answer = () => ({ rows: [] });
  expect(await rejection(db.queryRow("a"))).toMatchObject(NO_ROWS);
  expect(leased()).toBe(0);
  await done();
});

test("TestRowErr: what kept a row from coming is known without a look at the row", async () => {
  const { db, database, abortable, done } = sqlBench();
  const syntax = new Error("syntax error");
  database.failNext("query", syntax);
  expect(await rejection(db.queryRow("a"))).toBe(syntax);
  const controller = abortable();
  controller.abort("enough");
  expect(await rejection(db.queryRow("a", [], { signal: controller.signal }))).toBe("enough");
  await done();
});

test("TestRowsColumns: columns are known from the first read, also after close", async () => {
  const { db, done } = sqlBench();
  const rows = db.rows("a");
  expect(rows.columns).toEqual([]);
  await rows.next();
  expect(rows.columns.map(({ name }) => name)).toEqual(["n"]);
  await rows.close();
  expect(rows.columns.map(({ name }) => name)).toEqual(["n"]);
  await done();
});

test("TestRowsCloseOrder: the driver's rows are closed before the lease ends", async () => {
  const { db, database, leased, clock, done } = sqlBench({ maxOpenConns: 1 });
  const rows = db.rows("a");
  await rows.next();
  const next = db.query("b");
  const hang = database.hangNext("rows.close");
  const closed = rows.close();
  await hang.reached;
  await clock.settle();
  expect(leased()).toBe(1);
  expect(database.calls).toEqual(["stream a", "next", "rows.close"]);
  hang.release();
  await Promise.all([closed, next]);
  expect(database.calls).toEqual(["stream a", "next", "rows.close", "query b"]);
  await done();
});

test("TestCloseStmtBeforeRows: rows of a closed statement are read to their end", async () => {
  const { db, leased, done } = sqlBench();
  const stmt = await db.prepare("p");
  const rows = stmt.rows();
  await rows.next();
  await stmt.close();
  const rest: unknown[] = [];
  for await (const row of rows) rest.push(row);
  expect(rest).toEqual([{ n: 2 }, { n: 3 }]);
  expect(leased()).toBe(0);
  await done();
});

test("TestCloseConnBeforeStmts: a statement may be closed after its session or DB", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const ofConn = await conn.prepare("p");
  const ofDb = await db.prepare("q");
  await conn.close();
  await ofConn.close();
  await done();
  const { length } = database.log;
  await ofDb.close();
  expect(database.log).toHaveLength(length);
  expect(database.violations).toEqual([]);
});

test("TestRowsImplicitClose: a failed read ends the rows; the connection is back", async () => {
  const { db, database, leased, done } = sqlBench();
  const rows = db.rows("a");
  await rows.next();
  await rows.next();
  const failure = new Error("bad value in row 3");
  database.failNext("next", failure);
  expect(await rejection(rows.next())).toBe(failure);
  expect(leased()).toBe(0);
  expect(await rejection(rows.next())).toBe(failure);
  await rows.close();
  expect(connOf(database, 1).openRows).toBeUndefined();
  await done();
});

test("TestRowsCloseError: what closing the rows meets is told, once", async () => {
  const { db, database, leased, done } = sqlBench();
  const failure = new Error("cannot close");
  const rows = db.rows("a");
  await rows.next();
  database.failNext("rows.close", failure);
  expect(await rejection(rows.close())).toBe(failure);
  expect([leased(), database.openCount]).toEqual([0, 0]);
  await rows.close();
  const looped = outcome(
    (async () => {
      database.failNext("rows.close", failure);
      for await (const _row of db.rows("a")) break;
    })(),
  );
  expect(await looped).toEqual({ error: failure });
  await done();
});

test("TestSimultaneousQueries: a query beside open Rows in a Tx is refused", async () => {
  const { db, database, done } = sqlBench();
  await db.transaction(async (tx) => {
    const first = tx.rows("a");
    await first.next();
    expect(await rejection(tx.rows("b").next())).toMatchObject({ code: "CONN_BUSY" });
    expect(await rejection(tx.query("b"))).toMatchObject({ code: "CONN_BUSY" });
    await first.close();
    await tx.query("c");
  });
  expect(database.calls).not.toContain("stream b");
  expect(database.calls).not.toContain("query b");
  await done();
});

test("TestQueryRowClosingStmt: queries of one row leave nothing prepared or open", async () => {
  const { db, database, leased, done } = sqlBench();
  for (let n = 0; n < 10; n++) {
    await db.queryRow("a", [n]);
    for await (const _row of db.rows("b")) break;
  }
  expect(leased()).toBe(0);
  for (const conn of database.conns) {
    expect([conn.prepared.size, conn.openRows]).toEqual([0, undefined]);
  }
  const stmt = await db.prepare("p");
  await stmt.queryRow();
  await stmt.close();
  await db.prepare("q");
  expect([...connOf(database, 1).prepared]).toEqual(["q"]);
  await done();
});

test("TestIssue6651: queryRow tells the error that comes after its row", async () => {
  const { db, database, leased, done } = sqlBench();
  const late = new Error("division by zero in row 2");
  database.answer = () => {
    throw late;
  };
  expect(await rejection(db.queryRow("a"))).toBe(late);
  const stmt = await db.prepare("p");
  expect(await rejection(stmt.queryRow())).toBe(late);
  expect(leased()).toBe(0);
  await done();
});

test("TestCursorFake: a value that is a driver's cursor reaches the reader as it is", async () => {
  const { db, database, done } = sqlBench();
  const cursor = { next: () => Promise.resolve(undefined) };
  database.answer = () => ({ rows: [{ list: cursor }] });
  database.batches = [[{ list: cursor }]];
  expect((await db.queryRow<{ list: unknown }>("a")).list).toBe(cursor);
  for await (const row of db.rows<{ list: unknown }>("a")) expect(row.list).toBe(cursor);
  await done();
});

test("TestRowsColumnTypes: a column says what the driver knows of it", async () => {
  const { db, database, done } = sqlBench();
  const columns: readonly Column[] = [
    { name: "id", type: "int8", nullable: false },
    { name: "name", type: "varchar", nullable: true, length: 20 },
    { name: "price", type: "numeric", precision: 12, scale: 2 },
  ];
  database.answer = () => ({ columns });
  expect((await db.query("a")).columns).toEqual(columns);
  const driver = connOf(database, 1);
  const { stream } = driver;
  driver.stream = async (...call) => {
    const rows = await stream.apply(driver, call);
    return Object.defineProperty(rows, "columns", { value: columns });
  };
  const rows = db.rows("a");
  await rows.next();
  expect(rows.columns).toEqual(columns);
  await rows.close();
  expect(rows.columns).toEqual(columns);
  await done();
});

test("TestMultiResultSetQuery: each result has its end, and the last gives all back", async () => {
  const { db, database, leased, done } = sqlBench();
  database.batches = [[{ n: 1 }, { n: 2 }]];
  database.moreResults = [[[{ n: 3 }]], []];
  const rows = db.rows<{ n: number }>("a; b; c");
  const seen: number[][] = [];
  do {
    expect(leased()).toBe(seen.length === 0 ? 0 : 1);
    const result: number[] = [];
    for await (const { n } of rows) result.push(n);
    seen.push(result);
  } while (await rows.nextResultSet());
  expect(seen).toEqual([[1, 2], [3], []]);
  expect(leased()).toBe(0);
  expect([await rows.nextResultSet(), (await rows.next()).done]).toEqual([false, true]);
  await done();
});

test("TestQueryRowNilScanDest: a scanner that is none is an error, and nothing leaks", async () => {
  const { db, leased, done } = sqlBench({ maxOpenConns: 1 });
  const none = undefined as unknown as Scanner<number>;
  const read = async () => scan(await db.queryRow("a"), { n: none });
  const error = await rejection(read());
  expect(error).toMatchObject({ code: "VALUE_MISMATCH", cause: expect.any(TypeError) });
  expect(String(error)).toContain('column "n"');
  expect(leased()).toBe(0);
  await db.ping();
  await done();
});

test("TestRowsScanProperlyWrapsErrors: what a scanner throws is the cause", async () => {
  const { db, done } = sqlBench();
  const mistake = new RangeError("no such state");
  const refuse: Scanner<never> = () => {
    throw mistake;
  };
  for await (const row of db.rows("a")) {
    const read = async () => scan(row, { n: refuse });
    expect(await rejection(read())).toMatchObject({ code: "VALUE_MISMATCH", cause: mistake });
  }
  await done();
});
