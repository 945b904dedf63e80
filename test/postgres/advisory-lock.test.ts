// Advisory locks for the time of a function, on a real server.

import { afterEach, describe, expect, inject, test } from "vitest";
import {
  type AdvisoryKey,
  advisoryKey,
  type AdvisoryLockOptions,
  type PgConnection,
  postgres,
  withAdvisoryLock,
} from "../../packages/forebay/src/postgres/index.ts";
import { leakCheck, trackedSignal } from "../../packages/forebay/src/testing/index.ts";
import { type DB, openDB } from "../../packages/forebay/src/sql/db.ts";
import { connect, errorOf, eventually, rowsOf } from "./wire-session.ts";

const HELD = "SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND granted";
const WAITED_FOR = `SELECT count(*) > 0 FROM pg_locks
  WHERE locktype = 'advisory' AND NOT granted`;

const open: DB<PgConnection>[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((db) => db.close()));
});

function database(maxOpenConns = 4): DB<PgConnection> {
  const db = openDB(postgres(inject("postgresUrl"), { env: {} }), { maxOpenConns });
  open.push(db);
  return db;
}

async function held(db: DB<PgConnection>): Promise<unknown> {
  return (await db.queryRow(HELD))["n"];
}

const KINDS: readonly (readonly [string, AdvisoryLockOptions])[] = [
  ["of a session", {}],
  ["of a transaction", { transaction: true }],
];

describe.each(KINDS)("a lock %s", (_kind, kind) => {
  test.each<[string, AdvisoryKey]>([
    ["a text", "nightly report"],
    ["a number", -(2n ** 63n)],
    ["two numbers", [-(2 ** 31), 2 ** 31 - 1]],
  ])("on %s is held while the function runs, and by no other", async (_name, key) => {
    const db = database();
    const gave = await withAdvisoryLock(
      db,
      key,
      async ({ on, signal }) => {
        expect(await held(db)).toBe(1);
        const other = withAdvisoryLock(db, key, () => Promise.resolve(1), {
          ...kind,
          tryOnly: true,
        });
        expect(await errorOf(other)).toMatchObject({ code: "LOCK_UNAVAILABLE", retryable: true });
        expect(signal.aborted).toBe(false);
        return on.queryRow("SELECT 7 AS seven");
      },
      kind,
    );
    expect(gave).toEqual({ seven: 7 });
    expect(await held(db)).toBe(0);
    expect(await withAdvisoryLock(db, key, () => Promise.resolve(2), { tryOnly: true })).toBe(2);
  });

  test("is given back when the function fails, with its error", async () => {
    const db = database();
    const error = new Error("mine");
    expect(await errorOf(withAdvisoryLock(db, 1n, () => Promise.reject(error), kind))).toBe(error);
    expect(await held(db)).toBe(0);
  });

  test("that is shared can be shared, and shuts out who will not share", async () => {
    const db = database();
    const shared = { ...kind, shared: true, tryOnly: true };
    await withAdvisoryLock(
      db,
      1n,
      async () => {
        await withAdvisoryLock(db, 1n, async () => expect(await held(db)).toBe(2), shared);
        const alone = withAdvisoryLock(db, 1n, () => Promise.resolve(), { ...kind, tryOnly: true });
        expect(await errorOf(alone)).toMatchObject({ code: "LOCK_UNAVAILABLE" });
      },
      shared,
    );
    expect(await held(db)).toBe(0);
  });

  test("is waited for no longer than it may be, and sets nothing for what follows", async () => {
    const db = database();
    const timeout = async ({ on }: { readonly on: Pick<DB, "queryRow"> }): Promise<unknown> =>
      (await on.queryRow("SHOW lock_timeout"))["lock_timeout"];
    await withAdvisoryLock(db, 1n, async () => {
      const late = withAdvisoryLock(db, 1n, () => Promise.resolve(), { ...kind, timeoutMs: 20 });
      expect(await errorOf(late)).toMatchObject({ code: "LOCK_UNAVAILABLE" });
    });
    expect(await withAdvisoryLock(db, 1n, timeout, { ...kind, timeoutMs: 20 })).toBe("0");
    expect(db.stats().pool.leased).toBe(0);
  });

  test("is waited for until its signal is aborted, and never had in secret", async () => {
    const db = database();
    const observer = await connect();
    const tracked = trackedSignal();
    const reason = new Error("enough");
    await withAdvisoryLock(db, 1n, async () => {
      const { signal } = tracked;
      const waiting = errorOf(
        withAdvisoryLock(db, 1n, () => Promise.resolve(), { ...kind, signal }),
      );
      await eventually(observer, WAITED_FOR, []);
      tracked.abort(reason);
      expect(await waiting).toBe(reason);
    });
    expect(tracked.listenerCount).toBe(0);
    await eventually(observer, `SELECT (${HELD}) = 0`, []);
  });

  test("is told to its function to be lost with the connection", async () => {
    const db = database();
    const observer = await connect();
    const lost = await errorOf(
      withAdvisoryLock(
        db,
        1n,
        async ({ on, signal }) => {
          const { pid } = await on.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid");
          const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
          await observer.query("SELECT pg_terminate_backend($1)", [pid]);
          await aborted;
          expect(signal.reason).toMatchObject({ code: "LOCK_LOST", cause: { sqlstate: "57P01" } });
        },
        kind,
      ),
    );
    expect(lost).toMatchObject({ code: "LOCK_LOST", retryable: false });
    expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  });

  test("is told to be lost when the pool closes it by force", async () => {
    const db = database();
    const lost = errorOf(
      withAdvisoryLock(
        db,
        1n,
        async ({ signal }) => {
          const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
          void db.close({ drainTimeoutMs: 1 });
          await aborted;
        },
        kind,
      ),
    );
    expect(await lost).toMatchObject({ code: "LOCK_LOST" });
  });

  test("hands the caller's abort on to the function, and waits for it", async () => {
    const db = database();
    const controller = new AbortController();
    const reason = new Error("enough");
    const { signal } = controller;
    const run = withAdvisoryLock(
      db,
      1n,
      ({ signal: inner }) => {
        controller.abort(reason);
        return Promise.reject(inner.reason);
      },
      { ...kind, signal },
    );
    expect(await errorOf(run)).toBe(reason);
    expect(await held(database())).toBe(0);
  });

  test("refuses keys and times that make no sense", async () => {
    const db = database();
    const run = (key: unknown, timeoutMs?: number) =>
      errorOf(
        withAdvisoryLock(db, key as AdvisoryKey, () => Promise.resolve(), { ...kind, timeoutMs }),
      );
    for (const key of [2n ** 63n, [1], [1, 2 ** 31], [1.5, 1], 7, undefined]) {
      expect(await run(key)).toMatchObject({ code: "ARGUMENT_INVALID" });
    }
    for (const timeoutMs of [0, Number.NaN, -1]) {
      expect(await run(1n, timeoutMs)).toMatchObject({ code: "OPTION_INVALID" });
    }
  });
});

test("a text's key is the same in SQL", async () => {
  const conn = await connect();
  for (const text of ["", "nightly report", "Grüße", "x".repeat(1000)]) {
    const [row] = await rowsOf(
      conn,
      `SELECT ('x' || encode(substring(sha256(convert_to($1, 'UTF8')) FOR 8), 'hex'))
         ::bit(64)::bigint::text AS key`,
      [text],
    );
    expect(String(advisoryKey(text))).toBe(row?.["key"]);
  }
  expect(advisoryKey("nightly report")).toBe(1451769646762480301n);
});

test("a lock that something else released is known to be lost in the end", async () => {
  const db = database();
  const run = withAdvisoryLock(db, 1n, ({ on }) => on.exec("SELECT pg_advisory_unlock_all()"));
  expect(await errorOf(run)).toMatchObject({ code: "LOCK_LOST" });
});

test("a function that leaves rows open does not keep the lock", async () => {
  const db = database(2);
  const run = withAdvisoryLock(db, 1n, async ({ on }) => {
    const rows = on.rows("SELECT generate_series(1, 100000)");
    await rows.next();
    return "done";
  });
  expect(await run).toBe("done");
  const observer = await connect();
  await eventually(observer, `SELECT (${HELD}) = 0`, []);
});

test("a lock costs no reset, and no connection by the rule discard", async () => {
  const connector = postgres(inject("postgresUrl"), { env: {}, sessionReset: "discard" });
  const db = openDB(connector, { maxOpenConns: 1 });
  open.push(db);
  const pid = () => db.queryRow("SELECT pg_backend_pid() AS pid");
  const before = await pid();
  await withAdvisoryLock(db, 1n, () => Promise.resolve(), { timeoutMs: 1000 });
  await withAdvisoryLock(db, 1n, () => Promise.resolve(), { transaction: true, timeoutMs: 1000 });
  expect(await pid()).toEqual(before);
});

test("a bulkhead's connections hold locks as well, and nothing is left behind", async () => {
  const db = database();
  const check = leakCheck({ pool: db });
  const few = db.bulkhead("locks", { maxInUse: 1 });
  expect(await withAdvisoryLock(few, "x", () => Promise.resolve(1))).toBe(1);
  check.assertNoneHeld();
});
