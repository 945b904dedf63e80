// Scenario 25, beyond the guide: the pool behind PgBouncer. Runs the arms in order; what they show
// is put together in 25-findings.ts.

import { needConnections } from "../budget.ts";
import { byName, median, takeTurnsByName } from "../compare.ts";
import {
  findPgBouncer,
  type PgBouncer,
  PGBOUNCER_MISSING,
  type PoolerConnection,
  startPgBouncer,
} from "../pgbouncer.ts";
import type { LabDb } from "../pools.ts";
import {
  type Findings,
  type Scenario,
  type ScenarioContext,
  ScenarioNotPossible,
} from "../scenario.ts";
import { closedTurn, type Turn } from "../turn.ts";
import { watchBackends } from "../watch.ts";
import { describePooler } from "./25-findings.ts";
import { CROWD, type Probes, runProbes, type Way, WAYS } from "./25-probes.ts";

/** Load by all pools at once. */
export interface CrowdTurn {
  readonly turn: Turn;
  /** Processes of the server, at most. */
  readonly peak: number;
}

/** All that scenario 25 measured. */
export interface PoolerMeasured {
  readonly version: string;
  readonly followsStatements: boolean;
  readonly rounds: number;
  readonly probes: Readonly<Record<Way, Probes>>;
  /** One caller, by round. */
  readonly single: Readonly<Record<Way, readonly Turn[]>>;
  /** A connection from nothing to its first answer, in milliseconds: the median. */
  readonly dialMs: Readonly<Record<Way, number>>;
  readonly crowd: Readonly<Record<"direct" | "transaction", CrowdTurn>>;
}

/** The crowd, PgBouncer's own connections, and one. */
const LEAST_BUDGET = CROWD.pools * CROWD.connections + CROWD.behind + 1;

async function run(context: ScenarioContext): Promise<Findings> {
  if (context.server.kind !== "embedded") {
    throw new ScenarioNotPossible(
      "It starts a PgBouncer that knows the server's password, so it runs on a server of the " +
        "lab's own only: run it without --dsn and DATABASE_URL.",
    );
  }
  if (findPgBouncer() === undefined) throw new ScenarioNotPossible(PGBOUNCER_MISSING, "pgbouncer");
  needConnections(context, LEAST_BUDGET);
  context.step("starting PgBouncer", 300);
  const pooler = await startPgBouncer(context, { poolSize: CROWD.behind });
  const rounds = context.isQuick ? 6 : 9;
  // The crowd first: as yet PgBouncer has no other connections.
  const crowd = {
    transaction: await runCrowd(context, pooler.connection("transaction")),
    direct: await runCrowd(context, undefined),
  };
  const measured: PoolerMeasured = {
    version: pooler.version,
    followsStatements: pooler.followsStatements,
    rounds,
    crowd,
    single: await compareSingle(context, pooler, rounds),
    dialMs: await eachWay(pooler, (connection, way) => {
      context.step(`dials, ${way}`, 200);
      return timeDials(context, connection);
    }),
    probes: await eachWay(pooler, (connection, way) => {
      context.step(`what works, ${way}`, 600);
      return runProbes(context, connection);
    }),
  };
  return describePooler(context, measured, await context.judge());
}

async function eachWay<T>(
  pooler: PgBouncer,
  look: (connection: PoolerConnection | undefined, way: Way) => Promise<T>,
): Promise<Record<Way, T>> {
  return {
    direct: await look(undefined, "direct"),
    session: await look(pooler.connection("session"), "session"),
    transaction: await look(pooler.connection("transaction"), "transaction"),
  };
}

/** All pools at once, each connection in use all the time. */
async function runCrowd(
  context: ScenarioContext,
  connection: PoolerConnection | undefined,
): Promise<CrowdTurn> {
  const { clock, isQuick, pools, signal } = context;
  context.step(`a crowd, ${connection === undefined ? "direct" : "transaction"}`, 1500);
  const name = pools.nextName();
  const crowd = Array.from({ length: CROWD.pools }, () => openWay(context, connection, name));
  const running = closedTurn(context, {
    callers: CROWD.pools * CROWD.connections,
    requests: isQuick ? 1500 : 6000,
    counts: "effect",
    operate: async (index) => {
      const db = crowd[index % CROWD.pools];
      await db?.query("SELECT pg_sleep(0.002)", [], { signal });
    },
  });
  const watching = watchBackends(
    pools.watcher,
    clock,
    // PgBouncer hands names on as it likes, but nobody else is there yet.
    { applicationName: connection === undefined ? name : undefined, everyMs: 25 },
    running,
  );
  const [turn, watched] = await Promise.all([running, watching]);
  await Promise.all(crowd.map((db) => db.close()));
  return { turn, peak: watched.peak };
}

function openWay(
  { pools }: ScenarioContext,
  connection: PoolerConnection | undefined,
  name: string,
): LabDb {
  return pools.openDb(
    {
      maxOpenConns: CROWD.connections,
      maxIdleConns: CROWD.connections,
      // What PgBouncer before 1.21 bears, in all ways alike.
      connection: { ...connection, statementMode: "cache-describe" },
    },
    name,
  );
}

async function compareSingle(
  context: ScenarioContext,
  pooler: PgBouncer,
  rounds: number,
): Promise<Record<Way, readonly Turn[]>> {
  const { pools, signal } = context;
  const dbs = byName(WAYS, (way) =>
    pools.openDb({
      maxOpenConns: 1,
      maxIdleConns: 1,
      connection: {
        ...(way === "direct" ? {} : pooler.connection(way)),
        statementMode: "cache-describe",
      },
    }),
  );
  for (const way of WAYS) {
    for (let n = 0; n < 50; n++) await dbs[way].query("SELECT $1::int AS n", [n]);
  }
  const turns = await takeTurnsByName({
    rounds,
    signal,
    steal: context.steal,
    names: WAYS,
    take: (way, _round, note) => {
      const requests = context.isQuick ? 200 : 600;
      context.step(`one caller, ${way}`, requests * 0.25, note);
      return closedTurn(context, {
        callers: 1,
        requests,
        operate: async (index) => {
          await dbs[way].query("SELECT $1::int AS n", [index], { signal });
        },
      });
    },
  });
  await Promise.all(WAYS.map((way) => dbs[way].close()));
  return turns;
}

const DIALS = 10;

async function timeDials(
  { clock, pools, signal }: ScenarioContext,
  connection: PoolerConnection | undefined,
): Promise<number> {
  const times: number[] = [];
  for (let dial = 0; dial < DIALS; dial++) {
    signal.throwIfAborted();
    const db = pools.openDb({
      maxOpenConns: 1,
      maxIdleConns: 1,
      ...(connection === undefined ? {} : { connection }),
    });
    const beganAtMs = clock.nowMs();
    await db.ping();
    times.push(clock.nowMs() - beganAtMs);
    await db.close();
  }
  return median(times);
}

/** Scenario 25, which the guide does not have. */
export const behindPgBouncer: Scenario = {
  id: 25,
  title: "Behind PgBouncer",
  needs: "36 free connections of a server of the lab's own; PgBouncer (Debian: pgbouncer)",
  expectedMs: 25_000,
  expectedQuickMs: 10_000,
  run,
};
