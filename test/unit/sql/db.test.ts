import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import { isForebayError, UsageError } from "../../../packages/forebay/src/base/errors.ts";
import { NoRowsError } from "../../../packages/forebay/src/sql/errors.ts";
import { outcome, rejection, sqlBench } from "../../support/fake-database.ts";

test("a query takes a connection, runs, and gives the connection back", async () => {
  const { db, database, leased, done } = sqlBench();
  database.answer = (sql, args) => ({ rows: [{ sql, args }], rowsAffected: 1, command: "SELECT" });
  const result = await db.query<{ sql: string }>("SELECT $1", [7]);
  expect(result).toEqual({
    rows: [{ sql: "SELECT $1", args: [7] }],
    columns: [{ name: "n", type: "int4" }],
    rowsAffected: 1,
    command: "SELECT",
  });
  expect(leased()).toBe(0);
  expect(db.stats()).toMatchObject({ openConnections: 1, idle: 1, inUse: 0 });
  await done();
});

test("arguments may be left out, and options come last", async () => {
  const { db, database, done } = sqlBench();
  const seen: (readonly unknown[])[] = [];
  database.answer = (_sql, args) => {
    seen.push(args);
    return {};
  };
  await db.query("a");
  await db.exec("b", [1], { signal: new AbortController().signal });
  await db.queryRow("c", undefined, { rowMode: "array" });
  expect(seen).toEqual([[], [1], []]);
  await done();
});

test("nothing is opened before the first call", async () => {
  const { db, database, done } = sqlBench();
  expect(database.conns).toHaveLength(0);
  await db.ping();
  expect(database.conns).toHaveLength(1);
  await done();
});

test("queryRow gives the first row, and only it", async () => {
  const { db, database, done } = sqlBench();
  database.answer = () => ({ rows: [{ n: 1 }, { n: 2 }] });
  expect(await db.queryRow("SELECT n FROM t")).toEqual({ n: 1 });
  await done();
});

test("queryRow without a row rejects with a NoRowsError, and the connection is back", async () => {
  const { db, database, leased, done } = sqlBench();
  database.answer = () => ({ rows: [] });
  const error = await rejection(db.queryRow("SELECT 1 WHERE false"));
  expect(error).toBeInstanceOf(NoRowsError);
  expect(error).toMatchObject({ code: "NO_ROWS", family: "operating", retryable: false });
  expect(isForebayError(error)).toBe(true);
  expect(leased()).toBe(0);
  await done();
});

test("exec gives the count and the command, and drops rows", async () => {
  const { db, database, done } = sqlBench();
  database.answer = () => ({ rows: [{ n: 1 }], rowsAffected: 3, command: "UPDATE" });
  expect(await db.exec("UPDATE t SET n = 1")).toEqual({ rowsAffected: 3, command: "UPDATE" });
  await done();
});

test("an error of the driver passes through untouched, and the connection is kept", async () => {
  const { db, database, leased, done } = sqlBench();
  const violation = Object.assign(new Error("duplicate key"), { code: "23505" });
  for (const call of ["query", "queryRow", "exec"] as const) {
    database.failNext("query", violation);
    expect(await rejection(db[call]("INSERT"))).toBe(violation);
    expect(leased()).toBe(0);
  }
  expect(database.conns).toHaveLength(1);
  expect(database.openCount).toBe(1);
  await done();
});

test("a connection that is broken after an error is not used again", async () => {
  const { db, database, done } = sqlBench();
  database.failNext("query", new Error("terminated"), "dead");
  await rejection(db.query("a"));
  await db.query("b");
  expect(database.log).toEqual(["1 query a", "2 query b"]);
  expect(database.openCount).toBe(1);
  await done();
});

test("a driver that throws instead of rejecting loses no connection", async () => {
  const { db, database, leased, done } = sqlBench();
  await db.ping();
  const [conn] = database.conns;
  const thrown = new Error("thrown at once");
  if (conn !== undefined) {
    conn.query = () => {
      throw thrown;
    };
  }
  expect(await rejection(db.query("a"))).toBe(thrown);
  expect(leased()).toBe(0);
  await done();
});

test("a signal aborted before the call rejects it with the reason, before the driver", async () => {
  const { db, database, done } = sqlBench();
  await db.query("leaves an idle connection");
  database.log.length = 0;
  const reason = new Error("no longer wanted");
  const signal = AbortSignal.abort(reason);
  const calls = [
    () => db.query("a", [], { signal }),
    () => db.queryRow("a", [], { signal }),
    () => db.exec("a", [], { signal }),
    () => db.rows("a", [], { signal }).next(),
    () => db.prepare("a", { signal }),
    () => db.begin({ signal }),
    () => db.transaction(async () => undefined, { signal }),
    () => db.conn({ signal }),
    () => db.withConn(async () => undefined, { signal }),
    () => db.ping({ signal }),
  ];
  for (const call of calls) expect(await rejection(call())).toBe(reason);
  expect(database.log).toEqual([]);
  await done();
});

test("a signal aborted while a call waits for a connection ends that wait alone", async () => {
  const { db, database, abortable, done } = sqlBench({ maxOpenConns: 1 });
  const hang = database.hangNext("query");
  const first = db.query("first");
  await hang.reached;
  const controller = abortable();
  const waiting = outcome(db.query("second", [], { signal: controller.signal }));
  controller.abort("enough");
  expect(await waiting).toEqual({ error: "enough" });
  hang.release();
  await first;
  expect(database.calls).toEqual(["query first"]);
  await done();
});

test("a signal aborted during a call rejects it, and the connection is back", async () => {
  const { db, database, abortable, leased, done } = sqlBench();
  const controller = abortable();
  const hang = database.hangNext("query");
  const running = outcome(db.query("slow", [], { signal: controller.signal }));
  await hang.reached;
  controller.abort("enough");
  expect(await running).toEqual({ error: "enough" });
  expect(leased()).toBe(0);
  hang.release();
  await done();
});

test("a query reaches an idle connection at once", async () => {
  const { db, database, done } = sqlBench();
  await db.ping();
  const running = db.query("a");
  expect(database.calls).toEqual(["ping", "query a"]);
  await running;
  await done();
});

test("a query without a signal is given none", async () => {
  const { db, database, done } = sqlBench();
  await db.ping();
  const [conn] = database.conns;
  const given: unknown[] = [];
  if (conn !== undefined) {
    const query = conn.query.bind(conn);
    conn.query = (sql, args, options) => {
      given.push(options);
      return query(sql, args, options);
    };
  }
  await db.query("a");
  expect(given).toEqual([undefined]);
  await done();
});

test("calls that find no connection in time reject with POOL_TIMEOUT", async () => {
  const { db, clock, done } = sqlBench({ maxOpenConns: 1, acquireTimeoutMs: 100 });
  const conn = await db.conn();
  const waiting = outcome(db.query("a"));
  await clock.advance(100);
  expect(await waiting).toMatchObject({ error: { code: "POOL_TIMEOUT" } });
  await conn.close();
  await done();
});

test("ping asks the driver where it can, and otherwise only takes a connection", async () => {
  const { db, database, done } = sqlBench();
  await db.ping();
  expect(database.log).toEqual(["1 ping"]);
  await done();
  const other = sqlBench();
  other.database.canPing = false;
  await other.db.ping();
  expect(other.database.conns).toHaveLength(1);
  expect(other.database.log).toEqual([]);
  await other.done();
});

test("after close every call rejects with POOL_CLOSED; a second close has no effect", async () => {
  const { db, database, done } = sqlBench();
  await db.query("a");
  const stmt = await db.prepare("p");
  const unread = db.rows("r");
  await db.close();
  await db.close();
  const calls = [
    () => db.query("a"),
    () => db.queryRow("a"),
    () => db.exec("a"),
    () => db.rows("a").next(),
    () => unread.next(),
    () => stmt.query(),
    () => db.prepare("a"),
    () => db.begin(),
    () => db.transaction(async () => undefined),
    () => db.conn(),
    () => db.withConn(async () => undefined),
    () => db.ping(),
  ];
  for (const call of calls) {
    expect(await rejection(call())).toMatchObject({ code: "POOL_CLOSED" });
  }
  expect(database.openCount).toBe(0);
  await done();
});

test("close waits for what runs", async () => {
  const { db, database, done } = sqlBench();
  const hang = database.hangNext("query");
  const running = db.query("slow");
  await hang.reached;
  let closed = false;
  const closing = db.close().then(() => {
    closed = true;
  });
  await Promise.resolve();
  expect(closed).toBe(false);
  hang.release();
  await running;
  await closing;
  await done();
});

test("a DB closes itself when it is disposed of", async () => {
  const { db, database, done } = sqlBench();
  await db.query("a");
  await db[Symbol.asyncDispose]();
  expect(database.openCount).toBe(0);
  await done();
});

test("the setters set the pool's limits, and refuse bad values", async () => {
  const { db, done } = sqlBench();
  db.setMaxOpenConns(7);
  expect(db.stats().maxOpenConnections).toBe(7);
  db.setMaxIdleConns(3);
  db.setMinIdleConns(0);
  db.setConnMaxLifetimeMs(1000);
  db.setConnMaxIdleTimeMs(1000);
  db.setAcquireTimeoutMs(1000);
  db.setMaxWaiters(5);
  db.setMaxDialing(2);
  db.setIdleOrder("fifo");
  db.setWaiterOrder("random");
  expect(() => db.setMaxOpenConns(0)).toThrow(UsageError);
  await done();
});

test("setMaxIdleConns 0 keeps no connection", async () => {
  const { db, database, done } = sqlBench();
  db.setMaxIdleConns(0);
  await db.query("a");
  await db.query("b");
  expect(database.log).toEqual(["1 query a", "2 query b"]);
  expect(db.stats().maxIdleClosed).toBe(2);
  await done();
});

test("setMinIdleConns opens connections, and setIdleOrder says which is used next", async () => {
  const { db, clock, database, done } = sqlBench();
  db.setMinIdleConns(2);
  await clock.settle();
  expect(db.stats().idle).toBe(2);
  db.setIdleOrder("fifo");
  await db.query("a");
  await db.query("b");
  expect(database.log.toSorted()).toEqual(["1 query a", "2 query b"]);
  await done();
});

test("openDB refuses bad options at once", () => {
  expect(() => sqlBench({ maxOpenConns: -1 })).toThrow(UsageError);
});

test("callbacks run in their caller's asynchronous context, also after a wait", async () => {
  const { db, done } = sqlBench({ maxOpenConns: 1 });
  const context = new AsyncLocalStorage<string>();
  const held = await context.run("holder", () => db.conn());
  const seen: unknown[] = [];
  const look = async () => {
    seen.push(context.getStore());
  };
  const work = context.run("caller", async () => {
    await db.withConn(look);
    await db.transaction(async (tx) => {
      await look();
      await tx.query("a");
      await look();
      await tx.transaction(look);
    });
    const stmt = await db.prepare("p");
    await stmt.query();
    await look();
    for await (const _row of db.rows("r")) await look();
  });
  await context.run("releaser", () => held.close());
  await work;
  expect(new Set(seen)).toEqual(new Set(["caller"]));
  expect(seen).toHaveLength(8);
  await done();
});

test("many callers share few connections, and none is lost", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 3 });
  const stmt = await db.prepare("p");
  const work = Array.from({ length: 120 }, async (_, n) => {
    if (n % 6 === 0) await db.transaction(async (tx) => tx.exec(`tx ${n}`));
    else if (n % 6 === 1) await db.withConn(async (conn) => conn.query(`conn ${n}`));
    else if (n % 6 === 2) await stmt.query([n]);
    else if (n % 6 === 3) for await (const _row of db.rows(`rows ${n}`)) continue;
    else await db.query(`query ${n}`);
  });
  await Promise.all(work);
  expect(database.conns.length).toBeLessThanOrEqual(3);
  await done();
});
