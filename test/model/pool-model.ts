// The pool as one would explain it on a whiteboard: arrays and plain rules, slow and without
// cleverness. It shares no code with the core, and is compared with it after every event.

/** One connection in the model. */
export interface ModelConn {
  readonly id: number;
  state: "connecting" | "idle" | "leased" | "checking" | "closing";
  lost: boolean;
  /** Whether anybody has ever had it. */
  used: boolean;
  openedMs: number;
  /** How often the pool had been reset when its dial began. */
  readonly resets: number;
  /** The bulkhead that uses it. Means something only while leased. */
  share: string;
}

/** What a bulkhead may have; the empty name is everything outside of bulkheads. */
export interface ModelShare {
  readonly maxInUse: number;
  readonly reserved: number;
  readonly priority: number;
}

/** One waiting acquire in the model. */
export interface ModelWaiter {
  readonly id: number;
  readonly enqueuedMs: number;
  readonly deadlineMs: number;
  /** Whether it waits for lack of a place, not for a dial. */
  readonly atLimit: boolean;
  readonly share: string;
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
  suspended = false;
  resets = 0;
  shares: Map<string, ModelShare> = new Map([
    ["", { maxInUse: Infinity, reserved: 0, priority: 0 }],
  ]);
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

  acquire(id: number, timeoutMs: number, share: string): void {
    const nobodyWaits = this.#next(this.#inUse(), this.waiters) === undefined;
    if (this.idle.length > 0 && nobodyWaits && this.#mayHave(share, this.#inUse())) {
      this.#grant(id, share, this.find(this.idle.pop() ?? 0));
    } else {
      const waiter = { id, enqueuedMs: this.nowMs, deadlineMs: this.nowMs + timeoutMs, share };
      const servedBefore = this.#servable(this.waiters);
      const served = this.#servable([...this.waiters, { ...waiter, atLimit: false }]);
      const room = Math.max(0, this.limits.maxOpen - this.conns.length);
      const isFull = this.suspended || this.count("leased") >= this.limits.maxOpen;
      const free = this.idle.length + this.count("connecting") + room;
      const canHave = Math.min(
        free,
        this.limits.maxOpen - this.count("leased") - this.count("checking"),
      );
      const atLimit = isFull || served === servedBefore || served > canHave;
      if (atLimit) this.waitCount += 1;
      this.waiters.push({ ...waiter, atLimit });
    }
    this.dial();
  }

  setShare(name: string, share: ModelShare): void {
    this.shares.set(name, share);
    this.serve();
  }

  /** What all bulkheads but this one reserve. */
  reservedBeside(name: string): number {
    let reserved = 0;
    for (const [each, share] of this.shares) if (each !== name) reserved += share.reserved;
    return reserved;
  }

  suspend(): void {
    this.suspended = true;
  }

  resume(): void {
    this.suspended = false;
    this.serve();
  }

  reset(): void {
    this.resets += 1;
    this.closeIdle();
  }

  closeIdle(): void {
    while (this.idle.length > 0) this.#closeIdle(this.idle[0]);
    this.dial();
  }

  /** Gives what is idle to who waits, then dials for the rest. */
  serve(): void {
    for (;;) {
      const waiter = this.#next(this.#inUse(), this.waiters);
      const connId = waiter === undefined ? undefined : this.idle.pop();
      if (waiter === undefined || connId === undefined) break;
      this.#leave([waiter]);
      this.#grant(waiter.id, waiter.share, this.find(connId));
    }
    this.dial();
  }

  /** Who waits, queue by queue. */
  #byShare(): ModelWaiter[] {
    const names = [...this.shares.keys()];
    return names.flatMap((name) => this.waiters.filter(({ share }) => share === name));
  }

  /** How many connections each share uses. */
  #inUse(): Map<string, number> {
    const inUse = new Map<string, number>();
    for (const { state, share } of this.conns) {
      if (state === "leased") inUse.set(share, (inUse.get(share) ?? 0) + 1);
    }
    return inUse;
  }

  /** Whether a share may have one more, where so many are in use. */
  #mayHave(name: string, inUse: ReadonlyMap<string, number>): boolean {
    const own = inUse.get(name) ?? 0;
    const { maxInUse, reserved } = this.#share(name);
    let free = this.limits.maxOpen;
    for (const [each, share] of this.shares) {
      free -= Math.max(share.reserved, inUse.get(each) ?? 0);
    }
    return !this.suspended && own < maxInUse && (own < reserved || free > 0);
  }

  /** Whose turn it is. */
  #next(
    inUse: ReadonlyMap<string, number>,
    waiters: readonly ModelWaiter[],
  ): ModelWaiter | undefined {
    const able = waiters.filter(({ share }) => this.#mayHave(share, inUse));
    const highest = Math.max(...able.map(({ share }) => this.#share(share).priority));
    return able.find(({ share }) => this.#share(share).priority === highest);
  }

  /** How many of them could be served if there were connections enough. */
  #servable(waiters: readonly ModelWaiter[]): number {
    const inUse = this.#inUse();
    let left = waiters;
    for (let count = 0; ; count++) {
      const next = this.#next(inUse, left);
      if (next === undefined) return count;
      inUse.set(next.share, (inUse.get(next.share) ?? 0) + 1);
      left = left.filter((waiter) => waiter !== next);
    }
  }

  #share(name: string): ModelShare {
    const share = this.shares.get(name);
    if (share === undefined) throw new Error(`the model has no bulkhead ${name}`);
    return share;
  }

  abort(id: number): void {
    this.#leave(this.waiters.filter((waiter) => waiter.id === id));
  }

  dialed(id: number): void {
    const conn = this.find(id);
    conn.openedMs = this.nowMs;
    if (conn.lost) this.#noteFailure(id);
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
    const isOld = conn.resets !== this.resets;
    // It comes back before anybody else may have it.
    conn.state = "checking";
    const waiter = this.#next(this.#inUse(), this.waiters);
    const kept = this.conns.filter(({ state }) => state !== "closing").length;
    if (conn.lost || isOld || this.closed || kept > this.limits.maxOpen) conn.state = "closing";
    else if (waiter !== undefined) {
      this.#leave([waiter]);
      this.#grant(waiter.id, waiter.share, conn);
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
    const due = this.#byShare().filter(({ deadlineMs }) => deadlineMs <= this.nowMs);
    for (const waiter of due) this.log.push(`timed-out ${waiter.id}`);
    this.#leave(due);
    this.serve();
  }

  close(): void {
    this.closed = true;
    for (const waiter of this.#byShare()) this.log.push(`closed ${waiter.id}`);
    this.#leave(this.waiters);
    while (this.idle.length > 0) this.#closeIdle(this.idle[0]);
  }

  /** Dials one for each waiter and for minIdle, as far as the limits let it. */
  dial(): void {
    const { maxOpen, maxIdle, minIdle, maxDialing } = this.limits;
    if (this.closed || this.nowMs < this.pausedUntilMs) return;
    const floor = Math.min(minIdle, maxIdle, maxOpen);
    const wanted = this.#servable(this.waiters) + Math.max(0, floor - this.idle.length);
    const atOnce = this.failing > 0 ? 1 : maxDialing;
    while (this.count("connecting") < Math.min(wanted, atOnce) && this.conns.length < maxOpen) {
      this.#connIdLast += 1;
      const id = this.#connIdLast;
      const { resets } = this;
      const state = { lost: false, used: false, openedMs: Infinity, resets, share: "" };
      this.conns.push({ id, state: "connecting", ...state });
      this.#dialedAtMs.set(this.#connIdLast, this.nowMs);
    }
  }

  #leave(leaving: readonly ModelWaiter[]): void {
    for (const { atLimit, enqueuedMs } of leaving) {
      if (atLimit) this.waitDurationMs += this.nowMs - enqueuedMs;
    }
    this.waiters = this.waiters.filter((waiter) => !leaving.includes(waiter));
  }

  #grant(id: number, share: string, conn: ModelConn): void {
    conn.state = "leased";
    conn.share = share;
    conn.used = true;
    if (conn.openedMs > this.failedAtMs) {
      this.failing = 0;
      this.pausedUntilMs = 0;
    }
    this.log.push(`grant ${id} on ${conn.id}`);
  }

  #closeIdle(id: number | undefined): void {
    if (id === undefined) throw new Error("the model has no idle connection to close");
    this.idle = this.idle.filter((each) => each !== id);
    this.find(id).state = "closing";
  }
}
