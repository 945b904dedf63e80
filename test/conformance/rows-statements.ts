// Rows of the conformance table: statements, transactions and sessions.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const STATEMENT_ROWS: readonly ConformanceRow[] = [
  {
    id: "TestStatementErrorAfterClose",
    pins: "Use of a closed statement is an error",
    test: "TestStatementErrorAfterClose: a closed statement refuses every call",
  },
  {
    id: "TestStatementClose",
    pins: "The driver's error in closing a statement is returned by `Close` (#12798)",
    test: "TestStatementClose: close resolves; the next prepare frees the driver's part",
    differs:
      "the connection may be somebody else's when a statement is closed, so its part there is " +
      "freed later: `close` has no driver's error to tell",
  },
  {
    id: "TestStmtCloseOrder",
    pins: "A statement that failed is not closed after its connection",
    test: "TestStmtCloseOrder: a failed statement is never closed after its connection",
  },
  {
    id: "TestStatementQueryRow",
    pins: "A prepared statement gives the row of each of its arguments",
    test: "TestStatementQueryRow: a statement gives the row of each of its arguments",
  },
  {
    id: "TestStatementQueryRowConcurrent",
    pins: "One statement may be used in parallel (#3734)",
    test: "TestStatementQueryRowConcurrent: one statement serves many at once",
  },
  {
    id: "TestStmtCloseDeps",
    pins:
      "After a load, closing the statement leaves no dependency, no extra connection, and a " +
      "bounded number of open statements (#5323)",
    test: "TestStmtCloseDeps: after a load a closed statement holds nothing",
  },
  {
    id: "TestIssue6081",
    pins: "A statement forgets the connections that died",
    test: "TestIssue6081: of dead connections nothing is kept to use or to close",
  },
  {
    id: "TestBogusPreboundParameters",
    pins: "An error of `Prepare` is told",
    test: "TestBogusPreboundParameters: an error of prepare is told by prepare",
  },
  {
    id: "TestTxPrepare",
    pins: "A statement prepared in a transaction is closed by its commit",
    test: "TestTxPrepare: a statement of a transaction ends with its commit",
  },
  {
    id: "TestTxStmt",
    pins: "A statement of the `DB` runs in a transaction, and that use is closed by the commit",
    test: "TestTxStmt: a statement of the DB runs in a transaction until its commit",
  },
  {
    id: "TestTxStmtPreparedOnce",
    pins: "A statement is not prepared again on a connection that knows it",
    test: "TestTxStmtPreparedOnce: what the connection knows is not prepared again",
  },
  {
    id: "TestTxStmtClosedRePrepares",
    pins: "`Tx.Stmt` of a closed statement prepares it afresh",
    test: "TestTxStmtClosedRePrepares: a closed statement is prepared afresh",
  },
  {
    id: "TestTxStmtFromTxStmtRePrepares",
    pins: "`Tx.Stmt` of another transaction's statement prepares it afresh",
    test: "TestTxStmtFromTxStmtRePrepares: another's is prepared afresh",
    differs: "in the same transaction it is not: what the connection knows is used",
  },
  {
    id: "TestParentStmtOutlivesTxStmt",
    pins: "The statement of the connection outlives the one derived from it for a transaction",
    test: "TestParentStmtOutlivesTxStmt: the end of a bound statement is its own",
  },
  {
    id: "TestTxQuery",
    pins: "A query in a transaction (#2784)",
    test: "TestTxQuery: a query in a transaction runs on its connection",
  },
  {
    id: "TestTxQueryInvalid",
    pins: "A query that fails leaves the transaction usable",
    test: "TestTxQueryInvalid: a query that fails leaves the transaction to its user",
  },
  {
    id: "TestTxRollbackCommitErr",
    pins: "`ErrTxDone` after the end, however it ended",
    test: "TestTxRollbackCommitErr: what has ended says so, however it ended",
  },
  {
    id: "TestTxCannotCommitAfterRollback",
    pins: "Nothing is committed, and nothing runs, after a rollback (#34775)",
    test: "TestTxCannotCommitAfterRollback: after an abort nothing runs any more",
  },
  {
    id: "TestTxStmtDeadlock",
    pins: "A cancel between preparing a statement and its use does not deadlock (#40985)",
    test: "TestTxStmtDeadlock: an abort at any moment of a prepare and its use ends both",
  },
  {
    id: "TestConnQuery",
    pins: "A `Conn` runs its queries on one connection",
    test: "TestConnQuery: a session runs on one connection, until it is closed",
  },
  {
    id: "TestConnTx",
    pins: "A transaction on a `Conn`, which goes on after it",
    test: "TestConnTx: a transaction on a session commits there, and the session goes on",
  },
  {
    id: "TestConnRaw",
    pins: "`Raw` gives the driver's connection; a panic in it discards that",
    test: "TestConnRaw: a throw passes through, and the driver judges the connection",
    differs:
      "a throw is how JavaScript returns an error too, so it tells nothing of the connection: " +
      "the driver does, by `isValid`",
  },
  {
    id: "TestIssue20647",
    pins: "A statement prepared on a `Conn` stays on its connection",
    test: "TestIssue20647: a statement of a session stays on that connection",
  },
];
