// Rows in the formats of COPY, without a server.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { json } from "../../../packages/forebay/src/postgres/index.ts";
import { rowDecoder } from "../../../packages/forebay/src/postgres/wire/copy-decode.ts";
import {
  type CopyFormat,
  type CopyRow,
  encodeRows,
} from "../../../packages/forebay/src/postgres/wire/copy-rows.ts";

const BOOL = 16;
const BYTEA = 17;
const INT8 = 20;
const INT2 = 21;
const INT4 = 23;
const TEXT = 25;
const OID = 26;
const JSON_ = 114;
const FLOAT4 = 700;
const FLOAT8 = 701;
const INT4_ARRAY = 1007;
const TEXT_ARRAY = 1009;
const BYTEA_ARRAY = 1001;
const DATE = 1082;
const TIMESTAMPTZ = 1184;
const NUMERIC = 1700;
const UUID = 2950;
const JSONB = 3802;
const ENUM = 99_999;

function columnsOf(oids: readonly number[]) {
  return oids.map((typeOid, i) => ({ name: `c${i}`, typeOid, isText: typeOid === ENUM }));
}

function encoded(format: CopyFormat, oids: readonly number[], rows: Iterable<CopyRow>): Buffer {
  const source = encodeRows(columnsOf(oids), format, rows) as Iterable<Buffer>;
  return Buffer.concat(Array.from(source, (piece) => Buffer.from(piece)));
}

function text(oid: number, value: unknown): string {
  return encoded("text", [oid], [[value]]).toString();
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("expected it to throw");
}

const anyText = fc.string({ unit: "binary" }).map((value) => value.replaceAll("\0", ""));

describe("the text format", () => {
  test("has a line for each row, a tab between values, and \\N for NULL", () => {
    const rows = [[1, "a", null] as const, { c2: "", c0: -2, c1: "b", other: 5 }];
    expect(encoded("text", [INT4, TEXT, TEXT], rows).toString()).toBe("1\ta\t\\N\n-2\tb\t\n");
  });

  test("escapes what would end a value or a row, in strings of any length", () => {
    const value = "a\tb\nc\rd\\e\\N";
    const escaped = "a\\tb\\nc\\rd\\\\e\\\\N";
    expect(text(TEXT, value)).toBe(`${escaped}\n`);
    expect(text(TEXT, value.repeat(100))).toBe(`${escaped.repeat(100)}\n`);
    expect(text(TEXT, "\\.")).toBe("\\\\.\n");
    expect(text(TEXT, "é🙂\b")).toBe("é🙂\b\n");
    expect(text(TEXT, "🙂".repeat(100))).toBe(`${"🙂".repeat(100)}\n`);
  });

  test("gives back any text that it was given", () => {
    const row = fc.tuple(anyText, fc.option(anyText), anyText);
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const fields = [TEXT, TEXT, TEXT].map((typeOid) => field(typeOid));
        const decode = rowDecoder("text", fields, { int8: "auto" });
        const data = encoded("text", [TEXT, TEXT, TEXT], rows);
        const read: unknown[] = [];
        for (let at = 0; at < data.length; ) {
          const end = data.indexOf("\n", at) + 1;
          read.push(decode(data, at, end));
          at = end;
        }
        expect(read).toEqual(rows);
      }),
    );
  });

  test.each([0, 1, 9, 10, 99, 100, 2 ** 31 - 1, -1, -10, -(2 ** 31)])(
    "writes the digits of %i",
    (value) => {
      expect(text(INT4, value)).toBe(`${value}\n`);
    },
  );

  test("writes every whole number of 32 bits as it is", () => {
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(text(INT4, value)).toBe(`${value}\n`);
      }),
    );
  });

  test.each([
    ["a big number", INT8, Number.MAX_SAFE_INTEGER, "9007199254740991"],
    ["a bigint", INT8, 2n ** 63n - 1n, "9223372036854775807"],
    ["a fraction", FLOAT8, 0.1, "0.1"],
    ["negative zero", FLOAT8, -0, "-0"],
    ["not a number", FLOAT8, Number.NaN, "NaN"],
    ["an oid beyond 31 bits", OID, 2 ** 32 - 1, "4294967295"],
    ["a number for numeric", NUMERIC, 12.5, "12.5"],
    ["a string for numeric", NUMERIC, "12.50", "12.50"],
    ["a boolean", BOOL, true, "true"],
    ["one for a boolean", BOOL, 1, "1"],
    ["an instant", TIMESTAMPTZ, new Date(0), "1970-01-01T00:00:00.000Z"],
    ["the end of time", TIMESTAMPTZ, Infinity, "Infinity"],
    ["a date as text", DATE, "2024-02-29", "2024-02-29"],
    ["bytes", BYTEA, Uint8Array.of(1, 0xff), "\\\\x01ff"],
    ["bytes of text", TEXT, Buffer.from("a\tb"), "a\\tb"],
    ["bytes of a uuid", UUID, Buffer.alloc(16, 0xab), "ab".repeat(16)],
    ["an object for json", JSON_, { a: "\n" }, '{"a":"\\\\n"}'],
    ["an array for jsonb", JSONB, [1, []], "[1,[]]"],
    ["a string that is JSON", JSONB, json("a"), '"a"'],
    [
      "an array",
      INT4_ARRAY,
      [
        [1, null],
        [3, 4],
      ],
      "{{1,NULL},{3,4}}",
    ],
    ["an array of text", TEXT_ARRAY, ['a"b', null, "c\\d"], '{"a\\\\"b",NULL,"c\\\\\\\\d"}'],
    ["an array of bytes", BYTEA_ARRAY, [Uint8Array.of(1)], '{"\\\\\\\\x01"}'],
    ["a label", ENUM, "sad", "sad"],
    ["a number for text", TEXT, 5, "5"],
  ])("writes %s", (_what, oid, value, expected) => {
    expect(text(oid, value)).toBe(`${expected}\n`);
  });

  test.each([
    ["a fraction for an integer", INT4, 1.5],
    ["too big an int4", INT4, 2 ** 31],
    ["too big an int2", INT2, 2 ** 15],
    ["a number beyond the safe ones", INT8, 2 ** 53],
    ["too big a float4", FLOAT4, 1e300],
    ["an object for an integer", INT4, { secret: 1 }],
    ["an invalid date", TIMESTAMPTZ, new Date(Number.NaN)],
    ["undefined", TEXT, undefined],
    ["a function", TEXT, () => 1],
    ["a NUL", TEXT, "secret\0"],
    ["a NUL in a long text", TEXT, `${"secret".repeat(9)}\0`],
    ["half of a surrogate pair", TEXT, "secret\ud83d"],
    ["half of a pair within an array", TEXT_ARRAY, ["secret\ud83d"]],
    ["bytes that are no text", TEXT, Uint8Array.of(0xff)],
    ["bytes of a wrong length", UUID, Uint8Array.of(1)],
    ["bytes for a type without", DATE, Uint8Array.of(1, 2, 3, 4)],
    ["bytes in an array of another type", TEXT_ARRAY, [Uint8Array.of(1)]],
  ])("refuses %s by row and column, without the value", (_what, oid, value) => {
    const rows = [
      [null, null],
      [null, value],
    ];
    const message = messageOf(() => encoded("text", [TEXT, oid], rows));
    expect(message).toMatch(/^row 2, column c1: .* \[ARGUMENT_INVALID\]$/);
    expect(message).not.toMatch(/secret|1\.5|e\+300/);
  });

  test("refuses what is no row of these columns", () => {
    expect(messageOf(() => encoded("text", [TEXT], [["a"], ["b", "c"]]))).toBe(
      "row 2: values: 2, columns: 1 [ARGUMENT_INVALID]",
    );
    expect(messageOf(() => encoded("text", [TEXT], [null as never]))).toMatch(/^row 1: /);
    expect(messageOf(() => encoded("text", [TEXT], [{}]))).toMatch(/^row 1, column c0: /);
  });

  test("lets an error of the caller's own property through", () => {
    const mistake = new Error("mine");
    const row = {
      get c0(): string {
        throw mistake;
      },
    };
    expect(() => encoded("text", [TEXT], [row])).toThrow(mistake);
  });
});

function field(typeOid: number) {
  return { name: "c", tableOid: 0, typeOid, typeModifier: -1, format: 0 as const };
}

describe("the binary format", () => {
  test("has a signature, the length of each value, and an end", () => {
    expect(
      encoded(
        "binary",
        [INT4, TEXT],
        [
          [258, "é"],
          [null, ""],
        ],
      ).toString("hex"),
    ).toBe(
      [
        "5047434f50590aff0d0a00",
        "00000000",
        "00000000",
        "0002 00000004 00000102 00000002 c3a9",
        "0002 ffffffff 00000000",
        "ffff",
      ]
        .join("")
        .replaceAll(" ", ""),
    );
    expect(encoded("binary", [INT4], []).length).toBe(21);
  });

  test.each([
    ["a uuid", UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11"],
    ["jsonb", JSONB, { a: 1 }, `01${Buffer.from('{"a":1}').toString("hex")}`],
    ["serialised json", JSON_, "[1]", Buffer.from("[1]").toString("hex")],
    ["a label", ENUM, "sad", Buffer.from("sad").toString("hex")],
    ["a number for text", TEXT, 5, "35"],
    ["a boolean", BOOL, true, "01"],
  ])("writes %s", (_what, oid, value, expected) => {
    const length = (expected.length / 2).toString(16).padStart(8, "0");
    const hex = encoded("binary", [oid], [[value]]).toString("hex");
    expect(hex.slice(38)).toBe(`0001${length}${expected}ffff`);
  });

  test.each([
    ["a string for an integer", INT4, "1"],
    ["a number for a boolean", BOOL, 1],
    ["a numeric that is none", NUMERIC, "one"],
    ["a date in words", DATE, "tomorrow"],
    ["a string that is no uuid", UUID, "a0eebc99"],
    ["a number for a type that is not known", ENUM, 5],
    ["a fraction for an integer", INT4, 1.5],
    ["a NUL in json", JSONB, "\0"],
    ["undefined", TEXT, undefined],
  ])("refuses %s by row and column", (_what, oid, value) => {
    const message = messageOf(() => encoded("binary", [oid], [[null], [value]]));
    expect(message).toMatch(/^row 2, column c0: .* \[ARGUMENT_INVALID\]$/);
  });
});

describe("rows from a source that gives them later", () => {
  test("come in the same pieces", async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => [i, `name ${i}`]);
    async function* later() {
      for (const row of rows) yield await Promise.resolve(row);
    }
    const pieces: Buffer[] = [];
    const source = encodeRows(columnsOf([INT4, TEXT]), "text", later());
    for await (const piece of source) pieces.push(Buffer.from(piece as Uint8Array));
    expect(pieces.length).toBeGreaterThan(2);
    expect(Buffer.concat(pieces).equals(encoded("text", [INT4, TEXT], rows))).toBe(true);
  });

  test("are not asked for any more after one that cannot be sent", async () => {
    let isOver = false;
    async function* later() {
      try {
        for (;;) yield await Promise.resolve([1.5]);
      } finally {
        isOver = true;
      }
    }
    const source = encodeRows(columnsOf([INT4]), "text", later()) as AsyncIterable<Buffer>;
    const reading = source[Symbol.asyncIterator]();
    await expect(reading.next()).rejects.toThrow("row 1, column c0: ");
    expect(isOver).toBe(true);
  });
});
