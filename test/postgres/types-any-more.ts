// SQL for any value of the built-in types that are more than a scalar, or have a form of their own.

import * as fc from "fast-check";
import { ANY } from "./types-any.ts";

const number = fc.oneof(
  fc.double().map((n) => (Object.is(n, -0) ? "-0" : String(n))),
  fc.constantFrom("1e300", "-0", "5e-324", "123456789012345680", "0.1", "1e15", "1e-5"),
);
const finite = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String);
const point = fc.tuple(number, number).map(([x, y]) => `(${x},${y})`);
const points = fc.array(point, { minLength: 1, maxLength: 5 }).map((all) => all.join(","));

function quotedAs(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return text.map((value) => `'${value}'`);
}

function hexPairs(count: number): fc.Arbitrary<string> {
  const byte = fc.nat(255).map((n) => n.toString(16).padStart(2, "0"));
  return fc.array(byte, { minLength: count, maxLength: count }).map((all) => all.join(":"));
}

/** Words that are zero more often than not, as the short forms of addresses are about zeros. */
const word = fc.oneof(fc.constant(0), fc.constantFrom(1, 0xffff), fc.nat(0xffff));
const inet = fc.oneof(
  fc.tuple(fc.ipV4(), fc.nat(32)).map(([ip, bits]) => `'${ip}/${bits}'`),
  fc
    .tuple(fc.array(word, { minLength: 8, maxLength: 8 }), fc.nat(128))
    .map(([words, bits]) => `'${words.map((w) => w.toString(16)).join(":")}/${bits}'`),
  fc.constantFrom("'::'", "'::1'", "'::2'", "'::ffff:1.2.3.4'", "'::1.2.3.4'", "'1::'"),
  fc.constantFrom("'0.0.0.0/0'", "'::/0'", "'255.255.255.255'", "'1:0:0:2:0:0:0:3'"),
);

/** A range with ends in the right order, one of them missing now and then, or an empty one. */
function rangeOf(type: string, element: string, bounds: readonly string[]): fc.Arbitrary<string> {
  const any = ANY[element] ?? fc.constant("NULL");
  // Ends that a Date would bring together.
  const value =
    element === "timestamptz" ? any.map((sql) => `date_trunc('milliseconds', ${sql})`) : any;
  const end = fc.option(value, { nil: "NULL", freq: 4 });
  const range = fc.tuple(end, end, fc.constantFrom(...bounds)).map(([a, b, how]) => {
    const [x, y] = [`(${a})::${element}`, `(${b})::${element}`];
    const isOpen = a === "NULL" || b === "NULL";
    const lower = isOpen ? x : `least(${x},${y})`;
    return `${type}(${lower},${isOpen ? y : `greatest(${x},${y})`},'${how}')`;
  });
  return fc.oneof(
    { weight: 9, arbitrary: range },
    { weight: 1, arbitrary: fc.constant(`'empty'::${type}`) },
  );
}

const SOME = ["[)", "()"];
const ALL = ["[)", "[]", "(]", "()"];
const RANGES: Record<string, fc.Arbitrary<string>> = {
  int4range: rangeOf("int4range", "int4", ["[)"]),
  int8range: rangeOf("int8range", "int8", ["[)"]),
  numrange: rangeOf("numrange", "numeric", ALL),
  daterange: rangeOf("daterange", "date", ["[)"]),
  tsrange: rangeOf("tsrange", "timestamp", ALL),
  tstzrange: rangeOf("tstzrange", "timestamptz", SOME),
};
const MULTIRANGES = Object.fromEntries(
  Object.entries(RANGES).map(([range, any]) => {
    const type = range.replace("range", "multirange");
    const ranges = fc.array(any, { maxLength: 4 });
    return [type, ranges.map((all) => `${type}(${all.join(",")})`)];
  }),
);

const bits = fc.array(fc.boolean(), { maxLength: 20 }).map((all) => all.map(Number).join(""));
const uint32 = fc.oneof(fc.nat().map(String), fc.constantFrom("0", "4294967295", "2147483648"));

/** SQL for any value of a type. */
export const ANY_MORE: Record<string, fc.Arbitrary<string>> = {
  inet,
  cidr: inet.map((sql) => `network(${sql}::inet)`),
  macaddr: quotedAs(hexPairs(6)),
  macaddr8: quotedAs(hexPairs(8)),
  bit: quotedAs(bits),
  varbit: quotedAs(bits),
  point: quotedAs(point),
  line: fc
    .tuple(finite, finite, finite)
    .filter(([a, b]) => Math.abs(Number(a)) > 1e-5 || Math.abs(Number(b)) > 1e-5)
    .map(([a, b, c]) => `'{${a},${b},${c}}'`),
  lseg: quotedAs(fc.tuple(point, point).map(([a, b]) => `[${a},${b}]`)),
  box: quotedAs(fc.tuple(point, point).map(([a, b]) => `${a},${b}`)),
  path: quotedAs(
    fc
      .tuple(points, fc.constantFrom("[]", "()"))
      .map(([all, ends]) => `${ends[0]}${all}${ends[1]}`),
  ),
  polygon: quotedAs(points.map((all) => `(${all})`)),
  circle: quotedAs(
    fc.tuple(point, finite).map(([at, radius]) => `<${at},${Math.abs(Number(radius))}>`),
  ),
  xid: quotedAs(uint32),
  cid: quotedAs(uint32),
  xid8: quotedAs(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n) => String(n))),
  tid: quotedAs(fc.tuple(uint32, fc.nat(65_535)).map(([block, at]) => `(${block},${at})`)),
  pg_lsn: quotedAs(
    fc
      .tuple(fc.nat(), fc.nat())
      .map(([high, low]) => `${high.toString(16)}/${low.toString(16)}`.toUpperCase()),
  ),
  int2vector: quotedAs(
    fc.array(fc.integer({ min: -32_768, max: 32_767 })).map((all) => all.join(" ")),
  ),
  oidvector: quotedAs(fc.array(uint32).map((all) => all.join(" "))),
  pg_snapshot: quotedAs(fc.constantFrom("10:20:", "10:20:10", "10:20:10,14,15")),
  txid_snapshot: quotedAs(fc.constantFrom("10:20:", "10:20:10,14,15")),
  refcursor: quotedAs(fc.constantFrom("a", "b c")),
  jsonpath: quotedAs(fc.constantFrom("$", "$.a[*] ? (@ > 1)", 'lax $."b c"')),
  ...RANGES,
  ...MULTIRANGES,
};
