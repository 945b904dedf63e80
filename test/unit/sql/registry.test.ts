import { expect, test } from "vitest";
import { UsageError } from "../../../packages/forebay/src/base/errors.ts";
import type { Driver } from "../../../packages/forebay/src/driver/driver.ts";
import { drivers, open, register } from "../../../packages/forebay/src/sql/registry.ts";
import { FakeDatabase } from "../../../packages/forebay/src/testing/fake-database.ts";
import { sqlBench } from "../../support/fake-database.ts";

function fakeDriver(databases: FakeDatabase[] = []): Driver {
  return {
    openConnector: (dsn) => {
      if (dsn === "bad") throw new UsageError("OPTION_INVALID", "no such thing");
      const database = new FakeDatabase();
      databases.push(database);
      return database;
    },
  };
}

test("a driver is opened by the name it was registered by", async () => {
  const databases: FakeDatabase[] = [];
  register("by name", fakeDriver(databases));
  const db = open("by name", "good", { maxOpenConns: 1 });
  expect(databases).toHaveLength(1);
  expect(db.connector).toBe(databases[0]);
  expect(databases[0]?.conns).toEqual([]);
  await db.ping();
  expect(db.stats().maxOpenConnections).toBe(1);
  await db.close();
});

test("the names are sorted", () => {
  register("sorted b", fakeDriver());
  register("sorted a", fakeDriver());
  const names = drivers().filter((name) => name.startsWith("sorted"));
  expect(names).toEqual(["sorted a", "sorted b"]);
});

test("a connection string that the driver does not understand is reported at once", () => {
  register("strict", fakeDriver());
  expect(() => open("strict", "bad")).toThrow("[OPTION_INVALID]");
});

test("a name that nobody has registered is refused with what to import", () => {
  const call = () => open("nobody", "");
  expect(call).toThrow("[ARGUMENT_INVALID]");
  expect(call).toThrow('import { postgresDriver } from "forebay/postgres"');
});

test("an empty name, a name taken and what is no driver are refused", () => {
  register("taken", fakeDriver());
  expect(() => register("taken", fakeDriver())).toThrow("already; register each");
  expect(() => register("", fakeDriver())).toThrow("[ARGUMENT_INVALID]");
  for (const bad of [undefined, null, {}, { openConnector: 1 }]) {
    expect(() => register("bad", bad as unknown as Driver)).toThrow("it has no openConnector");
  }
  expect(drivers()).not.toContain("bad");
});

test("a DB shows the connector that it was opened over", async () => {
  const { db, database, done } = sqlBench();
  expect(db.connector).toBe(database);
  await done();
});
