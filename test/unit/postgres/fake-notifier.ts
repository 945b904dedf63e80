// A server that listeners connect to: it does what a test says, and counts what is open.

import type {
  ConnectOptions,
  Connector,
  DriverResult,
} from "../../../packages/forebay/src/driver/driver.ts";
import type {
  ListenerConn,
  Notification,
  PgMessageFields,
} from "../../../packages/forebay/src/postgres/index.ts";
import { PgError } from "../../../packages/forebay/src/postgres/index.ts";

/** What becomes of a dial or a statement. */
export type Outcome = "ok" | "never" | Error | Promise<void>;

/** One connection, as its user sees it and as a test moves it. */
export class FakeSession implements ListenerConn {
  /** What was sent, but for the question which process this is. */
  readonly sent: string[] = [];
  isOpen = true;
  processId = 7;
  /** The process that statements run in. */
  backendPid = 7;
  readonly #server: FakeNotifier;
  readonly #onLost: (reason: unknown) => void;
  #handler: (notification: Notification) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;

  constructor(server: FakeNotifier, onLost: (reason: unknown) => void) {
    this.#server = server;
    this.#onLost = onLost;
  }

  async query(sql: string): Promise<DriverResult> {
    const isProbe = sql.includes("pg_backend_pid");
    if (!isProbe) this.sent.push(sql);
    await this.#perform(isProbe ? "ok" : this.#server.answer(sql));
    return { columns: [], rows: [[this.backendPid]], rowsAffected: 0, command: "" };
  }

  ping(): Promise<void> {
    this.sent.push("ping");
    return this.#perform(this.#server.answer("ping"));
  }

  onNotification(handler: (notification: Notification) => void): void {
    this.#handler = handler;
  }

  isValid(): boolean {
    return this.isOpen;
  }

  close(): Promise<void> {
    this.isOpen = false;
    this.#server.open.delete(this);
    this.#fail(new Error("closed in use"));
    return Promise.resolve();
  }

  /** The server sends a notification. */
  send(channel: string, payload: string): void {
    this.#handler({ channel, payload, processId: 1 });
  }

  /** The server ends the connection. */
  lose(reason: unknown): void {
    this.#fail(reason);
    this.#onLost(reason);
  }

  #perform(outcome: Outcome): Promise<void> {
    if (outcome instanceof Error) return Promise.reject(outcome);
    if (outcome instanceof Promise) return outcome;
    if (outcome === "ok") return Promise.resolve();
    return new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
  }
}

/** The server. */
export class FakeNotifier implements Connector<ListenerConn> {
  readonly name = "fake";
  readonly open: Set<FakeSession> = new Set();
  readonly sessions: FakeSession[] = [];
  dialing = 0;
  dialCount = 0;
  dialedWith: unknown[] = [];
  mostAtOnce = 0;
  mayRetry = true;
  /** What becomes of the next dials. */
  dial: Outcome = "ok";
  answer: (sql: string) => Outcome = () => "ok";
  setUp: (session: FakeSession) => void = () => undefined;

  async connect({ signal, onLost, settings }: ConnectOptions): Promise<ListenerConn> {
    this.dialCount += 1;
    this.dialing += 1;
    this.dialedWith.push(settings);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.open.size + this.dialing);
    try {
      if (this.dial instanceof Error) throw this.dial;
      if (this.dial === "never") {
        await new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      }
    } finally {
      this.dialing -= 1;
    }
    const session = new FakeSession(this, onLost);
    this.open.add(session);
    this.sessions.push(session);
    this.setUp(session);
    return session;
  }

  shouldRetryConnect(): boolean {
    return this.mayRetry;
  }

  /** The connection made last. */
  get last(): FakeSession {
    const session = this.sessions.at(-1);
    if (session === undefined) throw new Error("there was no connection");
    return session;
  }
}

/** An error of the server's. */
export function serverError(sqlstate: string, message: string): PgError {
  return new PgError({ severity: "ERROR", sqlstate, message } as PgMessageFields);
}
