// What an aborted signal and a lost connection do, on a real server: who is told what, and what the
// connection is good for afterwards.

import { setImmediate as turn, setTimeout as delay } from "node:timers/promises";
import { describe, expect, inject, test } from "vitest";
import { isForebayError } from "../../packages/forebay/src/base/errors.ts";
import { seededRandom } from "../../packages/forebay/src/base/random.ts";
import { BadConnError } from "../../packages/forebay/src/driver/errors.ts";
import {
  ConnectionLostError,
  isPgError,
  type PgConnection,
} from "../../packages/forebay/src/postgres/index.ts";
import { channelOf } from "../../packages/forebay/src/postgres/wire/connection.ts";
import { connect, errorOf, eventually, openSession, rowsOf, untilBusy } from "./wire-session.ts";

const overSocket = {
  host: inject("postgresSocketDir"),
  port: inject("postgresPort"),
  user: inject("postgresSuperuser"),
  password: inject("postgresPassword"),
  database: "postgres",
};

/**
 * Over a Unix socket a cancel request arrives faster than anything; a server of your own has none.
 */
const ROUTES: readonly (readonly [where: string, url: string | undefined, rounds: number])[] = [
  ["over TCP", undefined, 150],
  ...(overSocket.host === "" ? [] : [["over the Unix socket", "", 400] as const]),
];

async function answers(conn: PgConnection): Promise<boolean> {
  const [row] = await rowsOf(conn, "SELECT 1 AS one FROM pg_sleep(0.001)");
  return row?.["one"] === 1;
}

function codeIn(error: unknown): unknown {
  return (error as { readonly code?: unknown }).code;
}

describe("an aborted signal", () => {
  test("rejects with its reason at once, and stops the statement on the server", async () => {
    const [conn, observer] = await Promise.all([connect(), connect()]);
    const abort = new AbortController();
    const reason = new Error("enough");
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: abort.signal }));
    await untilBusy(observer, conn.processId);
    abort.abort(reason);
    expect(await sleeping).toBe(reason);
    const reset = conn.resetSession();
    expect(reset).toBeInstanceOf(Promise);
    await reset;
    expect(await answers(conn)).toBe(true);
  });

  test("that was aborted before sends nothing", async () => {
    const conn = await connect();
    const signal = AbortSignal.abort("too late");
    expect(await errorOf(conn.query("CREATE TABLE never (i int)", [], { signal }))).toBe(
      "too late",
    );
    expect(await errorOf(conn.stream("SELECT 1", [], { signal }))).toBe("too late");
    expect(await errorOf(conn.prepare("SELECT 1", { signal }))).toBe("too late");
    expect(await errorOf(conn.begin({}, { signal }))).toBe("too late");
    expect(await errorOf(conn.commit({ signal }))).toBe("too late");
    expect(conn.resetSession()).toBeUndefined();
    expect(await rowsOf(conn, "SELECT to_regclass('never') AS t")).toEqual([{ t: null }]);
  });

  test.each(ROUTES)(
    "never hits a later statement, %s",
    async (_where, url, rounds) => {
      const conn = await connect(url === undefined ? {} : overSocket, url);
      const random = seededRandom(7);
      let aborted = 0;
      for (let round = 0; round < rounds; round++) {
        const abort = new AbortController();
        const sql = `SELECT pg_sleep(${(random.next() * 0.004).toFixed(5)})`;
        const outcome = conn
          .query(sql, [], { signal: abort.signal })
          .catch((error: unknown) => error);
        const turns = Math.floor(random.next() * 12);
        for (let i = 0; i < turns; i++) await turn();
        if (random.next() < 0.3) await delay(random.next() * 6);
        abort.abort("stop");
        // One that is done must not be told that it was stopped, and the other way round.
        if ((await outcome) === "stop") aborted++;
        for (let i = 0; i < 3; i++) expect(await answers(conn)).toBe(true);
      }
      expect(aborted).toBeGreaterThan(rounds / 10);
      expect(conn.isValid()).toBe(true);
    },
    120_000,
  );

  test("leaves the transaction to be rolled back", async () => {
    const [conn, observer] = await Promise.all([connect(), connect()]);
    await conn.begin({});
    const abort = new AbortController();
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: abort.signal }));
    await untilBusy(observer, conn.processId);
    abort.abort();
    expect(await sleeping).toBe(abort.signal.reason);
    await conn.resetSession();
    expect(conn.txStatus).toBe("I");
  });

  test("stops a stream, between two portions and within one", async () => {
    const [conn, observer] = await Promise.all([connect(), connect()]);
    const between = new AbortController();
    const sql = "SELECT i FROM generate_series(1, 100000) i";
    const rows = await conn.stream(sql, [], { signal: between.signal });
    await rows.next();
    between.abort("between");
    expect(await errorOf(rows.next())).toBe("between");
    await rows.close();
    expect(await answers(conn)).toBe(true);

    const within = new AbortController();
    const slow = await conn.stream("SELECT pg_sleep(3600)", [], { signal: within.signal });
    const next = errorOf(slow.next());
    await untilBusy(observer, conn.processId);
    within.abort("within");
    expect(await next).toBe("within");
    await slow.close();
    expect(await answers(conn)).toBe(true);
  });

  test("that comes after the end does nothing", async () => {
    const conn = await connect();
    const abort = new AbortController();
    const { signal } = abort;
    await conn.query("SELECT 1", [], { signal });
    const rows = await conn.stream("SELECT 1", [], { signal });
    while ((await rows.next()) !== undefined);
    const stmt = await conn.prepare("SELECT 1", { signal });
    await stmt.query([], { signal });
    abort.abort();
    expect(conn.resetSession()).toBeUndefined();
    expect(await answers(conn)).toBe(true);
  });

  test("while another call waits for the first to settle, rejects that one, too", async () => {
    const [conn, observer] = await Promise.all([connect(), connect()]);
    const first = new AbortController();
    const second = new AbortController();
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: first.signal }));
    await untilBusy(observer, conn.processId);
    first.abort("first");
    expect(await sleeping).toBe("first");
    const waiting = errorOf(conn.query("SELECT 1", [], { signal: second.signal }));
    second.abort("second");
    expect(await waiting).toBe("second");
    expect(await answers(conn)).toBe(true);
  });

  test("during commit leaves the outcome unknown", async () => {
    const conn = await connect();
    await conn.begin({});
    const abort = new AbortController();
    const commit = errorOf(conn.commit({ signal: abort.signal }));
    await Promise.resolve();
    abort.abort("impatient");
    const error = await commit;
    expect(isForebayError(error) && [error.code, error.cause, error.retryable]).toEqual([
      "OUTCOME_UNKNOWN",
      "impatient",
      false,
    ]);
    await conn.resetSession();
    expect(conn.txStatus).toBe("I");
  });

  test("of a prepare leaves no statement behind", async () => {
    const conn = await connect({ statementMode: "exec" });
    for (let i = 0; i < 20; i++) {
      const abort = new AbortController();
      const preparing = conn.prepare("SELECT 1", { signal: abort.signal });
      await Promise.resolve();
      abort.abort("never mind");
      expect(await errorOf(preparing)).toBe("never mind");
    }
    await conn.ping();
    expect(await rowsOf(conn, "SELECT name FROM pg_prepared_statements")).toEqual([]);
  });

  test("is listened to no longer than the statement runs", async () => {
    const conn = await connect();
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    await conn.query("SELECT 1", [], { signal });
    await conn.query("SELECT 1 / 0", [], { signal }).catch(() => {});
    const rows = await conn.stream("SELECT 1", [], { signal });
    await rows.close();
    expect(listeners).toBe(0);
  });
});

describe("a call that waits for an aborted one to settle", () => {
  const one = [{ sql: "SELECT 1" }];
  const calls: readonly (readonly [string, (conn: PgConnection) => Promise<unknown>])[] = [
    ["a query", (conn) => conn.query("SELECT 1", [])],
    ["a batch", (conn) => conn.pipeline(one)],
    ["a batch of transactions", (conn) => conn.pipelineSettled(one)],
    ["a copy in", (conn) => conn.copyIn("COPY nothing FROM STDIN", [])],
    [
      "a copy out",
      (conn) => conn.copyOut("COPY (SELECT 1) TO STDOUT")[Symbol.asyncIterator]().next(),
    ],
  ];

  test.each(calls)("is told when the connection goes meanwhile: %s", async (_what, call) => {
    const [conn, observer] = await Promise.all([connect(), connect()]);
    const abort = new AbortController();
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", [], { signal: abort.signal }));
    await untilBusy(observer, conn.processId);
    abort.abort("enough");
    const error = errorOf(call(conn));
    await conn.close();
    expect(await error).toBeInstanceOf(BadConnError);
    expect(await sleeping).toBe("enough");
  });
});

test("statements written just after a loss are told that they were not sent", async () => {
  const conn = await connect();
  const outcomes = conn.pipelineSettled([{ sql: "SELECT 1" }, { sql: "SELECT 2" }]);
  channelOf(conn).lose(new Error("gone"));
  for (const outcome of await outcomes) {
    expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(BadConnError);
  }
});

describe("a connection whose backend is killed", () => {
  async function kill(observer: PgConnection, victim: PgConnection): Promise<void> {
    await observer.query("SELECT pg_terminate_backend($1::int)", [victim.processId]);
  }

  test("while idle is known to be lost at once, with the server's reason", async () => {
    const { conn, lost } = await openSession();
    const observer = await connect();
    await kill(observer, conn);
    const reason = await lost;
    expect(isPgError(reason) && reason.code).toBe("57P01");
    expect(conn.isValid()).toBe(false);
    expect(await errorOf(conn.query("SELECT 1", []))).toBeInstanceOf(BadConnError);
    expect(await errorOf(conn.resetSession() ?? Promise.resolve())).toBeInstanceOf(BadConnError);
  });

  test("in the middle of a statement says that its outcome is not known", async () => {
    const { conn, lost } = await openSession();
    const observer = await connect();
    const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", []));
    await untilBusy(observer, conn.processId);
    await kill(observer, conn);
    const error = await sleeping;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect([codeIn(error), codeIn((error as Error).cause)]).toEqual(["CONNECTION_LOST", "57P01"]);
    expect(codeIn(await lost)).toBe("57P01");
  });

  test("in the middle of a stream fails the stream", async () => {
    const conn = await connect();
    const observer = await connect();
    const rows = await conn.stream("SELECT i FROM generate_series(1, 100000) i", []);
    await rows.next();
    await kill(observer, conn);
    const read = async () => {
      while ((await rows.next()) !== undefined);
    };
    expect(await errorOf(read())).toBeInstanceOf(ConnectionLostError);
    await rows.close();
  });

  test("during commit leaves the outcome unknown", async () => {
    const conn = await connect();
    const observer = await connect();
    await conn.query(
      `CREATE TEMP TABLE slow (i int);
       CREATE FUNCTION pg_temp.wait() RETURNS trigger LANGUAGE plpgsql
         AS 'BEGIN PERFORM pg_sleep(3600); RETURN NULL; END';
       CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION pg_temp.wait()`,
      [],
    );
    await conn.begin({});
    await conn.query("INSERT INTO slow VALUES (1)", []);
    const commit = errorOf(conn.commit());
    await untilBusy(observer, conn.processId);
    await kill(observer, conn);
    const error = await commit;
    expect(codeIn(error)).toBe("OUTCOME_UNKNOWN");
    expect((error as Error).cause).toBeInstanceOf(ConnectionLostError);
  });
});

test("close in the middle of a statement stops it on the server, and is no loss", async () => {
  const { conn, lost } = await openSession();
  const observer = await connect();
  const sleeping = errorOf(conn.query("SELECT pg_sleep(3600)", []));
  await untilBusy(observer, conn.processId);
  await conn.close();
  await eventually(observer, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", [
    conn.processId,
  ]);
  expect(await sleeping).toBeInstanceOf(ConnectionLostError);
  expect(await Promise.race([lost, Promise.resolve("not told")])).toBe("not told");
});
