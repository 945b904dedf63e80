// An abort at every point of every call: who is told what, and that nothing is held afterwards.

import { describe, expect, test } from "vitest";
import {
  type DriverCall,
  rejection,
  type SqlBench,
  sqlBench,
} from "../../support/fake-database.ts";

const REASON = { why: "enough" };

/** Something that has begun, and is about to be aborted. */
interface Begun {
  /** Rejects because of the abort. */
  readonly call: Promise<unknown>;
  /** Gives back what the test itself holds. Called after the abort. */
  readonly end?: () => Promise<unknown>;
}

type Begin = (bench: SqlBench, signal: AbortSignal) => Promise<Begun>;

/** Makes a call whose `at` hangs, and waits until it does. */
function hanging(
  at: DriverCall,
  make: (bench: SqlBench, signal: AbortSignal) => Promise<unknown>,
): Begin {
  return async (bench, signal) => {
    const hang = bench.database.hangNext(at);
    const call = make(bench, signal);
    call.catch(() => undefined);
    await hang.reached;
    // A dial goes on without its caller.
    return { call, end: async () => hang.release() };
  };
}

/** Makes a call on a connection of its own, whose `at` hangs. */
function onConn(
  at: DriverCall,
  make: (
    conn: Awaited<ReturnType<SqlBench["db"]["conn"]>>,
    signal: AbortSignal,
  ) => Promise<unknown>,
): Begin {
  return async ({ db, database }, signal) => {
    const conn = await db.conn();
    const hang = database.hangNext(at);
    const call = make(conn, signal);
    call.catch(() => undefined);
    await hang.reached;
    return { call, end: () => conn.close() };
  };
}

/** Makes a call in a transaction, whose `at` hangs; the signal is the call's own. */
function inTx(
  at: DriverCall,
  make: (tx: Awaited<ReturnType<SqlBench["db"]["begin"]>>, signal: AbortSignal) => Promise<unknown>,
  end: "rollback" | "over" = "rollback",
): Begin {
  return async ({ db, database }, signal) => {
    const tx = await db.begin();
    const hang = database.hangNext(at);
    const call = make(tx, signal);
    call.catch(() => undefined);
    await hang.reached;
    return end === "over" ? { call } : { call, end: () => tx.rollback() };
  };
}

/** Makes a call while another user has the only connection. */
function waiting(make: (bench: SqlBench, signal: AbortSignal) => Promise<unknown>): Begin {
  return async (bench, signal) => {
    const conn = await bench.db.conn();
    const call = make(bench, signal);
    call.catch(() => undefined);
    return { call, end: () => conn.close() };
  };
}

/** Makes a call of a statement while another user has the only connection. */
function stmtWaiting(
  make: (
    stmt: Awaited<ReturnType<SqlBench["db"]["prepare"]>>,
    signal: AbortSignal,
  ) => Promise<unknown>,
): Begin {
  return async (bench, signal) => {
    const stmt = await bench.db.prepare("p");
    return waiting((_bench, with_) => make(stmt, with_))(bench, signal);
  };
}

/** Reads rows until `reads` have been given, and leaves them open. */
function betweenReads(reads: number, source: "db" | "conn" | "tx" | "stmt"): Begin {
  return async ({ db }, signal) => {
    const conn = source === "conn" ? await db.conn() : undefined;
    const tx = source === "tx" ? await db.begin() : undefined;
    const on = conn ?? tx ?? db;
    const rows =
      source === "stmt"
        ? (await db.prepare("p")).rows([], { signal })
        : on.rows("a", [], { signal });
    for (let read = 0; read < reads; read++) await rows.next();
    const later = new Promise((resolve) =>
      signal.addEventListener("abort", resolve, { once: true }),
    );
    const call = later.then(() => rows.next());
    call.catch(() => undefined);
    return { call, end: async () => (await tx?.rollback(), await conn?.close()) };
  };
}

const POINTS: readonly (readonly [handle: string, point: string, begin: Begin])[] = [
  ["DB", "waiting: query", waiting(({ db }, signal) => db.query("a", [], { signal }))],
  ["DB", "waiting: exec", waiting(({ db }, signal) => db.exec("a", [], { signal }))],
  ["DB", "waiting: prepare", waiting(({ db }, signal) => db.prepare("a", { signal }))],
  ["DB", "waiting: begin", waiting(({ db }, signal) => db.begin({ signal }))],
  ["DB", "waiting: conn", waiting(({ db }, signal) => db.conn({ signal }))],
  ["DB", "waiting: ping", waiting(({ db }, signal) => db.ping({ signal }))],
  ["DB", "dialing: query", hanging("connect", ({ db }, signal) => db.query("a", [], { signal }))],
  ["DB", "dialing: begin", hanging("connect", ({ db }, signal) => db.begin({ signal }))],
  ["DB", "running: query", hanging("query", ({ db }, signal) => db.query("a", [], { signal }))],
  [
    "DB",
    "running: queryRow",
    hanging("query", ({ db }, signal) => db.queryRow("a", [], { signal })),
  ],
  ["DB", "running: exec", hanging("query", ({ db }, signal) => db.exec("a", [], { signal }))],
  ["DB", "running: ping", hanging("ping", ({ db }, signal) => db.ping({ signal }))],
  ["DB", "preparing", hanging("prepare", ({ db }, signal) => db.prepare("p", { signal }))],
  ["DB", "beginning", hanging("begin", ({ db }, signal) => db.begin({ signal }))],
  [
    "DB",
    "in a transaction",
    hanging("query", ({ db }, signal) => db.transaction((tx) => tx.query("a"), { signal })),
  ],
  [
    "DB",
    "in a savepoint",
    hanging("prepare", ({ db }, signal) =>
      db.transaction((tx) => tx.transaction((inner) => inner.prepare("p")), { signal }),
    ),
  ],
  ["Conn", "running: query", onConn("query", (conn, signal) => conn.query("a", [], { signal }))],
  ["Conn", "running: ping", onConn("ping", (conn, signal) => conn.ping({ signal }))],
  ["Conn", "preparing", onConn("prepare", (conn, signal) => conn.prepare("p", { signal }))],
  ["Conn", "beginning", onConn("begin", (conn, signal) => conn.begin({ signal }))],
  [
    "Conn",
    "in a transaction",
    onConn("query", (conn, signal) => conn.transaction((tx) => tx.query("a"), { signal })),
  ],
  [
    "Conn",
    "waiting for its turn",
    async ({ db, database }, signal) => {
      const conn = await db.conn();
      const hang = database.hangNext("query");
      const before = conn.query("before");
      const call = conn.query("never made", [], { signal });
      call.catch(() => undefined);
      await hang.reached;
      return {
        call,
        end: async () => {
          hang.release();
          await before;
          await conn.close();
        },
      };
    },
  ],
  ["Tx", "running: query", inTx("query", (tx, signal) => tx.query("a", [], { signal }))],
  ["Tx", "preparing", inTx("prepare", (tx, signal) => tx.prepare("p", { signal }))],
  ["Tx", "rolling back", inTx("rollback", (tx, signal) => tx.rollback({ signal }), "over")],
  [
    "Tx",
    "bound statement preparing",
    async (bench, signal) => {
      const stmt = await bench.db.prepare("p");
      await bench.db.prepare("q");
      return inTx("stmt.query", (tx, with_) => tx.stmt(stmt).query([], { signal: with_ }))(
        bench,
        signal,
      );
    },
  ],
  ["Stmt", "waiting: query", stmtWaiting((stmt, signal) => stmt.query([], { signal }))],
  ["Stmt", "waiting: rows", stmtWaiting((stmt, signal) => stmt.rows([], { signal }).next())],
  [
    "Stmt",
    "running: query",
    async (bench, signal) => {
      const stmt = await bench.db.prepare("p");
      return hanging("stmt.query", () => stmt.query([], { signal }))(bench, signal);
    },
  ],
  [
    "Stmt",
    "preparing again",
    async (bench, signal) => {
      const stmt = await bench.db.prepare("p");
      bench.database.failNext("stmt.query", new Error("lost"), "dead");
      await rejection(stmt.query());
      return hanging("prepare", () => stmt.query([], { signal }))(bench, signal);
    },
  ],
  ["Rows", "opening", hanging("stream", ({ db }, signal) => db.rows("a", [], { signal }).next())],
  ["Rows", "fetching", hanging("next", ({ db }, signal) => db.rows("a", [], { signal }).next())],
  [
    "Rows",
    "going to the next result",
    hanging("nextResultSet", ({ db }, signal) => db.rows("a", [], { signal }).nextResultSet()),
  ],
  [
    "Rows",
    "fetching on a Conn",
    onConn("next", (conn, signal) => conn.rows("a", [], { signal }).next()),
  ],
  ["Rows", "fetching in a Tx", inTx("next", (tx, signal) => tx.rows("a", [], { signal }).next())],
  ...(["db", "conn", "tx", "stmt"] as const).flatMap((source) => [
    ["Rows", `of ${source}, between reads`, betweenReads(1, source)] as const,
    ["Rows", `of ${source}, between batches`, betweenReads(2, source)] as const,
  ]),
];

test.each(POINTS)("%s, %s", async (_handle, point, begin) => {
  const bench = sqlBench({ maxOpenConns: 1 });
  const { db, database, abortable, clock, leased, done } = bench;
  const controller = abortable();
  const { call, end } = await begin(bench, controller.signal);
  controller.abort(REASON);
  expect(await rejection(call)).toBe(REASON);
  await end?.();
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.conns.filter((conn) => !conn.isClosed).every((conn) => !conn.isInTx)).toBe(true);
  const before = database.conns.length;
  await db.query("afterwards");
  const isGone = point === "rolling back";
  expect(database.conns.length - before).toBe(isGone ? 1 : 0);
  expect(database.calls).not.toContain("query never made");
  await done();
});

describe("before the call", () => {
  test.each([
    ["query", (db, signal) => db.query("a", [], { signal })],
    ["queryRow", (db, signal) => db.queryRow("a", [], { signal })],
    ["exec", (db, signal) => db.exec("a", [], { signal })],
    ["rows", (db, signal) => db.rows("a", [], { signal }).next()],
    ["nextResultSet", (db, signal) => db.rows("a", [], { signal }).nextResultSet()],
    ["prepare", (db, signal) => db.prepare("a", { signal })],
    ["begin", (db, signal) => db.begin({ signal })],
    ["transaction", (db, signal) => db.transaction(async () => undefined, { signal })],
    ["conn", (db, signal) => db.conn({ signal })],
    ["ping", (db, signal) => db.ping({ signal })],
  ] as const satisfies readonly (readonly [
    string,
    (db: SqlBench["db"], signal: AbortSignal) => Promise<unknown>,
  ])[])("%s takes nothing and sends nothing", async (_name, call) => {
    const { db, database, done } = sqlBench();
    expect(await rejection(call(db, AbortSignal.abort(REASON)))).toBe(REASON);
    expect(database.conns).toEqual([]);
    await done();
  });

  test("on a session nothing is sent either", async () => {
    const { db, database, done } = sqlBench();
    const signal = AbortSignal.abort(REASON);
    const conn = await db.conn();
    const stmt = await conn.prepare("p");
    database.log.length = 0;
    for (const call of [
      () => conn.query("a", [], { signal }),
      () => conn.rows("a", [], { signal }).next(),
      () => conn.prepare("a", { signal }),
      () => conn.begin({ signal }),
      () => conn.ping({ signal }),
      () => conn.raw(() => undefined, { signal }),
      () => stmt.query([], { signal }),
      () => stmt.rows([], { signal }).next(),
    ]) {
      expect(await rejection(call())).toBe(REASON);
    }
    expect(database.log).toEqual([]);
    await conn.close();
    await done();
  });
});

test("during commit the outcome is unknown, and the transaction is rolled back", async () => {
  for (const whose of ["transaction", "commit"] as const) {
    const { db, database, abortable, clock, leased, done } = sqlBench({ maxOpenConns: 1 });
    const controller = abortable();
    const { signal } = controller;
    const tx = await db.begin(whose === "transaction" ? { signal } : {});
    const hang = database.hangNext("commit");
    const commit = rejection(tx.commit(whose === "commit" ? { signal } : undefined));
    await hang.reached;
    controller.abort(REASON);
    expect(await commit).toMatchObject({ code: "OUTCOME_UNKNOWN", cause: REASON });
    await clock.settle();
    expect(leased()).toBe(0);
    expect(database.calls).toEqual(["begin", "commit", "rollback"]);
    await done();
  }
});

test("before commit the transaction is rolled back, and nothing is unknown", async () => {
  const { db, database, clock, done } = sqlBench();
  const tx = await db.begin();
  expect(await rejection(tx.commit({ signal: AbortSignal.abort(REASON) }))).toBe(REASON);
  await clock.settle();
  expect(database.calls).toEqual(["begin", "rollback"]);
  await done();
});

test("in a transaction, what is queued is not made, and later calls give the reason", async () => {
  const { db, database, abortable, clock, done } = sqlBench({ maxOpenConns: 1 });
  const controller = abortable();
  const tx = await db.begin({ signal: controller.signal });
  const hang = database.hangNext("query");
  const calls = [rejection(tx.query("a")), rejection(tx.query("b")), rejection(tx.prepare("p"))];
  await hang.reached;
  controller.abort(REASON);
  expect(await Promise.all(calls)).toEqual([REASON, REASON, REASON]);
  expect(await rejection(tx.query("c"))).toBe(REASON);
  await clock.settle();
  expect(database.calls).toEqual(["begin", "query a", "rollback"]);
  expect(database.openCount).toBe(1);
  await done();
});

test("a rollback after an abort that fails gives the connection up", async () => {
  const { db, database, abortable, clock, leased, done } = sqlBench({ maxOpenConns: 1 });
  const controller = abortable();
  await db.begin({ signal: controller.signal });
  database.failNext("rollback", new Error("refused"));
  controller.abort(REASON);
  await clock.settle();
  expect(leased()).toBe(0);
  expect(database.openCount).toBe(0);
  await done();
});
