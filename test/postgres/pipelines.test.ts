// Many callers on few connections: who gets what, and what becomes of those who give up.

import { afterEach, describe, expect, inject, test, vi } from "vitest";
import {
  type Clock,
  type MonotonicMs,
  systemClock,
} from "../../packages/forebay/src/base/clock.ts";
import {
  openPostgres,
  type PostgresDB,
  type PostgresDBOptions,
} from "../../packages/forebay/src/postgres/index.ts";
import { connect, errorOf, eventually, rowsOf } from "./wire-session.ts";

const open: PostgresDB[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});

function pipelined(options: PostgresDBOptions = {}): PostgresDB {
  const db = openPostgres(inject("postgresUrl"), {
    maxOpenConns: 2,
    pipelining: true,
    ...options,
    connection: { env: {}, ...options.connection },
  });
  open.push(db);
  return db;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}

const PAUSE = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("statements of many callers", () => {
  test("are each answered with their own rows, on no more connections than there are", async () => {
    const db = pipelined();
    const answers = await Promise.all(
      range(500).map((n) => db.queryRow("SELECT $1::int AS n, repeat('x', $1 % 50) AS t", [n])),
    );
    expect(answers).toEqual(range(500).map((n) => ({ n, t: "x".repeat(n % 50) })));
    expect(db.stats().openConnections).toBeLessThanOrEqual(2);
  });

  test("share connections: several are under way on one", async () => {
    const db = pipelined({ maxOpenConns: 1 });
    const pids = await Promise.all(
      range(20).map(() => db.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid")),
    );
    expect(new Set(pids.map(({ pid }) => pid)).size).toBe(1);
    expect(db.stats().waitCount).toBeLessThanOrEqual(1);
  });

  test("fail alone", async () => {
    const db = pipelined({ maxOpenConns: 1 });
    const outcomes = await Promise.allSettled(
      range(60).map((n) => db.queryRow<{ q: number }>("SELECT 60 / ($1::int % 3) AS q", [n])),
    );
    const failed = { status: "rejected", reason: { sqlstate: "22012" } };
    for (const [n, outcome] of outcomes.entries()) {
      const answered = { status: "fulfilled", value: { q: 60 / (n % 3) } };
      expect(outcome).toMatchObject(n % 3 === 0 ? failed : answered);
    }
  });

  test("that are refused before they are sent do not disturb the others", async () => {
    const db = pipelined({ maxOpenConns: 1 });
    await db.query("SELECT $1::int AS n", [0]);
    const outcomes = await Promise.allSettled(
      range(20).map((n) => db.queryRow("SELECT $1::int AS n", [n % 2 === 0 ? n : Symbol("no")])),
    );
    for (const [n, outcome] of outcomes.entries()) {
      expect(outcome.status).toBe(n % 2 === 0 ? "fulfilled" : "rejected");
    }
  });

  test("wait where each connection has its full depth, and all are served", async () => {
    const db = pipelined({ maxOpenConns: 1, pipelining: { depth: 2 } });
    const answers = await Promise.all(
      range(100).map((n) => db.queryRow("SELECT $1::int AS n", [n])),
    );
    expect(answers).toEqual(range(100).map((n) => ({ n })));
  });

  test("wait for room no longer than for a connection, and say so", async () => {
    const db = pipelined({
      name: "orders",
      maxOpenConns: 1,
      acquireTimeoutMs: 50,
      pipelining: { depth: 1 },
    });
    const controller = new AbortController();
    const { signal } = controller;
    const first = errorOf(db.query("SELECT pg_sleep(30)", [], { signal }));
    const waiting = range(3).map(() => errorOf(db.query("SELECT 1")));
    for (const error of await Promise.all(waiting)) {
      expect(error).toMatchObject({ code: "POOL_TIMEOUT", phase: "wait", retryable: true });
      expect(String(error)).toMatch(/orders: no connection after \d+ms \(max 1: 1 in use/);
    }
    controller.abort("enough");
    expect(await first).toBe("enough");
    expect(await db.queryRow("SELECT 7 AS n")).toEqual({ n: 7 });
  });

  test("are commands too, and no rows are an error where one is wanted", async () => {
    const db = pipelined();
    await db.exec("CREATE TABLE IF NOT EXISTS piped (n int)");
    try {
      const done = await Promise.all(
        range(50).map((n) => db.exec("INSERT INTO piped VALUES ($1)", [n])),
      );
      expect(done).toEqual(range(50).map(() => ({ rowsAffected: 1, command: "INSERT" })));
      expect(await db.queryRow("SELECT sum(n)::int AS s FROM piped")).toEqual({ s: 1225 });
      const none = errorOf(db.queryRow("SELECT n FROM piped WHERE n = -1"));
      expect(await none).toMatchObject({ code: "NO_ROWS" });
    } finally {
      await db.exec("DROP TABLE piped");
    }
  });
});

describe("a caller who gives up", () => {
  test("is rejected at once, and the others get their own answers", async () => {
    const db = pipelined({ maxOpenConns: 1 });
    await db.query("SELECT 1");
    const controllers = range(40).map(() => new AbortController());
    const running = controllers.map((controller, n) =>
      db.queryRow("SELECT $1::int AS n, pg_sleep(0.002)", [n], { signal: controller.signal }),
    );
    const outcomes = Promise.allSettled(running);
    await PAUSE(5);
    for (const [n, controller] of controllers.entries())
      if (n % 2 === 1) controller.abort("enough");
    for (const [n, outcome] of (await outcomes).entries()) {
      const answer = { status: "fulfilled", value: { n } };
      const gaveUp = { status: "rejected", reason: "enough" };
      // Some had their answer before they gave up.
      const mayHave = n % 2 === 1 && outcome.status === "rejected" ? gaveUp : answer;
      expect(outcome).toMatchObject(mayHave);
    }
    expect(await db.queryRow("SELECT 7 AS n")).toEqual({ n: 7 });
  });

  test("and is alone on the connection has the server stopped", async () => {
    const db = pipelined({ maxOpenConns: 1, pipelining: { slowMs: Infinity } });
    const observer = await connect();
    const { pid } = await db.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const controller = new AbortController();
    const running = errorOf(db.query("SELECT pg_sleep(30)", [], { signal: controller.signal }));
    const isActive = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1";
    await eventually(observer, isActive, [pid]);
    controller.abort("enough");
    expect(await running).toBe("enough");
    expect(await db.queryRow("SELECT pg_backend_pid() AS pid")).toEqual({ pid });
  });

  test("while he waits for room is never sent", async () => {
    const db = pipelined({ maxOpenConns: 1, pipelining: { depth: 1 } });
    await db.exec("CREATE TABLE IF NOT EXISTS unsent (n int)");
    try {
      await db.query("SELECT 1");
      const controller = new AbortController();
      const { signal } = controller;
      const first = db.query("SELECT pg_sleep(0.05)");
      const second = errorOf(db.exec("INSERT INTO unsent VALUES (1)", [], { signal }));
      controller.abort("enough");
      expect(await second).toBe("enough");
      await first;
      expect(await db.queryRow("SELECT count(*)::int AS n FROM unsent")).toEqual({ n: 0 });
    } finally {
      await db.exec("DROP TABLE unsent");
    }
  });
});

describe("beside pipelines", () => {
  test("transactions and sessions have connections of their own, under constant load", async () => {
    const db = pipelined({ maxOpenConns: 2, acquireTimeoutMs: 5000 });
    let isOver = false;
    let answered = 0;
    const load = range(32).map(async () => {
      while (!isOver) {
        await db.queryRow("SELECT $1::int AS n", [answered]);
        answered += 1;
      }
    });
    for (let i = 0; i < 20; i++) {
      const pids = await db.transaction(async (tx) => {
        const a = await tx.queryRow(
          "SELECT pg_backend_pid() AS pid, txid_current_if_assigned() AS x",
        );
        await PAUSE(2);
        const b = await tx.queryRow(
          "SELECT pg_backend_pid() AS pid, txid_current_if_assigned() AS x",
        );
        return [a, b];
      });
      expect(pids[0]).toEqual(pids[1]);
    }
    isOver = true;
    await Promise.all(load);
    expect(answered).toBeGreaterThan(100);
  });

  test("what changes the session, or is several statements, has its own connection", async () => {
    const db = pipelined({ maxOpenConns: 1 });
    await db.exec("BEGIN; SET LOCAL work_mem = '5MB'; COMMIT");
    const both = await Promise.all([
      db.query("SELECT 1 AS one; SELECT 2 AS two"),
      db.query("SHOW work_mem"),
    ]);
    expect(both[0].rows).toEqual([{ two: 2 }]);
  });

  test.each(["cache-statement", "exec"] as const)(
    "a text that has proved slow keeps nobody waiting any more: %s",
    async (mode) => {
      const connection = { statementMode: mode };
      const db = pipelined({ maxOpenConns: 2, pipelining: { slowMs: 20 }, connection });
      await db.query("SELECT pg_sleep(0.2)");
      const slow = db.query("SELECT pg_sleep(0.2)").then(() => "slow");
      const quick = Promise.all(range(50).map(() => db.query("SELECT 1"))).then(() => "quick");
      expect(await Promise.race([slow, quick])).toBe("quick");
      await slow;
    },
  );

  test("a text that has proved slow gets another chance, the next after twice as long", async () => {
    let laterMs = 0;
    const nowMs = (): MonotonicMs => (systemClock.nowMs() + laterMs) as MonotonicMs;
    const clock = { ...systemClock, nowMs };
    const db = pipelined({ maxOpenConns: 1, clock, pipelining: { slowMs: 20 } });
    const sql = "SELECT pg_sleep($1)";
    const isShared = async () => {
      const before = db.stats().pool.acquireCount;
      await Promise.all(range(20).map(() => db.query(sql, [0])));
      return db.stats().pool.acquireCount - before < 20;
    };
    expect(await isShared()).toBe(true);
    await db.query(sql, [0.2]);
    expect(await isShared()).toBe(false);
    laterMs += 10_000;
    expect(await isShared()).toBe(true);
    await db.query(sql, [0.2]);
    laterMs += 10_000;
    expect(await isShared()).toBe(false);
    laterMs += 10_000;
    expect(await isShared()).toBe(true);
  });

  test("idle connections go back to the pool", async () => {
    const db = pipelined();
    await Promise.all(range(50).map(() => db.query("SELECT 1")));
    await vi.waitFor(() => expect(db.stats().inUse).toBe(0));
  });

  test("who waits for room is served when a shared connection has gone to another", async () => {
    // Without the timers by which pipelines are looked at from time to time.
    const timer = { cancel: () => {}, keepAlive: () => {} };
    const setTimer: Clock["setTimer"] = (delayMs, fire) =>
      delayMs === 10 ? timer : systemClock.setTimer(delayMs, fire);
    const db = pipelined({
      maxOpenConns: 1,
      clock: { ...systemClock, setTimer },
      pipelining: { depth: 1 },
    });
    const first = db.query("SELECT pg_sleep(0.05)");
    const waiting = db.queryRow("SELECT 7 AS n");
    const tx = await db.begin();
    await first;
    await tx.commit();
    expect(await waiting).toEqual({ n: 7 });
  });

  test("a reset of the pool reaches the shared connections", async () => {
    const db = pipelined({ maxOpenConns: 1 });
    let isOver = false;
    const load = range(8).map(async () => {
      while (!isOver) await db.query("SELECT 1");
    });
    const before = await db.queryRow("SELECT pg_backend_pid() AS pid");
    db.reset();
    await PAUSE(100);
    const after = await db.queryRow("SELECT pg_backend_pid() AS pid");
    isOver = true;
    await Promise.all(load);
    expect(after).not.toEqual(before);
  });
});

describe("when the connection is lost", () => {
  test("those under way are told, and the next ones get another", async () => {
    const db = pipelined({ maxOpenConns: 1, pipelining: { slowMs: Infinity } });
    const observer = await connect();
    const { pid } = await db.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const running = Promise.allSettled(range(5).map(() => db.query("SELECT pg_sleep(30)")));
    const isActive = "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1";
    await eventually(observer, isActive, [pid]);
    await rowsOf(observer, "SELECT pg_terminate_backend($1)", [pid]);
    for (const outcome of await running) expect(outcome.status).toBe("rejected");
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  test("and no other can be had, those who wait are told why", async () => {
    const db = openPostgres("postgres://nobody@127.0.0.1:1/x", {
      pipelining: true,
      acquireTimeoutMs: 200,
      connection: { env: {}, sslMode: "disable" },
    });
    open.push(db);
    const outcomes = await Promise.allSettled(range(5).map(() => db.query("SELECT 1")));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "POOL_TIMEOUT" } });
    }
  });
});

test.each([{ depth: 0 }, { maxConns: 1.5 }, { slowMs: 0 }])(
  "pipelining refuses %j",
  (pipelining) => {
    expect(() => pipelined({ pipelining })).toThrow(/OPTION_INVALID/);
  },
);
