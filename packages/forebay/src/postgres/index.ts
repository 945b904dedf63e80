// forebay/postgres: connections to PostgreSQL.

export {
  advisoryKey,
  type AdvisoryKey,
  type AdvisoryLockOptions,
  type HeldLock,
  withAdvisoryLock,
} from "./advisory-lock.ts";
export { copyFrom } from "./copy.ts";
export { postgresDriver } from "./driver.ts";
export { listen, Listener, type ListenerConn, type ListenerState } from "./listener.ts";
export type { ListenerOptions, ListenGap, NotificationsOptions } from "./listener-options.ts";
export type { NotificationHandler } from "./listener-parts.ts";
export { notify } from "./notify.ts";
export { detectPooler, type PoolerKind } from "./pooler.ts";
export { namedArgs } from "./named-args.ts";
export type { CopyResult, CopySource } from "./wire/copy-in.ts";
export type { Notification, TxStatus } from "./wire/proto/backend.ts";
export type {
  ChannelBindingMode,
  PasswordSource,
  PostgresOptions,
  SslMode,
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
export type { SessionReset } from "./wire/session-dirt.ts";
export type { Statement } from "./wire/statement.ts";
export { json, type JsonParam, type TypePolicy } from "./wire/types/index.ts";
