import { expect, test } from "vitest";
import type { DriverStmt } from "../../packages/forebay/src/driver/driver.ts";
import { named, NamedArg } from "../../packages/forebay/src/driver/args.ts";
import { Writer } from "../../packages/forebay/src/postgres/wire/proto/writer.ts";
import { writeParam } from "../../packages/forebay/src/postgres/wire/types/index.ts";
import { connOf, outcome, rejection, type SqlBench, sqlBench } from "./support.ts";

const UNFIT = { code: "ARGUMENT_INVALID", family: "usage" };

/** A `DB` whose statements give the arguments that reached the driver, in `args`. */
function echo(set: (bench: SqlBench) => void = () => undefined): SqlBench {
  const bench = sqlBench();
  bench.database.answer = (_sql, args) => ({ rows: [{ args }] });
  set(bench);
  return bench;
}

test("TestExec: an unfit argument is not sent, and a wrong number is for the driver", async () => {
  const { db, database, leased, done } = sqlBench();
  const wrongNumber = new Error("bind message supplies 1 parameters, but 2 are required");
  database.answer = (_sql, args) => {
    if (args.length !== 2) throw wrongNumber;
    return {};
  };
  const stmt = await db.prepare("INSERT INTO t VALUES ($1, $2)");
  database.log.length = 0;
  const unfit = [undefined, () => 1, Symbol("s"), new Date(NaN)];
  for (const value of unfit) {
    const error = await rejection(stmt.exec(["Brad", value]));
    expect(error).toMatchObject(UNFIT);
    expect(String(error)).toContain("argument 2: ");
  }
  expect(database.log).toEqual([]);
  for (const args of [[], ["Brad"], ["Brad", 31, 1]]) {
    expect(await rejection(stmt.exec(args))).toBe(wrongNumber);
    expect(await rejection(db.exec("a", args))).toBe(wrongNumber);
  }
  expect(await stmt.exec(["Brad", 31])).toMatchObject({ rowsAffected: 1 });
  expect(leased()).toBe(0);
  await done();
});

test("TestQueryNamedArg: a named argument reaches a driver that takes it", async () => {
  const { db, done } = echo(({ database }) => {
    database.takesNamedArgs = true;
  });
  const args = [named("id", 7), "plain", named("name", null)];
  expect(await db.queryRow("a", args)).toEqual({ args });
  for (const name of ["", "1st", "@id", "_id"]) {
    expect(() => named(name, 1)).toThrow("[ARGUMENT_INVALID]");
  }
  await done();
  const positional = echo();
  const error = await rejection(positional.db.query("a", [named("id", 7)]));
  expect(error).toMatchObject(UNFIT);
  expect(positional.database.calls).toEqual([]);
  await positional.done();
});

test("TestNamedValueChecker: a driver may convert and refuse, and the count stays", async () => {
  const tooLarge = new RangeError("too large");
  const { db, done } = echo(({ database }) => {
    database.takesNamedArgs = true;
    database.checkArg = (value, index) => {
      if (value === 1000) throw tooLarge;
      return typeof value === "object" && value !== null ? `object ${index}` : undefined;
    };
  });
  const sent = { args: [1, "object 1", new NamedArg("o1", "object 2")] };
  expect(await db.queryRow("a", [1, { x: 1 }, named("o1", { y: 1 })])).toEqual(sent);
  const error = await rejection(db.query("a", [1, named("o1", 1000)]));
  expect(error).toMatchObject({ ...UNFIT, cause: tooLarge });
  expect(String(error)).toContain("argument 2: too large");
  await done();
});

test("TestNamedValueCheckerSkip: without an opinion the ordinary check decides", async () => {
  const asked: unknown[] = [];
  const { db, database, done } = echo(({ database }) => {
    database.checkArg = (value) => {
      asked.push(value);
      return value === "mine" ? "converted" : undefined;
    };
  });
  expect(await db.queryRow("a", ["mine", "other", null])).toEqual({
    args: ["converted", "other", null],
  });
  expect(await rejection(db.query("a", [undefined]))).toMatchObject(UNFIT);
  expect(asked).toEqual(["mine", "other", null, undefined]);
  expect(database.calls).toEqual(["query a"]);
  await done();
});

test("TestColumnConverterWithUnknownInputCount: it is asked for each there is", async () => {
  const { db, database, done } = echo();
  await db.ping();
  const driver = connOf(database, 1);
  const { prepare } = driver;
  driver.prepare = async (sql, options) => {
    const stmt: DriverStmt = await prepare.call(driver, sql, options);
    return Object.assign(stmt, { checkArg: (value: unknown, index: number) => [value, index] });
  };
  const stmt = await db.prepare("p");
  for (const args of [[], ["a"], ["a", "b", "c"]]) {
    const converted = args.map((value, index) => [value, index]);
    expect(await stmt.queryRow(args)).toEqual({ args: converted });
  }
  await done();
});

test("TestDriverArgsWrapsErrors: what a converter throws is the cause, untouched", async () => {
  const mistake = new TypeError("no such currency");
  const { db, database, leased, done } = echo(({ database }) => {
    database.checkArg = () => {
      throw mistake;
    };
  });
  const calls = [
    () => db.query("a", [1]),
    () => db.exec("a", [1]),
    () => db.rows("a", [1]).next(),
    async () => (await db.prepare("p")).query([1]),
    () => db.transaction((tx) => tx.query("a", [1])),
  ];
  for (const call of calls) {
    expect(await rejection(call())).toMatchObject({ ...UNFIT, cause: mistake });
  }
  expect(database.calls.some((call) => call.includes("query"))).toBe(false);
  expect(leased()).toBe(0);
  await done();
});

test("TestDriverArgs: arguments reach the driver as they are, and in the same array", async () => {
  const { db, done } = echo();
  const values = [null, "", 0, NaN, 2 ** 60, 5n, false, new Date(0), new Uint8Array(2), { a: 1 }];
  const row = await db.queryRow<{ args: unknown[] }>("a", values);
  expect(row.args).toBe(values);
  const stmt = await db.prepare("p");
  expect((await stmt.queryRow<{ args: unknown[] }>(values)).args).toBe(values);
  expect((await db.queryRow<{ args: unknown[] }>("a")).args).toEqual([]);
  const notAnArray = "abc" as unknown as unknown[];
  expect(await rejection(db.query("a", notAnArray))).toMatchObject(UNFIT);
  await done();
});

const OID = { bool: 16, bytea: 17, int8: 20, int2: 21, int4: 23, text: 25, timestamptz: 1184 };

/** What the PostgreSQL driver sends for a value, without its length; throws if it refuses. */
function sent(value: unknown, type: keyof typeof OID): string {
  const writer = new Writer();
  writeParam(writer, value, OID[type]);
  return writer.take().subarray(4).toString("hex");
}

test("TestValueConverters: the driver's converters keep a value whole, or refuse it", () => {
  const kept = [
    [true, "bool", "01"],
    [false, "bool", "00"],
    [-1, "int4", "ffffffff"],
    [2 ** 31 - 1, "int4", "7fffffff"],
    [2n ** 63n - 1n, "int8", "7fffffffffffffff"],
    ["text", "text", "74657874"],
    [Buffer.from([7]), "bytea", "07"],
  ] as const;
  for (const [value, type, hex] of kept) expect(sent(value, type)).toBe(hex);
  const refused = [
    [2 ** 31, "int4"],
    [1.5, "int4"],
    [2 ** 15, "int2"],
    [2n ** 63n, "int8"],
    [2 ** 53, "int8"],
    ["a\0b", "text"],
  ] as const;
  for (const [value, type] of refused) {
    expect(() => sent(value, type)).toThrow("[ARGUMENT_INVALID]");
  }
});

test("TestDecimal: a decimal goes in and comes out as its digits", async () => {
  const { db, database, done } = echo();
  const digits = "12345678901234567890.1234567890";
  expect(await db.queryRow("a", [digits])).toEqual({ args: [digits] });
  database.answer = () => ({ rows: [{ sum: digits }] });
  expect((await db.queryRow<{ sum: string }>("a")).sum).toBe(digits);
  await done();
});

test("closemu_test.go: a close waits for the read in flight and locks none out", async () => {
  const { db, database, leased, done } = sqlBench();
  const rows = db.rows("a");
  const hang = database.hangNext("next");
  const reading = outcome(rows.next());
  await hang.reached;
  const closing = [rows.close(), rows.close()];
  const later = [outcome(rows.next()), outcome(rows.next())];
  expect(leased()).toBe(1);
  hang.release();
  await Promise.all(closing);
  for (const each of [reading, ...later]) {
    expect(await each).toMatchObject({ error: { code: "ROWS_CLOSED" } });
  }
  expect(leased()).toBe(0);
  await done();
});
