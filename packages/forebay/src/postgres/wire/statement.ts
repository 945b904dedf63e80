// A statement prepared on one connection. Its columns and the types of its parameters are known, so
// that running it again takes a Bind and an Execute, and results come in binary where there is a
// reader for it.

import { UsageError } from "../../base/errors.ts";
import type {
  DriverResult,
  DriverRows,
  DriverStmt,
  StatementOptions,
} from "../../driver/driver.ts";
import { type Ask, askWhole } from "./call.ts";
import type { Channel } from "./channel.ts";
import { classify } from "./errors.ts";
import { type Again, type KeptText, runKept } from "./kept-text.ts";
import { openPortal } from "./portal.ts";
import type { FieldDescription } from "./proto/backend.ts";
import { resultFormatBytes, writeBind } from "./proto/frontend.ts";
import { RowShape } from "./row-shape.ts";
import { hasBinary, type TypeRegistry } from "./types/index.ts";

/** What Describe says about a statement, and what follows from it. */
export class Description {
  readonly paramOids: readonly number[];
  /** How rows are read in the formats that are asked for; `undefined` where there are none. */
  readonly shape: RowShape | undefined;
  /** The end of a Bind: see `resultFormatBytes`. */
  readonly formats: Uint8Array;

  /** `fields` are empty for a statement that gives no rows. */
  constructor(
    paramOids: readonly number[],
    fields: readonly FieldDescription[],
    types: TypeRegistry,
  ) {
    this.paramOids = paramOids;
    const formats = fields.map(({ typeOid }): 0 | 1 => (hasBinary(typeOid, types) ? 1 : 0));
    this.formats = resultFormatBytes(formats);
    const inFormats = fields.map((field, i) => ({ ...field, format: formats[i] ?? 0 }));
    this.shape = fields.length === 0 ? undefined : new RowShape(inFormats, types);
  }

  /** Throws `ARGUMENT_INVALID` unless there are as many arguments as parameters. */
  checkCount(args: readonly unknown[]): void {
    if (args.length === this.paramOids.length) return;
    throw new UsageError(
      "ARGUMENT_INVALID",
      `the statement has ${this.paramOids.length} parameters, and ${args.length} were given`,
    );
  }
}

/** A prepared statement. Made by `PgConnection.prepare`. */
export class Statement implements DriverStmt, KeptText {
  /** On the server. */
  readonly name: string;
  readonly sql: string;
  readonly description: Description;
  readonly #channel: Channel;
  #isClosed = false;
  #isValid = true;

  constructor(channel: Channel, name: string, sql: string, description: Description) {
    this.#channel = channel;
    this.name = name;
    this.sql = sql;
    this.description = description;
  }

  query(args: readonly unknown[], options?: StatementOptions): Promise<DriverResult> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.query(args, options));
    return this.run(askWhole(this.sql, args, options));
  }

  stream(args: readonly unknown[], options?: StatementOptions): Promise<DriverRows> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.stream(args, options));
    return this.openRows(args, options);
  }

  /** False after the server did not know the statement, or its columns had changed. */
  isValid(): boolean {
    return this.#isValid;
  }

  close(): Promise<void> {
    if (!this.#isClosed) this.#channel.forget(this.name);
    this.#isClosed = true;
    return Promise.resolve();
  }

  run<T>(ask: Ask<T>, again?: Again): Promise<T> {
    return runKept(this.#channel, this, "named", ask, again);
  }

  /** Runs it for rows that are read as they come; the gate has been passed. */
  openRows(args: readonly unknown[], options: StatementOptions | undefined): Promise<DriverRows> {
    const bind = (): void => this.bind(args);
    const shape = this.description.shape ?? "none";
    return openPortal(this.#channel, options, shape, bind, (error) => this.note(error));
  }

  get knownShape(): RowShape | undefined {
    return this.description.shape;
  }

  note(error: unknown): void {
    if (classify(error) === "statement-invalid") this.#isValid = false;
  }

  bind(args: readonly unknown[]): void {
    if (this.#isClosed) {
      throw new UsageError("ARGUMENT_INVALID", "the prepared statement has been closed");
    }
    const { paramOids, formats } = this.description;
    if (args.length !== paramOids.length) this.description.checkCount(args);
    const { writer, config } = this.#channel;
    writeBind(writer, this.name, args, paramOids, formats, config.types);
  }
}
