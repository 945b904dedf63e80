// One contender of P8. Small and large live in the same heap, are of the same age and are touched
// as recently, so that neither is kinder to the processor's caches or to the garbage collector.
// Only the calls themselves are timed: the promise reactions that follow run after the clock has
// been read.

import { type Lease, Pool, type PooledConn } from "forebay/pool";
import { collectGarbage, type Figures, serve } from "./contest.ts";

/** Calls timed together: many enough for the clock, few against the large queue. */
const BATCH = 1000;
const SMALL = 10;
const LARGE_POOL = 1000;
/** More than are ever run: what each of them needs is made beforehand. */
const ROUNDS_MAX = 16;
const WARM_UP_ROUNDS = 100;
/** Made once: to make one takes longer than to take a waiter out. */
const REASON = new Error("aborted");

/** A queue with BATCH holders, so that BATCH grants can be made in a row. */
interface Queue {
  /** Joins the queue. */
  readonly join: () => void;
  /** Serves whoever is next. */
  readonly grant: () => void;
  /** Waits for those served since the last call. */
  readonly settle: () => Promise<void>;
}

/**
 * As much of an AbortSignal as the pool uses. Node's own takes 4 to 20 us for each abort, whatever
 * listens, and would hide what the pool does.
 */
class PlainSignal {
  aborted = false;
  reason: unknown;
  #listener: (() => void) | undefined;

  addEventListener(_type: string, listener: () => void): void {
    this.#listener = listener;
  }

  removeEventListener(): void {
    this.#listener = undefined;
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    this.#listener?.();
  }
}

/** Signals that somebody waits with, BATCH of them for each round. */
type Batches = PlainSignal[][];

/** What a contender offers. */
interface Subject {
  readonly makeQueue: () => Promise<Queue>;
  /** Adds waiters to a line: some in front, then batches that can be aborted, then some behind. */
  readonly makeLine: (around: number, batches: number) => Promise<Batches>;
}

async function fill(connections: number) {
  const connector = { name: "fake", connect: async (): Promise<PooledConn> => ({ close() {} }) };
  const pool = new Pool(connector, {
    maxOpenConns: connections,
    maxDialing: connections,
    acquireTimeoutMs: Number.POSITIVE_INFINITY,
  });
  const leases = await Promise.all(Array.from({ length: connections }, () => pool.acquire()));
  return { pool, leases };
}

const ours: Subject = {
  makeQueue: async () => {
    const { pool, leases } = await fill(BATCH);
    const waiting: Promise<Lease<PooledConn>>[] = [];
    let served = 0;
    return {
      join: () => void waiting.push(pool.acquire()),
      grant: () => {
        leases.pop()?.release();
        served += 1;
      },
      settle: async () => {
        leases.push(...(await Promise.all(waiting.splice(0, served))));
        served = 0;
      },
    };
  },
  makeLine: async (around, batches) => {
    const { pool } = await fill(1);
    const wait = (count: number) => {
      for (let i = 0; i < count; i++) void pool.acquire();
    };
    wait(around / 2);
    const made = makeBatches(batches, (signal) => {
      pool.acquire({ signal: signal as unknown as AbortSignal }).catch(() => undefined);
    });
    wait(around / 2);
    lines.push(pool);
    return made;
  },
};

/** The least that a queue of promises, or a signal with a listener, can cost. */
const bare: Subject = {
  makeQueue: async () => {
    const resolvers: ((value: object) => void)[] = [];
    const promises: Promise<object>[] = [];
    let head = 0;
    let settled = 0;
    return {
      join: () => {
        promises.push(new Promise((resolve) => resolvers.push(resolve)));
      },
      grant: () => {
        resolvers[head]?.({});
        head += 1;
      },
      settle: async () => {
        await Promise.all(promises.slice(settled, head));
        settled = head;
      },
    };
  },
  makeLine: async (_around, batches) =>
    makeBatches(batches, (signal) => {
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          signal.removeEventListener();
          reject(REASON);
        });
      }).catch(() => undefined);
    }),
};

function makeBatches(batches: number, waitFor: (signal: PlainSignal) => void): Batches {
  return Array.from({ length: batches }, () =>
    Array.from({ length: BATCH }, () => {
      const signal = new PlainSignal();
      waitFor(signal);
      return signal;
    }),
  );
}

function times(count: number, run: () => void): void {
  for (let i = 0; i < count; i++) run();
}

function nsEach(run: () => void, count: number = BATCH): number {
  const startedAtMs = performance.now();
  for (let i = 0; i < count; i++) run();
  return ((performance.now() - startedAtMs) * 1e6) / count;
}

const timedByKind = new Map<string, number>();

/** Times both; every other time, for each kind, the large one first. */
function nsOfBoth(kind: string, small: () => void, large: () => void, count: number = BATCH) {
  const timed = timedByKind.get(kind) ?? 0;
  timedByKind.set(kind, timed + 1);
  if (timed % 2 === 0) return { small: nsEach(small, count), large: nsEach(large, count) };
  const largeNs = nsEach(large, count);
  return { small: nsEach(small, count), large: largeNs };
}

const subject = process.argv[2] === "forebay" ? ours : bare;
/** Held for as long as their waiters are to stay queued. */
const lines: Pool<PooledConn>[] = [];

/** Lets the compiler see all there is to see before anything counts. */
async function warmUp(): Promise<void> {
  const one = await subject.makeQueue();
  for (let i = 0; i < WARM_UP_ROUNDS; i++) {
    nsEach(one.join);
    nsEach(one.grant);
    await one.settle();
  }
}

async function prepareQueues(depth: number) {
  await warmUp();
  const small = await subject.makeQueue();
  const large = await subject.makeQueue();
  times(SMALL + 2 * BATCH, small.join);
  times(depth, large.join);
  return { small, large };
}

async function prepareLines(depth: number) {
  const small: Batches = [];
  for (let i = 0; i < ROUNDS_MAX; i++) small.push(...(await subject.makeLine(SMALL, 1)));
  return { small, large: await subject.makeLine(depth, ROUNDS_MAX) };
}

async function preparePools() {
  const pools = [];
  for (const connections of [SMALL, LARGE_POOL]) {
    const { pool, leases } = await fill(connections);
    for (const lease of leases.slice(connections / 2)) lease.release();
    pools.push(pool);
  }
  return pools;
}

let queues: ReturnType<typeof prepareQueues> | undefined;
let aborts: ReturnType<typeof prepareLines> | undefined;
let pools: ReturnType<typeof preparePools> | undefined;

function mustHave<T>(value: T | undefined): T {
  if (value === undefined) throw new Error(`no more than ${ROUNDS_MAX} rounds are prepared`);
  return value;
}

async function queue(depth: number): Promise<Figures> {
  const { small, large } = await (queues ??= prepareQueues(depth));
  collectGarbage();
  // A first batch, so that both pools' own records have been used as recently, and the heap has
  // grown again.
  for (const one of [small, large]) {
    times(BATCH, one.grant);
    await one.settle();
  }
  const grant = nsOfBoth("grant", small.grant, large.grant);
  await small.settle();
  await large.settle();
  const acquire = nsOfBoth("acquire", small.join, large.join);
  times(BATCH, small.join);
  times(BATCH, large.join);
  return {
    grantSmall: grant.small,
    grantLarge: grant.large,
    acquireSmall: acquire.small,
    acquireLarge: acquire.large,
  };
}

async function abort(depth: number): Promise<Figures> {
  const { small, large } = await (aborts ??= prepareLines(depth));
  const [fromSmall, fromLarge] = [mustHave(small.pop()), mustHave(large.pop())];
  const abortSmall = () => fromSmall.pop()?.abort(REASON);
  const abortLarge = () => fromLarge.pop()?.abort(REASON);
  collectGarbage();
  times(BATCH / 2, abortSmall);
  times(BATCH / 2, abortLarge);
  const both = nsOfBoth("abort", abortSmall, abortLarge, BATCH / 2);
  return { abortSmall: both.small, abortLarge: both.large };
}

async function stats(calls: number): Promise<Figures> {
  if (subject === bare) return {};
  const [small, large] = await (pools ??= preparePools());
  if (small === undefined || large === undefined) return {};
  const ofSmall = () => void small.stats();
  const ofLarge = () => void large.stats();
  collectGarbage();
  times(calls, ofSmall);
  times(calls, ofLarge);
  const both = nsOfBoth("stats", ofSmall, ofLarge, calls);
  return { statsSmall: both.small, statsLarge: both.large };
}

serve({ queue, abort, stats });
