// Hearing notifications for as long as the program runs, whatever happens to the connection. One
// loop (`#run`) makes, uses and loses connections; ARCHITECTURE.md has its states and what must be
// true of them (L1 to L8). All else only changes what is wanted, and wakes the loop.

import { addAbortListener, removeAbortListener } from "../base/abort.ts";
import { type Clock, type MonotonicMs, systemClock } from "../base/clock.ts";
import { isForebayError } from "../base/errors.ts";
import { Queue } from "../base/queue.ts";
import { type Random, systemRandom } from "../base/random.ts";
import type { Connector, OperationOptions } from "../driver/driver.ts";
import { BACKOFF_MAX_MS, DialBackoff } from "../pool/backoff.ts";
import { setLimit, withinMs } from "../pool/within.ts";
import type { DB } from "../sql/db.ts";
import {
  checkBufferMax,
  checkListenerOptions,
  type ListenerOptions,
  type NotificationsOptions,
} from "./listener-options.ts";
import {
  listenerClosed,
  type NotificationHandler,
  notificationsDropped,
  Subscription,
} from "./listener-parts.ts";
import { quoted } from "./names.ts";
import { checkChannel } from "./notify.ts";
import { poolerBehind, poolerUnsupported, PROBE_BOUND_MS, type ProbedConn } from "./pooler.ts";
import { callOut } from "./wire/call-out.ts";
import type { PgConnection } from "./wire/connection.ts";
import { isPgError } from "./wire/errors.ts";
import type { Notification } from "./wire/proto/backend.ts";

/**
 * What a listener is doing.
 *
 * - `resting`: nobody listens; there is no connection.
 * - `connecting`: a connection is being opened.
 * - `subscribing`: the server is being told what is listened on.
 * - `listening`: the server knows.
 * - `pausing`: the connection was lost or refused; the next is opened after a pause.
 * - `closed`: for good.
 */
export type ListenerState =
  | "resting"
  | "connecting"
  | "subscribing"
  | "listening"
  | "pausing"
  | "closed";

/** What of a connection a listener uses. */
export type ListenerConn = ProbedConn & Pick<PgConnection, "ping" | "onNotification">;

/**
 * Listens on channels of one database, on a connection of its own that is opened with the first
 * channel, opened anew when it is lost, and closed with the last.
 *
 * The connection is none of a pool's: it would be in use for ever, and a pool that is drained or
 * shrunk would wait for it. It counts against the server's limit, not against `maxOpenConns`. One
 * `Listener` for each database is enough, for any number of channels.
 *
 * PostgreSQL keeps nothing for who is not there: what is notified while the connection is lost is
 * never heard. `onReconnect` says so, when the new connection already listens: read then what may
 * have been missed. So a notification is best a hint to look into a table.
 *
 * Behind a pooler in transaction mode nothing can be heard: `listen` rejects with
 * `POOLER_UNSUPPORTED`.
 *
 * @example
 * ```ts
 * import { Listener, postgres } from "forebay/postgres";
 *
 * async function main(workOff: () => Promise<void>): Promise<void> {
 *   const listener = new Listener(postgres(), { onReconnect: () => void workOff() });
 *   await listener.listen("jobs", () => void workOff());
 *   await workOff();
 * }
 * ```
 */
export class Listener implements AsyncDisposable {
  readonly #connector: Connector<ListenerConn>;
  readonly #options: ListenerOptions;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  readonly #heartbeatTimeoutMs: number;
  readonly #backoff: DialBackoff;
  /** What is wanted, by channel. */
  readonly #wanted = new Map<string, Subscription>();
  /** What the server has been told to send on the present connection. */
  readonly #heard = new Set<string>();
  /** Aborted by `close`. */
  readonly #stop = new AbortController();
  #state: ListenerState = "resting";
  #running: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #hangUp: (() => Promise<void>) | undefined;
  /** The server's last sign of life on the present, or last, connection. */
  #signAtMs: MonotonicMs;
  /** Since when every channel is heard on the present connection; `undefined` before. */
  #listeningSinceMs: MonotonicMs | undefined;
  /** Since when, and why, notifications may be missed; `undefined` while they cannot be. */
  #gap: { readonly sinceMs: MonotonicMs; readonly reason: unknown } | undefined;

  /**
   * Opens nothing yet. Of a `DB` its connector is taken, not its hooks: see
   * `ListenerOptions.beforeConnect`. `clock` and `random` are for tests. Throws `OPTION_INVALID`.
   */
  constructor(
    target: DB<PgConnection> | Connector<ListenerConn>,
    options: ListenerOptions = {},
    clock: Clock = systemClock,
    random: Random = systemRandom,
  ) {
    this.#connector = "connector" in target ? target.connector : target;
    const { heartbeatMs, heartbeatTimeoutMs } = checkListenerOptions(options);
    this.#options = options;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
    this.#heartbeatTimeoutMs = heartbeatTimeoutMs;
    this.#backoff = new DialBackoff(random);
    this.#signAtMs = clock.nowMs();
  }

  /** What it is doing at the moment. */
  get state(): ListenerState {
    return this.#state;
  }

  /** The channels that are listened on, or are going to be. */
  get channels(): readonly string[] {
    return [...this.#wanted.keys()];
  }

  /**
   * Has `handler` called for each notification of a channel, in the order of their commits, until
   * `unlisten` or `close`. Resolves once the server has been told: what is committed from then on
   * is heard. A channel may have several handlers; one that is given twice is called twice.
   *
   * While the server cannot be reached this waits, and `onError` is told; the signal ends the wait,
   * and nothing later. Rejects with the error of a connection that cannot be made until a person
   * mends something, with `POOLER_UNSUPPORTED`, with the server's `PgError`, with
   * `LISTENER_CLOSED`, and with `ARGUMENT_INVALID` for a name of more than 63 bytes. The handler is
   * forgotten then.
   */
  async listen(
    channel: string,
    handler: NotificationHandler,
    { signal }: OperationOptions = {},
  ): Promise<void> {
    checkChannel(channel);
    signal?.throwIfAborted();
    if (this.#stop.signal.aborted) throw listenerClosed();
    const subscription = this.#wanted.get(channel) ?? new Subscription(channel);
    this.#wanted.set(channel, subscription);
    subscription.handlers = [...subscription.handlers, handler];
    if (this.#heard.has(channel)) {
      subscription.wasHeard = true;
      return;
    }
    this.#wake();
    this.#running ??= this.#run();
    await this.#untilHeard(subscription, handler, signal);
  }

  /**
   * Takes one handler of a channel away, or all. It is not called again; the server is told in the
   * background. A `listen` that still waits when the last handler goes rejects with
   * `LISTENER_CLOSED`. No effect for what is not there.
   */
  unlisten(channel: string, handler?: NotificationHandler): void {
    const subscription = this.#wanted.get(channel);
    if (subscription === undefined) return;
    const at = handler === undefined ? -1 : subscription.handlers.lastIndexOf(handler);
    if (handler !== undefined && at < 0) return;
    const left = handler === undefined ? [] : subscription.handlers.toSpliced(at, 1);
    subscription.handlers = left;
    if (left.length === 0) this.#drop(subscription, listenerClosed());
  }

  /**
   * The notifications of a channel, to be read in a loop; listening begins with the first read, and
   * ends with the loop. What has come and has not been read is buffered, up to `bufferMax`; beyond
   * that the loop ends with `NOTIFICATIONS_DROPPED`, and not in silence. It ends with
   * `signal.reason` when the signal is aborted, with the errors of `listen`, and without an error
   * when the listener is closed.
   */
  async *notifications(
    channel: string,
    { signal, bufferMax = 1000 }: NotificationsOptions = {},
  ): AsyncGenerator<Notification, void, undefined> {
    checkBufferMax(bufferMax);
    const buffer = new Queue<Notification>();
    let isOver = false;
    let wake = (): void => undefined;
    const wakeUp = (): void => wake();
    const handler: NotificationHandler = (_payload, notification) => {
      isOver ||= buffer.size >= bufferMax;
      if (!isOver) buffer.push(notification);
      wake();
    };
    await this.listen(channel, handler, { signal });
    const signals = signal === undefined ? [this.#stop.signal] : [this.#stop.signal, signal];
    for (const each of signals) addAbortListener(each, wakeUp);
    try {
      for (;;) {
        signal?.throwIfAborted();
        const next = buffer.shift();
        if (next !== undefined) yield next;
        else if (isOver) throw notificationsDropped(channel, bufferMax);
        else if (this.#stop.signal.aborted) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.unlisten(channel, handler);
      for (const each of signals) removeAbortListener(each, wakeUp);
    }
  }

  /**
   * Ends it: no handler is called any more, loops over `notifications` end, and calls of `listen`
   * that wait reject with `LISTENER_CLOSED`. Resolves once the connection is closed. Never rejects;
   * no effect on a second call.
   */
  async close(): Promise<void> {
    this.#stop.abort(listenerClosed());
    for (const subscription of this.#wanted.values()) this.#drop(subscription, listenerClosed());
    void this.#hangUp?.();
    await this.#running;
    this.#state = "closed";
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #untilHeard(
    subscription: Subscription,
    handler: NotificationHandler,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        subscription.waits.delete(wait);
        if (signal !== undefined) removeAbortListener(signal, onAbort);
      };
      const wait = {
        resolve: (): void => {
          end();
          resolve();
        },
        reject: (error: unknown): void => {
          end();
          reject(error);
        },
      };
      const onAbort = (): void => {
        wait.reject(signal?.reason);
        this.unlisten(subscription.channel, handler);
      };
      subscription.waits.add(wait);
      if (signal !== undefined) addAbortListener(signal, onAbort);
    });
  }

  #drop(subscription: Subscription, error: unknown): void {
    this.#wanted.delete(subscription.channel);
    subscription.handlers = [];
    subscription.reject(error);
    this.#wake();
  }

  /** Runs while anything is wanted, and leaves nothing behind. */
  async #run(): Promise<void> {
    while (this.#wanted.size > 0) {
      const dialedAtMs = this.#clock.nowMs();
      const pauseMs = this.#backoff.untilMs - dialedAtMs;
      if (pauseMs > 0) {
        this.#state = "pausing";
        await this.#sleep(pauseMs);
        continue;
      }
      try {
        await this.#useConnection();
      } catch (error) {
        this.#onFailure(error, dialedAtMs);
      }
    }
    this.#gap = undefined;
    this.#listeningSinceMs = undefined;
    this.#state = "resting";
    this.#running = undefined;
  }

  /** Opens a connection, and listens on it while anything is wanted; rejects when it is lost. */
  async #useConnection(): Promise<void> {
    this.#state = "connecting";
    const { signal } = this.#stop;
    const settings = await this.#options.beforeConnect?.({ signal });
    let lost: { readonly reason: unknown } | undefined;
    const onLost = (reason: unknown): void => {
      lost = { reason };
      this.#wake();
    };
    const conn = await this.#connector.connect({ signal, settings, onLost });
    let closing: Promise<void> | undefined;
    const hangUp = (): Promise<void> => (closing ??= (async () => conn.close())());
    this.#hangUp = hangUp;
    try {
      const probe = { signal, settings, clock: this.#clock };
      const probing = poolerBehind(this.#connector, conn, probe);
      const boundMs = this.#heartbeatTimeoutMs + PROBE_BOUND_MS;
      if ((await withinMs(this.#clock, boundMs, probing, "the first query")) === "transaction") {
        throw poolerUnsupported("LISTEN", "Connect to the server itself");
      }
      conn.onNotification((notification) => this.#onNotification(notification));
      await this.#serve(conn, () => {
        if (lost !== undefined) throw lost.reason;
      });
    } finally {
      this.#heard.clear();
      this.#hangUp = undefined;
      await hangUp().catch((error: unknown) => this.#report(error));
    }
  }

  async #serve(conn: ListenerConn, assertAlive: () => void): Promise<void> {
    this.#signAtMs = this.#clock.nowMs();
    while (this.#wanted.size > 0) {
      assertAlive();
      const channel = this.#nextChange();
      if (channel !== undefined) {
        this.#state = "subscribing";
        await this.#change(conn, channel);
        continue;
      }
      this.#state = "listening";
      const nowMs = this.#clock.nowMs();
      if (this.#listeningSinceMs === undefined) this.#onListening(nowMs);
      const quietMs = nowMs - this.#signAtMs;
      if (quietMs < this.#heartbeatMs) await this.#sleep(this.#heartbeatMs - quietMs);
      else await this.#ask(conn.ping(), "the heartbeat of a listener");
    }
  }

  /** A channel that is heard and not wanted, or wanted and not heard. */
  #nextChange(): string | undefined {
    for (const channel of this.#heard) if (!this.#wanted.has(channel)) return channel;
    for (const channel of this.#wanted.keys()) if (!this.#heard.has(channel)) return channel;
    return undefined;
  }

  async #change(conn: ListenerConn, channel: string): Promise<void> {
    const name = quoted(channel);
    // Not heard from now on: who listens meanwhile must wait for another LISTEN.
    if (this.#heard.delete(channel)) {
      await this.#ask(conn.query(`UNLISTEN ${name}`, []), "UNLISTEN");
      return;
    }
    const subscription = this.#wanted.get(channel);
    try {
      await this.#ask(conn.query(`LISTEN ${name}`, []), "LISTEN");
    } catch (error) {
      // What is refused at the first time is for the caller; later, the connection is of no use.
      if (subscription === undefined || subscription.wasHeard || !isPgError(error)) throw error;
      if (this.#wanted.get(channel) === subscription) this.#drop(subscription, error);
      return;
    }
    this.#heard.add(channel);
    this.#wanted.get(channel)?.onHeard();
  }

  /** Waits for an answer of the server, for a bounded time. */
  async #ask(answer: Promise<unknown>, what: string): Promise<void> {
    await withinMs(this.#clock, this.#heartbeatTimeoutMs, answer, what);
    this.#signAtMs = this.#clock.nowMs();
  }

  /** Every channel is heard on a new connection. */
  #onListening(nowMs: MonotonicMs): void {
    this.#listeningSinceMs = nowMs;
    const gap = this.#gap;
    const { onReconnect } = this.#options;
    this.#gap = undefined;
    if (gap === undefined || onReconnect === undefined) return;
    const { reason, sinceMs } = gap;
    this.#callUser(() => onReconnect({ gapMs: nowMs - sinceMs, reason }));
  }

  #onNotification(notification: Notification): void {
    this.#signAtMs = this.#clock.nowMs();
    const { channel, payload } = notification;
    for (const handler of this.#wanted.get(channel)?.handlers ?? []) {
      // One of them may have taken the others away.
      if (this.#wanted.get(channel)?.handlers.includes(handler) !== true) continue;
      this.#callUser(() => handler(payload, notification));
    }
  }

  /** A connection could not be made, or is of no use any more. */
  #onFailure(error: unknown, dialedAtMs: MonotonicMs): void {
    const nowMs = this.#clock.nowMs();
    // A server that takes connections only to end them is no better than one that refuses them.
    if (nowMs - (this.#listeningSinceMs ?? nowMs) >= BACKOFF_MAX_MS) this.#backoff.reset();
    this.#listeningSinceMs = undefined;
    if (this.#wanted.size === 0) return;
    const subscriptions = [...this.#wanted.values()];
    if (subscriptions.some(({ wasHeard }) => wasHeard)) {
      this.#gap ??= { sinceMs: this.#signAtMs, reason: error };
    }
    this.#backoff.noteFailure(dialedAtMs, error, nowMs);
    this.#report(error);
    if (!this.#isHopeless(error)) return;
    for (const subscription of subscriptions) {
      if (!subscription.wasHeard) this.#drop(subscription, error);
    }
  }

  #isHopeless(error: unknown): boolean {
    if (isForebayError(error) && error.code === "POOLER_UNSUPPORTED") return true;
    return this.#state === "connecting" && this.#connector.shouldRetryConnect?.(error) === false;
  }

  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError !== undefined) callOut(() => onError(error, "connection"));
  }

  /** Calls what the user gave; its errors are his, and disturb nobody. */
  #callUser(run: () => unknown): void {
    const { onError } = this.#options;
    const fail = (error: unknown): void =>
      callOut(() => {
        if (onError === undefined) throw error;
        onError(error, "handler");
      });
    try {
      const outcome = run();
      if (outcome instanceof Promise) outcome.catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  /** Until somebody wakes it, and no longer than this. */
  #sleep(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setLimit(this.#clock, forMs, () => this.#wake());
      this.#wake = () => {
        this.#wake = () => undefined;
        timer?.cancel();
        resolve();
      };
    });
  }
}

/**
 * Listens on one channel: a `Listener` that listens when this resolves. Close it in the end.
 * Rejects as `Listener.listen` does; then it is closed.
 *
 * @example
 * ```ts
 * import type { DB } from "forebay";
 * import { listen, type Listener, type PgConnection } from "forebay/postgres";
 *
 * function watch(db: DB<PgConnection>, changed: (table: string) => void): Promise<Listener> {
 *   return listen(db, "changes", changed, { onReconnect: () => changed("any") });
 * }
 * ```
 */
export async function listen(
  target: DB<PgConnection> | Connector<ListenerConn>,
  channel: string,
  handler: NotificationHandler,
  { signal, ...options }: ListenerOptions & OperationOptions = {},
): Promise<Listener> {
  const listener = new Listener(target, options);
  try {
    await listener.listen(channel, handler, { signal });
    return listener;
  } catch (error) {
    await listener.close();
    throw error;
  }
}
