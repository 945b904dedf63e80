// Runs the dials that the core asks for: several at once, each with a limit of time, each told when
// nobody wants it any more. However a connector behaves, every dial is reported to have ended
// exactly once.

import type { Timer } from "../base/clock.ts";
import { ForebayError } from "../base/errors.ts";
import type { Connector, PooledConn } from "../driver/driver.ts";
import type { PoolSettings } from "./options.ts";
import type { Slot } from "./state.ts";
import { orAborted, setLimit, withinMs } from "./within.ts";

/** Whom the dialer tells how dials end, and what becomes of their connections. */
export interface DialEvents<C extends PooledConn> {
  dialed(slot: Slot<C>, conn: C): void;
  failed(slot: Slot<C>, error: unknown, mayRetry: boolean): void;
  lost(slot: Slot<C>, reason: unknown): void;
}

interface Dial {
  readonly controller: AbortController;
  timer: Timer | undefined;
}

/** The dials of one pool. */
export class Dialer<C extends PooledConn> {
  readonly #connector: Connector<C>;
  readonly #settings: PoolSettings<C>;
  readonly #events: DialEvents<C>;
  /** The dials under way. One that is not in here has ended, as far as the pool is concerned. */
  readonly #dials = new Map<Slot<C>, Dial>();

  constructor(connector: Connector<C>, settings: PoolSettings<C>, events: DialEvents<C>) {
    this.#connector = connector;
    this.#settings = settings;
    this.#events = events;
  }

  /** Begins a dial. It ends in `dialed` or `failed`, never before this has returned. */
  dial(slot: Slot<C>): void {
    const { dialTimeoutMs, clock } = this.#settings;
    const timer = setLimit(clock, dialTimeoutMs, () =>
      this.abort(slot, timeoutError(this.#connector.name, dialTimeoutMs)),
    );
    timer?.keepAlive(false);
    const controller = new AbortController();
    this.#dials.set(slot, { controller, timer });
    void this.#connect(slot, controller.signal);
  }

  /**
   * Tells the connector to stop, with the reason. If it does not within closeTimeoutMs, the dial
   * counts as failed.
   */
  abort(slot: Slot<C>, reason: Error): void {
    const dial = this.#dials.get(slot);
    if (dial === undefined || dial.controller.signal.aborted) return;
    dial.timer?.cancel();
    const { clock, closeTimeoutMs } = this.#settings;
    // The end of the dial cancels this.
    dial.timer = setLimit(clock, closeTimeoutMs, () => {
      this.#end(slot);
      this.#events.failed(slot, reason, true);
    });
    dial.controller.abort(reason);
  }

  async #connect(slot: Slot<C>, signal: AbortSignal): Promise<void> {
    const { hooks } = this.#settings;
    let conn: C | undefined;
    try {
      let settings: unknown;
      if (hooks.beforeConnect !== undefined) {
        settings = await orAborted((async () => hooks.beforeConnect?.({ signal }))(), signal);
      }
      const dialed = await this.#connector.connect({
        signal,
        settings,
        onLost: (reason) => this.#events.lost(slot, reason),
      });
      conn = dialed;
      if (hooks.afterConnect !== undefined) {
        await orAborted((async () => hooks.afterConnect?.(dialed, { signal }))(), signal);
      }
      dialed.rememberSession?.();
    } catch (error) {
      const mayRetry = signal.aborted || this.#mayRetry(error);
      if (conn !== undefined) await this.#close(conn);
      if (this.#end(slot)) this.#events.failed(slot, error, mayRetry);
      return;
    }
    if (this.#end(slot)) this.#events.dialed(slot, conn);
    else await this.#close(conn);
  }

  /** A dial that had been given up has given a connection after all, or a hook refused it. */
  async #close(conn: C): Promise<void> {
    const { clock, closeTimeoutMs } = this.#settings;
    try {
      await withinMs(clock, closeTimeoutMs, (async () => conn.close())(), "close");
    } catch (error) {
      this.#settings.onBackgroundError(error, "close");
    }
  }

  #mayRetry(error: unknown): boolean {
    try {
      return this.#connector.shouldRetryConnect?.(error) ?? true;
    } catch (thrown) {
      this.#settings.onBackgroundError(thrown, "dial");
      return true;
    }
  }

  /** Notes the end of a dial; false when it had ended already. */
  #end(slot: Slot<C>): boolean {
    this.#dials.get(slot)?.timer?.cancel();
    return this.#dials.delete(slot);
  }
}

function timeoutError(name: string, dialTimeoutMs: number): ForebayError {
  return new ForebayError(
    "operating",
    "CONNECT_TIMEOUT",
    `${name}: no connection was made within ${dialTimeoutMs}ms. ` +
      "Check the address, the network and the server's load",
    { retryable: true },
  );
}
