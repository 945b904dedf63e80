// A text whose parameters and columns are known, and which is sent whole each time: for servers
// behind a pooler, where a prepared statement may be gone at the next call.

import type { DriverRows, StatementOptions } from "../../driver/driver.ts";
import { type Ending, ResultCall } from "./call.ts";
import type { Channel } from "./channel.ts";
import { isPgError } from "./errors.ts";
import { openPortal } from "./portal.ts";
import {
  DESCRIBE_PORTAL,
  EXECUTE,
  EXECUTE_SYNC,
  FLUSH,
  writeBind,
  writeParse,
} from "./proto/frontend.ts";
import type { Again, KeptText } from "./statement-cache.ts";
import type { Description } from "./statement.ts";

/** One run. The columns are told each time, since they may have changed. */
class DescribedCall<T> extends ResultCall<T> {
  readonly #text: DescribedText;
  readonly #again: Again | undefined;

  constructor(
    channel: Channel,
    text: DescribedText,
    args: readonly unknown[],
    options: StatementOptions | undefined,
    ending: Ending<T>,
    again: Again | undefined,
  ) {
    super(channel, "unnamed", undefined, args, options, ending);
    this.sql = text.sql;
    this.#text = text;
    this.#again = again;
  }

  protected override recover(): Promise<T> | undefined {
    this.#text.note(this.error);
    if (this.#text.isValid()) return super.recover();
    return this.#again?.again(this.#text, this);
  }
}

/** A text with its description. */
export class DescribedText implements KeptText {
  readonly #channel: Channel;
  readonly sql: string;
  readonly #description: Description;
  #isValid = true;

  constructor(channel: Channel, sql: string, description: Description) {
    this.#channel = channel;
    this.sql = sql;
    this.#description = description;
  }

  isValid(): boolean {
    return this.#isValid;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  run<T>(
    args: readonly unknown[],
    options: StatementOptions | undefined,
    ending: Ending<T>,
    again?: Again,
    tries = 0,
  ): Promise<T> {
    const channel = this.#channel;
    try {
      channel.write(() => {
        this.#bind(args);
        channel.writer.bytes(EXECUTE_SYNC);
      });
    } catch (error) {
      return Promise.reject(error);
    }
    const call = new DescribedCall(channel, this, args, options, ending, again);
    call.tries = tries;
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

  get knownShape(): undefined {
    return undefined;
  }

  write(args: readonly unknown[]): void {
    this.#bind(args);
    this.#channel.writer.bytes(EXECUTE);
  }

  /** With a description that is out of date nothing has been run. */
  note(error: unknown): void {
    if (!isPgError(error)) return;
    const { sqlstate } = error;
    if (sqlstate.startsWith("42") || sqlstate === "08P01") this.#isValid = false;
  }

  #bind(args: readonly unknown[]): void {
    const { writer, config } = this.#channel;
    const { paramOids, formats } = this.#description;
    this.#description.checkCount(args);
    writeParse(writer, "", this.sql, paramOids);
    writeBind(writer, "", args, paramOids, formats, config.types);
    writer.bytes(DESCRIBE_PORTAL);
  }
}
