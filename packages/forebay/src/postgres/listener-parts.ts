// What a listener keeps for each channel, and its errors.

import { ForebayError } from "../base/errors.ts";
import type { Notification } from "./wire/proto/backend.ts";

/** Is called for each notification. What it throws, or rejects with, goes to `onError`. */
export type NotificationHandler = (payload: string, notification: Notification) => unknown;

/** A call of `listen` that waits for the server. It settles once. */
export interface Wait {
  resolve(): void;
  reject(error: unknown): void;
}

/** One channel that somebody listens on. */
export class Subscription {
  readonly channel: string;
  handlers: readonly NotificationHandler[] = [];
  readonly waits: Set<Wait> = new Set();
  /** Whether it has been listened on, on whatever connection. */
  wasHeard = false;

  constructor(channel: string) {
    this.channel = channel;
  }

  /** The server has been told. */
  onHeard(): void {
    this.wasHeard = true;
    for (const wait of this.waits) wait.resolve();
  }

  /** Nobody will listen on it any more. */
  reject(error: unknown): void {
    for (const wait of this.waits) wait.reject(error);
  }
}

/** The error of what waits for a listener that is closed, or a channel that was given up. */
export function listenerClosed(): ForebayError {
  return new ForebayError(
    "operating",
    "LISTENER_CLOSED",
    "the listener was closed, or the channel given up, before the server was told to listen",
    { retryable: true },
  );
}

/** The error of a loop that reads more slowly than notifications come. */
export function notificationsDropped(channel: string, bufferMax: number): ForebayError {
  return new ForebayError(
    "operating",
    "NOTIFICATIONS_DROPPED",
    `more than ${bufferMax} notifications of ${JSON.stringify(channel)} waited to be read: ` +
      "those behind them were dropped. Read faster, raise bufferMax, or read from a table what " +
      "was missed and begin again",
    { retryable: false },
  );
}
