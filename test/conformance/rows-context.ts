// Rows of the conformance table: contexts, which here are abort signals.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const CONTEXT_ROWS: readonly ConformanceRow[] = [
  {
    id: "TestQueryContext",
    pins: "A cancel in the middle: `Next` is false, `Err` the context's error, the connection free",
    test: "TestQueryContext: an abort ends the rows, and the connection is back",
  },
  {
    id: "TestQueryContextWait",
    pins: "A cancel while preparing: the context's error; statement and rows closed, nothing held",
    test: "TestQueryContextWait: an abort while a statement is sent leaves nothing held",
  },
  {
    id: "TestTxContextWait",
    pins: "A cancelled transaction discards its connection",
    test: "TestTxContextWait: an aborted one that cannot be rolled back is closed",
    differs:
      "the pool waits for the rollback, and closes the connection only when that fails or takes " +
      "longer than `resetTimeoutMs`",
  },
  {
    id: "TestTxContextWaitNoDiscard",
    pins: "With a driver that can reset and validate, the connection is kept",
    test: "TestTxContextWaitNoDiscard: aborted and rolled back, it keeps its connection",
  },
  {
    id: "TestIssue18429",
    pins: "A cancel and a rollback at the same time are guarded (also #21117)",
    test: "TestIssue18429: an abort and a rollback at once roll back once",
  },
  {
    id: "TestIssue18719",
    pins: "A context cancelled after the connection was grabbed: no use after the rollback",
    test: "TestIssue18719: a statement waiting for its turn is not made after a rollback",
  },
  {
    id: "TestIssue20160",
    pins: "A storm of `Stmt.Query` with short deadlines has no race",
    test: "TestIssue20160: a storm of statements aborted at any moment breaks nothing",
  },
  {
    id: "TestIssue20575",
    pins: "Open `Rows` do not block the rollback after a timeout",
    test: "TestIssue20575: open Rows do not hold up the rollback after an abort",
  },
  {
    id: "TestIssue20622",
    pins: "The cancel of a transaction and a close of its `Rows` do not race on the driver",
    test: "TestIssue20622: an abort of the transaction and a close of Rows do not overlap",
  },
  {
    id: "TestContextCancelDuringRawBytesScan",
    pins: "Bytes stay stable while they are held, and `Columns` does not deadlock (#60304)",
    test: "TestContextCancelDuringRawBytesScan: bytes that were read stay",
  },
  {
    id: "TestContextCancelBetweenNextAndErr",
    pins: "A cancel between `Next` and `Err` gives one consistent outcome",
    test: "TestContextCancelBetweenNextAndErr: after an abort every read says the same",
  },
  {
    id: "TestContextCancelDuringScan",
    pins: "`Scan` never sees the data of another query (#74831, CVE-2025-47907)",
    test: "TestContextCancelDuringScan: an aborted reader never sees another's rows",
  },
  {
    id: "TestRawBytesReuse",
    pins: "Conversions to `RawBytes` do not share one buffer (#65201)",
    test: "TestRawBytesReuse: no two values share their bytes",
  },
  {
    id: "TestQueryExecContextOnly",
    pins: "A driver with the context interfaces alone works",
    test: "TestQueryExecContextOnly: a driver of the required methods alone is enough",
  },
  {
    id: "TestUnsupportedOptions",
    pins: "An isolation level on a driver without one is an error",
    test: "TestUnsupportedOptions: what the driver lacks rejects, and nothing has begun",
  },
];
