import { expect, test } from "vitest";
import type {
  Connector,
  DriverConn,
  DriverRows,
} from "../../packages/forebay/src/driver/driver.ts";
import { RowShape } from "../../packages/forebay/src/postgres/wire/row-shape.ts";
import { openDB } from "../../packages/forebay/src/sql/db.ts";
import { connOf, outcome, rejection, sqlBench } from "./support.ts";

test("TestQueryContext: an abort ends the rows, and the connection is back", async () => {
  const { db, database, leased, clock, abortable, done } = sqlBench();
  const controller = abortable();
  const rows = db.rows("a", [], { signal: controller.signal });
  expect((await rows.next()).value).toEqual({ n: 1 });
  expect(leased()).toBe(1);
  controller.abort("enough");
  await clock.settle();
  expect(leased()).toBe(0);
  for (let n = 0; n < 2; n++) expect(await rejection(rows.next())).toBe("enough");
  expect(database.calls).toEqual(["stream a", "next", "rows.close"]);
  await done();
});

test("TestQueryContextWait: an abort while a statement is sent leaves nothing held", async () => {
  const { db, database, leased, clock, abortable, done } = sqlBench();
  const calls = {
    query: (signal: AbortSignal) => db.query("a", [], { signal }),
    prepare: (signal: AbortSignal) => db.prepare("a", { signal }),
    stream: (signal: AbortSignal) => db.rows("a", [], { signal }).next(),
  };
  for (const call of ["query", "prepare", "stream"] as const) {
    const controller = abortable();
    const hang = database.hangNext(call);
    const waiting = outcome(calls[call](controller.signal));
    await hang.reached;
    controller.abort("enough");
    expect(await waiting).toEqual({ error: "enough" });
    await clock.settle();
    expect(leased()).toBe(0);
    expect(connOf(database, 1).prepared.size).toBe(0);
    expect(connOf(database, 1).openRows).toBeUndefined();
  }
  await done();
});

test("TestTxContextWait: an aborted one that cannot be rolled back is closed", async () => {
  const { db, database, leased, clock, abortable, done } = sqlBench({ resetTimeoutMs: 100 });
  for (const how of ["rejects", "hangs"] as const) {
    const controller = abortable();
    const tx = await db.begin({ signal: controller.signal });
    const hang = database.hangNext("query");
    const query = outcome(tx.query("a"));
    await hang.reached;
    if (how === "rejects") database.failNext("rollback", new Error("no answer"));
    else database.hangNext("rollback");
    controller.abort("enough");
    expect(await query).toEqual({ error: "enough" });
    await clock.advance(how === "hangs" ? 99 : 0);
    expect(leased()).toBe(how === "hangs" ? 1 : 0);
    await clock.advance(1);
    expect([leased(), database.openCount]).toEqual([0, 0]);
  }
  await done();
});

test("TestTxContextWaitNoDiscard: aborted and rolled back, it keeps its connection", async () => {
  const { db, database, leased, clock, abortable, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  const hang = database.hangNext("query");
  const query = outcome(tx.query("a"));
  await hang.reached;
  controller.abort("enough");
  expect(await query).toEqual({ error: "enough" });
  await clock.settle();
  expect([leased(), db.stats().idle, database.openCount]).toEqual([0, 1, 1]);
  expect(database.calls).toEqual(["begin", "query a", "rollback"]);
  await done();
});

test("TestIssue18429: an abort and a rollback at once roll back once", async () => {
  const { db, database, leased, clock, abortable, done } = sqlBench({ maxOpenConns: 1 });
  for (const first of ["abort", "rollback"] as const) {
    database.log.length = 0;
    const controller = abortable();
    const tx = await db.begin({ signal: controller.signal });
    if (first === "abort") controller.abort("enough");
    const rolledBack = outcome(tx.rollback());
    controller.abort("enough");
    const after = outcome(tx.query("a"));
    expect(await rolledBack).toEqual({ value: undefined });
    expect(await after).toHaveProperty("error");
    await clock.settle();
    expect(database.calls).toEqual(["begin", "rollback"]);
    expect(leased()).toBe(0);
  }
  await done();
});

test("TestIssue18719: a statement waiting for its turn is not made after a rollback", async () => {
  const { db, database, clock, abortable, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  const hang = database.hangNext("query");
  const inFlight = outcome(tx.query("a"));
  const queued = [outcome(tx.query("b")), outcome(tx.prepare("c")), outcome(tx.rows("d").next())];
  await hang.reached;
  controller.abort("enough");
  for (const each of [inFlight, ...queued]) expect(await each).toEqual({ error: "enough" });
  await clock.settle();
  expect(database.calls).toEqual(["begin", "query a", "rollback"]);
  await done();
});

test("TestIssue20160: a storm of statements aborted at any moment breaks nothing", async () => {
  const { db, database, leased, clock, abortable, done } = sqlBench({ maxOpenConns: 3 });
  const stmt = await db.prepare("p");
  const storm = Array.from({ length: 200 }, async (_, n) => {
    const controller = abortable();
    const call = outcome(stmt.query([n], { signal: controller.signal }));
    for (let tick = 0; tick < n % 17; tick++) await Promise.resolve();
    controller.abort("enough");
    return call;
  });
  const outcomes = await Promise.all(storm);
  for (const { error } of outcomes) expect([undefined, "enough"]).toContain(error);
  expect(outcomes.filter(({ error }) => error === undefined).length).toBeGreaterThan(0);
  expect(outcomes.filter(({ error }) => error === "enough").length).toBeGreaterThan(0);
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.violations).toEqual([]);
  await done();
});

test("TestIssue20575: open Rows do not hold up the rollback after an abort", async () => {
  const { db, database, leased, clock, abortable, done } = sqlBench();
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  const rows = tx.rows("a");
  await rows.next();
  controller.abort("enough");
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.calls).toEqual(["begin", "stream a", "next", "rows.close", "rollback"]);
  expect(await rejection(rows.next())).toBe("enough");
  await tx.rollback();
  await done();
});

test("TestIssue20622: an abort of the transaction and a close of Rows do not overlap", async () => {
  for (const first of ["abort", "close"] as const) {
    for (const call of ["next", "rows.close"] as const) {
      const { db, database, leased, clock, abortable, done } = sqlBench();
      const controller = abortable();
      const tx = await db.begin({ signal: controller.signal });
      const rows = tx.rows("a");
      if (call === "rows.close") await rows.next();
      const hang = database.hangNext(call);
      const busy = outcome(call === "next" ? rows.next() : rows.close());
      await hang.reached;
      if (first === "abort") controller.abort("enough");
      const closed = outcome(rows.close());
      controller.abort("enough");
      hang.release();
      await Promise.all([busy, closed]);
      await clock.settle();
      expect(leased()).toBe(0);
      expect(database.calls.filter((line) => line === "rollback")).toHaveLength(1);
      expect(database.calls.at(-1)).toBe("rollback");
      await done();
    }
  }
});

test("TestContextCancelBetweenNextAndErr: after an abort every read says the same", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const { db, database, abortable, done } = sqlBench();
    const controller = abortable();
    const rows = db.rows("a", [], { signal: controller.signal });
    const hang = database.hangNext("next");
    const read = outcome(rows.next());
    await hang.reached;
    hang.release();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    controller.abort("enough");
    expect([{ error: "enough" }, { value: { done: false, value: { n: 1 } } }]).toContainEqual(
      await read,
    );
    for (let n = 0; n < 2; n++) expect(await rejection(rows.next())).toBe("enough");
    await done();
  }
  const { db, abortable, done } = sqlBench();
  const controller = abortable();
  const rows = db.rows("a", [], { signal: controller.signal });
  for (let n = 0; n < 4; n++) await rows.next();
  controller.abort("too late: the end was read");
  expect(await rows.next()).toEqual({ done: true, value: undefined });
  await done();
});

test("TestContextCancelDuringScan: an aborted reader never sees another's rows", async () => {
  const { db, database, clock, abortable, done } = sqlBench({ maxOpenConns: 1 });
  const controller = abortable();
  database.batches = [[{ n: "mine" }], [{ n: "mine" }]];
  const mine = db.rows("a", [], { signal: controller.signal });
  await mine.next();
  const hang = database.hangNext("next");
  const pending = outcome(mine.next());
  await hang.reached;
  database.batches = [[{ n: "another's" }]];
  const other = db.rows("b");
  const othersFirst = other.next();
  controller.abort("enough");
  expect(await pending).toEqual({ error: "enough" });
  expect((await othersFirst).value).toEqual({ n: "another's" });
  expect(await rejection(mine.next())).toBe("enough");
  hang.release();
  await clock.settle();
  expect((await other.next()).done).toBe(true);
  expect(await rejection(mine.next())).toBe("enough");
  await done();
});

test("TestQueryExecContextOnly: a driver of the required methods alone is enough", async () => {
  const { clock } = sqlBench();
  const signals: (AbortSignal | undefined)[] = [];
  const result = { columns: [], rows: [{ n: 1 }], rowsAffected: 1, command: "SELECT" };
  const rows = (): DriverRows => {
    const left = [[{ n: 1 }]];
    const next = async () => left.shift();
    return { columns: [], rowsAffected: 1, next, close: async () => undefined };
  };
  const query: DriverConn["query"] = async (_sql, _args, options) => {
    signals.push(options?.signal);
    return result;
  };
  const conn: DriverConn = {
    query,
    stream: async () => rows(),
    prepare: async () => ({
      query: (args, options) => query("", args, options),
      stream: async () => rows(),
      close: async () => undefined,
    }),
    begin: async () => undefined,
    commit: async () => undefined,
    rollback: async () => undefined,
    close: () => undefined,
  };
  const connector: Connector = { name: "small", connect: async () => conn };
  const db = openDB(connector, { clock });
  const { signal } = new AbortController();
  await db.ping({ signal });
  expect(await db.queryRow("a", [], { signal })).toEqual({ n: 1 });
  await db.exec("a", [], { signal });
  await (await db.prepare("p", { signal })).exec([], { signal });
  await db.transaction((tx) => tx.exec("a", [], { signal }));
  const seen: unknown[] = [];
  for await (const row of db.rows("a", [], { signal })) seen.push(row);
  expect(seen).toEqual([{ n: 1 }]);
  expect(signals).toEqual([signal, signal, signal, signal]);
  expect(db.stats()).toMatchObject({ openConnections: 1, inUse: 0 });
  await db.close();
});

test("TestUnsupportedOptions: what the driver lacks rejects, and nothing has begun", async () => {
  const { db, database, leased, done } = sqlBench();
  await db.ping();
  const driver = connOf(database, 1);
  const { begin } = driver;
  const asked: unknown[] = [];
  driver.begin = async (tx, options) => {
    asked.push([tx.isolation, tx.readOnly]);
    if (tx.isolation !== undefined || tx.readOnly === true) throw new Error("not supported");
    await begin.call(driver, tx, options);
  };
  const unsupported = [{ isolation: "serializable" as const }, { readOnly: true }];
  for (const options of unsupported) {
    expect(await rejection(db.begin(options))).toMatchObject({ message: "not supported" });
    expect([leased(), driver.isInTx]).toEqual([0, false]);
  }
  expect(asked).toEqual([
    ["serializable", undefined],
    [undefined, true],
  ]);
  await (await db.begin()).commit();
  await done();
});

/** A row of the PostgreSQL driver with two values of bytes, and what it is read with. */
function bytesRow(first: string, second: string): { chunk: Buffer; shape: RowShape } {
  const value = (text: string) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(text.length);
    return Buffer.concat([length, Buffer.from(text)]);
  };
  const chunk = Buffer.concat([Buffer.from([0, 2]), value(first), value(second)]);
  const field = { tableOid: 0, columnNumber: 0, typeOid: 17, typeSize: -1, typeModifier: -1 };
  const fields = ["a", "b"].map((name) => ({ ...field, name, format: 1 as const }));
  return { chunk, shape: new RowShape(fields, { int8: "auto" }) };
}

test("TestContextCancelDuringRawBytesScan: bytes that were read stay", async () => {
  const { chunk, shape } = bytesRow("first", "second");
  const row = shape.object(chunk, 0, chunk.length);
  chunk.fill(0);
  expect(row).toEqual({ a: Buffer.from("first"), b: Buffer.from("second") });

  const { db, database, clock, abortable, done } = sqlBench();
  const controller = abortable();
  const rows = db.rows("a", [], { signal: controller.signal });
  await rows.next();
  await rows.next();
  const hang = database.hangNext("next");
  const pending = outcome(rows.next());
  await hang.reached;
  expect(rows.columns.map(({ name }) => name)).toEqual(["n"]);
  controller.abort("enough");
  expect(await pending).toEqual({ error: "enough" });
  await clock.settle();
  expect(rows.columns.map(({ name }) => name)).toEqual(["n"]);
  await done();
});

test("TestRawBytesReuse: no two values share their bytes", () => {
  const { chunk, shape } = bytesRow("first", "first");
  const rows = [shape.array(chunk, 0, chunk.length), shape.array(chunk, 0, chunk.length)];
  const values = rows.flat() as Buffer[];
  for (const value of values) {
    value.fill(0);
    const others = values.filter((other) => other !== value);
    value.set(Buffer.from("other"));
    expect(others.some((other) => other.equals(Buffer.from("other")))).toBe(false);
    value.set(Buffer.from("first"));
  }
});
