// One contender of P8. Small and large queues live in the same heap and are of the same age, so that
// neither is kinder to the processor's caches or to the garbage collector. Only the calls themselves
// are timed: the promise reactions that follow run after the clock is read.

import { collectGarbage, type Figures, serve } from "./contest.ts";
import { type Lease, Pool, type PooledConn } from "forebay/pool";

/** Calls timed together: many enough for the clock, few against the large queue. */
const BATCH = 1000;
const SMALL = 10;
const STATS_CALLS = 100_000;

/** A queue with BATCH holders, so that BATCH grants can be made in a row. */
interface Queue {
  /** Joins the queue; the promise is kept. */
  join(): void;
  /** Serves whoever is next. */
  grant(): void;
  /** Waits for those served since the last call. */
  settle(): Promise<void>;
}

const fake = {
  name: "fake",
  connect: async (): Promise<PooledConn> => ({ close: () => undefined }),
};
const patient = { acquireTimeoutMs: Number.POSITIVE_INFINITY };

async function fill(
  connections: number,
): Promise<{ pool: Pool<PooledConn>; leases: Lease<PooledConn>[] }> {
  const pool = new Pool(fake, { ...patient, maxOpenConns: connections, maxDialing: connections });
  const leases = await Promise.all(Array.from({ length: connections }, () => pool.acquire()));
  return { pool, leases };
}

async function poolQueue(): Promise<Queue> {
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
}

/** The least that any queue of promises does: an array of resolvers, and a place in it. */
async function bareQueue(): Promise<Queue> {
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
}

const makeQueue = process.argv[2] === "forebay" ? poolQueue : bareQueue;
const state: { large?: Queue; rounds: Queue[]; aborts?: Aborts; stats?: Pool<PooledConn>[] } = {
  rounds: [],
};
const ROUNDS_MAX = 16;

/** Both queues hold their waiters from the start; a fresh small one for each round, as old as the large. */
async function prepareQueues(depth: number): Promise<Queue> {
  const large = await makeQueue();
  for (let i = 0; i < ROUNDS_MAX; i++) {
    const small = await makeQueue();
    for (let k = 0; k < SMALL + BATCH; k++) small.join();
    state.rounds.push(small);
  }
  for (let k = 0; k < depth; k++) large.join();
  return large;
}

function nsEach(run: () => void): number {
  const startedAtMs = performance.now();
  for (let i = 0; i < BATCH; i++) run();
  return ((performance.now() - startedAtMs) * 1e6) / BATCH;
}

async function queue(depth: number): Promise<Figures> {
  state.large ??= await prepareQueues(depth);
  const { large } = state;
  const small = state.rounds.pop();
  if (small === undefined) throw new Error(`at most ${ROUNDS_MAX} rounds are prepared`);
  collectGarbage();
  const grantSmall = nsEach(small.grant);
  const grantLarge = nsEach(large.grant);
  await small.settle();
  await large.settle();
  collectGarbage();
  const acquireSmall = nsEach(small.join);
  const acquireLarge = nsEach(large.join);
  return { grantSmall, grantLarge, acquireSmall, acquireLarge };
}

/** Waiters that can be aborted, batch by batch. */
interface Aborts {
  readonly small: AbortController[][];
  readonly large: AbortController[][];
  /** For as long as they are to stay queued. */
  readonly pools: Pool<PooledConn>[];
}

function waitFor(pool: Pool<PooledConn>, count: number): void {
  for (let i = 0; i < count; i++) void pool.acquire();
}

function waitAbortably(pool: Pool<PooledConn>): AbortController[] {
  return Array.from({ length: BATCH }, () => {
    const controller = new AbortController();
    pool.acquire({ signal: controller.signal }).catch(() => undefined);
    return controller;
  });
}

async function prepareAborts(depth: number): Promise<Aborts> {
  const { pool: large } = await fill(1);
  const aborts: Aborts = { small: [], large: [], pools: [large] };
  waitFor(large, depth / 2);
  for (let i = 0; i < ROUNDS_MAX; i++) {
    const { pool: small } = await fill(1);
    waitFor(small, SMALL / 2);
    aborts.small.push(waitAbortably(small));
    waitFor(small, SMALL / 2);
    aborts.large.push(waitAbortably(large));
    aborts.pools.push(small);
  }
  waitFor(large, depth / 2);
  return aborts;
}

async function abort(depth: number): Promise<Figures> {
  if (process.argv[2] !== "forebay") return {};
  state.aborts ??= await prepareAborts(depth);
  const { small, large } = state.aborts;
  const [fromSmall, fromLarge] = [small.pop() ?? [], large.pop() ?? []];
  collectGarbage();
  return {
    abortSmall: nsEach(() => fromSmall.pop()?.abort()),
    abortLarge: nsEach(() => fromLarge.pop()?.abort()),
  };
}

async function stats(): Promise<Figures> {
  if (process.argv[2] !== "forebay") return {};
  state.stats ??= await Promise.all(
    [SMALL, 1000].map(async (connections) => {
      const { pool, leases } = await fill(connections);
      for (const lease of leases.slice(connections / 2)) lease.release();
      return pool;
    }),
  );
  const [statsSmall, statsLarge] = state.stats.map((pool) => {
    collectGarbage();
    const startedAtMs = performance.now();
    for (let i = 0; i < STATS_CALLS; i++) pool.stats();
    return ((performance.now() - startedAtMs) * 1e6) / STATS_CALLS;
  });
  return { statsSmall: statsSmall ?? Number.NaN, statsLarge: statsLarge ?? Number.NaN };
}

serve({ queue, abort, stats });
