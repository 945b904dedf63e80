// A model of database/sql's own pool, over the same driver connections: the baseline of scenarios
// whose claim is about that pool. Only the rules that the guide's claims rest on. What sets it
// apart from Forebay's pool: each caller that finds no idle connection below the limit dials for
// itself and waits for that dial, whatever comes free meanwhile; and an error of the dial is its
// own.

import { isBadConn } from "forebay";
import type { Connector, DriverConn } from "forebay/driver";
import { labClock, type LabClock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import type { LabRandom } from "./random.ts";

/** The two limits of the model, where `Infinity` is database/sql's 0, and what it hears. */
export interface GoRulesLimits {
  readonly maxOpenConns: number;
  readonly maxIdleConns: number;
  /**
   * What becomes of a connection that is lost while idle. `unnoticed`: it is handed out, as in Go,
   * where nobody reads an idle socket unless the driver looks before each use.
   * @defaultValue "noticed"
   */
  readonly idleLoss?: "noticed" | "unnoticed" | undefined;
  /**
   * Who takes a connection that has been idle for longer than `afterMs` pings it first, and takes
   * the next if it does not answer within `timeoutMs`: one after the other, as pgxpool and HikariCP
   * have it. @defaultValue no pings
   */
  readonly ping?: { readonly afterMs: number; readonly timeoutMs: number } | undefined;
}

/** How often a call is made on whatever connection there is, before it gets a new one. */
const CACHED_TRIES = 2;

/** What has happened, and what is. */
export interface GoRulesStats {
  readonly openConnections: number;
  readonly inUse: number;
  readonly waitCount: number;
  /** Connections handed out. */
  readonly acquireCount: number;
  readonly maxIdleClosed: number;
  readonly dialCount: number;
  readonly dialErrorCount: number;
}

/**
 * database/sql's rules, as its source has them: the connection used last is taken first; a caller
 * that must wait for the limit is served in random order; a connection comes back to a waiter, or
 * to the idle ones if fewer than maxIdleConns are idle, or is closed.
 */
export class GoRulesPool {
  readonly #connector: Connector;
  readonly #limits: GoRulesLimits;
  readonly #random: LabRandom;
  readonly #clock: LabClock;
  readonly #idle: DriverConn[] = [];
  readonly #idleSinceMs = new WeakMap<DriverConn, number>();
  readonly #lost = new WeakSet<DriverConn>();
  readonly #waiters: ((conn: DriverConn | undefined) => void)[] = [];
  readonly #closing = new Set<Promise<void>>();
  #open = 0;
  #waitCount = 0;
  #acquireCount = 0;
  #maxIdleClosed = 0;
  #dialCount = 0;
  #dialErrorCount = 0;

  constructor(
    connector: Connector,
    limits: GoRulesLimits,
    random: LabRandom,
    clock: LabClock = labClock,
  ) {
    this.#clock = clock;
    this.#connector = connector;
    this.#limits = limits;
    this.#random = random;
  }

  /**
   * Runs `use` with a connection; again where that proves to be lost before anything was sent:
   * twice on what there is, then on a new one. Rejects with the dial's error, or as `use` does.
   */
  async withConn<T>(use: (conn: DriverConn) => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let tries = 1; ; tries++) {
      const conn = await (tries > CACHED_TRIES ? this.#acquireNew(signal) : this.#acquire(signal));
      this.#acquireCount++;
      try {
        return await use(conn);
      } catch (error) {
        if (tries > CACHED_TRIES || !isBadConn(error)) throw error;
      } finally {
        this.#release(conn);
      }
    }
  }

  stats(): GoRulesStats {
    return {
      openConnections: this.#open,
      inUse: this.#open - this.#idle.length,
      waitCount: this.#waitCount,
      acquireCount: this.#acquireCount,
      maxIdleClosed: this.#maxIdleClosed,
      dialCount: this.#dialCount,
      dialErrorCount: this.#dialErrorCount,
    };
  }

  /**
   * Closes the idle connections and resolves when they are gone. Call it when nobody holds one any
   * more.
   */
  async close(): Promise<void> {
    for (const conn of this.#idle.splice(0)) this.#shut(conn);
    while (this.#closing.size > 0) await Promise.all(this.#closing);
    await this.#connector.close?.();
  }

  async #acquire(signal: AbortSignal): Promise<DriverConn> {
    for (let conn = this.#idle.pop(); conn !== undefined; conn = this.#idle.pop()) {
      const isFit = this.#limits.idleLoss === "unnoticed" || !this.#lost.has(conn);
      if (isFit && (await this.#answers(conn, signal))) return conn;
      this.#shut(conn);
      signal.throwIfAborted();
    }
    return this.#acquireNew(signal);
  }

  /** A new connection, or one that comes back while it waits for the limit. */
  async #acquireNew(signal: AbortSignal): Promise<DriverConn> {
    if (this.#open < this.#limits.maxOpenConns) return this.#dial(signal);
    this.#waitCount++;
    const conn = await new Promise<DriverConn | undefined>((grant) => this.#waiters.push(grant));
    return conn ?? this.#acquire(signal);
  }

  /** Whether the connection need not be pinged, or answers a ping in time. Never rejects. */
  async #answers(conn: DriverConn, signal: AbortSignal): Promise<boolean> {
    const { ping } = this.#limits;
    const idleForMs = this.#clock.nowMs() - (this.#idleSinceMs.get(conn) ?? 0);
    if (ping === undefined || idleForMs <= ping.afterMs) return true;
    const answer = withDeadline(this.#clock, ping.timeoutMs, signal, async (own) => {
      await conn.ping?.({ signal: own });
    });
    return answer.then(
      () => true,
      () => false,
    );
  }

  async #dial(signal: AbortSignal): Promise<DriverConn> {
    this.#open++;
    try {
      const made: { conn?: DriverConn } = {};
      const conn = await this.#connector.connect({
        signal,
        onLost: () => {
          if (made.conn !== undefined) this.#lost.add(made.conn);
        },
      });
      made.conn = conn;
      this.#dialCount++;
      return conn;
    } catch (error) {
      this.#open--;
      this.#dialErrorCount++;
      this.#takeWaiter()?.(undefined);
      throw error;
    }
  }

  #release(conn: DriverConn): void {
    const usable = !this.#lost.has(conn) && (conn.isValid?.() ?? true);
    const waiter = usable ? this.#takeWaiter() : undefined;
    if (waiter !== undefined) waiter(conn);
    else if (usable && this.#idle.length < this.#limits.maxIdleConns) {
      this.#idleSinceMs.set(conn, this.#clock.nowMs());
      this.#idle.push(conn);
    } else {
      if (usable) this.#maxIdleClosed++;
      this.#shut(conn);
    }
  }

  #takeWaiter(): ((conn: DriverConn | undefined) => void) | undefined {
    if (this.#waiters.length === 0) return undefined;
    const at = Math.floor(this.#random.next() * this.#waiters.length);
    return this.#waiters.splice(at, 1)[0];
  }

  #shut(conn: DriverConn): void {
    const count = (): void => {
      this.#open--;
      this.#closing.delete(gone);
      this.#takeWaiter()?.(undefined);
    };
    // As the driver's contract has it, a close that fails counts as closed.
    const gone = Promise.resolve(conn.close()).then(count, count);
    this.#closing.add(gone);
  }
}
