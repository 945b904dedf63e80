// forebay: the pool, the SQL client on it, and the contract of drivers. A driver comes from
// elsewhere, such as forebay/postgres.

export { BugError } from "./base/assert.ts";
export type { Clock, MonotonicMs, Timer } from "./base/clock.ts";
export {
  type ErrorCode,
  ForebayError,
  isForebayError,
  type OperatingErrorCode,
  UsageError,
  type UsageErrorCode,
} from "./base/errors.ts";
export type { Random } from "./base/random.ts";
export { NamedArg, named } from "./driver/args.ts";
export type {
  Column,
  ConnectOptions,
  Connector,
  Driver,
  DriverConn,
  DriverResult,
  DriverRows,
  DriverStmt,
  ExecOptions,
  IsolationLevel,
  OperationOptions,
  PooledConn,
  RowMode,
  StatementOptions,
  TxOptions,
} from "./driver/driver.ts";
export { BadConnError, isBadConn } from "./driver/errors.ts";
export { PoolError, type PoolErrorCode, type PoolErrorPhase } from "./pool/errors.ts";
export type { PoolHooks } from "./pool/hooks.ts";
export type { BulkheadLimits } from "./pool/lanes.ts";
export type {
  BackgroundTask,
  DialErrors,
  IdleOrder,
  NestedAcquire,
  PoolLimits,
  PoolOptions,
  PoolPreset,
} from "./pool/options.ts";
export type { CloseOptions } from "./pool/pool.ts";
export type {
  BulkheadStats,
  DBStats,
  PoolDetails,
  PoolHistograms,
  PoolStats,
} from "./pool/stats.ts";
export type { RetireReason } from "./pool/state.ts";
export type { WaiterOrder } from "./pool/waiters.ts";
export type { PoolWarning } from "./pool/warnings.ts";
export type { Conn } from "./sql/conn.ts";
export { type DB, type DBBulkhead, type DBOptions, openDB } from "./sql/db.ts";
export { NoRowsError } from "./sql/errors.ts";
export { drivers, open, register } from "./sql/registry.ts";
export type { Rows } from "./sql/rows.ts";
export { type Scanned, type Scanner, type ScanShape, scan } from "./sql/scan.ts";
export type { Stmt } from "./sql/stmt.ts";
export { isSerializationFailure } from "./sql/transaction.ts";
export type { Tx } from "./sql/tx.ts";
export type {
  BeginOptions,
  ExecResult,
  Querier,
  Result,
  Row,
  TransactionOptions,
} from "./sql/types.ts";
