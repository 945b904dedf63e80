// Rows of the conformance table: the pool, and the life of a connection.

import type { ConformanceRow } from "./rows.ts";

/** See `GROUPS`. */
export const POOL_ROWS: readonly ConformanceRow[] = [
  {
    id: "TestOpenDB",
    pins: "`OpenDB` over a connector dials nothing, and gives that connector's driver",
    test: "TestOpenDB: a DB over a connector dials nothing, and then by that connector",
  },
  {
    id: "TestOpenConnector",
    pins: "`Open` parses the address once; closing the `DB` closes the connector",
    test: "TestOpenConnector: the address is read once; close closes the connector",
  },
  {
    id: "TestBadDriver",
    pins: "A driver that panics in `Open` does not leave the `DB` locked",
    test: "TestBadDriver: a connector that throws at once fails its dial and no more",
  },
  {
    id: "TestDriverPanic",
    pins: "A panic of the driver in exec or in closing a statement leaves no lock held",
    test: "TestDriverPanic: a driver that throws at once fails that call alone",
  },
  {
    id: "TestPing",
    pins: "A ping succeeds, and fails once the `DB` is closed",
    test: "TestPing: a ping reaches the driver, and rejects with POOL_CLOSED after close",
  },
  {
    id: "TestMaxIdleConns",
    pins: "By default one connection stays idle; a limit of 0 closes it, and keeps none later",
    test: "TestMaxIdleConns: one is kept idle; lowered to 0 it goes, and none is kept",
  },
  {
    id: "TestMaxIdleConns/go",
    pins: "By default two may be idle, and any number open",
    test: "TestMaxIdleConns/go: two are kept idle of any number",
  },
  {
    id: "TestMaxOpenConns",
    pins:
      "Under load no more are open than allowed, and statements are reused; lowered limits trim " +
      "what is idle, raised ones open nothing by themselves",
    test: "TestMaxOpenConns: 100 calls use 10 connections and prepare once on each",
  },
  {
    id: "TestMaxOpenConnsOnBusy",
    pins: "A limit lowered while connections are busy closes the surplus as it is returned",
    test: "TestMaxOpenConnsOnBusy: a lowered limit closes the surplus as it comes back",
  },
  {
    id: "TestSingleOpenConn",
    pins: "With a limit of 1, closing `Rows` frees the connection: no self-deadlock",
    test: "TestSingleOpenConn: with one connection, closed Rows make room for the next",
  },
  {
    id: "TestPendingConnsAfterErr",
    pins: "When dials fail every queued waiter gets an error, and no open connection is counted",
    test: "TestPendingConnsAfterErr: when dials fail every waiter learns why",
    differs:
      "a failed dial pauses dialing and is tried again; waiters get its error as the cause of " +
      "`POOL_TIMEOUT`, or of `CONNECT_FAILED` at once where trying again cannot help",
  },
  {
    id: "TestPendingConnsAfterErr/go",
    pins: "The error of a failed dial goes to one who waits",
    test: "TestPendingConnsAfterErr/go: each failed dial ends a wait, with its error",
  },
  {
    id: "TestPoolExhaustOnCancel",
    pins: "Many cancelled waits do not drain the pool: one stays idle, and a ping works",
    test: "TestPoolExhaustOnCancel: cancelled waits take nothing away from the pool",
  },
  {
    id: "TestConnectionLeak",
    pins: "A connection opened too late, with nobody waiting and idle full, is closed",
    test: "TestConnectionLeak: a dial that ends when idle is full is closed",
  },
  {
    id: "TestStats",
    pins: "The count of open connections goes from 1 to 0 with `Close`",
    test: "TestStats: one connection is open after a call, and none after close",
  },
  {
    id: "TestStatsMaxIdleClosedZero",
    pins: "`MaxIdleClosed` stays 0 while there is room",
    test: "TestStatsMaxIdleClosedZero: nothing counts while idle ones have room",
  },
  {
    id: "TestStatsMaxIdleClosedTen",
    pins: "`MaxIdleClosed` is exact when none may be idle",
    test: "TestStatsMaxIdleClosedTen: with room for none, each return counts one",
  },
  {
    id: "TestConnMaxLifetime",
    pins: "The oldest connections expire and are counted; a new limit holds for those already open",
    test: "TestConnMaxLifetime: a new limit expires the older of two, and counts it",
  },
  {
    id: "TestConnExpiresFreshOutOfPool",
    pins: "A connection that expires between hand-off and use is not given to the caller (#32530)",
    test: "TestConnExpiresFreshOutOfPool: what expired is replaced before its use",
  },
  {
    id: "TestMaxIdleTime",
    pins: "The cleaner closes exactly those idle too long, and wakes when the next one is due",
    test: "TestMaxIdleTime: exactly those idle too long are closed, each when it is due",
  },
  {
    id: "TestConnIsValid",
    pins: "A connection whose `IsValid` is false does not return to the pool",
    test: "TestConnIsValid: a connection that is not valid when it comes back is closed",
  },
  {
    id: "TestManyErrBadConn",
    pins: "With more dead idle connections than retries, every call still succeeds (#8834)",
    go: "A ping is not tried again once it was sent",
    test: "TestManyErrBadConn: every call gets past more dead connections than it tries",
    differs: "a ping is tried again too: what died while idle says nothing of the database",
  },
  {
    id: "TestManyErrBadConn/Stmt",
    pins: "So does one of a prepared statement",
    test: "TestManyErrBadConn/Stmt: known to dead connections alone, it runs on a new one",
  },
  {
    id: "TestManyErrBadConn/Conn",
    pins: "So does taking a `Conn`",
    go: "A bad connection ends the `Conn`",
    test: "TestManyErrBadConn/Conn: dead sessions are dropped as they come back",
    differs: "a session that is lost is its holder's until he closes it, and each call says so",
  },
  {
    id: "TestErrBadConnReconnect",
    pins: "A bad connection in prepare, exec or query is retried; connections do not add up",
    test: "TestErrBadConnReconnect: a call is made again, and connections do not add up",
  },
  {
    id: "TestTxErrBadConn",
    pins: "`Begin` is retried on a stale connection (#4433)",
    test: "TestTxErrBadConn: begin is tried again when the connection proves dead",
  },
  {
    id: "TestTxEndBadConn",
    pins: "A bad connection in `Commit` or `Rollback` is told, and dropped (#11264)",
    test: "TestTxEndBadConn: a bad connection at the end is told, and closed",
  },
  {
    id: "TestIssue4902",
    pins: "Ten times `Prepare` and `Close` leave at most one connection",
    test: "TestIssue4902: ten times prepared and closed leaves one connection",
  },
  {
    id: "TestIssue2542Deadlock",
    pins: "A query on a closed `DB` fails, twice, and holds no lock",
    test: "TestIssue2542Deadlock: a query on a closed DB is refused, every time",
  },
  ...[
    ["DBQuery", "many streams on a DB"],
    ["DBExec", "many calls on a DB"],
    ["StmtQuery", "many streams on statements"],
    ["StmtExec", "many calls on statements"],
    ["TxQuery", "many streams in transactions"],
    ["TxExec", "many calls in transactions"],
    ["TxStmtQuery", "many streams on statements of transactions"],
    ["TxStmtExec", "many calls on statements of transactions"],
    ["Random", "any of these at once, by chance"],
  ].map(([name, what]) => ({
    id: `TestConcurrency/${name}`,
    pins: "Under parallel load counts stay consistent",
    test: `TestConcurrency/${name}: ${what}`,
  })),
  {
    id: "TestGrabConnAllocs",
    pins: "`Conn.grabConn` allocates nothing",
    reason: "JavaScript has no way to count what a call allocates",
  },
  {
    id: "TestConnRequestSet",
    pins:
      "The set of waiters: add and delete, take before delete, take at random, close all and " +
      "then delete",
    test: "TestConnRequestSet: a random queue serves or refuses each waiter once",
  },
  {
    id: "TestNilErrorAfterClose",
    pins: "A second `Close` of what is closed gives no error and does not panic",
    test: "TestNilErrorAfterClose: a second close of anything resolves, and does nothing",
  },
];
