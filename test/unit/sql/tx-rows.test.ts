import { expect, test } from "vitest";
import { UsageError } from "../../../packages/forebay/src/base/errors.ts";
import { outcome, rejection, sqlBench } from "../../support/fake-database.ts";

const TX_DONE = { code: "TX_DONE", family: "operating", retryable: false };
const CONN_BUSY = { code: "CONN_BUSY", family: "usage" };

test("while rows are read other calls reject with CONN_BUSY, afterwards they work", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  for await (const _row of tx.rows("r")) {
    const error = await rejection(tx.query("a"));
    expect(error).toMatchObject(CONN_BUSY);
    expect(error).toBeInstanceOf(UsageError);
    expect(await rejection(tx.rows("s").next())).toMatchObject(CONN_BUSY);
    expect(await rejection(tx.transaction(async () => undefined))).toMatchObject(CONN_BUSY);
    expect(await rejection(tx.commit())).toMatchObject(CONN_BUSY);
  }
  await tx.query("b");
  for await (const _row of tx.rows("r")) break;
  await tx.query("c");
  await tx.commit();
  expect(database.calls.filter((call) => /query|commit/.test(call))).toEqual([
    "query b",
    "query c",
    "commit",
  ]);
  await done();
});

test("rows whose statement fails give the session back to the transaction", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  database.failNext("stream", new Error("syntax error"));
  await rejection(tx.rows("r").next());
  const rows = tx.rows("r");
  await rows.next();
  await rows.next();
  database.failNext("next", new Error("division by zero"));
  await rejection(rows.next());
  await tx.query("a");
  await tx.commit();
  expect(database.calls.slice(-2)).toEqual(["query a", "commit"]);
  await done();
});

test("rows read in a transaction wait for the calls made before them", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const hang = database.hangNext("query");
  const query = tx.query("a");
  const rows = tx.rows("r");
  const read = rows.next();
  await hang.reached;
  hang.release();
  await Promise.all([query, read]);
  await rows.close();
  await tx.commit();
  expect(database.calls).toEqual(["begin", "query a", "stream r", "next", "rows.close", "commit"]);
  await done();
});

test("the own signal of rows in a transaction ends them alone, also in the queue", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  const [whole, own, other] = [abortable(), abortable(), abortable()];
  const tx = await db.begin({ signal: whole.signal });
  const rows = tx.rows("r", [], { signal: own.signal });
  await rows.next();
  own.abort("enough");
  await clock.settle();
  const hang = database.hangNext("query");
  const query = tx.query("a");
  await hang.reached;
  const waiting = outcome(tx.rows("s", [], { signal: other.signal }).next());
  other.abort("enough");
  expect(await waiting).toEqual({ error: "enough" });
  hang.release();
  await query;
  await tx.commit();
  expect(database.calls).toEqual(["begin", "stream r", "next", "rows.close", "query a", "commit"]);
  await done();
});

test("rollback ends open rows first; their reads reject with TX_DONE", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const rows = tx.rows("r");
  await rows.next();
  await tx.rollback();
  expect(await rejection(rows.next())).toMatchObject(TX_DONE);
  await rows.close();
  expect(database.calls).toEqual(["begin", "stream r", "next", "rows.close", "rollback"]);
  await done();
});

test("an abort ends open rows before it rolls back; reads reject with its reason", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  const rows = tx.rows("r");
  await rows.next();
  controller.abort("enough");
  expect(await rejection(rows.next())).toBe("enough");
  await clock.settle();
  expect(database.calls).toEqual(["begin", "stream r", "next", "rows.close", "rollback"]);
  await done();
});

test("an abort stops a read of rows in flight", async () => {
  const { db, database, abortable, clock, done } = sqlBench();
  const [whole, own] = [abortable(), abortable()];
  const tx = await db.begin({ signal: whole.signal });
  const rows = tx.rows("r", [], { signal: own.signal });
  await rows.next();
  await rows.next();
  const hang = database.hangNext("next");
  const read = outcome(rows.next());
  await hang.reached;
  whole.abort("enough");
  expect(await read).toEqual({ error: "enough" });
  await clock.settle();
  expect(database.calls).toEqual(["begin", "stream r", "next", "next", "rollback"]);
  hang.release();
  await done();
});
