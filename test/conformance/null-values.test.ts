import { expect, expectTypeOf, test } from "vitest";
import { RowShape } from "../../packages/forebay/src/postgres/wire/row-shape.ts";
import { scan, type Scanner } from "../../packages/forebay/src/sql/scan.ts";
import { sqlBench } from "./support.ts";

const MISMATCH = "VALUE_MISMATCH";
const RANGE = "VALUE_OUT_OF_RANGE";

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("expected a throw");
}

const SCANNERS: Readonly<Record<string, Scanner<unknown>>> = {
  int: scan.int,
  number: scan.number,
  bigint: scan.bigint,
  text: scan.text,
  boolean: scan.boolean,
  date: scan.date,
  bytes: scan.bytes,
};

/**
 * Sends each value, and NULL, and reads it again: by a scanner that takes no NULL, and by one that
 * does. Nothing is taken for NULL but NULL, the zero value least of all.
 */
async function expectRoundTrip<T>(scanner: Scanner<T>, values: readonly T[]): Promise<void> {
  const { db, database, leased, done } = sqlBench();
  database.answer = (_sql, args) => ({ rows: [{ value: args[0] }] });
  const stmt = await db.prepare("p");
  for (const value of [...values, null]) {
    for (const row of [
      await db.queryRow("a", [value]),
      await stmt.queryRow([value]),
      ...(await db.query("a", [value])).rows,
    ]) {
      const read = value === null ? scan.nullable(scanner) : scanner;
      expect(scan(row, { value: read })).toStrictEqual({ value });
      expect(scan(row, { value: scan.nullable(scanner) })).toStrictEqual({ value });
    }
  }
  const error = thrownBy(() => scan({ value: null }, { value: scanner }));
  expect(error).toMatchObject({ code: MISMATCH });
  expect(leased()).toBe(0);
  await done();
}

test("TestNullStringParam: a string, an empty one and NULL stay what they are", async () => {
  await expectRoundTrip(scan.text, ["aqua", "black", ""]);
});

test("TestNullInt64Param: a bigint, zero and NULL stay what they are", async () => {
  await expectRoundTrip(scan.bigint, [31n, -22n, 0n, 2n ** 63n - 1n, -(2n ** 63n)]);
});

test("TestNullInt32Param: an integer of 32 bits, zero and NULL stay what they are", async () => {
  await expectRoundTrip(scan.int, [31, -22, 0, 2 ** 31 - 1, -(2 ** 31)]);
});

test("TestNullInt16Param: an integer of 16 bits, zero and NULL stay what they are", async () => {
  await expectRoundTrip(scan.int, [31, -22, 0, 2 ** 15 - 1, -(2 ** 15)]);
});

test("TestNullByteParam: an integer of 8 bits, zero and NULL stay what they are", async () => {
  await expectRoundTrip(scan.int, [31, 0, 255]);
});

test("TestNullFloat64Param: a fraction, zero, NaN and NULL stay what they are", async () => {
  await expectRoundTrip(scan.number, [31.2, -22.9, 0, -0, NaN, Infinity]);
});

test("TestNullBoolParam: true, false and NULL stay what they are", async () => {
  await expectRoundTrip(scan.boolean, [true, false]);
});

test("TestNullTimeParam: an instant, the epoch and NULL stay what they are", async () => {
  await expectRoundTrip(scan.date, [new Date("2012-03-04T05:06:07.890Z"), new Date(0)]);
});

test("TestGenericNullStringParam: any scanner may be made one that takes NULL", async () => {
  const shout: Scanner<string> = (value) => scan.text(value).toUpperCase();
  expect(scan({ a: "x", b: null }, { a: scan.nullable(shout), b: scan.nullable(shout) })).toEqual({
    a: "X",
    b: null,
  });
  expectTypeOf(scan.nullable(shout)).toEqualTypeOf<Scanner<string | null>>();
  await expectRoundTrip(scan.text, ["aqua", ""]);
});

test("TestInvalidNilValues: NULL where none may be says which column, and of what", async () => {
  const { db, database, leased, done } = sqlBench();
  database.answer = () => ({ rows: [{ age: null }] });
  const wanted = ["an int", "a number", "a bigint", "text", "a boolean", "a date", "bytes"];
  for (const [at, scanner] of Object.values(SCANNERS).entries()) {
    const row = await db.queryRow("a");
    const error = thrownBy(() => scan(row, { age: scanner }));
    expect(error).toMatchObject({ code: MISMATCH });
    expect(String(error)).toContain(`column "age": NULL is not ${wanted[at]}`);
    expect(leased()).toBe(0);
  }
  await done();
});

test("TestValidNilValues: NULL is null wherever it is read", async () => {
  const { db, database, done } = sqlBench();
  database.answer = () => ({ rows: [{ n: null }] });
  database.batches = [[{ n: null }]];
  expect(await db.queryRow("a")).toStrictEqual({ n: null });
  expect((await db.query("a")).rows).toStrictEqual([{ n: null }]);
  for await (const row of db.rows("a")) expect(row).toStrictEqual({ n: null });
  await done();
});

test("TestNullTypeScanNil: every scanner made nullable reads NULL as null", () => {
  for (const scanner of Object.values(SCANNERS)) {
    expect(scan({ n: null }, { n: scan.nullable(scanner) })).toStrictEqual({ n: null });
  }
});

test("TestNullTypeScanErrorConsistency: what cannot be read is an error, and not NULL", () => {
  for (const [name, scanner] of Object.entries(SCANNERS)) {
    const shape = { first: scan.nullable(scan.int), bad: scan.nullable(scanner) };
    const unreadable = { first: 1, bad: name === "text" ? {} : "unreadable" };
    const error = thrownBy(() => scan(unreadable, shape));
    expect(error).toMatchObject({ code: MISMATCH });
    expect(scan({ first: 2, bad: null }, shape)).toStrictEqual({ first: 2, bad: null });
  }
});

test("TestNullString: a scanner keeps nothing of the value before", () => {
  const name = scan.nullable(scan.text);
  expect([name("foo"), name(null), name(""), name("bar")]).toEqual(["foo", null, "", "bar"]);
});

test("TestNullByteSlice: NULL, no bytes and some are three things", async () => {
  const some = Buffer.from("name");
  const none = Buffer.alloc(0);
  const { db, database, done } = sqlBench();
  database.answer = (_sql, args) => ({ rows: [{ name: args[0] }] });
  for (const value of [some, none, null]) {
    const row = await db.queryRow<{ name: unknown }>("a", [value]);
    expect(row.name).toBe(value);
    expect(scan(row, { name: scan.nullable(scan.bytes) }).name).toBe(value);
  }
  await done();
});

test("TestPointerParamsAndScans: a value that may be null goes in and comes out", async () => {
  const { db, database, done } = sqlBench();
  database.answer = (_sql, args) => ({ rows: [{ name: args[0] }] });
  const twice = scan.nullable(scan.nullable(scan.text));
  for (const name of ["bob", null] as const) {
    const row = await db.queryRow("a", [name]);
    expect(scan(row, { name: twice })).toStrictEqual({ name });
  }
  await done();
});

test("TestTypedString: a type of one's own is read by a scanner of one's own", async () => {
  type Color = string & { readonly __color: true };
  const color: Scanner<Color> = (value) => scan.text(value) as Color;
  const { db, database, done } = sqlBench();
  database.answer = () => ({ rows: [{ color: "aqua" }] });
  const read = scan(await db.queryRow("a"), { color });
  expect(read).toEqual({ color: "aqua" });
  expectTypeOf(read).toEqualTypeOf<{ color: Color }>();
  expect(thrownBy(() => scan({ color: null }, { color }))).toMatchObject({ code: MISMATCH });
  await done();
});

test("TestUserDefinedBytes: bytes in a class of one's own are the row's alone", () => {
  class Mine extends Uint8Array {}
  const chunk = Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 4]), Buffer.from("data")]);
  const field = { tableOid: 0, columnNumber: 0, typeOid: 17, typeSize: -1, typeModifier: -1 };
  const shape = new RowShape([{ ...field, name: "b", format: 1 }], { int8: "auto" });
  const row = shape.object(chunk, 0, chunk.length);
  const { b } = scan(row, { b: (value) => new Mine(scan.bytes(value)) });
  chunk.fill(0);
  expect(b).toBeInstanceOf(Mine);
  expect(Buffer.from(b).toString()).toBe("data");
  b.fill(0);
  expect(Buffer.from(scan.bytes(row["b"])).toString()).toBe("data");
});

test("TestConversions: every conversion keeps the value whole", () => {
  const table = [
    ["text", "string", "string"],
    ["text", 123, "123"],
    ["text", 1.5, "1.5"],
    ["text", 2n ** 64n, "18446744073709551616"],
    ["text", true, "true"],
    ["int", "255", 255],
    ["int", "-9007199254740991", Number.MIN_SAFE_INTEGER],
    ["int", 7n, 7],
    ["bigint", "9223372036854775808", 2n ** 63n],
    ["bigint", 7, 7n],
    ["number", "1.5", 1.5],
    ["number", "1e3", 1000],
    ["number", 2n ** 60n, 2 ** 60],
    ["boolean", 1, true],
    ["boolean", 0n, false],
    ["boolean", "true", true],
    ["boolean", "f", false],
    ["date", "2024-02-29 14:00:00.250+02", new Date("2024-02-29T12:00:00.250Z")],
  ] as const;
  for (const [to, from, value] of table) expect(scan[to](from)).toEqual(value);
});

test("TestConversions/refused: what would lose something, or is another kind, is refused", () => {
  const table = [
    ["int", "9007199254740992", RANGE],
    ["int", 2 ** 53, RANGE],
    ["int", 1.5, MISMATCH],
    ["int", "foo", MISMATCH],
    ["int", true, MISMATCH],
    ["bigint", 2 ** 53, RANGE],
    ["bigint", "1.0", MISMATCH],
    ["number", "12345678901234567890.123", RANGE],
    ["number", "1e400", RANGE],
    ["number", "", MISMATCH],
    ["boolean", 2, MISMATCH],
    ["boolean", "yup", MISMATCH],
    ["text", {}, MISMATCH],
    ["text", new Date(0), MISMATCH],
    ["date", "2024-02-29", MISMATCH],
    ["date", "2024-02-30 12:00:00Z", MISMATCH],
    ["date", "2024-02-29 12:00:00.123456Z", RANGE],
    ["bytes", "text", MISMATCH],
  ] as const;
  for (const [to, from, code] of table) {
    expect(thrownBy(() => scan({ v: from }, { v: scan[to] }))).toMatchObject({ code });
  }
});
