// A parameter reaches the server as the value that it is, whether or not its type is known by then,
// and comes back the same in text and in binary.

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  json,
  PgBox,
  PgPoint,
  Range,
} from "../../packages/forebay/src/postgres/wire/types/index.ts";
import { openTypesSession, type TypesSession } from "./types-session.ts";

let session: TypesSession;

beforeAll(async () => {
  session = await openTypesSession();
});

afterAll(async () => {
  await session.close();
});

/**
 * What comes back for one parameter: its type not known and the result in text, then known and in
 * binary.
 */
async function bothWays(type: string, value: unknown): Promise<[loose: unknown, known: unknown]> {
  const sql = `SELECT $1::${type}`;
  const [[loose] = []] = await session.rows(sql, [value]);
  const [[known] = []] = await session.prepared(sql, [value]);
  return [loose, known];
}

const text = fc.string({ unit: "binary" }).filter((s) => !s.includes("\0"));
const finite = fc.double({ noDefaultInfinity: true, noNaN: true });
const wholeDay = fc
  .date({ min: new Date("-004712-01-01T00:00:00Z"), max: new Date(8.64e15), noInvalidDate: true })
  .map((date) => new Date(Math.floor(date.getTime() / 86_400_000) * 86_400_000));
const instant = fc.date({ min: new Date("-004712-01-01T00:00:00Z"), noInvalidDate: true });
/** What JSON can say, but for NUL, which jsonb cannot. */
const jsonObject = fc
  .dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ stringUnit: "grapheme" }))
  .map((value) => JSON.stringify(value))
  .filter((serialised) => !serialised.includes("\\u0000"))
  .map((serialised): unknown => JSON.parse(serialised));

/** JavaScript values that a type takes and gives back as they are. */
const SAME: Record<string, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  int2: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
  int4: fc.integer(),
  int8: fc.oneof(
    fc.maxSafeInteger(),
    fc
      .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n)),
  ),
  oid: fc.nat().map((n) => n * 2),
  float4: fc.integer({ min: -999_999, max: 999_999 }).map((n) => n / 1000),
  float8: fc.double(),
  text,
  varchar: text,
  bytea: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  uuid: fc.uuid(),
  timestamptz: fc.oneof(instant, fc.constantFrom(Infinity, -Infinity)),
  jsonb: jsonObject,
  json: jsonObject,
};

const AT = (n: number) => ({ x: n, y: n });

/** JavaScript values that a type takes, and the other value that it gives back. */
const CHANGED: [type: string, value: unknown, result: unknown][] = [
  ["int4", "42", 42],
  ["int4", 42n, 42],
  ["int4", -0, 0],
  ["int8", "9007199254740993", 9007199254740993n],
  ["bool", 1, true],
  ["bool", "off", false],
  ["float8", 2n ** 60n, 2 ** 60],
  ["float8", 2 ** 70, 2 ** 70],
  ["float4", 16_777_217, 16_777_216],
  ["numeric", 2 ** 60, "1152921504606847000"],
  ["numeric", 10n ** 30n, `1${"0".repeat(30)}`],
  ["numeric", "1.500", "1.500"],
  ["numeric", 1e-7, "0.0000001"],
  ["numeric", NaN, "NaN"],
  ["numeric", -Infinity, "-Infinity"],
  ["text", 5, "5"],
  ["text", true, "true"],
  ["text", new Date(0), "1970-01-01T00:00:00.000Z"],
  ["text", { a: 1 }, '{"a":1}'],
  ["name", "x".repeat(100), "x".repeat(63)],
  ['"char"', "x", "x"],
  [
    "uuid",
    Buffer.from("a0eebc999c0b4ef8bb6d6bb9bd380a11", "hex"),
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
  ],
  ["bytea", "\\x0102", Buffer.from([1, 2])],
  ["date", new Date("2024-02-29T23:59:59.999Z"), "2024-02-29"],
  ["date", new Date("-000043-03-15T23:00:00Z"), "0044-03-15 BC"],
  ["date", "2024-02-29", "2024-02-29"],
  ["date", Infinity, "infinity"],
  ["timestamp", new Date("2024-02-29T23:59:59.999Z"), "2024-02-29 23:59:59.999"],
  ["timestamp", -Infinity, "-infinity"],
  ["time", "24:00", "24:00:00"],
  ["timetz", "23:59:59.999-08", "23:59:59.999-08"],
  ["timestamptz", "2024-02-29 12:00:00.123456+02", new Date("2024-02-29T10:00:00.123Z")],
  ["interval", "1 day 2 hours", "1 day 02:00:00"],
  ["jsonb", '{"a": [1]}', { a: [1] }],
  ["jsonb", json("x"), "x"],
  ["jsonb", json([1, [2]]), [1, [2]]],
  ["jsonb", json(null), null],
  ["jsonb", 5, 5],
  ["jsonb", true, true],
  ["json", 2n ** 64n, 2 ** 64],
  ["jsonb[]", [{ a: 1 }, json([1]), "2", null], [{ a: 1 }, [1], 2, null]],
  ["int4[]", "{1,NULL}", [1, null]],
  ["int4[]", [1, "2", null], [1, 2, null]],
  ["int4[]", [], []],
  ["text[]", [1, "b", new Date(0)], ["1", "b", "1970-01-01T00:00:00.000Z"]],
  ["numeric[]", [1.5, 2n, "3.0"], ["1.5", "2", "3.0"]],
  ["timestamptz[]", ["infinity", new Date(0)], [Infinity, new Date(0)]],
  ["date[]", [new Date(0), null], ["1970-01-01", null]],
  ["bytea[]", [Buffer.from("a\\"), null], [Buffer.from("a\\"), null]],
  ["int4range", "[1,5)", new Range(1, 5)],
  ["int4range", new Range(1, 5, "[]"), new Range(1, 6)],
  ["tstzrange", new Range(new Date(0), null, "()"), new Range(new Date(0), null, "()")],
  ["box[]", "{(1,1),(0,0);(2,2),(0,0)}", [new PgBox(AT(1), AT(0)), new PgBox(AT(2), AT(0))]],
  ["point[]", ["(1,2)", new PgPoint(3, -0), null], [new PgPoint(1, 2), new PgPoint(3, -0), null]],
  ["inet", "10.0.0.1/8", "10.0.0.1/8"],
];

describe("a parameter", () => {
  it.each(Object.keys(SAME))("of type %s comes back as it went", async (type) => {
    const property = fc.asyncProperty(SAME[type] ?? fc.constant(null), async (value) => {
      const [loose, known] = await bothWays(type, value);
      expect(loose).toEqual(value);
      expect(known).toEqual(value);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it.each(Object.keys(SAME))("of type %s[] comes back as it went, NULLs and all", async (type) => {
    const element = fc.option(SAME[type] ?? fc.constant(null));
    const flat = fc.array(element, { maxLength: 8 });
    const square = fc.tuple(element, element, element, element).map(([a, b, c, d]) => [
      [a, b],
      [c, d],
    ]);
    const property = fc.asyncProperty(fc.oneof(flat, square), async (value) => {
      const [loose, known] = await bothWays(`${type}[]`, value);
      expect(loose).toEqual(value);
      expect(known).toEqual(value);
    });
    await fc.assert(property, { numRuns: 40 });
  });

  it.each(CHANGED)("for %s may be another kind of value: %s", async (type, value, result) => {
    const [loose, known] = await bothWays(type, value);
    expect(loose).toStrictEqual(result);
    expect(known).toStrictEqual(result);
  });

  it("that is a Date is the same instant, day and reading of the clock in any zone", async () => {
    const property = fc.asyncProperty(
      wholeDay,
      fc.constantFrom("America/New_York", "Asia/Kolkata", "UTC"),
      async (day, zone) => {
        await session.rows(`SET timezone = '${zone}'`);
        const [dateLoose, dateKnown] = await bothWays("date", day);
        const [stampLoose, stampKnown] = await bothWays("timestamp", day);
        const [instantLoose, instantKnown] = await bothWays("timestamptz", day);
        expect(dateKnown).toBe(dateLoose);
        expect(stampLoose).toBe(String(dateLoose).replace(/^([\d-]+)/, "$1 00:00:00"));
        expect(stampKnown).toBe(stampLoose);
        expect([instantLoose, instantKnown]).toEqual([day, day]);
      },
    );
    try {
      await fc.assert(property, { numRuns: 60 });
    } finally {
      await session.rows("RESET timezone");
    }
  });

  it("that is a finite number is stored in numeric with the digits it shows", async () => {
    const property = fc.asyncProperty(finite, async (value) => {
      const [loose, known] = await bothWays("numeric", value);
      expect(known).toBe(loose);
      expect(Number(known)).toBe(value === 0 ? 0 : value);
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it("that an integer type would round is refused, also where the type is not known", async () => {
    for (const [type, value] of [
      ["int4", 1.5],
      ["int4", 2 ** 31],
      ["int8", 2 ** 60],
      ["int8", 2n ** 63n],
      ["int8", NaN],
      ["bool", 2],
    ] as const) {
      const sql = `SELECT $1::${type}`;
      await expect(session.rows(sql, [value])).rejects.toThrow(/invalid input|out of range/);
      await expect(session.prepared(sql, [value])).rejects.toThrow(/ARGUMENT_INVALID/);
    }
  });

  it("that is an empty array is taken for a JSON object where the type is not known", async () => {
    expect(await bothWays("jsonb", [])).toEqual([{}, []]);
    expect(await bothWays("jsonb", json([]))).toEqual([[], []]);
  });
});
