// Rows of the conformance table: arguments and values.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const VALUE_ROWS: readonly ConformanceRow[] = [
  {
    id: "TestExec",
    pins: "Arguments are converted, and a wrong number or type of them is an error",
    open: "needs checked and named arguments",
  },
  {
    id: "TestQueryNamedArg",
    pins: "Named arguments reach the driver by name",
    open: "needs checked and named arguments",
  },
  {
    id: "TestNamedValueChecker",
    pins: "A driver may check, convert and remove arguments",
    open: "needs checked and named arguments",
  },
  {
    id: "TestNamedValueCheckerSkip",
    pins: "`ErrSkip` of the checker falls back to the default conversion",
    open: "needs checked and named arguments",
  },
  {
    id: "TestColumnConverterWithUnknownInputCount",
    pins: "A converter works where the number of inputs is unknown",
    open: "needs checked and named arguments",
  },
  {
    id: "TestDriverArgsWrapsErrors",
    pins: "An error in converting an argument can be unwrapped (#64707)",
    open: "needs checked and named arguments",
  },
  {
    id: "TestInvalidNilValues",
    pins: "NULL into what cannot hold it is an error that names the type",
    open: "needs `scan`",
  },
  {
    id: "TestValidNilValues",
    pins: "NULL into what can hold it",
    open: "needs `scan`",
  },
  {
    id: "TestNullByteSlice",
    pins: "NULL and empty bytes differ (#2788)",
    open: "needs `scan`",
  },
  {
    id: "TestPointerParamsAndScans",
    pins: "Pointers as arguments and destinations: nil is NULL",
    open: "needs `scan`",
  },
  {
    id: "TestTypedString",
    pins: "A string type of one's own is scanned like a string (#18101)",
    open: "needs `scan`",
  },
  {
    id: "TestNullStringParam",
    pins: "`NullString` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestNullInt64Param",
    pins: "`NullInt64` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestNullInt32Param",
    pins: "`NullInt32` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestNullInt16Param",
    pins: "`NullInt16` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestNullByteParam",
    pins: "`NullByte` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestNullFloat64Param",
    pins: "`NullFloat64` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestNullBoolParam",
    pins: "`NullBool` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestNullTimeParam",
    pins: "`NullTime` as argument and destination: NULL and the zero value differ",
    open: "needs `scan`",
  },
  {
    id: "TestGenericNullStringParam",
    pins: "`Null[string]` as argument and destination",
    open: "needs `scan`",
  },
  {
    id: "TestIssue69837",
    pins: "`Null[T].Value` of a value that the default converter changes",
    open: "needs `scan`",
  },
  {
    id: "TestIssue69728",
    pins: "`Null[T].Value` of a value that is a `Valuer` itself",
    open: "needs `scan`",
  },
  {
    id: "TestNullTypeScanErrorConsistency",
    pins: "After a failed `Scan` a `Null` type is not valid (#45662)",
    open: "needs `scan`",
  },
  {
    id: "TestNullTypeScanNil",
    pins: "Scanning nil into a `Null` type makes it NULL",
    open: "needs `scan`",
  },
  {
    id: "TestConversions",
    pins: "The table of conversions, with what overflows or does not parse",
    open: "needs `scan`",
  },
  {
    id: "TestNullString",
    pins: "`NullString` scans a string and nil",
    open: "needs `scan`",
  },
  {
    id: "TestValueConverters",
    pins: "The driver's value converters: bool, int32, default",
    open: "needs `scan`",
  },
  {
    id: "TestRawBytesAllocs",
    pins: "Conversions into `RawBytes` allocate nothing",
    open: "needs `scan`",
  },
  {
    id: "TestUserDefinedBytes",
    pins: "A byte type of one's own gets a copy of the bytes",
    open: "needs `scan`",
  },
  {
    id: "TestDriverArgs",
    pins: "Arguments become the driver's values: `Valuer`, pointers, nil",
    open: "needs `scan`",
  },
  {
    id: "TestDecimal",
    pins: "Decimal values pass by their parts",
    open: "needs `scan`",
  },
  {
    id: "TestClosingMutex",
    pins: "The closing mutex lets readers nest, and does not deadlock behind a waiting closer",
    open: "needs `scan`",
  },
];
