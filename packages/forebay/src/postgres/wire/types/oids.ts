// The built-in types by number, as the catalogue pg_type lists them. Facts only: what a type
// becomes is table.ts's.

/** One row of the catalogue. */
export interface PgType {
  readonly name: string;
  readonly oid: number;
  /** The type of arrays of it; 0 when there is none. */
  readonly arrayOid: number;
  /** What stands between the elements of an array in text format. */
  readonly delimiter: "," | ";";
}

function type(name: string, oid: number, arrayOid: number, delimiter: "," | ";" = ","): PgType {
  return { name, oid, arrayOid, delimiter };
}

/**
 * The built-in types that can be the type of a column. The numbers are part of PostgreSQL's
 * protocol and never change. To add a type that is read and written as text, add its row here; one
 * with a codec also has a row in table.ts.
 */
export const PG_TYPES: readonly PgType[] = [
  type("bool", 16, 1000),
  type("bytea", 17, 1001),
  type("char", 18, 1002),
  type("name", 19, 1003),
  type("int8", 20, 1016),
  type("int2", 21, 1005),
  type("int2vector", 22, 1006),
  type("int4", 23, 1007),
  type("regproc", 24, 1008),
  type("text", 25, 1009),
  type("oid", 26, 1028),
  type("tid", 27, 1010),
  type("xid", 28, 1011),
  type("cid", 29, 1012),
  type("oidvector", 30, 1013),
  type("json", 114, 199),
  type("xml", 142, 143),
  type("point", 600, 1017),
  type("lseg", 601, 1018),
  type("path", 602, 1019),
  type("box", 603, 1020, ";"),
  type("polygon", 604, 1027),
  type("line", 628, 629),
  type("cidr", 650, 651),
  type("float4", 700, 1021),
  type("float8", 701, 1022),
  type("unknown", 705, 0),
  type("circle", 718, 719),
  type("macaddr8", 774, 775),
  type("money", 790, 791),
  type("macaddr", 829, 1040),
  type("inet", 869, 1041),
  type("aclitem", 1033, 1034),
  type("bpchar", 1042, 1014),
  type("varchar", 1043, 1015),
  type("date", 1082, 1182),
  type("time", 1083, 1183),
  type("timestamp", 1114, 1115),
  type("timestamptz", 1184, 1185),
  type("interval", 1186, 1187),
  type("timetz", 1266, 1270),
  type("bit", 1560, 1561),
  type("varbit", 1562, 1563),
  type("numeric", 1700, 1231),
  type("refcursor", 1790, 2201),
  type("regprocedure", 2202, 2207),
  type("regoper", 2203, 2208),
  type("regoperator", 2204, 2209),
  type("regclass", 2205, 2210),
  type("regtype", 2206, 2211),
  type("record", 2249, 2287),
  type("cstring", 2275, 1263),
  type("void", 2278, 0),
  type("uuid", 2950, 2951),
  type("txid_snapshot", 2970, 2949),
  type("pg_lsn", 3220, 3221),
  type("tsvector", 3614, 3643),
  type("tsquery", 3615, 3645),
  type("regconfig", 3734, 3735),
  type("regdictionary", 3769, 3770),
  type("jsonb", 3802, 3807),
  type("int4range", 3904, 3905),
  type("numrange", 3906, 3907),
  type("tsrange", 3908, 3909),
  type("tstzrange", 3910, 3911),
  type("daterange", 3912, 3913),
  type("int8range", 3926, 3927),
  type("jsonpath", 4072, 4073),
  type("regnamespace", 4089, 4090),
  type("regrole", 4096, 4097),
  type("regcollation", 4191, 4192),
  type("int4multirange", 4451, 6150),
  type("nummultirange", 4532, 6151),
  type("tsmultirange", 4533, 6152),
  type("tstzmultirange", 4534, 6153),
  type("datemultirange", 4535, 6155),
  type("int8multirange", 4536, 6157),
  type("pg_snapshot", 5038, 5039),
  type("xid8", 5069, 271),
];
