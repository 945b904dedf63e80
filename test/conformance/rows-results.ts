// Rows of the conformance table: what is read.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const RESULT_ROWS: readonly ConformanceRow[] = [
  {
    id: "TestQuery",
    pins: "The end of the rows frees the connection by itself; one prepare",
    test: "TestQuery: rows read to the end give the connection back, after one call",
  },
  {
    id: "TestQueryRow",
    pins: "`QueryRow` gives the row, or `ErrNoRows`",
    test: "TestQueryRow: the first row, or NO_ROWS; the connection is back",
  },
  {
    id: "TestRowErr",
    pins: "`Row.Err` tells the error without a `Scan`",
    test: "TestRowErr: what kept a row from coming is known without a look at the row",
  },
  {
    id: "TestRowsColumns",
    pins: "`Columns` gives the names; after `Close` it is an error",
    test: "TestRowsColumns: columns are known from the first read, also after close",
    differs: "`columns` is a property that stays readable: it needs no connection",
  },
  {
    id: "TestRowsColumnTypes",
    pins: "`ColumnTypes` gives each column's type and what its values are scanned into",
    test: "TestRowsColumnTypes: a column says what the driver knows of it",
  },
  {
    id: "TestMultiResultSetQuery",
    pins:
      "`Next` is false at the end of a set, `NextResultSet` goes on, the end of the last frees " +
      "the connection",
    test: "TestMultiResultSetQuery: each result has its end, and the last gives all back",
  },
  {
    id: "TestRowsCloseOrder",
    pins: "The statement is closed before the connection is released (#5283)",
    test: "TestRowsCloseOrder: the driver's rows are closed before the lease ends",
  },
  {
    id: "TestCloseStmtBeforeRows",
    pins: "Closing a statement before its rows is safe (#3865)",
    test: "TestCloseStmtBeforeRows: rows of a closed statement are read to their end",
  },
  {
    id: "TestCloseConnBeforeStmts",
    pins: "Closing a connection before its statements is safe (#5046)",
    test: "TestCloseConnBeforeStmts: a statement may be closed after its session or DB",
  },
  {
    id: "TestRowsImplicitClose",
    pins: "An error of `Next` closes the rows",
    test: "TestRowsImplicitClose: a failed read ends the rows; the connection is back",
  },
  {
    id: "TestRowsCloseError",
    pins: "An error in closing the rows is returned",
    test: "TestRowsCloseError: what closing the rows meets is told, once",
  },
  {
    id: "TestSimultaneousQueries",
    pins: "Two open `Rows` in one transaction do not deadlock (#3857)",
    go: "The second query goes to the driver, which may or may not be able to run it",
    test: "TestSimultaneousQueries: a query beside open Rows in a Tx is refused",
    differs:
      "a connection runs one call at a time, so the second would wait for a reader that waits " +
      "for it: it is refused with `CONN_BUSY`",
  },
  {
    id: "TestQueryRowNilScanDest",
    pins: "A nil destination is an error, and nothing leaks (#4859)",
    test: "TestQueryRowNilScanDest: a scanner that is none is an error, and nothing leaks",
  },
  {
    id: "TestQueryRowClosingStmt",
    pins: "As many statements are closed as were made",
    test: "TestQueryRowClosingStmt: queries of one row leave nothing prepared or open",
  },
  {
    id: "TestIssue6651",
    pins: "`Row.Scan` tells the error of `Next` and of `Close`",
    test: "TestIssue6651: queryRow tells the error that comes after its row",
  },
  {
    id: "TestRowsScanProperlyWrapsErrors",
    pins: "What a `Scanner` returns can be unwrapped from the error of `Scan` (#38099)",
    test: "TestRowsScanProperlyWrapsErrors: what a scanner throws is the cause",
  },
  {
    id: "TestCursorFake",
    pins: "A column that is a cursor scans into `Rows`",
    test: "TestCursorFake: a value that is a driver's cursor reaches the reader as it is",
    differs: "the SQL layer converts no value: how a cursor is read is for the driver to say",
  },
];
