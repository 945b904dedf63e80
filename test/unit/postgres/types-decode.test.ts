// Results: what becomes of bytes, good and bad. That text and binary agree is shown against a
// server in test/postgres.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isForebayError } from "../../../packages/forebay/src/base/errors.ts";
import { ProtocolError } from "../../../packages/forebay/src/postgres/wire/proto/protocol-error.ts";
import { Writer } from "../../../packages/forebay/src/postgres/wire/proto/writer.ts";
import {
  decoderFor,
  hasBinary,
  paramFormat,
  typeName,
  type TypePolicy,
  writeParam,
} from "../../../packages/forebay/src/postgres/wire/types/index.ts";
import { PG_TYPES } from "../../../packages/forebay/src/postgres/wire/types/oids.ts";

/** What the text format of most types is made of. */
const LETTERS = '0123456789-+:. {}[]=,"\\xeNULBC;'.split("");

const AUTO: TypePolicy = { int8: "auto" };
const OIDS = PG_TYPES.flatMap((type) => (type.arrayOid ? [type.oid, type.arrayOid] : [type.oid]));

function oidOf(name: string): number {
  const oid = OIDS.find((oid) => typeName(oid) === name);
  if (oid === undefined) throw new Error(`no type ${name}`);
  return oid;
}

/** Decodes from the middle of a larger buffer, so that a look outside the range shows. */
function decode(
  name: string,
  format: 0 | 1,
  bytes: Uint8Array | string,
  policy: TypePolicy = AUTO,
): unknown {
  const value = Buffer.from(bytes);
  const chunk = Buffer.concat([Buffer.from("99"), value, Buffer.from("99")]);
  return decoderFor(oidOf(name), format, policy)(chunk, 2, 2 + value.length);
}

/** Whether the bytes are refused as malformed. Any other error is thrown on. */
function isRefused(name: string, format: 0 | 1, bytes: Uint8Array | string): boolean {
  try {
    decode(name, format, bytes);
    return false;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code === "PROTOCOL_ERROR";
    throw error;
  }
}

function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(" ", ""), "hex");
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

describe("decoderFor", () => {
  it("gives text, or a copy of the bytes, for a type that it does not know", () => {
    const chunk = Buffer.from("xhéy");
    expect(decoderFor(99_999, 0, AUTO)(chunk, 1, 4)).toBe("hé");
    const copy = decoderFor(99_999, 1, AUTO)(chunk, 1, 4);
    expect(copy).toEqual(Buffer.from("hé"));
    chunk.fill(0);
    expect(copy).toEqual(Buffer.from("hé"));
  });

  it("never gives a view of the chunk for bytea", () => {
    for (const [format, bytes] of [
      [0, Buffer.from("\\x616263")],
      [0, Buffer.from("abc")],
      [1, Buffer.from("abc")],
    ] as const) {
      const value = decoderFor(oidOf("bytea"), format, AUTO)(bytes, 0, bytes.length);
      bytes.fill(0);
      expect(value).toEqual(Buffer.from("abc"));
    }
  });

  it("reads bytea in the escape format", () => {
    expect(decode("bytea", 0, "a\\\\b\\000\\377")).toEqual(Buffer.from([97, 92, 98, 0, 255]));
    expect(() => decode("bytea", 0, "a\\4")).toThrow(ProtocolError);
    expect(() => decode("bytea", 0, "\\x0")).toThrow(ProtocolError);
    expect(() => decode("bytea", 0, "\\x0g")).toThrow(ProtocolError);
  });

  it("gives null for void", () => {
    expect(decode("void", 0, "")).toBe(null);
    expect(decode("void", 1, "")).toBe(null);
  });

  it("reads an int8 as the policy says, rounding never", () => {
    const big = 2n ** 53n;
    const decodeAs = (int8: TypePolicy["int8"], value: bigint): unknown => {
      const binary = decode("int8", 1, int64(value), { int8 });
      expect(decode("int8", 0, String(value), { int8 })).toBe(binary);
      const array = decode("int8[]", 0, `{${value},NULL}`, { int8 });
      expect(array).toEqual([binary, null]);
      return binary;
    };
    for (const value of [0n, 1n, -1n, 999_999_999_999_999n, big - 1n, 1n - big]) {
      expect(decodeAs("auto", value)).toBe(Number(value));
      expect(decodeAs("number", value)).toBe(Number(value));
      expect(decodeAs("bigint", value)).toBe(value);
      expect(decodeAs("string", value)).toBe(String(value));
    }
    for (const value of [big, -big, big + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(decodeAs("auto", value)).toBe(value);
      expect(decodeAs("bigint", value)).toBe(value);
      expect(decodeAs("string", value)).toBe(String(value));
      expect(() => decodeAs("number", value)).toThrow(
        expect.objectContaining({ code: "VALUE_OUT_OF_RANGE" }),
      );
    }
  });

  it("cuts an instant to the millisecond in which it lies, before 1970 too", () => {
    const epoch = 946_684_800_000n;
    for (const [text, us, iso] of [
      ["2000-01-01 00:00:00.001999+00", 1999n, "2000-01-01T00:00:00.001Z"],
      ["1999-12-31 23:59:59.999999+00", -1n, "1999-12-31T23:59:59.999Z"],
      ["1969-12-31 23:59:59.999001+00", -epoch * 1000n - 999n, "1969-12-31T23:59:59.999Z"],
      ["1900-01-01 00:19:32+00:19:32", -3_155_673_600_000_000n, "1900-01-01T00:00:00.000Z"],
      ["1899-12-31 19:00:00-05", -3_155_673_600_000_000n, "1900-01-01T00:00:00.000Z"],
    ] as const) {
      expect(decode("timestamptz", 0, text)).toEqual(new Date(iso));
      expect(decode("timestamptz", 1, int64(us))).toEqual(new Date(iso));
    }
  });

  it("fails for an instant after the last Date, and gives the infinities as numbers", () => {
    const last = (8_640_000_000_000_000n - 946_684_800_000n) * 1000n;
    expect(decode("timestamptz", 1, int64(last))).toEqual(new Date(8.64e15));
    const failure = expect.objectContaining({ code: "VALUE_OUT_OF_RANGE" });
    expect(() => decode("timestamptz", 1, int64(last + 1000n))).toThrow(failure);
    expect(() => decode("timestamptz", 0, "294276-12-31 00:00:00+00")).toThrow(failure);
    expect(decode("timestamptz", 1, int64(2n ** 63n - 1n))).toBe(Infinity);
    expect(decode("timestamptz", 1, int64(-(2n ** 63n)))).toBe(-Infinity);
    expect(decode("timestamptz", 0, "infinity")).toBe(Infinity);
    expect(decode("timestamptz", 0, "-infinity")).toBe(-Infinity);
  });

  it("fails the statement, not the connection, where the session has another DateStyle", () => {
    for (const text of ["01.02.2024 00:00:00 UTC", "2024-01-01 00:00:00", ""]) {
      expect(() => decode("timestamptz", 0, text)).toThrow(
        expect.objectContaining({
          code: "VALUE_OUT_OF_RANGE",
          message: expect.stringContaining("DateStyle"),
        }),
      );
    }
  });

  it("keeps keys of JSON such as __proto__ as own keys", () => {
    const value = decode("jsonb", 1, '\u0001{"__proto__":{"admin":true}}') as object;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect("admin" in value).toBe(false);
  });

  it("reads array literals: quotes, escapes, NULL, dimensions and bounds", () => {
    expect(decode("text[]", 0, '{a,"b c","","NULL",NULL,null,"x\\"\\\\y",é}')).toEqual([
      "a",
      "b c",
      "",
      "NULL",
      null,
      "null",
      'x"\\y',
      "é",
    ]);
    expect(decode("int4[]", 0, "[0:1][-1:0]={{1,2},{3,NULL}}")).toEqual([
      [1, 2],
      [3, null],
    ]);
    expect(decode("int4[]", 0, "{}")).toEqual([]);
    expect(decode("box[]", 0, "{(1,1),(0,0);NULL}")).toEqual([
      { high: { x: 1, y: 1 }, low: { x: 0, y: 0 } },
      null,
    ]);
  });

  it("refuses array literals and binary arrays that are not well formed", () => {
    const literals = [
      "",
      "{",
      "}",
      "{1",
      "{1,",
      "{,}",
      "{1}x",
      "[1:2",
      "[1:2]=",
      '{"',
      '{"1',
      '{"\\',
    ];
    literals.push("{1;2}", '{"1"2}', "{{{{{{{1}}}}}}}", "1", "{1,}", "{x}");
    expect(literals.filter((literal) => !isRefused("int4[]", 0, literal))).toEqual([]);
    const int4 = "00000017";
    const arrays = [
      "",
      `00000000 00000000 ${int4} 00`,
      `00000000 00000000 00000019`,
      `ffffffff 00000000 ${int4}`,
      `00000007 00000000 ${int4}`,
      `00000001 00000000 ${int4}`,
      `00000001 00000000 ${int4} 00000000 00000001`,
      `00000001 00000000 ${int4} ffffffff 00000001`,
      `00000001 00000000 ${int4} 7fffffff 00000001`,
      `00000002 00000000 ${int4} 7fffffff 00000001 00000000 00000001`,
      `00000001 00000000 ${int4} 00000001 00000001`,
      `00000001 00000000 ${int4} 00000001 00000001 00000004`,
      `00000001 00000000 ${int4} 00000001 00000001 00000003 000000`,
      `00000001 00000000 ${int4} 00000001 00000001 fffffffe`,
      `00000001 00000000 ${int4} 00000001 00000001 00000004 00000001 00`,
    ];
    expect(arrays.filter((array) => !isRefused("int4[]", 1, hex(array)))).toEqual([]);
  });

  it("reads as zero the digits of a numeric that are not sent", () => {
    expect(decode("numeric", 1, hex("0001 0000 4000 0006 0001"))).toBe("-1.000000");
    expect(decode("numeric", 1, hex("0001 0002 0000 0000 0007"))).toBe("700000000");
    expect(decode("numeric", 1, hex("0001 fffe 0000 0009 0007"))).toBe("0.000000070");
    expect(decode("numeric", 1, hex("0000 0000 0000 0002"))).toBe("0.00");
  });

  it("refuses values of the wrong width or alphabet", () => {
    const texts: [name: string, text: string][] = [
      ["bool", "true"],
      ["bool", ""],
      ["int2", "32768"],
      ["int4", "2147483648"],
      ["int4", "1.0"],
      ["int4", "-"],
      ["int4", ""],
      ["oid", "-1"],
      ["int8", "9223372036854775808"],
      ["int8", "12345678901234567x"],
      ["float8", ""],
      ["float8", "0x10"],
      ["float4", "1e"],
      ["json", "{"],
    ];
    expect(texts.filter(([name, text]) => !isRefused(name, 0, text))).toEqual([]);
    const binaries: [name: string, digits: string][] = [
      ["bool", ""],
      ["int2", "00"],
      ["int4", "0000000000"],
      ["int8", "00000000"],
      ["float4", "00"],
      ["float8", "00"],
      ["uuid", "00"],
      ["date", "00"],
      ["time", "ffffffffffffffff"],
      ["timetz", "0000000000000000 0000e100"],
      ["timestamp", "00"],
      ["timestamptz", "00"],
      ["interval", "00"],
      ["numeric", "00"],
      ["numeric", "0001 0000 0000 0000"],
      ["numeric", "0001 0000 0000 0000 2710"],
      ["numeric", "0000 0000 1234 0000"],
      ["jsonb", "02 7b7d"],
      ["jsonb", ""],
      ["char", ""],
    ];
    expect(binaries.filter(([name, digits]) => !isRefused(name, 1, hex(digits)))).toEqual([]);
  });

  it("throws only protocol and range errors, and sees no bytes outside its range", () => {
    const outcome = (oid: number, format: 0 | 1, bytes: Uint8Array, around: string): unknown => {
      const chunk = Buffer.concat([Buffer.alloc(8, around), bytes, Buffer.alloc(8, around)]);
      const policy: TypePolicy = { int8: "number" };
      try {
        return [decoderFor(oid, format, policy)(chunk, 8, 8 + bytes.length)];
      } catch (error) {
        if (error instanceof ProtocolError) return error.code;
        if (isForebayError(error) && error.code === "VALUE_OUT_OF_RANGE") return error.code;
        throw error;
      }
    };
    const digits = fc.string({ unit: fc.constantFrom(...LETTERS) });
    const int16s = fc.array(fc.constantFrom(0, 1, 2, 23, 0x7fff, 0xffff, 0xc000, 8, 4));
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      digits.map((text) => Buffer.from(text)),
      int16s.map((words) =>
        Buffer.concat(words.map((word) => hex(word.toString(16).padStart(4, "0")))),
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...OIDS), fc.constantFrom(0, 1), bytes, (oid, format, value) => {
        const expected = outcome(oid, format, value, "0");
        const others = ['"}', "}", "\0"].map((around) => outcome(oid, format, value, around));
        expect(others).toEqual([expected, expected, expected]);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("the table of types", () => {
  it("names types as the server does, arrays with brackets, and others by their number", () => {
    expect(typeName(23)).toBe("int4");
    expect(typeName(1009)).toBe("text[]");
    expect(typeName(99_999)).toBe("99999");
    expect(new Set(OIDS).size).toBe(OIDS.length);
  });

  it("asks for binary only where the type is known", () => {
    expect(hasBinary(20)).toBe(true);
    expect(hasBinary(1016)).toBe(true);
    expect(hasBinary(1700)).toBe(false);
    expect(hasBinary(99_999)).toBe(false);
    expect(hasBinary(0)).toBe(false);
  });

  it("reads back what it wrote, for values in binary", () => {
    const roundTrip = (value: unknown, name: string): unknown => {
      const writer = new Writer();
      writeParam(writer, value, oidOf(name));
      const bytes = writer.take();
      return decode(name, paramFormat(value, oidOf(name)), bytes.subarray(4));
    };
    const cases: [string, fc.Arbitrary<unknown>][] = [
      ["bool", fc.boolean()],
      ["int2", fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 })],
      ["int4", fc.integer()],
      ["oid", fc.nat().map((n) => n * 2)],
      ["int8", fc.maxSafeInteger().map((n) => (n === 0 ? 0 : n))],
      ["float8", fc.double()],
      ["text", fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"))],
      ["bytea", fc.uint8Array().map((bytes) => Buffer.from(bytes))],
      ["timestamptz", fc.date({ noInvalidDate: true })],
    ];
    for (const [name, values] of cases) {
      fc.assert(
        fc.property(values, fc.array(fc.option(values)), (value, array) => {
          expect(roundTrip(value, name)).toEqual(value);
          expect(roundTrip(array, `${name}[]`)).toEqual(array);
        }),
      );
    }
  });
});
