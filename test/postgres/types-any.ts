// SQL for any value of the built-in types, its ends and oddities more often than the rest.

import * as fc from "fast-check";

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A whole number from the range, its ends and its middle more often than the rest. */
function bigs(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  return fc.oneof(fc.bigInt({ min, max }), fc.bigInt({ min: -1000n, max: 1000n }));
}

const plainText = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('"', "\\", "{", "}", ",", ";", "'", " ", "NULL"),
      fc.string({ unit: "binary", maxLength: 1 }),
    ),
  })
  .filter((text) => !text.includes("\0"));

const TIMESTAMP_US_MIN = -211_813_488_000_000_000n;
const TIMESTAMP_US_MAX = 9_223_371_331_199_999_999n;
const DATE_US_MAX = (8_640_000_000_000_000n - 946_684_800_000n) * 1000n;

function microsecondsSql(us: bigint): string {
  return `interval '${us / 1_000_000n} s ${us % 1_000_000n} us'`;
}

function timestampSql(us: bigint): string {
  return `'2000-01-01'::timestamp + ${microsecondsSql(us)}`;
}

/** SQL for any value of a type. */
export const ANY: Record<string, fc.Arbitrary<string>> = {
  bool: fc.boolean().map(String),
  int2: bigs(-(2n ** 15n), 2n ** 15n - 1n).map((n) => `'${n}'`),
  int4: bigs(-(2n ** 31n), 2n ** 31n - 1n).map((n) => `'${n}'`),
  int8: bigs(-(2n ** 63n), 2n ** 63n - 1n).map((n) => `'${n}'`),
  oid: bigs(0n, 2n ** 32n - 1n).map((n) => `'${n < 0n ? -n : n}'`),
  float4: fc
    .oneof(
      fc.float(),
      fc.integer({ min: -149, max: 127 }).map((power) => 2 ** power),
    )
    .map((n) => `'${Object.is(n, -0) ? "-0" : n}'`),
  float8: fc.double().map((n) => `'${Object.is(n, -0) ? "-0" : n}'`),
  numeric: fc
    .tuple(fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }), fc.integer({ min: -80, max: 60 }))
    .map(([digits, exponent]) => `'${digits}e${exponent}'`),
  text: plainText.map(quoted),
  varchar: plainText.map(quoted),
  bpchar: plainText.map(quoted),
  char: fc.integer({ min: 0, max: 127 }).map((n) => (n === 0 ? "''" : `chr(${n})`)),
  bytea: fc.uint8Array().map((bytes) => `'\\x${Buffer.from(bytes).toString("hex")}'`),
  uuid: fc.uuid().map(quoted),
  json: fc.json({ stringUnit: "grapheme" }).map(quoted),
  jsonb: fc
    .json({ stringUnit: "grapheme" })
    .filter((text) => !text.includes("\\u0000"))
    .map(quoted),
  date: bigs(-2_451_507n, 2_145_031_948n)
    .filter((days) => days >= -2_451_507n)
    .map((days) => `'2000-01-01'::date + ${days}::int4`),
  time: fc
    .bigInt({ min: 0n, max: 86_399_999_999n })
    .map((us) => `'0:00'::time + interval '${us} us'`),
  timetz: fc
    .tuple(fc.integer({ min: 0, max: 86_399 }), fc.integer({ min: -57_599, max: 57_599 }))
    .map(
      ([seconds, zone]) =>
        `timezone(interval '${zone} s', '0:00+00'::timetz + interval '${seconds} s')`,
    ),
  timestamp: bigs(TIMESTAMP_US_MIN, TIMESTAMP_US_MAX).map(timestampSql),
  timestamptz: bigs(TIMESTAMP_US_MIN, DATE_US_MAX).map(
    (us) => `(${timestampSql(us)}) AT TIME ZONE 'UTC'`,
  ),
  interval: fc
    .tuple(fc.integer(), fc.integer(), bigs(-(2n ** 63n) / 10n, 2n ** 63n / 10n))
    .map(
      ([months, days, us]) => `'${months} mons ${days} days'::interval + ${microsecondsSql(us)}`,
    ),
};
