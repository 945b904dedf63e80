// A statement prepared on one connection. Its columns and the types of its parameters are known, so
// that running it again takes a Bind and an Execute, and results come in binary where there is a
// reader for it.

import { UsageError } from "../../base/errors.ts";
import type {
  Column,
  DriverResult,
  DriverRows,
  DriverStmt,
  StatementOptions,
} from "../../driver/driver.ts";
import { Call } from "./call.ts";
import type { Channel } from "./channel.ts";
import { classify } from "./errors.ts";
import { openPortal } from "./portal.ts";
import type { FieldDescription } from "./proto/backend.ts";
import { EXECUTE_SYNC, resultFormatBytes, writeBind } from "./proto/frontend.ts";
import { RowShape } from "./row-shape.ts";
import { hasBinary } from "./types/index.ts";

const NO_COLUMNS: readonly Column[] = [];

/** Turns a finished call into what its caller gets. */
export function toResult(call: Call<DriverResult>): DriverResult {
  return {
    columns: call.shape === undefined ? NO_COLUMNS : call.shape.columns,
    rows: call.rows,
    rowsAffected: call.rowsAffected,
    command: call.command,
  };
}

/** A prepared statement. Made by `PgConnection.prepare`. */
export class Statement implements DriverStmt {
  readonly #channel: Channel;
  readonly #name: string;
  readonly #paramOids: readonly number[];
  readonly #shape: RowShape | undefined;
  readonly #formats: Uint8Array;
  #isClosed = false;
  #isValid = true;

  /** `fields` are empty for a statement that gives no rows. */
  constructor(
    channel: Channel,
    name: string,
    paramOids: readonly number[],
    fields: readonly FieldDescription[],
  ) {
    this.#channel = channel;
    this.#name = name;
    this.#paramOids = paramOids;
    const { types } = channel.config;
    const formats = fields.map((field) => (hasBinary(field.typeOid, types) ? 1 : 0));
    this.#formats = resultFormatBytes(formats);
    this.#shape =
      fields.length === 0
        ? undefined
        : new RowShape(
            fields.map((field, i) => ({ ...field, format: formats[i] ?? 0 })),
            types,
          );
  }

  query(args: readonly unknown[], options?: StatementOptions): Promise<DriverResult> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.query(args, options));
    return this.#query(args, options);
  }

  stream(args: readonly unknown[], options?: StatementOptions): Promise<DriverRows> {
    const gate = this.#channel.gate(options?.signal);
    if (gate !== undefined) return gate.then(() => this.stream(args, options));
    return this.#stream(args, options);
  }

  /** False after the server did not know the statement, or its columns had changed. */
  isValid(): boolean {
    return this.#isValid;
  }

  close(): Promise<void> {
    if (!this.#isClosed) this.#channel.forget(this.#name);
    this.#isClosed = true;
    return Promise.resolve();
  }

  #query(args: readonly unknown[], options: StatementOptions | undefined): Promise<DriverResult> {
    const channel = this.#channel;
    const start = channel.begin();
    try {
      this.#bind(args);
    } catch (error) {
      channel.writer.truncate(start);
      return Promise.reject(error);
    }
    channel.writer.bytes(EXECUTE_SYNC);
    const rowMode = options?.rowMode ?? "object";
    const { signal } = options ?? {};
    const call = new Call(channel, "named", rowMode, this.#shape, signal, toResult, this.#note);
    channel.submit(call);
    return call.promise;
  }

  #stream(args: readonly unknown[], options: StatementOptions | undefined): Promise<DriverRows> {
    const bind = (): void => this.#bind(args);
    return openPortal(this.#channel, options, this.#shape ?? "none", bind, this.#note);
  }

  /** Looks at an error, and leaves it as it is. */
  readonly #note = (error: unknown): unknown => {
    if (classify(error) === "statement-invalid") this.#isValid = false;
    return error;
  };

  #bind(args: readonly unknown[]): void {
    if (this.#isClosed) {
      throw new UsageError("ARGUMENT_INVALID", "the prepared statement has been closed");
    }
    if (args.length !== this.#paramOids.length) {
      throw new UsageError(
        "ARGUMENT_INVALID",
        `the statement has ${this.#paramOids.length} parameters, and ${args.length} were given`,
      );
    }
    const { writer, config } = this.#channel;
    writeBind(writer, this.#name, args, this.#paramOids, this.#formats, config.types);
  }
}
