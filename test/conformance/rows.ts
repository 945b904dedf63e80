// The table of conformance with Go's database/sql: what each of its tests pins, what none of them
// does, the properties that must hold whatever happens, and what was measured. Each row has a test
// here, or a reason for having none. The page docs/reference/conformance.md is made from it.

import { CONTEXT_ROWS } from "./rows-context.ts";
import { MEASURED_ROWS } from "./rows-measured.ts";
import { ORACLE_ROWS } from "./rows-oracle.ts";
import { POOL_ROWS } from "./rows-pool.ts";
import { RESULT_ROWS } from "./rows-results.ts";
import { STATEMENT_ROWS } from "./rows-statements.ts";
import { UNPINNED_ROWS } from "./rows-unpinned.ts";
import { VALUE_ROWS } from "./rows-values.ts";

interface RowHead {
  /** The name of Go's test; else a letter and a number. */
  readonly id: string;
  /** What is pinned, in the words of database/sql. */
  readonly pins: string;
  /** What Go does, where it was measured or is not what one expects. */
  readonly go?: string;
}

/** One row of the table: it has a test, or says why there is none. */
export type ConformanceRow = RowHead &
  (
    | {
        /** The whole name of the test, which begins with the id. It says what Forebay does. */
        readonly test: string;
        /** Why Forebay behaves otherwise on purpose. */
        readonly differs?: string;
      }
    /** What the row is about that TypeScript does not have. */
    | { readonly reason: string }
    /** What has to be built before the row can be tested. */
    | { readonly open: string }
  );

/** Rows that belong together. */
export interface RowGroup {
  readonly title: string;
  /** One sentence on where the rows come from. */
  readonly source: string;
  readonly rows: readonly ConformanceRow[];
}

const OF_SQL_TEST = "What the tests of Go's `sql_test.go` pin.";

/** The whole table, in the order of the page. */
export const GROUPS: readonly RowGroup[] = [
  { title: "Pool and life of a connection", source: OF_SQL_TEST, rows: POOL_ROWS },
  { title: "Contexts and abort signals", source: OF_SQL_TEST, rows: CONTEXT_ROWS },
  { title: "Rows", source: OF_SQL_TEST, rows: RESULT_ROWS },
  { title: "Statements, transactions, sessions", source: OF_SQL_TEST, rows: STATEMENT_ROWS },
  {
    title: "Values",
    source: "What the tests of Go's `sql_test.go`, `convert_test.go` and `closemu_test.go` pin.",
    rows: VALUE_ROWS,
  },
  {
    title: "What no test of Go pins",
    source: "Behaviour that Go's tests leave open, and that Forebay promises.",
    rows: UNPINNED_ROWS,
  },
  {
    title: "Properties that always hold",
    source: "Checked in random lives of a pool or a `DB`, with faults, each from a seed.",
    rows: ORACLE_ROWS,
  },
  {
    title: "Measured on Go, and here",
    source:
      "Go's results were measured on Go 1.19.8 with a driver made for it; the tests measure " +
      "Forebay's on the virtual clock.",
    rows: MEASURED_ROWS,
  },
];
