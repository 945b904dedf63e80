// Scenario 6, how its arms run: one query in all the ways in which it can reach the server, on a
// plain table, on a partitioned one, over a network, and with values of which some are rare.

import type { PostgresOptions } from "forebay/postgres";
import type { ChunkedArm, ChunkPlan } from "../chunks.ts";
import { type AskedStatement, givenStatement } from "../query.ts";
import { openNetwork, through } from "../server-address.ts";
import type { LabDb } from "../pools.ts";
import type { ScenarioContext } from "../scenario.ts";

/** The network of the far arms: a round trip takes twice this. */
export const DELAY_MS = 1;

/** Partitions of the partitioned table, and values of the skewed one. */
export const PARTITIONS = 100;
const ITEMS = 1000;
const JOBS = 50_000;
/**
 * Jobs of the rare state, the last of all: who walks through the table in order meets them last.
 */
export const RARE_JOBS = 50;

/** Texts that one connection runs in turn, where they do not fit. */
export const TEXTS = 16;
/** How many of them are kept. */
export const TEXTS_KEPT = 8;

/** The guide's figures. */
export const GUIDE = { parseAndPlanUs: 50, leastUs: 1, mostUs: 2, share: 0.8 } as const;

/** The arms, by what is asked and how. */
export const ARMS = [
  "simple",
  "exec",
  "describeExec",
  "cacheDescribe",
  "cached",
  "stmt",
  "thrash",
  "partitionedExec",
  "partitionedCached",
  "nearDescribeExec",
  "nearExec",
  "nearCached",
  "farDescribeExec",
  "farExec",
  "farCached",
  "skewExec",
  "skewRare",
  "skewTrapped",
  "skewCustom",
] as const;

/** The name of an arm. */
export type HotArm = (typeof ARMS)[number];

/** Arms that are compared with each other, which take turns in small pieces. */
export const GROUPS: readonly { readonly plan: PlanName; readonly arms: readonly HotArm[] }[] = [
  {
    plan: "local",
    arms: ["simple", "exec", "describeExec", "cacheDescribe", "cached", "stmt", "thrash"],
  },
  { plan: "partitioned", arms: ["partitionedExec", "partitionedCached"] },
  { plan: "near", arms: ["nearDescribeExec", "nearExec", "nearCached"] },
  { plan: "far", arms: ["farDescribeExec", "farExec", "farCached"] },
  { plan: "skew", arms: ["skewExec", "skewRare", "skewTrapped", "skewCustom"] },
];

type PlanName = "local" | "partitioned" | "near" | "far" | "skew";

/** All numbers of a run. */
export interface HotPlan extends Readonly<Record<PlanName, ChunkPlan>> {
  readonly rounds: number;
}

/** What is asked in all arms but those with partitions and rare values. */
export interface HotQuery extends AskedStatement {
  /** The arguments of one run after the other. */
  readonly argsOf: (index: number) => readonly unknown[];
}

/** A row by its key, or the user's statement. */
export async function chooseHot(context: ScenarioContext): Promise<HotQuery> {
  const given = await givenStatement(context);
  if (given !== undefined) return { ...given, argsOf: () => [] };
  return {
    sql: `SELECT b FROM ${context.schema}.hot WHERE a = $1`,
    name: "one row by its key",
    isGiven: false,
    aloneMs: context.calibration.queryP50Ms,
    argsOf: (index) => [(index % ITEMS) + 1],
  };
}

/** Fewer pieces of a turn than this tell nothing. */
const LEAST_CHUNKS = 4;

/** Plans a run: of a slower statement as much as takes about as long. */
export function planHot(
  { isQuick, calibration }: Pick<ScenarioContext, "isQuick" | "calibration">,
  query: HotQuery,
): HotPlan {
  const plan = planAtPace(isQuick);
  const slower = Math.max(1, query.aloneMs / calibration.queryP50Ms);
  const fewer = ({ chunks, requestsPerChunk }: ChunkPlan): ChunkPlan => ({
    chunks: Math.max(LEAST_CHUNKS, Math.round(chunks / slower)),
    requestsPerChunk,
  });
  return { ...plan, local: fewer(plan.local), near: fewer(plan.near), far: fewer(plan.far) };
}

function planAtPace(isQuick: boolean): HotPlan {
  return isQuick
    ? {
        rounds: 6,
        local: { chunks: 16, requestsPerChunk: 10 },
        partitioned: { chunks: 6, requestsPerChunk: 2 },
        near: { chunks: 4, requestsPerChunk: 5 },
        far: { chunks: 5, requestsPerChunk: 3 },
        skew: { chunks: 8, requestsPerChunk: 2 },
      }
    : {
        rounds: 8,
        local: { chunks: 30, requestsPerChunk: 10 },
        partitioned: { chunks: 12, requestsPerChunk: 2 },
        near: { chunks: 10, requestsPerChunk: 5 },
        far: { chunks: 8, requestsPerChunk: 5 },
        skew: { chunks: 10, requestsPerChunk: 2 },
      };
}

/** What the server has kept of a text on a connection. */
export interface Kept {
  readonly statements: number;
  readonly customPlans: number;
  readonly genericPlans: number;
}

/** The arms of a run, and what can be asked about them. */
export interface HotArms {
  readonly arms: Readonly<Record<HotArm, ChunkedArm>>;
  /** How often the default mode's and the trapped connection's statement has run, by plan. */
  kept(arm: "cached" | "skewTrapped" | "skewRare" | "thrash"): Promise<Kept>;
  /** Runs of the default mode's arm so far. */
  cachedRuns(): number;
}

/** Opens all arms, a connection each; they stay open over all turns. */
export async function openHot(context: ScenarioContext, query: HotQuery): Promise<HotArms> {
  const { partitioned, skew } = await createTables(context);
  const opener = new Opener(context);
  const near = through(await openNetwork(context, 0));
  const far = through(await openNetwork(context, DELAY_MS));
  const parts = { sql: partitioned, argsOf: (index: number) => [(index % ITEMS) + 1] };
  let cachedRuns = 0;
  const arms: Record<HotArm, ChunkedArm> = {
    simple: await opener.inTurn({ statementMode: "simple" }, query),
    exec: await opener.inTurn({ statementMode: "exec" }, query),
    describeExec: await opener.inTurn({ statementMode: "describe-exec" }, query),
    cacheDescribe: await opener.inTurn({ statementMode: "cache-describe" }, query),
    cached: await opener.inTurn({}, query, () => cachedRuns++),
    stmt: await opener.stmt(query),
    thrash: await opener.thrash(query),
    partitionedExec: await opener.inTurn({ statementMode: "exec" }, parts),
    partitionedCached: await opener.inTurn({}, parts),
    nearDescribeExec: await opener.inTurn({ ...near, statementMode: "describe-exec" }, query),
    nearExec: await opener.inTurn({ ...near, statementMode: "exec" }, query),
    nearCached: await opener.inTurn(near, query),
    farDescribeExec: await opener.inTurn({ ...far, statementMode: "describe-exec" }, query),
    farExec: await opener.inTurn({ ...far, statementMode: "exec" }, query),
    farCached: await opener.inTurn(far, query),
    skewExec: await opener.rare({ statementMode: "exec" }, skew, "rare"),
    skewRare: await opener.rare({}, skew, "rare"),
    skewTrapped: await opener.rare({}, skew, "common"),
    skewCustom: await opener.rare(
      { options: "-c plan_cache_mode=force_custom_plan" },
      skew,
      "common",
    ),
  };
  return {
    arms,
    kept: (arm) => keptOf(opener.dbOf(arms[arm]), arm.startsWith("skew") ? skew : query.sql),
    cachedRuns: () => cachedRuns,
  };
}

/** Runs before any turn, after which the server may have settled for a generic plan. */
const WARM_RUNS = 20;

class Opener {
  readonly #context: ScenarioContext;
  readonly #dbs = new Map<ChunkedArm, LabDb>();

  constructor(context: ScenarioContext) {
    this.#context = context;
  }

  dbOf(arm: ChunkedArm): LabDb {
    const db = this.#dbs.get(arm);
    if (db === undefined) throw new RangeError("an arm has no connection");
    return db;
  }

  /** The same text with the arguments of one run after the other. */
  inTurn(
    connection: PostgresOptions,
    { sql, argsOf }: Pick<HotQuery, "sql" | "argsOf">,
    onRun?: () => void,
  ): Promise<ChunkedArm> {
    const db = this.#open(connection);
    let index = 0;
    return this.#armOf(db, () => {
      onRun?.();
      return db.query(sql, argsOf(index++));
    });
  }

  /** The guide's way: a statement that is prepared once and kept. */
  async stmt({ sql, argsOf }: HotQuery): Promise<ChunkedArm> {
    const db = this.#open({ statementMode: "exec" });
    const stmt = await db.prepare(sql);
    let index = 0;
    return this.#armOf(db, () => stmt.query(argsOf(index++)));
  }

  /** More texts than are kept, one after the other: each has gone when it comes again. */
  thrash({ sql, argsOf }: HotQuery): Promise<ChunkedArm> {
    const db = this.#open({ statementCacheMax: TEXTS_KEPT });
    let index = 0;
    return this.#armOf(db, () => {
      index++;
      return db.query(`${sql}\n-- ${index % TEXTS}`, argsOf(index));
    });
  }

  /** Asks for the rare state, after the first runs were with this one. */
  async rare(connection: PostgresOptions, sql: string, first: string): Promise<ChunkedArm> {
    const db = this.#open(connection);
    for (let run = 0; run < WARM_RUNS; run++) await db.query(sql, [first]);
    return this.#armOf(db, () => db.query(sql, ["rare"]));
  }

  #open(connection: PostgresOptions): LabDb {
    return this.#context.pools.openDb({ maxOpenConns: 1, maxIdleConns: 1, connection });
  }

  async #armOf(db: LabDb, operate: () => Promise<unknown>): Promise<ChunkedArm> {
    for (let run = 0; run < WARM_RUNS; run++) await operate();
    const { pid } = await db.queryRow<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const isSeen = this.#context.facts.postmasterPid !== undefined;
    const arm: ChunkedArm = { operate, ...(isSeen ? { backendPid: pid } : {}) };
    this.#dbs.set(arm, db);
    return arm;
  }
}

/** What the connection's session has prepared for texts that begin like this one. */
async function keptOf(db: LabDb, sql: string): Promise<Kept> {
  const row = await db.queryRow<{ statements: number; custom: number; generic: number }>(
    "SELECT count(*)::int AS statements, coalesce(sum(custom_plans), 0)::int AS custom, " +
      "coalesce(sum(generic_plans), 0)::int AS generic FROM pg_prepared_statements " +
      "WHERE starts_with(statement, $1)",
    [sql],
  );
  return { statements: row.statements, customPlans: row.custom, genericPlans: row.generic };
}

async function createTables(
  context: ScenarioContext,
): Promise<{ partitioned: string; skew: string }> {
  const { pools, schema } = context;
  const { watcher } = pools;
  await watcher.exec(`CREATE TABLE ${schema}.hot (a int PRIMARY KEY, b int NOT NULL)`);
  await watcher.exec(`INSERT INTO ${schema}.hot SELECT n, n FROM generate_series(1, ${ITEMS}) n`);
  await watcher.exec(
    `CREATE TABLE ${schema}.hot_parts (a int NOT NULL, b int NOT NULL) PARTITION BY HASH (a)`,
  );
  for (let part = 0; part < PARTITIONS; part++) {
    await watcher.exec(
      `CREATE TABLE ${schema}.hot_part_${part} PARTITION OF ${schema}.hot_parts ` +
        `FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${part})`,
    );
  }
  await watcher.exec(`CREATE INDEX ON ${schema}.hot_parts (b)`);
  await watcher.exec(
    `INSERT INTO ${schema}.hot_parts SELECT n, n FROM generate_series(1, ${ITEMS * 20}) n`,
  );
  await watcher.exec(`CREATE TABLE ${schema}.hot_jobs (id int PRIMARY KEY, state text NOT NULL)`);
  await watcher.exec(
    `INSERT INTO ${schema}.hot_jobs SELECT n, CASE WHEN n > ${JOBS - RARE_JOBS} THEN 'rare' ` +
      `ELSE 'common' END FROM generate_series(1, ${JOBS}) n`,
  );
  await watcher.exec(`CREATE INDEX ON ${schema}.hot_jobs (state)`);
  for (const table of ["hot", "hot_parts", "hot_jobs"]) {
    await watcher.exec(`VACUUM ANALYZE ${schema}.${table}`);
  }
  return {
    partitioned: `SELECT a FROM ${schema}.hot_parts WHERE b = $1`,
    skew: `SELECT id FROM ${schema}.hot_jobs WHERE state = $1 ORDER BY id LIMIT 10`,
  };
}
