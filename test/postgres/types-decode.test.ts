// Every type's text and binary format, as a live server writes them, decode to the same value.

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PG_TYPES } from "../../packages/forebay/src/postgres/wire/types/oids.ts";
import {
  decoderFor,
  typeName,
  type TypePolicy,
} from "../../packages/forebay/src/postgres/wire/types/index.ts";
import { ANY } from "./types-any.ts";
import { openTypesSession, type TypesSession } from "./types-session.ts";

const AUTO: TypePolicy = { int8: "auto" };

let session: TypesSession;

beforeAll(async () => {
  session = await openTypesSession();
});

afterAll(async () => {
  await session.close();
});

function oidOf(name: string): number {
  const type = PG_TYPES.find((type) => name === type.name || name === `${type.name}[]`);
  if (type === undefined) throw new Error(`no type ${name}`);
  return name.endsWith("[]") ? type.arrayOid : type.oid;
}

/**
 * What the server's output function writes, and its send function, decoded; one pair per SQL
 * expression.
 */
async function bothFormats(
  name: string,
  expressions: readonly string[],
  policy: TypePolicy = AUTO,
): Promise<[text: unknown, binary: unknown][]> {
  const send = name.endsWith("[]") ? "array_send" : sendFunctionOf(name);
  const cast = name === "char" || name === "char[]" ? `"char"${name.slice(4)}` : name;
  const values = expressions.map((expression) => `((${expression})::${cast})`).join(",");
  const rows = await session.rows(
    `SELECT format('%s', v), ${send}(v) FROM (VALUES ${values}) AS t (v)`,
  );
  const decodeBytes = (format: 0 | 1, bytes: Buffer): unknown =>
    decoderFor(oidOf(name), format, policy)(bytes, 0, bytes.length);
  return rows.map(([text, binary]) => [
    decodeBytes(0, Buffer.from(text as string)),
    decodeBytes(1, binary as Buffer),
  ]);
}

function sendFunctionOf(name: string): string {
  const underscored = ["date", "time", "timetz", "timestamp", "timestamptz", "json", "jsonb"];
  underscored.push("interval", "uuid", "numeric");
  return underscored.includes(name) ? `${name}_send` : `${name}send`;
}

/**
 * Values whose meaning is plain: what the server is asked for, and what must come out, in either
 * format.
 */
const EXACT: Record<string, [sql: string, value: unknown][]> = {
  bool: [
    ["true", true],
    ["false", false],
  ],
  int2: [
    ["-32768", -32768],
    ["32767", 32767],
    ["0", 0],
  ],
  int4: [
    ["-2147483648", -2147483648],
    ["2147483647", 2147483647],
  ],
  int8: [
    ["'-9223372036854775808'", -(2n ** 63n)],
    ["'9223372036854775807'", 2n ** 63n - 1n],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["-9007199254740991", Number.MIN_SAFE_INTEGER],
    ["9007199254740992", 2n ** 53n],
    ["-9007199254740992", -(2n ** 53n)],
    ["4294967296", 2 ** 32],
    ["-1", -1],
  ],
  oid: [
    ["'4294967295'", 2 ** 32 - 1],
    ["0", 0],
  ],
  float4: [
    ["'0.1'", 0.1],
    ["'-0'", -0],
    ["'NaN'", NaN],
    ["'Infinity'", Infinity],
    ["'-Infinity'", -Infinity],
    ["'3.4028235e38'", 3.4028235e38],
    ["'1e-45'", 1e-45],
    ["'16777216'", 16777216],
  ],
  float8: [
    ["'0.1'", 0.1],
    ["'-0'", -0],
    ["'NaN'", NaN],
    ["'-Infinity'", -Infinity],
    ["'1.7976931348623157e308'", Number.MAX_VALUE],
    ["'5e-324'", Number.MIN_VALUE],
  ],
  numeric: [
    ["'1.100'", "1.100"],
    ["'NaN'", "NaN"],
    ["'Infinity'", "Infinity"],
    ["'-Infinity'", "-Infinity"],
    ["'0'", "0"],
    ["'0.000'", "0.000"],
    ["'-0.00001'", "-0.00001"],
    ["'12345678901234567890.12345678901234567890'", "12345678901234567890.12345678901234567890"],
    ["'100000000'", "100000000"],
    ["'1e40'", `1${"0".repeat(40)}`],
    ["'1e-20'", `0.${"0".repeat(19)}1`],
  ],
  text: [
    ["''", ""],
    ["'née 😀'", "née 😀"],
  ],
  varchar: [["'x'", "x"]],
  name: [["'x'", "x"]],
  bpchar: [["'x  '", "x  "]],
  char: [
    ["'x'", "x"],
    ["''", ""],
  ],
  bytea: [
    ["'\\x'", Buffer.alloc(0)],
    ["'\\x00ff5c'", Buffer.from([0, 255, 92])],
  ],
  uuid: [["'A0EEBC999C0B4EF8BB6D6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]],
  json: [
    ['\'{"b":1,"a":[null,true,"x"]}\'', { b: 1, a: [null, true, "x"] }],
    ["'null'", null],
    ["'\"x\"'", "x"],
  ],
  jsonb: [
    ['\'{"b":1,"a":[null,true,"x"]}\'', { b: 1, a: [null, true, "x"] }],
    ["'1.5'", 1.5],
  ],
  date: [
    ["'2024-02-29'", "2024-02-29"],
    ["'0044-03-15 BC'", "0044-03-15 BC"],
    ["'4714-11-24 BC'", "4714-11-24 BC"],
    ["'0001-01-01'", "0001-01-01"],
    ["'0001-12-31 BC'", "0001-12-31 BC"],
    ["'5874897-12-31'", "5874897-12-31"],
    ["'infinity'", "infinity"],
    ["'-infinity'", "-infinity"],
  ],
  time: [
    ["'00:00'", "00:00:00"],
    ["'24:00'", "24:00:00"],
    ["'23:59:59.999999'", "23:59:59.999999"],
    ["'01:02:03.040'", "01:02:03.04"],
  ],
  timetz: [
    ["'24:00:00-15:59:59'", "24:00:00-15:59:59"],
    ["'12:30:00.5+05:30'", "12:30:00.5+05:30"],
    ["'12:30:00+00'", "12:30:00+00"],
    ["'12:30:00-08'", "12:30:00-08"],
  ],
  timestamp: [
    ["'2024-02-29 23:59:59.999999'", "2024-02-29 23:59:59.999999"],
    ["'1999-12-31 23:59:59.5'", "1999-12-31 23:59:59.5"],
    ["'4714-11-24 00:00:00 BC'", "4714-11-24 00:00:00 BC"],
    ["'0044-03-15 12:00:00.1 BC'", "0044-03-15 12:00:00.1 BC"],
    ["'294276-12-31 23:59:59.999999'", "294276-12-31 23:59:59.999999"],
    ["'infinity'", "infinity"],
    ["'-infinity'", "-infinity"],
  ],
  timestamptz: [
    ["'2024-02-29 23:59:59.999999+00'", new Date("2024-02-29T23:59:59.999Z")],
    ["'1969-12-31 23:59:59.999999+00'", new Date("1969-12-31T23:59:59.999Z")],
    ["'1883-11-18 12:03:57+00'", new Date("1883-11-18T12:03:57Z")],
    ["'0044-03-15 12:00:00.1+00 BC'", new Date("-000043-03-15T12:00:00.100Z")],
    ["'4714-11-24 00:00:00+00 BC'", new Date("-004713-11-24T00:00:00Z")],
    ["'275760-09-13 00:00:00+00'", new Date(8.64e15)],
    ["'infinity'", Infinity],
    ["'-infinity'", -Infinity],
  ],
  interval: [
    ["'0'", "00:00:00"],
    ["'1 year 2 mons 3 days 04:05:06.789'", "1 year 2 mons 3 days 04:05:06.789"],
    ["'-1 day +02:00'", "-1 days +02:00:00"],
    ["'-1 year 2 days -00:00:00.000001'", "-1 years +2 days -00:00:00.000001"],
    ["'1 mon'", "1 mon"],
    ["'2562047788:00:54.775807'", "2562047788:00:54.775807"],
    ["'-2562047788:00:54.775807'", "-2562047788:00:54.775807"],
  ],
};

describe("the two formats of a type", () => {
  it.each(Object.entries(EXACT))("give the expected values of %s", async (name, cases) => {
    const values = await bothFormats(
      name,
      cases.map(([sql]) => sql),
    );
    expect(values).toEqual(cases.map(([, value]) => [value, value]));
  });

  it.each(Object.keys(ANY))("agree on any value of %s", async (name) => {
    const some = fc.array(ANY[name] ?? fc.constant("NULL"), { minLength: 20, maxLength: 60 });
    const property = fc.asyncProperty(some, async (expressions) => {
      for (const [text, binary] of await bothFormats(name, expressions)) {
        expect(binary).toEqual(text);
      }
    });
    await fc.assert(property, { numRuns: 25 });
  });

  it.each(Object.keys(ANY))("agree on arrays of %s", async (name) => {
    const cast = name === "char" ? '"char"' : name;
    const element = fc
      .option(ANY[name] ?? fc.constant("NULL"))
      .map((sql) => `(${sql ?? "NULL"})::${cast}`);
    const flat = fc.array(element, { maxLength: 6 });
    const square = fc
      .tuple(element, element, element, element)
      .map(([a, b, c, d]) => `ARRAY[ARRAY[${a},${b}],ARRAY[${c},${d}]]`);
    const array = fc.oneof(
      flat.map((elements) => `ARRAY[${elements.join(",")}]`),
      square,
    );
    const property = fc.asyncProperty(
      fc.array(array, { minLength: 10, maxLength: 20 }),
      async (expressions) => {
        const arrays = expressions.map((expression) => `${expression}::${cast}[]`);
        for (const [text, binary] of await bothFormats(`${name}[]`, arrays)) {
          expect(binary).toEqual(text);
        }
      },
    );
    await fc.assert(property, { numRuns: 15 });
  });

  it("agree on every power of two that a float4 can be, which round unevenly", async () => {
    const powers = Array.from({ length: 277 }, (_, i) => 2 ** (i - 149));
    for (const [text, binary] of await bothFormats(
      "float4",
      powers.map((n) => `'${n}'`),
    )) {
      expect(binary).toBe(text);
    }
  });

  it("agree whatever the policy for int8", async () => {
    for (const int8 of ["bigint", "string", "auto"] as const) {
      const sql = ["'{1,NULL,9223372036854775807}'", "'[0:1]={-9007199254740992,2}'"];
      for (const [text, binary] of await bothFormats("int8[]", sql, { int8 })) {
        expect(binary).toEqual(text);
      }
    }
  });

  it("agree on the bounds and dimensions that arrays lose", async () => {
    const sql = ["'[0:1][5:6]={{1,2},{NULL,4}}'", "'{}'", "'{{{1}}}'"];
    expect(await bothFormats("int4[]", sql)).toEqual(
      [
        [
          [1, 2],
          [null, 4],
        ],
        [],
        [[[1]]],
      ].map((value) => [value, value]),
    );
  });

  it("agree on instants in any zone of the session, with seconds in its offset too", async () => {
    const sql = ["'1883-01-01 00:00:00+00'", "'2024-07-01 12:00:00.123456+00'"];
    try {
      for (const zone of ["America/New_York", "Asia/Kolkata", "Africa/Monrovia", "UTC"]) {
        await session.rows(`SET timezone = '${zone}'`);
        expect(await bothFormats("timestamptz", sql)).toEqual([
          [new Date("1883-01-01T00:00:00Z"), new Date("1883-01-01T00:00:00Z")],
          [new Date("2024-07-01T12:00:00.123Z"), new Date("2024-07-01T12:00:00.123Z")],
        ]);
      }
    } finally {
      await session.rows("RESET timezone");
    }
  });

  it("both know infinite intervals, where the server has them", async () => {
    const [[version] = []] = await session.rows(
      "SELECT current_setting('server_version_num')::int",
    );
    if (Number(version) < 170_000) return;
    expect(await bothFormats("interval", ["'infinity'", "'-infinity'"])).toEqual([
      ["infinity", "infinity"],
      ["-infinity", "-infinity"],
    ]);
  });
});

describe("the table of types", () => {
  it("has the numbers, names and delimiters of the server's catalogue", async () => {
    const rows = await session.rows(
      `SELECT oid::int4, typname::text, typarray::int4, typdelim::text
         FROM pg_type WHERE oid < 10000`,
    );
    const catalogue = new Map(rows.map(([oid, ...rest]) => [oid, rest]));
    for (const type of PG_TYPES) {
      const { name, oid, arrayOid, delimiter } = type;
      expect([oid, ...(catalogue.get(oid) ?? [])]).toEqual([oid, name, arrayOid, delimiter]);
      expect(typeName(type.oid)).toBe(type.name);
    }
  });
});
