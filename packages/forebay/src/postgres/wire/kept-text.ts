// Texts of which so much is known that they need not be described again, and one run of them.

import type { DriverRows, StatementOptions } from "../../driver/driver.ts";
import { type Ask, ResultCall } from "./call.ts";
import type { Channel } from "./channel.ts";
import { EXECUTE_SYNC } from "./proto/frontend.ts";
import type { RowShape } from "./row-shape.ts";

/** A text that need not be described again. */
export interface KeptText {
  readonly sql: string;
  /**
   * Runs it; the gate has been passed. `again` is asked in place of a failure that the keeping
   * itself has caused.
   */
  run<T>(ask: Ask<T>, again?: Again): Promise<T>;
  openRows(args: readonly unknown[], options: StatementOptions | undefined): Promise<DriverRows>;
  /** Writes all messages of a run up to its Execute. Throws `ARGUMENT_INVALID`. */
  bind(args: readonly unknown[]): void;
  /** How rows are read that come without a description. */
  readonly knownShape: RowShape | undefined;
  /** Looks at the error of a run. */
  note(error: unknown): void;
  /** Whether it can still be run as it is kept. */
  isValid(): boolean;
  /** Frees what the server keeps of it. */
  close(): Promise<void>;
}

/** Runs a text once more of which something else was kept than the server knows. */
export interface Again {
  /** `undefined` where that cannot be. */
  again<T>(stale: KeptText, ask: Ask<T>): Promise<T> | undefined;
}

class KeptCall<T> extends ResultCall<T> {
  readonly #text: KeptText;
  readonly #again: Again | undefined;

  constructor(
    channel: Channel,
    text: KeptText,
    kind: "named" | "unnamed",
    ask: Ask<T>,
    again: Again | undefined,
  ) {
    super(channel, kind, text.knownShape, ask);
    this.#text = text;
    this.#again = again;
  }

  protected override recover(): Promise<T> | undefined {
    this.#text.note(this.error);
    if (this.#text.isValid()) return super.recover();
    return this.#again?.again(this.#text, this.ask);
  }
}

/** `KeptText.run`, for those that implement it. `kind` is that of the messages of its `bind`. */
export function runKept<T>(
  channel: Channel,
  text: KeptText,
  kind: "named" | "unnamed",
  ask: Ask<T>,
  again: Again | undefined,
): Promise<T> {
  try {
    channel.write(() => {
      text.bind(ask.args);
      channel.writer.bytes(EXECUTE_SYNC);
    });
  } catch (error) {
    return Promise.reject(error);
  }
  const call = new KeptCall(channel, text, kind, ask, again);
  channel.submit(call);
  return call.promise;
}
