import { expect, test } from "vitest";
import { rowsClosed } from "../../../packages/forebay/src/sql/errors.ts";
import { outcome, rejection, sqlBench } from "../../support/fake-database.ts";

const END = { done: true, value: undefined };

test("rows are given one by one, and the end gives the connection back", async () => {
  const { db, database, leased, done } = sqlBench();
  const seen: unknown[] = [];
  for await (const row of db.rows<{ n: number }>("a")) {
    expect(leased()).toBe(1);
    seen.push(row.n);
  }
  expect(seen).toEqual([1, 2, 3]);
  expect(leased()).toBe(0);
  expect(database.log).toEqual(["1 stream a", "1 next", "1 next", "1 next"]);
  await done();
});

test("a batch is fetched only when the one before has been read", async () => {
  const { db, database, done } = sqlBench();
  const rows = db.rows("a");
  await rows.next();
  await rows.next();
  expect(database.calls).toEqual(["stream a", "next"]);
  await rows.next();
  expect(database.calls).toEqual(["stream a", "next", "next"]);
  await rows.close();
  await done();
});

test("rows that are never read make no call and hold no connection", async () => {
  const { db, database, leased, done } = sqlBench();
  const unread = db.rows("a");
  const iterator = unread[Symbol.asyncIterator]();
  expect(iterator).toBe(unread);
  await Promise.resolve();
  expect(database.conns).toHaveLength(0);
  expect(leased()).toBe(0);
  await unread.close();
  expect(await rejection(unread.next())).toMatchObject({ code: "ROWS_CLOSED" });
  expect(database.conns).toHaveLength(0);
  await done();
});

test("columns are known after the first read, the count after the last", async () => {
  const { db, done } = sqlBench();
  const rows = db.rows("a");
  expect(rows.columns).toEqual([]);
  await rows.next();
  expect(rows.columns).toEqual([{ name: "n", type: "int4" }]);
  expect(rows.rowsAffected).toBe(0);
  while ((await rows.next()).done !== true) continue;
  expect(rows.rowsAffected).toBe(3);
  expect(rows.columns).toHaveLength(1);
  await done();
});

test("a result without rows has columns, and ends at once", async () => {
  const { db, database, leased, done } = sqlBench();
  database.batches = [];
  const rows = db.rows("a");
  expect(await rows.next()).toEqual(END);
  expect(rows.columns).toHaveLength(1);
  expect(leased()).toBe(0);
  await done();
});

test("after the end reads keep giving the end, and close has no effect", async () => {
  const { db, database, done } = sqlBench();
  const rows = db.rows("a");
  for await (const _row of rows) continue;
  expect(await rows.next()).toEqual(END);
  await rows.close();
  expect(await rows.next()).toEqual(END);
  expect(database.calls).not.toContain("rows.close");
  await done();
});

test("break ends the statement and gives the connection back", async () => {
  const { db, database, leased, done } = sqlBench();
  for await (const _row of db.rows("a")) break;
  expect(database.calls).toEqual(["stream a", "next", "rows.close"]);
  expect(leased()).toBe(0);
  await done();
});

test("a throw in the loop ends the statement and gives the connection back", async () => {
  const { db, database, leased, done } = sqlBench();
  const mistake = new Error("in the loop");
  const loop = async () => {
    for await (const _row of db.rows("a")) throw mistake;
  };
  expect(await rejection(loop())).toBe(mistake);
  expect(database.calls).toEqual(["stream a", "next", "rows.close"]);
  expect(leased()).toBe(0);
  await done();
});

test("close ends the statement, gives the connection back, and later reads say so", async () => {
  const { db, database, leased, done } = sqlBench();
  const rows = db.rows("a");
  await rows.next();
  await Promise.all([rows.close(), rows.close()]);
  await rows[Symbol.asyncDispose]();
  expect(database.calls).toEqual(["stream a", "next", "rows.close"]);
  expect(leased()).toBe(0);
  expect(await rejection(rows.next())).toMatchObject({ code: "ROWS_CLOSED" });
  await done();
});

test("close waits for a read in flight, which rejects", async () => {
  const { db, database, leased, done } = sqlBench();
  const rows = db.rows("a");
  await rows.next();
  await rows.next();
  const hang = database.hangNext("next");
  const read = outcome(rows.next());
  await hang.reached;
  const closing = rows.close();
  expect(leased()).toBe(1);
  hang.release();
  await closing;
  expect(await read).toMatchObject({ error: { code: "ROWS_CLOSED" } });
  expect(leased()).toBe(0);
  await done();
});

test("close while the statement is still starting waits for that, and ends it", async () => {
  const { db, database, leased, done } = sqlBench();
  const hang = database.hangNext("stream");
  const rows = db.rows("a");
  const read = outcome(rows.next());
  await hang.reached;
  const closing = rows.close();
  hang.release();
  await closing;
  expect(await read).toMatchObject({ error: { code: "ROWS_CLOSED" } });
  expect(database.calls).toEqual(["stream a", "rows.close"]);
  expect(leased()).toBe(0);
  await done();
});

test("a statement that cannot start rejects each read with the driver's error", async () => {
  const { db, database, leased, done } = sqlBench();
  const syntax = new Error("syntax error");
  database.failNext("stream", syntax);
  const rows = db.rows("a");
  expect(await rejection(rows.next())).toBe(syntax);
  expect(await rejection(rows.next())).toBe(syntax);
  expect(leased()).toBe(0);
  await rows.close();
  expect(database.calls).toEqual(["stream a"]);
  await done();
});

test("an error between rows rejects each read from then on; the connection is back", async () => {
  const { db, database, leased, done } = sqlBench();
  const rows = db.rows("a");
  await rows.next();
  await rows.next();
  const division = new Error("division by zero");
  database.failNext("next", division);
  expect(await rejection(rows.next())).toBe(division);
  expect(leased()).toBe(0);
  expect(await rejection(rows.next())).toBe(division);
  await rows.close();
  expect(database.calls).toEqual(["stream a", "next", "next"]);
  await done();
});

test("a statement that cannot be ended costs the connection, and close says why", async () => {
  const { db, database, done } = sqlBench();
  const rows = db.rows("a");
  await rows.next();
  const lost = new Error("connection lost");
  database.failNext("rows.close", lost);
  expect(await rejection(rows.close())).toBe(lost);
  expect(database.openCount).toBe(0);
  await done();
});

test("a signal aborted during a read rejects it, and the connection is back", async () => {
  const { db, database, abortable, leased, done } = sqlBench();
  const controller = abortable();
  const rows = db.rows("a", [], { signal: controller.signal });
  await rows.next();
  await rows.next();
  const hang = database.hangNext("next");
  const read = outcome(rows.next());
  await hang.reached;
  controller.abort("enough");
  expect(await read).toEqual({ error: "enough" });
  expect(await rejection(rows.next())).toBe("enough");
  hang.release();
  await Promise.resolve();
  expect(leased()).toBe(0);
  await done();
});

test("a signal aborted while the statement starts rejects the read with the reason", async () => {
  const { db, database, abortable, leased, done } = sqlBench();
  const controller = abortable();
  const hang = database.hangNext("stream");
  const rows = db.rows("a", [], { signal: controller.signal });
  const read = outcome(rows.next());
  await hang.reached;
  controller.abort("enough");
  expect(await read).toEqual({ error: "enough" });
  expect(leased()).toBe(0);
  hang.release();
  await done();
});

test("a signal aborted as the statement has just started ends the rows", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  await db.ping();
  const conn = database.conns[0];
  if (conn !== undefined) {
    const stream = conn.stream.bind(conn);
    conn.stream = async (sql, args) => {
      const rows = await stream(sql, args);
      controller.abort("enough");
      return rows;
    };
  }
  const rows = db.rows("a", [], { signal: controller.signal });
  expect(await rejection(rows.next())).toBe("enough");
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["ping", "stream a", "rows.close"]);
  await done();
});

test("a signal aborted between two reads gives the connection back, unread", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench();
  const controller = abortable();
  const rows = db.rows("a", [], { signal: controller.signal });
  await rows.next();
  controller.abort("enough");
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["stream a", "next", "rows.close"]);
  expect(await rejection(rows.next())).toBe("enough");
  await done();
});

test("a signal aborted after the end changes nothing", async () => {
  const { db, abortable, done } = sqlBench();
  const controller = abortable();
  const rows = db.rows("a", [], { signal: controller.signal });
  for await (const _row of rows) continue;
  controller.abort("late");
  expect(await rows.next()).toEqual(END);
  await done();
});

test("concurrent reads are served in order, and the surplus gets the end", async () => {
  const { db, done } = sqlBench();
  const rows = db.rows<{ n: number }>("a");
  const reads = Array.from({ length: 5 }, () => rows.next());
  const results = await Promise.all(reads);
  expect(results.map(({ value }) => value?.n)).toEqual([1, 2, 3, undefined, undefined]);
  expect(results.map((result) => result.done)).toEqual([false, false, false, true, true]);
  await done();
});

test("a read made while others wait does not overtake them", async () => {
  const { db, database, done } = sqlBench();
  const numbers = Array.from({ length: 12 }, (_, n) => n);
  database.batches = [numbers.map((n) => ({ n }))];
  const rows = db.rows<{ n: number }>("a");
  const read = async () => (await rows.next()).value?.n;
  const waiting = numbers.slice(0, -1).map(read);
  const late = waiting[0]?.then(read);
  expect(await Promise.all([...waiting, late])).toEqual(numbers);
  await rows.close();
  await done();
});

test("two rows of a DB use two connections", async () => {
  const { db, leased, done } = sqlBench();
  const [one, other] = [db.rows("a"), db.rows("b")];
  await one.next();
  await other.next();
  expect(leased()).toBe(2);
  await Promise.all([one.close(), other.close()]);
  await done();
});

test("rows that are ended as their batch arrives give no row that is none", async () => {
  for (const end of ["abort", "close"] as const) {
    for (let turns = 0; turns < 12; turns++) {
      const { db, database, abortable, done } = sqlBench();
      const controller = abortable();
      const rows = db.rows("a", [], { signal: controller.signal });
      const hang = database.hangNext("next");
      const read = outcome(rows.next());
      await hang.reached;
      hang.release();
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      if (end === "abort") controller.abort("enough");
      const closed = rows.close();
      const given = { value: { done: false, value: { n: 1 } } };
      const refused = [{ error: "enough" }, { error: rowsClosed() }];
      expect([given, ...refused]).toContainEqual(await read);
      await closed;
      await done();
    }
  }
});
