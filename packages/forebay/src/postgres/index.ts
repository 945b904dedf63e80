// forebay/postgres: connections to PostgreSQL.

export {
  copyFrom,
  type CopyOrigin,
  type CopyOutput,
  type CopyOutputFormat,
  type CopyQuery,
  type CopyTarget,
  copyTo,
} from "./copy.ts";
export { postgresDriver } from "./driver.ts";
export {
  insertMany,
  type InsertManyOptions,
  type InsertOptions,
  type InsertResult,
  insertValues,
  type OnConflict,
} from "./insert-many.ts";
export { namedArgs } from "./named-args.ts";
export type { TableColumns } from "./table-columns.ts";
export type { CopyResult, CopySource } from "./wire/copy-in.ts";
export type { CopyOut } from "./wire/copy-out.ts";
export type { CopyFormat, CopyRow, CopyRows } from "./wire/copy-rows.ts";
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
export type { Statement } from "./wire/statement.ts";
export { json, type JsonParam, type TypePolicy } from "./wire/types/index.ts";
