// forebay/postgres: connections to PostgreSQL.

export {
  advisoryKey,
  type AdvisoryKey,
  type AdvisoryLockOptions,
  type HeldLock,
  withAdvisoryLock,
} from "./advisory-lock.ts";
export {
  type ColumnsResult,
  openPostgres,
  type PostgresDB,
  type PostgresDBOptions,
} from "./db.ts";
export { postgresDriver } from "./driver.ts";
export { listen, Listener, type ListenerConn, type ListenerState } from "./listener.ts";
export type { ListenerOptions, ListenGap, NotificationsOptions } from "./listener-options.ts";
export type { NotificationHandler } from "./listener-parts.ts";
export { notify } from "./notify.ts";
export { detectPooler, type PoolerKind } from "./pooler.ts";
export { namedArgs } from "./named-args.ts";
export type { PipeliningOptions } from "./pipelines.ts";
export {
  copyFrom,
  type CopyOrigin,
  type CopyOutput,
  type CopyOutputFormat,
  type CopyQuery,
  type CopyTarget,
  copyTo,
} from "./copy.ts";
export {
  insertMany,
  type InsertManyOptions,
  type InsertOptions,
  type InsertResult,
  insertValues,
  type OnConflict,
} from "./insert-many.ts";
export type { TableColumns } from "./table-columns.ts";
export type { CopyResult, CopySource } from "./wire/copy-in.ts";
export type { CopyOut } from "./wire/copy-out.ts";
export type { CopyFormat, CopyRow, CopyRows } from "./wire/copy-rows.ts";
export type { Notification, TxStatus } from "./wire/proto/backend.ts";
export type {
  ChannelBindingMode,
  PasswordSource,
  PostgresOptions,
  ProtocolVersion,
  SslMode,
  TargetSessionAttrs,
} from "./wire/config.ts";
export { PgConnection } from "./wire/connection.ts";
export { postgres, PostgresConnector } from "./wire/connector.ts";
export {
  classify,
  ConnectionLostError,
  type ErrorVerdict,
  isPgError,
  PgError,
  type PgMessageFields,
  type PgNotice,
  ProtocolError,
} from "./wire/errors.ts";
export type { PasswordRequest } from "./wire/passfile.ts";
export type { SessionReset } from "./wire/session-dirt.ts";
export type { Statement } from "./wire/statement.ts";
export type { StatementMode } from "./wire/statement-settings.ts";
export {
  json,
  type JsonParam,
  lowerBoundsOf,
  OwnText,
  PgBox,
  PgCircle,
  type PgCodec,
  PgLine,
  PgPath,
  PgPoint,
  PgPolygon,
  PgSegment,
  type PointLike,
  Range,
  type RangeBounds,
  type RangeLike,
  type TypePolicy,
  type TypesOptions,
  withLowerBounds,
} from "./wire/types/index.ts";
