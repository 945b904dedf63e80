import { expect, test } from "vitest";
import { outcome, rejection, type SqlBench, sqlBench } from "../../support/fake-database.ts";

const STMT_CLOSED = { code: "STMT_CLOSED", family: "operating", retryable: false };

/** Makes so many connections open at once, and gives them back. */
async function open({ db, database }: SqlBench, count: number): Promise<void> {
  const conns = await Promise.all(Array.from({ length: count }, () => db.conn()));
  for (const conn of conns) await conn.close();
  database.log.length = 0;
}

test("a statement is prepared once on a connection, and then only run", async () => {
  const { db, database, leased, done } = sqlBench();
  const stmt = await db.prepare("p");
  expect(leased()).toBe(0);
  expect((await stmt.query([1])).rows).toEqual([{ n: 1 }]);
  expect(await stmt.queryRow([1])).toEqual({ n: 1 });
  expect(await stmt.exec()).toEqual({ rowsAffected: 1, command: "SELECT" });
  const seen: unknown[] = [];
  for await (const row of stmt.rows<{ n: number }>([1])) seen.push(row.n);
  expect(seen).toEqual([1, 2, 3]);
  expect(leased()).toBe(0);
  expect(database.log.slice(0, 5)).toEqual([
    "1 prepare p",
    "1 stmt.query p",
    "1 stmt.query p",
    "1 stmt.query p",
    "1 stmt.stream p",
  ]);
  await done();
});

test("arguments reach the statement", async () => {
  const { db, database, done } = sqlBench();
  database.answer = (_sql, args) => ({ rows: [{ args }] });
  const stmt = await db.prepare("p");
  expect(await stmt.queryRow([1, "two"])).toEqual({ args: [1, "two"] });
  expect(await stmt.queryRow()).toEqual({ args: [] });
  await done();
});

test("a statement that is wrong is reported by prepare", async () => {
  const { db, database, leased, done } = sqlBench();
  const syntax = new Error("syntax error");
  database.failNext("prepare", syntax);
  expect(await rejection(db.prepare("p"))).toBe(syntax);
  expect(leased()).toBe(0);
  await done();
});

test("queryRow of a statement rejects with NO_ROWS when there is none", async () => {
  const { db, database, done } = sqlBench();
  database.answer = () => ({ rows: [] });
  const stmt = await db.prepare("p");
  expect(await rejection(stmt.queryRow())).toMatchObject({ code: "NO_ROWS" });
  await done();
});

test("a statement may run concurrently, and is prepared once on each connection", async () => {
  const bench = sqlBench({ maxOpenConns: 2 });
  const { db, database, done } = bench;
  await open(bench, 2);
  const stmt = await db.prepare("p");
  await Promise.all(Array.from({ length: 20 }, (_, n) => stmt.query([n])));
  expect(database.calls.filter((call) => call === "prepare p")).toHaveLength(2);
  expect(database.calls.filter((call) => call === "stmt.query p")).toHaveLength(20);
  await done();
});

test("an error of a statement passes through, and the connection is back", async () => {
  const { db, database, leased, done } = sqlBench();
  const stmt = await db.prepare("p");
  const violation = new Error("duplicate key");
  database.failNext("stmt.query", violation);
  expect(await rejection(stmt.exec())).toBe(violation);
  database.failNext("stmt.stream", violation);
  expect(await rejection(stmt.rows().next())).toBe(violation);
  expect(leased()).toBe(0);
  await done();
});

test("a prepare that fails on a later connection rejects that call only", async () => {
  const bench = sqlBench();
  const { db, database, done } = bench;
  await open(bench, 2);
  const stmt = await db.prepare("p");
  const held = await db.conn();
  const refused = new Error("too many statements");
  database.failNext("prepare", refused);
  expect(await rejection(stmt.query())).toBe(refused);
  await stmt.query();
  await held.close();
  await done();
});

test("after close calls reject with STMT_CLOSED, and a second close has no effect", async () => {
  const { db, database, leased, done } = sqlBench();
  const stmt = await db.prepare("p");
  await stmt.close();
  await stmt.close();
  await stmt[Symbol.asyncDispose]();
  database.log.length = 0;
  for (const call of [
    () => stmt.query(),
    () => stmt.queryRow(),
    () => stmt.exec(),
    () => stmt.rows().next(),
  ]) {
    expect(await rejection(call())).toMatchObject(STMT_CLOSED);
  }
  expect(leased()).toBe(0);
  expect(database.log).toEqual([]);
  await done();
});

test("close lets a call that runs end, and turns away one that waits", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  const hang = database.hangNext("stmt.query");
  const running = stmt.query();
  await hang.reached;
  const waiting = outcome(stmt.query());
  await stmt.close();
  hang.release();
  expect((await running).rows).toHaveLength(1);
  expect(await waiting).toMatchObject({ error: STMT_CLOSED });
  await done();
});

test("rows of a statement outlive its close", async () => {
  const { db, done } = sqlBench();
  const stmt = await db.prepare("p");
  const rows = stmt.rows<{ n: number }>();
  await rows.next();
  await stmt.close();
  expect(await rows.next()).toEqual({ done: false, value: { n: 2 } });
  await rows.close();
  await done();
});

test("what closed statements left on a connection is freed at its next prepare", async () => {
  const { db, database, done } = sqlBench();
  for (let n = 0; n < 10; n++) {
    const stmt = await db.prepare(`p${n}`);
    await stmt.query();
    await stmt.close();
    const [conn] = database.conns;
    expect(conn?.prepared).toEqual(new Set([`p${n}`]));
  }
  expect(database.conns).toHaveLength(1);
  await done();
});

test("a statement closed while its connection works for another is not freed then", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  const hang = database.hangNext("query");
  const running = db.query("a");
  await hang.reached;
  await stmt.close();
  hang.release();
  await running;
  expect(database.calls).toEqual(["prepare p", "query a"]);
  await done();
});

test("a prepare leaves the statements in use as they are", async () => {
  const { db, database, done } = sqlBench();
  const stmt = await db.prepare("p");
  await db.prepare("q");
  await stmt.query();
  expect(database.log).toEqual(["1 prepare p", "1 prepare q", "1 stmt.query p"]);
  await done();
});

test("statements of the same text are independent", async () => {
  const { db, done } = sqlBench();
  const [one, other] = [await db.prepare("p"), await db.prepare("p")];
  await one.close();
  expect((await other.query()).rows).toHaveLength(1);
  await done();
});

test("a new connection in the place of a broken one is prepared anew", async () => {
  const { db, database, done } = sqlBench();
  const stmt = await db.prepare("p");
  database.failNext("stmt.query", new Error("terminated"), "dead");
  await rejection(stmt.query());
  await stmt.query();
  expect(database.log).toEqual(["1 prepare p", "1 stmt.query p", "2 prepare p", "2 stmt.query p"]);
  await done();
});

test("a signal aborted at prepare or at a call rejects with the reason", async () => {
  const { db, database, abortable, leased, done } = sqlBench();
  const [one, two] = [abortable(), abortable()];
  const preparing = database.hangNext("prepare");
  const first = outcome(db.prepare("p", { signal: one.signal }));
  await preparing.reached;
  one.abort("enough");
  expect(await first).toEqual({ error: "enough" });
  const stmt = await db.prepare("p");
  const running = database.hangNext("stmt.query");
  const second = outcome(stmt.query([], { signal: two.signal }));
  await running.reached;
  two.abort("enough");
  expect(await second).toEqual({ error: "enough" });
  expect(leased()).toBe(0);
  preparing.release();
  running.release();
  await done();
});

test("a statement of a transaction runs there, in order, and ends with it", async () => {
  const { db, database, done } = sqlBench();
  const tx = await db.begin();
  const stmt = await tx.prepare("p");
  await Promise.all([tx.query("a"), stmt.query(), tx.query("b")]);
  await tx.commit();
  expect(await rejection(stmt.query())).toMatchObject({ code: "TX_DONE" });
  expect(database.calls).toEqual([
    "begin",
    "prepare p",
    "query a",
    "stmt.query p",
    "query b",
    "commit",
  ]);
  await db.prepare("q");
  expect(database.conns[0]?.prepared).toEqual(new Set(["q"]));
  await done();
});

test("a statement bound to a transaction is not prepared again where it is known", async () => {
  const { db, database, done } = sqlBench();
  const stmt = await db.prepare("p");
  await db.transaction(async (tx) => {
    const bound = tx.stmt(stmt);
    await bound.query();
    await bound.close();
    expect(await rejection(bound.query())).toMatchObject(STMT_CLOSED);
    await stmt.query();
  });
  expect(database.log).toEqual([
    "1 prepare p",
    "1 begin",
    "1 stmt.query p",
    "2 prepare p",
    "2 stmt.query p",
    "1 commit",
  ]);
  await stmt.query();
  await done();
});

test("a statement and the one bound to a transaction live apart", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  await db.transaction(async (tx) => {
    const bound = tx.stmt(stmt);
    await stmt.close();
    await tx.prepare("q");
    await bound.query();
    for (const call of [() => stmt.query(), () => stmt.queryRow(), () => stmt.exec()]) {
      expect(await rejection(call()), "without waiting").toMatchObject(STMT_CLOSED);
    }
  });
  expect(database.calls).toEqual(["prepare p", "begin", "prepare q", "stmt.query p", "commit"]);
  await db.prepare("r");
  expect(database.conns[0]?.prepared).toEqual(new Set(["r"]));
  await done();
});

test("a closed statement is prepared anew in a transaction, and ends with it", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  await stmt.close();
  let bound = stmt;
  await db.transaction(async (tx) => {
    bound = tx.stmt(stmt);
    await bound.query();
    await bound.query();
  });
  expect(await rejection(bound.query())).toMatchObject({ code: "TX_DONE" });
  const runs = ["stmt.query p", "stmt.query p"];
  expect(database.calls).toEqual([
    "prepare p",
    "begin",
    "stmt.close p",
    "prepare p",
    ...runs,
    "commit",
  ]);
  await done();
});

test("a statement of one transaction runs in another, and in one inside it", async () => {
  const { db, database, done } = sqlBench();
  await db.transaction(async (tx) => {
    const stmt = await tx.prepare("p");
    await tx.transaction(async (inner) => {
      await inner.stmt(stmt).query();
    });
    await db.transaction(async (other) => {
      await other.stmt(stmt).query();
    });
  });
  const prepares = database.log.filter((line) => line.endsWith("prepare p"));
  expect(prepares).toEqual(["1 prepare p", "2 prepare p"]);
  await done();
});

test("a statement of another DB is refused", async () => {
  const [one, other] = [sqlBench(), sqlBench()];
  const stmt = await one.db.prepare("p");
  await other.db.transaction(async (tx) => {
    expect(() => tx.stmt(stmt)).toThrow("another DB");
  });
  await one.done();
  await other.done();
});

test("a statement bound in many transactions is prepared once, and kept for none", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  const stmt = await db.prepare("p");
  for (let n = 0; n < 20; n++) {
    await db.transaction(async (tx) => {
      await tx.stmt(stmt).query();
    });
  }
  await stmt.close();
  await db.prepare("q");
  expect(database.conns[0]?.prepared).toEqual(new Set(["q"]));
  expect(database.calls.filter((call) => call === "prepare p")).toHaveLength(1);
  await done();
});

test("beyond maxStmtsPerConn the one used longest ago makes room, and comes back", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1, maxStmtsPerConn: 2 });
  const [p, q] = [await db.prepare("p"), await db.prepare("q")];
  await p.query();
  await db.prepare("r");
  expect(database.conns[0]?.prepared).toEqual(new Set(["p", "r"]));
  await p.query();
  await q.query();
  expect(database.conns[0]?.prepared).toEqual(new Set(["p", "q"]));
  expect(database.calls).toEqual([
    "prepare p",
    "prepare q",
    "stmt.query p",
    "stmt.close q",
    "prepare r",
    "stmt.query p",
    "stmt.close r",
    "prepare q",
    "stmt.query q",
  ]);
  await done();
});

test("a connection never keeps more than 256 statements unless it is told to", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1 });
  for (let n = 0; n < 300; n++) await db.prepare(`p${n}`);
  expect(database.conns[0]?.prepared.size).toBe(256);
  await done();
});

test("rows of a statement are never closed under their reader by a limit of 1", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 2, maxStmtsPerConn: 1 });
  const [p, q] = [await db.prepare("p"), await db.prepare("q")];
  const rows = p.rows<{ n: number }>();
  await rows.next();
  await q.query();
  const rest: number[] = [];
  for await (const row of rows) rest.push(row.n);
  expect(rest).toEqual([2, 3]);
  expect(database.conns.map((conn) => conn.prepared.size)).toEqual([1, 1]);
  await done();
});

test.each([0, -1, 1.5, NaN, "8"])("maxStmtsPerConn %s is refused", (maxStmtsPerConn) => {
  const options = { maxStmtsPerConn } as { maxStmtsPerConn: number };
  expect(() => sqlBench(options)).toThrow("[OPTION_INVALID]");
});

test("a statement of a Conn stays on its connection", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const stmt = await conn.prepare("p");
  await db.query("elsewhere");
  await stmt.query();
  await stmt.close();
  expect(await rejection(stmt.query())).toMatchObject(STMT_CLOSED);
  await conn.close();
  expect(database.log).toEqual(["1 prepare p", "2 query elsewhere", "1 stmt.query p"]);
  await done();
});

test.each([
  ["rows", "stmt", "tx", "conn"],
  ["stmt", "rows", "conn", "tx"],
  ["conn", "tx", "rows", "stmt"],
  ["tx", "conn", "stmt", "rows"],
  ["conn", "stmt", "tx", "rows"],
  ["stmt", "conn", "rows", "tx"],
] as const)("ended in the order %s, %s, %s, %s, all is given back", async (...order) => {
  const { db, database, leased, done } = sqlBench({ maxOpenConns: 1 });
  const conn = await db.conn();
  const tx = await conn.begin();
  const stmt = await tx.prepare("p");
  const rows = stmt.rows();
  await rows.next();
  const ends = { rows, stmt, conn, tx };
  for (const name of order) await ends[name][Symbol.asyncDispose]();
  for (const name of order) await ends[name][Symbol.asyncDispose]();
  expect(leased()).toBe(0);
  expect(database.calls.filter((call) => call === "rows.close")).toHaveLength(1);
  expect(database.calls.filter((call) => call === "rollback")).toHaveLength(1);
  await done();
});

test("a statement that the server has forgotten is prepared again at its next use", async () => {
  const { db, database, done } = sqlBench();
  const stmt = await db.prepare("p");
  const gone = new Error("no such statement");
  database.failNext("stmt.query", gone);
  expect(await rejection(stmt.query())).toBe(gone);
  database.conns[0]?.forgotten.add("p");
  await stmt.query();
  await stmt.query();
  expect(database.calls).toEqual([
    "prepare p",
    "stmt.query p",
    "stmt.close p",
    "prepare p",
    "stmt.query p",
    "stmt.query p",
  ]);
  await done();
});
