// Parameters: what is written for which value, and what is refused.

import { describe, expect, it } from "vitest";
import { Writer } from "../../../packages/forebay/src/postgres/wire/proto/writer.ts";
import {
  json,
  paramFormat,
  writeParam,
} from "../../../packages/forebay/src/postgres/wire/types/index.ts";

const OID = {
  unknown: 0,
  bool: 16,
  bytea: 17,
  name: 19,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  oid: 26,
  json: 114,
  box_array: 1020,
  float4: 700,
  float8: 701,
  int4_array: 1007,
  text_array: 1009,
  int8_array: 1016,
  date: 1082,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  timestamptz_array: 1185,
  interval: 1186,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
  jsonb_array: 3807,
  custom: 99_999,
};

/** What is written, without its length, which is checked. */
function bytesOf(value: unknown, oid: number): Buffer {
  const writer = new Writer();
  writeParam(writer, value, oid);
  const bytes = writer.take();
  expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
  return bytes.subarray(4);
}

function textOf(value: unknown, oid: number = OID.unknown): string {
  expect(paramFormat(value, oid)).toBe(0);
  return bytesOf(value, oid).toString("utf8");
}

function hexOf(value: unknown, oid: number): string {
  expect(paramFormat(value, oid)).toBe(1);
  return bytesOf(value, oid).toString("hex");
}

/** The message of the refusal; also checks that nothing was written. */
function refusalOf(value: unknown, oid: number): string {
  const writer = new Writer();
  writer.utf8("before");
  let refusal: unknown;
  try {
    writeParam(writer, value, oid);
  } catch (error) {
    refusal = error;
  }
  expect(String(writer.take())).toBe("before");
  expect(refusal).toMatchObject({ family: "usage", code: "ARGUMENT_INVALID" });
  return String(refusal);
}

describe("a parameter of unknown type", () => {
  it("is NULL for null and undefined, whatever the type", () => {
    for (const value of [null, undefined]) {
      for (const oid of Object.values(OID)) {
        const writer = new Writer();
        writeParam(writer, value, oid);
        expect(paramFormat(value, oid)).toBe(0);
        expect(writer.take().toString("hex")).toBe("ffffffff");
      }
    }
  });

  it("is the text of a scalar", () => {
    expect(textOf("née 😀")).toBe("née 😀");
    expect(textOf("")).toBe("");
    expect(textOf(42)).toBe("42");
    expect(textOf(-0)).toBe("-0");
    expect(textOf(1.5e-7)).toBe("1.5e-7");
    expect(textOf(NaN)).toBe("NaN");
    expect(textOf(-Infinity)).toBe("-Infinity");
    expect(textOf(2n ** 80n)).toBe("1208925819614629174706176");
    expect(textOf(true)).toBe("true");
    expect(textOf(false)).toBe("false");
  });

  it("has an exponent where a whole number is not safe, which integer types refuse", () => {
    expect(textOf(2 ** 60)).toBe("1.152921504606847e+18");
    expect(textOf(Number.MAX_SAFE_INTEGER)).toBe("9007199254740991");
  });

  it("is an instant in UTC for a Date, whatever the year", () => {
    expect(textOf(new Date("2024-02-29T12:34:56.789+02:00"))).toBe("2024-02-29T10:34:56.789Z");
    expect(textOf(new Date("+012345-01-02T03:04:05.060Z"))).toBe("12345-01-02 03:04:05.06+00");
    expect(textOf(new Date("0000-03-15T00:00:00Z"))).toBe("0001-03-15 00:00:00+00 BC");
    expect(textOf(new Date("-000043-03-15T23:59:59.999Z"))).toBe("0044-03-15 23:59:59.999+00 BC");
    expect(textOf(new Date(8.64e15))).toBe("275760-09-13 00:00:00+00");
    expect(textOf(new Date(-8.64e15))).toBe("271822-04-20 00:00:00+00 BC");
  });

  it("is the bytes themselves, in binary, for a Uint8Array", () => {
    expect(hexOf(new Uint8Array([0, 1, 255]), OID.unknown)).toBe("0001ff");
    expect(hexOf(Buffer.from("ab").subarray(1), OID.custom)).toBe("62");
  });

  it("is an array literal for an array, with every string quoted", () => {
    expect(textOf([])).toBe("{}");
    expect(textOf([1, 2n, -0, true, null, undefined])).toBe("{1,2,-0,true,NULL,NULL}");
    expect(textOf(["NULL", "", 'a"b\\c', "{,}"])).toBe('{"NULL","","a\\"b\\\\c","{,}"}');
    expect(
      textOf([
        ["a", "b"],
        ["c", null],
      ]),
    ).toBe('{{"a","b"},{"c",NULL}}');
    expect(textOf([new Date(0), new Uint8Array([16])])).toBe(
      '{"1970-01-01T00:00:00.000Z","\\\\x10"}',
    );
    expect(textOf([{ a: 1 }, json([1])])).toBe('{"{\\"a\\":1}","[1]"}');
    const holes: unknown[] = [1];
    holes[2] = 3;
    expect(textOf(holes)).toBe("{1,NULL,3}");
  });

  it("is JSON for an object", () => {
    expect(textOf({ a: [1, "x"], b: null })).toBe('{"a":[1,"x"],"b":null}');
    expect(textOf(Object.create(null))).toBe("{}");
    expect(textOf({ toJSON: () => 5 })).toBe("5");
  });

  it("is refused where its contents would be lost or changed", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const knot: Record<string, unknown> = {};
    knot["knot"] = knot;
    const refused: unknown[] = [
      () => 1,
      Symbol("x"),
      new Map([[1, 2]]),
      new Set([1]),
      Promise.resolve(1),
      /x/,
      new ArrayBuffer(1),
      new Float64Array(1),
      new DataView(new ArrayBuffer(1)),
      new Date(Number.NaN),
      "a\0b",
      "\ud800",
      `${"x".repeat(5000)}\udc00`,
      cycle,
      knot,
      { big: 1n },
      { toJSON: () => undefined },
      [[1], [1, 2]],
      [[1], 2],
      [1, [2]],
      [[]],
      [[1], null],
      [[[[[[[1]]]]]]],
      ["a\0b"],
      [() => 1],
    ];
    for (const value of refused) {
      expect(refusalOf(value, OID.unknown)).toMatch(/as a parameter of unknown type: /);
    }
    const sparse: unknown[] = [[1]];
    sparse.length = 2;
    refusalOf(sparse, OID.unknown);
  });
});

describe("a parameter of known type", () => {
  it("goes in binary where the value is of the type's own kind", () => {
    expect(hexOf(true, OID.bool)).toBe("01");
    expect(hexOf(-2, OID.int2)).toBe("fffe");
    expect(hexOf(2 ** 31 - 1, OID.int4)).toBe("7fffffff");
    expect(hexOf(-1n, OID.int4)).toBe("ffffffff");
    expect(hexOf(-0, OID.int4)).toBe("00000000");
    expect(hexOf(2 ** 32 - 1, OID.oid)).toBe("ffffffff");
    expect(hexOf(-(2 ** 53) + 1, OID.int8)).toBe("ffe0000000000001");
    expect(hexOf(2n ** 63n - 1n, OID.int8)).toBe("7fffffffffffffff");
    expect(hexOf(-0, OID.float8)).toBe("8000000000000000");
    expect(hexOf(NaN, OID.float4)).toBe("7fc00000");
    expect(hexOf("é", OID.text)).toBe("c3a9");
    expect(hexOf(new Uint8Array([1]), OID.bytea)).toBe("01");
    expect(hexOf(new Date(946_684_800_001), OID.timestamptz)).toBe("00000000000003e8");
    expect(hexOf(new Date(946_684_799_999), OID.timestamptz)).toBe("fffffffffffffc18");
    expect(hexOf(Infinity, OID.timestamptz)).toBe("7fffffffffffffff");
    expect(hexOf(-Infinity, OID.timestamptz)).toBe("8000000000000000");
    expect(hexOf(new Date(8.64e15), OID.timestamptz)).toBe(
      ((8_640_000_000_000_000n - 946_684_800_000n) * 1000n).toString(16).padStart(16, "0"),
    );
  });

  it("goes as text where it is a string, whatever the type, for the server to read", () => {
    for (const oid of [OID.int4, OID.int8, OID.float8, OID.bool, OID.date, OID.uuid, OID.bytea]) {
      expect(textOf("anything", oid)).toBe("anything");
    }
    expect(textOf("{1,2}", OID.int4_array)).toBe("{1,2}");
    expect(textOf("x", OID.name)).toBe("x");
  });

  it("goes as the text it would be without a type where there is no binary form", () => {
    expect(textOf(5, OID.text)).toBe("5");
    expect(textOf({ a: 1 }, OID.text)).toBe('{"a":1}');
    expect(textOf(1.25, OID.numeric)).toBe("1.25");
    expect(textOf(2n ** 100n, OID.numeric)).toBe("1267650600228229401496703205376");
    expect(textOf(2n ** 100n, OID.float8)).toBe("1267650600228229401496703205376");
    expect(textOf(1, OID.bool)).toBe("1");
    expect(textOf(new Date(0), OID.timestamp)).toBe("1970-01-01T00:00:00.000Z");
    expect(textOf(new Date(0), OID.date)).toBe("1970-01-01T00:00:00.000Z");
  });

  it("takes a string for JSON that is serialised already, and serialises all else", () => {
    for (const oid of [OID.json, OID.jsonb]) {
      expect(textOf('{"a":1}', oid)).toBe('{"a":1}');
      expect(textOf([1, [2, "x"], null], oid)).toBe('[1,[2,"x"],null]');
      expect(textOf([], oid)).toBe("[]");
      expect(textOf(true, oid)).toBe("true");
      expect(textOf(2n ** 64n, oid)).toBe("18446744073709551616");
      expect(textOf(new Date(0), oid)).toBe('"1970-01-01T00:00:00.000Z"');
      expect(refusalOf(NaN, oid)).toContain("NaN");
      refusalOf([1n], oid);
      refusalOf(new Map(), oid);
    }
    expect(hexOf(Buffer.from("[]"), OID.jsonb)).toBe("015b5d");
  });

  it("is JSON whatever the type when wrapped, also for strings, null and arrays", () => {
    for (const oid of [OID.unknown, OID.json, OID.jsonb, OID.text, OID.custom]) {
      expect(textOf(json("x"), oid)).toBe('"x"');
      expect(textOf(json(null), oid)).toBe("null");
      expect(textOf(json([1]), oid)).toBe("[1]");
    }
    expect(textOf([json([1]), json(null)], OID.jsonb_array)).toBe('{"[1]","null"}');
    expect(textOf([{ a: 1 }, "2"], OID.jsonb_array)).toBe('{"{\\"a\\":1}","2"}');
    expect(() => json(undefined)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
    expect(() => json(() => 1)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
  });

  it("is the value that was there when it was wrapped", () => {
    const value = { n: 1 };
    const wrapped = json(value);
    value.n = 2;
    expect(textOf(wrapped)).toBe('{"n":1}');
    expect(JSON.stringify({ wrapped })).toBe('{"wrapped":{"n":1}}');
  });

  it("is an array in binary when all its elements have a binary form, and else a literal", () => {
    const header = (dimensions: number, oid: number): string =>
      dimensions.toString(16).padStart(8, "0").padEnd(16, "0") + oid.toString(16).padStart(8, "0");
    expect(hexOf([], OID.int4_array)).toBe(header(0, OID.int4));
    expect(hexOf([1, null], OID.int4_array)).toBe(
      `${header(1, OID.int4)}00000002000000010000000400000001ffffffff`,
    );
    expect(hexOf([["a"], ["b"]], OID.text_array)).toBe(
      `${header(2, OID.text)}0000000200000001000000010000000100000001610000000162`,
    );
    expect(textOf([1, "2", null], OID.int4_array)).toBe('{1,"2",NULL}');
    expect(textOf(["(1,1),(0,0)", "(2,2),(0,0)"], OID.box_array)).toBe(
      '{"(1,1),(0,0)";"(2,2),(0,0)"}',
    );
    expect(textOf(["infinity", new Date(0)], OID.timestamptz_array)).toBe(
      '{"infinity","1970-01-01T00:00:00.000Z"}',
    );
  });

  it("is refused, naming both types and not the value, where it would be changed", () => {
    const cases: [value: unknown, oid: number, message: RegExp][] = [
      [1.5, OID.int4, /number as int4: it is not a whole number/],
      [2 ** 31, OID.int4, /number as int4: it is out of the type's range/],
      [-(2 ** 31) - 1, OID.int4, /range/],
      [2n ** 31n, OID.int4, /bigint as int4: .*range/],
      [10n ** 400n, OID.int4, /bigint as int4/],
      [NaN, OID.int4, /whole/],
      [Infinity, OID.int8, /whole/],
      [2 ** 15, OID.int2, /int2/],
      [-1, OID.oid, /oid/],
      [2 ** 32, OID.oid, /oid/],
      [2 ** 53, OID.int8, /safe integers; use a bigint/],
      [0.5, OID.int8, /whole/],
      [2n ** 63n, OID.int8, /range/],
      [1e39, OID.float4, /range/],
      [1e-60, OID.float4, /range/],
      [true, OID.int4, /boolean as int4/],
      [new Date(0), OID.int4, /Date as int4/],
      [[1], OID.int4, /array as int4/],
      [{}, OID.float8, /object as float8/],
      [{}, OID.numeric, /object as numeric/],
      [2, OID.bool, /number as bool/],
      [new Date(NaN), OID.timestamptz, /Date as timestamptz: it is an invalid date/],
      [new Date(NaN), OID.date, /Date as date: it is an invalid date/],
      [true, OID.timestamptz, /boolean as timestamptz/],
      [{}, OID.interval, /object as interval/],
      [new Date(0), OID.time, /Date as time: /],
      ["a\0b", OID.text, /string as text: it contains NUL/],
      ["a\0b", OID.int4, /string as int4: it contains NUL/],
      ["\udfff", OID.text, /surrogate/],
      [1, OID.uuid, /number as uuid/],
      [new Uint8Array(15), OID.uuid, /Uint8Array as uuid: it is not 16 bytes/],
      [5, OID.int4_array, /number as int4\[\]: it is not an array/],
      [[1, 1.5], OID.int4_array, /number as int4/],
      [[1, 2 ** 53], OID.int8_array, /number as int8/],
      [[[1], [2, 3]], OID.int4_array, /array as int4\[\]: .*differ in length/],
      [["x", "a\0"], OID.text_array, /NUL/],
      [[1, new Date(0)], OID.int4_array, /Date as int4/],
    ];
    for (const [value, oid, message] of cases) expect(refusalOf(value, oid)).toMatch(message);
    expect(refusalOf("secret\0", OID.text)).not.toContain("secret");
  });
});
