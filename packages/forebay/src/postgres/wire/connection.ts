// One connection to PostgreSQL as the driver contract wants it: which messages make up a statement
// or the end of a transaction, and what their failure means. When and how they travel is for the
// channel.

import { randomBytes } from "node:crypto";
import { ForebayError, UsageError } from "../../base/errors.ts";
import type { Capability } from "../../driver/capabilities.ts";
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
import { Call, type ErrorMap } from "./call.ts";
import type { Channel } from "./channel.ts";
import { copyIn, type CopyResult, type CopySource } from "./copy-in.ts";
import { CopyOut } from "./copy-out.ts";
import { isPgError } from "./errors.ts";
import { openPortal } from "./portal.ts";
import type { Notification, TxStatus } from "./proto/backend.ts";
import {
  ALL_TEXT,
  DESCRIBE_PORTAL,
  EXECUTE_SYNC,
  FLUSH,
  SYNC,
  writeBind,
  writeDescribeStatement,
  writeParse,
  writeQuery,
} from "./proto/frontend.ts";
import { openResultSets } from "./result-sets.ts";
import { hasSeveralStatements } from "./sql-text.ts";
import { Statement, toResult } from "./statement.ts";

const LEVELS: Readonly<Record<IsolationLevel, string>> = {
  "read uncommitted": "READ UNCOMMITTED",
  "read committed": "READ COMMITTED",
  "repeatable read": "REPEATABLE READ",
  serializable: "SERIALIZABLE",
};

const CAPABILITIES: readonly Capability[] = ["cancel", "loss"];

/** A connection to PostgreSQL. Made by `PostgresConnector.connect`. */
export class PgConnection implements DriverConn {
  readonly capabilities: readonly Capability[] = CAPABILITIES;
  readonly #channel: Channel;
  /**
   * Tells the names of this connection's statements from those of others, which a pooler may mix on
   * one server.
   */
  readonly #prefix: string = `fb_${randomBytes(6).toString("hex")}_`;
  #statementCount = 0;

  /** Takes over a channel whose session is ready. */
  constructor(channel: Channel) {
    this.#channel = channel;
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

  /** Has notifications of other sessions given to `handler`, which replaces the one before. */
  onNotification(handler: (notification: Notification) => void): void {
    this.#channel.onNotification = handler;
  }

  query(sql: string, args: readonly unknown[], options?: StatementOptions): Promise<DriverResult> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.query(sql, args, options));
    return this.#query(sql, args, options);
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
    return this.#stream(sql, args, options);
  }

  prepare(sql: string, options?: OperationOptions): Promise<Statement> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.prepare(sql, options));
    return this.#prepare(sql, options);
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
    if (gate !== undefined) return gate.then(() => copyIn(this.#channel, sql, source, options));
    return copyIn(this.#channel, sql, source, options);
  }

  /**
   * A `COPY … TO STDOUT`, which is sent at the first read: see `copyTo`, which is the same for a
   * connection of a pool.
   */
  copyOut(sql: string, options?: OperationOptions): CopyOut {
    return new CopyOut(this.#channel, sql, options);
  }

  isValid(): boolean {
    return this.#channel.isUsable;
  }

  resetSession(): Promise<void> | undefined {
    const channel = this.#channel;
    const isClean =
      channel.isUsable &&
      channel.unsettled === undefined &&
      channel.session.head === undefined &&
      channel.session.txStatus === "I";
    return isClean ? undefined : this.#reset();
  }

  close(): Promise<void> {
    return this.#channel.close();
  }

  async #prepare(sql: string, options: OperationOptions | undefined): Promise<Statement> {
    const channel = this.#channel;
    const name = this.#prefix + String(++this.#statementCount);
    const call = this.#send("prepare", options, (writer) => {
      writeParse(writer, name, sql);
      writeDescribeStatement(writer, name);
      writer.bytes(SYNC);
    });
    try {
      await call.promise;
    } catch (error) {
      // The server may have it all the same, if the call was aborted.
      channel.forget(name);
      throw error;
    }
    return new Statement(channel, name, call.paramOids, call.fields);
  }

  async #commit(options: OperationOptions | undefined): Promise<void> {
    const call = this.#send(
      "simple",
      options,
      (writer) => writeQuery(writer, "COMMIT"),
      unknownOutcome,
    );
    call.isCancellable = false;
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
    for (let gate = channel.gate(undefined); gate !== undefined; ) {
      await gate;
      gate = channel.gate(undefined);
    }
    if (this.txStatus !== "I") await this.rollback();
  }

  #query(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    try {
      if (args.length === 0) {
        return this.#send("simple", options, (writer) => writeQuery(writer, sql)).promise;
      }
      return this.#send("unnamed", options, (writer) => {
        writeParse(writer, "", sql);
        writeBind(writer, "", args, undefined, ALL_TEXT);
        writer.bytes(DESCRIBE_PORTAL);
        writer.bytes(EXECUTE_SYNC);
      }).promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #stream(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverRows> {
    if (args.length === 0 && hasSeveralStatements(sql)) {
      return openResultSets(this.#channel, sql, options);
    }
    const { writer } = this.#channel;
    return openPortal(this.#channel, options, undefined, () => {
      writeParse(writer, "", sql);
      writeBind(writer, "", args, undefined, ALL_TEXT);
      writer.bytes(DESCRIBE_PORTAL);
      // So that the columns are known before the first row is, however long that takes.
      writer.bytes(FLUSH);
    });
  }

  /** Writes a request and queues it. Throws, with nothing written, what `write` throws. */
  #send(
    kind: "simple" | "unnamed" | "prepare",
    options: StatementOptions | undefined,
    write: (writer: Channel["writer"]) => void,
    mapError?: ErrorMap,
  ): Call<DriverResult> {
    const channel = this.#channel;
    const start = channel.begin();
    try {
      write(channel.writer);
    } catch (error) {
      channel.writer.truncate(start);
      throw error;
    }
    const rowMode = options?.rowMode ?? "object";
    const { signal } = options ?? {};
    const call = new Call(channel, kind, rowMode, undefined, signal, toResult, mapError);
    channel.submit(call);
    return call;
  }
}

/**
 * The error of a COMMIT that was sent and not answered. What the server said about it stands as it
 * is, and so does the certainty that it was never sent.
 */
const unknownOutcome: ErrorMap = (error) => {
  if (isPgError(error) || isBadConn(error)) return error;
  return new ForebayError(
    "operating",
    "OUTCOME_UNKNOWN",
    "COMMIT was sent, and no answer came: whether the transaction was committed is not known",
    { retryable: false, cause: error },
  );
};

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
