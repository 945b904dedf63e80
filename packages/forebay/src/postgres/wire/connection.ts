// One connection to PostgreSQL as the driver contract wants it: which messages make up a statement
// or the end of a transaction, and what their failure means. When and how they travel is for the
// channel.

import { ForebayError, UsageError } from "../../base/errors.ts";
import type { Capability, PipelinedStatement } from "../../driver/capabilities.ts";
import type {
  DriverConn,
  DriverResult,
  DriverRows,
  IsolationLevel,
  OperationOptions,
  StatementOptions,
  TxOptions,
} from "../../driver/driver.ts";
import { isBadConn } from "../../driver/errors.ts";
import { checkBatch } from "./batch.ts";
import { askWhole, ResultCall } from "./call.ts";
import type { Channel } from "./channel.ts";
import { cleanSession } from "./clean-session.ts";
import { copyIn, type CopyResult, type CopySource } from "./copy-in.ts";
import { CopyOut } from "./copy-out.ts";
import { isPgError } from "./errors.ts";
import type { Notification, TxStatus } from "./proto/backend.ts";
import { writeQuery } from "./proto/frontend.ts";
import { SessionDirt } from "./session-dirt.ts";
import type { Statement } from "./statement.ts";
import { Statements } from "./statements.ts";

const LEVELS: Readonly<Record<IsolationLevel, string>> = {
  "read uncommitted": "READ UNCOMMITTED",
  "read committed": "READ COMMITTED",
  "repeatable read": "REPEATABLE READ",
  serializable: "SERIALIZABLE",
};

const CAPABILITIES: readonly Capability[] = ["cancel", "deadline", "loss"];

let channelOfConnection: (conn: PgConnection) => Channel;
let statementsOfConnection: (conn: PgConnection) => Statements;

/** The channel of a connection, for those who share it out. Not exported from the package. */
export function channelOf(conn: PgConnection): Channel {
  return channelOfConnection(conn);
}

/** The statements of a connection. Not exported from the package. */
export function statementsOf(conn: PgConnection): Statements {
  return statementsOfConnection(conn);
}

/** A connection to PostgreSQL. Made by `PostgresConnector.connect`. */
export class PgConnection implements DriverConn {
  static {
    channelOfConnection = (conn) => conn.#channel;
    statementsOfConnection = (conn) => conn.#statements;
  }

  readonly capabilities: readonly Capability[] = CAPABILITIES;
  readonly #channel: Channel;
  readonly #statements: Statements;
  readonly #dirt: SessionDirt;

  /** Takes over a channel whose session is ready. */
  constructor(channel: Channel) {
    this.#channel = channel;
    this.#dirt = new SessionDirt(channel.config.sessionReset, channel.session);
    this.#statements = new Statements(channel, this.#dirt);
  }

  /** The host that it is connected to, of those that were named; the directory of a Unix socket. */
  get host(): string {
    return this.#channel.config.host;
  }

  /** The port of that host. */
  get port(): number {
    return this.#channel.config.port;
  }

  /**
   * The server's process for this connection, as in `pg_stat_activity`; 0 if the server did not
   * tell.
   */
  get processId(): number {
    return this.#channel.facts.processId;
  }

  /**
   * The state of the transaction as the server gave it last: none (`I`), open (`T`), failed (`E`).
   */
  get txStatus(): TxStatus {
    return this.#channel.session.txStatus;
  }

  /** A parameter that the server reports, such as `server_version`, as it is now. */
  serverParameter(name: string): string | undefined {
    return this.#channel.session.parameters.get(name);
  }

  /** Aborted, with the reason, once the connection is lost or `close` was called. */
  get gone(): AbortSignal {
    return this.#channel.gone;
  }

  /** Has notifications of other sessions given to `handler`, which replaces the one before. */
  onNotification(handler: (notification: Notification) => void): void {
    this.#channel.onNotification = handler;
  }

  query(sql: string, args: readonly unknown[], options?: StatementOptions): Promise<DriverResult> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.query(sql, args, options));
    return this.#statements.query(askWhole(sql, args, options));
  }

  /**
   * A text of several statements, without arguments, gives a result for each, one without columns
   * for a statement that gives no rows. The server runs all of it, in one transaction unless it
   * begins and ends its own, while the results are read: it is slowed down by its reader, and not
   * stopped. After an early `close` it is not known how much has been done.
   */
  stream(sql: string, args: readonly unknown[], options?: StatementOptions): Promise<DriverRows> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.stream(sql, args, options));
    return this.#statements.stream(sql, args, options);
  }

  prepare(sql: string, options?: OperationOptions): Promise<Statement> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.prepare(sql, options));
    return this.#statements.prepare(sql, options);
  }

  /**
   * Rejects with `UsageError` for a level that PostgreSQL lacks, and for `deferrable` where it
   * would say nothing.
   */
  async begin(tx: TxOptions, options?: OperationOptions): Promise<void> {
    await this.query(beginSql(tx), [], options);
  }

  commit(options?: OperationOptions): Promise<void> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.commit(options));
    return this.#commit(options);
  }

  async rollback(options?: OperationOptions): Promise<void> {
    await this.query("ROLLBACK", [], options);
  }

  /** Runs an empty query, which the server answers without doing anything. */
  async ping(options?: OperationOptions): Promise<void> {
    await this.query("", [], options);
  }

  /**
   * Runs a `COPY … FROM STDIN`, with the data that `source` gives: see `copyFrom`, which is the
   * same for a connection of a pool.
   */
  copyIn(sql: string, source: CopySource, options?: OperationOptions): Promise<CopyResult> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.copyIn(sql, source, options));
    this.#dirt.note(sql, []);
    return copyIn(this.#channel, sql, source, options);
  }

  /**
   * A `COPY … TO STDOUT`, which is sent at the first read: see `copyTo`, which is the same for a
   * connection of a pool.
   */
  copyOut(sql: string, options?: OperationOptions): CopyOut {
    return new CopyOut(this.#channel, sql, options);
  }

  /**
   * Sends several statements at once. They are one transaction, unless one is open already: rejects
   * with the first error, and then none of them has happened. (The capability `pipelining`.)
   */
  async pipeline(
    statements: readonly PipelinedStatement[],
    options?: StatementOptions,
  ): Promise<DriverResult[]> {
    checkBatch(statements);
    await this.#channel.pass(options?.signal);
    if (statements.length === 0) return [];
    await this.#statements.prepareBatch(statements, options);
    return this.#statements.batch(statements, options);
  }

  /**
   * Sends several statements at once, each a transaction of its own unless one is open already: one
   * that fails leaves the others alone. Rejects only where nothing was sent: for what is no
   * statement, for an aborted signal, and on a connection that is lost or has rows that are still
   * being read. One that is lost later is an outcome of each statement.
   */
  async pipelineSettled(
    statements: readonly PipelinedStatement[],
    options?: StatementOptions,
  ): Promise<PromiseSettledResult<DriverResult>[]> {
    checkBatch(statements);
    await this.#channel.pass(options?.signal);
    return Promise.allSettled(
      statements.map(({ sql, args = [] }) => this.#statements.query(askWhole(sql, args, options))),
    );
  }

  /**
   * Forgets the statements that it keeps prepared; the server frees them with the next request. For
   * after a change of the search path, which prepared statements do not follow.
   */
  clearStatementCache(): void {
    this.#statements.clear();
  }

  /** False also for a session that its users have changed and that is not to be mended. */
  isValid(): boolean {
    return this.#channel.isUsable && !this.#dirt.isBeyond;
  }

  rememberSession(): void {
    this.#dirt.remember();
  }

  /**
   * Rolls an open transaction back, and puts the session as it was when it was set up; see
   * `PostgresOptions.sessionReset`.
   */
  resetSession(): Promise<void> | undefined {
    const channel = this.#channel;
    const isClean =
      channel.isUsable &&
      channel.unsettled === undefined &&
      !channel.config.types.isStale &&
      channel.session.head === undefined &&
      channel.session.txStatus === "I" &&
      !this.#dirt.isDirty;
    return isClean ? undefined : this.#reset();
  }

  close(): Promise<void> {
    return this.#channel.close();
  }

  async #commit(options: OperationOptions | undefined): Promise<void> {
    const channel = this.#channel;
    channel.write(() => writeQuery(channel.writer, "COMMIT"));
    const call = new CommitCall(channel, options);
    channel.submit(call);
    const result = await call.promise;
    if (result.command === "ROLLBACK") {
      throw new ForebayError(
        "operating",
        "COMMIT_ROLLED_BACK",
        "the server rolled the transaction back instead, because a statement in it had failed",
        { retryable: false },
      );
    }
  }

  async #reset(): Promise<void> {
    const channel = this.#channel;
    await channel.pass(undefined);
    if (this.txStatus !== "I") await this.rollback();
    await cleanSession(this.#dirt, (sql, args) => this.query(sql, args));
    if (channel.config.types.isStale) await this.#statements.reloadTypes();
  }
}

/** COMMIT. */
class CommitCall extends ResultCall {
  constructor(channel: Channel, options: OperationOptions | undefined) {
    const ask = askWhole("COMMIT", [], { ...options, timeoutMs: Infinity });
    super(channel, "simple", undefined, ask);
    this.isCancellable = false;
  }

  protected override mapError(error: unknown): unknown {
    return unknownOutcome(error);
  }
}

/**
 * The error of a COMMIT that was sent and not answered. What the server said about it stands as it
 * is, and so does the certainty that it was never sent.
 */
function unknownOutcome(error: unknown): unknown {
  if (isPgError(error) || isBadConn(error)) return error;
  return new ForebayError(
    "operating",
    "OUTCOME_UNKNOWN",
    "COMMIT was sent, and no answer came: whether the transaction was committed is not known",
    { retryable: false, cause: error },
  );
}

function beginSql(tx: TxOptions): string {
  const words = ["BEGIN"];
  if (tx.isolation !== undefined) {
    const level = Object.hasOwn(LEVELS, tx.isolation) ? LEVELS[tx.isolation] : undefined;
    if (level === undefined) {
      throw new UsageError(
        "OPTION_INVALID",
        `PostgreSQL has no such isolation level; it has ${Object.keys(LEVELS).join(", ")}`,
      );
    }
    words.push("ISOLATION LEVEL", level);
  }
  if (tx.readOnly === true) words.push("READ ONLY");
  if (tx.deferrable === true) {
    if (tx.isolation !== "serializable" || tx.readOnly !== true) {
      throw new UsageError(
        "OPTION_INVALID",
        "deferrable means something only for a serializable, read-only transaction",
      );
    }
    words.push("DEFERRABLE");
  }
  return words.join(" ");
}
