import { expect, test } from "vitest";
import { capabilitiesOf } from "../../../packages/forebay/src/driver/capabilities.ts";
import type { DriverConn } from "../../../packages/forebay/src/driver/driver.ts";
import { FakeDatabase } from "../../../packages/forebay/src/testing/fake-database.ts";

test("capabilities are shown by members, and by what the driver says", async () => {
  const database = new FakeDatabase();
  database.takesNamedArgs = true;
  const conn: DriverConn = await database.connect();
  expect(capabilitiesOf(conn)).toEqual(new Set(["ping", "reset", "validity", "named-args"]));
  const more = Object.assign(conn, {
    capabilities: ["cancel", "loss"] as const,
    checkArg: () => undefined,
    copyIn: () => undefined,
    clearStatementCache: () => undefined,
    pipeline: () => undefined,
    listen: () => undefined,
  });
  expect([...capabilitiesOf(more)].sort()).toEqual([
    "cancel",
    "check-arg",
    "copy",
    "listen",
    "loss",
    "named-args",
    "ping",
    "pipelining",
    "reset",
    "statement-cache",
    "validity",
  ]);
});

test("a connection with nothing optional has no capability", () => {
  const bare = { close: () => undefined, ping: undefined } as unknown as DriverConn;
  expect(capabilitiesOf(bare)).toEqual(new Set());
});
