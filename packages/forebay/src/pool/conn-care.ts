// What is done with a connection between its users, and at its end: it is made fit, pinged, shown
// to hooks, closed. Each is bounded in time, and however a driver or a hook behaves, the end of
// each is told exactly once.

import type { Clock } from "../base/clock.ts";
import type { PooledConn } from "../driver/driver.ts";
import type { PoolSettings } from "./options.ts";
import type { ReturnCondition, Slot } from "./state.ts";
import { orAborted, withinMs } from "./within.ts";

/** Whom the care tells how things ended. */
export interface CareEvents<C extends PooledConn> {
  released(slot: Slot<C>, generation: number, condition: ReturnCondition): void;
  checked(slot: Slot<C>, outcome: "fit" | "reset-failed" | "refused"): void;
  pinged(slot: Slot<C>, isAlive: boolean): void;
  closed(slot: Slot<C>): void;
}

/** The care of one pool's connections. */
export class ConnCare<C extends PooledConn> {
  readonly #settings: PoolSettings<C>;
  readonly #clock: Clock;
  readonly #events: CareEvents<C>;
  /** Whether there is a hook for what comes back. */
  readonly #isHooked: boolean;
  /** What is under way, aborted when it runs out of time or the connection is closed meanwhile. */
  readonly #underway = new Map<Slot<C>, AbortController>();

  constructor(settings: PoolSettings<C>, events: CareEvents<C>) {
    this.#settings = settings;
    this.#clock = settings.clock;
    this.#events = events;
    this.#isHooked = settings.hooks.afterRelease !== undefined;
  }

  /** A lease has ended: is the connection fit for the next user, or can it be made so? */
  giveBack(slot: Slot<C>, generation: number): void {
    const { conn } = slot;
    // It may have been closed by force under its holder: then nothing may be called on it.
    if (slot.kind !== "leased" || conn === undefined) return;
    if (conn.isValid === undefined && conn.resetSession === undefined && !this.#isHooked) {
      this.#events.released(slot, generation, "fit");
    } else this.#examine(slot, conn, generation);
  }

  #examine(slot: Slot<C>, conn: C, generation: number): void {
    let condition: ReturnCondition = "fit";
    let reset: Promise<void> | undefined;
    try {
      if (conn.isValid?.() === false) condition = "bad";
      else reset = resetSession(conn);
    } catch (error) {
      condition = "bad";
      this.#settings.onBackgroundError(error, "reset");
    }
    if (reset !== undefined || (this.#isHooked && condition === "fit")) condition = "check";
    this.#events.released(slot, generation, condition);
    if (condition === "check") void this.#makeFit(slot, conn, reset);
  }

  /**
   * Whether the `beforeAcquire` hook lets the connection be handed out. Rejects as the hook does,
   * with `signal.reason`, or as soon as the connection is closed.
   */
  async mayHandOut(slot: Slot<C>, conn: C, signal: AbortSignal | undefined): Promise<boolean> {
    const { hooks, hookTimeoutMs } = this.#settings;
    const work = this.#bounded(slot, hookTimeoutMs, "beforeAcquire", (with_) =>
      orAborted((async () => hooks.beforeAcquire?.(conn, with_))(), with_.signal),
    );
    return (await orAborted(work, signal)) !== false;
  }

  /** Asks the connection whether it lives. */
  async ping(slot: Slot<C>, conn: C): Promise<void> {
    let isAlive = true;
    try {
      const { pingTimeoutMs } = this.#settings;
      await this.#bounded(slot, pingTimeoutMs, "ping", (with_) => conn.ping?.(with_));
    } catch (error) {
      isAlive = false;
      // Closed meanwhile, it was aborted by the pool itself.
      if (slot.kind === "pinging") this.#settings.onBackgroundError(error, "ping");
    }
    this.#events.pinged(slot, isAlive);
  }

  /** Closes the connection. What is under way on it is aborted. */
  async close(slot: Slot<C>, conn: C): Promise<void> {
    this.#underway.get(slot)?.abort();
    this.#underway.delete(slot);
    const { hooks, hookTimeoutMs, closeTimeoutMs, onBackgroundError } = this.#settings;
    if (hooks.beforeClose !== undefined) {
      try {
        await this.#bounded(slot, hookTimeoutMs, "beforeClose", (with_) =>
          hooks.beforeClose?.(conn, with_),
        );
      } catch (error) {
        onBackgroundError(error, "hook");
      }
    }
    try {
      await withinMs(this.#clock, closeTimeoutMs, (async () => conn.close())(), "close");
    } catch (error) {
      onBackgroundError(error, "close");
    }
    this.#events.closed(slot);
  }

  async #makeFit(slot: Slot<C>, conn: C, reset: Promise<void> | undefined): Promise<void> {
    const { hooks, hookTimeoutMs, resetTimeoutMs, onBackgroundError } = this.#settings;
    try {
      await this.#bounded(slot, resetTimeoutMs, "resetSession", () => reset);
    } catch (error) {
      if (slot.kind === "checking") onBackgroundError(error, "reset");
      this.#events.checked(slot, "reset-failed");
      return;
    }
    let verdict: unknown;
    try {
      if (hooks.afterRelease !== undefined && slot.kind === "checking") {
        verdict = await this.#bounded(slot, hookTimeoutMs, "afterRelease", (with_) =>
          hooks.afterRelease?.(conn, with_),
        );
      }
    } catch (error) {
      onBackgroundError(error, "hook");
      verdict = false;
    }
    this.#events.checked(slot, verdict === false ? "refused" : "fit");
  }

  async #bounded(
    slot: Slot<C>,
    limitMs: number,
    what: string,
    work: (options: { readonly signal: AbortSignal }) => unknown,
  ): Promise<unknown> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#underway.set(slot, controller);
    try {
      const working = (async () => work({ signal }))();
      return await withinMs(this.#clock, limitMs, working, what, signal);
    } catch (error) {
      controller.abort(error);
      throw error;
    } finally {
      if (this.#underway.get(slot) === controller) this.#underway.delete(slot);
    }
  }
}

/** A driver that throws at once fails like one that rejects. */
function resetSession(conn: PooledConn): Promise<void> | undefined {
  try {
    return conn.resetSession?.();
  } catch (error) {
    return Promise.reject(error);
  }
}
