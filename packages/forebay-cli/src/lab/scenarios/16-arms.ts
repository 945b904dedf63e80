// Scenario 16, how its arms run: the guide's benchmark with as many callers as it has processors,
// the same with more callers than connections, and what a benchmark must be able to tell.

import { type ChunkedTurn, chunkedTurn, type ChunkPlan } from "../chunks.ts";
import { roundNote, sum, takeTurns } from "../compare.ts";
import type { LabClock } from "../clock.ts";
import type { LabDb } from "../pools.ts";
import { poissonArrivals, seededLabRandom } from "../random.ts";
import { type AskedStatement, givenStatement } from "../query.ts";
import type { ArmRole, ScenarioContext } from "../scenario.ts";
import { closedTurn, mustNotFail, openTurn, type Turn } from "../turn.ts";

/** The guide's statement, which is nothing but overhead. */
export const SELECT_1 = "SELECT 1 AS n";
/** One that takes the server's time, and nobody's processor. */
export const SLEEP_MS = 10;
/** The statement of that. */
export const SLEEP: string = `SELECT 1 AS n FROM pg_sleep(${SLEEP_MS / 1000})`;

/** The guide's statement, or the user's. */
export async function chooseStatement(context: ScenarioContext): Promise<AskedStatement> {
  const aloneMs = context.calibration.queryP50Ms;
  const own = { sql: SELECT_1, name: "SELECT 1", isGiven: false, aloneMs };
  return (await givenStatement(context)) ?? own;
}

/** What a request takes of this process where that alone is to limit. */
export const BUSY_MS = 0.3;

/** By how much a request is made slower, to see whether the benchmark notices. */
export const SLOWED_RATIO = 0.2;

/** A closed load. */
export interface BenchArm {
  readonly name: string;
  readonly role: ArmRole;
  readonly callers: number;
  /** Connections of its pool. */
  readonly size: number;
  readonly sql: string;
  /** In one turn. */
  readonly requests: number;
  /** How long each request keeps this process busy on purpose, besides. */
  readonly busyMs: number;
  /** About how long a turn takes. */
  readonly expectedMs: number;
}

/**
 * What was seen in the middle of a turn: from when the callers have found their rhythm until the
 * first of them stops. Laws of closed systems are about that.
 */
export interface Steady {
  /** Requests that ended meanwhile. */
  readonly requests: number;
  readonly durationMs: number;
  /** The sum of their response times. */
  readonly responseMs: number;
  readonly waits: number;
  readonly waitMs: number;
}

/** What one turn of it gave. */
export interface BenchTurn extends Turn {
  readonly steady: Steady;
}

/** An arm with its turns. */
export interface BenchRun {
  readonly arm: BenchArm;
  readonly turns: readonly BenchTurn[];
}

/** What the turns of an arm say together. */
export interface BenchTotals {
  readonly requests: number;
  readonly durationMs: number;
  readonly perS: number;
  /** What `go test` would print as ns/op, in milliseconds: the time between two ends. */
  readonly betweenEndsMs: number;
  readonly meanMs: number;
  readonly waitsPerRequest: number;
  readonly waitPerRequestMs: number;
  readonly utilisationRatio: number;
  readonly clientCpuPerRequestMs: number;
  /** How many processors the server kept busy; undefined where that cannot be seen. */
  readonly serverBusyCores: number | undefined;
}

/** Adds up an arm's turns. */
export function totalsOf({ turns }: BenchRun): BenchTotals {
  const steady = turns.map((turn) => turn.steady);
  const requests = sum(steady.map((seen) => seen.requests));
  const durationMs = sum(steady.map((seen) => seen.durationMs));
  const totalMs = sum(turns.map((turn) => turn.durationMs));
  const busyMs = sum(turns.map((turn) => turn.utilisationRatio * turn.durationMs));
  const clientCpuMs = sum(turns.map((turn) => turn.clientCpuMs));
  const serverCpuMs = sum(turns.map((turn) => turn.serverCpuMs ?? Number.NaN));
  return {
    requests,
    durationMs,
    perS: (requests / durationMs) * 1000,
    betweenEndsMs: durationMs / requests,
    meanMs: sum(steady.map((seen) => seen.responseMs)) / requests,
    waitsPerRequest: sum(steady.map((seen) => seen.waits)) / requests,
    waitPerRequestMs: sum(steady.map((seen) => seen.waitMs)) / requests,
    utilisationRatio: busyMs / totalMs,
    clientCpuPerRequestMs: clientCpuMs / sum(turns.map((turn) => turn.requests)),
    serverBusyCores: Number.isNaN(serverCpuMs) ? undefined : serverCpuMs / totalMs,
  };
}

/** A turn's requests begin to count after this share of them. */
const RAMP_RATIO = 0.2;

/**
 * Watches over the steady part of a turn: from when a fifth of the requests has ended until there
 * are no more to begin. By requests, not by time, so that a machine that stands still in between
 * leaves as much to look at.
 */
class SteadyWatch {
  readonly #clock: LabClock;
  readonly #db: LabDb;
  readonly #first: number;
  readonly #last: number;
  #ended = 0;
  #responseMs = 0;
  #atFirst = { atMs: 0, waits: 0, waitMs: 0 };
  #seen: Steady | undefined;

  constructor(clock: LabClock, db: LabDb, arm: BenchArm, requests: number) {
    this.#clock = clock;
    this.#db = db;
    this.#first = Math.max(arm.callers, Math.round(requests * RAMP_RATIO));
    this.#last = requests - arm.callers;
    if (this.#last <= this.#first) throw new RangeError("a turn has too few requests");
    if (!Number.isInteger(requests)) throw new RangeError("a turn has whole requests");
  }

  /** A request has ended. */
  ended(beganAtMs: number): void {
    this.#ended++;
    if (this.#ended < this.#first || this.#ended > this.#last) return;
    const now = this.#look();
    if (this.#ended === this.#first) {
      this.#atFirst = now;
      return;
    }
    this.#responseMs += now.atMs - beganAtMs;
    if (this.#ended === this.#last) {
      this.#seen = {
        requests: this.#last - this.#first,
        durationMs: now.atMs - this.#atFirst.atMs,
        responseMs: this.#responseMs,
        waits: now.waits - this.#atFirst.waits,
        waitMs: now.waitMs - this.#atFirst.waitMs,
      };
    }
  }

  /** What has been seen, once the turn is over. */
  seen(): Steady {
    if (this.#seen === undefined) throw new RangeError("a turn has not been run to its end");
    return this.#seen;
  }

  #look(): { atMs: number; waits: number; waitMs: number } {
    const { waitCount, waitDurationMs } = this.#db.stats();
    return { atMs: this.#clock.nowMs(), waits: waitCount, waitMs: waitDurationMs };
  }
}

/** The pools of a benchmark, by their size: warm, as large as they may be. */
export class BenchPools {
  readonly #context: ScenarioContext;
  readonly #dbs = new Map<number, LabDb>();

  constructor(context: ScenarioContext) {
    this.#context = context;
  }

  async open(size: number): Promise<LabDb> {
    const known = this.#dbs.get(size);
    if (known !== undefined) return known;
    const db = this.#context.pools.openDb({ maxOpenConns: size, maxIdleConns: size });
    await db.warmUp(size);
    this.#dbs.set(size, db);
    return db;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#dbs.values()].map((db) => db.close()));
    this.#dbs.clear();
  }
}

/** Runs arms in turns; the first round is for warming up. */
export async function runArms(
  context: ScenarioContext,
  pools: BenchPools,
  arms: readonly BenchArm[],
  rounds: number,
): Promise<BenchRun[]> {
  const dbs: LabDb[] = [];
  for (const arm of arms) dbs.push(await pools.open(arm.size));
  const turns = await takeTurns({
    rounds: rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: arms.map((arm, at) => async (round: number) => {
      const note = roundNote(round, rounds);
      context.step(arm.name, arm.expectedMs, note);
      const db = dbs[at];
      if (db === undefined) throw new RangeError("an arm has no pool");
      return runArm(context, db, arm);
    }),
  });
  return arms.map((arm, at) => ({ arm, turns: turns[at]?.slice(1) ?? [] }));
}

async function runArm(context: ScenarioContext, db: LabDb, arm: BenchArm): Promise<BenchTurn> {
  const { clock } = context;
  const steady = new SteadyWatch(clock, db, arm, arm.requests);
  const turn = await closedTurn(context, {
    callers: arm.callers,
    requests: arm.requests,
    // A closed load drives whatever is the bottleneck to its limit by intent.
    counts: "effect",
    operate: async () => {
      const beganAtMs = clock.nowMs();
      await db.query(arm.sql);
      beBusy(clock, arm.busyMs);
      steady.ended(beganAtMs);
    },
  });
  return { ...turn, steady: steady.seen() };
}

function beBusy(clock: LabClock, ms: number): void {
  if (ms === 0) return;
  const untilMs = clock.nowMs() + ms;
  while (clock.nowMs() < untilMs);
}

/** One caller by whom two arms are run that are the same, and one that is made slower. */
export type Twins = Readonly<Record<"same" | "twin" | "slowed", readonly ChunkedTurn[]>>;

/**
 * Runs them in small pieces, which tell apart what differs by microseconds. What the slowed one is
 * slowed by is a share of what a query took of this process in the round before.
 */
export async function runTwins(
  context: ScenarioContext,
  db: LabDb,
  statement: AskedStatement,
  rounds: number,
): Promise<Twins> {
  const { clock, signal, steal } = context;
  const chunks = context.isQuick ? 40 : 100;
  const plan: ChunkPlan = { chunks, requestsPerChunk: 10 };
  const operate = (): Promise<unknown> => db.query(statement.sql);
  let slowedByMs = 0;
  const slower = async (): Promise<void> => {
    await operate();
    beBusy(clock, slowedByMs);
  };
  const turn = async (round: number): Promise<ChunkedTurn[]> => {
    const note = roundNote(round, rounds);
    context.step("two that are the same", 30 * chunks * Math.max(0.12, statement.aloneMs), note);
    const turns = await chunkedTurn(context, [{ operate }, { operate }, { operate: slower }], plan);
    slowedByMs = (turns[0]?.cpuMs ?? 0) * SLOWED_RATIO;
    return turns;
  };
  const [taken = []] = await takeTurns({ rounds: rounds + 1, signal, steal, arms: [turn] });
  // The first round meets cold code, and slows down nothing.
  const ofArm = (at: number): ChunkedTurn[] => taken.slice(1).flatMap((turns) => turns[at] ?? []);
  return { same: ofArm(0), twin: ofArm(1), slowed: ofArm(2) };
}

/** Requests that come at a share of the highest rate. */
export interface OpenRun {
  readonly ratio: number;
  readonly perS: number;
  readonly turn: Turn;
  readonly waits: number;
  readonly waitMs: number;
}

/** Runs an open load at shares of the highest rate that the closed load has shown. */
export async function runOpen(
  context: ScenarioContext,
  pools: BenchPools,
  peak: { readonly size: number; readonly perS: number; readonly sql: string },
  how: { readonly ratios: readonly number[]; readonly turnMs: number },
): Promise<OpenRun[]> {
  const db = await pools.open(peak.size);
  const runs: OpenRun[] = [];
  for (const ratio of how.ratios) {
    const perS = peak.perS * ratio;
    context.step(`open load at ${Math.round(ratio * 100)} % of the peak`, how.turnMs);
    const before = db.stats();
    const turn = await openTurn(context, {
      arrivalsMs: poissonArrivals(seededLabRandom(1600), perS, how.turnMs),
      counts: "effect",
      operate: async () => {
        await db.query(peak.sql);
      },
    });
    mustNotFail([turn]);
    const after = db.stats();
    const waits = after.waitCount - before.waitCount;
    const waitMs = after.waitDurationMs - before.waitDurationMs;
    runs.push({ ratio, perS, turn, waits, waitMs });
  }
  return runs;
}
