// PostgreSQL as a driver: by name, and what its connections can do.

import { expect, inject, test } from "vitest";
import { type CopyConn, capabilitiesOf } from "../../packages/forebay/src/driver/capabilities.ts";
import { postgresDriver } from "../../packages/forebay/src/postgres/index.ts";
import { drivers, open, register } from "../../packages/forebay/src/sql/registry.ts";
import { connect } from "./wire-session.ts";

test("PostgreSQL can be opened by name, once somebody has registered it", async () => {
  expect(drivers()).not.toContain("postgres");
  register("postgres", postgresDriver);
  const db = open("postgres", inject("postgresUrl"), { maxOpenConns: 1 });
  expect(await db.queryRow("SELECT 1 AS one")).toEqual({ one: 1 });
  expect(db.connector.name).toMatch(/^postgres /);
  await db.close();
  expect(() => open("postgres", "postgres://localhost/db?sslmode=maybe")).toThrow(
    "[OPTION_INVALID]",
  );
});

test("a connection shows what it can do", async () => {
  const conn: CopyConn = await connect();
  expect(capabilitiesOf(conn)).toEqual(
    new Set([
      "cancel",
      "deadline",
      "loss",
      "ping",
      "reset",
      "validity",
      "copy",
      "statement-cache",
      "pipelining",
    ]),
  );
});

test("a connection knows where it goes", async () => {
  const conn = await connect();
  expect([conn.host, conn.port]).toEqual([inject("postgresHost"), inject("postgresPort")]);
});
