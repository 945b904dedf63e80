// Rows of the conformance table: arguments and values.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const VALUE_ROWS: readonly ConformanceRow[] = [
  {
    id: "TestExec",
    pins: "Arguments are converted, and a wrong number or type of them is an error",
    test: "TestExec: an unfit argument is not sent, and a wrong number is for the driver",
    differs: "how many arguments a statement takes is for the driver to say",
  },
  {
    id: "TestQueryNamedArg",
    pins: "Named arguments reach the driver by name",
    test: "TestQueryNamedArg: a named argument reaches a driver that takes it",
  },
  {
    id: "TestNamedValueChecker",
    pins: "A driver may check, convert and remove arguments",
    test: "TestNamedValueChecker: a driver may convert and refuse, and the count stays",
    differs: "none is removed: the options of a call have a parameter of their own",
  },
  {
    id: "TestNamedValueCheckerSkip",
    pins: "`ErrSkip` of the checker falls back to the default conversion",
    test: "TestNamedValueCheckerSkip: without an opinion the ordinary check decides",
  },
  {
    id: "TestColumnConverterWithUnknownInputCount",
    pins: "A converter works where the number of inputs is unknown",
    test: "TestColumnConverterWithUnknownInputCount: it is asked for each there is",
  },
  {
    id: "TestDriverArgsWrapsErrors",
    pins: "An error in converting an argument can be unwrapped (#64707)",
    test: "TestDriverArgsWrapsErrors: what a converter throws is the cause, untouched",
  },
  {
    id: "TestInvalidNilValues",
    pins: "NULL into what cannot hold it is an error that names the type",
    test: "TestInvalidNilValues: NULL where none may be says which column, and of what",
  },
  {
    id: "TestValidNilValues",
    pins: "NULL into what can hold it",
    test: "TestValidNilValues: NULL is null wherever it is read",
  },
  {
    id: "TestNullByteSlice",
    pins: "NULL and empty bytes differ (#2788)",
    test: "TestNullByteSlice: NULL, no bytes and some are three things",
  },
  {
    id: "TestPointerParamsAndScans",
    pins: "Pointers as arguments and destinations: nil is NULL",
    test: "TestPointerParamsAndScans: a value that may be null goes in and comes out",
  },
  {
    id: "TestTypedString",
    pins: "A string type of one's own is scanned like a string (#18101)",
    test: "TestTypedString: a type of one's own is read by a scanner of one's own",
  },
  {
    id: "TestNullStringParam",
    pins: "`NullString` as argument and destination: NULL and the zero value differ",
    test: "TestNullStringParam: a string, an empty one and NULL stay what they are",
  },
  {
    id: "TestNullInt64Param",
    pins: "`NullInt64` as argument and destination: NULL and the zero value differ",
    test: "TestNullInt64Param: a bigint, zero and NULL stay what they are",
  },
  {
    id: "TestNullInt32Param",
    pins: "`NullInt32` as argument and destination: NULL and the zero value differ",
    test: "TestNullInt32Param: an integer of 32 bits, zero and NULL stay what they are",
  },
  {
    id: "TestNullInt16Param",
    pins: "`NullInt16` as argument and destination: NULL and the zero value differ",
    test: "TestNullInt16Param: an integer of 16 bits, zero and NULL stay what they are",
  },
  {
    id: "TestNullByteParam",
    pins: "`NullByte` as argument and destination: NULL and the zero value differ",
    test: "TestNullByteParam: an integer of 8 bits, zero and NULL stay what they are",
  },
  {
    id: "TestNullFloat64Param",
    pins: "`NullFloat64` as argument and destination: NULL and the zero value differ",
    test: "TestNullFloat64Param: a fraction, zero, NaN and NULL stay what they are",
  },
  {
    id: "TestNullBoolParam",
    pins: "`NullBool` as argument and destination: NULL and the zero value differ",
    test: "TestNullBoolParam: true, false and NULL stay what they are",
  },
  {
    id: "TestNullTimeParam",
    pins: "`NullTime` as argument and destination: NULL and the zero value differ",
    test: "TestNullTimeParam: an instant, the epoch and NULL stay what they are",
  },
  {
    id: "TestGenericNullStringParam",
    pins: "`Null[string]` as argument and destination",
    test: "TestGenericNullStringParam: any scanner may be made one that takes NULL",
  },
  {
    id: "TestIssue69837",
    pins: "`Null[T].Value` of a value that the default converter changes",
    reason:
      "a value that may be NULL is `T | null`, without a wrapper that has a conversion of its own",
  },
  {
    id: "TestIssue69728",
    pins: "`Null[T].Value` of a value that is a `Valuer` itself",
    reason: "a value that may be NULL is `T | null`, which wraps no other",
  },
  {
    id: "TestNullTypeScanErrorConsistency",
    pins: "After a failed `Scan` a `Null` type is not valid (#45662)",
    test: "TestNullTypeScanErrorConsistency: what cannot be read is an error, and not NULL",
  },
  {
    id: "TestNullTypeScanNil",
    pins: "Scanning nil into a `Null` type makes it NULL",
    test: "TestNullTypeScanNil: every scanner made nullable reads NULL as null",
  },
  {
    id: "TestConversions",
    pins: "The table of conversions",
    test: "TestConversions: every conversion keeps the value whole",
  },
  {
    id: "TestConversions/refused",
    pins: "What overflows or does not parse is an error",
    test: "TestConversions/refused: what would lose something, or is another kind, is refused",
  },
  {
    id: "TestNullString",
    pins: "`NullString` scans a string and nil",
    test: "TestNullString: a scanner keeps nothing of the value before",
  },
  {
    id: "TestValueConverters",
    pins: "The driver's value converters: bool, int32, default",
    test: "TestValueConverters: the driver's converters keep a value whole, or refuse it",
  },
  {
    id: "TestRawBytesAllocs",
    pins: "Conversions into `RawBytes` allocate nothing",
    reason: "there are no `RawBytes`, and JavaScript cannot count what a conversion allocates",
  },
  {
    id: "TestUserDefinedBytes",
    pins: "A byte type of one's own gets a copy of the bytes",
    test: "TestUserDefinedBytes: bytes in a class of one's own are the row's alone",
  },
  {
    id: "TestDriverArgs",
    pins: "Arguments become the driver's values: `Valuer`, pointers, nil",
    test: "TestDriverArgs: arguments reach the driver as they are, and in the same array",
    differs: "the SQL layer converts nothing: what a value becomes is for the driver to say",
  },
  {
    id: "TestDecimal",
    pins: "Decimal values pass by their parts",
    test: "TestDecimal: a decimal goes in and comes out as its digits",
    differs: "a decimal that no number can hold is its digits, as a string",
  },
  {
    id: "closemu_test.go",
    pins: "The closing mutex lets readers nest, and does not deadlock behind a waiting closer",
    test: "closemu_test.go: a close waits for the read in flight and locks none out",
  },
];
