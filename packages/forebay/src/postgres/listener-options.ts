// How a listener is to behave, and what it tells.

import { UsageError } from "../base/errors.ts";
import type { OperationOptions } from "../driver/driver.ts";

/** What was missed: told when a listener listens again. */
export interface ListenGap {
  /**
   * For how long notifications may have been missed: since the server's last sign of life on the
   * connection that was lost.
   */
  readonly gapMs: number;
  /** Why that connection was lost. */
  readonly reason: unknown;
}

/** Options of a `Listener`. */
export interface ListenerOptions {
  /**
   * Called once each time that the connection was lost and every channel is listened on again: read
   * now what may have been missed. Not called for the first connection, nor for dials that fail.
   */
  readonly onReconnect?: ((gap: ListenGap) => void) | undefined;
  /**
   * Is given every error that no caller can be told: of `connection`, which is mended by opening
   * another; of `handler`, what a handler, or `onReconnect`, threw or rejected with. Without it the
   * former are passed over, and the latter are uncaught.
   */
  readonly onError?: ((error: unknown, from: "connection" | "handler") => void) | undefined;
  /**
   * Before each connection: gives settings for it, as the hook of a pool does. A `DB` whose
   * `beforeConnect` hook gives passwords needs the same one here.
   */
  readonly beforeConnect?: ((options: OperationOptions) => unknown) | undefined;
  /**
   * After so much silence the server is asked whether it is there; a peer that has vanished without
   * a word is noticed by nothing else. `Infinity` turns it off. @defaultValue 30 000
   */
  readonly heartbeatMs?: number | undefined;
  /**
   * How long the server may take to answer that, or a `LISTEN`, before the connection is given up.
   * @defaultValue 5000
   */
  readonly heartbeatTimeoutMs?: number | undefined;
}

/** Options of a loop over notifications. */
export interface NotificationsOptions extends OperationOptions {
  /** How many may wait to be read. A whole number from 1. @defaultValue 1000 */
  readonly bufferMax?: number | undefined;
}

/** Throws `OPTION_INVALID`, or gives the durations. */
export function checkListenerOptions(options: ListenerOptions): {
  readonly heartbeatMs: number;
  readonly heartbeatTimeoutMs: number;
} {
  const { heartbeatMs = 30_000, heartbeatTimeoutMs = 5000 } = options;
  for (const [name, value] of Object.entries({ heartbeatMs, heartbeatTimeoutMs })) {
    if (typeof value === "number" && value > 0) continue;
    throw new UsageError("OPTION_INVALID", `${name} must be above 0 milliseconds`);
  }
  return { heartbeatMs, heartbeatTimeoutMs };
}

/** Throws `OPTION_INVALID` for what is no `bufferMax`. */
export function checkBufferMax(bufferMax: number): void {
  if (Number.isSafeInteger(bufferMax) && bufferMax >= 1) return;
  throw new UsageError("OPTION_INVALID", "bufferMax must be a whole number from 1");
}
