// Every type there and back: what the server has reads the same from both formats, goes back as a
// parameter in both, and is then, to the server, what it was.

import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PG_TYPES } from "../../packages/forebay/src/postgres/wire/types/oids.ts";
import {
  decoderFor,
  json,
  paramFormat,
  type TypePolicy,
} from "../../packages/forebay/src/postgres/wire/types/index.ts";
import { ANY } from "./types-any.ts";
import { ANY_MORE } from "./types-any-more.ts";
import { openTypesSession, type TypesSession } from "./types-session.ts";

const AUTO: TypePolicy = { int8: "auto" };
const EVERY: Record<string, fc.Arbitrary<string>> = { ...ANY, ...ANY_MORE };

/** Types whose value does not tell their text: a Date has no microseconds, and JSON no one form. */
const LOSSY = /^(?:json|jsonb|timestamptz)$/;

/** Types whose values are bytes or text in either format, or go as text for the server to read. */
const TEXT_PARAM = /^(?:name|char|json|jsonb|\w*vector|\w*snapshot)$/;

let session: TypesSession;

beforeAll(async () => {
  session = await openTypesSession();
});

afterAll(async () => {
  await session.close();
});

function numbersOf(name: string): { readonly oid: number; readonly arrayOid: number } {
  const type = PG_TYPES.find((type) => type.name === name);
  if (type === undefined) throw new Error(`no type ${name}`);
  return type;
}

/** Takes values that SQL makes through all formats. `cast` is the type, and `oid` its number. */
async function checkRoundTrip(
  cast: string,
  oid: number,
  expressions: readonly string[],
  isLossy: boolean,
): Promise<unknown[]> {
  const fromText = (text: unknown): unknown => {
    const bytes = Buffer.from(text as string);
    return decoderFor(oid, 0, AUTO)(bytes, 0, bytes.length);
  };
  // Of a record each value comes in binary, whatever its type.
  const values = expressions.map((sql) => `((${sql})::${cast})`).join(",");
  const rows = await session.prepared(
    `SELECT format('%s', v), ROW(v) FROM (VALUES ${values}) AS t (v)`,
    [],
  );
  const read: unknown[] = [];
  for (const [text, record] of rows) {
    const [value] = record as unknown[];
    expect(fromText(text)).toStrictEqual(value);
    read.push(value);
  }
  const places = read.map((_, i) => `format('%s', $${i + 1}::${cast})`).join(",");
  const args = /"jsonb?"/.test(cast) ? read.map((value) => json(value)) : read;
  const [known = []] = await session.prepared(`SELECT ${places}`, args);
  const [loose = []] = await session.rows(`SELECT ${places}`, args);
  const texts = rows.map(([text]) => text);
  expect(isLossy ? texts : known).toEqual(texts);
  expect(isLossy ? texts : loose).toEqual(texts);
  expect(known.map(fromText)).toStrictEqual(read);
  expect(loose.map(fromText)).toStrictEqual(read);
  return read;
}

describe("any value", () => {
  it.each(Object.keys(EVERY))("of %s survives every format, both ways", async (name) => {
    const { oid } = numbersOf(name);
    const some = fc.array(EVERY[name] ?? fc.constant("NULL"), { minLength: 10, maxLength: 30 });
    const property = fc.asyncProperty(some, async (expressions) => {
      const isLossy = LOSSY.test(name);
      const read = await checkRoundTrip(`pg_catalog."${name}"`, oid, expressions, isLossy);
      if (TEXT_PARAM.test(name)) return;
      for (const value of read) expect([value, paramFormat(value, oid)]).toEqual([value, 1]);
    });
    await fc.assert(property, { numRuns: 15 });
  });

  // JSON objects within arrays need a type to be told from composites, which json() gives.
  const inArrays = Object.keys(EVERY).filter((name) => !/^jsonb?$/.test(name));

  it.each(inArrays)("of %s[] survives every format, both ways", async (name) => {
    const { arrayOid } = numbersOf(name);
    const cast = `pg_catalog."${name}"`;
    const element = fc
      .option(EVERY[name] ?? fc.constant("NULL"))
      .map((sql) => `(${sql ?? "NULL"})::${cast}`);
    const flat = fc.array(element, { maxLength: 5 }).map((all) => `ARRAY[${all.join(",")}]`);
    const square = fc
      .tuple(element, element, element, element)
      .map(([a, b, c, d]) => `ARRAY[ARRAY[${a},${b}],ARRAY[${c},${d}]]`);
    const some = fc.array(fc.oneof(flat, square), { minLength: 3, maxLength: 8 });
    const property = fc.asyncProperty(some, async (arrays) => {
      const expressions = arrays.map((sql) => `${sql}::${cast}[]`);
      await checkRoundTrip(`${cast}[]`, arrayOid, expressions, LOSSY.test(name));
    });
    await fc.assert(property, { numRuns: 10 });
  });
});

/** Values at the very ends of their types. */
const EXTREMES: Record<string, string[]> = {
  numeric: [
    `repeat('9', 131072)::numeric`,
    `('0.' || repeat('0', 16382) || '1')::numeric`,
    `('-' || repeat('1234567', 2000) || '.' || repeat('7654321', 2000))::numeric`,
    "'NaN'",
    "'Infinity'",
    "'-Infinity'",
    "'0.00'",
    "'10000'",
    "'0.0001'",
    "'0.00010'",
    "'-9999.9999'",
    "'100000000000000000000'",
  ],
  date: ["'4714-11-24 BC'", "'5874897-12-31'", "'0001-01-01 BC'", "'infinity'", "'-infinity'"],
  timestamp: ["'4714-11-24 00:00:00 BC'", "'294276-12-31 23:59:59.999999'", "'infinity'"],
  time: ["'24:00'", "'23:59:60'", "'00:00'", "'23:59:59.999999'"],
  timetz: ["'24:00:00-15:59:59'", "'00:00+15:59:59'", "'23:59:60+00'"],
  interval: [
    "'-178000000 years -11 mons -3 days -04:05:06.789'",
    "make_interval(months => 2147483647, days => 2147483646)",
    "make_interval(months => -2147483648, days => -2147483647)",
    "'-1 mons -1 days -00:00:00.000001'",
    "'1 mon -1 days +00:00:01'",
    "'-2562047788:00:54.775807'",
  ],
  varbit: ["''", "repeat('10', 4000)::varbit"],
  int4range: ["'empty'", "'(,)'", "'[-2147483648,2147483647)'"],
  tsrange: ["'[infinity,infinity]'", "'(-infinity,)'", "'[4714-11-24 BC,294276-12-31)'"],
  numrange: ["'[NaN,NaN]'", "'[-Infinity,Infinity]'", "'(0.0,0.10]'"],
  nummultirange: ["'{}'", "'{(,)}'", "'{[1,2),(3,4]}'"],
  path: ["'[(0,0)]'", "'((NaN,Infinity),(-Infinity,-0))'"],
  uuid: ["'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'00000000-0000-0000-0000-000000000000'"],
  xid8: ["'18446744073709551615'", "'9007199254740991'", "'9007199254740992'"],
  bool: ["true", "false"],
  int2: ["'-32768'", "'32767'"],
  int4: ["'-2147483648'", "'2147483647'"],
  int8: ["'-9223372036854775808'", "'9223372036854775807'", "'9007199254740993'"],
  oid: ["'0'", "'4294967295'"],
  float4: ["'NaN'", "'-Infinity'", "'3.4028235e38'", "'1e-45'", "'-0'", "'16777217'"],
  float8: ["'NaN'", "'Infinity'", "'1.7976931348623157e308'", "'5e-324'", "'-0'", "'0.1'"],
  text: [
    "''",
    "repeat('x', 100000)",
    "'\u{1f600}e\u0301\u00e9'",
    "chr(1) || chr(127) || chr(1114111)",
  ],
  name: ["''", "repeat('n', 63)", "'\u00e9'"],
  bytea: ["''", "decode(repeat('00ff5c27', 20000), 'hex')"],
  timestamptz: ["'4714-11-24 00:00:00+00 BC'", "'275760-09-13 00:00:00+00'", "'-infinity'"],
  inet: ["'0.0.0.0/0'", "'255.255.255.255'", "'::'", "'ffff::1/1'", "'::ffff:1.2.3.4'"],
  cidr: ["'0.0.0.0/0'", "'::/0'", "'::ffff:0:0/96'", "'1:0:0:2::/64'"],
  macaddr: ["'00:00:00:00:00:00'", "'ff:ff:ff:ff:ff:ff'"],
  macaddr8: ["'00:00:00:00:00:00:00:00'", "'ff:ff:ff:ff:ff:ff:ff:ff'"],
  tid: ["'(0,0)'", "'(4294967295,65535)'"],
  xid: ["'0'", "'4294967295'"],
  cid: ["'0'", "'4294967295'"],
  pg_lsn: ["'0/0'", "'FFFFFFFF/FFFFFFFF'"],
  pg_snapshot: ["'1:1:'", "'9223372036854775807:9223372036854775807:'"],
  point: ["'(-0,0)'", "'(NaN,Infinity)'", "'(1e308,5e-324)'"],
  line: ["'{0,-1,0}'", "'{1e308,5e-324,-0}'"],
  lseg: ["'[(0,0),(0,0)]'", "'[(-Infinity,NaN),(1,-0)]'"],
  box: ["'(0,0),(0,0)'", "'(Infinity,1),(-Infinity,-1)'"],
  circle: ["'<(0,0),0>'", "'<(-0,NaN),Infinity>'"],
  polygon: ["'((0,0))'", "'((1,Infinity),(-0,5e-324))'"],
  int8range: ["'empty'", "'(,)'", "'[-9223372036854775808,9223372036854775807)'"],
  daterange: ["'empty'", "'[-infinity,infinity)'", "'[4714-11-24 BC,5874897-12-31)'"],
  tstzrange: ["'empty'", "'[-infinity,infinity]'", "'[4714-11-24 00:00:00+00 BC,)'"],
  int4multirange: ["'{}'", "'{(,)}'", "'{[-2147483648,0),[1,2147483647)}'"],
  int8multirange: ["'{}'", "'{(,-9223372036854775807),[9223372036854775806,)}'"],
  datemultirange: ["'{}'", "'{(,-infinity),[infinity,)}'"],
  tsmultirange: ["'{}'", "'{[4714-11-24 BC,0001-01-01 BC),(infinity,)}'"],
  tstzmultirange: ["'{}'", "'{[-infinity,2024-01-01 00:00:00+00),(infinity,)}'"],
  jsonpath: ["'$'", "'strict $.\"a b\"[last]'"],
  refcursor: ["''", "'a \"b\"'"],
};

describe("the ends of a type", () => {
  it.each(Object.entries(EXTREMES))("of %s survive every format, both ways", async (name, all) => {
    await checkRoundTrip(`pg_catalog."${name}"`, numbersOf(name).oid, all, LOSSY.test(name));
  });

  it("are more than a Date can be for the last years of timestamptz", async () => {
    const sql = "SELECT '294276-12-31 23:59:59.999999+00'::timestamptz";
    const outOfRange = expect.objectContaining({ code: "VALUE_OUT_OF_RANGE" });
    await expect(session.rows(sql)).rejects.toEqual(outOfRange);
    await expect(session.prepared(sql, [])).rejects.toEqual(outOfRange);
  });

  it("are more than one dimension, and other indexes than 1, for arrays", async () => {
    for (const literal of ["[0:1][5:6]={{1,2},{NULL,4}}", "{}", "{{{1}}}", "[-5:-5]={7}"]) {
      await checkRoundTrip("int4[]", numbersOf("int4").arrayOid, [`'${literal}'`], false);
      await checkRoundTrip("text[]", numbersOf("text").arrayOid, [`'${literal}'`], false);
    }
  });
});

describe("types that are read as text", () => {
  it.each([
    ["money", "'-$1,234.50'"],
    ["money", "'-92233720368547758.08'"],
    ["money", "'92233720368547758.07'"],
    ["tsvector", "''"],
    ["tsvector", "array_to_tsvector(ARRAY[repeat('x', 2046), 'a''b'])"],
    ["tsvector", "'w:16383A,16382'"],
    ["tsquery", "'a:*AB <16384> ''b c'''"],
    ["regproc", "'-'"],
    ["regprocedure", "'lower(text)'"],
    ["regoper", "'||/'"],
    ["regoperator", "'+(integer,integer)'"],
    ["regcollation", "'\"C\"'"],
    ["regconfig", "'simple'"],
    ["regdictionary", "'simple'"],
    ["regclass", "'4294967295'"],
    ["tsvector", "'''a b'':1A,2 c'"],
    ["tsquery", "'(a & b) | !c <-> d'"],
    ["regclass", "'pg_type'"],
    ["regtype", "'int4'"],
    ["regproc", "'now'"],
    ["regrole", "'pg_monitor'"],
    ["regnamespace", "'pg_catalog'"],
    ["aclitem", "'=r/pg_monitor'"],
    ["jsonpath", "'$.a'"],
  ])("%s is the same in a statement that is prepared, and comes back", async (type, sql) => {
    const text = `format('%s', ${sql}::${type})`;
    const [[expected, value] = []] = await session.rows(`SELECT ${text}, ${sql}::${type}`);
    const [[known] = []] = await session.prepared(`SELECT ${sql}::${type}`, []);
    expect([value, known]).toEqual([expected, expected]);
    expect(await session.prepared(`SELECT $1::${type}`, [value])).toEqual([[expected]]);
    expect(await session.rows(`SELECT $1::${type}`, [value])).toEqual([[expected]]);
    const array = [expected, null, expected];
    expect(await session.rows(`SELECT ARRAY[${sql}, NULL, ${sql}]::${type}[]`)).toEqual([[array]]);
    for (const how of ["rows", "prepared"] as const) {
      expect(await session[how](`SELECT $1::${type}[]`, [array])).toEqual([[array]]);
    }
  });

  it("are names for objects, which may be given by number", async () => {
    for (const how of ["rows", "prepared"] as const) {
      expect(await session[how]("SELECT $1::regclass, $2::regtype[]", [1259, [23, "25"]])).toEqual([
        ["pg_class", ["integer", "text"]],
      ]);
    }
  });
});

describe("a record", () => {
  const sql = `SELECT ROW(1, 'a "b",\\', NULL, ''::text, ARRAY[1,NULL], ROW(true), 1.50)`;

  it("is an array, whose values have their types in a prepared statement", async () => {
    expect(await session.prepared(sql, [])).toEqual([
      [[1, 'a "b",\\', null, "", [1, null], [true], "1.50"]],
    ]);
    expect(await session.prepared("SELECT ARRAY[ROW(1,2), ROW(3,NULL)]", [])).toEqual([
      [
        [
          [1, 2],
          [3, null],
        ],
      ],
    ]);
  });

  it("is an array of texts without one, as its text says nothing of types", async () => {
    expect(await session.rows(sql)).toEqual([
      [["1", 'a "b",\\', null, "", "{1,NULL}", "(t)", "1.50"]],
    ]);
    expect(await session.rows("SELECT ROW(), ROW('x')")).toEqual([[[], ["x"]]]);
  });
});
