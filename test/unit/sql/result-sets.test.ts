// Results that follow one another in the rows of one text.

import { expect, test } from "vitest";
import { outcome, rejection, type SqlBench, sqlBench } from "../../support/fake-database.ts";

const END = { done: true, value: undefined };

function threeResults(): SqlBench {
  const bench = sqlBench();
  bench.database.batches = [[{ n: 1 }, { n: 2 }]];
  bench.database.moreResults = [[], [[{ n: 3 }], [{ n: 4 }]]];
  return bench;
}

test("the end of a result is not the end of all, and holds the connection", async () => {
  const { db, leased, done } = threeResults();
  const rows = db.rows<{ n: number }>("a; b; c");
  const seen: number[][] = [];
  const counts: number[] = [];
  do {
    const result: number[] = [];
    for await (const { n } of rows) result.push(n);
    seen.push(result);
    counts.push(rows.rowsAffected);
    expect(await outcome(rows.next())).toEqual({ value: END });
    expect(leased()).toBe(seen.length < 3 ? 1 : 0);
  } while (await rows.nextResultSet());
  expect(seen).toEqual([[1, 2], [], [3, 4]]);
  expect(counts).toEqual([2, 0, 2]);
  expect(await rows.nextResultSet()).toBe(false);
  expect(rows.columns).toHaveLength(1);
  await done();
});

test("going on passes over what has not been read, also before the first read", async () => {
  const { db, leased, done } = threeResults();
  const rows = db.rows<{ n: number }>("a; b; c");
  expect(await rows.nextResultSet()).toBe(true);
  expect(await rows.nextResultSet()).toBe(true);
  expect(await rows.next()).toEqual({ done: false, value: { n: 3 } });
  expect(await rows.nextResultSet()).toBe(false);
  expect(leased()).toBe(0);
  expect(await rows.next()).toEqual(END);
  await done();
});

test("close between two results gives the connection back", async () => {
  const { db, database, leased, done } = threeResults();
  const rows = db.rows("a; b; c");
  for await (const _row of rows) continue;
  expect(leased()).toBe(1);
  await rows.close();
  expect(leased()).toBe(0);
  expect(database.calls.at(-1)).toBe("rows.close");
  expect(await rejection(rows.next())).toMatchObject({ code: "ROWS_CLOSED" });
  expect(await rejection(rows.nextResultSet())).toMatchObject({ code: "ROWS_CLOSED" });
  await done();
});

test("an abort between two results ends the rows", async () => {
  const { db, leased, abortable, clock, done } = threeResults();
  const controller = abortable();
  const rows = db.rows("a; b; c", [], { signal: controller.signal });
  for await (const _row of rows) continue;
  controller.abort("enough");
  await clock.settle();
  expect(leased()).toBe(0);
  expect(await rejection(rows.nextResultSet())).toBe("enough");
  await done();
});

test("an error of the next statement rejects, and gives the connection back", async () => {
  const { db, database, leased, done } = threeResults();
  const rows = db.rows("a; b; c");
  for await (const _row of rows) continue;
  const violation = new Error("duplicate key");
  database.failNext("nextResultSet", violation);
  expect(await rejection(rows.nextResultSet())).toBe(violation);
  expect(leased()).toBe(0);
  expect(await rejection(rows.next())).toBe(violation);
  await done();
});

test("a driver that knows one result only has no next, and what was left is ended", async () => {
  const { db, database, leased, done } = sqlBench();
  database.hasResultSets = false;
  const rows = db.rows("a");
  await rows.next();
  expect(await rows.nextResultSet()).toBe(false);
  expect(database.calls).toEqual(["stream a", "next", "rows.close"]);
  expect(leased()).toBe(0);
  expect(await rows.next()).toEqual(END);
  const broken = db.rows("a");
  await broken.next();
  const refused = new Error("cannot end");
  database.failNext("rows.close", refused);
  expect(await rejection(broken.nextResultSet())).toBe(refused);
  expect(database.conns[0]?.isClosed).toBe(true);
  await done();
});

test("reads and steps to the next result take their turns", async () => {
  const { db, done } = threeResults();
  const rows = db.rows<{ n: number }>("a; b; c");
  const all = [rows.next(), rows.nextResultSet(), rows.next(), rows.nextResultSet(), rows.next()];
  expect(await Promise.all<unknown>(all)).toEqual([
    { done: false, value: { n: 1 } },
    true,
    END,
    true,
    { done: false, value: { n: 3 } },
  ]);
  await rows.close();
  await done();
});

test("on a Conn, the results keep other calls out until the last has ended", async () => {
  const { db, done } = threeResults();
  await db.withConn(async (conn) => {
    const rows = conn.rows("a; b; c");
    for await (const _row of rows) continue;
    expect(await rejection(conn.query("d"))).toMatchObject({ code: "CONN_BUSY" });
    await rows.nextResultSet();
    await rows.nextResultSet();
    expect(await rows.nextResultSet()).toBe(false);
    await conn.query("d");
  });
  await done();
});
