import { expect, test } from "vitest";
import { NamedArg, named } from "../../../packages/forebay/src/driver/args.ts";
import { FakeDatabase } from "../../../packages/forebay/src/testing/fake-database.ts";
import { openDB } from "../../../packages/forebay/src/sql/db.ts";
import { rejection, sqlBench } from "../../support/fake-database.ts";

const UNFIT: readonly (readonly [string, unknown, string])[] = [
  ["undefined", undefined, "use null"],
  ["a function", () => 1, "a function cannot be sent"],
  ["a symbol", Symbol("s"), "a symbol cannot be sent"],
  ["an invalid Date", new Date(NaN), "an invalid Date"],
];

test.each(UNFIT)("%s is refused by its number, and nothing is sent", async (_what, value, why) => {
  const { db, database, leased, done } = sqlBench();
  const stmt = await db.prepare("p");
  database.log.length = 0;
  const args = [1, value];
  for (const call of [
    () => db.query("a", args),
    () => db.queryRow("a", args),
    () => db.exec("a", args),
    () => db.rows("a", args).next(),
    () => stmt.query(args),
    () => stmt.queryRow(args),
    () => stmt.exec(args),
    () => stmt.rows(args).next(),
    () => db.withConn((conn) => conn.query("a", args)),
  ]) {
    const error = await rejection(call());
    expect(error).toMatchObject({ code: "ARGUMENT_INVALID", family: "usage" });
    expect(String(error)).toContain(`argument 2: `);
    expect(String(error)).toContain(why);
  }
  expect(database.log).toEqual([]);
  expect(leased()).toBe(0);
  await done();
});

test("an unfit argument leaves a transaction as it was", async () => {
  const { db, database, done } = sqlBench();
  await db.transaction(async (tx) => {
    expect(await rejection(tx.query("a", [undefined]))).toMatchObject({ code: "ARGUMENT_INVALID" });
    await tx.query("b", [null]);
  });
  expect(database.calls).toEqual(["begin", "query b", "commit"]);
  await done();
});

test("every other value reaches the driver as it is, and so does the array", async () => {
  const { db, database, done } = sqlBench();
  const args = [null, "", 0, NaN, 2 ** 60, 5n, true, new Date(0), new Uint8Array(1), { a: 1 }, [1]];
  let seen: unknown;
  database.answer = (_sql, got) => {
    seen = got;
    return {};
  };
  await db.query("a", args);
  expect(seen).toBe(args);
  await done();
});

test("arguments that are no array are refused", async () => {
  const { db, done } = sqlBench();
  const error = await rejection(db.query("a", "abc" as unknown as unknown[]));
  expect(String(error)).toContain("must be an array");
  await done();
});

test("a hole in the arguments is refused as undefined is", async () => {
  const { db, done } = sqlBench();
  // oxlint-disable-next-line no-sparse-arrays
  const error = await rejection(db.query("a", [1, , 3]));
  expect(String(error)).toContain("argument 2: it is undefined");
  await done();
});

test("a driver without named arguments refuses one, and says what to do", async () => {
  const { db, database, done } = sqlBench();
  const error = await rejection(db.query("a", [named("id", 7)]));
  expect(error).toMatchObject({ code: "ARGUMENT_INVALID" });
  expect(String(error)).toContain("argument 1: it has a name");
  expect(String(error)).toContain("namedArgs");
  expect(database.calls).toEqual([]);
  await done();
});

test("a driver that takes named arguments gets them, and their values are looked at", async () => {
  const database = new FakeDatabase();
  database.takesNamedArgs = true;
  database.answer = (_sql, args) => ({ rows: [{ args }] });
  const db = openDB(database);
  const args = [named("id", 7), "plain"];
  expect(await db.queryRow("a", args)).toEqual({ args });
  const error = await rejection(db.query("a", [named("id", undefined)]));
  expect(String(error)).toContain("argument 1: it is undefined");
  await db.close();
});

test.each(["", "1st", "@id", ":id", "_id", " id"])("the name %j is refused", (name) => {
  expect(() => named(name, 1)).toThrow("[ARGUMENT_INVALID]");
});

test("a name may begin with any letter", () => {
  expect(named("épée1", 1)).toMatchObject({ name: "épée1", value: 1 });
});

test("a driver may convert an argument, refuse it, or leave it to the ordinary check", async () => {
  const database = new FakeDatabase();
  database.takesNamedArgs = true;
  const mistake = new RangeError("too large");
  database.checkArg = (value, index) => {
    if (value === "convert") return `converted ${index}`;
    if (value === "null") return null;
    if (typeof value === "symbol") return "a symbol, for once";
    if (value === 1000) throw mistake;
    return undefined;
  };
  database.answer = (_sql, args) => ({ rows: [{ args }] });
  const db = openDB(database);
  const args = ["as it is", "convert", "null", Symbol("s"), named("n", "convert")];
  expect(await db.queryRow("a", args)).toEqual({
    args: ["as it is", "converted 1", null, "a symbol, for once", new NamedArg("n", "converted 4")],
  });
  const refused = await rejection(db.query("a", [1, 1000]));
  expect(refused).toMatchObject({ code: "ARGUMENT_INVALID", cause: mistake });
  expect(String(refused)).toContain("argument 2: too large");
  expect(await rejection(db.query("a", [undefined]))).toMatchObject({ code: "ARGUMENT_INVALID" });
  await db.close();
});

test("the check of a statement goes before that of its connection", async () => {
  const { db, database, done } = sqlBench();
  database.checkArg = (value) => `${String(value)} by the connection`;
  database.answer = (_sql, args) => ({ rows: [{ args }] });
  const conn = await db.conn();
  const stmt = await conn.prepare("p");
  expect(await stmt.queryRow([1])).toEqual({ args: ["1 by the connection"] });
  await conn.raw((driver) => {
    const prepare = driver.prepare.bind(driver);
    driver.prepare = async (...of) =>
      Object.assign(await prepare(...of), {
        checkArg: (value: unknown) => (value === 2 ? undefined : `${String(value)} by it`),
      });
  });
  const other = await conn.prepare("q");
  expect(await other.queryRow([1, 2])).toEqual({ args: ["1 by it", "2 by the connection"] });
  await conn.close();
  await done();
});

test("the key that was made is in the result of a driver that tells it", async () => {
  const { db, database, done } = sqlBench();
  database.answer = () => ({ lastInsertId: 7n });
  expect(await db.exec("a")).toStrictEqual({
    rowsAffected: 1,
    command: "SELECT",
    lastInsertId: 7n,
  });
  expect((await db.query("a")).lastInsertId).toBe(7n);
  database.answer = () => ({});
  expect(await db.exec("a")).toStrictEqual({ rowsAffected: 1, command: "SELECT" });
  await done();
});
