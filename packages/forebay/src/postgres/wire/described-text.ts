// A text whose parameters and columns are known, and which is sent whole each time: for servers
// behind a pooler, where a prepared statement may be gone at the next call.

import type { DriverRows, StatementOptions } from "../../driver/driver.ts";
import type { Ask } from "./call.ts";
import type { Channel } from "./channel.ts";
import { isPgError } from "./errors.ts";
import { type Again, type KeptText, runKept } from "./kept-text.ts";
import { openPortal } from "./portal.ts";
import { DESCRIBE_PORTAL, FLUSH, writeBind, writeParse } from "./proto/frontend.ts";
import type { Description } from "./statement.ts";

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

  run<T>(ask: Ask<T>, again?: Again): Promise<T> {
    return runKept(this.#channel, this, "unnamed", ask, again);
  }

  openRows(args: readonly unknown[], options: StatementOptions | undefined): Promise<DriverRows> {
    const channel = this.#channel;
    const bind = (): void => {
      this.bind(args);
      channel.writer.bytes(FLUSH);
    };
    return openPortal(channel, options, undefined, bind, (error) => this.note(error));
  }

  /** The columns are told each time, since they may have changed. */
  get knownShape(): undefined {
    return undefined;
  }

  /** With a description that is out of date nothing has been run. */
  note(error: unknown): void {
    if (!isPgError(error)) return;
    const { sqlstate } = error;
    if (sqlstate.startsWith("42") || sqlstate === "08P01") this.#isValid = false;
  }

  bind(args: readonly unknown[]): void {
    const { writer, config } = this.#channel;
    const { paramOids, formats } = this.#description;
    this.#description.checkCount(args);
    writeParse(writer, "", this.sql, paramOids);
    writeBind(writer, "", args, paramOids, formats, config.types);
    writer.bytes(DESCRIBE_PORTAL);
  }
}
