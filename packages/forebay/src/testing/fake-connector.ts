// A connector for tests of the pool: it does what a script says, call by call, and checks from its
// side that the pool keeps the driver's contract.

import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { ConnectOptions, Connector, OperationOptions, PooledConn } from "../driver/driver.ts";

/** What a fake is asked for. */
export type FakeCall = "connect" | "isValid" | "resetSession" | "ping" | "close";

/**
 * What a fake does: succeed, fail, never end, or any of these later. For `isValid`, `fail` means
 * `false`, and only `ok` and `fail` make sense. For `resetSession`, `ok` means that there was
 * nothing to do.
 */
export type FakeOutcome =
  | "ok"
  | "never"
  | { readonly fail: unknown; readonly afterMs?: number }
  | { readonly afterMs: number };

/** Says what the fake does; `connId` is the number of the connection, from 1. */
export type FakeScript = (call: FakeCall, connId: number) => FakeOutcome;

/** A connection that a `FakeConnector` has made. */
export class FakeConn implements PooledConn {
  readonly id: number;
  /** When the dial ended, on the connector's clock. */
  readonly openedAtMs: number;
  /**
   * When it last showed that it lives, on the connector's clock: when its dial, a reset or a ping
   * ended well. For tests to write as well.
   */
  aliveAtMs: number;
  readonly #connector: FakeConnector;
  readonly #onLost: (reason: unknown) => void;
  /** Who has it, for tests to write; a second owner is an error of the pool. */
  owner: string | undefined;
  #closeCalled = false;
  #lost = false;
  #resetting = false;
  #pinging = false;

  constructor(id: number, connector: FakeConnector, onLost: (reason: unknown) => void) {
    this.id = id;
    this.openedAtMs = connector.clock.nowMs();
    this.aliveAtMs = this.openedAtMs;
    this.#connector = connector;
    this.#onLost = onLost;
  }

  /** Whether `close` has been called. */
  get isClosing(): boolean {
    return this.#closeCalled;
  }

  /** Whether the server has ended it. */
  get isLost(): boolean {
    return this.#lost;
  }

  /** Whether `resetSession` has yet to end. */
  get isResetting(): boolean {
    return this.#resetting;
  }

  /** Whether `ping` has yet to end. */
  get isPinging(): boolean {
    return this.#pinging;
  }

  /** Ends the connection from the server's side. */
  lose(reason: unknown): void {
    if (this.#closeCalled || this.#lost) return;
    this.#lost = true;
    this.#onLost(reason);
  }

  isValid(): boolean {
    this.#assertOpen("isValid");
    return !this.#lost && this.#connector.script("isValid", this.id) === "ok";
  }

  resetSession(): Promise<void> | undefined {
    this.#assertOpen("resetSession");
    const outcome = this.#connector.script("resetSession", this.id);
    if (outcome === "ok") return undefined;
    this.#resetting = true;
    return this.#connector
      .perform(outcome)
      .then(() => this.#showLife())
      .finally(() => {
        this.#resetting = false;
      });
  }

  async ping(options?: OperationOptions): Promise<void> {
    this.#connector.pingCount += 1;
    this.#assertOpen("ping");
    const isFree = this.owner === undefined && !this.#resetting && !this.#pinging;
    assert(isFree, `fake connection ${this.id}: ping while it is in use`);
    if (this.#lost) throw new Error(`fake connection ${this.id} is lost`);
    this.#pinging = true;
    try {
      await this.#connector.perform(this.#connector.script("ping", this.id), options?.signal);
      this.#showLife();
    } finally {
      this.#pinging = false;
    }
  }

  async close(): Promise<void> {
    this.#assertOpen("close");
    this.#closeCalled = true;
    try {
      await this.#connector.perform(this.#connector.script("close", this.id));
    } finally {
      this.#connector.open.delete(this);
    }
  }

  #showLife(): void {
    this.aliveAtMs = this.#connector.clock.nowMs();
  }

  #assertOpen(call: FakeCall): void {
    assert(!this.#closeCalled, `fake connection ${this.id}: ${call} after close`);
  }
}

/** A connector that does what its script says. */
export class FakeConnector implements Connector<FakeConn> {
  readonly name = "fake";
  readonly clock: Clock;
  script: FakeScript;
  /** What `shouldRetryConnect` answers. */
  mayRetry = true;
  /** Connections that are open, or being closed. */
  readonly open: Set<FakeConn> = new Set();
  /** Told of a dial whose signal was aborted, and after how long. */
  onDialAborted: (afterMs: number) => void = () => undefined;
  /** Told of a dial that begins, with the number of the connection that it may give. */
  onDialed: (connId: number) => void = () => undefined;
  /** Pings begun. */
  pingCount = 0;
  /** Dials under way. */
  dialing = 0;
  /** Dials begun. */
  dialCount = 0;
  /** Whether the connector itself was closed. */
  closed = false;

  /** A breach of the contract that was seen here, where nobody could be told. */
  breach: unknown;
  #dialedAtMs = -1;
  #dialsAtOnce = 0;

  constructor(clock: Clock, script: FakeScript = () => "ok") {
    this.clock = clock;
    this.script = script;
  }

  /** Connections that are open, or being closed; without dials under way. */
  get openCount(): number {
    return this.open.size;
  }

  /** What the server would count: connections open, and dials under way. */
  get serverCount(): number {
    return this.open.size + this.dialing;
  }

  async connect({ signal, onLost }: ConnectOptions): Promise<FakeConn> {
    assert(!this.closed, "fake connector: connect after close");
    this.#assertPause();
    this.dialCount += 1;
    const id = this.dialCount;
    this.onDialed(id);
    this.dialing += 1;
    const dialedAtMs = this.clock.nowMs();
    const onAbort = () => this.onDialAborted(this.clock.nowMs() - dialedAtMs);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await this.perform(this.script("connect", id), signal);
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.dialing -= 1;
    }
    const conn = new FakeConn(id, this, onLost);
    this.open.add(conn);
    return conn;
  }

  shouldRetryConnect(): boolean {
    return this.mayRetry;
  }

  close(): void {
    this.closed = true;
  }

  /** A pool that dials thousands of times while no time passes would do so for ever. */
  #assertPause(): void {
    this.#dialsAtOnce = this.clock.nowMs() === this.#dialedAtMs ? this.#dialsAtOnce + 1 : 0;
    this.#dialedAtMs = this.clock.nowMs();
    try {
      assert(this.#dialsAtOnce < 5000, "fake connector: dialed without end");
    } catch (error) {
      this.breach = error;
      throw error;
    }
  }

  /** Carries an outcome out; rejects early when the signal is aborted. */
  perform(outcome: FakeOutcome, signal?: AbortSignal): Promise<void> {
    if (outcome === "ok") return Promise.resolve();
    return new Promise((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (outcome === "never") return;
      const finish = () => {
        if ("fail" in outcome) reject(outcome.fail);
        else resolve();
      };
      if (outcome.afterMs === undefined) finish();
      else this.clock.setTimer(outcome.afterMs, finish);
    });
  }
}
