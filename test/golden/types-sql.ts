// A statement with a column of every built-in type: a usual value, one at the end of the range, and
// NULL.

/** The name of each type, a usual value, and one at an end. */
export const VALUES: readonly (readonly [type: string, usual: string, extreme: string])[] = [
  ["bool", "t", "f"],
  ["bytea", "\\x0001ff", "\\x"],
  ['"char"', "x", ""],
  ["name", "pg_class", ""],
  ["int2", "-2", "-32768"],
  ["int4", "70000", "-2147483648"],
  ["int8", "1099511627776", "-9223372036854775808"],
  ["int2vector", "1 2", ""],
  ["oidvector", "1 4294967295", ""],
  ["oid", "26", "4294967295"],
  ["regproc", "now", "-"],
  ["regclass", "pg_class", "-"],
  ["regtype", "int4", "-"],
  ["text", "née ❤", ""],
  ["varchar", "a", ""],
  ["bpchar", "a  ", ""],
  ["tid", "(1,2)", "(4294967295,65535)"],
  ["xid", "3", "4294967295"],
  ["xid8", "3", "18446744073709551615"],
  ["cid", "3", "4294967295"],
  ["json", '{"a": [1, null]}', "null"],
  ["jsonb", '{"a": [1, null]}', '"\\u00e9"'],
  ["jsonpath", '$."a"[*]', "$"],
  ["float4", "1.5", "-Infinity"],
  ["float8", "-0", "1.7976931348623157e308"],
  ["numeric", "-12345.678900", "NaN"],
  ["money", "12.34", "-92233720368547758.08"],
  ["uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  ["date", "2024-02-29", "infinity"],
  ["time", "23:59:59.25", "24:00:00"],
  ["timetz", "23:59:59.25-08", "24:00:00-15:59:59"],
  ["timestamp", "2024-02-29 23:59:59.123456", "4713-01-01 00:00:00 BC"],
  ["timestamptz", "2024-02-29 23:59:59.123+05:30", "-infinity"],
  ["interval", "1 mon -1 days 00:00:01", "-178000000 years"],
  ["inet", "10.0.0.1/8", "::ffff:1.2.3.4/100"],
  ["cidr", "10.0.0.0/8", "::/0"],
  ["macaddr", "08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"],
  ["macaddr8", "08:00:2b:01:02:03:04:05", "ff:ff:ff:ff:ff:ff:ff:ff"],
  ["bit(3)", "101", "000"],
  ["varbit", "101010101", ""],
  ["pg_lsn", "16/B374D848", "FFFFFFFF/FFFFFFFF"],
  ["pg_snapshot", "10:20:10,14", "1:1:"],
  ["tsvector", "a:1 b:2A", ""],
  ["tsquery", "a & !b", ""],
  ["point", "(1,2)", "(-0,1e300)"],
  ["line", "{1,2,3}", "{0,-1,0}"],
  ["lseg", "[(1,2),(3,4)]", "[(0,0),(0,0)]"],
  ["box", "(3,4),(1,2)", "(0,0),(0,0)"],
  ["path", "[(1,2),(3,4)]", "((1,2))"],
  ["polygon", "((1,2),(3,4))", "((0,0))"],
  ["circle", "<(1,2),3>", "<(0,0),0>"],
  ["int4range", "[1,5)", "empty"],
  ["int8range", "[1,5)", "(,)"],
  ["numrange", "(1.5,2.50]", "[1,)"],
  ["daterange", "[2024-01-01,2024-02-29)", "[infinity,)"],
  ["tsrange", '["2024-02-29 00:00:00",)', "empty"],
  ["tstzrange", '["2024-02-29 00:00:00+00","2024-03-01 00:00:00+00"]', "(,)"],
  ["int4multirange", "{[1,5),[7,9)}", "{}"],
  ["nummultirange", "{[1.5,2.5)}", "{(,)}"],
  ["int4[]", "{1,NULL,3}", "[0:1][5:6]={{1,2},{3,4}}"],
  ["text[]", '{"a\\"",b,"NULL",NULL}', "{}"],
  ["box[]", "{(3,4),(1,2);(0,0),(0,0)}", "{}"],
  ["numeric[]", "{1.10,NaN}", "{}"],
  ["timestamptz[]", '{"2024-02-29 00:00:00+00"}', "{infinity}"],
  ["int4range[]", '{"[1,5)",empty}', "{}"],
];

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function column([type]: (typeof VALUES)[number], at: number, literal: string): string {
  return `${literal}::${type} AS c${at + 1}`;
}

/** Three rows with a column of each type. */
export const TYPES_SQL: string = [
  VALUES.map((value, at) => column(value, at, quoted(value[1]))),
  VALUES.map((value, at) => column(value, at, quoted(value[2]))),
  VALUES.map((value, at) => column(value, at, "NULL")),
]
  .map((columns) => `SELECT ${columns.join(", ")}`)
  .join(" UNION ALL ");

function row(which: 1 | 2): string {
  return `ROW(${VALUES.map((value) => `${quoted(value[which])}::${value[0]}`).join(", ")})`;
}

/** The first two of these rows as values: each value in them comes in binary, whatever its type. */
export const RECORDS_SQL: string = `SELECT ${row(1)} AS usual, ${row(2)} AS extreme`;

/** Values of other kinds: a row, a domain's, a void. */
export const MORE_TYPES_SQL: string =
  "SELECT ROW(1, 'a', NULL, ARRAY[1.5]) AS row, 1::information_schema.cardinal_number AS domain, " +
  "pg_catalog.set_config('a.b', '', false) AS setting, pg_catalog.pg_sleep(0) AS nothing";
