// Scenario 8: one row by queryRow instead of rows that must be closed. Runs the arms in order; what
// they show is put together in 08-findings.ts.

import { needConnections } from "../budget.ts";
import { type DB, openDB, type PoolWarning, type Querier } from "forebay";
import { FakeDatabase } from "forebay/testing";
import { pause } from "../clock.ts";
import { roundNote, takeTurns } from "../compare.ts";
import { InstantDriver } from "../instant-driver.ts";
import { collectGarbage } from "../memory.ts";
import { allocatedBytes, cpuNsOf, runMany } from "../op-cost.ts";
import type { LabDb } from "../pools.ts";
import { type Findings, type Scenario, type ScenarioContext } from "../scenario.ts";
import { closedTurn, type Turn } from "../turn.ts";
import { describeQueryRow } from "./08-findings.ts";
import { forgetRows, goQueryRow, type ReadWay, WAYS, WAYS_OUT } from "./08-ways.ts";

/** A way, with what it took. */
export interface MeasuredWay {
  readonly way: ReadWay;
  /** By round: CPU time of one call on a driver that answers at once. */
  readonly cpuNs: readonly number[];
  readonly allocated: number;
  /** By round, on the real server. */
  readonly turns: readonly Turn[];
}

/** How many connections a way out left in use. */
export interface LeftBehind {
  readonly name: string;
  readonly times: number;
  readonly held: number;
}

/** What became of rows that were forgotten on purpose. */
export interface Forgotten {
  readonly times: number;
  readonly warnings: number;
  /** Warnings whose stack names the function that forgot. */
  readonly named: number;
  /** In use after a garbage collection. */
  readonly held: number;
}

/** Rows that nobody scans, by database/sql's rules. */
export interface Unscanned {
  readonly times: number;
  readonly held: number;
  /** In use after the same number of rows that were scanned. */
  readonly heldScanned: number;
}

/** All that scenario 8 measured. */
export interface QueryRowMeasured {
  readonly rounds: number;
  /** By each way, without a server. */
  readonly instantCalls: number;
  readonly realCallsPerRound: number;
  readonly ways: readonly MeasuredWay[];
  /** By round: CPU time of `queryRow` where the pool watches for leaks. */
  readonly watchedNs: readonly number[];
  readonly fakeWaysOut: readonly LeftBehind[];
  readonly realWaysOut: readonly LeftBehind[];
  /** Rules of the driver contract that were broken on the way. */
  readonly violations: number;
  readonly forgotten: Forgotten;
  readonly unscanned: Unscanned;
}

interface QueryRowPlan {
  readonly rounds: number;
  /** Without a server: a turn takes some ten milliseconds, so that there can be many. */
  readonly instantRounds: number;
  readonly calls: number;
  readonly realCalls: number;
  readonly fakeLeaves: number;
  readonly realLeaves: number;
}

const INSTANT = {
  quick: { instantRounds: 16, calls: 10_000 },
  full: { instantRounds: 24, calls: 42_000 },
} as const;

function planOf(context: ScenarioContext): QueryRowPlan {
  return context.isQuick
    ? { rounds: 6, realCalls: 400, fakeLeaves: 200, realLeaves: 20, ...INSTANT.quick }
    : { rounds: 8, realCalls: 1500, fakeLeaves: 1000, realLeaves: 100, ...INSTANT.full };
}

/** Connections of the pools in which something may be left behind. */
const POOL_SIZE = 4;

async function run(context: ScenarioContext): Promise<Findings> {
  needConnections(context, POOL_SIZE);
  const plan = planOf(context);
  const { pools, schema } = context;
  const table = `${schema}.query_row`;
  await pools.watcher.exec(`CREATE TABLE ${table} (id int PRIMARY KEY, v int NOT NULL)`);
  await pools.watcher.exec(`INSERT INTO ${table} SELECT n, n FROM generate_series(1, 1000) n`);
  await pools.watcher.exec(`ANALYZE ${table}`);
  const db = pools.openDb({ maxOpenConns: POOL_SIZE, maxIdleConns: POOL_SIZE });
  const timed = await timeWays(context, plan);
  const turns = await timeReal(context, plan, db, `SELECT v FROM ${table} WHERE id = $1`);
  const fake = await leaveFake(context, plan.fakeLeaves);
  context.step("ways out, real server", plan.realLeaves * 60);
  const realWaysOut = await leaveAll(context, db, `SELECT v FROM ${table}`, plan.realLeaves);
  const measured: QueryRowMeasured = {
    rounds: plan.rounds,
    instantCalls: plan.instantRounds * plan.calls,
    realCallsPerRound: plan.realCalls,
    ways: WAYS.map((way, at) => ({
      way,
      cpuNs: timed.cpuNs[at] ?? [],
      allocated: timed.allocated[at] ?? Number.NaN,
      turns: turns[at] ?? [],
    })),
    watchedNs: timed.watchedNs,
    fakeWaysOut: fake.waysOut,
    violations: fake.violations,
    realWaysOut,
    forgotten: await forget(context),
    unscanned: await leaveUnscanned(context),
  };
  await db.close();
  return describeQueryRow(context, measured, await context.judge());
}

/** To take a stack each time takes so long that fewer calls will do. */
const WATCHED_SHARE = 20;

/** CPU time and bytes of each way, on a driver that answers at once. */
async function timeWays(
  context: ScenarioContext,
  plan: QueryRowPlan,
): Promise<{ cpuNs: number[][]; watchedNs: number[]; allocated: number[] }> {
  const limits = { maxOpenConns: 1, maxIdleConns: 1 };
  const db = openDB(new InstantDriver(), limits);
  const watched = openDB(new InstantDriver(), { ...limits, leakAfterMs: 60_000 });
  context.defer(() => Promise.all([db.close(), watched.close()]));
  const args = [1];
  const arm =
    (name: string, calls: number, read: () => Promise<unknown>) =>
    (round: number): Promise<number> => {
      const note = roundNote(round, plan.instantRounds);
      context.step(`instant driver, ${name}`, calls * 0.0015, note);
      return cpuNsOf(context, calls, read);
    };
  // The first round meets code that is not compiled yet.
  const turns = await takeTurns({
    rounds: plan.instantRounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: [
      ...WAYS.map((way) => arm(way.name, plan.calls, () => way.read(db, "SELECT 1", args))),
      arm("queryRow, watched for leaks", plan.calls / WATCHED_SHARE, () =>
        watched.queryRow("SELECT 1", args),
      ),
    ],
  });
  const cpuNs = turns.map((rounds) => rounds.slice(1));
  const allocated: number[] = [];
  for (const way of WAYS) {
    const read = (): Promise<unknown> => way.read(db, "SELECT 1", args);
    await runMany(context, 5000, read);
    allocated.push(await allocatedBytes(read));
  }
  return { cpuNs, watchedNs: cpuNs.at(-1) ?? [], allocated };
}

async function timeReal(
  context: ScenarioContext,
  plan: QueryRowPlan,
  db: LabDb,
  sql: string,
): Promise<Turn[][]> {
  const turns = await takeTurns({
    rounds: plan.rounds + 1,
    signal: context.signal,
    steal: context.steal,
    arms: WAYS.map((way) => (round: number) => {
      const note = roundNote(round, plan.rounds);
      context.step(`real server, ${way.name}`, plan.realCalls * 0.2, note);
      return closedTurn(context, {
        callers: 1,
        requests: plan.realCalls,
        counts: "effect",
        operate: async (index) => {
          await way.read(db, sql, [(index % 1000) + 1]);
        },
      });
    }),
  });
  return turns.map((rounds) => rounds.slice(1));
}

async function leaveFake(
  context: ScenarioContext,
  times: number,
): Promise<{ waysOut: LeftBehind[]; violations: number }> {
  context.step("ways out, fake database", times / 10);
  const database = new FakeDatabase();
  database.answer = (sql) => {
    if (sql.includes("nonsense")) throw new Error("no such column");
    return {};
  };
  const db = openDB(database, { maxOpenConns: POOL_SIZE });
  context.defer(() => db.close({ drainTimeoutMs: 0 }));
  const waysOut = await leaveAll(context, db, "SELECT n", times);
  return { waysOut, violations: database.violations.length };
}

/** Leaves by each way many times, and counts what is still in use once all has settled. */
async function leaveAll(
  context: ScenarioContext,
  db: Querier & Pick<DB, "stats">,
  sql: string,
  times: number,
): Promise<LeftBehind[]> {
  const found: LeftBehind[] = [];
  for (const way of WAYS_OUT) {
    const heldBefore = db.stats().pool.leased;
    for (let time = 0; time < times; time++) {
      await way.leave(db, sql).catch(() => undefined);
      context.signal.throwIfAborted();
    }
    found.push({ name: way.name, times, held: (await settled(context, db)) - heldBefore });
  }
  return found;
}

const SETTLE_MS = 1000;
const LOOK_MS = 2;

/** Connections still in use after a garbage collection, and some time to come back. */
async function settled({ clock, signal }: ScenarioContext, db: Pick<DB, "stats">): Promise<number> {
  const beganAtMs = clock.nowMs();
  for (;;) {
    await pause(clock, LOOK_MS, signal);
    const { leased, checking } = db.stats().pool;
    if (leased + checking === 0 || clock.nowMs() - beganAtMs > SETTLE_MS) break;
  }
  collectGarbage();
  await pause(clock, LOOK_MS, signal);
  return db.stats().pool.leased;
}

const LEAK_AFTER_MS = 50;
const WARNED_WITHIN_MS = 3000;

/** Forgets rows on purpose, and sees what the pool says. */
async function forget(context: ScenarioContext): Promise<Forgotten> {
  const { clock, signal } = context;
  context.step("forgotten rows", 200);
  const warnings: PoolWarning[] = [];
  const database = new FakeDatabase();
  const db = openDB(database, {
    maxOpenConns: POOL_SIZE,
    leakAfterMs: LEAK_AFTER_MS,
    onWarning: (warning) => warnings.push(warning),
  });
  context.defer(() => db.close({ drainTimeoutMs: 0 }));
  for (let time = 0; time < POOL_SIZE; time++) await forgetRows(db, "SELECT n");
  const beganAtMs = clock.nowMs();
  const leaks = (): PoolWarning[] => warnings.filter(({ kind }) => kind === "leak");
  while (leaks().length < POOL_SIZE && clock.nowMs() - beganAtMs < WARNED_WITHIN_MS) {
    await pause(clock, LOOK_MS, signal);
  }
  collectGarbage();
  await pause(clock, LOOK_MS, signal);
  return {
    times: POOL_SIZE,
    warnings: leaks().length,
    named: leaks().filter(({ stack }) => stack?.includes(forgetRows.name)).length,
    held: db.stats().pool.leased,
  };
}

/** Asks for rows by database/sql's rules, and scans them or not. */
async function leaveUnscanned(context: ScenarioContext): Promise<Unscanned> {
  context.step("rows that nobody scans", 100);
  const database = new FakeDatabase();
  const db = openDB(database, { maxOpenConns: POOL_SIZE });
  context.defer(() => db.close({ drainTimeoutMs: 0 }));
  for (let time = 0; time < POOL_SIZE; time++) await (await goQueryRow(db, "SELECT n")).scan();
  const heldScanned = await settled(context, db);
  for (let time = 0; time < POOL_SIZE; time++) await goQueryRow(db, "SELECT n");
  return { times: POOL_SIZE, held: await settled(context, db), heldScanned };
}

/** Scenario 8 of the guide. */
export const queryRow: Scenario = {
  id: 8,
  title: "One row without rows to close",
  needs: "5 free connections",
  expectedMs: 40_000,
  expectedQuickMs: 12_000,
  run,
};
