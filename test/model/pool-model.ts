// The pool as one would explain it on a whiteboard: arrays and plain rules, slow and without
// cleverness. It shares no code with the core, and is compared with it after every event.

/** One connection in the model. */
export interface ModelConn {
  readonly id: number;
  state: "connecting" | "idle" | "leased" | "checking" | "closing";
  lost: boolean;
  /** Whether anybody has ever had it. */
  used: boolean;
}

/** One waiting acquire in the model. */
export interface ModelWaiter {
  readonly id: number;
  readonly enqueuedMs: number;
  readonly deadlineMs: number;
  /** Whether it waits for lack of a place, not for a dial. */
  readonly atLimit: boolean;
}

/** The limits that the model knows. */
export interface ModelLimits {
  maxOpen: number;
  maxIdle: number;
  minIdle: number;
  maxDialing: number;
}

/** What became of acquires, in the order in which it happened: `grant 3 on 1`, `timeout 4`. */
export type ModelLog = string[];

/** The naive pool: waiters first come first served, idle connections last in first out. */
export class PoolModel {
  nowMs = 0;
  conns: ModelConn[] = [];
  waiters: ModelWaiter[] = [];
  /** Ids of idle connections, the one idle longest first. */
  idle: number[] = [];
  log: ModelLog = [];
  closed = false;
  failing = 0;
  pausedUntilMs = 0;
  failedAtMs = -1;
  waitCount = 0;
  waitDurationMs = 0;
  #connIdLast = 0;
  readonly limits: ModelLimits;
  readonly #dialedAtMs = new Map<number, number>();

  constructor(limits: ModelLimits) {
    this.limits = limits;
    this.dial();
  }

  count(state: ModelConn["state"]): number {
    return this.conns.filter((conn) => conn.state === state).length;
  }

  find(id: number): ModelConn {
    const conn = this.conns.find((each) => each.id === id);
    if (conn === undefined) throw new Error(`the model has no connection ${id}`);
    return conn;
  }

  acquire(id: number, timeoutMs: number): void {
    const connId = this.idle.pop();
    if (connId !== undefined) {
      this.#grant(id, this.find(connId));
    } else {
      const canDial = this.count("connecting") + this.limits.maxOpen - this.conns.length;
      const isFull = this.count("leased") >= this.limits.maxOpen;
      const served = isFull ? 0 : Math.max(canDial, this.count("connecting"));
      const atLimit = this.waiters.length >= served;
      if (atLimit) this.waitCount += 1;
      const deadlineMs = this.nowMs + timeoutMs;
      this.waiters.push({ id, enqueuedMs: this.nowMs, deadlineMs, atLimit });
    }
    this.dial();
  }

  abort(id: number): void {
    this.#leave(this.waiters.filter((waiter) => waiter.id === id));
  }

  dialed(id: number): void {
    const conn = this.find(id);
    if (conn.lost) this.#noteFailure(id);
    else {
      this.failing = 0;
      this.pausedUntilMs = 0;
    }
    this.offer(conn);
    this.dial();
  }

  dialFailed(id: number): void {
    this.conns = this.conns.filter((conn) => conn.id !== id);
    if (!this.closed) this.#noteFailure(id);
    this.dial();
  }

  #noteFailure(id: number): void {
    if ((this.#dialedAtMs.get(id) ?? 0) <= this.failedAtMs) return;
    this.failing += 1;
    this.failedAtMs = this.nowMs;
    this.pausedUntilMs = this.nowMs + 0.5 * Math.min(5000, 50 * 2 ** (this.failing - 1));
  }

  offer(conn: ModelConn): void {
    const waiter = this.waiters[0];
    const kept = this.conns.filter(({ state }) => state !== "closing").length;
    if (conn.lost || this.closed || kept > this.limits.maxOpen) conn.state = "closing";
    else if (waiter !== undefined) {
      this.#leave([waiter]);
      this.#grant(waiter.id, conn);
    } else if (this.idle.length < Math.min(this.limits.maxIdle, this.limits.maxOpen)) {
      conn.state = "idle";
      this.idle.push(conn.id);
    } else conn.state = "closing";
  }

  lose(id: number): void {
    const conn = this.find(id);
    conn.lost = true;
    if (conn.state === "idle") {
      if (!conn.used) this.#noteFailure(id);
      this.#closeIdle(id);
    }
    this.dial();
  }

  gone(id: number): void {
    this.conns = this.conns.filter((conn) => conn.id !== id);
    this.dial();
  }

  configure(change: Partial<ModelLimits>): void {
    Object.assign(this.limits, change);
    if (this.closed) return;
    const maxIdle = Math.min(this.limits.maxIdle, this.limits.maxOpen);
    while (this.idle.length > maxIdle) this.#closeIdle(this.idle[0]);
    const kept = () => this.conns.filter(({ state }) => state !== "closing").length;
    while (kept() > this.limits.maxOpen && this.idle.length > 0) this.#closeIdle(this.idle[0]);
    this.tick();
  }

  tick(): void {
    const due = this.waiters.filter(({ deadlineMs }) => deadlineMs <= this.nowMs);
    for (const waiter of due) this.log.push(`timed-out ${waiter.id}`);
    this.#leave(due);
    this.dial();
  }

  close(): void {
    this.closed = true;
    for (const waiter of this.waiters) this.log.push(`closed ${waiter.id}`);
    this.#leave(this.waiters);
    while (this.idle.length > 0) this.#closeIdle(this.idle[0]);
  }

  /** Dials one for each waiter and for minIdle, as far as the limits let it. */
  dial(): void {
    const { maxOpen, maxIdle, minIdle, maxDialing } = this.limits;
    if (this.closed || this.nowMs < this.pausedUntilMs) return;
    const floor = Math.min(minIdle, maxIdle, maxOpen);
    const wanted = this.waiters.length + Math.max(0, floor - this.idle.length);
    const atOnce = this.failing > 0 ? 1 : maxDialing;
    while (this.count("connecting") < Math.min(wanted, atOnce) && this.conns.length < maxOpen) {
      this.#connIdLast += 1;
      this.conns.push({ id: this.#connIdLast, state: "connecting", lost: false, used: false });
      this.#dialedAtMs.set(this.#connIdLast, this.nowMs);
    }
  }

  #leave(leaving: readonly ModelWaiter[]): void {
    for (const { atLimit, enqueuedMs } of leaving) {
      if (atLimit) this.waitDurationMs += this.nowMs - enqueuedMs;
    }
    this.waiters = this.waiters.filter((waiter) => !leaving.includes(waiter));
  }

  #grant(id: number, conn: ModelConn): void {
    conn.state = "leased";
    conn.used = true;
    this.log.push(`grant ${id} on ${conn.id}`);
  }

  #closeIdle(id: number | undefined): void {
    if (id === undefined) throw new Error("the model has no idle connection to close");
    this.idle = this.idle.filter((each) => each !== id);
    this.find(id).state = "closing";
  }
}
