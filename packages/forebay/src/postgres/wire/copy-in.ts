// COPY FROM STDIN: the statement, then the data in as many pieces as the source gives, no faster
// than the socket takes them.

import { UsageError } from "../../base/errors.ts";
import type { OperationOptions } from "../../driver/driver.ts";
import { Call } from "./call.ts";
import type { Channel } from "./channel.ts";
import { openSource } from "./copy-source.ts";
import { COPY_DONE, writeCopyData, writeCopyFail, writeQuery } from "./proto/frontend.ts";
import type { RequestStep } from "./request.ts";
import { notCopyIn } from "./session.ts";
import { hasSeveralStatements } from "./sql-text.ts";

/** Data to copy, in the format that the statement names; it may be cut anywhere. */
export type CopySource = Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;

/** What a COPY has done. */
export interface CopyResult {
  readonly rowsAffected: number;
}

/** This much is gathered before it is given to the socket. */
export const PIECE_BYTES: number = 64 * 1024;

/** After so much, whatever else the process has to do has its turn. */
const TURN_BYTES = 1024 * 1024;

/** See `PgConnection.copyIn`. The gate has been passed. */
export async function copyIn(
  channel: Channel,
  sql: string,
  source: CopySource,
  options: OperationOptions | undefined,
): Promise<CopyResult> {
  if (hasSeveralStatements(sql)) throw notCopyIn();
  channel.write(() => writeQuery(channel.writer, sql));
  const copy = new CopyIn(channel, options?.signal);
  channel.submit(copy);
  void copy.feed(source);
  return await copy.promise;
}

/**
 * `starting`: the server has not asked for data yet. `copying`: it takes data. `fed`: it has been
 * told that this was all, or that there will be no more. `over`: it is done, or lost.
 */
type State = "starting" | "copying" | "fed" | "over";

class CopyIn extends Call<CopyResult> {
  readonly #channel: Channel;
  #state: State = "starting";
  /** Called when the state is no longer `starting`. */
  #started: () => void = () => {};
  /** Called when no more data is wanted. */
  #stopSource: () => void = () => {};
  /** Sent since others had their turn. */
  #turnBytes = 0;

  constructor(channel: Channel, signal: AbortSignal | undefined) {
    super(channel, "copy-in", "object", undefined, signal);
    this.#channel = channel;
  }

  protected override finish(): CopyResult {
    return { rowsAffected: this.rowsAffected };
  }

  /** Gives the server what the source has, once it asks for it. Never rejects: the call does. */
  async feed(source: CopySource): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#started = resolve;
    });
    try {
      if (this.#state !== "copying") return;
      if (Symbol.asyncIterator in source) await this.#feedLater(source);
      else await this.#feedNow(source);
    } catch (error) {
      this.fail(error);
      this.#end("the source of the data has failed");
      return;
    }
    this.#end();
  }

  override onStep(step: RequestStep): void {
    if (step !== "copying") return;
    this.#state = "copying";
    // From now on the end of the data stops the server, and a cancel request would come too late.
    this.isCancellable = false;
    this.#started();
  }

  override onSettled(): void {
    if (this.#state === "starting" && !this.failed) this.fail(notCopyIn());
    this.#state = "over";
    this.#started();
    this.#stopSource();
    super.onSettled();
  }

  override handleEvent(): void {
    this.#end("the client has aborted the copy");
    this.#stopSource();
    super.handleEvent();
  }

  async #feedNow(source: Iterable<Uint8Array | string>): Promise<void> {
    const iterator = source[Symbol.iterator]();
    this.#stopSource = () => {
      this.#stopSource = () => {};
      try {
        iterator.return?.();
      } catch {
        // What it throws changes nothing any more.
      }
    };
    for (let step = iterator.next(); step.done !== true; step = iterator.next()) {
      const drained = this.#sendFrom(step.value);
      if (drained !== undefined) await drained;
      if (this.#state !== "copying") break;
    }
    this.#stopSource = () => {};
  }

  async #feedLater(source: AsyncIterable<Uint8Array | string>): Promise<void> {
    const reading = openSource(source);
    this.#stopSource = () => {
      this.#stopSource = () => {};
      reading.stop();
    };
    for (;;) {
      const step = await reading.next();
      if (this.#state !== "copying" || step.done === true) break;
      const drained = this.#sendFrom(step.value);
      if (drained !== undefined) await drained;
      if (this.#state !== "copying") break;
    }
    this.#stopSource = () => {};
  }

  /** Sends a piece. Lets go of its source when it is none. */
  #sendFrom(piece: Uint8Array | string): Promise<void> | undefined {
    try {
      return this.#send(piece);
    } catch (error) {
      this.#stopSource();
      throw error;
    }
  }

  #send(piece: Uint8Array | string): Promise<void> | undefined {
    if (typeof piece !== "string" && !(piece instanceof Uint8Array)) {
      throw new UsageError("ARGUMENT_INVALID", "data to copy must be text or a Uint8Array");
    }
    const { writer } = this.#channel;
    writeCopyData(writer, piece);
    if (writer.length < PIECE_BYTES) return undefined;
    this.#turnBytes += writer.length;
    const drained = this.#channel.push();
    return this.#turnBytes < TURN_BYTES ? drained : this.#giveTurn(drained);
  }

  /** Where the socket takes all at once, waiting for it never gets as far as other input. */
  async #giveTurn(drained: Promise<void> | undefined): Promise<void> {
    this.#turnBytes = 0;
    await drained;
    await new Promise<void>((resolve) => {
      this.#channel.config.clock.afterIo(resolve);
    });
  }

  /** Tells the server that there is no more, or that all is to be undone because of `failure`. */
  #end(failure?: string): void {
    if (this.#state !== "copying") return;
    this.#state = "fed";
    if (failure === undefined) this.#channel.writer.bytes(COPY_DONE);
    else writeCopyFail(this.#channel.writer, failure);
    this.#channel.flushSoon();
  }
}
