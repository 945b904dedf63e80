// The PostgreSQL client keeps the contract of drivers, on a real server.

import { createServer, type Server, type Socket } from "node:net";
import { afterAll, expect, inject, test } from "vitest";
import { type PgConnection, postgres } from "../../packages/forebay/src/postgres/index.ts";
import { type DriverDialect, driverCases } from "../../packages/forebay/src/testing/index.ts";
import { rowsOf, unownedConnection } from "./wire-session.ts";

const NAME = "forebay_conformance";
const url = inject("postgresUrl");
const observer = await unownedConnection();
const silent = await silentServer();

afterAll(async () => {
  await observer.close();
  silent.close();
});

const dialect: DriverDialect<PgConnection> = {
  series: (count) => `SELECT i AS n FROM generate_series(1, ${count}) i`,
  echo: "SELECT $1::text",
  failing: "SELECT 1 / 0",
  slow: "SELECT pg_sleep(3600)",
  table: {
    create: "CREATE TABLE conformance (value text)",
    insert: "INSERT INTO conformance VALUES ($1)",
    count: "SELECT count(*) FROM conformance",
    drop: "DROP TABLE IF EXISTS conformance",
  },
  isolationLevels: ["read uncommitted", "read committed", "repeatable read", "serializable"],
  isolation: "SHOW transaction_isolation",
  readOnly: true,
  deferrable: true,
  errorsSpoilTx: true,
  failingMidway: "SELECT 1 / (400 - i) FROM generate_series(1, 1000) i",
  several: (statements) => statements.join("; "),
  copy: { sql: "COPY conformance FROM STDIN", data: "one\nzw\u00f6lf\nback\\\\slash\n", rows: 3 },
  kill: async (conn) => {
    await observer.query("SELECT pg_terminate_backend($1)", [conn.processId]);
  },
  openCount: async () => {
    const sql = "SELECT count(*) AS open FROM pg_stat_activity WHERE application_name = $1";
    const [row] = await rowsOf(observer, sql, [NAME]);
    return Number(row?.["open"]);
  },
  silent: postgres(`postgres://nobody@127.0.0.1:${silent.port}/postgres?sslmode=disable`, {
    env: {},
  }),
  refusing: {
    connector: postgres(url, { database: "no_such_database", env: {} }),
    mayRetry: false,
  },
};

const connector = postgres(url, { applicationName: NAME, env: {} });

/** What PostgreSQL does not have, and why there is nothing to try. */
const LACKS: ReadonlyMap<string, string> = new Map([
  [
    "looks at arguments without a change of what they say",
    "neither connection nor statement has checkArg",
  ],
  ["takes arguments by name if it says so", "the connection does not take named arguments"],
  // `PgListener` listens, on a connection that it renews.
  ["hears what others notify, until it listens no more", "the connection cannot listen"],
]);

const cases = driverCases(connector, dialect).map(({ name, run }) => [name, run] as const);

test.each(cases)("the client %s", async (name, run) => {
  expect((await run()).reason).toBe(LACKS.get(name));
});

/** A server that accepts, and never says anything. */
async function silentServer(): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.resume();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
