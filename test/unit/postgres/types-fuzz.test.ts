// Every decoder, given what is nearly right: valid bytes with a piece missing, a piece too many, or
// one byte changed. Nothing but the two errors that a decoder may throw comes out.

import { describe, expect, it } from "vitest";
import { isForebayError } from "../../../packages/forebay/src/base/errors.ts";
import { ProtocolError } from "../../../packages/forebay/src/postgres/wire/proto/protocol-error.ts";
import { Writer } from "../../../packages/forebay/src/postgres/wire/proto/writer.ts";
import { entriesOf } from "../../../packages/forebay/src/postgres/wire/types/catalog.ts";
import type { Codec, Decode } from "../../../packages/forebay/src/postgres/wire/types/codec.ts";
import { PG_TYPES } from "../../../packages/forebay/src/postgres/wire/types/oids.ts";
import { Range } from "../../../packages/forebay/src/postgres/wire/types/range.ts";
import {
  builtInTable,
  typeNumber,
} from "../../../packages/forebay/src/postgres/wire/types/table.ts";

/** Values that are written in binary, and the texts of the same or such values. */
const SAMPLES: Record<string, { readonly binary?: unknown[]; readonly text: string[] }> = {
  bool: { binary: [true], text: ["t"] },
  int2: { binary: [-2], text: ["-2"] },
  int4: { binary: [70_000], text: ["70000"] },
  int8: { binary: [2n ** 60n], text: ["9223372036854775807"] },
  xid8: { binary: [2n ** 63n], text: ["18446744073709551615"] },
  float8: { binary: [1.5], text: ["1.5e+20"] },
  float4: { binary: [1.5], text: ["-Infinity"] },
  numeric: { binary: ["-12345.678900"], text: ["-12345.678900"] },
  text: { binary: ["née"], text: ["née"] },
  bytea: { binary: [Buffer.from([1, 2])], text: ["\\x0102", "a\\001"] },
  uuid: {
    binary: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    text: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  },
  jsonb: { binary: [Buffer.from('{"a":[1]}')], text: ['{"a":[1]}'] },
  date: { binary: ["2024-02-29"], text: ["0044-03-15 BC"] },
  time: { binary: ["23:59:59.25"], text: ["24:00:00"] },
  timetz: { binary: ["23:59:59.25-08"], text: ["24:00:00-15:59:59"] },
  timestamp: { binary: ["2024-02-29 23:59:59.25"], text: ["infinity"] },
  timestamptz: { binary: [new Date(0)], text: ["2024-02-29 23:59:59.123456+05:30"] },
  interval: { binary: ["1 mon -1 days"], text: ["1 mon -1 days +00:00:01"] },
  inet: { binary: ["10.0.0.1/8", "::1"], text: ["::ffff:1.2.3.4/100"] },
  cidr: { binary: ["10.0.0.0/8"], text: ["10.0.0.0/8"] },
  macaddr: { binary: ["08:00:2b:01:02:03"], text: ["08:00:2b:01:02:03"] },
  varbit: { binary: ["101010101"], text: ["101"] },
  tid: { binary: ["(1,2)"], text: ["(1,2)"] },
  pg_lsn: { binary: ["16/B374D848"], text: ["16/B374D848"] },
  point: { binary: [{ x: 1, y: -0 }], text: ["(1,1e+300)"] },
  line: { binary: [{ a: 1, b: 2, c: 3 }], text: ["{1,2,3}"] },
  path: {
    binary: [{ closed: false, points: [{ x: 1, y: 2 }] }],
    text: ["((1,2),(3,4))", "[(1,2)]"],
  },
  polygon: { binary: [{ points: [{ x: 1, y: 2 }] }], text: ["((1,2),(3,4))"] },
  circle: { binary: [{ x: 1, y: 2, radius: 3 }], text: ["<(1,2),3>"] },
  int4range: { binary: [new Range(1, 5), Range.empty()], text: ["[1,5)", "empty", "(,)"] },
  tsrange: {
    binary: [new Range("2024-02-29 00:00:00", null)],
    text: ['["2024-02-29 00:00:00",)'],
  },
  int4multirange: { binary: [[new Range(1, 5), new Range(7, 9)]], text: ["{[1,5),[7,9)}", "{}"] },
  nummultirange: { text: ['{["1",5),(7,)}'] },
  int2vector: { text: ["1 2"] },
  pg_snapshot: { text: ["10:20:10,14"] },
  jsonpath: { binary: ['$."a"'], text: ['$."a"'] },
  record: { text: ['(1,"a ""b"",\\\\",,"")', "()"] },
};

const ARRAY_SAMPLES: Record<string, { readonly binary: unknown[]; readonly text: string[] }> = {
  int4: {
    binary: [
      [1, null],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    text: ["[0:1][5:6]={{1,2},{NULL,4}}"],
  },
  text: { binary: [["a", null]], text: ['{"a\\"",b,NULL}'] },
  point: { binary: [[{ x: 1, y: 2 }]], text: ['{"(1,2)"}'] },
  int4multirange: { binary: [[[new Range(1, 5)], []]], text: ['{"{[1,5)}","{}"}'] },
};

const COMPOSITE = 100_001;
const table = new Map([
  ...builtInTable("number"),
  ...entriesOf(
    [
      {
        oid: COMPOSITE,
        name: "thing",
        kind: "c",
        delimiter: ",",
        element: 0,
        base: 0,
        of: null,
        attributes: [
          { name: "id", oid: 23 },
          { name: "tags", oid: 1009 },
          { name: "span", oid: 3904 },
        ],
      },
    ],
    {
      known: (oid) => builtInTable("number").get(oid),
      own: (_oid, _name, codec) => codec,
      onAltered: () => undefined,
    },
  ),
]);

function codecOf(oid: number): Codec {
  const entry = table.get(oid);
  if (entry === undefined) throw new Error(`no type ${oid}`);
  return entry.codec;
}

function arrayNumber(name: string): number {
  return PG_TYPES.find((type) => type.name === name)?.arrayOid ?? 0;
}

function written(codec: Codec, value: unknown): Buffer {
  const writer = new Writer();
  expect(codec.takes(value)).toBe(true);
  codec.write(writer, value);
  return writer.take().subarray(4);
}

/** The bytes with every tail cut off, with one more byte, and with each byte made another. */
function* nearly(bytes: Buffer): Generator<Buffer> {
  for (let end = 0; end <= bytes.length; end++) yield bytes.subarray(0, end);
  for (const more of ["\0", "}", '"', "\\", ",", "0", "\xff"]) {
    yield Buffer.concat([bytes, Buffer.from(more, "latin1")]);
    yield Buffer.concat([Buffer.from(more, "latin1"), bytes]);
  }
  for (let at = 0; at < bytes.length; at++) {
    for (let mask = 1; mask < 256; mask = mask < 16 ? mask + 1 : mask * 2) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ mask;
      yield changed;
    }
  }
}

/** How many of the variants are refused; any other error is thrown on. */
function refusals(decode: Decode, bytes: Buffer): number {
  let count = 0;
  for (const variant of nearly(bytes)) {
    const chunk = Buffer.concat([Buffer.from("99"), variant, Buffer.from("99")]);
    try {
      decode(chunk, 2, 2 + variant.length);
    } catch (error) {
      const isRange = isForebayError(error) && error.code === "VALUE_OUT_OF_RANGE";
      if (!(error instanceof ProtocolError) && !isRange) throw error;
      count++;
    }
  }
  return count;
}

describe("a decoder, given valid bytes with a piece missing, too many or changed", () => {
  it.each(Object.entries(SAMPLES))("of %s throws nothing unforeseen", (name, samples) => {
    const codec = codecOf(typeNumber(name) ?? 0);
    for (const value of samples.binary ?? []) {
      expect(refusals(codec.binary, written(codec, value))).toBeGreaterThanOrEqual(0);
    }
    for (const text of samples.text) {
      expect(refusals(codec.text, Buffer.from(text))).toBeGreaterThanOrEqual(0);
    }
  });

  it.each(Object.entries(ARRAY_SAMPLES))("of %s[] throws nothing unforeseen", (name, samples) => {
    const codec = codecOf(arrayNumber(name));
    for (const value of samples.binary) {
      expect(refusals(codec.binary, written(codec, value))).toBeGreaterThan(0);
    }
    for (const text of samples.text) {
      expect(refusals(codec.text, Buffer.from(text))).toBeGreaterThan(0);
    }
  });

  it("of a composite or a record throws nothing unforeseen", () => {
    const codec = codecOf(COMPOSITE);
    const bytes = written(codec, { id: 1, tags: ["a", null], span: new Range(1, 5) });
    expect(codec.binary(bytes, 0, bytes.length)).toEqual({
      id: 1,
      tags: ["a", null],
      span: new Range(1, 5),
    });
    expect(refusals(codec.binary, bytes)).toBeGreaterThan(0);
    expect(refusals(codec.text, Buffer.from('(1,"{a,""b""}","[1,5)")'))).toBeGreaterThan(0);
    const record = codecOf(typeNumber("record") ?? 0);
    expect(record.binary(bytes, 0, bytes.length)).toEqual([1, ["a", null], new Range(1, 5)]);
    expect(refusals(record.binary, bytes)).toBeGreaterThan(0);
  });
});
