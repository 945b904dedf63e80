// Hearing notifications on a real server, through the loss of connections and of the server.

import { afterEach, expect, inject, test } from "vitest";
import { startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";
import {
  listen,
  Listener,
  type ListenerOptions,
  type ListenGap,
  type Notification,
  notify,
  postgres,
} from "../../packages/forebay/src/postgres/index.ts";
import { openDB } from "../../packages/forebay/src/sql/db.ts";
import { connect, errorOf, eventually } from "./wire-session.ts";

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

const NAME = "the listener of a test";

function connector(applicationName?: string) {
  return postgres(inject("postgresUrl"), { env: {}, applicationName });
}

function listener(options?: ListenerOptions): Listener {
  const made = new Listener(connector(NAME), options);
  open.push(made);
  return made;
}

function database() {
  const db = openDB(connector());
  open.push(db);
  return db;
}

/** What was heard, and a way to wait for it. */
function ear() {
  const heard: string[] = [];
  let wake = (): void => undefined;
  return {
    heard,
    hear: (payload: string, { channel }: Notification) => {
      heard.push(`${channel}: ${payload}`);
      wake();
    },
    until: async (what: string) => {
      while (!heard.includes(what)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

/** A promise, and what resolves it. */
function event<T>() {
  let happen: (value: T) => void = () => undefined;
  const happened = new Promise<T>((resolve) => {
    happen = resolve;
  });
  return { happened, happen };
}

const GONE = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = $1";

test("what is notified is heard, by its exact name, on one connection for all", async () => {
  const { heard, hear, until } = ear();
  const on = listener();
  const db = database();
  const odd = 'Jobs; "of" é';
  await on.listen(odd, hear);
  await on.listen("jobs", hear);
  await notify(db, odd, "1");
  await notify(db, "Jobs", "nobody hears this");
  await db.transaction(async (tx) => {
    await notify(tx, "jobs", "2");
    await notify(tx, "jobs");
  });
  await db.exec("NOTIFY jobs, 'end'");
  await until("jobs: end");
  expect(heard).toEqual([`${odd}: 1`, "jobs: 2", "jobs: ", "jobs: end"]);
  const observer = await connect();
  const sql = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1";
  expect((await observer.query(sql, [NAME])).rows).toEqual([{ n: 1 }]);
  await on.close();
  await eventually(observer, GONE, [NAME]);
});

test("a payload may have 7999 bytes, and no more", async () => {
  const { hear, until } = ear();
  const db = database();
  await listener().listen("jobs", hear);
  const longest = "é".repeat(3999) + "x";
  await notify(db, "jobs", longest);
  await until(`jobs: ${longest}`);
  for (const payload of [`${longest}x`, "a\0b"]) {
    expect(await errorOf(notify(db, "jobs", payload))).toMatchObject({ code: "ARGUMENT_INVALID" });
  }
  expect(await errorOf(notify(db, "x".repeat(64)))).toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("a connection that is terminated is replaced, and what comes then is heard", async () => {
  const { heard, hear, until } = ear();
  const gaps: ListenGap[] = [];
  const { happened, happen } = event<void>();
  const on = listener({
    onReconnect: (gap) => {
      gaps.push(gap);
      happen();
    },
  });
  const db = database();
  await on.listen("jobs", hear);
  await on.listen("news", hear);
  await notify(db, "jobs", "before");
  await until("jobs: before");
  await db.exec(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
    [NAME],
  );
  await happened;
  await notify(db, "news", "after");
  await notify(db, "jobs", "after");
  await until("jobs: after");
  expect(heard).toEqual(["jobs: before", "news: after", "jobs: after"]);
  expect(gaps).toEqual([
    { gapMs: expect.any(Number) as number, reason: expect.objectContaining({ code: "57P01" }) },
  ]);
});

test("a heartbeat on a real connection keeps it", async () => {
  const { hear, until } = ear();
  const gaps: ListenGap[] = [];
  const on = listener({ heartbeatMs: 5, onReconnect: (gap) => gaps.push(gap) });
  const db = database();
  await on.listen("jobs", hear);
  await db.exec("SELECT pg_sleep(0.1)");
  await notify(db, "jobs", "end");
  await until("jobs: end");
  expect(gaps).toEqual([]);
});

test("a loop goes on through a restart of the server", async () => {
  let server = await startEmbedded();
  const { port } = server;
  const target = postgres({
    host: "127.0.0.1",
    port,
    user: server.user,
    database: "postgres",
    password: () => server.password,
    sslMode: "require",
    env: {},
  });
  const { happened, happen } = event<ListenGap>();
  const on = new Listener(target, { onReconnect: happen });
  try {
    const loop = on.notifications("jobs");
    const first = loop.next();
    // Of a server that is stopped nothing is heard: the loop listens before.
    const admin = openDB(target, { maxOpenConns: 1 });
    const listens = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    while ((await admin.queryRow(listens))["n"] === 0) await admin.exec("SELECT pg_sleep(0.01)");
    await admin.close();
    await server.stop();
    expect(on.state).not.toBe("closed");
    server = await startEmbedded({}, () => Promise.resolve(port));
    await happened;
    const db = openDB(target, { maxOpenConns: 1 });
    await notify(db, "jobs", "after the restart");
    await db.close();
    expect((await first).value).toMatchObject({ payload: "after the restart" });
    await loop.return();
  } finally {
    await on.close();
    await server.stop();
  }
});

test("listen takes a DB, listens beside its pool, and fails for good reasons", async () => {
  const db = database();
  const { hear, until } = ear();
  const on = await listen(db, "jobs", hear);
  open.push(on);
  expect(db.stats().openConnections).toBe(0);
  await notify(db, "jobs", "1");
  await until("jobs: 1");
  const wrong = postgres(inject("postgresUrl"), { env: {}, database: "there_is_none" });
  expect(await errorOf(listen(wrong, "jobs", hear))).toMatchObject({ code: "3D000" });
});

test("many channels, given up and taken again at any moment, are heard in the end", async () => {
  const { hear, until } = ear();
  const on = listener();
  const db = database();
  const names = Array.from({ length: 20 }, (_, i) => `channel ${i}`);
  for (let round = 0; round < 5; round++) {
    const listening = names.map((name) => on.listen(name, hear).catch(() => undefined));
    for (const name of names.slice(round * 3, round * 3 + 4)) on.unlisten(name);
    await Promise.all(listening);
  }
  for (const name of names) {
    on.unlisten(name);
    await on.listen(name, hear);
    await notify(db, name, "end");
  }
  for (const name of names) await until(`${name}: end`);
});
