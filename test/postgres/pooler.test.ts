// A real PgBouncer between client and server: what works in which mode, and what is said about what
// does not.

import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import {
  detectPooler,
  Listener,
  notify,
  type PgConnection,
  type PoolerKind,
  postgres,
  withAdvisoryLock,
} from "../../packages/forebay/src/postgres/index.ts";
import { type DB, type DBOptions, openDB } from "../../packages/forebay/src/sql/db.ts";
import {
  NEEDS_PGBOUNCER,
  type PgBouncer,
  PGBOUNCER,
  type PoolMode,
  startPgBouncer,
} from "../support/pgbouncer.ts";
import { errorOf } from "./wire-session.ts";

const open: { close(): Promise<void> }[] = [];
const poolers: PgBouncer[] = [];

async function start(...lines: string[]): Promise<PgBouncer> {
  const pooler = await startPgBouncer(
    {
      host: inject("postgresHost"),
      port: inject("postgresPort"),
      user: inject("postgresSuperuser"),
      password: inject("postgresPassword"),
    },
    lines,
  );
  poolers.push(pooler);
  return pooler;
}

function database(url: string, options: DBOptions<PgConnection> = {}): DB<PgConnection> {
  const db = openDB(postgres(url, { env: {} }), options);
  open.push(db);
  return db;
}

async function pid(db: DB<PgConnection>): Promise<number> {
  return (await db.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid")).pid;
}

const MODES: readonly PoolMode[] = ["session", "transaction", "statement"];

describe.skipIf(PGBOUNCER === undefined)(`behind PgBouncer ${NEEDS_PGBOUNCER}`, () => {
  let pooler: PgBouncer;

  beforeAll(async () => {
    pooler = await start();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()));
  });

  afterAll(async () => {
    await Promise.all(poolers.map((each) => each.stop()));
  });

  test.each(MODES)("plain queries, streamed rows and errors work in mode %s", async (mode) => {
    const db = database(pooler.url(mode));
    const calls = Array.from({ length: 40 }, (_, n) => db.queryRow("SELECT $1::int AS n", [n]));
    expect(await Promise.all(calls)).toEqual(calls.map((_, n) => ({ n })));
    let count = 0;
    for await (const _row of db.rows("SELECT generate_series(1, 500)")) count += 1;
    expect(count).toBe(500);
    expect(await errorOf(db.query("SELECT 1 / 0"))).toMatchObject({ code: "22012" });
  });

  test.each(MODES)("an aborted statement is stopped in mode %s, and no other", async (mode) => {
    const db = database(pooler.url(mode), { maxOpenConns: 1 });
    const controller = new AbortController();
    const { signal } = controller;
    const running = errorOf(db.query("SELECT pg_sleep(3600) /* aborted */", [], { signal }));
    const observer = database(inject("postgresUrl"));
    const sql = `SELECT count(*) AS n FROM pg_stat_activity
      WHERE state = 'active' AND query LIKE '%/* aborted *' || '/'`;
    const count = async () => (await observer.queryRow(sql))["n"];
    while ((await count()) === 0) await observer.exec("SELECT pg_sleep(0.01)");
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await running).toBe(reason);
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
    expect(await count()).toBe(0);
  });

  test.each(MODES.slice(0, 2))("transactions work in mode %s", async (mode) => {
    const db = database(pooler.url(mode), { maxOpenConns: 1 });
    const one = async (): Promise<unknown> =>
      db.transaction(async (tx) => {
        await tx.exec("CREATE TABLE pooled (a int)");
        return tx.queryRow("SELECT count(*) AS n FROM pooled");
      });
    expect(await one()).toEqual({ n: 0 });
    await db.exec("DROP TABLE pooled");
  });

  const KINDS: Readonly<Record<PoolMode, PoolerKind>> = {
    session: "session",
    transaction: "transaction",
    statement: "transaction",
  };
  test.each(MODES)("mode %s is recognised, with one connection of the pool", async (mode) => {
    const db = database(pooler.url(mode), { maxOpenConns: 1 });
    expect(await detectPooler(db)).toBe(KINDS[mode]);
    expect(await detectPooler(db)).toBe(KINDS[mode]);
    expect(db.stats().openConnections).toBe(1);
  });

  test.each([
    ["a pool of one", "default_pool_size = 1", "transaction"],
    ["sessions that are given in turn", "server_round_robin = 1", "transaction"],
    ["a pool of one", "default_pool_size = 1", "session"],
  ] as const)("with %s (%s) mode %s is not taken for another", async (_what, line, mode) => {
    const other = await start(line);
    const warm = database(other.url(mode));
    if (line !== "default_pool_size = 1") {
      await Promise.all([1, 2].map(() => warm.query("SELECT pg_sleep(0.1)")));
    }
    await warm.close();
    const kind = await detectPooler(database(other.url(mode)));
    // A second session is not to be had where there is one only, and that much is known.
    expect(kind).toBe(mode === "session" ? "unknown" : KINDS[mode]);
  });

  test("without a pooler there is none, and no second connection", async () => {
    const db = database(inject("postgresUrl"));
    expect(await detectPooler(db)).toBe("none");
  });

  test("a prepared statement works in mode session", async () => {
    const db = database(pooler.url("session"), { maxOpenConns: 1 });
    const stmt = await db.prepare("SELECT $1::int AS n");
    for (let n = 0; n < 3; n++) expect(await stmt.queryRow([n])).toEqual({ n });
  });

  test.each([
    ["", {}],
    [" for all connections with settings of their own", { beforeConnect: () => ({}) }],
  ])("queries in mode transaction go on unprepared, and say so once%s", async (_, hooks) => {
    const warnings: string[] = [];
    const onWarning = (warning: Error & { code?: string }): void => {
      if (warning.code === "FOREBAY_STATEMENT_MODE") warnings.push(warning.message);
    };
    process.on("warning", onWarning);
    try {
      const db = database(pooler.url("transaction"), { maxOpenConns: 2, hooks });
      const other = database(pooler.url("transaction"), { maxOpenConns: 2 });
      const ask = async (n: number) => db.queryRow("SELECT $1::int AS n", [n]);
      const askTwice = async (n: number) => {
        expect(await Promise.all([ask(n), ask(n)])).toEqual([{ n }, { n }]);
      };
      await askTwice(0);
      // Somebody holds the sessions on which it was prepared: the next calls get others.
      await other.transaction(async (tx) => {
        await tx.query("SELECT 1");
        await other.transaction(async (second) => {
          await second.query("SELECT 1");
          for (let n = 1; n < 10; n++) await askTwice(n);
        });
      });
      for (let n = 10; n < 20; n++) expect(await ask(n)).toEqual({ n });
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toHaveLength(pooler.followsStatements ? 0 : 1);
    } finally {
      process.off("warning", onWarning);
    }
  });

  test("a prepared statement in mode transaction works where PgBouncer follows it", async () => {
    const db = database(pooler.url("transaction"), { maxOpenConns: 1 });
    const other = database(pooler.url("transaction"), { maxOpenConns: 1 });
    await other.ping();
    const stmt = await db.prepare("SELECT $1::int AS n");
    // Somebody holds the session on which it was prepared: the next call gets another.
    const outcome = await other.transaction(async (tx) => {
      await tx.query("SELECT 1");
      return stmt.queryRow([1]).catch((error: unknown) => error);
    });
    expect(outcome).toMatchObject(pooler.followsStatements ? { n: 1 } : { code: "26000" });
  });

  test("notifications are heard in mode session, and refused in mode transaction", async () => {
    const payloads: string[] = [];
    let wake = (): void => undefined;
    const hear = (payload: string): void => {
      payloads.push(payload);
      wake();
    };
    const session = new Listener(postgres(pooler.url("session"), { env: {} }));
    open.push(session);
    await session.listen("pooled", hear);
    const heard = new Promise<void>((resolve) => (wake = resolve));
    await notify(database(pooler.url("transaction")), "pooled", "through it");
    await heard;
    expect(payloads).toEqual(["through it"]);
    const transaction = new Listener(postgres(pooler.url("transaction"), { env: {} }));
    open.push(transaction);
    expect(await errorOf(transaction.listen("pooled", hear))).toMatchObject({
      code: "POOLER_UNSUPPORTED",
      message: expect.stringContaining("Connect to the server itself") as string,
    });
    expect(transaction.state).toBe("resting");
  });

  test("advisory locks of a session work in mode session, and are refused in others", async () => {
    const session = database(pooler.url("session"));
    await withAdvisoryLock(session, "pooled", async () => {
      const other = withAdvisoryLock(session, "pooled", () => Promise.resolve(), { tryOnly: true });
      expect(await errorOf(other)).toMatchObject({ code: "LOCK_UNAVAILABLE" });
    });
    const db = database(pooler.url("transaction"));
    let hasRun = false;
    const run = (): Promise<void> => {
      hasRun = true;
      return Promise.resolve();
    };
    expect(await errorOf(withAdvisoryLock(db, "pooled", run))).toMatchObject({
      code: "POOLER_UNSUPPORTED",
      message: expect.stringContaining("`transaction: true`") as string,
    });
    expect(hasRun).toBe(false);
  });

  test("advisory locks of a transaction work in mode transaction", async () => {
    const db = database(pooler.url("transaction"));
    const kind = { transaction: true, tryOnly: true };
    await withAdvisoryLock(
      db,
      "pooled",
      async () => {
        const other = withAdvisoryLock(db, "pooled", () => Promise.resolve(), kind);
        expect(await errorOf(other)).toMatchObject({ code: "LOCK_UNAVAILABLE" });
      },
      kind,
    );
    expect(await withAdvisoryLock(db, "pooled", () => Promise.resolve(1), kind)).toBe(1);
  });

  test("a setting of a session stays on the server's session in mode transaction", async () => {
    const db = database(pooler.url("transaction"), { maxOpenConns: 1 });
    const other = database(pooler.url("transaction"), { maxOpenConns: 1 });
    const look = () => other.queryRow("SELECT current_setting('work_mem') AS mem");
    await other.ping();
    await db.withConn(async (conn) => {
      const mine = await conn.queryRow("SELECT pg_backend_pid() AS pid");
      await conn.exec("SET work_mem = '77kB'");
      // The session is free again: another client has it, and what was set in it.
      expect(await other.queryRow("SELECT pg_backend_pid() AS pid")).toEqual(mine);
      expect(await look()).toEqual({ mem: "77kB" });
    });
    // Nothing is promised, but where nobody came between it was put back all the same.
    expect(await look()).toEqual({ mem: "4MB" });
  });

  test("a session's reset behind a pooler keeps what the client began with", async () => {
    const db = database(pooler.url("session"), { maxOpenConns: 1 });
    const look = () =>
      db.queryRow(
        `SELECT current_setting('application_name') AS name, current_setting('DateStyle') AS style,
           current_setting('client_encoding') AS encoding, current_setting('work_mem') AS mem`,
      );
    const before = await look();
    const process = await pid(db);
    await db.exec("SET work_mem = '77kB'; SET DateStyle = 'German'");
    expect(await look()).toEqual(before);
    expect(await pid(db)).toBe(process);
  });
});
