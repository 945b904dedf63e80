// A text whose parameters and columns are known, and which is sent whole each time: for servers
// behind a pooler, where a prepared statement may be gone at the next call.

import type { DriverResult, DriverRows, StatementOptions } from "../../driver/driver.ts";
import { ResultCall } from "./call.ts";
import type { Channel } from "./channel.ts";
import { isPgError } from "./errors.ts";
import { openPortal } from "./portal.ts";
import { DESCRIBE_PORTAL, EXECUTE_SYNC, FLUSH, writeBind, writeParse } from "./proto/frontend.ts";
import type { KeptText } from "./statement-cache.ts";
import type { Description } from "./statement.ts";

/** One run. The columns are told each time, since they may have changed. */
class DescribedCall extends ResultCall {
  readonly #text: DescribedText;
  readonly #again: (() => Promise<DriverResult> | undefined) | undefined;

  constructor(
    channel: Channel,
    text: DescribedText,
    options: StatementOptions | undefined,
    again: (() => Promise<DriverResult> | undefined) | undefined,
  ) {
    super(channel, "unnamed", options?.rowMode ?? "object", undefined, options?.signal);
    this.#text = text;
    this.#again = again;
  }

  protected override recover(): Promise<DriverResult> | undefined {
    this.#text.note(this.error);
    return this.#text.isValid() ? undefined : this.#again?.();
  }
}

/** A text with its description. */
export class DescribedText implements KeptText {
  readonly #channel: Channel;
  readonly #sql: string;
  readonly #description: Description;
  #isValid = true;

  constructor(channel: Channel, sql: string, description: Description) {
    this.#channel = channel;
    this.#sql = sql;
    this.#description = description;
  }

  isValid(): boolean {
    return this.#isValid;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  run(
    args: readonly unknown[],
    options: StatementOptions | undefined,
    again?: () => Promise<DriverResult> | undefined,
  ): Promise<DriverResult> {
    const channel = this.#channel;
    try {
      channel.write(() => {
        this.#bind(args);
        channel.writer.bytes(EXECUTE_SYNC);
      });
    } catch (error) {
      return Promise.reject(error);
    }
    const call = new DescribedCall(channel, this, options, again);
    channel.submit(call);
    return call.promise;
  }

  openRows(args: readonly unknown[], options: StatementOptions | undefined): Promise<DriverRows> {
    const channel = this.#channel;
    const bind = (): void => {
      this.#bind(args);
      channel.writer.bytes(FLUSH);
    };
    return openPortal(channel, options, undefined, bind, (error) => this.note(error));
  }

  /** Looks at the error of a run: with a description that is out of date nothing has been run. */
  note(error: unknown): void {
    if (!isPgError(error)) return;
    const { sqlstate } = error;
    if (sqlstate.startsWith("42") || sqlstate === "08P01") this.#isValid = false;
  }

  #bind(args: readonly unknown[]): void {
    const { writer } = this.#channel;
    const { paramOids, formats } = this.#description;
    this.#description.checkCount(args);
    writeParse(writer, "", this.#sql, paramOids);
    writeBind(writer, "", args, paramOids, formats);
    writer.bytes(DESCRIBE_PORTAL);
  }
}
