// Scenario 4, how its arms run: a peak that needs all connections at once, a quiet stretch with few
// requests, and the next peak.

import { type ProcessMemory, readMemory } from "../backend-memory.ts";
import { pause } from "../clock.ts";
import { median } from "../compare.ts";
import { LatencyHistogram } from "../histogram.ts";
import { type LabDb, warmUp } from "../pools.ts";
import type { ArmRole, ScenarioContext } from "../scenario.ts";
import { mustNotFail, openTurn, type Turn } from "../turn.ts";
import { watchBackends } from "../watch.ts";

/** The guide's own figures. */
export const GUIDE = { peak: 200, quiet: 5, idleTimeMs: 300_000, megabytes: 10 } as const;

/** One way of setting the pool up, and the traffic of the quiet stretch. */
export interface IdleTimeArm {
  readonly name: string;
  readonly role: ArmRole;
  readonly idleOrder: "lifo" | "fifo";
  /** `Infinity` for never. */
  readonly idleTimeMs: number;
  readonly minIdleConns: number;
  /**
   * Instead of an idle time: after each such time as many idle connections are closed as were idle
   * in the middle of the samples taken meanwhile, which is the rule of Npgsql.
   */
  readonly prunesByMedian: boolean;
  /** Requests a second in the quiet stretch. */
  readonly ratePerS: number;
}

/** What one arm gave. */
export interface IdleTimeTurn {
  readonly quiet: Turn;
  /** How long each request of the peaks waited for its connection. */
  readonly firstPeak: LatencyHistogram;
  readonly nextPeak: LatencyHistogram;
  /** Server processes: at the peak, at the end of the quiet stretch, at the next peak. */
  readonly atPeak: number;
  readonly atRest: number;
  readonly atNextPeak: number;
  /** [milliseconds from the end of the first peak, server processes]. */
  readonly points: readonly (readonly [number, number])[];
  /** By the pool's own count, at the end of the quiet stretch. */
  readonly dialed: number;
  readonly open: number;
  readonly maxIdleTimeClosed: number;
  /** Of all its server processes; undefined where it cannot be read. */
  readonly memoryAtPeak: ProcessMemory | undefined;
  readonly memoryAtRest: ProcessMemory | undefined;
}

/** What holds for all arms. */
export interface IdleTimePlan {
  readonly peak: number;
  readonly idleTimeMs: number;
  readonly quietMs: number;
}

/** Tables that each connection looks into at the peak, as those of a busy service have. */
export const TABLES = 200;

const TABLES_AT_ONCE = 50;

/** Makes the tables. */
export async function prepareTables({ pools, schema }: ScenarioContext): Promise<void> {
  for (let from = 1; from <= TABLES; from += TABLES_AT_ONCE) {
    await pools.watcher.exec(
      `DO $$ BEGIN FOR n IN ${from}..${from + TABLES_AT_ONCE - 1} LOOP EXECUTE format(` +
        `'CREATE TABLE ${schema}.tenant_%s (id int PRIMARY KEY, a int, b int, c text)', n); ` +
        "END LOOP; END $$",
    );
  }
}

/** Has the server open each of the tables, one after the other, and remember what it is like. */
function visitSql(schema: string): string {
  return (
    "SELECT sum(pg_relation_size(c.oid))::float8 AS bytes FROM pg_class c " +
    `WHERE c.relnamespace = '${schema}'::regnamespace AND c.relname LIKE 'tenant%'`
  );
}

/** Memory of one connection that has done nothing yet. */
export async function readFresh(context: ScenarioContext): Promise<ProcessMemory | undefined> {
  const name = context.pools.nextName();
  const db = context.pools.openDb({ maxOpenConns: 1, maxIdleConns: 1 }, name);
  await db.ping();
  const { memory } = await lookAt(context, name);
  await db.close();
  await untilGone(context, name);
  return memory;
}

/** Runs one arm. */
export async function runIdleTime(
  context: ScenarioContext,
  plan: IdleTimePlan,
  arm: IdleTimeArm,
): Promise<IdleTimeTurn> {
  const { clock, pools, schema, signal } = context;
  const name = pools.nextName();
  const db = pools.openDb(
    {
      maxOpenConns: plan.peak,
      maxIdleConns: plan.peak,
      minIdleConns: arm.minIdleConns,
      connMaxIdleTimeMs: arm.idleTimeMs,
      idleOrder: arm.idleOrder,
    },
    name,
  );
  const firstPeak = await occupy(context, db, plan.peak, visitSql(schema));
  const atPeak = await lookAt(context, name);
  const stopPruning = arm.prunesByMedian ? pruneByMedian(context, db, plan) : undefined;
  const rest = runQuiet(context, db, arm, plan.quietMs).finally(() => stopPruning?.());
  const watching = watchBackends(
    pools.watcher,
    clock,
    { applicationName: name, everyMs: plan.quietMs / 40 },
    rest,
  );
  const [quiet, watched] = await Promise.all([rest, watching]);
  const atRest = await lookAt(context, name);
  const stats = db.stats();
  const nextPeak = await occupy(context, db, plan.peak, visitSql(schema));
  const atNextPeak = (await pidsOf(context, name)).length;
  await db.close();
  await untilGone(context, name);
  signal.throwIfAborted();
  return {
    quiet,
    firstPeak,
    nextPeak,
    atPeak: atPeak.count,
    atRest: atRest.count,
    atNextPeak,
    points: watched.points,
    dialed: stats.pool.dialCount,
    open: stats.openConnections,
    maxIdleTimeClosed: stats.maxIdleTimeClosed,
    memoryAtPeak: atPeak.memory,
    memoryAtRest: atRest.memory,
  };
}

/** As many requests at once as there may be connections, each with its own until all have one. */
async function occupy(
  { clock, signal }: ScenarioContext,
  db: LabDb,
  count: number,
  sql: string,
): Promise<LatencyHistogram> {
  const waits = new LatencyHistogram();
  await warmUp(
    {
      use: (run, signal) => {
        const askedAtMs = clock.nowMs();
        return db.withConn(
          (conn) => {
            waits.recordMs(clock.nowMs() - askedAtMs);
            return run(conn);
          },
          { signal },
        );
      },
    },
    count,
    sql,
    [],
    signal,
  );
  return waits;
}

/** Requests of a millisecond each at even distances. */
async function runQuiet(
  context: ScenarioContext,
  db: LabDb,
  arm: IdleTimeArm,
  quietMs: number,
): Promise<Turn> {
  const { signal } = context;
  const arrivalsMs = Array.from(
    { length: Math.floor((quietMs / 1000) * arm.ratePerS) },
    (_, at) => ((at + 1) * 1000) / arm.ratePerS,
  );
  const turn = await openTurn(context, {
    arrivalsMs,
    operate: async () => {
      await db.query("SELECT pg_sleep(0.001)", [], { signal });
    },
  });
  mustNotFail([turn]);
  return turn;
}

/** Samples in an idle time; Npgsql takes thirty by default, one in ten seconds of five minutes. */
const PRUNE_SAMPLES = 10;

/** Gives how to stop it. */
function pruneByMedian({ clock }: ScenarioContext, db: LabDb, plan: IdleTimePlan): () => void {
  let samples: number[] = [];
  let timer = { cancel: (): void => undefined };
  const sample = (): void => {
    timer = clock.setTimer(plan.idleTimeMs / PRUNE_SAMPLES, sample);
    const { idle } = db.stats();
    samples.push(idle);
    if (samples.length < PRUNE_SAMPLES) return;
    // A lower limit closes what is beyond it.
    db.setMaxIdleConns(Math.max(0, idle - Math.floor(median(samples))));
    db.setMaxIdleConns(plan.peak);
    samples = [];
  };
  sample();
  return () => timer.cancel();
}

async function pidsOf({ pools }: ScenarioContext, applicationName: string): Promise<number[]> {
  const { rows } = await pools.watcher.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE application_name = $1",
    [applicationName],
  );
  return rows.map(({ pid }) => pid);
}

const LOOK_TRIES = 5;

/** Counts an arm's server processes and reads their memory. */
async function lookAt(
  context: ScenarioContext,
  applicationName: string,
): Promise<{ readonly count: number; readonly memory: ProcessMemory | undefined }> {
  // A server elsewhere has processes of the same numbers as others here.
  const isHere = context.facts.postmasterPid !== undefined;
  for (let tries = 1; ; tries++) {
    const pids = await pidsOf(context, applicationName);
    const memory = isHere ? await readMemory(pids) : undefined;
    // One that ended in between cannot be read any more.
    if (memory !== undefined || !isHere || tries === LOOK_TRIES) {
      return { count: pids.length, memory };
    }
  }
}

const GONE_TRIES = 200;

/** The server ends its processes some time after their connections. */
async function untilGone(context: ScenarioContext, applicationName: string): Promise<void> {
  for (let tries = 0; tries < GONE_TRIES; tries++) {
    if ((await pidsOf(context, applicationName)).length === 0) return;
    await pause(context.clock, 10, context.signal);
  }
}
