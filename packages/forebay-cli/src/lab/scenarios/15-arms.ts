// Scenario 15, how its arms run: the price of a look at the pool, requests that look each time, and
// a gauge that is as old as its last sample.

import { type DB, openDB } from "forebay";
import { sharedNowNs } from "../clock.ts";
import { roundNote, takeTurns } from "../compare.ts";
import { InstantDriver } from "../instant-driver.ts";
import { allocatedBytesOfCall, cpuNsOf, cpuNsOfCall } from "../op-cost.ts";
import type { ArmRole, ScenarioContext } from "../scenario.ts";
import { closedTurn, mustNotFail, openTurn, type Turn } from "../turn.ts";

/** The guide's interval. */
export const SAMPLE_MS = 100;

/** What one look at a pool of a given size takes. */
export interface LookPrice {
  readonly size: number;
  /** By round. */
  readonly statsNs: readonly number[];
  readonly statsBytes: number;
  readonly histogramsNs: readonly number[];
  /** The longest of many calls of `histograms`, and the 99th percentile, by the clock. */
  readonly histogramsMaxMs: number;
  readonly histogramsP99Ms: number;
}

const HISTOGRAM_SHARE = 50;
const BLOCKS_LOOKED_AT = 1000;

/** Prices of a look, by size of the pool: with all connections open, and half of them in use. */
export async function priceLooks(
  context: ScenarioContext,
  sizes: readonly number[],
  rounds: number,
  calls: number,
): Promise<LookPrice[]> {
  const pools = await Promise.all(sizes.map((size) => openHalfUsed(context, size)));
  const stats = pools.map((db) => () => kept(db.stats()).inUse);
  const histograms = pools.map((db) => () => kept(db.histograms()).hold.count);
  const step = (what: string, size: number, round: number): void => {
    const note = roundNote(round, rounds);
    context.step(`${what}, ${size} connections`, calls * 0.0005, note);
  };
  const turns = await takeTurns({
    rounds: rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: [
      ...sizes.map((size, at) => async (round: number) => {
        step("stats()", size, round);
        return cpuNsOfCall(context, calls, stats[at] ?? (() => Number.NaN));
      }),
      ...sizes.map((size, at) => async (round: number) => {
        step("histograms()", size, round);
        const fewer = calls / HISTOGRAM_SHARE;
        return cpuNsOfCall(context, fewer, histograms[at] ?? (() => Number.NaN));
      }),
    ],
  });
  const prices: LookPrice[] = [];
  for (const [at, size] of sizes.entries()) {
    const look = stats[at] ?? (() => Number.NaN);
    const blocks = timeBlocks(context, histograms[at] ?? (() => Number.NaN));
    prices.push({
      size,
      statsNs: turns[at]?.slice(1) ?? [],
      statsBytes: await allocatedBytesOfCall(look),
      histogramsNs: turns[sizes.length + at]?.slice(1) ?? [],
      histogramsMaxMs: blocks.at(-1) ?? Number.NaN,
      histogramsP99Ms: blocks[Math.floor(blocks.length * 0.99)] ?? Number.NaN,
    });
  }
  return prices;
}

let last: unknown;

/**
 * Has the whole snapshot made: of one that goes nowhere, the compiler leaves out what nobody reads.
 */
function kept<T>(snapshot: T): T {
  last = snapshot;
  return snapshot;
}

function timeBlocks({ clock }: ScenarioContext, call: () => number): number[] {
  const tookMs: number[] = [];
  for (let index = 0; index < BLOCKS_LOOKED_AT; index++) {
    const beganAtMs = clock.nowMs();
    call();
    tookMs.push(clock.nowMs() - beganAtMs);
  }
  if (last === undefined) throw new RangeError("nothing was called");
  return tookMs.sort((a, b) => a - b);
}

async function openHalfUsed(context: ScenarioContext, size: number): Promise<DB> {
  const db = openDB(new InstantDriver(), { maxOpenConns: size, maxIdleConns: size });
  context.defer(() => db.close({ drainTimeoutMs: 0 }));
  await db.warmUp(size);
  await Promise.all(Array.from({ length: size / 2 }, () => db.conn()));
  // Something for the histograms to hold.
  for (let request = 0; request < 2000; request++) await db.queryRow("SELECT 1");
  return db;
}

/** What a request does besides its query. */
export interface LookWay {
  readonly name: string;
  readonly role: ArmRole;
  readonly code: string;
  /** Gives what to do at each request on a pool, and how to end. */
  begin(context: ScenarioContext, db: Pick<DB, "stats" | "histograms">): Looking;
}

interface Looking {
  look(): number;
  stop(): void;
}

/** Nothing. */
export const NO_LOOK = "no look at the pool";
/** What the guide's handlers do. */
export const EACH = "stats() each time";
/** What the guide makes of it. */
export const SAMPLED = "a gauge, sampled";
/** The mistake that does cost something. */
export const HISTOGRAMS = "histograms() each time";

/** The ways that are compared. */
export const LOOK_WAYS: readonly LookWay[] = [
  {
    name: NO_LOOK,
    role: "negative control",
    code: "await db.queryRow(sql)",
    begin: () => ({ look: () => 0, stop: () => undefined }),
  },
  {
    name: EACH,
    role: "baseline",
    code: "if (db.stats().inUse >= limit) …",
    begin: (_context, db) => ({ look: () => kept(db.stats()).inUse, stop: () => undefined }),
  },
  {
    name: SAMPLED,
    role: "change",
    code: `setInterval(() => { inUse = db.stats().inUse }, ${SAMPLE_MS})`,
    begin: (context, db) => {
      const gauge = sampleInUse(context, db, undefined);
      return { look: () => gauge.inUse, stop: () => gauge.stop() };
    },
  },
  {
    name: "a gauge, sampled into shared memory",
    role: "variant",
    code: "Atomics.store(shared, 0, db.stats().inUse), for worker threads to read",
    begin: (context, db) => {
      const shared = sharedGauge();
      const gauge = sampleInUse(context, db, shared);
      return { look: () => Atomics.load(shared.inUse, 0), stop: () => gauge.stop() };
    },
  },
  {
    name: HISTOGRAMS,
    role: "variant",
    code: "if (db.histograms().wait.quantileMs(0.99) > limitMs) …",
    begin: (_context, db) => ({
      look: () => kept(db.histograms()).wait.quantileMs(0.99),
      stop: () => undefined,
    }),
  },
];

/** The last sample. */
export interface Gauge {
  readonly inUse: number;
  readonly sampledAtMs: number;
  stop(): void;
}

/** A gauge that threads share. */
export interface SharedGauge {
  readonly buffer: SharedArrayBuffer;
  readonly inUse: Int32Array;
  /** By `sharedNowNs`. */
  readonly sampledAtNs: BigInt64Array;
}

/** Makes one, laid out as libexec/gauge-reader.mjs reads it. */
export function sharedGauge(): SharedGauge {
  const buffer = new SharedArrayBuffer(16);
  const inUse = new Int32Array(buffer, 0, 1);
  return { buffer, inUse, sampledAtNs: new BigInt64Array(buffer, 8, 1) };
}

/** Samples the pool at once and every `SAMPLE_MS`, also into `shared` if it is given. */
export function sampleInUse(
  { clock }: ScenarioContext,
  db: Pick<DB, "stats">,
  shared: SharedGauge | undefined,
): Gauge {
  let timer = { cancel: (): void => undefined };
  const gauge = {
    inUse: db.stats().inUse,
    sampledAtMs: clock.nowMs(),
    stop: (): void => timer.cancel(),
  };
  const sample = (): void => {
    gauge.inUse = db.stats().inUse;
    gauge.sampledAtMs = clock.nowMs();
    if (shared !== undefined) {
      Atomics.store(shared.inUse, 0, gauge.inUse);
      Atomics.store(shared.sampledAtNs, 0, sharedNowNs());
    }
    timer = clock.setTimer(SAMPLE_MS, sample);
  };
  sample();
  return gauge;
}

/** CPU time of a request by each way, on a driver that answers at once; by way and round. */
export async function timeRequests(
  context: ScenarioContext,
  rounds: number,
  requests: number,
): Promise<number[][]> {
  const db = openDB(new InstantDriver(), { maxOpenConns: 10, maxIdleConns: 10 });
  context.defer(() => db.close());
  await db.warmUp(10);
  let sink = 0;
  const turns = await takeTurns({
    rounds: rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: LOOK_WAYS.map((way) => async (round: number) => {
      context.step(`instant driver, ${way.name}`, requests * 0.001);
      const looking = way.begin(context, db);
      const few = way.name === HISTOGRAMS ? requests / HISTOGRAM_SHARE : requests;
      const ns = await cpuNsOf(context, few, () => {
        sink += looking.look();
        return db.queryRow("SELECT 1");
      });
      looking.stop();
      if (Number.isNaN(sink)) throw new RangeError(`no number in round ${round}`);
      return ns;
    }),
  });
  return turns.map((taken) => taken.slice(1));
}

/** Connections and callers on the real server. */
export const CALLERS = 4;

/** Requests to the real server by each way; by way and round. */
export async function timeReal(
  context: ScenarioContext,
  rounds: number,
  requests: number,
): Promise<Turn[][]> {
  const db = context.pools.openDb({ maxOpenConns: CALLERS, maxIdleConns: CALLERS });
  await db.warmUp(CALLERS);
  let sink = 0;
  const turns = await takeTurns({
    rounds: rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: LOOK_WAYS.map((way) => async () => {
      context.step(`real server, ${way.name}`, requests * 0.1);
      const looking = way.begin(context, db);
      try {
        return await closedTurn(context, {
          callers: CALLERS,
          requests,
          counts: "effect",
          operate: async (index) => {
            sink += looking.look();
            await db.queryRow("SELECT $1::int AS v", [index]);
          },
        });
      } finally {
        looking.stop();
      }
    }),
  });
  await db.close();
  if (Number.isNaN(sink)) throw new RangeError("a look gave no number");
  return turns.map((taken) => taken.slice(1));
}

/** How a gauge judged the pool when requests came, against the pool itself. */
export interface Judgements {
  readonly requests: number;
  /** Requests that came while all connections were in use. */
  readonly full: number;
  /** Of those, how many the gauge said had room. */
  readonly missed: number;
  /** Requests that came while there was room, and the gauge said all were in use. */
  readonly falseAlarms: number;
  /** How old the gauge was at each request. */
  readonly ageMs: readonly number[];
  readonly turn: Turn;
}

/** A burst of requests. */
export interface Burst {
  readonly requests: number;
  readonly everyMs: number;
  /** The time over which they come. */
  readonly overMs: number;
}

/** Fills the pool for less than the interval of the gauge. */
export const SHORT_BURST: Burst = { requests: 24, everyMs: 170, overMs: 40 };
/** Fills it for several intervals. */
export const LONG_BURST: Burst = { requests: 400, everyMs: 1250, overMs: 500 };
const SLEEP_MS = 15;
/** Connections in the arms with bursts. */
export const BURST_SIZE = 8;

/** Bursts that fill the pool, judged by a sampled gauge. */
export async function judgeBursts(
  context: ScenarioContext,
  burst: Burst,
  bursts: number,
): Promise<Judgements> {
  const { clock, pools, random } = context;
  context.step("bursts, judged by the gauge", bursts * burst.everyMs);
  const db = pools.openDb({ maxOpenConns: BURST_SIZE, maxIdleConns: BURST_SIZE });
  await db.warmUp(BURST_SIZE);
  const gauge = sampleInUse(context, db, undefined);
  const found = { full: 0, missed: 0, falseAlarms: 0 };
  const ageMs: number[] = [];
  const arrivalsMs = Array.from(
    { length: bursts * burst.requests },
    (_, index) => Math.floor(index / burst.requests) * burst.everyMs + random.next() * burst.overMs,
  ).sort((a, b) => a - b);
  try {
    const turn = await openTurn(context, {
      arrivalsMs,
      operate: async () => {
        const isFull = db.stats().inUse >= BURST_SIZE;
        const saysFull = gauge.inUse >= BURST_SIZE;
        ageMs.push(clock.nowMs() - gauge.sampledAtMs);
        if (isFull) found.full++;
        if (isFull && !saysFull) found.missed++;
        if (!isFull && saysFull) found.falseAlarms++;
        await db.query("SELECT pg_sleep($1)", [SLEEP_MS / 1000]);
      },
    });
    mustNotFail([turn]);
    return { ...found, requests: turn.requests, ageMs, turn };
  } finally {
    gauge.stop();
    await db.close();
  }
}
