// How the statements of one connection are run: prepared and kept, described and kept, or sent
// whole each time. Which of them is the mode's choice, and for the caller they mean the same: a
// value is taken and given in the same way whether or not the types happen to be known.

import { randomBytes } from "node:crypto";
import { UsageError } from "../../base/errors.ts";
import type { PipelinedStatement } from "../../driver/capabilities.ts";
import type {
  DriverResult,
  DriverRows,
  OperationOptions,
  StatementOptions,
} from "../../driver/driver.ts";
import { BatchCall, type BatchItem } from "./batch.ts";
import { type Ask, askWhole, ResultCall } from "./call.ts";
import type { Channel } from "./channel.ts";
import { describe } from "./describe.ts";
import { DescribedText } from "./described-text.ts";
import { interpolate } from "./interpolate.ts";
import type { Again, KeptText } from "./kept-text.ts";
import { loadTypes, reloadTypes } from "./load-types.ts";
import { openPortal } from "./portal.ts";
import {
  ALL_TEXT,
  DESCRIBE_PORTAL,
  EXECUTE,
  EXECUTE_SYNC,
  FLUSH,
  SYNC,
  writeBind,
  writeDescribeStatement,
  writeParse,
  writeQuery,
} from "./proto/frontend.ts";
import { openResultSets } from "./result-sets.ts";
import type { SessionDirt } from "./session-dirt.ts";
import { hasSeveralStatements, isPreparable } from "./sql-text.ts";
import { StatementCache } from "./statement-cache.ts";
import type { StatementMode } from "./statement-settings.ts";
import { Description, Statement } from "./statement.ts";
import type { FieldDescription } from "./proto/backend.ts";

/** A statement of which the server has just told, if it had not failed before that. */
class FirstRun<T> extends ResultCall<T> {
  readonly #onEnd: (call: FirstRun<T>) => void;

  constructor(channel: Channel, ask: Ask<T>, onEnd: (call: FirstRun<T>) => void) {
    super(channel, "unnamed", undefined, ask);
    this.#onEnd = onEnd;
  }

  override onSettled(): void {
    this.#onEnd(this);
    super.onSettled();
  }
}

const NO_ARGS: readonly unknown[] = [];
const PLAIN_ITEM: BatchItem = {
  shape: undefined,
  kept: undefined,
  onDescribed: undefined,
  onSkipped: undefined,
};
const ROWS_AS_ARRAYS: StatementOptions = { rowMode: "array" };

function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs === undefined || timeoutMs > 0) return;
  throw new UsageError(
    "ARGUMENT_INVALID",
    "timeoutMs must be above 0 milliseconds; Infinity stands for no limit",
  );
}

/** The statements of one connection. */
export class Statements implements Again {
  readonly #channel: Channel;
  /** Is told of every text that is sent. */
  readonly #dirt: SessionDirt;
  /**
   * Tells the names of this connection's statements from those of others, which a pooler may mix on
   * one server.
   */
  readonly #prefix: string = `fb_${randomBytes(4).toString("base64url")}_`;
  readonly #cache: StatementCache;
  /** Texts whose first run is under way. */
  readonly #first = new Set<string>();
  #nameCount = 0;

  constructor(channel: Channel, dirt: SessionDirt) {
    this.#channel = channel;
    this.#dirt = dirt;
    this.#cache = new StatementCache(channel.config.statements.max);
  }

  /** Forgets every kept statement; the server is told with the next request. */
  clear(): void {
    for (const text of this.#cache.clear()) void text.close();
  }

  /** Runs a text and gathers its rows; the gate has been passed. */
  query<T>(ask: Ask<T>): Promise<T> {
    const { sql, args, options } = ask;
    this.#dirt.note(sql, args);
    try {
      checkTimeout(options?.timeoutMs);
      const known = this.#cache.find(sql);
      return known === undefined ? this.#runUnknown(ask) : known.run(ask, this);
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
    this.#dirt.note(sql, args);
    const known = this.#cache.find(sql);
    if (known !== undefined) return known.openRows(args, options);
    const channel = this.#channel;
    if (args.length === 0 && hasSeveralStatements(sql)) {
      return openResultSets(channel, sql, options);
    }
    if (this.#needTypes(args)) return this.#prepareAndStream(sql, args, options);
    return openPortal(channel, options, undefined, () => {
      writeParse(channel.writer, "", sql);
      writeBind(channel.writer, "", args, undefined, ALL_TEXT);
      channel.writer.bytes(DESCRIBE_PORTAL);
      // So that the columns are known before the first row is, however long that takes.
      channel.writer.bytes(FLUSH);
    });
  }

  async #prepareAndStream(
    sql: string,
    args: readonly unknown[],
    options: StatementOptions | undefined,
  ): Promise<DriverRows> {
    const statement = await this.#prepare(sql, options);
    try {
      return await statement.stream(args, options);
    } finally {
      await statement.close();
    }
  }

  /** Prepares a statement that is its caller's. The gate has been passed. */
  async prepare(sql: string, options: OperationOptions | undefined): Promise<Statement> {
    this.#dirt.notePrepared(sql);
    return this.#prepare(sql, options);
  }

  async #prepare(sql: string, options: OperationOptions | undefined): Promise<Statement> {
    const channel = this.#channel;
    const name = this.#newName();
    try {
      return new Statement(channel, name, sql, await this.#describe(name, sql, options));
    } catch (error) {
      // The server may have it all the same, if the call was aborted.
      channel.forget(name);
      throw error;
    }
  }

  /**
   * Runs statements with one Sync behind all of them; the gate has been passed. Those whose meaning
   * depends on types that are not known must have been prepared: see `prepareBatch`.
   */
  batch(
    statements: readonly PipelinedStatement[],
    options: StatementOptions | undefined,
  ): Promise<DriverResult[]> {
    const channel = this.#channel;
    let items: BatchItem[] = [];
    try {
      checkTimeout(options?.timeoutMs);
      channel.write(() => {
        const texts = new Set<string>();
        items = statements.map(({ sql, args = NO_ARGS }) => this.#writeItem(sql, args, texts));
        channel.writer.bytes(SYNC);
      });
    } catch (error) {
      return Promise.reject(error);
    }
    const again = (stale: KeptText): Promise<DriverResult[]> | undefined => {
      this.#cache.drop(stale.sql, stale);
      void stale.close();
      if (channel.session.txStatus !== "I") return undefined;
      return this.prepareBatch(statements, options).then(() => this.batch(statements, options));
    };
    const call = new BatchCall(channel, items, options, again);
    channel.submit(call);
    return call.promise;
  }

  /** Prepares the texts that must be known before their arguments can be written. */
  async prepareBatch(
    statements: readonly PipelinedStatement[],
    options: OperationOptions | undefined,
  ): Promise<void> {
    const { mode } = this.#channel.config.statements;
    for (const { sql, args = NO_ARGS } of statements) {
      if (mode === "exec" || mode === "simple" || !this.#needTypes(args)) continue;
      if (this.#cache.find(sql) === undefined) {
        await this.#channel.pass(options?.signal);
        void this.#cache.add(sql, await this.#prepare(sql, options))?.close();
      }
    }
    await this.#channel.pass(options?.signal);
  }

  /** Writes one statement of a batch. `texts` are those that it has prepared so far. */
  #writeItem(sql: string, args: readonly unknown[], texts: Set<string>): BatchItem {
    const { writer, config } = this.#channel;
    this.#dirt.note(sql, args);
    const kept = this.#cache.find(sql);
    if (kept !== undefined) {
      kept.bind(args);
      writer.bytes(EXECUTE);
      return { ...PLAIN_ITEM, shape: kept.knownShape, kept };
    }
    const { mode } = config.statements;
    const isNew = mode === "cache-statement" && isPreparable(sql) && !texts.has(sql);
    const name = isNew ? this.#newName() : "";
    if (isNew) texts.add(sql);
    writeParse(writer, name, sql);
    if (isNew) writeDescribeStatement(writer, name);
    writeBind(writer, name, args, undefined, ALL_TEXT);
    if (!isNew) writer.bytes(DESCRIBE_PORTAL);
    writer.bytes(EXECUTE);
    if (!isNew) return PLAIN_ITEM;
    return {
      ...PLAIN_ITEM,
      onDescribed: (paramOids, fields) => this.#keep(sql, name, paramOids, fields),
      onSkipped: () => this.#channel.forget(name),
    };
  }

  #runUnknown<T>(ask: Ask<T>): Promise<T> {
    const { sql, args } = ask;
    const { mode } = this.#channel.config.statements;
    if (mode === "simple") {
      return this.#runSimple(interpolate(sql, args, this.#channel.session.parameters), ask);
    }
    const isKept = isPreparable(sql) && !(args.length === 0 && hasSeveralStatements(sql));
    if (!isKept && args.length === 0) return this.#runSimple(sql, ask);
    if (mode === "exec" && !this.#mustKnow(args)) return this.#runUnnamed(ask);
    // What these mean depends on the type: it is asked for before they are written.
    if (mode === "describe-exec" || this.#needTypes(args)) {
      return this.#describeAndRun(ask, isKept ? mode : undefined);
    }
    if (!isKept || this.#first.has(sql)) return this.#runUnnamed(ask);
    return this.#runFirst(ask, mode === "cache-describe" ? "" : this.#newName());
  }

  /** Sends the whole statement, and keeps what the server told of it; with a name, prepared. */
  #runFirst<T>(ask: Ask<T>, name: string): Promise<T> {
    const { sql, args } = ask;
    const channel = this.#channel;
    channel.write(() => {
      writeParse(channel.writer, name, sql);
      writeDescribeStatement(channel.writer, name);
      writeBind(channel.writer, name, args, undefined, ALL_TEXT);
      channel.writer.bytes(EXECUTE_SYNC);
    });
    const onEnd = ({ paramOids, fields }: FirstRun<T>): void => {
      this.#first.delete(sql);
      const isKnown = paramOids !== undefined && !channel.config.types.misses(paramOids, fields);
      if (isKnown) this.#keep(sql, name, paramOids, fields);
      // It was refused before it was described, but the Parse may have succeeded; or a type is to
      // be read first.
      else if (name !== "") channel.forget(name);
    };
    const call = new FirstRun(channel, ask, onEnd);
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

  again<T>(stale: KeptText, ask: Ask<T>): Promise<T> | undefined {
    this.#cache.drop(stale.sql, stale);
    void stale.close();
    // In a transaction it has failed with it.
    return this.#channel.session.txStatus === "I" ? this.#runAgain(stale, ask) : undefined;
  }

  async #runAgain<T>(stale: KeptText, ask: Ask<T>): Promise<T> {
    const { signal } = ask.options ?? {};
    const { facts, config } = this.#channel;
    await this.#channel.pass(signal);
    if (stale instanceof Statement && config.statements.mode === "cache-statement") {
      // Somebody may have deallocated it; or it is another server's by now.
      const pid = "SELECT pg_backend_pid()";
      const { rows } = await this.#runSimple(pid, askWhole(pid, NO_ARGS, ROWS_AS_ARRAYS));
      const [row] = rows as [number][];
      if (row?.[0] !== facts.processId) config.statements.fallBack();
      await this.#channel.pass(signal);
    }
    return this.query({ ...ask, tries: ask.tries + 1 });
  }

  /** Two round trips: the first one asks for the types. `keeping` is how the text is kept. */
  async #describeAndRun<T>(ask: Ask<T>, keeping: StatementMode | undefined): Promise<T> {
    const { sql, options } = ask;
    const channel = this.#channel;
    const text =
      keeping === "cache-statement"
        ? await this.#prepare(sql, options)
        : new DescribedText(channel, sql, await this.#describe("", sql, options));
    if (keeping === "cache-statement" || keeping === "cache-describe") {
      void this.#cache.add(sql, text)?.close();
    }
    await channel.pass(options?.signal);
    return text.run(ask);
  }

  async #describe(
    name: string,
    sql: string,
    options: OperationOptions | undefined,
  ): Promise<Description> {
    const { paramOids, fields } = await describe(this.#channel, name, sql, options);
    const { types } = this.#channel.config;
    if (types.misses(paramOids, fields)) await this.reloadTypes();
    return new Description(paramOids, fields, types);
  }

  /** Whether what an argument means depends on the type of its place. */
  #needTypes(args: readonly unknown[]): boolean {
    // An array is an array to an array type, and JSON to a JSON type.
    return args.some((arg) => Array.isArray(arg)) || this.#mustKnow(args);
  }

  /** Whether there is an argument that cannot be sent before the type of its place is known. */
  #mustKnow(args: readonly unknown[]): boolean {
    const { types } = this.#channel.config;
    return args.some((arg) => types.needsType(arg));
  }

  /** Reads the types that the options name. Rejects as `loadTypes` does. */
  loadTypes(signal: AbortSignal | undefined): Promise<void> {
    return loadTypes(this.#channel.config.types, (sql, args) => this.#text(sql, args, signal));
  }

  /** Reads them again, after a type turned up that is not known. Never rejects. */
  reloadTypes(): Promise<void> {
    return reloadTypes(this.#channel.config.types, (sql, args) => this.#text(sql, args, undefined));
  }

  /** The one text that a statement of the client's own gives. */
  async #text(
    sql: string,
    args: readonly unknown[],
    signal: AbortSignal | undefined,
  ): Promise<string> {
    await this.#channel.pass(signal);
    const options: StatementOptions = { ...ROWS_AS_ARRAYS, signal };
    const { rows } = await this.#runUnnamed(askWhole(sql, args, options));
    const [[text] = []] = rows as unknown[][];
    return String(text);
  }

  #runUnnamed<T>(ask: Ask<T>): Promise<T> {
    const { sql, args } = ask;
    const channel = this.#channel;
    const { writer } = channel;
    channel.write(() => {
      writeParse(writer, "", sql);
      writeBind(writer, "", args, undefined, ALL_TEXT);
      writer.bytes(DESCRIBE_PORTAL);
      writer.bytes(EXECUTE_SYNC);
    });
    const call = new ResultCall(channel, "unnamed", undefined, ask);
    channel.submit(call);
    return call.promise;
  }

  /** `text` is what `ask` comes to without arguments. */
  #runSimple<T>(text: string, ask: Ask<T>): Promise<T> {
    const channel = this.#channel;
    channel.write(() => writeQuery(channel.writer, text));
    const call = new ResultCall(channel, "simple", undefined, ask);
    channel.submit(call);
    return call.promise;
  }

  #newName(): string {
    this.#nameCount += 1;
    return this.#prefix + String(this.#nameCount);
  }
}
