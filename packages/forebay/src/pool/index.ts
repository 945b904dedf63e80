// forebay/pool: the pool alone, for any resource.

export { ForebayError, isForebayError, UsageError } from "../base/errors.ts";
export type { Clock, MonotonicMs, Timer } from "../base/clock.ts";
export { systemClock } from "../base/clock.ts";
export type { Random } from "../base/random.ts";
export { seededRandom, systemRandom } from "../base/random.ts";
export type { ConnectOptions, Connector, OperationOptions, PooledConn } from "../driver/driver.ts";
export type { DurationSnapshot } from "../base/histogram.ts";
export { type Acquirer, type Bulkhead } from "./bulkhead.ts";
export type { SheddingOptions } from "./codel.ts";
export type { PoolHooks } from "./hooks.ts";
export type { Knobs } from "./knobs.ts";
export type { BulkheadLimits } from "./lanes.ts";
export { PoolError, type PoolErrorCode, type PoolErrorPhase } from "./errors.ts";
export type { Lease } from "./lease.ts";
export type {
  BackgroundTask,
  DialErrors,
  IdleOrder,
  NestedAcquire,
  PoolLimits,
  PoolOptions,
  PoolPreset,
  PoolSettings,
} from "./options.ts";
export { type AcquireOptions, type CloseOptions, Pool } from "./pool.ts";
export type { PoolPhase, RetireReason } from "./state.ts";
export type { BulkheadStats, DBStats, PoolDetails, PoolHistograms, PoolStats } from "./stats.ts";
export type { WaiterOrder } from "./waiters.ts";
export type { PoolWarning } from "./warnings.ts";
