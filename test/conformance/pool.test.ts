import { expect, test } from "vitest";
import { openDB } from "../../packages/forebay/src/sql/db.ts";
import { open, register } from "../../packages/forebay/src/sql/registry.ts";
import {
  atOnce,
  closedBy,
  connOf,
  leaseOf,
  openAtMost,
  outcome,
  poolBench,
  poolErrorOf,
  rejection,
  script,
  sqlBench,
  take,
  takeOne,
  watch,
} from "./support.ts";

const SLOW_DIAL = script({ connect: () => ({ afterMs: 20 }) });

test("TestOpenDB: a DB over a connector dials nothing, and then by that connector", async () => {
  const { database, clock } = sqlBench();
  const db = openDB(database, { clock });
  await clock.settle();
  expect(database.conns).toEqual([]);
  expect(db.stats().pool.name).toBe(database.name);
  const driver = await db.withConn((conn) => conn.raw((raw) => raw));
  expect(driver).toBe(database.conns[0]);
  await db.close();
});

test("TestBadDriver: a connector that throws at once fails its dial and no more", async () => {
  const bench = poolBench({ acquireTimeoutMs: 10 });
  const { connect } = bench.connector;
  const thrown = new Error("thrown by connect");
  bench.connector.connect = () => {
    throw thrown;
  };
  const acquire = poolErrorOf(bench.pool.acquire());
  await bench.advance(10);
  expect(await acquire).toMatchObject({ code: "POOL_TIMEOUT", cause: thrown });
  expect(bench.pool.stats().openConnections).toBe(0);
  bench.connector.connect = connect;
  await bench.advance(5000);
  (await takeOne(bench)).release();
  await bench.pool.close();
});

test("TestDriverPanic: a driver that throws at once fails that call alone", async () => {
  const { db, database, leased, done } = sqlBench({ maxOpenConns: 1 });
  await db.exec("warm up");
  const driver = connOf(database, 1);
  const thrown = new Error("thrown by the driver");
  for (const method of ["query", "prepare", "stream", "begin"] as const) {
    const real = driver[method];
    driver[method] = () => {
      throw thrown;
    };
    const calls = {
      query: () => db.exec("a"),
      prepare: () => db.prepare("a"),
      stream: () => db.rows("a").next(),
      begin: () => db.begin(),
    };
    expect(await rejection(calls[method]())).toBe(thrown);
    expect(leased()).toBe(0);
    Object.assign(driver, { [method]: real });
    await db.exec("next");
  }
  const stmt = await db.prepare("p");
  await stmt.close();
  database.failNext("stmt.close", thrown);
  await outcome(db.prepare("q"));
  await db.exec("next");
  expect(database.openCount).toBe(1);
  await done();
});

test("TestPing: a ping reaches the driver, and rejects with POOL_CLOSED after close", async () => {
  const { db, database, done } = sqlBench();
  await db.ping();
  expect(database.log).toEqual(["1 ping"]);
  await done();
  expect(await rejection(db.ping())).toMatchObject({ code: "POOL_CLOSED" });
});

test("TestMaxIdleConns: one is kept idle; lowered to 0 it goes, and none is kept", async () => {
  const { db, database, done } = sqlBench();
  await db.transaction(async () => undefined);
  expect([db.stats().idle, database.openCount]).toEqual([1, 1]);
  db.setMaxIdleConns(0);
  expect([db.stats().idle, database.openCount]).toEqual([0, 0]);
  await db.transaction(async () => undefined);
  expect([db.stats().idle, database.openCount]).toEqual([0, 0]);
  expect(db.stats().maxIdleClosed).toBe(2);
  await done();
});

test("TestMaxOpenConns: 100 calls use 10 connections and prepare once on each", async () => {
  const bench = sqlBench({ maxOpenConns: 10 });
  const { db, database, clock, done } = bench;
  const stmt = await db.prepare("p");
  const most = await openAtMost(bench, () => atOnce(100, (n) => stmt.query([n])));
  expect(most).toBe(10);
  expect(database.calls.filter((call) => call === "prepare p")).toHaveLength(10);
  expect(database.calls.filter((call) => call === "stmt.query p")).toHaveLength(100);
  db.setMaxIdleConns(5);
  expect(db.stats().idle).toBe(5);
  db.setMaxOpenConns(4);
  await clock.settle();
  expect([db.stats().idle, db.stats().openConnections]).toEqual([4, 4]);
  db.setMaxIdleConns(Infinity);
  db.setMaxOpenConns(Infinity);
  await clock.advance(1000);
  expect(database.openCount).toBe(4);
  await done();
});

test("TestMaxOpenConnsOnBusy: a lowered limit closes the surplus as it comes back", async () => {
  const bench = poolBench({ maxOpenConns: 3 });
  const leases = await take(bench, 3);
  bench.pool.setMaxOpenConns(2);
  await bench.advance(0);
  expect(bench.connector.serverCount).toBe(3);
  const left: number[] = [];
  for (const lease of leases) {
    lease.release();
    await bench.advance(0);
    left.push(bench.connector.serverCount);
  }
  expect(left).toEqual([2, 2, 2]);
  expect(closedBy(bench)).toEqual({ "open-limit": 1 });
});

test("TestSingleOpenConn: with one connection, closed Rows make room for the next", async () => {
  const { db, leased, done } = sqlBench({ maxOpenConns: 1 });
  for (let round = 0; round < 2; round++) {
    const rows = db.rows("a");
    await rows.next();
    expect(leased()).toBe(1);
    await rows.close();
    await db.query("b");
  }
  await done();
});

test("TestPendingConnsAfterErr: when dials fail every waiter learns why", async () => {
  const offline = new Error("offline");
  const isOffline = { now: false };
  const onConnect = () => (isOffline.now ? { fail: offline } : "ok");
  const bench = poolBench(
    { maxOpenConns: 2, acquireTimeoutMs: 500 },
    script({ connect: onConnect }),
  );
  const leases = await take(bench, 2);
  const waiting = Array.from({ length: 8 }, () => poolErrorOf(bench.pool.acquire()));
  isOffline.now = true;
  for (const lease of leases) lease.discard();
  await bench.advance(499);
  expect(bench.pool.stats().pool.waiting).toBe(8);
  await bench.advance(1);
  for (const error of await Promise.all(waiting)) {
    expect(error).toMatchObject({ code: "POOL_TIMEOUT", cause: offline });
  }
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, pool: { waiting: 0 } });

  bench.connector.mayRetry = false;
  const hopeless = Array.from({ length: 8 }, () => poolErrorOf(bench.pool.acquire()));
  await bench.advance(499);
  for (const error of await Promise.all(hopeless)) {
    expect(error).toMatchObject({ code: "CONNECT_FAILED", cause: offline });
  }
  expect(bench.pool.stats()).toMatchObject({ openConnections: 0, pool: { waiting: 0 } });
});

test("TestPoolExhaustOnCancel: cancelled waits take nothing away from the pool", async () => {
  const bench = sqlBench({ maxOpenConns: 3, maxIdleConns: 1 });
  const { db, leased, clock, abortable, done } = bench;
  const held = await atOnce(3, () => db.conn());
  const controllers = Array.from({ length: 100 }, () => abortable());
  const cancelled = controllers.map(({ signal }) => outcome(db.query("a", [], { signal })));
  for (const controller of controllers) controller.abort("enough");
  for (const each of await Promise.all(cancelled)) expect(each).toEqual({ error: "enough" });
  for (const conn of held) await conn.close();
  await clock.settle();
  expect(db.stats()).toMatchObject({ openConnections: 1, idle: 1, inUse: 0 });
  await db.ping();
  expect(leased()).toBe(0);
  await done();
});

test("TestConnectionLeak: a dial that ends when idle is full is closed", async () => {
  const bench = poolBench({ maxOpenConns: 2, maxIdleConns: 1 }, SLOW_DIAL);
  const first = watch(bench.pool.acquire());
  await bench.advance(20);
  const second = watch(bench.pool.acquire());
  await bench.advance(10);
  leaseOf(first).release();
  await bench.advance(0);
  leaseOf(second).release();
  expect(bench.pool.stats()).toMatchObject({ idle: 1, pool: { dialing: 1 } });
  await bench.advance(10);
  expect(bench.connector.serverCount).toBe(1);
  expect(bench.pool.stats()).toMatchObject({ idle: 1, openConnections: 1 });
  expect(closedBy(bench)).toEqual({ "idle-limit": 1 });
});

test("TestStats: one connection is open after a call, and none after close", async () => {
  const { db, done } = sqlBench();
  await db.exec("a");
  expect(db.stats().openConnections).toBe(1);
  await done();
  expect(db.stats().openConnections).toBe(0);
});

test("TestStatsMaxIdleClosedZero: nothing counts while idle ones have room", async () => {
  const { db, done } = sqlBench({ maxOpenConns: 1, maxIdleConns: 1 });
  for (let n = 0; n < 10; n++) await db.withConn((conn) => conn.ping());
  expect(db.stats().maxIdleClosed).toBe(0);
  await done();
});

test("TestStatsMaxIdleClosedTen: with room for none, each return counts one", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 1, maxIdleConns: 0 });
  for (let n = 0; n < 10; n++) await db.withConn((conn) => conn.ping());
  expect(db.stats().maxIdleClosed).toBe(10);
  expect(database.conns).toHaveLength(10);
  await done();
});

test("TestConnMaxLifetime: a new limit expires the older of two, and counts it", async () => {
  const bench = poolBench({ maxOpenConns: 10 });
  const first = await takeOne(bench);
  await bench.advance(10_000);
  const second = await takeOne(bench);
  first.release();
  second.release();
  await bench.advance(1000);
  bench.pool.setConnMaxLifetimeMs(10_500);
  await bench.advance(0);
  expect(bench.pool.stats()).toMatchObject({ openConnections: 1, maxLifetimeClosed: 1 });
  await take(bench, 2);
  expect(bench.connector.dialCount).toBe(3);
  expect(closedBy(bench)).toEqual({ lifetime: 1 });
});

test("TestConnExpiresFreshOutOfPool: what expired is replaced before its use", async () => {
  const bench = poolBench({ maxOpenConns: 1, connMaxLifetimeMs: 1000 });
  const held = await takeOne(bench);
  const waiter = watch(bench.pool.acquire());
  await bench.advance(1000);
  held.release();
  await bench.advance(0);
  expect(leaseOf(waiter).conn.id).toBe(2);
  leaseOf(waiter).release();
  // No timer fires while time passes: the connection expires before anything could close it.
  const beforeMs = bench.clock.nowMs();
  bench.clock.nowMs = () => (beforeMs + 1000) as typeof beforeMs;
  const caller = watch(bench.pool.acquire());
  await bench.clock.settle();
  expect(leaseOf(caller).conn.id).toBe(3);
  expect(closedBy(bench)).toEqual({ lifetime: 2 });
});

test("TestMaxIdleTime: exactly those idle too long are closed, each when it is due", async () => {
  const bench = poolBench({ maxOpenConns: 6 });
  const leases = await take(bench, 6);
  for (const lease of leases) {
    lease.release();
    await bench.advance(1000);
  }
  // Idle for 6, 5, 4, 3, 2 and 1 seconds.
  bench.pool.setConnMaxIdleTimeMs(4000);
  await bench.advance(0);
  const idleAfter: [number, number][] = [];
  while (bench.clock.nextTimerAtMs < Infinity) {
    idleAfter.push([bench.clock.nowMs(), bench.pool.stats().idle]);
    await bench.advance(bench.clock.nextTimerAtMs - bench.clock.nowMs());
  }
  expect(idleAfter).toEqual([
    [6000, 3],
    [7000, 2],
    [8000, 1],
  ]);
  expect(bench.pool.stats()).toMatchObject({ idle: 0, maxIdleTimeClosed: 6 });
});

test("TestConnIsValid: a connection that is not valid when it comes back is closed", async () => {
  const { db, database, done } = sqlBench();
  await db.withConn((conn) => conn.raw(() => undefined));
  expect(database.openCount).toBe(1);
  await db.withConn((conn) =>
    conn.raw((driver) => {
      driver.isDead = true;
    }),
  );
  expect([database.openCount, db.stats().idle]).toEqual([0, 0]);
  await done();
});

test("TestIssue4902: ten times prepared and closed leaves one connection", async () => {
  const { db, database, done } = sqlBench({ maxOpenConns: 10 });
  for (let n = 0; n < 10; n++) {
    const stmt = await db.prepare("p");
    await stmt.close();
  }
  expect(database.conns).toHaveLength(1);
  expect(connOf(database, 1).prepared.size).toBe(1);
  await done();
});

test("TestIssue2542Deadlock: a query on a closed DB is refused, every time", async () => {
  const { db, done } = sqlBench();
  await done();
  for (let n = 0; n < 2; n++) {
    expect(await rejection(db.query("a"))).toMatchObject({ code: "POOL_CLOSED" });
  }
});

test("TestConnRequestSet: a random queue serves or refuses each waiter once", async () => {
  const bench = poolBench({ maxOpenConns: 1, waiterOrder: "random" });
  const held = await takeOne(bench);
  const controllers = Array.from({ length: 12 }, () => new AbortController());
  const served: number[] = [];
  const waiters = controllers.map(({ signal }, n) => {
    const acquire = bench.pool.acquire({ signal });
    acquire.then(
      () => served.push(n),
      () => undefined,
    );
    return watch(acquire);
  });
  controllers[3]?.abort("given up");
  await bench.advance(0);
  expect(waiters[3]).toMatchObject({ state: "rejected", reason: "given up" });
  let lease = held;
  for (let round = 0; round < 8; round++) {
    lease.release();
    await bench.advance(0);
    const last = served.at(-1) ?? -1;
    controllers[last]?.abort("too late");
    lease = leaseOf(waiters[last] ?? watch(Promise.reject(new Error("nobody was served"))));
  }
  expect(new Set(served).size).toBe(8);
  expect(served).not.toContain(3);
  expect(served).not.toEqual(served.toSorted((a, b) => a - b));
  const closed = bench.pool.close();
  for (const controller of controllers) controller.abort("after the close");
  await bench.advance(0);
  const refused = waiters.filter(
    ({ state, reason }) => state === "rejected" && reason !== "given up",
  );
  expect(refused).toHaveLength(3);
  for (const { reason } of refused) expect(reason).toMatchObject({ code: "POOL_CLOSED" });
  lease.release();
  await closed;
});

test("TestNilErrorAfterClose: a second close of anything resolves, and does nothing", async () => {
  const { db, database, done } = sqlBench();
  const conn = await db.conn();
  const stmt = await conn.prepare("p");
  const rows = conn.rows("a");
  await rows.next();
  for (const each of [rows, rows, stmt, stmt, conn, conn]) await each.close();
  await done();
  const { length } = database.log;
  for (const each of [rows, stmt, conn, db]) await each.close();
  expect(database.log).toHaveLength(length);
  expect(database.violations).toEqual([]);
});

test("TestOpenConnector: the address is read once; close closes the connector", async () => {
  const { database } = sqlBench();
  const read: string[] = [];
  let closes = 0;
  const connector = Object.assign(database, {
    close: () => {
      closes += 1;
    },
  });
  register("conformance", {
    openConnector: (dsn) => {
      read.push(dsn);
      return connector;
    },
  });
  const db = open("conformance", "the address", { maxOpenConns: 2 });
  expect(db.connector).toBe(connector);
  expect(database.conns).toEqual([]);
  await atOnce(4, () => db.ping());
  expect([read, closes]).toEqual([["the address"], 0]);
  await db.close();
  await db.close();
  expect([read, closes]).toEqual([["the address"], 1]);
});
