// How the statements of one connection are run: prepared and kept, described and kept, or sent
// whole each time. Which of them is the mode's choice, and for the caller they mean the same: a
// value is taken and given in the same way whether or not the types happen to be known.

import { randomBytes } from "node:crypto";
import type {
  DriverResult,
  DriverRows,
  OperationOptions,
  StatementOptions,
} from "../../driver/driver.ts";
import { Call, ResultCall } from "./call.ts";
import type { Channel } from "./channel.ts";
import { interpolate } from "./interpolate.ts";
import { openPortal } from "./portal.ts";
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
import type { RequestKind } from "./request.ts";
import { openResultSets } from "./result-sets.ts";
import { hasSeveralStatements, isPreparable } from "./sql-text.ts";
import { type KeptText, StatementCache } from "./statement-cache.ts";
import { DescribedText } from "./described-text.ts";
import { Description, Statement } from "./statement.ts";
import type { FieldDescription } from "./proto/backend.ts";

/** A statement of which the server has just told, if it had not failed before that. */
class FirstRun extends ResultCall {
  readonly #onEnd: (call: FirstRun) => void;

  constructor(
    channel: Channel,
    sql: string,
    options: StatementOptions | undefined,
    onEnd: (call: FirstRun) => void,
  ) {
    super(channel, "unnamed", options?.rowMode ?? "object", undefined, options?.signal);
    this.sql = sql;
    this.#onEnd = onEnd;
  }

  override onSettled(): void {
    this.#onEnd(this);
    super.onSettled();
  }
}

/** Whether the value's text depends on the type: an array is one to an array type, JSON to JSON. */
function isContainer(value: unknown): boolean {
  return Array.isArray(value);
}

/** Parse and Describe alone. */
class PrepareCall extends Call<Description> {
  readonly #channel: Channel;

  constructor(channel: Channel, signal: AbortSignal | undefined) {
    super(channel, "prepare", "object", undefined, signal);
    this.#channel = channel;
  }

  protected override finish(): Description {
    return new Description(this.paramOids ?? [], this.fields, this.#channel.config.types);
  }
}

/** The statements of one connection. */
export class Statements {
  readonly #channel: Channel;
  /**
   * Tells the names of this connection's statements from those of others, which a pooler may mix on
   * one server.
   */
  readonly #prefix: string = `fb_${randomBytes(4).toString("base64url")}_`;
  readonly #cache: StatementCache;
  /** Texts whose first run is under way. */
  readonly #first = new Set<string>();
  #nameCount = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#cache = new StatementCache(channel.config.statements.max);
  }

  /** Forgets every kept statement; the server is told with the next request. */
  clear(): void {
    for (const text of this.#cache.clear()) void text.close();
  }

  /** Runs a text once and gathers its rows. The gate has been passed. */
  query(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    const known = this.#cache.find(sql);
    if (known !== undefined) {
      return known.run(args, options, () => this.#again(sql, known, args, options));
    }
    try {
      return this.#runUnknown(sql, args, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Runs a text once, for rows that are read as they come. The gate has been passed. */
  stream(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverRows> {
    const known = this.#cache.find(sql);
    if (known !== undefined) return known.openRows(args, options);
    const channel = this.#channel;
    if (args.length === 0 && hasSeveralStatements(sql)) {
      return openResultSets(channel, sql, options);
    }
    return openPortal(channel, options, undefined, () => {
      writeParse(channel.writer, "", sql);
      writeBind(channel.writer, "", args, undefined, ALL_TEXT);
      channel.writer.bytes(DESCRIBE_PORTAL);
      // So that the columns are known before the first row is, however long that takes.
      channel.writer.bytes(FLUSH);
    });
  }

  /** Prepares a statement that is its caller's. The gate has been passed. */
  async prepare(sql: string, options: OperationOptions | undefined): Promise<Statement> {
    const channel = this.#channel;
    const name = this.#newName();
    const call = this.#describe(name, sql, options);
    try {
      return new Statement(channel, name, sql, await call.promise);
    } catch (error) {
      // The server may have it all the same, if the call was aborted.
      channel.forget(name);
      throw error;
    }
  }

  #runUnknown(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    const { mode } = this.#channel.config.statements;
    if (mode === "simple") {
      return this.#runSimple(interpolate(sql, args, this.#channel.session.parameters), options);
    }
    const isKept = isPreparable(sql) && !(args.length === 0 && hasSeveralStatements(sql));
    if (!isKept && args.length === 0) return this.#runSimple(sql, options);
    if (mode === "exec") return this.#runUnnamed(sql, args, options);
    // What these mean depends on the type: it is asked for before they are written.
    if (mode === "describe-exec" || args.some(isContainer)) {
      return this.#describeAndRun(sql, isKept, args, options);
    }
    if (!isKept || this.#first.has(sql)) return this.#runUnnamed(sql, args, options);
    return this.#runFirst(sql, mode === "cache-describe" ? "" : this.#newName(), args, options);
  }

  /** Sends the whole statement, and keeps what the server told of it; with a name, prepared. */
  #runFirst(
    sql: string,
    name: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    const channel = this.#channel;
    channel.write(() => {
      writeParse(channel.writer, name, sql);
      writeDescribeStatement(channel.writer, name);
      writeBind(channel.writer, name, args, undefined, ALL_TEXT);
      channel.writer.bytes(EXECUTE_SYNC);
    });
    const onEnd = ({ paramOids, fields }: FirstRun): void => {
      this.#first.delete(sql);
      if (paramOids !== undefined) this.#keep(sql, name, paramOids, fields);
      // It was refused before it was described; but the Parse may have succeeded.
      else if (name !== "") channel.forget(name);
    };
    const call = new FirstRun(channel, sql, options, onEnd);
    channel.submit(call);
    this.#first.add(sql);
    return call.promise;
  }

  #keep(
    sql: string,
    name: string,
    paramOids: readonly number[],
    fields: readonly FieldDescription[],
  ): void {
    const channel = this.#channel;
    const description = new Description(paramOids, fields, channel.config.types);
    const text =
      name === ""
        ? new DescribedText(channel, sql, description)
        : new Statement(channel, name, sql, description);
    void this.#cache.add(sql, text)?.close();
  }

  /**
   * Runs a text again of which something other is kept than the server knows; `undefined` where
   * that cannot be.
   */
  #again(
    sql: string,
    stale: KeptText,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> | undefined {
    this.#cache.drop(sql, stale);
    void stale.close();
    // In a transaction it has failed with it.
    if (this.#channel.session.txStatus !== "I") return undefined;
    return this.#runAgain(sql, stale, args, options);
  }

  async #runAgain(
    sql: string,
    stale: KeptText,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    const { facts, config } = this.#channel;
    await this.#channel.gate(options?.signal);
    if (stale instanceof Statement && config.statements.mode === "cache-statement") {
      // Somebody may have deallocated it; or it is another server's by now.
      const { rows } = await this.#runSimple("SELECT pg_backend_pid()", { rowMode: "array" });
      const [row] = rows as [number][];
      if (row?.[0] !== facts.processId) config.statements.fallBack();
      await this.#channel.gate(options?.signal);
    }
    return this.query(sql, args, options);
  }

  /** Two round trips: the first one asks for the types. */
  async #describeAndRun(
    sql: string,
    isKept: boolean,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    const channel = this.#channel;
    const { mode } = channel.config.statements;
    const isNamed = isKept && mode === "cache-statement";
    const text = isNamed
      ? await this.prepare(sql, options)
      : new DescribedText(channel, sql, await this.#describe("", sql, options).promise);
    if (isNamed || (isKept && mode === "cache-describe")) {
      void this.#cache.add(sql, text)?.close();
    }
    await channel.gate(options?.signal);
    return text.run(args, options);
  }

  #describe(name: string, sql: string, options: OperationOptions | undefined): PrepareCall {
    const channel = this.#channel;
    channel.write(() => {
      writeParse(channel.writer, name, sql);
      writeDescribeStatement(channel.writer, name);
      channel.writer.bytes(SYNC);
    });
    const call = new PrepareCall(channel, options?.signal);
    channel.submit(call);
    return call;
  }

  #runUnnamed(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult> {
    const { writer } = this.#channel;
    return this.#run("unnamed", options, () => {
      writeParse(writer, "", sql);
      writeBind(writer, "", args, undefined, ALL_TEXT);
      writer.bytes(DESCRIBE_PORTAL);
      writer.bytes(EXECUTE_SYNC);
    });
  }

  #runSimple(sql: string, options: StatementOptions | undefined): Promise<DriverResult> {
    return this.#run("simple", options, () => writeQuery(this.#channel.writer, sql));
  }

  #run(
    kind: RequestKind,
    options: StatementOptions | undefined,
    write: () => void,
  ): Promise<DriverResult> {
    const channel = this.#channel;
    channel.write(write);
    const rowMode = options?.rowMode ?? "object";
    const call = new ResultCall(channel, kind, rowMode, undefined, options?.signal);
    channel.submit(call);
    return call.promise;
  }

  #newName(): string {
    this.#nameCount += 1;
    return this.#prefix + String(this.#nameCount);
  }
}
